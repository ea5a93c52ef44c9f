#include "harness/latency/pair_run.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "harness/latency/machine.h"
#include "harness/latency/null_server.h"
#include "properties/latency/judge_latency.h"
#include "properties/latency/statistics.h"
#include "replay/error.h"
#include "replay/pace.h"
#include "replay/player.h"

namespace rehearse::harness {
namespace {

using properties::LatencyRun;
using replay::Outcome;
using replay::Record;
using replay::Step;

constexpr double null_probes_a_second = 20;
enum Side : std::int64_t { legacy_side, new_side, null_side };

constexpr auto look_for_a_stop = std::chrono::milliseconds(100);

struct Stamps {
  bool over = false, answered = false;
  int status = 0;
  std::int64_t due_ns = 0, sent_ns = 0, done_ns = 0;
};

struct Pair {
  const Sample* sample = nullptr;
  bool extra = false;
  std::size_t block = 0;
  Stamps stamps[2];
};

// Which pair and side a step of the play belongs to.
struct Part {
  std::int64_t pair;  // -1: the null probe
  Side side;
  std::int64_t due_ns;
};

bool failed(const Stamps& one, const Stamps& other) {
  if (!one.answered || one.status >= 500) return true;
  return one.status >= 400 && other.answered && other.status < 400;
}

class PairRun {
 public:
  PairRun(const std::vector<SampleKind>& kinds, const PairedServices& services, const PairRunOptions& options)
      : kinds_(kinds), services_(services), options_(options), random_(options.seed) {
    ENSURE(!kinds.empty() && options.rate > 0 && options.blocks > 0 && options.connections > 0);
    ENSURE(!services.legacy.empty() && !services.new_.empty());
    block_ns_ = std::chrono::nanoseconds(options.block).count();
    destinations_ = services.legacy;
    destinations_.insert(destinations_.end(), services.new_.begin(), services.new_.end());
    destinations_.push_back(null_.url());
    connections_ =
        static_cast<std::int64_t>(std::max({options.connections, services.legacy.size(), services.new_.size()}));
    lay_out();
    left_.assign(static_cast<std::size_t>(options.blocks), 0);
    planned_ = left_;
    for (const Pair& pair : pairs_) {
      ++left_[pair.block];
      planned_[pair.block] += pair.sample->measured;
    }
    run_.blocks.resize(left_.size());
    for (std::size_t i = 0; i < run_.blocks.size(); ++i) {
      run_.blocks[i].at_ns = static_cast<std::int64_t>(i) * block_ns_;
      run_.blocks[i].length_ns = block_ns_;
    }
  }

  LatencyRun run() {
    const Target legacy(services_.legacy_target, plan_, options_.stop),
        new_(services_.new_target, plan_, options_.stop);
    replay::PlayOptions for_legacy, options;
    legacy.apply(for_legacy);
    new_.apply(options);
    options.name = "pairs";
    options.target = destinations_.front();
    options.other_instances.assign(destinations_.begin() + 1, destinations_.end());
    options.connect_deadline = options.deadline = options_.deadline;
    options.speed = 1;
    options.stop = &over_;
    options.adapt = [this, to_legacy = for_legacy.adapt, to_new = options.adapt](const Step& step,
                                                                                 replay::Request& request) {
      const Side side = part_of(step.id).side;
      const auto& adapt = side == legacy_side ? to_legacy : to_new;
      if (adapt && side != null_side) adapt(step, request);
    };
    options.on_record = [this](Record&& record) { take(record); };
    if (options_.on_progress)
      options.on_progress = [this](std::size_t done) { options_.on_progress(done, plan_.steps.size()); };
    const StealWatch steal;
    replay::History history;
    {
      const std::jthread watcher([this](const std::stop_token& ended) { watch(ended); });
      history = replay::play(plan_, options);
    }
    const std::lock_guard lock(mutex_);
    run_.began_ns = history.began_ns;
    run_.steal_percent = steal.percent();
    run_.load = machine_load();
    run_.machine = machine_name();
    run_.scheduling = history.sender.scheduling;
    finish();
    return std::move(run_);
  }

 private:
  // -- what is sent ----------------------------------------------------------------------------------------------------

