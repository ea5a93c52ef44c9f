#include "harness/databases/difference_table.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <random>

namespace rehearse::harness {
namespace {

using testing::IsEmpty;

// The slow twin: both multisets whole, in memory.
using Counted = std::map<RowElement, std::int64_t>;

RowElement element(std::uint64_t number) {
  std::mt19937_64 words(number);
  RowElement made;
  for (auto& word : made.key) word = words() >> 8;
  for (auto& word : made.hash) word = words() >> 3;
  return made;
}

Counted counted(const DifferenceTable::Difference& difference) {
  Counted found;
  for (const auto& one : difference.found) found[one.element] += one.times;
  return found;
}

Counted without_zeros(Counted counts) {
  std::erase_if(counts, [](const auto& entry) { return entry.second == 0; });
  return counts;
}

RC_GTEST_PROP(DifferenceTableOfRows, FindsExactlyWhatItsSlowTwinFinds, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  DifferenceTable left(300, seed), right(300, seed);
  Counted twin;
  // Few numbers, so that many rows stand on both sides, and several times.
  for (const auto number : *rc::gen::container<std::vector<std::uint64_t>>(rc::gen::inRange<std::uint64_t>(0, 60))) {
    left.add(element(number), 1);
    ++twin[element(number)];
  }
  for (const auto number : *rc::gen::container<std::vector<std::uint64_t>>(rc::gen::inRange<std::uint64_t>(0, 60))) {
    right.add(element(number), -1);
    --twin[element(number)];
  }
  left.add(right);
  const auto difference = left.decode();
  RC_ASSERT(difference.complete);
  RC_ASSERT(counted(difference) == without_zeros(twin));
  RC_ASSERT(left.empty() == without_zeros(twin).empty());
  RC_ASSERT(difference.at_least == static_cast<std::int64_t>(difference.found.size()));
}

TEST(DifferenceTableOfRows, FindsTwoHundredAmongManyThousands) {
  DifferenceTable table(2'000, 7);
  Counted twin;
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    table.add(element(i), 1);
    const bool differs = i % 1'000 == 3;
    table.add(differs ? element(i + 2'000'000) : element(i), -1);
    if (differs) twin[element(i)] = 1, twin[element(i + 2'000'000)] = -1;
  }
  EXPECT_EQ(twin.size(), 200u);
  const auto difference = table.decode();
  EXPECT_TRUE(difference.complete);
  EXPECT_TRUE(counted(difference) == twin);
}

TEST(DifferenceTableOfRows, SaysThatThereIsMoreThanItHasRoomFor) {
  Counted twin;
  DifferenceTable table(100, 7);
  for (std::uint64_t i = 0; i < 5'000; ++i) table.add(element(i), 1);
  const auto difference = table.decode();
  EXPECT_FALSE(difference.complete);
  EXPECT_FALSE(table.empty());
  EXPECT_GT(difference.at_least, 50);
  EXPECT_LE(difference.at_least, 5'000) << "never more than there are";
}

RC_GTEST_PROP(DifferenceTableOfRows, NeverSaysMoreThanThereIsNorInventsWhatIsNotThere, ()) {
  const auto count = *rc::gen::inRange<std::uint64_t>(0, 6'000);
  DifferenceTable table(100, *rc::gen::arbitrary<std::uint64_t>());
  Counted twin;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::int64_t times = i % 3 == 0 ? 2 : i % 3 == 1 ? 1 : -3;
    table.add(element(i), times);
    twin[element(i)] = times;
  }
  const auto difference = table.decode();
  RC_ASSERT(difference.at_least <= static_cast<std::int64_t>(count));
  for (const auto& found : difference.found)
    RC_ASSERT(twin.contains(found.element) && twin[found.element] == found.times);
  RC_ASSERT(!difference.complete || difference.found.size() == count);
}

TEST(DifferenceTableOfRows, TwiceTheSameRowIsNotNothing) {
  DifferenceTable table(10, 7);
  table.add(element(1), 1);
  table.add(element(1), 1);
  EXPECT_FALSE(table.empty());
  const auto difference = table.decode();
  ASSERT_EQ(difference.found.size(), 1u);
  EXPECT_EQ(difference.found[0].times, 2);
  table.add(element(1), -2);
  EXPECT_TRUE(table.empty());
  EXPECT_THAT(table.decode().found, IsEmpty());
}

}  // namespace
}  // namespace rehearse::harness
