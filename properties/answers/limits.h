// What the comparison of answers takes apart, at most. An answer is hostile input: what goes beyond a limit is compared as a whole,
// and the difference names the limit.
#pragma once

#include <cstddef>

namespace rehearse::properties::answer_limits {

// A longer body, as it was sent or decoded, is compared by its bytes alone: offsets within a tree are 32 bits wide.
inline constexpr std::size_t body_bytes = 256u << 20;
// Containers within containers. Comparing and hashing call themselves once a level, and a stack is finite.
inline constexpr std::size_t depth = 512;
// Of a document; 16 bytes each, so that two of them take half a gigabyte at most.
inline constexpr std::size_t tokens = 1u << 24;
// Differences of one pair of answers; the rest is counted.
inline constexpr std::size_t differences = 1000;
// Two arrays of different elements are aligned by a table of one cell a pair of elements; beyond that index by index.
inline constexpr std::size_t alignment_cells = 1u << 20;
// Bytes of a value that a difference holds; the history has it whole.
inline constexpr std::size_t shown_bytes = 400;
// Parts of a multipart body.
inline constexpr std::size_t parts = 1000;

}  // namespace rehearse::properties::answer_limits
