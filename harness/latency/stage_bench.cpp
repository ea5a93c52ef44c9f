#include "harness/latency/stage_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "harness/latency/machine.h"
#include "harness/latency/pair_run.h"
#include "harness/latency/saturation.h"
#include "harness/services.h"
#include "harness/stage_control.h"
#include "harness/stores.h"
#include "properties/latency/judge_latency.h"
#include "properties/latency/looks.h"
#include "properties/latency/statistics.h"
#include "replay/error.h"
#include "replay/player.h"

namespace rehearse::harness {
namespace {

using properties::LatencyRun;
using properties::Stage;

constexpr auto block = std::chrono::milliseconds(500);
// In a second of which so much is surely not answered by what stands on a bench.
constexpr double most_a_second = 4000;
constexpr int saturation_blocks_each = 2;
// As late as a sender may be whose times are believed.
constexpr double most_late_ms = 1;

struct Interrupted {};

class StageBench {
 public:
  StageBench(const Configuration& configuration, const replay::Plan& plan, const StageBenchOptions& options)
      : config_(configuration),
        plan_(plan),
        options_(options),
        stages_(configuration),
        stores_(configuration),
        alone_(!configuration.fuzz.oracle_url.empty()) {
    config_.budgets.writes = alone_ && config_.fuzz.oracle_database.disposable;
    services_ = {alone_ ? std::vector{config_.fuzz.oracle_url} : config_.legacy.urls, config_.new_.urls,
                 alone_ ? config_.fuzz.oracle_target : config_.legacy.target, config_.new_.target};
  }

  reports::StageBenchmark run() {
    expect_permitted();
    stages_.learn();
    say_what_is_left_out();
    try {
      ask_legacy();
      for (int repetition = 0; repetition < options_.repetitions; ++repetition) {
        for (const Stage stage : options_.stages) {
          if (stage == Stage::completed && !alone_) continue;
          begin(fmt::format("{}, {} of {}", name_of(stage), repetition + 1, options_.repetitions));
          repetition_ = repetition;
          measure(stage);
        }
      }
    } catch (...) {
      try {
        leave_as_found();
      } catch (const Error&) {  // what was thrown first says more
      } catch (const StageNotServed&) {
      }
      throw;
    }
    leave_as_found();
    for (reports::StageFigure& figure : result_.figures)
      if (figure.legacy.empty() || figure.new_.empty())
        result_.remarks.push_back(
            fmt::format("{}, {}: nothing was answered as by legacy alone.", figure.stage, figure.what));
    if (result_.send_error_p50_ms > most_late_ms)
      result_.remarks.push_back(
          fmt::format("In one of the measurements half of the requests left more than {:.1f} ms late: the machine was "
                      "busy, and figures say more of it than of the services.",
                      result_.send_error_p50_ms));
    result_.machine = machine_name();
    result_.load = machine_load();
    return std::move(result_);
  }

 private:
  void expect_permitted() const {
    if (!config_.legacy.writes_allowed || !config_.new_.writes_allowed)
      throw Error(
          "a benchmark of the stages writes to both services: write `writes: allowed` beside services.legacy and "
          "services.new when they are not production");
    if (!config_.legacy_database.disposable || !config_.new_database.disposable)
      throw Error(
          "a benchmark of the stages restores both databases: if they may be lost, write disposable: true beside each "
          "dsn");
  }

  void say_what_is_left_out() {
    if (config_.budgets.writes) return;
    result_.remarks.emplace_back(
        "Writes were not measured, nor completed: legacy alone needs a service with a database of its own, whose flag "
        "is off for ever (fuzz.oracle, disposable: true).");
  }

  void begin(const std::string& what) const {
    if (options_.stop != nullptr && options_.stop->load()) throw Interrupted{};
    if (options_.on_section) options_.on_section(what);
  }

  // What each request is answered by legacy alone.
  void ask_legacy() {
    begin("legacy alone");
    stages_.go_to(Stage::off);
    restore_seeded();
    replay::PlayOptions options;
    const Target target(config_.legacy.target, plan_, options_.stop);
    target.apply(options);
    options.name = "oracle";
    options.target = config_.legacy.urls.front();
    options.connect_deadline = options.deadline = config_.deadline;
    options.stop = options_.stop;
    oracle_ = replay::play(plan_, options);
  }

