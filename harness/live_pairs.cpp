#include "harness/live_pairs.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include "properties/answers/path.h"
#include "replay/error.h"
#include "replay/player.h"
#include "replay/values.h"

namespace rehearse::harness {
namespace {

using Clock = std::chrono::steady_clock;
using properties::AnswerComparer;
using properties::Difference;
using replay::Record;
using replay::Step;

// Values of one service's answers that later requests use.
class MadeValues {
 public:
  explicit MadeValues(const replay::Plan& plan) {
    for (const Step& step : plan.steps) {
      for (const replay::Use& use : step.uses) wanted_.insert({use.from, use.source});
    }
  }
  void learn(const Record& record) {
    for (auto place = wanted_.lower_bound({record.step, ""}); place != wanted_.end() && place->first == record.step;
         ++place) {
      if (auto value = replay::value_at(record.response, place->second)) made_[*place] = std::move(*value);
    }
  }
  // Nothing waits and nothing is bound any more in what comes of it.
  [[nodiscard]] Step bound(Step step) const {
    replay::Request request = *step.request;
    for (const replay::Use& use : step.uses) {
      const auto made = made_.find({use.from, use.source});
      if (made != made_.end()) replay::put(request, use.at, use.value, made->second);
    }
    step.request = std::move(request);
    step.uses.clear();
    step.after.clear();
    step.overlaps = false;
    step.due_ns = 0;
    return step;
  }
  [[nodiscard]] const std::map<std::pair<replay::StepId, replay::Place>, std::string>& all() const { return made_; }

 private:
  std::set<std::pair<replay::StepId, replay::Place>> wanted_;
  std::map<std::pair<replay::StepId, replay::Place>, std::string> made_;
};

struct Pair {
  Record legacy, new_;
};

class Pairs {
 public:
  Pairs(const replay::Plan& plan, const properties::Contract& contract, const LivePairsOptions& options)
      : plan_(plan),
        contract_(contract),
        options_(options),
        target_(options.service, plan),
        random_(options.seed),
        legacy_values_(plan),
        new_values_(plan) {
    began_ns_ =
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    began_ = Clock::now();
    result_.rule_hits.assign(contract.answer_rules.size(), 0);
    for (auto [history, name, url] :
         {std::tuple(&result_.legacy, "legacy", options.legacy), std::tuple(&result_.new_, "new", options.new_)}) {
      history->name = name;
      history->target = url;
      history->began_ns = began_ns_;
    }
  }

  LivePairs run() {
    for (const std::string& url : {options_.legacy, options_.new_}) expect_playable(plan_, play_options(url));
    const auto between = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / options_.rate));
    auto next = Clock::now();
    for (const Step& step : plan_.steps) {
      next = std::max(next, Clock::now());
      if (!wait_until(next)) break;
      next += between;
      read_again(Clock::now());
      first_look(step);
      if (options_.on_progress) options_.on_progress(static_cast<std::size_t>(result_.pairs), plan_.steps.size());
    }
    while (!again_.empty() && !stopped()) {
      if (!wait_until(again_.front().due)) break;
      read_again(again_.front().due);
    }
    result_.interrupted = stopped();
    result_.unfinished = static_cast<std::int64_t>(again_.size());
    for (Waiting& waiting : again_) keep(std::move(waiting.first));
    const auto by_step = [](const auto& a, const auto& b) { return a.step < b.step; };
    for (replay::History* history : {&result_.legacy, &result_.new_}) {
      std::sort(history->records.begin(), history->records.end(), by_step);
      history->sent = static_cast<std::int64_t>(history->records.size());
      history->interrupted = result_.interrupted;
    }
    for (auto* steps : {&result_.differences, &result_.late_ones}) std::sort(steps->begin(), steps->end(), by_step);
    return std::move(result_);
  }

 private:
  struct Waiting {
    Step legacy, new_;  // the requests as they were sent
    Pair first;
    std::vector<Difference> differences;
    Clock::time_point due;
  };

  [[nodiscard]] bool stopped() const { return options_.stop != nullptr && options_.stop->load(); }

  // False when it was stopped meanwhile.
  [[nodiscard]] bool wait_until(Clock::time_point time) const {
    constexpr auto look = std::chrono::milliseconds(50);
    while (!stopped() && Clock::now() < time) std::this_thread::sleep_until(std::min(time, Clock::now() + look));
    return !stopped();
  }

  [[nodiscard]] replay::PlayOptions play_options(const std::string& url) const {
    replay::PlayOptions options;
    options.name = "pair";
    options.target = url;
    options.connect_deadline = options.deadline = options_.deadline;
    target_.apply(options);
    return options;
  }

