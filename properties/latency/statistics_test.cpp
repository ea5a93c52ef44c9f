#include "properties/latency/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace rehearse::properties {
namespace {

using ::testing::ElementsAre;

// Pascal's triangle, for small n: slow and obviously right.
double mass(int n, int k, double p) {
  double ways = 1;
  for (int i = 0; i < k; ++i) ways = ways * (n - i) / (i + 1);
  return ways * std::pow(p, k) * std::pow(1 - p, n - k);
}

TEST(Binomial, TailsAreTheSumsOfTheMasses) {
  for (int n = 0; n <= 24; ++n) {
    for (const double p : {0.0, 0.001, 0.3, 0.5, 0.97, 1.0}) {
      for (int k = -1; k <= n + 1; ++k) {
        double least = 0, most = 0;
        for (int i = 0; i <= n; ++i) (i >= k ? least : most) += mass(n, i, p);
        EXPECT_NEAR(binomial_at_least(n, k, p), least, 1e-12) << n << " " << k << " " << p;
        EXPECT_NEAR(binomial_at_most(n, k - 1, p), most, 1e-12) << n << " " << k << " " << p;
      }
    }
  }
}

TEST(Binomial, SmallTailsOfManyKeepTheirDigits) {
  EXPECT_NEAR(binomial_at_least(96, 96, 0.5) / std::pow(0.5, 96), 1, 1e-9);
  EXPECT_NEAR(binomial_at_most(2995, 0, 0.001), std::pow(0.999, 2995), 1e-12);
  EXPECT_LT(binomial_at_least(1'000'000, 1'200, 0.001), 1e-8);
  EXPECT_NEAR(binomial_at_least(1'000'000, 1'000, 0.001), 0.5, 0.01);
}

TEST(Median, IsTheMiddleOne) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(median({7}), 7);
}

TEST(Quantile, IsTheSmallestThatSoManyDoNotExceed) {
  EXPECT_EQ(quantile({5, 1, 4, 2, 3}, 0.5), 3);
  EXPECT_EQ(quantile({1, 2, 3, 4}, 0.5), 2);
  EXPECT_EQ(quantile({1, 2, 3, 4}, 0), 1);
  EXPECT_EQ(quantile({1, 2, 3, 4}, 1), 4);
  std::vector<std::int64_t> hundred(100);
  for (int i = 0; i < 100; ++i) hundred[static_cast<std::size_t>(i)] = i + 1;
  EXPECT_EQ(quantile(hundred, 0.99), 99);
}

TEST(MedianInterval, NeedsSixForFivePercentAndEightForOne) {
  const std::vector<double> values{1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_FALSE(median_interval({values.begin(), values.begin() + 5}, 0.05));
  ASSERT_TRUE(median_interval({values.begin(), values.begin() + 6}, 0.05));
  EXPECT_EQ(median_interval({values.begin(), values.begin() + 6}, 0.05)->high, 6);
  EXPECT_FALSE(median_interval({values.begin(), values.begin() + 7}, 0.01));
  EXPECT_TRUE(median_interval(values, 0.01));
  EXPECT_EQ(median_interval(values, 0.05)->low, 1);
}

TEST(MedianInterval, HoldsTheMedianAsOftenAsItSays) {
  std::mt19937_64 random(7);
  std::exponential_distribution<double> draw;
  int held = 0;
  constexpr int trials = 4000;
  for (int i = 0; i < trials; ++i) {
    std::vector<double> values(24);
    for (double& value : values) value = draw(random);
    const auto interval = median_interval(values, 0.05);
    held += interval->low <= std::log(2.0) && std::log(2.0) <= interval->high;
  }
  EXPECT_GE(held, trials * 95 / 100);
}

TEST(SignTest, IsTheOtherSideOfTheInterval) {
  std::mt19937_64 random(11);
  std::normal_distribution<double> draw;
  for (int i = 0; i < 500; ++i) {
    std::vector<double> values(12);
    for (double& value : values) value = draw(random);
    const auto interval = median_interval(values, 0.05);
    const SignTest test = sign_test(values, 0.4);
    EXPECT_EQ(test.over <= 0.025, interval->low > 0.4);
    EXPECT_EQ(test.within <= 0.025, interval->high <= 0.4);
  }
}

TEST(LagOneCorrelation, SeesWhatResemblesItsNeighbour) {
  EXPECT_EQ(lag_one_correlation({1, 2}), 0);
  EXPECT_EQ(lag_one_correlation({5, 5, 5, 5}), 0);
  EXPECT_GT(lag_one_correlation({1, 1, 1, 1, 2, 2, 2, 2}), 0.5);
  EXPECT_LT(lag_one_correlation({1, 2, 1, 2, 1, 2, 1, 2}), -0.5);
}

TEST(Holm, RejectsStepByStep) {
  EXPECT_THAT(holm({0.01, 0.04, 0.03}, 0.05), ElementsAre(true, false, false));
  EXPECT_THAT(holm({0.01, 0.04, 0.02}, 0.05), ElementsAre(true, true, true));
  EXPECT_THAT(holm({0.02, 0.001}, 0.01), ElementsAre(false, true));
  EXPECT_THAT(holm({}, 0.05), ElementsAre());
}

TEST(ShareInterval, IsTheExactOne) {
  // R: binom.test(3, 1000)$conf.int
  const Interval some = share_interval(1000, 3, 0.05);
  EXPECT_NEAR(some.low, 0.0006190, 1e-6);
  EXPECT_NEAR(some.high, 0.0087420, 2e-6);
  EXPECT_EQ(share_interval(1000, 0, 0.05).low, 0);
  EXPECT_NEAR(share_interval(1000, 0, 0.05).high, 1 - std::pow(0.025, 1.0 / 1000), 1e-6);
  EXPECT_EQ(share_interval(10, 10, 0.05).high, 1);
}

}  // namespace
}  // namespace rehearse::properties
