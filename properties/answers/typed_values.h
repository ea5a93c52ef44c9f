// Volatile values that say by their shape what they are. They are judged by what they are before anything is left out as mere noise:
// a moment must lie within the run that made it, also where it is so coarse that the oracle's own runs agreed by luck.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rehearse::properties {

enum class ValueShape : std::uint8_t { none, timestamp, uuid, duration };
[[nodiscard]] std::string_view name_of(ValueShape shape);

// Nanoseconds since the epoch of a text or number that is one moment: RFC 3339 (a space for the T, and no zone for UTC, as databases
// write it), the dates of HTTP (RFC 9110, section 5.6.7), and whole seconds, milli-, micro- or nanoseconds since the epoch between
// 2001 and 2286.
[[nodiscard]] std::optional<std::int64_t> moment_in(std::string_view text);

[[nodiscard]] bool is_uuid(std::string_view text);

// A number, not below zero, under a name that says that it measures time: "took_ms", "elapsed", "durationSeconds".
[[nodiscard]] bool is_duration(std::string_view name, std::string_view text);

// From the beginning of a world to the end of an answer in it, by the wall clock.
struct Window {
  std::int64_t begin_ns = 0, end_ns = 0;
  // Clocks of two machines differ, and a value may be cut to whole seconds.
  static constexpr std::int64_t slack_ns = 2'000'000'000;
  [[nodiscard]] bool holds(std::int64_t moment_ns) const {
    return moment_ns >= begin_ns - slack_ns && moment_ns <= end_ns + slack_ns;
  }
};

}  // namespace rehearse::properties
