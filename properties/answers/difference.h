// One place in which two answers to the same request differ.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace rehearse::properties {

struct Difference {
  // Each is its own kind in both directions: with the sides changed, missing is extra, and every other one is itself.
  enum class Kind : std::uint8_t {
    status,
    failure,        // one was not answered, or both failed in different ways
    missing,        // the oracle has it and the candidate has not
    extra,          // the other way round
    null_absent,    // null on one side, not there on the other
    type,           // a number against a text, a list against an object
    value,          // of one type
    reordered,      // the same elements in another order
    formatting,     // the same value, written in another way that a client may see: 1 and 1.0
    duplicate_key,  // a name stands more often on one side
    unreadable,     // a body that is not what it says it is, or that goes beyond a limit
  };
  Kind kind = Kind::value;
  std::string path;      // "status", "answer", "header ETag", "$.items[3].total", "text[4]", "body"
  std::string expected;  // as it is written, shortened; empty where it is not there
  std::string observed;
  // Where it stands on the candidate's side, when elements before it were added or taken away; else empty.
  std::string observed_path;
  friend bool operator==(const Difference&, const Difference&) = default;
};

inline constexpr std::array<std::string_view, 11> difference_kind_names{
    "status", "failure",   "missing",    "extra",         "null against absent", "type",
    "value",  "reordered", "formatting", "duplicate key", "unreadable"};

[[nodiscard]] constexpr std::string_view name_of(Difference::Kind kind) {
  return difference_kind_names[static_cast<std::size_t>(kind)];
}

// What is structural is never noise: no two runs of a service that works differ so in a place that a mask could name.
[[nodiscard]] constexpr bool is_of_a_value(Difference::Kind kind) {
  return kind == Difference::Kind::value || kind == Difference::Kind::formatting;
}

}  // namespace rehearse::properties
