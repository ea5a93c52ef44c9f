#include "properties/latency/budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "replay/error.h"

namespace rehearse::properties {
namespace {

using ::testing::HasSubstr;

Budget of(const std::string& metric, const std::string& limit) {
  return budget_of(Stage::shadow, "all", metric, limit);
}

std::string refusal(const std::string& metric, const std::string& limit) {
  try {
    static_cast<void>(of(metric, limit));
  } catch (const Error& error) {
    return error.what();
  }
  return "taken";
}

TEST(Budgets, SayWhatTheyMean) {
  EXPECT_EQ(of("overhead_p50", "10%").limit, 0.1);
  EXPECT_EQ(of("overhead_p50", "10%").quantile, 0.5);
  EXPECT_EQ(name_of(of("overhead_p99.9", "25 %")), "overhead_p99.9");
  EXPECT_EQ(of("p99", "20ms").limit, 20);
  EXPECT_EQ(of("p99", "1.5s").limit, 1500);
  EXPECT_EQ(of("p50", "500us").limit, 0.5);
  EXPECT_EQ(name_of(of("p50", "500us")), "p50");
  EXPECT_DOUBLE_EQ(of("error_rate", "0.1%").limit, 0.001);
  EXPECT_EQ(of("throughput", "200/s").limit, 200);
  EXPECT_EQ(unit_of(of("throughput", "200/s").metric), "requests/s");
}

TEST(Budgets, WithoutAUnitAreRefused) {
  EXPECT_THAT(refusal("overhead_p50", "inf%"), HasSubstr("\"inf%\" is no limit"));
  EXPECT_THAT(refusal("throughput", "inf/s"), HasSubstr("is no limit"));
  EXPECT_THAT(refusal("overhead_p50", "10"), HasSubstr("\"10\" has no unit; give such as 10%"));
  EXPECT_THAT(refusal("p99", "20"), HasSubstr("has no unit; give such as 500us, 20ms or 2s"));
  EXPECT_THAT(refusal("error_rate", "0.001"), HasSubstr("has no unit"));
  EXPECT_THAT(refusal("throughput", "200"), HasSubstr("has no unit; give such as 200/s"));
  EXPECT_THAT(refusal("p99", "20%"), HasSubstr("\"%\" is no unit of it"));
  EXPECT_THAT(refusal("overhead_p99", "20ms"), HasSubstr("\"ms\" is no unit of it"));
}

TEST(Budgets, ThatCanNeverBeShownAreRefused) {
  EXPECT_THAT(refusal("error_rate", "0%"), HasSubstr("can never be shown"));
  EXPECT_THAT(refusal("error_rate", "100%"), HasSubstr("are all of them"));
  EXPECT_THAT(refusal("overhead_p50", "0%"), HasSubstr("can never be shown"));
  EXPECT_THAT(refusal("p99", "0ms"), HasSubstr("nothing takes 0ms"));
  EXPECT_THAT(refusal("p99", "-5ms"), HasSubstr("is no limit"));
  EXPECT_THAT(refusal("p99", "nan ms"), HasSubstr("is no limit"));
  EXPECT_THAT(refusal("throughput", "0/s"), HasSubstr("no demand"));
}

TEST(Budgets, OfNothingKnownAreRefused) {
  for (const char* metric : {"p", "p0", "p100", "p99x", "overhead_", "overhead", "median", "P50", "p-5", "throughputs"})
    EXPECT_THAT(refusal(metric, "10%"), HasSubstr("is nothing that can be budgeted")) << metric;
}

TEST(Budgets, CoverTheirRoutes) {
  const auto covered = [](const std::string& pattern, const char* route) {
    return covers(budget_of(Stage::off, pattern, "p50", "1ms"), route);
  };
  EXPECT_TRUE(covered("all", "GET /orders/{}"));
  EXPECT_TRUE(covered("each", "GET /orders/{}"));
  EXPECT_TRUE(covered("GET /orders/{}", "GET /orders/{}"));
  EXPECT_FALSE(covered("GET /orders/{}", "GET /orders/{}/items"));
  EXPECT_TRUE(covered("GET /orders*", "GET /orders/{}/items"));
  EXPECT_TRUE(covered("* /orders", "PUT /orders"));
  EXPECT_FALSE(covered("GET *", "PUT /orders"));
}

}  // namespace
}  // namespace rehearse::properties
