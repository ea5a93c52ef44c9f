#include "properties/answers/alignment.h"

#include <algorithm>
#include <utility>

#include "properties/answers/limits.h"

namespace rehearse::properties {
namespace {

using Digests = std::vector<std::uint64_t>;

// Pairs of positions of a longest common sequence, in order.
std::vector<std::pair<std::size_t, std::size_t>> common(const Digests& a, const Digests& b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::uint32_t> longest((a.size() + 1) * width, 0);  // of the rests behind i and j
  for (std::size_t i = a.size(); i-- > 0;) {
    for (std::size_t j = b.size(); j-- > 0;) {
      longest[i * width + j] = a[i] == b[j] ? longest[(i + 1) * width + j + 1] + 1
                                            : std::max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    }
  }
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] == b[j]) {
      pairs.emplace_back(i++, j++);
    } else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) {
      ++i;
    } else {
      ++j;
    }
  }
  return pairs;
}

}  // namespace

std::vector<Match> aligned(std::size_t left, std::size_t right, const Digests& left_digests,
                           const Digests& right_digests) {
  std::vector<std::pair<std::size_t, std::size_t>> fixed;
  if (!left_digests.empty() && !right_digests.empty() && left * right <= answer_limits::alignment_cells) {
    // Where several sequences are equally long, the one that is taken must not depend on which side is called left.
    if (std::pair(left, left_digests) <= std::pair(right, right_digests)) {
      fixed = common(left_digests, right_digests);
    } else {
      fixed = common(right_digests, left_digests);
      for (auto& pair : fixed) std::swap(pair.first, pair.second);
    }
  }
  fixed.emplace_back(left, right);
  std::vector<Match> matches;
  std::size_t i = 0, j = 0;
  for (const auto& [at_left, at_right] : fixed) {
    while (i < at_left || j < at_right) {
      Match match;
      if (i < at_left) match.left = i++;
      if (j < at_right) match.right = j++;
      matches.push_back(match);
    }
    if (i < left && j < right) matches.push_back({i++, j++});
  }
  return matches;
}

bool permuted(Digests left, Digests right) {
  std::sort(left.begin(), left.end());
  std::sort(right.begin(), right.end());
  return left == right;
}

}  // namespace rehearse::properties
