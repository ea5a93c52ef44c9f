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

TEST(Renew, AKeyBecomesAnotherOneAndARetryKeepsIt) {
  const std::string uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
  const auto renewed = [](const std::string& key, int round) {
    Request request{"POST", "/orders", {{"idempotency-key", key}, {"X-Other", key}}, ""};
    renew(request, round);
    EXPECT_EQ(request.headers[1].value, key);
    return request.headers[0].value;
  };
  const std::string second = renewed(uuid, 2);
  EXPECT_NE(second, uuid);
  EXPECT_NE(second, renewed(uuid, 3));
  EXPECT_EQ(second, renewed(uuid, 2)) << "the same for a retry, and in each play";
  EXPECT_THAT(second, ::testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"));
  EXPECT_EQ(second[14], '4') << "the version";
  EXPECT_EQ(renewed("Order-7", 2), "Order-7-2");
}

}  // namespace
}  // namespace rehearse::replay
