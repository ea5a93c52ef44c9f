#include "properties/latency/budget_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "properties/latency/looks.h"

namespace rehearse::properties {
namespace {

using Metric = Budget::Metric;

constexpr double most_left_out = 0.05;  // of the requests of the traffic
constexpr std::size_t routes_named = 3;
constexpr std::size_t pooled_named = 10;

// How many pairs decide something about a budget, where nothing disturbs.
double pairs_that_decide(const Budget& budget, std::int64_t planned) {
  const auto looks = looks_of(planned);
  if (looks.empty()) return 0;
  if (budget.metric == Metric::error_rate) return std::log(pass_alpha * looks.back().share) / std::log1p(-budget.limit);
  return static_cast<double>(looks.front().blocks * pairs_needed(budget));
}

}  // namespace

double bearable(const Budget& budget, double most) { return std::min(most, (1 - budget.quantile) / 2); }

bool of_times(const Budget& budget) { return budget.metric == Metric::overhead || budget.metric == Metric::quantile; }

std::string shortage(const Budget& budget, const LatencyRun& run) {
  std::int64_t pairs = 0, late = 0;
  for (const PairBlock& block : run.blocks) {
    for (const RoutePairs& route : block.routes) {
      pairs += route.pairs;
      late += route.late;
    }
  }
  const auto planned = static_cast<double>(run.planned_pairs);
  if (run.blocks.empty() && run.saturation.empty()) return "nothing was measured";
  const double most_missing = of_times(budget) ? bearable(budget, 1 - achieved_share) : 1 - achieved_share;
  const bool whole = static_cast<double>(run.planned_pairs - pairs) <= most_missing * planned;
  if (budget.metric != Metric::quantile) pairs -= late;
  if (whole && static_cast<double>(pairs) >= achieved_share * planned) return "";
  return fmt::format(
      "of {} planned pairs {} were sent in time: lower budgets.rate, or the service does not keep up with it",
      run.planned_pairs, pairs);
}

NotMeasured not_measured(const Budget& budget, const LatencyMeasurement& measured) {
  NotMeasured found;
  std::vector<const LeftOut*> routes;
  for (const LeftOut& route : measured.left_out) {
    if (!covers(budget, route.route) || (route.extra && of_all_traffic(budget))) continue;
    found.requests += route.requests;
    found.left_out += route.left_out;
    if (2 * route.left_out > route.requests) found.nobody_stands_for += route.left_out;
    if (route.left_out > 0) routes.push_back(&route);
  }
  std::stable_sort(routes.begin(), routes.end(), [](auto* a, auto* b) { return a->left_out > b->left_out; });
  for (std::size_t i = 0; i < std::min(routes.size(), routes_named); ++i)
    found.why += fmt::format("{}{}: {}", i == 0 ? "" : "; ", routes[i]->route, routes[i]->why);
  if (routes.size() > routes_named) found.why += "; ...";
  return found;
}

std::string too_few_measured(const Budget& budget, const LatencyMeasurement& measured) {
  if (!of_times(budget)) return "";
  const NotMeasured found = not_measured(budget, measured);
  const double most = bearable(budget, most_left_out);
  if (static_cast<double>(found.nobody_stands_for) <= most * static_cast<double>(found.requests)) return "";
  return fmt::format(
      "{} of its {} requests are of routes of which most are not measured, for legacy answers them otherwise than when "
      "it "
      "was alone ({}), and {} bears {:.2g}%: reads of what the capture wrote are measured with budgets.writes: true",
      found.nobody_stands_for, found.requests, found.why, name_of(budget), most * 100);
}

std::vector<Budget> routes_of(const Budget& budget, const LatencyRun& run, std::int64_t planned) {
  if (budget.route != "each" || run.blocks.empty()) return {budget};
  std::map<std::string, double> pairs;
  for (const PairBlock& block : run.blocks) {
    for (const RoutePairs& route : block.routes)
      if (!route.extra) pairs[route.route] += static_cast<double>(route.pairs);
  }
  std::vector<Budget> made;
  Budget other = budget;
  other.route = "other";
  for (const auto& [route, count] : pairs) {
    const double expected = count / static_cast<double>(run.blocks.size()) * static_cast<double>(planned);
    if (expected < pairs_that_decide(budget, planned)) {
      other.pooled.push_back(route);
      continue;
    }
    made.push_back(budget);
    made.back().route = route;
  }
  if (!other.pooled.empty()) made.push_back(std::move(other));
  return made.empty() ? std::vector{budget} : made;
}

std::vector<Budget> routes_of(const std::vector<Budget>& budgets,
                              const std::map<Stage, const LatencyMeasurement*>& measured) {
  std::vector<Budget> all;
  for (const Budget& budget : budgets) {
    const auto of = measured.find(budget.stage);
    const auto made =
        of == measured.end() ? std::vector{budget} : routes_of(budget, of->second->first, of->second->planned_blocks);
    all.insert(all.end(), made.begin(), made.end());
  }
  return all;
}

std::string pooled_in_words(const Budget& budget) {
  if (budget.pooled.empty()) return "";
  std::string words =
      fmt::format("; {} with too few requests to be judged alone: ",
                  budget.pooled.size() == 1 ? "one route" : fmt::format("{} routes", budget.pooled.size()));
  for (std::size_t i = 0; i < std::min(budget.pooled.size(), pooled_named); ++i)
    words += (i == 0 ? "" : ", ") + budget.pooled[i];
  return words + (budget.pooled.size() > pooled_named ? ", ..." : "");
}

}  // namespace rehearse::properties
