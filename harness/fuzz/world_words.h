// Words and times that the parts of World share.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "harness/configuration.h"

namespace rehearse::harness {

inline constexpr const char* legacy_name = "the legacy database";
inline constexpr const char* new_name = "the new database";
inline constexpr const char* oracle_name = "the oracle's database";

inline std::int64_t wall_clock_ns() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

// The command that does that to the service: start, stop, kill, pause, resume.
inline const std::string& command_of(const ServiceSettings& service, std::string_view verb) {
  return verb == "start"   ? service.start
         : verb == "stop"  ? service.stop
         : verb == "kill"  ? service.kill
         : verb == "pause" ? service.pause
                           : service.resume;
}

}  // namespace rehearse::harness