  void restore_seeded() {
    stores_.restore_seeded();
    stages_.forget_copy();
    if (config_.budgets.writes) stores_.restore_oracle();
  }

  void restore_copied() {
    stores_.restore_copied();
    stages_.remember_copy();
    if (config_.budgets.writes) stores_.restore_oracle();
  }

  void restore(Stage stage) { before_the_copy(stage) ? restore_seeded() : restore_copied(); }

  static bool before_the_copy(Stage stage) { return stage == Stage::off || stage == Stage::read_only; }

  // The guards of the way look at the databases: a copy must have been verified since read-only was entered, and on the way back no alert may
  // be open.
  void arrive(Stage stage) {
    if (before_the_copy(stages_.now()) && !before_the_copy(stage)) {
      stages_.go_to(Stage::read_only);
      restore_seeded();
      if (!stages_.copy_forward()) throw Error("the copy failed; run copy.forward by hand and read what it says");
      stores_.keep_copy();
    } else if (!before_the_copy(stages_.now())) {
      restore_copied();
    }
    stages_.go_to(stage);
  }

  void measure(Stage stage) {
    arrive(stage);
    const auto reads = kind_of(stage, "reads");
    restore(stage);
    keep_pairs(stage, "reads", reads);
    keep_saturation(stage, reads);
    if (!config_.budgets.writes) return;
    const char* what = stage == Stage::read_only ? "refusals" : "writes";
    const auto writes = kind_of(stage, what);
    restore(stage);
    keep_pairs(stage, what, writes);
  }

  SampleKind kind_of(Stage stage, const std::string& what) {
    Configuration all = config_;
    all.budgets.limits = {properties::budget_of(stage, "all", "p50", "1s")};
    all.budgets.writes = what != "reads";
    // In read-only the same writes are sent as elsewhere: what they cost there is a refusal.
    if (what == "refusals") all.budgets.limits.front().stage = Stage::off;
    auto kinds = samples_for(all, plan_, oracle_, all.budgets.limits.front().stage);
    if (kinds.empty()) return {};
    SampleKind kind = std::move(kinds.front());
    if (what == "reads") return kind;
    for (Sample& sample : kind.samples) {
      sample.measured = !sample.step.read;
      if (what == "refusals") sample.new_status = config_.contract.refusal.status;
    }
    return kind;
  }

  void keep_pairs(Stage stage, const std::string& what, const SampleKind& kind) {
    if (kind.samples.empty()) return;
    PairRunOptions options = pair_options();
    const Cpu before = cpu_now();
    const LatencyRun run = measure_pairs({kind}, services_, options);
    const Cpu after = cpu_now();
    const double sent =
        options.rate * std::chrono::duration<double>(options.block).count() * static_cast<double>(options.blocks);
    result_.send_error_p50_ms = std::max(result_.send_error_p50_ms, static_cast<double>(run.send_error_p50_ns) / 1e6);
    result_.send_error_p99_ms = std::max(result_.send_error_p99_ms, static_cast<double>(run.send_error_p99_ns) / 1e6);
    properties::TimesOfBlock whole;
    for (std::size_t i = properties::warm_up_blocks; i < run.blocks.size(); ++i) {
      for (const properties::RoutePairs& route : run.blocks[i].routes) {
        whole.legacy.insert(whole.legacy.end(), route.legacy_ns.begin(), route.legacy_ns.end());
        whole.new_.insert(whole.new_.end(), route.new_ns.begin(), route.new_ns.end());
      }
    }
    if (whole.legacy.empty()) return;
    auto blocks = properties::times_of(properties::budget_of(stage, "all", "overhead_p50", "10%"), run);
    if (blocks.empty()) blocks.push_back(whole);  // too few requests for more than one
    for (const auto& [name, q] : {std::pair("p50", 0.5), std::pair("p90", 0.9), std::pair("p99", 0.99)}) {
      reports::StageFigure& figure = figure_of(stage, what, name, "ms");
      const auto of_legacy = properties::quantile(whole.legacy, q), of_new = properties::quantile(whole.new_, q);
      figure.legacy.push_back(static_cast<double>(of_legacy) / 1e6);
      figure.new_.push_back(static_cast<double>(of_new) / 1e6);
      figure.requests += static_cast<std::int64_t>(whole.legacy.size());
      if (before.legacy && after.legacy) figure.legacy_cpu_us.push_back((*after.legacy - *before.legacy) * 1e6 / sent);
      if (before.new_ && after.new_) figure.new_cpu_us.push_back((*after.new_ - *before.new_) * 1e6 / sent);
      // At the median each block is a comparison of its own; further out one takes the whole repetition.
      if (q == 0.5) {
        for (const auto& times : blocks)
          figure.log_ratios.push_back(properties::value_of(times, q, properties::Of::ratio));
      } else {
        figure.log_ratios.push_back(std::log(static_cast<double>(std::max<std::int64_t>(of_new, 1)) /
                                             static_cast<double>(std::max<std::int64_t>(of_legacy, 1))));
      }
    }
  }

