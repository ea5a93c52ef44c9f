// characteristics [TRIALS] [--drift-correlation R]
//
// What the judge of latencies does when the truth is known: for each budget and each true overhead the share of verdicts over made-up
// measurements (properties/latency/synthetic_trace.h), and how long a measurement took, confirmation included. Prints a Markdown table.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "properties/latency/judge_latency.h"
#include "properties/latency/statistics.h"
#include "properties/latency/synthetic_trace.h"

namespace {

using namespace rehearse::properties;

constexpr std::int64_t planned_blocks = 96;

LatencyRun until_decided(TraceSettings settings, const Budget& budget, const LatencyMeasurement& of) {
  LatencyRun run;
  // A trace is a prefix of the longer one of the same seed.
  for (const std::int64_t look : looks_for(of.planned_blocks)) {
    settings.blocks = look + warm_up_blocks;
    run = synthetic_run(settings);
    if (decision({budget}, 1, run, of).decided) break;
  }
  return run;
}

struct Cell {
  int pass = 0, fail = 0, unknown = 0;
  std::vector<double> seconds;
};

Cell trials(const Budget& budget, double factor, int count, double drift_correlation) {
  Cell cell;
  for (int trial = 0; trial < count; ++trial) {
    TraceSettings settings;
    settings.seed = static_cast<std::uint64_t>(trial) * 2 + 1;
    settings.factor = factor;
    settings.drift_correlation = drift_correlation;
    LatencyMeasurement measured;
    measured.planned_blocks = planned_blocks;
    measured.least_ns = 100'000;
    measured.first = until_decided(settings, budget, measured);
    auto blocks = measured.first.blocks.size();
    if (!decision({budget}, 1, measured.first, measured).over.empty()) {
      ++settings.seed;
      measured.again = until_decided(settings, budget, measured);
      blocks += measured.again->blocks.size();
    }
    const auto verdict = judge_budgets({budget}, {{budget.stage, &measured}}).front().verdict;
    ++(verdict == Verdict::pass ? cell.pass : verdict == Verdict::fail ? cell.fail : cell.unknown);
    cell.seconds.push_back(static_cast<double>(blocks) * settings.block_seconds);
  }
  return cell;
}

}  // namespace

int main(int count, char** arguments) {
  int trials_a_cell = 500;
  double drift_correlation = TraceSettings{}.drift_correlation;
  for (int i = 1; i < count; ++i) {
    if (std::string(arguments[i]) == "--drift-correlation" && i + 1 < count)
      drift_correlation = std::atof(arguments[++i]);
    else
      trials_a_cell = std::atoi(arguments[i]);
  }
  if (trials_a_cell < 1) {
    fmt::print(stderr, "characteristics [TRIALS] [--drift-correlation R]\n");
    return 3;
  }
  const TraceSettings trace;
  fmt::print(
      "{} trials a cell; blocks of {} s with {} pairs a second, at most {} ({} s); drift between the services {} with "
      "a "
      "correlation of {} from block to block\n\n",
      trials_a_cell, trace.block_seconds, trace.pairs_a_second, planned_blocks,
      static_cast<double>(planned_blocks) * trace.block_seconds, trace.drift, drift_correlation);
  fmt::print("| budget | truth | pass | unknown | fail | seconds, median | most |\n|---|---|---|---|---|---|---|\n");
  for (const auto& [metric, limit] : {std::pair("overhead_p50", "10%"), std::pair("overhead_p90", "10%"),
                                      std::pair("overhead_p99", "10%"), std::pair("overhead_p99", "25%")}) {
    const Budget budget = budget_of(Stage::shadow, "all", metric, limit);
    for (const double factor : {1.0, 1.05, 1.1, 1.2, 1.3, 1.5}) {
      const Cell cell = trials(budget, factor, trials_a_cell, drift_correlation);
      const auto share = [&](int verdicts) { return fmt::format("{:.1f} %", 100.0 * verdicts / trials_a_cell); };
      fmt::print("| {} {} | x{:.2f} | {} | {} | {} | {:.0f} | {:.0f} |\n", metric, limit, factor, share(cell.pass),
                 share(cell.unknown), share(cell.fail), median(cell.seconds),
                 *std::max_element(cell.seconds.begin(), cell.seconds.end()));
      std::fflush(stdout);
    }
  }
}
