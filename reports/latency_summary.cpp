#include "reports/latency_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "properties/checks/latency.h"
#include "properties/latency/hdr_log.h"
#include "properties/latency/statistics.h"

namespace rehearse::reports {
namespace {

using properties::Evidence;
using properties::Histogram;
using properties::LatencyRun;

constexpr std::array spectrum_quantiles{0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 1.0};

double ms(std::int64_t ns) { return static_cast<double>(ns) / 1e6; }

// What the narrowest budget needs; 1 % where no overhead is budgeted.
int digits_of(const Evidence& evidence) {
  double narrowest = 0.2;
  for (const auto& budget : evidence.contract.budgets) {
    if (budget.metric == properties::Budget::Metric::overhead) narrowest = std::min(narrowest, budget.limit);
  }
  return Histogram::digits_for_budget(narrowest);
}

struct Sides {
  explicit Sides(int digits) : legacy(digits), new_(digits) {}
  Histogram legacy, new_;
  std::uint64_t pairs = 0, errors = 0;
  std::int64_t requests = 0, left_out = 0;
  std::string why;

  void add(const Sides& other) {
    legacy.add(other.legacy);
    new_.add(other.new_);
    pairs += other.pairs;
    errors += other.errors;
    add(other.requests, other.left_out, other.why);
  }
  void add(std::int64_t of, std::int64_t left, const std::string& because) {
    requests += of;
    left_out += left;
    if (!because.empty()) why += (why.empty() ? "" : "; ") + because;
  }
  [[nodiscard]] std::string not_measured() const {
    if (left_out == 0) return "";
    return fmt::format(
        "{} of its {} requests are not measured, for legacy answers them otherwise than when it was alone: {}",
        left_out, requests, why);
  }

