#include "harness/latency/stage_measurement.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "harness/latency/machine.h"
#include "harness/latency/pair_run.h"
#include "harness/latency/samples.h"
#include "harness/latency/saturation.h"
#include "properties/latency/judge_latency.h"
#include "replay/player.h"

namespace rehearse::harness {
namespace {

using properties::Budget;
using properties::LatencyMeasurement;
using properties::LatencyRun;

// What legacy did with a request instead of answering as it did alone; empty when it did.
std::string otherwise_than(const Sample& sample, const replay::Record* record) {
  if (record == nullptr || record->outcome != replay::Outcome::answered) return "no answer";
  if (record->response.status == sample.status) return "";
  return fmt::format("{} in place of {}", record->response.status, sample.status);
}

// Counts by route what is left out, and why.
class LeftOutSamples {
 public:
  void count(const SampleKind& kind, const Sample& sample, const std::string& otherwise) {
    if (!sample.measured) return;
    Route& route = routes_[{sample.route, kind.extra}];
    ++route.requests;
    if (!otherwise.empty()) ++route.reasons[otherwise];
  }

  [[nodiscard]] std::vector<properties::LeftOut> by_route() && {
    std::vector<properties::LeftOut> all;
    for (const auto& [key, route] : routes_) {
      properties::LeftOut& made = all.emplace_back(properties::LeftOut{key.first, key.second, route.requests, 0, ""});
      for (const auto& [reason, times] : route.reasons) {
        made.left_out += times;
        made.why += fmt::format("{}{} with {}", made.why.empty() ? "" : ", ", times, reason);
      }
    }
    return all;
  }

 private:
  struct Route {
    std::int64_t requests = 0;
    std::map<std::string, std::int64_t> reasons;
  };
  std::map<std::pair<std::string, bool>, Route> routes_;
};

class StageMeasurement {
 public:
  StageMeasurement(const Configuration& configuration, const replay::Plan& plan, const replay::History& oracle,
                   const StageToMeasure& what)
      : config_(configuration),
        what_(what),
        budgets_(budgets_of(configuration, what.stage)),
        kinds_(samples_for(configuration, plan, oracle, what.stage)) {
    const bool alone = !config_.fuzz.oracle_url.empty();
    services_ = {alone ? std::vector{config_.fuzz.oracle_url} : config_.legacy.urls, config_.new_.urls,
                 alone ? config_.fuzz.oracle_target : config_.legacy.target, config_.new_.target};
  }

  LatencyMeasurement run() {
    LatencyMeasurement measured;
    measured.planned_blocks = config_.budgets.time / config_.budgets.block;
    measured.least_ns = config_.budgets.least_ns;
    what_.restore();
    measured.left_out = leave_out_what_legacy_does_not_answer();
    if (kinds_.empty()) {
      measured.problem = "of the requests of its routes legacy answers none as it did alone";
      return measured;
    }
    measured.first = measure(measured, budgets_, what_.budgets_of_all, false);
    if (stopped()) {
      measured.problem = "the rehearsal was interrupted";
      return measured;
    }
    const auto over = decision(budgets_, what_.budgets_of_all, measured.first, measured).over;
    if (over.empty()) return measured;
    if (what_.restart) measured.restarted = what_.restart();
    what_.restore();
    measured.again = measure(measured, over, 1, true);
    return measured;
  }

 private:
  [[nodiscard]] bool stopped() const { return what_.stop != nullptr && what_.stop->load(); }

  // Of reads each is asked for once: what legacy answers otherwise now, on the data that it has here, would be left out of every pair.
  std::vector<properties::LeftOut> leave_out_what_legacy_does_not_answer() {
    if (config_.budgets.writes && what_.stage != properties::Stage::read_only) return {};
    replay::Plan plan;
    std::map<replay::StepId, replay::StepId> ids;  // by the id in the traffic
    for (const SampleKind& kind : kinds_) {
      for (const Sample& sample : kind.samples) {
        if (ids.contains(sample.step.id)) continue;
        replay::Step step = sample.step;
        step.id = static_cast<replay::StepId>(plan.steps.size()) + 1;
        ids[sample.step.id] = step.id;
        step.lane = step.id % static_cast<std::int64_t>(config_.budgets.connections);
        step.after.clear();
        step.overlaps = false;
        for (replay::Use& use : step.uses) {
          use.from = ids.at(use.from);
          step.after.push_back({use.from, replay::CauseKind::value});
        }
        plan.steps.push_back(std::move(step));
      }
    }
    const Target target(services_.legacy_target, plan, what_.stop);
    replay::PlayOptions options;
    target.apply(options);
    options.name = "known";
    options.target = services_.legacy.front();
    options.other_instances.assign(services_.legacy.begin() + 1, services_.legacy.end());
    options.connect_deadline = options.deadline = config_.deadline;
    options.stop = what_.stop;
    const replay::History history = replay::play(plan, options);
    LeftOutSamples left_out;
    for (SampleKind& kind : kinds_) {
      std::erase_if(kind.samples, [&](const Sample& sample) {
        const std::string otherwise = otherwise_than(sample, replay::record_of(history, ids.at(sample.step.id)));
        left_out.count(kind, sample, otherwise);
        return !otherwise.empty();
      });
    }
    std::erase_if(kinds_, [](const SampleKind& kind) { return kind.samples.empty(); });
    return std::move(left_out).by_route();
  }

  // The pairs until these budgets are decided, and what is asked without pause.
  LatencyRun measure(const LatencyMeasurement& measured, const std::vector<Budget>& budgets, std::size_t all,
                     bool again) {
    PairRunOptions options;
    options.rate = config_.budgets.rate;
    options.block = config_.budgets.block;
    options.blocks = measured.planned_blocks + properties::warm_up_blocks;
    options.connections = config_.budgets.connections;
    options.deadline = config_.deadline;
    options.seed = static_cast<std::uint64_t>(what_.stage) + 1;
    options.turned_round = again;
    options.stop = what_.stop;
    options.on_progress = what_.on_progress;
    options.decided = [&](const LatencyRun& run) { return decision(budgets, all, run, measured).decided; };
    LatencyRun run;
    const auto throughput = [](const Budget& budget) { return budget.metric == Budget::Metric::throughput; };
    if (!std::all_of(budgets.begin(), budgets.end(), throughput)) run = measure_pairs(kinds_, services_, options);
    for (const Budget& budget : budgets) {
      if (!throughput(budget)) continue;
      const auto kind = std::find_if(kinds_.begin(), kinds_.end(),
                                     [&](const SampleKind& each) { return each.route == budget.route; });
      if (kind == kinds_.end()) continue;
      auto blocks = measure_saturation(*kind, budget.limit, services_, options);
      run.saturation.insert(run.saturation.end(), blocks.begin(), blocks.end());
    }
    if (run.machine.empty()) {  // no pairs were measured, which would have told
      run.machine = machine_name();
      run.load = machine_load();
      run.scheduling = "normal";
    }
    return run;
  }

  const Configuration& config_;
  const StageToMeasure& what_;
  std::vector<Budget> budgets_;
  std::vector<SampleKind> kinds_;
  PairedServices services_;
};

}  // namespace

LatencyMeasurement measure_stage(const Configuration& configuration, const replay::Plan& plan,
                                 const replay::History& oracle, const StageToMeasure& what) {
  return StageMeasurement(configuration, plan, oracle, what).run();
}

}  // namespace rehearse::harness
