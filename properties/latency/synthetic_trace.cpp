#include "properties/latency/synthetic_trace.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace rehearse::properties {

LatencyRun synthetic_run(const TraceSettings& settings) {
  std::mt19937_64 random(settings.seed);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  std::exponential_distribution<double> waiting;
  LatencyRun run;
  const auto block_ns = static_cast<std::int64_t>(settings.block_seconds * 1e9);
  const auto pairs = static_cast<std::int64_t>(settings.pairs_a_second * settings.block_seconds);
  double mood = normal(random) * settings.mood, drift = normal(random) * settings.drift;
  const auto next = [&](double value, double deviation, double correlation) {
    return value * correlation + normal(random) * deviation * std::sqrt(1 - correlation * correlation);
  };
  for (std::int64_t i = 0; i < settings.blocks; ++i) {
    PairBlock& block = run.blocks.emplace_back();
    block.at_ns = i * block_ns;
    block.length_ns = block_ns;
    RoutePairs& route = block.routes.emplace_back();
    route.route = "GET /orders/{}";
    route.pairs = pairs;
    mood = next(mood, settings.mood, settings.mood_correlation);
    drift = next(drift, settings.drift, settings.drift_correlation);
    const double put_off = std::min(0.5, settings.put_off * std::exp(mood));
    const auto take = [&](double cost_ms, double factor) {
      double ms = cost_ms * std::exp(mood + 0.15 * normal(random));
      if (uniform(random) < put_off) ms += settings.put_off_ms * waiting(random);
      // The truth is the factor at every quantile.
      return static_cast<std::int64_t>(ms * factor * 1e6);
    };
    for (std::int64_t pair = 0; pair < pairs; ++pair) {
      const double cost_ms = uniform(random) < 0.3 ? 3.6 : 1.2;
      route.legacy_ns.push_back(take(cost_ms, 1));
      route.new_ns.push_back(take(cost_ms, settings.factor * std::exp(drift)));
    }
    route.legacy_response_ns = route.legacy_ns;
    route.new_response_ns = route.new_ns;
    run.planned_pairs += pairs;
  }
  run.send_error_p50_ns = 45'000;
  run.send_error_p99_ns = 200'000;
  run.null_probe_ns.assign(1000, 120'000);
  return run;
}

}  // namespace rehearse::properties