  void lay_out() {
    const double slot_ns = 1e9 / options_.rate;
    const auto count = static_cast<std::int64_t>(static_cast<double>(options_.blocks * block_ns_) / slot_ns);
    std::map<std::pair<std::size_t, Side>, std::map<replay::StepId, replay::StepId>> made;  // ids of this round
    std::int64_t probes = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::size_t kind = static_cast<std::size_t>(i) % kinds_.size();
      const auto turn = static_cast<std::size_t>(i) / kinds_.size();
      const SampleKind& from = kinds_[kind];
      const Sample& sample = from.samples[turn % from.samples.size()];
      const int round = static_cast<int>(turn / from.samples.size()) + 1;
      const auto at_ns = static_cast<std::int64_t>(static_cast<double>(i) * slot_ns);
      pairs_.push_back({&sample, from.extra, static_cast<std::size_t>(at_ns / block_ns_), {}});
      const bool new_first = std::bernoulli_distribution(0.5)(random_) != options_.turned_round;
      auto connection = i % connections_;
      if (options_.turned_round) connection = connections_ - 1 - connection;
      for (const bool second : {false, true}) {
        const Side side = new_first != second ? new_side : legacy_side;
        auto& ids = made[{kind, side}];
        if (turn % from.samples.size() == 0) ids.clear();
        add(step_of(sample, round, ids), {i, side, at_ns + (second ? static_cast<std::int64_t>(slot_ns / 2) : 0)},
            connection);
        ids[sample.step.id] = plan_.steps.back().id;
      }
      // Between two pairs, where it disturbs neither more than the other.
      while (static_cast<double>(probes) * 1e9 / null_probes_a_second <= static_cast<double>(at_ns)) {
        ++probes;
        Step probe;
        probe.read = true;
        probe.request = replay::Request{"GET", "/", {}, ""};
        add(std::move(probe), {-1, null_side, at_ns + static_cast<std::int64_t>(slot_ns * 0.75)}, 0);
      }
    }
  }

  // The request as the capture has it, with values of this round's answers of the same side.
  static Step step_of(const Sample& sample, int round, const std::map<replay::StepId, replay::StepId>& ids) {
    Step step;
    step.read = sample.step.read;
    step.keep_credentials = sample.step.keep_credentials;
    step.request = sample.step.request;
    if (round > 1 && !step.read) {  // a write with the key of the round before would not be one
      replay::Request renewed = *sample.step.request.get();
      replay::renew(renewed, round);
      step.request = std::move(renewed);
    }
    for (const replay::Use& use : sample.step.uses) {
      const auto maker = ids.find(use.from);
      if (maker == ids.end()) continue;
      step.uses.push_back(use);
      step.uses.back().from = maker->second;
      step.after.push_back({maker->second, replay::CauseKind::value});
    }
    return step;
  }

  void add(Step step, Part part, std::int64_t connection) {
    step.id = static_cast<replay::StepId>(plan_.steps.size()) + 1;
    step.lane = connection * static_cast<std::int64_t>(destinations_.size()) + destination_of(part.side, connection);
    step.due_ns = part.due_ns;
    plan_.steps.push_back(std::move(step));
    parts_.push_back(part);
  }

  // The player sends a lane to the destination of its number modulo their number.
  [[nodiscard]] std::int64_t destination_of(Side side, std::int64_t connection) const {
    const auto legacy = static_cast<std::int64_t>(services_.legacy.size()),
               new_ = static_cast<std::int64_t>(services_.new_.size());
    return side == legacy_side ? connection % legacy : side == new_side ? legacy + connection % new_ : legacy + new_;
  }

  [[nodiscard]] const Part& part_of(replay::StepId step) const { return parts_.at(static_cast<std::size_t>(step - 1)); }

  // -- what comes back -------------------------------------------------------------------------------------------------

  void take(const Record& record) {
    const Part& part = part_of(record.step);
    const std::lock_guard lock(mutex_);
    if (part.pair < 0) {
      if (record.outcome == Outcome::answered) run_.null_probe_ns.push_back(record.done_ns - part.due_ns);
      return;
    }
    send_errors_.push_back(record.sent_ns - part.due_ns);
    Pair& pair = pairs_[static_cast<std::size_t>(part.pair)];
    pair.stamps[part.side] = {
        true, record.outcome == Outcome::answered, record.response.status, part.due_ns, record.sent_ns, record.done_ns};
    if (!pair.stamps[legacy_side].over || !pair.stamps[new_side].over) return;
    keep(pair);
    if (--left_[pair.block] > 0) return;
    while (whole_ < left_.size() && left_[whole_] == 0) ++whole_;
    const auto judged = static_cast<std::int64_t>(whole_) - properties::warm_up_blocks;
    const auto looks = properties::looks_for(options_.blocks - properties::warm_up_blocks);
    const bool at_look = std::find(looks.begin(), looks.end(), judged) != looks.end();
    if (!at_look || judged == looked_at_ || !options_.decided) return;
    looked_at_ = judged;
    snapshot_ = first_blocks(whole_);
    news_.notify_one();
  }

