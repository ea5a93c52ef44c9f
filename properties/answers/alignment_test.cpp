#include "properties/answers/alignment.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <utility>

#include "properties/answers/limits.h"

namespace rehearse::properties {
namespace {

using Digests = std::vector<std::uint64_t>;

// The slow, obviously right way: each end is left out, or both are taken.
std::size_t longest_common(const Digests& a, std::size_t i, const Digests& b, std::size_t j) {
  if (i == a.size() || j == b.size()) return 0;
  const auto without = std::max(longest_common(a, i + 1, b, j), longest_common(a, i, b, j + 1));
  return a[i] == b[j] ? std::max(without, 1 + longest_common(a, i + 1, b, j + 1)) : without;
}

std::vector<Match> matches_of(const Digests& a, const Digests& b) { return aligned(a.size(), b.size(), a, b); }

std::size_t equal_ones(const Digests& a, const Digests& b) {
  const auto matches = matches_of(a, b);
  return static_cast<std::size_t>(std::count_if(matches.begin(), matches.end(), [&](const Match& match) {
    return match.left != Match::none && match.right != Match::none && a[match.left] == b[match.right];
  }));
}

// Each position once, in its order on both sides, and nothing for nobody.
bool whole(const Digests& a, const Digests& b) {
  std::size_t left = 0, right = 0;
  for (const Match& match : matches_of(a, b)) {
    if (match.left == Match::none && match.right == Match::none) return false;
    if (match.left != Match::none && match.left != left++) return false;
    if (match.right != Match::none && match.right != right++) return false;
  }
  return left == a.size() && right == b.size();
}

bool symmetric(const Digests& a, const Digests& b) {
  const auto there = matches_of(a, b), back = matches_of(b, a);
  return there.size() == back.size() &&
         std::equal(there.begin(), there.end(), back.begin(),
                    [](const Match& x, const Match& y) { return x.left == y.right && x.right == y.left; });
}

void check(const Digests& a, const Digests& b) {
  ASSERT_TRUE(whole(a, b));
  ASSERT_TRUE(symmetric(a, b));
  ASSERT_EQ(equal_ones(a, b), longest_common(a, 0, b, 0));
}

// All lists of up to four elements of three kinds.
TEST(Aligned, AllSmallListsAreAsLongACommonSequenceAsThereIs) {
  std::vector<Digests> all{{}};
  for (std::size_t i = 0; i < all.size() && all[i].size() < 4; ++i) {
    for (std::uint64_t kind = 0; kind < 3; ++kind) {
      auto longer = all[i];
      longer.push_back(kind);
      all.push_back(std::move(longer));
    }
  }
  ASSERT_EQ(all.size(), 121u);
  for (const auto& a : all) {
    for (const auto& b : all) check(a, b);
  }
}

RC_GTEST_PROP(Aligned, LargerListsAre, ()) {
  const auto list = rc::gen::resize(9, rc::gen::container<Digests>(rc::gen::inRange<std::uint64_t>(0, 4)));
  check(*list, *list);
}

TEST(Aligned, BeyondTheLimitElementsStandForThoseInTheirPlace) {
  const Digests a(answer_limits::alignment_cells, 1), b(2, 1);
  const auto matches = matches_of(a, b);
  ASSERT_EQ(matches.size(), a.size());
  EXPECT_EQ(matches[1].right, 1u);
  EXPECT_EQ(matches[2].right, Match::none);
}

RC_GTEST_PROP(Permuted, IsTrueForTheSameElementsHoweverOften, (const Digests& a)) {
  auto turned = a;
  std::reverse(turned.begin(), turned.end());
  RC_ASSERT(permuted(a, turned));
  turned.push_back(7);
  RC_ASSERT(!permuted(a, turned));
}

}  // namespace
}  // namespace rehearse::properties
