#include "reports/latency_json.h"

#include "reports/members.h"

namespace rehearse::reports {

json::value json_of(const std::vector<RouteLatency>& latencies) {
  json::array list;
  for (const RouteLatency& route : latencies) {
    json::array spectrum;
    for (const LatencyPoint& point : route.spectrum) {
      spectrum.push_back({{"quantile", measured(point.quantile)},
                          {"legacy_ms", measured(point.legacy_ms)},
                          {"candidate_ms", measured(point.candidate_ms)}});
    }
    list.push_back({{"section", text(route.section)},
                    {"route", text(route.route)},
                    {"pairs", route.pairs},
                    {"errors", route.errors},
                    {"spectrum", std::move(spectrum)},
                    {"not_measured", text(route.not_measured)}});
  }
  return list;
}

json::value json_of(const std::vector<BudgetResult>& budgets) {
  json::array list;
  for (const BudgetResult& budget : budgets) {
    json::array blocks;
    for (const LatencyBlock& block : budget.blocks)
      blocks.push_back({{"at_seconds", measured(block.at_seconds)}, {"log_ratio", measured(block.log_ratio)}});
    list.push_back({{"section", text(budget.section)},
                    {"route", text(budget.route)},
                    {"metric", text(budget.metric)},
                    {"limit", text(budget.limit)},
                    {"limit_value", measured(budget.limit_value)},
                    {"unit", text(budget.unit)},
                    {"verdict", name_of(budget.verdict)},
                    {"reason", text(budget.reason)},
                    {"estimate", measured(budget.estimate)},
                    {"low", measured(budget.low)},
                    {"high", measured(budget.high)},
                    {"resolvable", measured(budget.resolvable)},
                    {"looks", budget.looks},
                    {"confirmed", budget.confirmed},
                    {"blocks", std::move(blocks)}});
  }
  return list;
}

json::value json_of(const std::optional<Environment>& environment) {
  if (!environment) return nullptr;
  return {{"machine", text(environment->machine)},
          {"load", measured(environment->load)},
          {"steal_percent", measured(environment->steal_percent)},
          {"send_error_p50_ms", measured(environment->send_error_p50_ms)},
          {"send_error_p99_ms", measured(environment->send_error_p99_ms)},
          {"null_probe_p50_ms", measured(environment->null_probe_p50_ms)},
          {"null_probe_p99_ms", measured(environment->null_probe_p99_ms)},
          {"planned_rate", measured(environment->planned_rate)},
          {"achieved_rate", measured(environment->achieved_rate)},
          {"scheduling", text(environment->scheduling)}};
}

std::vector<RouteLatency> latencies_of(const json::array& list) {
  std::vector<RouteLatency> latencies;
  for (const json::value& each : list) {
    const Members members(each, "a latency");
    RouteLatency& route = latencies.emplace_back();
    route.section = members.text("section");
    route.route = members.text("route");
    route.pairs = members.number<std::uint64_t>("pairs");
    route.errors = members.number<std::uint64_t>("errors");
    if (each.get_object().contains("not_measured")) route.not_measured = members.text("not_measured");
    for (const json::value& one : members.list("spectrum")) {
      const Members point(one, "a point of a spectrum");
      route.spectrum.push_back(
          {point.number<double>("quantile"), point.number<double>("legacy_ms"), point.number<double>("candidate_ms")});
    }
  }
  return latencies;
}

std::vector<BudgetResult> budgets_of(const json::array& list) {
  std::vector<BudgetResult> budgets;
  for (const json::value& each : list) {
    const Members members(each, "a budget");
    BudgetResult& budget = budgets.emplace_back();
    budget.section = members.text("section");
    budget.route = members.text("route");
    budget.metric = members.text("metric");
    budget.limit = members.text("limit");
    budget.limit_value = members.number<double>("limit_value");
    budget.unit = members.text("unit");
    budget.verdict = members.verdict("verdict");
    budget.reason = members.text("reason");
    budget.estimate = members.number<double>("estimate");
    budget.low = members.number<double>("low");
    budget.high = members.number<double>("high");
    budget.resolvable = members.number<double>("resolvable");
    budget.looks = members.number<int>("looks");
    budget.confirmed = members.truth("confirmed");
    for (const json::value& one : members.list("blocks")) {
      const Members block(one, "a block");
      budget.blocks.push_back({block.number<double>("at_seconds"), block.number<double>("log_ratio")});
    }
  }
  return budgets;
}

std::optional<Environment> environment_of(const json::value& value) {
  if (value.is_null()) return std::nullopt;
  const Members members(value, "the environment");
  Environment environment;
  environment.machine = members.text("machine");
  environment.load = members.number<double>("load");
  environment.steal_percent = members.number<double>("steal_percent");
  environment.send_error_p50_ms = members.number<double>("send_error_p50_ms");
  environment.send_error_p99_ms = members.number<double>("send_error_p99_ms");
  environment.null_probe_p50_ms = members.number<double>("null_probe_p50_ms");
  environment.null_probe_p99_ms = members.number<double>("null_probe_p99_ms");
  environment.planned_rate = members.number<double>("planned_rate");
  environment.achieved_rate = members.number<double>("achieved_rate");
  environment.scheduling = members.text("scheduling");
  return environment;
}

}  // namespace rehearse::reports