  void keep(const Pair& pair) {
    if (!pair.sample->measured) return;
    const Stamps &legacy = pair.stamps[legacy_side], &new_ = pair.stamps[new_side];
    // What left only after its block was over was measured behind what was due in another one.
    const std::int64_t latest = static_cast<std::int64_t>(pair.block + 1) * block_ns_ + block_ns_ / 10;
    properties::RoutePairs& route = route_of(run_.blocks[pair.block], pair);
    ++route.pairs;
    route.late += legacy.sent_ns > latest || new_.sent_ns > latest;
    const bool legacy_failed = failed(legacy, new_), new_failed = failed(new_, legacy);
    route.legacy_failed += legacy_failed;
    route.new_failed += new_failed;
    route.both_failed += legacy_failed && new_failed;
    const int status = pair.sample->status,
              new_status = pair.sample->new_status != 0 ? pair.sample->new_status : status;
    if (!legacy.answered || !new_.answered || legacy.status != status || new_.status != new_status) return;
    route.legacy_ns.push_back(legacy.done_ns - legacy.sent_ns);
    route.new_ns.push_back(new_.done_ns - new_.sent_ns);
    route.legacy_response_ns.push_back(legacy.done_ns - legacy.due_ns);
    route.new_response_ns.push_back(new_.done_ns - new_.due_ns);
  }

  static properties::RoutePairs& route_of(properties::PairBlock& block, const Pair& pair) {
    const auto found = std::find_if(block.routes.begin(), block.routes.end(), [&](const properties::RoutePairs& route) {
      return route.route == pair.sample->route && route.extra == pair.extra;
    });
    if (found != block.routes.end()) return *found;
    properties::RoutePairs& route = block.routes.emplace_back();
    route.route = pair.sample->route;
    route.extra = pair.extra;
    return route;
  }

  // As a run of its own; what was begun and is not whole is left out.
  [[nodiscard]] LatencyRun first_blocks(std::size_t count) const {
    LatencyRun first = run_;
    first.blocks.resize(count);
    for (std::size_t i = 0; i < count; ++i) first.planned_pairs += planned_[i];
    describe_sending(first);
    return first;
  }

  void describe_sending(LatencyRun& run) const {
    if (!send_errors_.empty()) {
      run.send_error_p50_ns = properties::quantile(send_errors_, 0.5);
      run.send_error_p99_ns = properties::quantile(send_errors_, 0.99);
    }
    std::int64_t achieved = 0;
    for (const auto& block : run.blocks) {
      for (const auto& route : block.routes) achieved += route.pairs - route.late;
    }
    const double seconds = static_cast<double>(run.blocks.size()) * static_cast<double>(block_ns_) / 1e9;
    run.planned_rate = seconds > 0 ? 2 * static_cast<double>(run.planned_pairs) / seconds : 0;
    run.achieved_rate = seconds > 0 ? 2 * static_cast<double>(achieved) / seconds : 0;
  }

  void finish() {
    for (properties::PairBlock& block : run_.blocks)
      std::sort(block.routes.begin(), block.routes.end(),
                [](const auto& a, const auto& b) { return std::pair(a.route, a.extra) < std::pair(b.route, b.extra); });
    run_ = first_blocks(whole_);
  }

  // -- beside it -------------------------------------------------------------------------------------------------------

  // Judging takes milliseconds, which the thread that sends does not have.
  void watch(const std::stop_token& ended) {
    while (!ended.stop_requested()) {
      LatencyRun seen;
      {
        std::unique_lock lock(mutex_);
        news_.wait_for(lock, look_for_a_stop, [&] { return snapshot_.has_value(); });
        if (options_.stop != nullptr && options_.stop->load()) over_ = true;
        if (!snapshot_) continue;
        seen = std::move(*snapshot_);
        snapshot_.reset();
      }
      if (options_.decided(seen)) over_ = true;
    }
  }

  const std::vector<SampleKind>& kinds_;
  const PairedServices& services_;
  const PairRunOptions& options_;
  std::mt19937_64 random_;
  std::int64_t block_ns_ = 0, connections_ = 0;
  NullServer null_;
  std::vector<std::string> destinations_;  // legacy's instances, the new service's, the null server
  replay::Plan plan_;
  std::vector<Part> parts_;  // by step
  std::atomic<bool> over_ = false;

  std::mutex mutex_;  // of all that follows
  std::condition_variable news_;
  std::optional<LatencyRun> snapshot_;
  std::vector<Pair> pairs_;
  std::vector<std::int64_t> left_, planned_;  // pairs of each block that are not over, and all that are measured
  std::size_t whole_ = 0;                     // blocks from the first on of which every pair is over
  std::int64_t looked_at_ = -1;
  std::vector<std::int64_t> send_errors_;
  LatencyRun run_;
};

}  // namespace

LatencyRun measure_pairs(const std::vector<SampleKind>& kinds, const PairedServices& services,
                         const PairRunOptions& options) {
  return PairRun(kinds, services, options).run();
}

}  // namespace rehearse::harness
