// What the judge of latencies needs of statistics: order statistics and binomial tails. Nothing here is drawn at random, and nothing
// assumes a distribution: medians of blocks are held against a bound by their signs alone.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace rehearse::properties {

// P(X ≥ k) and P(X ≤ k) of X ~ Binomial(n, p). REQUIRES: n ≥ 0, 0 ≤ p ≤ 1.
[[nodiscard]] double binomial_at_least(std::int64_t n, std::int64_t k, double p);
[[nodiscard]] double binomial_at_most(std::int64_t n, std::int64_t k, double p);

// The middle one, or the mean of both in the middle. REQUIRES: not empty.
[[nodiscard]] double median(std::vector<double> values);

// The nearest-rank quantile: the smallest value that at least q of all do not exceed. REQUIRES: not empty, 0 ≤ q ≤ 1.
[[nodiscard]] std::int64_t quantile(std::vector<std::int64_t> values, double q);

struct Interval {
  double low = 0, high = 0;
};
// An interval that holds the median of what the values were drawn from, but for at most `alpha`: [y(k), y(B+1−k)] with the largest k
// for which 2·P(Bin(B, ½) ≤ k − 1) ≤ alpha. Nothing when there are too few: 6 for 5 %, 8 for 1 %.
[[nodiscard]] std::optional<Interval> median_interval(std::vector<double> values, double alpha);

// One-sided sign tests against a bound. `over` is small when the median is surely above it, `within` when it is surely not.
struct SignTest {
  double over = 1;    // P(Bin(B, ½) ≥ how many are above)
  double within = 1;  // P(Bin(B, ½) ≥ how many are not)
};
[[nodiscard]] SignTest sign_test(const std::vector<double>& values, double bound);

// The correlation of each value with the next one; 0 of fewer than three, or when all are equal.
[[nodiscard]] double lag_one_correlation(const std::vector<double>& values);

// Holm's step-down procedure: which hypotheses are rejected when all of them together may be rejected wrongly with at most `alpha`.
[[nodiscard]] std::vector<bool> holm(const std::vector<double>& p_values, double alpha);

// The exact interval of a share of which k in n were seen (Clopper and Pearson), to one part in a million of the share.
[[nodiscard]] Interval share_interval(std::int64_t n, std::int64_t k, double alpha);

}  // namespace rehearse::properties
