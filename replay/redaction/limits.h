// Every limit of the redaction, with its reason. Captured traffic is hostile input: what a peer can make grow has a bound here.
#pragma once

#include <cstddef>

namespace rehearse::replay::limits {

// Values that were masked by their place and are looked for everywhere else. Beyond it new ones are masked in their places only.
inline constexpr std::size_t remembered_values = 200'000;
// Longer values are masked and not looked for elsewhere.
inline constexpr std::size_t remembered_bytes = 4096;
// Shorter ones stand elsewhere by chance: a pin of 1234 is no reason to change /orders/1234.
inline constexpr std::size_t shortest_remembered = 8;
// ... unless they mix letters and digits, they must be as long as this: a secret "password" is a word.
inline constexpr std::size_t shortest_remembered_word = 16;
// A body behind its content coding; the bodies of captures are cut at 16 MiB before it is removed.
inline constexpr std::size_t decoded_body_bytes = 64u << 20;
// Content codings of one body; two are unusual.
inline constexpr std::size_t codings = 4;
// JSON in JSON strings in JSON strings, and forms that hold it.
inline constexpr int nested_texts = 4;
// Levels of a JSON document; parsers in use stop between 32 and 512.
inline constexpr std::size_t json_levels = 512;

}  // namespace rehearse::replay::limits
