// L1: what a stage costs is within its budgets.
#include "properties/checks/latency.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "properties/check.h"

namespace rehearse::properties {
namespace {

std::string in_unit(const Budget& budget, double value) {
  switch (budget.metric) {
    case Budget::Metric::overhead:
      return fmt::format("{:+.1f}%", value * 100);
    case Budget::Metric::error_rate:
      return fmt::format("{:.3f}%", value * 100);
    case Budget::Metric::quantile:
      return fmt::format("{:.2f} ms", value);
    case Budget::Metric::throughput:
      return fmt::format("{:.0f}/s", value);
  }
  return "";
}

void latency_is_within_budget(const Evidence& evidence, const Section& section, Outcome& outcome) {
  for (const BudgetVerdict& verdict : judged_budgets(evidence)) {
    if (verdict.budget.stage != section.stage) continue;
    switch (verdict.verdict) {
      case Verdict::pass:
        outcome.looked_at(1, "budgets");
        break;
      case Verdict::fail:
        outcome.looked_at(1, "budgets");
        outcome.contradict(in_words(verdict.budget), fmt::format("{}: {}", measured_in_words(verdict), verdict.reason));
        break;
      case Verdict::unknown:
        outcome.cannot_tell(fmt::format("{}: {}", in_words(verdict.budget), verdict.reason));
        break;
    }
  }
}

}  // namespace

std::string in_words(const Budget& budget) {
  return fmt::format("{} of {} is at {} {}", name_of(budget), budget.route,
                     budget.metric == Budget::Metric::throughput ? "least" : "most", budget.text);
}

std::string measured_in_words(const BudgetVerdict& verdict) {
  return fmt::format("{} ({} to {})", in_unit(verdict.budget, verdict.estimate), in_unit(verdict.budget, verdict.low),
                     in_unit(verdict.budget, verdict.high));
}

void expect_measurements(Evidence& evidence) {
  for (const Budget& budget : evidence.contract.budgets) {
    for (Section& section : evidence.sections) {
      if (section.latency || section.stage != budget.stage || !section.plain_stage(budget.stage)) continue;
      section.latency.emplace();
      section.latency->problem = "the stage was rehearsed and not measured: rehearse it again with this budget";
    }
  }
}

std::vector<BudgetVerdict> judged_budgets(const Evidence& evidence) {
  std::map<Stage, const LatencyMeasurement*> measured;
  for (const Section& section : evidence.sections) {
    if (section.latency && section.plain_stage(section.stage)) measured[section.stage] = &*section.latency;
  }
  std::vector<Budget> budgets = evidence.contract.budgets;
  std::erase_if(budgets, [&](const Budget& budget) { return !measured.contains(budget.stage); });
  return judge_budgets(budgets, measured);
}

std::vector<Check> checks_of_latency() {
  return {{"L1", "latency, errors and throughput are within budget",
           [](const Section& section) { return section.latency && section.plain_stage(section.stage); },
           latency_is_within_budget}};
}

}  // namespace rehearse::properties