  void keep_saturation(Stage stage, const SampleKind& kind) {
    if (kind.samples.empty()) return;
    PairRunOptions options = pair_options();
    options.saturation_blocks = saturation_blocks_each;
    reports::StageFigure& figure = figure_of(stage, "reads", "throughput", "requests/s");
    std::vector<double> legacy, new_;
    for (const auto& each : measure_saturation(kind, most_a_second, services_, options)) {
      if (each.legacy_per_second <= 0 || each.new_per_second <= 0) continue;
      legacy.push_back(each.legacy_per_second);
      new_.push_back(each.new_per_second);
      figure.log_ratios.push_back(std::log(each.new_per_second / each.legacy_per_second));
      figure.requests += static_cast<std::int64_t>(each.new_per_second);
    }
    if (legacy.empty()) return;
    figure.legacy.push_back(properties::median(legacy));
    figure.new_.push_back(properties::median(new_));
  }

  // Legacy's where nobody but us asks it.
  struct Cpu {
    std::optional<double> legacy, new_;
  };
  [[nodiscard]] Cpu cpu_now() const {
    Cpu cpu;
    if (alone_) cpu.legacy = cpu_seconds(config_, services_.legacy, config_.legacy.requests_path);
    cpu.new_ = cpu_seconds(config_, services_.new_, config_.alerts.path);
    return cpu;
  }

  [[nodiscard]] PairRunOptions pair_options() const {
    PairRunOptions options;
    options.rate = config_.budgets.rate;
    options.block = block;
    options.blocks = properties::warm_up_blocks +
                     std::max<std::int64_t>(
                         1, static_cast<std::int64_t>(options_.seconds / std::chrono::duration<double>(block).count()));
    options.connections = config_.budgets.connections;
    options.deadline = config_.deadline;
    options.seed = static_cast<std::uint64_t>(repetition_) + 1;
    options.turned_round = repetition_ % 2 == 1;
    options.stop = options_.stop;
    return options;
  }

  reports::StageFigure& figure_of(Stage stage, const std::string& what, const std::string& figure,
                                  const std::string& unit) {
    for (reports::StageFigure& each : result_.figures) {
      if (each.stage == name_of(stage) && each.what == what && each.figure == figure) return each;
    }
    reports::StageFigure& made = result_.figures.emplace_back();
    made.stage = name_of(stage);
    made.what = what;
    made.figure = figure;
    made.unit = unit;
    return made;
  }

  void leave_as_found() {
    if (stages_.now() != Stage::off) {
      if (!before_the_copy(stages_.now())) restore_copied();  // what the guards of the way back look at
      stages_.go_to(Stage::off);
    }
    stores_.restore_seeded();
    stores_.drop_kept();
  }

  Configuration config_;
  const replay::Plan& plan_;
  const StageBenchOptions& options_;
  StageControl stages_;
  Stores stores_;
  bool alone_;
  int repetition_ = 0;
  PairedServices services_;
  replay::History oracle_;
  reports::StageBenchmark result_;
};

}  // namespace

reports::StageBenchmark bench_stages(const Configuration& configuration, const replay::Plan& plan,
                                     const StageBenchOptions& options) {
  try {
    return StageBench(configuration, plan, options).run();
  } catch (const StageNotServed&) {
    throw Error("the services do not follow the flag; `rehearse gate` says which one stays behind");
  } catch (const Interrupted&) {
    throw Error("interrupted; nothing was written");
  }
}

}  // namespace rehearse::harness
