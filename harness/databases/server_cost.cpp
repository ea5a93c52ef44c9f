#include "harness/databases/server_cost.h"

#include <fmt/format.h>

#include <fstream>
#include <string>

namespace rehearse::harness {

// By /proc/PID/schedstat, whose first number counts nanoseconds; /proc/PID/stat counts hundredths of a second.
std::optional<double> cpu_seconds_of_backend(int process_id) {
  std::string name;
  std::getline(std::ifstream(fmt::format("/proc/{}/comm", process_id)), name);
  if (name != "postgres") return std::nullopt;  // another server's process has that number here
  double nanoseconds = 0;
  if (!(std::ifstream(fmt::format("/proc/{}/schedstat", process_id)) >> nanoseconds)) return std::nullopt;
  return nanoseconds / 1e9;
}

}  // namespace rehearse::harness
