#include "harness/databases/settling.h"

#include <gmock/gmock.h>

namespace rehearse::harness {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

SettlingLook different(std::uint64_t image = 1, std::optional<SettlingTime> age = std::nullopt) {
  return {false, age, image};
}
constexpr SettlingLook equal{true, std::nullopt, 9};

class SettlingRows : public testing::Test {
 protected:
  void look(const SettlingLook& what, SettlingTime at) { rows_.look("k", what, at); }
  SettlingState state() const {
    for (const auto state :
         {SettlingState::in_flight, SettlingState::settled, SettlingState::diverged, SettlingState::hot}) {
      if (rows_.count(state) == 1) return state;
    }
    return {};
  }
  Settling rows_{SettlingOptions{}};
};

TEST_F(SettlingRows, ThatComeToAgreeHaveSettledAndTheTimeIsKnown) {
  rows_.add("k", different(), 100ms);
  EXPECT_EQ(state(), SettlingState::in_flight);
  look(equal, 350ms);
  EXPECT_EQ(state(), SettlingState::settled);
  EXPECT_THAT(rows_.times().sorted, ElementsAre(250ms));
  EXPECT_EQ(rows_.next(), std::nullopt);
}

TEST_F(SettlingRows, ThatNobodyWroteForLongHaveDivergedAtOnce) {
  rows_.add("k", different(1, 5001ms), 0ms);
  EXPECT_EQ(state(), SettlingState::diverged) << "without a second look";
}

TEST_F(SettlingRows, ThatWereJustWrittenAreLookedAtAgain) {
  rows_.add("k", different(1, 10ms), 0ms);
  look(different(1, 4900ms), 4890ms);
  EXPECT_EQ(state(), SettlingState::in_flight);
  look(different(1, 5020ms), 5010ms);
  EXPECT_EQ(state(), SettlingState::diverged);
}

TEST_F(SettlingRows, OfServersThatKeepNoTimesAreWrittenWhenTheyChange) {
  rows_.add("k", different(1), 0ms);
  look(different(2), 4000ms);
  look(different(2), 6000ms);
  EXPECT_EQ(state(), SettlingState::in_flight) << "changed two seconds ago";
  look(different(2), 9001ms);
  EXPECT_EQ(state(), SettlingState::diverged);
}

TEST_F(SettlingRows, ThatNeverRestAreHotAndNeverEqual) {
  rows_.add("k", different(0, 1ms), 0ms);
  for (int i = 1; i <= 30; ++i) look(different(static_cast<std::uint64_t>(i), 1ms), i * 1000ms);
  EXPECT_EQ(state(), SettlingState::in_flight);
  look(different(99, 1ms), 30'001ms);
  EXPECT_EQ(state(), SettlingState::hot);
  EXPECT_THAT(rows_.times().sorted, IsEmpty());
}

TEST_F(SettlingRows, AreLookedAtSoonAndThenLessOften) {
  rows_.add("k", different(), 0ms);
  SettlingTime now = 0ms;
  std::vector<SettlingTime> waits;
  for (int i = 0; i < 9; ++i) {
    waits.push_back(*rows_.next() - now);
    EXPECT_THAT(rows_.due(*rows_.next() - 1ms, 10), IsEmpty());
    now = *rows_.next();
    EXPECT_THAT(rows_.due(now, 10), ElementsAre("k"));
    look(different(static_cast<std::uint64_t>(i + 2)), now);
  }
  EXPECT_THAT(waits, ElementsAre(50ms, 100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 5000ms, 5000ms));
}

TEST(SettlingQueue, IsBoundedAndServesTheLongestWaiting) {
  SettlingOptions options;
  options.max_rows = 3;
  Settling rows(options);
  EXPECT_TRUE(rows.add("a", different(), 30ms));
  EXPECT_TRUE(rows.add("b", different(), 10ms));
  EXPECT_TRUE(rows.add("c", different(), 20ms));
  EXPECT_TRUE(rows.add("a", different(), 40ms)) << "is in it";
  EXPECT_FALSE(rows.add("d", different(), 40ms)) << "and nothing is said of it";
  EXPECT_THAT(rows.due(100ms, 2), ElementsAre("b", "c"));
}

TEST(SettlingDistribution, SaysWithinWhichTimeAShareSettled) {
  SettlingTimes times;
  EXPECT_EQ(times.within(0.5), std::nullopt);
  for (int i = 1; i <= 100; ++i) times.sorted.push_back(i * 1ms);
  EXPECT_EQ(times.within(0.5), 50ms);
  EXPECT_EQ(times.within(0.99), 99ms);
  EXPECT_EQ(times.within(1), 100ms);
}

}  // namespace
}  // namespace rehearse::harness