  [[nodiscard]] Record send(Step step, const std::string& url) const {
    replay::Plan one;
    one.steps.push_back(std::move(step));
    const auto sent = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - began_).count();
    Record record = replay::play(one, play_options(url)).records.at(0);
    // Its times are on one clock with those of all other pairs.
    record.due_ns += sent;
    record.sent_ns += sent;
    record.done_ns += sent;
    return record;
  }

  [[nodiscard]] Pair send_both(const Step& legacy, const Step& new_) {
    Pair pair;
    const bool legacy_first = std::bernoulli_distribution(0.5)(random_);
    if (legacy_first) pair.legacy = send(legacy, options_.legacy);
    pair.new_ = send(new_, options_.new_);
    if (!legacy_first) pair.legacy = send(legacy, options_.legacy);
    return pair;
  }

  // The differences that no rule excuses; true in `ignored` when one was.
  std::vector<Difference> differences(const Record& expected, const Record& observed, bool& ignored, bool counted) {
    properties::Correspondence pairs;
    for (const auto& [place, value] : legacy_values_.all()) {
      const auto other = new_values_.all().find(place);
      if (other != new_values_.all().end()) pairs.add_rebound(value, other->second);
    }
    const AnswerComparer comparer(contract_, std::move(pairs), properties::day_of(began_ns_), options_.legacy,
                                  options_.new_);
    auto found = comparer.differences(expected, observed, counted ? &result_.rule_hits : nullptr);
    const auto route = replay::route_of(expected.request.method, expected.request.target);
    const properties::Windows windows{{began_ns_, began_ns_ + expected.done_ns},
                                      {began_ns_, began_ns_ + observed.done_ns}};
    if (counted) {
      for (const Difference& difference : found) ++result_.drifted[route][properties::without_indices(difference.path)];
    }
    std::erase_if(found, [&](const Difference& difference) {
      const auto rule = comparer.rules().excuse(route, difference, windows);
      if (!rule) return false;
      if (counted) ++result_.rule_hits[*rule];
      ignored = ignored || comparer.rules().rule(*rule).kind == properties::AnswerRule::Kind::ignore;
      return true;
    });
    return found;
  }

  void first_look(const Step& step) {
    ++result_.pairs;
    Step legacy = legacy_values_.bound(step), new_ = new_values_.bound(step);
    Pair pair = send_both(legacy, new_);
    legacy_values_.learn(pair.legacy);
    new_values_.learn(pair.new_);
    bool ignored = false;
    auto found = differences(pair.legacy, pair.new_, ignored, true);
    const bool answered = pair.legacy.outcome == replay::Outcome::answered;
    if (answered && found.empty()) {
      ++(ignored ? result_.ignored : result_.equal);
      return keep(std::move(pair));
    }
    again_.push_back(
        {std::move(legacy), std::move(new_), std::move(pair), std::move(found), Clock::now() + options_.pause});
  }

  void read_again(Clock::time_point now) {
    while (!again_.empty() && again_.front().due <= now) {
      Waiting waiting = std::move(again_.front());
      again_.pop_front();
      Pair pair = send_both(waiting.legacy, waiting.new_);
      classify(waiting, pair);
      keep(std::move(pair));
    }
  }

  void classify(const Waiting& waiting, const Pair& pair) {
    bool ignored = false;
    auto found = differences(pair.legacy, pair.new_, ignored, false);
    if (pair.legacy.outcome != replay::Outcome::answered) {
      ++result_.unanswered;
      return;
    }
    const bool answered_first = waiting.first.legacy.outcome == replay::Outcome::answered;
    std::vector<Difference> changed;  // by legacy itself
    if (answered_first) changed = differences(waiting.first.legacy, pair.legacy, ignored, false);
    if (found.empty()) {
      auto late = waiting.differences;
      std::erase_if(late,
                    [&](const Difference& difference) { return !answered_first || touched(changed, difference); });
      ++(late.empty() ? result_.transient : result_.late);
      if (!late.empty()) result_.late_ones.push_back({pair.legacy.step, std::move(late)});
      return;
    }
    // What legacy itself changed meanwhile says nothing of the other one; a structure that differs does.
    std::erase_if(found, [&](const Difference& difference) {
      return properties::is_of_a_value(difference.kind) &&
             std::any_of(changed.begin(), changed.end(),
                         [&](const Difference& other) { return other.path == difference.path; });
    });
    if (found.empty()) {
      ++result_.changing;
    } else {
      ++result_.lasting;
      result_.differences.push_back({pair.legacy.step, std::move(found)});
    }
  }

  // True when legacy changed something in the same place, around it or in it.
  static bool touched(const std::vector<Difference>& changed, const Difference& difference) {
    const auto place = properties::path_from(difference.path);
    const auto of_a_body = [](const std::string& path) { return path != "status" && !path.starts_with("header "); };
    return std::any_of(changed.begin(), changed.end(), [&](const Difference& other) {
      if (other.path == "status" || other.path == "answer") return true;  // then all of it is another answer
      if (other.path == "body" || difference.path == "body") return of_a_body(other.path) && of_a_body(difference.path);
      const auto path = properties::path_from(other.path);
      return place && path && (properties::covers(*path, *place) || properties::covers(*place, *path));
    });
  }

  void keep(Pair pair) {
    result_.legacy.records.push_back(std::move(pair.legacy));
    result_.new_.records.push_back(std::move(pair.new_));
  }

  const replay::Plan& plan_;
  const properties::Contract& contract_;
  const LivePairsOptions& options_;
  Target target_;
  std::mt19937_64 random_;
  MadeValues legacy_values_, new_values_;
  std::int64_t began_ns_ = 0;
  Clock::time_point began_;
  std::deque<Waiting> again_;  // in the order of their times
  LivePairs result_;
};

}  // namespace

LivePairs play_live_pairs(const replay::Plan& plan, const properties::Contract& contract,
                          const LivePairsOptions& options) {
  for (const Step& step : plan.steps) ENSURE(step.request && step.read);
  ENSURE(options.rate > 0);
  return Pairs(plan, contract, options).run();
}

}  // namespace rehearse::harness
