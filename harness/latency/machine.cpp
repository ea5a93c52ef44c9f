#include "harness/latency/machine.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "replay/http/message.h"

namespace rehearse::harness {

std::string machine_name() {
  std::string model = "processor";
  std::ifstream information("/proc/cpuinfo");
  for (std::string line; std::getline(information, line);) {
    if (!line.starts_with("model name")) continue;
    const auto colon = line.find(':');
    if (colon != std::string::npos) model = replay::trim(std::string_view(line).substr(colon + 1));
    break;
  }
  utsname kernel{};
  uname(&kernel);
  return fmt::format("{} × {}, {} {}", std::thread::hardware_concurrency(), model, kernel.sysname, kernel.release);
}

double machine_load() {
  double load[1] = {0};
  return getloadavg(load, 1) == 1 ? load[0] : 0;
}

// proc(5): cpu user nice system idle iowait irq softirq steal ...
StealWatch::Ticks StealWatch::now() {
  std::ifstream statistics("/proc/stat");
  std::string line, word;
  std::getline(statistics, line);
  std::istringstream fields(line);
  fields >> word;
  Ticks ticks;
  double value = 0;
  for (int i = 0; i < 8 && fields >> value; ++i) {
    ticks.all += value;
    if (i == 7) ticks.stolen = value;
  }
  return ticks;
}

StealWatch::StealWatch() : began_(now()) {}

double StealWatch::percent() const {
  const Ticks ticks = now();
  return ticks.all > began_.all ? 100 * (ticks.stolen - began_.stolen) / (ticks.all - began_.all) : 0;
}

}  // namespace rehearse::harness
