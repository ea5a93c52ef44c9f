#include "properties/latency/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "replay/error.h"

namespace rehearse::properties {
namespace {

double log_mass(std::int64_t n, std::int64_t k, double p) {
  if (p <= 0) return k == 0 ? 0 : -INFINITY;
  if (p >= 1) return k == n ? 0 : -INFINITY;
  const auto N = static_cast<double>(n), K = static_cast<double>(k);
  return std::lgamma(N + 1) - std::lgamma(K + 1) - std::lgamma(N - K + 1) + K * std::log(p) + (N - K) * std::log1p(-p);
}

// The masses from k on in steps of `way`, which fall from the mode on: what is far beyond it adds nothing any more.
double tail(std::int64_t n, std::int64_t k, double p, int way) {
  double sum = 0;
  for (std::int64_t i = k; i >= 0 && i <= n; i += way) {
    const double mass = std::exp(log_mass(n, i, p));
    sum += mass;
    const bool falling = way > 0 ? static_cast<double>(i) > static_cast<double>(n) * p
                                 : static_cast<double>(i) < static_cast<double>(n) * p;
    if (falling && mass < sum * 1e-17) break;
  }
  return std::min(sum, 1.0);
}

}  // namespace

// The shorter tail is added up: a small probability must not be what is left of one that was rounded.
double binomial_at_least(std::int64_t n, std::int64_t k, double p) {
  ENSURE(n >= 0 && p >= 0 && p <= 1);
  if (k <= 0) return 1;
  if (k > n) return 0;
  if (static_cast<double>(k) >= static_cast<double>(n) * p) return tail(n, k, p, 1);
  return std::max(0.0, 1 - tail(n, k - 1, p, -1));
}

double binomial_at_most(std::int64_t n, std::int64_t k, double p) {
  ENSURE(n >= 0 && p >= 0 && p <= 1);
  if (k < 0) return 0;
  if (k >= n) return 1;
  if (static_cast<double>(k) <= static_cast<double>(n) * p) return tail(n, k, p, -1);
  return std::max(0.0, 1 - tail(n, k + 1, p, 1));
}

double median(std::vector<double> values) {
  ENSURE(!values.empty());
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

std::int64_t quantile(std::vector<std::int64_t> values, double q) {
  ENSURE(!values.empty() && q >= 0 && q <= 1);
  const auto rank = static_cast<std::int64_t>(std::ceil(q * static_cast<double>(values.size()) - 1e-9));
  const auto at = values.begin() + std::clamp<std::int64_t>(rank, 1, static_cast<std::int64_t>(values.size())) - 1;
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

std::optional<Interval> median_interval(std::vector<double> values, double alpha) {
  const auto size = static_cast<std::int64_t>(values.size());
  std::int64_t k = 0;
  while (k < size && 2 * binomial_at_most(size, k, 0.5) <= alpha) ++k;
  if (k == 0) return std::nullopt;
  std::sort(values.begin(), values.end());
  return Interval{values[static_cast<std::size_t>(k - 1)], values[static_cast<std::size_t>(size - k)]};
}

SignTest sign_test(const std::vector<double>& values, double bound) {
  const auto size = static_cast<std::int64_t>(values.size());
  const auto over = std::count_if(values.begin(), values.end(), [&](double value) { return value > bound; });
  return {binomial_at_least(size, over, 0.5), binomial_at_least(size, size - over, 0.5)};
}

double lag_one_correlation(const std::vector<double>& values) {
  if (values.size() < 3) return 0;
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  double together = 0, all = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    all += (values[i] - mean) * (values[i] - mean);
    if (i > 0) together += (values[i] - mean) * (values[i - 1] - mean);
  }
  return all > 0 ? together / all : 0;
}

std::vector<bool> holm(const std::vector<double>& p_values, double alpha) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<bool> rejected(p_values.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (p_values[order[i]] > alpha / static_cast<double>(order.size() - i)) break;
    rejected[order[i]] = true;
  }
  return rejected;
}

Interval share_interval(std::int64_t n, std::int64_t k, double alpha) {
  if (n == 0) return {0, 1};
  // The share at which a tail comes to alpha / 2; the tail grows (or falls) with the share.
  const auto where = [&](const auto& too_small) {
    double low = 0, high = 1;
    for (int i = 0; i < 60 && high - low > high * 1e-6; ++i) {
      const double middle = (low + high) / 2;
      (too_small(middle) ? low : high) = middle;
    }
    return (low + high) / 2;
  };
  Interval interval{0, 1};
  if (k > 0) interval.low = where([&](double p) { return binomial_at_least(n, k, p) < alpha / 2; });
  if (k < n) interval.high = where([&](double p) { return binomial_at_most(n, k, p) > alpha / 2; });
  return interval;
}

}  // namespace rehearse::properties
