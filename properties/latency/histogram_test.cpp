#include "properties/latency/histogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "properties/latency/statistics.h"

namespace rehearse::properties {
namespace {

TEST(Histogram, ChoosesItsDigitsByTheBudget) {
  EXPECT_EQ(Histogram::digits_for_budget(0.10), 3) << "half a percent";
  EXPECT_EQ(Histogram::digits_for_budget(0.25), 2);
  EXPECT_EQ(Histogram::digits_for_budget(2), 1);
  EXPECT_EQ(Histogram::digits_for_budget(0.01), 4);
  EXPECT_EQ(Histogram::digits_for_budget(0.001), 5);
  for (const double budget : {0.01, 0.05, 0.1, 0.3, 1.0})
    EXPECT_LE(Histogram(Histogram::digits_for_budget(budget)).error(), budget / 20);
}

TEST(Histogram, IsWithinItsErrorOfTheExactQuantile) {
  std::mt19937_64 random(3);
  std::lognormal_distribution<double> draw(13, 2);
  for (int digits = 1; digits <= 5; ++digits) {
    Histogram histogram(digits);
    std::vector<std::int64_t> values;
    for (int i = 0; i < 20'000; ++i) {
      values.push_back(static_cast<std::int64_t>(draw(random)));
      histogram.add(values.back());
    }
    for (const double q : {0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
      const auto exact = static_cast<double>(quantile(values, q));
      const auto found = static_cast<double>(histogram.quantile(q));
      EXPECT_GE(found, exact) << digits << " " << q;
      EXPECT_LE(found, exact * (1 + histogram.error())) << digits << " " << q;
    }
  }
}

TEST(Histogram, LosesNothingAtTheTopAndNothingBelow) {
  Histogram histogram(3);
  histogram.add(std::numeric_limits<std::int64_t>::max());
  histogram.add(-5);
  histogram.add(0);
  histogram.add(86'400'000'000'000, 7);
  EXPECT_EQ(histogram.total(), 10U);
  EXPECT_EQ(histogram.quantile(1), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(histogram.quantile(0.2), 0);
  std::uint64_t counted = 0;
  for (const auto count : histogram.counts()) counted += count;
  EXPECT_EQ(counted, histogram.total());
}

TEST(Histogram, EveryValueLiesInItsClass) {
  const auto class_holding = [](const Histogram& histogram) { return histogram.counts().size() - 1; };
  for (int digits = 1; digits <= 5; ++digits) {
    for (int bits = 0; bits < 63; ++bits) {
      for (const std::int64_t by : {-1, 0, 1}) {
        const std::int64_t value = (std::int64_t{1} << bits) + by;
        Histogram histogram(digits);
        histogram.add(value);
        const std::size_t index = class_holding(histogram);
        EXPECT_GE(histogram.upper_end(index), value);
        if (index > 0) {
          EXPECT_LT(histogram.upper_end(index - 1), value);
        }
      }
    }
  }
}

TEST(Histogram, MergedIsAsIfCountedTogether) {
  std::mt19937_64 random(5);
  Histogram all(2), left(2), right(2);
  for (int i = 0; i < 1000; ++i) {
    const auto value = static_cast<std::int64_t>(random() >> (random() % 60 + 1));
    all.add(value);
    (i % 3 == 0 ? left : right).add(value);
  }
  left.add(right);
  EXPECT_EQ(left.counts(), all.counts());
  EXPECT_EQ(left.total(), all.total());
  EXPECT_EQ(left.largest(), all.largest());
}

TEST(Histogram, OfNothingHasNoQuantile) { EXPECT_EQ(Histogram(3).quantile(0.99), 0); }

}  // namespace
}  // namespace rehearse::properties