  void add(const properties::RoutePairs& route) {
    for (const std::int64_t ns : route.legacy_ns) legacy.add(ns);
    for (const std::int64_t ns : route.new_ns) new_.add(ns);
    pairs += static_cast<std::uint64_t>(route.pairs);
    errors += static_cast<std::uint64_t>(route.legacy_failed + route.new_failed - route.both_failed);
  }
};

RouteLatency latency_of(const std::string& section, const std::string& route, const Sides& sides) {
  RouteLatency latency{section, route, sides.pairs, sides.errors, {}, sides.not_measured()};
  for (const double q : spectrum_quantiles) {
    // A quantile that fewer than one request lies beyond is the largest value by another name.
    const bool told = q == 1.0 || (1 - q) * static_cast<double>(sides.new_.total()) >= 1;
    if (told && sides.new_.total() > 0)
      latency.spectrum.push_back({q, ms(sides.legacy.quantile(q)), ms(sides.new_.quantile(q))});
  }
  return latency;
}

// Of which no spectrum tells anything.
bool too_small(const Sides& sides) { return sides.pairs < static_cast<std::uint64_t>(properties::fewest_pairs); }

void add_routes(const properties::Section& section, int digits, Report& report) {
  std::map<std::string, Sides> routes;
  Sides all(digits);
  for (const auto& block : section.latency->first.blocks) {
    for (const auto& route : block.routes) {
      routes.try_emplace(route.route, digits).first->second.add(route);
      if (!route.extra) all.add(route);
    }
  }
  for (const auto& left : section.latency->left_out) {
    // Of a route that is measured twice, within its share of the traffic and beyond it, the requests are the same.
    auto& sides = routes.try_emplace(left.route, digits).first->second;
    if (sides.requests == 0) sides.add(left.requests, left.left_out, left.why);
    if (!left.extra)
      all.add(left.requests, left.left_out, left.why.empty() ? "" : fmt::format("{}: {}", left.route, left.why));
  }
  if (routes.size() > 1 && all.pairs > 0) report.latencies.push_back(latency_of(section.name, "all", all));
  Sides other(digits);
  std::size_t small = 0;
  for (const auto& [route, sides] : routes) small += too_small(sides);
  for (const auto& [route, sides] : routes) {
    if (small > 1 && too_small(sides))
      other.add(sides);
    else
      report.latencies.push_back(latency_of(section.name, route, sides));
  }
  if (small > 1) report.latencies.push_back(latency_of(section.name, fmt::format("other ({} routes)", small), other));
}

// Of all stages what was worst, for each of them may be what a verdict hangs on.
void add_environment(const LatencyRun& run, std::vector<std::int64_t>& null_probe, Report& report) {
  if (run.blocks.empty() && run.saturation.empty()) return;
  const bool first = !report.environment;
  if (first) report.environment.emplace();
  Environment& seen = *report.environment;
  seen.machine = run.machine;
  seen.scheduling = run.scheduling;
  seen.load = std::max(seen.load, run.load);
  seen.steal_percent = std::max(seen.steal_percent, run.steal_percent);
  seen.send_error_p50_ms = std::max(seen.send_error_p50_ms, ms(run.send_error_p50_ns));
  seen.send_error_p99_ms = std::max(seen.send_error_p99_ms, ms(run.send_error_p99_ns));
  if (first || run.achieved_rate * seen.planned_rate < seen.achieved_rate * run.planned_rate) {
    seen.planned_rate = run.planned_rate;
    seen.achieved_rate = run.achieved_rate;
  }
  null_probe.insert(null_probe.end(), run.null_probe_ns.begin(), run.null_probe_ns.end());
}

}  // namespace

void add_latencies(const Evidence& evidence, Report& report) {
  const int digits = digits_of(evidence);
  std::vector<std::int64_t> null_probe;
  for (const properties::Section& section : evidence.sections) {
    if (!section.latency) continue;
    add_routes(section, digits, report);
    add_environment(section.latency->first, null_probe, report);
    if (section.latency->again) add_environment(*section.latency->again, null_probe, report);
  }
  if (report.environment && !null_probe.empty()) {
    report.environment->null_probe_p50_ms = ms(properties::quantile(null_probe, 0.5));
    report.environment->null_probe_p99_ms = ms(properties::quantile(null_probe, 0.99));
  }
  for (const properties::BudgetVerdict& judged : properties::judged_budgets(evidence)) {
    BudgetResult& result = report.budgets.emplace_back();
    result.section = name_of(judged.budget.stage);
    result.route = judged.budget.route;
    result.metric = name_of(judged.budget);
    result.limit = judged.budget.text;
    result.limit_value = judged.budget.limit;
    result.unit = unit_of(judged.budget.metric);
    result.verdict = judged.verdict;
    result.reason = judged.reason;
    result.estimate = judged.estimate;
    result.low = judged.low;
    result.high = judged.high;
    result.resolvable = judged.resolvable;
    result.looks = judged.looks;
    result.confirmed = judged.confirmed;
    for (const auto& block : judged.blocks) result.blocks.push_back({block.at_seconds, block.log_ratio});
  }
}

std::string hdr_log_of(const Evidence& evidence) {
  const int digits = digits_of(evidence);
  std::vector<properties::LoggedInterval> intervals;
  std::int64_t began_ns = 0;
  for (const properties::Section& section : evidence.sections) {
    if (!section.latency || section.latency->first.blocks.empty()) continue;
    const LatencyRun& run = section.latency->first;
    if (began_ns == 0) began_ns = run.began_ns;
    for (const auto& block : run.blocks) {
      for (const auto& route : block.routes) {
        for (const auto& [side, times] : {std::pair("legacy", &route.legacy_ns), std::pair("new", &route.new_ns)}) {
          if (times->empty()) continue;
          auto& interval = intervals.emplace_back();
          interval.tag = fmt::format("{} {} {}", section.name, route.route, side);
          interval.at_seconds = static_cast<double>(run.began_ns - began_ns + block.at_ns) / 1e9;
          interval.seconds = static_cast<double>(block.length_ns) / 1e9;
          interval.values = Histogram(digits);
          for (const std::int64_t ns : *times) interval.values.add(ns);
        }
      }
    }
  }
  return intervals.empty() ? "" : properties::hdr_log(began_ns, intervals);
}

}  // namespace rehearse::reports
