#include "properties/latency/judge_latency.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "properties/latency/budget_samples.h"
#include "properties/latency/looks.h"
#include "properties/latency/statistics.h"

namespace rehearse::properties {
namespace {

using Metric = Budget::Metric;

// A limit in milliseconds is not decided where our own null probe takes so much of it.
constexpr double null_probe_share = 0.25;
constexpr double most_unseen = 0.02;  // of the pairs, may have no time
// By how much the new service must be slower than a legacy that is beyond the limit itself, before it is to blame, where no overhead is
// budgeted.
constexpr double assumed_overhead = 0.10;
constexpr double shown_alpha = 0.05;

std::string percent(double ratio) { return fmt::format("{:+.1f}%", ratio * 100); }

// What one run says of one budget by itself.
struct Seen {
  Looked looked;
  std::int64_t requests = 0, failed = 0;  // of an error rate
  std::string why_not;                    // why nothing can be said
  std::string unseen;                     // why it cannot be called within budget
};

struct Counts {
  std::int64_t pairs = 0, legacy_failed = 0, new_failed = 0, both_failed = 0, usable = 0;
};

Counts counts_of(const Budget& budget, const LatencyRun& run, std::size_t blocks) {
  Counts counts;
  for (std::size_t i = 0; i < std::min(blocks, run.blocks.size()); ++i) {
    for (const RoutePairs& pairs : run.blocks[i].routes) {
      if (!covers(budget, pairs)) continue;
      counts.pairs += pairs.pairs;
      counts.legacy_failed += pairs.legacy_failed;
      counts.new_failed += pairs.new_failed;
      counts.both_failed += pairs.both_failed;
      counts.usable += static_cast<std::int64_t>(pairs.new_ns.size());
    }
  }
  return counts;
}

double bound_of(const Budget& budget) {
  return budget.metric == Metric::overhead ? std::log1p(budget.limit) : std::log(budget.limit * 1e6);
}

// Requests are counted, not blocks: a second in which everything fails is that many failed requests, which is what is budgeted.
Seen see_errors(const Budget& budget, const LatencyRun& run, std::int64_t planned) {
  Seen seen;
  const auto looks = looks_of(planned);
  for (const auto& [look, share] : looks) {
    const auto blocks = static_cast<std::size_t>(look + warm_up_blocks);
    if (run.blocks.size() < blocks) break;
    const Counts counts = counts_of(budget, run, blocks);
    ++seen.looked.looks;
    seen.requests = counts.pairs;
    seen.failed = counts.new_failed;
    seen.looked.over_p =
        std::min(seen.looked.over_p, binomial_at_least(counts.pairs, counts.new_failed, budget.limit) / share);
    seen.looked.share = share;
    seen.looked.within =
        counts.pairs > 0 && binomial_at_most(counts.pairs, counts.new_failed, budget.limit) <= pass_alpha * share;
    if (seen.looked.within) break;
  }
  if (seen.looked.looks == 0)
    seen.why_not = fmt::format("{} blocks were measured, and {} are needed", run.blocks.size(),
                               looks.empty() ? warm_up_blocks + 1 : looks.front().blocks + warm_up_blocks);
  return seen;
}

std::vector<double> rates(const Budget& budget, const LatencyRun& run, bool legacy) {
  std::vector<double> values;
  for (const SaturationBlock& block : run.saturation) {
    if (block.route != budget.route) continue;
    values.push_back(-std::log(std::max(legacy ? block.legacy_per_second : block.new_per_second, 1e-3)));
  }
  return values;
}

Seen see_throughput(const Budget& budget, const LatencyRun& run) {
  const auto values = rates(budget, run, false);
  Seen seen;
  seen.looked = look(values, -std::log(budget.limit), static_cast<std::int64_t>(values.size()));
  if (values.empty()) seen.why_not = "it was not measured how many requests a second are answered";
  return seen;
}

Seen see(const Budget& budget, const LatencyRun& run, std::int64_t planned) {
  if (budget.metric == Metric::error_rate) return see_errors(budget, run, planned);
  if (budget.metric == Metric::throughput) return see_throughput(budget, run);
  Seen seen;
  const auto blocks = times_of(budget, run);
  seen.looked = look(blocks, budget.quantile, budget.metric == Metric::overhead ? Of::ratio : Of::new_alone,
                     bound_of(budget), planned);
  const Counts counts = counts_of(budget, run, run.blocks.size());
  // What was not answered as expected has no time, and might be what is slow: of a p99 half of the slowest hundredth may be missing.
  const double missing = static_cast<double>(counts.pairs - counts.usable);
  if (missing > bearable(budget, most_unseen) * static_cast<double>(counts.pairs))
    seen.unseen = fmt::format("{} of {} pairs were not answered by both services as by legacy alone, and have no time",
                              counts.pairs - counts.usable, counts.pairs);
  if (seen.looked.looks == 0) {
    const auto looks = looks_for(planned);
    seen.why_not = counts.usable == 0
                       ? fmt::format("of {} pairs none was answered by both services as by legacy alone", counts.pairs)
                       : fmt::format(
                             "{} pairs make {} blocks of at least {}, and {} blocks are needed: raise budgets.time or "
                             "budgets.rate",
                             counts.usable, blocks.size(), pairs_needed(budget), looks.empty() ? 1 : looks.front());
  }
  return seen;
}

// The overhead in nanoseconds, median over the blocks.
double absolute_overhead_ns(const Looked& looked, double q) {
  std::vector<double> differences;
  for (const TimesOfBlock& block : looked.blocks)
    differences.push_back(static_cast<double>(quantile(block.new_, q) - quantile(block.legacy, q)));
  return differences.empty() ? 0 : median(std::move(differences));
}

// Why a failure proves nothing about the service; empty when it does.
std::string excuse(const Budget& budget, const std::vector<Budget>& all, const LatencyRun& run,
                   const LatencyMeasurement& of, const Seen& seen) {
  const auto planned = of.planned_blocks;
  const auto legacy_too = [&](const Looked& legacy) { return legacy.over_p <= fail_alpha; };
  switch (budget.metric) {
    case Metric::overhead: {
      const double floor = static_cast<double>(std::max(of.least_ns, 2 * run.send_error_p50_ns));
      const double difference = absolute_overhead_ns(seen.looked, budget.quantile);
      if (difference > floor) return "";
      return fmt::format(
          "it is over budget by {:.3f} ms, and {:.3f} ms are the least that is judged here (budgets.least, twice the "
          "error of the sender)",
          difference / 1e6, floor / 1e6);
    }
    case Metric::quantile: {
      const double null_ms =
          run.null_probe_ns.empty()
              ? 0
              : static_cast<double>(quantile(run.null_probe_ns, std::min(budget.quantile, 0.99))) / 1e6;
      if (null_ms > budget.limit * null_probe_share)
        return fmt::format(
            "the machine is too slow to tell: an endpoint that does nothing takes {:.2f} ms there, more than a quarter "
            "of {}",
            null_ms, budget.text);
      const auto blocks = times_of(budget, run);
      if (!legacy_too(look(blocks, budget.quantile, Of::legacy_alone, bound_of(budget), planned))) return "";
      Budget pair = budget;
      pair.metric = Metric::overhead;
      pair.limit = assumed_overhead;
      for (const Budget& other : all) {
        if (other.metric == Metric::overhead && other.stage == budget.stage && other.route == budget.route &&
            other.quantile == budget.quantile)
          pair = other;
      }
      if (look(times_of(pair, run), pair.quantile, Of::ratio, bound_of(pair), planned).over_p <= fail_alpha) return "";
      return fmt::format("legacy is over {} in the same blocks, and the new service is not surely {} slower than it",
                         budget.text, percent(pair.limit));
    }
    case Metric::error_rate: {
      const Counts counts = counts_of(budget, run, run.blocks.size());
      if (binomial_at_least(counts.pairs, counts.legacy_failed, budget.limit) > fail_alpha) return "";
      const auto new_alone = counts.new_failed - counts.both_failed,
                 legacy_alone = counts.legacy_failed - counts.both_failed;
      if (binomial_at_least(new_alone + legacy_alone, new_alone, 0.5) <= fail_alpha) return "";
      return fmt::format("legacy fails too, in {} of {} requests", counts.legacy_failed, counts.pairs);
    }
    case Metric::throughput: {
      const auto legacy = rates(budget, run, true);
      if (!legacy_too(look(legacy, -std::log(budget.limit), static_cast<std::int64_t>(legacy.size())))) return "";
      return "legacy does not come to it either on this machine";
    }
  }
  return "";
}

std::string in_blocks(const Budget& budget, const Seen& seen) {
  if (budget.metric == Metric::error_rate) return fmt::format("{} of {} requests failed", seen.failed, seen.requests);
  const char* way = budget.metric == Metric::throughput ? "too slow" : "over budget";
  return fmt::format("{} in {} of {} blocks", way, seen.looked.over, seen.looked.values.size());
}

std::string within(const Budget& budget, const Seen& seen) {
  if (budget.metric == Metric::error_rate) return fmt::format("{} of {} requests failed", seen.failed, seen.requests);
  return fmt::format("within budget in {} of {} blocks",
                     static_cast<std::int64_t>(seen.looked.values.size()) - seen.looked.over,
                     seen.looked.values.size());
}

// What was measured, in the budget's unit.
void show(const Budget& budget, const Seen& seen, BudgetVerdict& shown) {
  const Looked& looked = seen.looked;
  shown.looks = looked.looks;
  if (budget.metric == Metric::error_rate) {
    if (seen.requests == 0) return;
    shown.estimate = static_cast<double>(seen.failed) / static_cast<double>(seen.requests);
    const Interval interval = share_interval(seen.requests, seen.failed, shown_alpha);
    shown.low = interval.low;
    shown.high = interval.high;
    return;
  }
  if (looked.values.empty()) return;
  const bool faster_is_more = budget.metric == Metric::throughput;
  const auto in_unit = [&](double value) {
    if (budget.metric == Metric::overhead) return std::expm1(value);
    return faster_is_more ? std::exp(-value) : std::exp(value) / 1e6;
  };
  const double middle = median(looked.values);
  shown.estimate = in_unit(middle);
  const auto interval = median_interval(looked.values, shown_alpha);
  const auto [least, most] = std::minmax_element(looked.values.begin(), looked.values.end());
  const Interval outer = interval.value_or(Interval{*least, *most});
  shown.low = in_unit(faster_is_more ? outer.high : outer.low);
  shown.high = in_unit(faster_is_more ? outer.low : outer.high);
  // Whatever lies farther from the bound than half of the interval in which a look decides would have been told.
  if (const auto told = median_interval(looked.values, 2 * pass_alpha * looked.share); told && !faster_is_more) {
    const double half = std::expm1((told->high - told->low) / 2);
    shown.resolvable = budget.metric == Metric::overhead ? half : budget.limit * half;
  }
  if (budget.metric != Metric::overhead) return;
  for (std::size_t i = 0; i < looked.values.size(); ++i)
    shown.blocks.push_back({looked.blocks[i].at_seconds, looked.values[i]});
}

std::string undecided(const Budget& budget, const Seen& seen, const BudgetVerdict& shown) {
  std::string reason = in_blocks(budget, seen) + ", which decides nothing";
  if (budget.metric == Metric::error_rate) {
    const auto enough = std::ceil(std::log(pass_alpha * seen.looked.share) / std::log1p(-budget.limit));
    return reason + fmt::format("; {} can be told from {:.0f} requests on, if none fails", budget.text, enough);
  }
  if (shown.resolvable <= 0) return reason + "; there were too few blocks to tell any overhead";
  return reason + (budget.metric == Metric::overhead
                       ? fmt::format("; these blocks could have told an overhead {:.1f}% away from the budget",
                                     shown.resolvable * 100)
                       : fmt::format("; these blocks could have told {:.2f} ms", shown.resolvable));
}

void conclude_over(const Budget& budget, const std::vector<Budget>& all, const LatencyMeasurement& measured,
                   const Seen& seen, BudgetVerdict& verdict) {
  if (const std::string why = excuse(budget, all, measured.first, measured, seen); !why.empty()) {
    verdict.reason = why;
    return;
  }
  if (!measured.again) {
    verdict.reason = in_blocks(budget, seen) + ", and it was not measured a second time";
    return;
  }
  if (const std::string why = shortage(budget, *measured.again); !why.empty()) {
    verdict.reason = fmt::format("{}, but it could not be confirmed: {}", in_blocks(budget, seen), why);
    return;
  }
  const Seen again = see(budget, *measured.again, measured.planned_blocks);
  std::string why = again.why_not;
  if (why.empty() && again.looked.over_p > fail_alpha) why = in_blocks(budget, again);
  if (why.empty()) why = excuse(budget, all, *measured.again, measured, again);
  if (!why.empty()) {
    verdict.reason = fmt::format("{}, but a second measurement does not confirm it: {}", in_blocks(budget, seen), why);
    return;
  }
  verdict.verdict = Verdict::fail;
  verdict.confirmed = true;
  verdict.reason = fmt::format("{}, and again{}: {}", in_blocks(budget, seen),
                               measured.restarted.empty() ? "" : fmt::format(", {} started anew", measured.restarted),
                               in_blocks(budget, again));
}

const LatencyMeasurement* of_stage(const std::map<Stage, const LatencyMeasurement*>& measured, Stage stage) {
  const auto found = measured.find(stage);
  return found == measured.end() ? nullptr : found->second;
}

}  // namespace

std::vector<BudgetVerdict> judge_budgets(const std::vector<Budget>& demanded,
                                         const std::map<Stage, const LatencyMeasurement*>& measured) {
  const std::vector<Budget> budgets = routes_of(demanded, measured);
  std::vector<Seen> seen;
  std::vector<double> p_values;
  for (const Budget& budget : budgets) {
    const auto* of = of_stage(measured, budget.stage);
    seen.push_back(of == nullptr ? Seen{} : see(budget, of->first, of->planned_blocks));
    if (of == nullptr) seen.back().why_not = "the stage was not measured";
    p_values.push_back(seen.back().looked.over_p);
  }
  const std::vector<bool> over = holm(p_values, fail_alpha);
  std::vector<BudgetVerdict> verdicts;
  for (std::size_t i = 0; i < budgets.size(); ++i) {
    BudgetVerdict& verdict = verdicts.emplace_back();
    verdict.budget = budgets[i];
    verdict.fail_p = p_values[i];
    const auto* of = of_stage(measured, budgets[i].stage);
    if (of != nullptr) show(budgets[i], seen[i], verdict);
    std::string nothing = of != nullptr && !of->problem.empty() ? of->problem
                          : of == nullptr                       ? ""
                                                                : shortage(budgets[i], of->first);
    if (nothing.empty() && of != nullptr) nothing = too_few_measured(budgets[i], *of);
    if (nothing.empty()) nothing = seen[i].why_not;
    if (!nothing.empty()) {
      verdict.reason = nothing;
    } else if (over[i]) {
      conclude_over(budgets[i], budgets, *of, seen[i], verdict);
    } else if (seen[i].looked.within && !seen[i].unseen.empty()) {
      verdict.reason = seen[i].unseen;
    } else if (seen[i].looked.within) {
      verdict.verdict = Verdict::pass;
      verdict.reason = within(budgets[i], seen[i]);
      if (const NotMeasured left = not_measured(budgets[i], *of); left.left_out > 0)
        verdict.reason +=
            fmt::format("; {} of its {} requests are not measured ({})", left.left_out, left.requests, left.why);
    } else {
      verdict.reason = undecided(budgets[i], seen[i], verdict);
    }
    verdict.reason += pooled_in_words(budgets[i]);
  }
  return verdicts;
}

Decision decision(const std::vector<Budget>& demanded, std::size_t all, const LatencyRun& run,
                  const LatencyMeasurement& of) {
  std::vector<Budget> budgets;
  for (const Budget& budget : demanded) {
    const auto made = routes_of(budget, run, of.planned_blocks);
    budgets.insert(budgets.end(), made.begin(), made.end());
  }
  all += budgets.size() - demanded.size();
  Decision decision;
  for (const Budget& budget : budgets) {
    if (budget.metric == Metric::throughput && rates(budget, run, false).empty()) continue;  // measured by itself
    if (!too_few_measured(budget, of).empty()) continue;                                     // no block changes that
    const Seen seen = see(budget, run, of.planned_blocks);
    const bool surely = seen.looked.over_p <= fail_alpha / static_cast<double>(std::max<std::size_t>(all, 1));
    const bool over = surely && excuse(budget, budgets, run, of, seen).empty();
    // Holm may come to 'over' where this does not yet: what is over by itself is measured again in any case.
    if (seen.looked.over_p <= fail_alpha && !seen.looked.within && excuse(budget, budgets, run, of, seen).empty())
      decision.over.push_back(budget);
    decision.decided = decision.decided && (seen.looked.within || over);
  }
  return decision;
}

}  // namespace rehearse::properties
