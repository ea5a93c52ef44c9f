// Which elements of two lists stand for each other, given what each is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rehearse::properties {

struct Match {
  static constexpr std::size_t none = SIZE_MAX;
  std::size_t left = none, right = none;  // positions; none: stands alone
};

// In order, each position once. The longest common sequence of equal digests is matched, what lies between is paired in order.
// Beyond answer_limits::alignment_cells, or without digests, all is paired in order. With the sides changed the matches are the same.
// REQUIRES: the digests are as many as the sizes say, or there are none.
[[nodiscard]] std::vector<Match> aligned(std::size_t left, std::size_t right,
                                         const std::vector<std::uint64_t>& left_digests,
                                         const std::vector<std::uint64_t>& right_digests);

// True when the one is the other in another order.
[[nodiscard]] bool permuted(std::vector<std::uint64_t> left, std::vector<std::uint64_t> right);

}  // namespace rehearse::properties
