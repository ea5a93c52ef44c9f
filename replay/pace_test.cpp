#include "replay/pace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace rehearse::replay {
namespace {

using ::testing::ElementsAre;

constexpr std::int64_t ms = 1'000'000;

Plan due_at(const std::vector<std::int64_t>& times) {
  Plan plan;
  for (const std::int64_t time : times) {
    Step step;
    step.id = static_cast<StepId>(plan.steps.size()) + 1;
    step.due_ns = time;
    step.request = Request{"GET", "/", {}, ""};
    plan.steps.push_back(std::move(step));
  }
  return plan;
}

std::vector<std::int64_t> times_of(const Plan& plan) {
  std::vector<std::int64_t> times;
  for (const Step& step : plan.steps) times.push_back(step.due_ns);
  return times;
}

TEST(Pace, SpeedDividesTheTimesSinceTheFirstRequest) {
  EXPECT_THAT(times_of(paced(due_at({100 * ms, 200 * ms, 150 * ms}), {10})), ElementsAre(0, 10 * ms, 5 * ms));
  EXPECT_THAT(times_of(paced(due_at({0, 200 * ms}), {0.1})), ElementsAre(0, 2000 * ms));
}

TEST(Pace, APauseIsCutAndWhatComesBehindItKeepsItsDistances) {
  EXPECT_THAT(times_of(paced(due_at({0, 10 * ms, 3'600'000 * ms, 3'600'005 * ms}), {1, 0, 100 * ms})),
              ElementsAre(0, 10 * ms, 110 * ms, 115 * ms));
  EXPECT_THAT(times_of(paced(due_at({0, 1000 * ms}), {2, 0, 100 * ms})), ElementsAre(0, 50 * ms)) << "cut, then faster";
}

TEST(Pace, ARateDelaysAndLeavesNothingOut) {
  EXPECT_THAT(times_of(paced(due_at({0, 0, 0, 500 * ms}), {1, 100})), ElementsAre(0, 10 * ms, 20 * ms, 500 * ms));
}

RC_GTEST_PROP(Pace, NoStepOvertakesAnotherAndNoTwoAreCloserThanTheRateAllows, ()) {
  const auto times = *rc::gen::container<std::vector<std::int64_t>>(rc::gen::inRange<std::int64_t>(0, 1000 * ms));
  const double rate = *rc::gen::element(0.0, 7.0, 1000.0);
  const Plan plan = paced(due_at(times), {*rc::gen::element(0.1, 1.0, 100.0), rate, *rc::gen::element(0L, 5L * ms)});
  auto after = times_of(plan);
  for (std::size_t i = 0; i < times.size(); ++i) {
    for (std::size_t j = 0; j < times.size(); ++j) {
      if (times[i] < times[j]) RC_ASSERT(after[i] <= after[j]);
    }
  }
  std::sort(after.begin(), after.end());
  for (std::size_t i = 1; rate > 0 && i < after.size(); ++i)
    RC_ASSERT(static_cast<double>(after[i] - after[i - 1]) >= 1e9 / rate - 2);
}

TEST(Renewed, AKeyBecomesAnotherOneAndARetryKeepsIt) {
  Plan plan = due_at({0, 1, 2});
  const std::string uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
  for (Step& step : plan.steps) step.request->headers = {{"idempotency-key", uuid}, {"X-Other", uuid}};
  plan.steps[2].request->headers[0].value = "Order-7";
  const Plan second = renewed(plan, 2), third = renewed(plan, 3);
  const auto key = [](const Plan& of, std::size_t i) { return of.steps[i].request->headers[0].value; };
  EXPECT_NE(key(second, 0), uuid);
  EXPECT_NE(key(second, 0), key(third, 0));
  EXPECT_EQ(key(second, 0), key(second, 1)) << "a retry";
  EXPECT_EQ(key(second, 0), key(renewed(plan, 2), 0)) << "the same in each play";
  EXPECT_THAT(key(second, 0), ::testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"));
  EXPECT_EQ(key(second, 0)[14], '4') << "the version";
  EXPECT_EQ(key(second, 2), "Order-7-2");
  EXPECT_EQ(second.steps[0].request->headers[1].value, uuid);
}

}  // namespace
}  // namespace rehearse::replay
