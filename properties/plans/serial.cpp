// Serial executions of a trial: which ones are possible, how legacy is asked for one, and whether it explains what was seen.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "properties/answers/answer_comparer.h"
#include "properties/answers/path.h"
#include "properties/answers/typed_values.h"
#include "properties/checks/facts.h"
#include "properties/correspondence.h"
#include "properties/plans/faults.h"
#include "properties/plans/trial.h"
#include "replay/values.h"

namespace rehearse::properties {
namespace {

using replay::Record;
using replay::Step;
using replay::StepId;

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
// A read beside many writes is asked for in so many places at most.
constexpr std::size_t max_places = 12;

// A write that is executed at legacy, too: one that took effect, or that was answered as one that did not.
struct Item {
  StepId step = 0;
  std::int64_t sent = 0, done = 0;  // when it had an effect at the earliest and at the latest
  std::int64_t likely = 0;          // when it was committed, or answered
  std::size_t logged = unlogged;    // its place in the log of the store that answers for the data
  std::set<std::string> rows;       // that it wrote there: "orders/7"
  bool refused = false;             // it left no trace, and was answered so

  static constexpr std::size_t unlogged = std::numeric_limits<std::size_t>::max();
};

std::vector<Item> items_of(const Trial& trial, const TrialEffects& effects) {
  std::vector<Item> items;
  const std::int64_t began = trial.played.began_ns;
  for (const Effect& effect : effects.effects()) {
    if (!effect.write || effect.refused_by_stage) continue;
    const Record& record = *replay::record_of(trial.played, effect.step);
    const bool failed = record.outcome != replay::Outcome::answered || record.response.status >= 500;
    if (failed && !effect.effective.value_or(false) &&
        (record.outcome != replay::Outcome::answered || may_fail(trial, effect) || effect.straddles))
      continue;
    const bool new_store = new_store_is_authoritative(effect.stage);
    const auto& claimed = new_store ? effect.in_new : effect.in_legacy;
    const auto& log = new_store ? trial.new_ : trial.legacy;
    Item item;
    item.step = effect.step;
    item.sent = began + record.sent_ns;
    item.done = item.likely = began + record.done_ns;
    if (!claimed.empty()) {
      if (!effect.ambiguous) item.logged = claimed.front();
      for (const std::size_t t : claimed)
        for (const LoggedWrite& write : (new_store ? trial.new_writes : trial.legacy_writes).writes)
          if (write.transaction == log.transactions[t].transaction) item.rows.insert(write.entity + "/" + write.key);
      item.likely = log.transactions[claimed.front()].at_ns;
    }
    item.refused = claimed.empty() && record.outcome == replay::Outcome::answered && record.response.status >= 400 &&
                   record.response.status < 500;
    // What was given up may take effect later: a service that stood still goes on with what it was sent.
    if (record.outcome == replay::Outcome::lost && claimed.empty()) item.done = never;
    if (failed && !claimed.empty()) item.done = std::max(item.done, item.likely);
    items.push_back(item);
  }
  std::stable_sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.likely < b.likely; });
  return items;
}

// Linear extensions of "was answered before the other was sent" and of "was committed before the other in a row", the likeliest first:
// by commits, and by answers of what left no trace in the log.
class Extensions {
 public:
  Extensions(std::vector<Item> items, std::size_t limit, bool by_log)
      : items_(std::move(items)), limit_(limit), by_log_(by_log) {}

  Orders all() {
    taken_.assign(items_.size(), false);
    extend();
    return std::move(result_);
  }

 private:
  void extend() {
    if (result_.orders.size() >= limit_) {
      result_.more = true;
      return;
    }
    if (order_.size() == items_.size()) {
      result_.orders.push_back(order_);
      return;
    }
    for (std::size_t i = 0; i < items_.size() && !result_.more; ++i) {
      if (taken_[i]) continue;
      const bool first = std::none_of(items_.begin(), items_.end(), [&](const Item& other) {
        const auto k = static_cast<std::size_t>(&other - items_.data());
        return !taken_[k] && k != i && (other.done < items_[i].sent || (by_log_ && committed_before(other, items_[i])));
      });
      if (!first) continue;
      taken_[i] = true;
      order_.push_back(items_[i].step);
      extend();
      order_.pop_back();
      taken_[i] = false;
    }
  }

  // In the log, and of a row that the other wrote, too: writes of different rows may take effect in either order, as the numbers that
  // a sequence gave them may show.
  static bool committed_before(const Item& a, const Item& b) {
    if (a.logged == Item::unlogged || b.logged == Item::unlogged || a.logged >= b.logged) return false;
    return std::any_of(a.rows.begin(), a.rows.end(), [&](const std::string& row) { return b.rows.contains(row); });
  }

  std::vector<Item> items_;
  std::size_t limit_;
  bool by_log_;
  std::vector<bool> taken_;
  std::vector<StepId> order_;
  Orders result_;
};

const Step* step_of(const replay::Plan& plan, StepId id) {
  const auto found =
      std::find_if(plan.steps.begin(), plan.steps.end(), [&](const Step& step) { return step.id == id; });
  return found == plan.steps.end() ? nullptr : &*found;
}

// Whether the trial's own answer gave the value: what made it may have been done, and its answer lost.
bool was_given(const Trial& trial, const replay::Use& use) {
  const Record* producer = replay::record_of(trial.played, use.from);
  return producer != nullptr && producer->outcome == replay::Outcome::answered &&
         replay::value_at(producer->response, use.source).has_value();
}

// When a write first failed half done: legacy took it and the store that answers for the data did not, because that was broken. An
// alert names it and somebody will repair it; until then legacy refuses or takes what comes by a state that nobody else sees, and no
// serial execution can be asked for.
std::int64_t in_doubt_from(const Trial& trial, const TrialEffects& effects) {
  std::int64_t from = never;
  for (const Effect& effect : effects.effects()) {
    const Record& record = *replay::record_of(trial.played, effect.step);
    const bool failed = record.outcome != replay::Outcome::answered || record.response.status >= 500;
    if (effect.write && failed && effect.stage == Stage::live && !effect.in_legacy.empty() && effect.in_new.empty() &&
        may_fail(trial, effect))
      from = std::min(from, record.sent_ns);
  }
  return from;
}

std::string shown(const std::string& text) { return text.empty() ? "nothing" : text; }

}  // namespace

bool excused(const Trial& trial, const Volatile& noise, const std::string& route, const Difference& difference) {
  if (!is_of_a_value(difference.kind)) return false;
  const auto paths = noise.answers.find(route);
  if (paths == noise.answers.end() || !paths->second.contains(without_indices(difference.path))) return false;
  const auto plain = [](std::string_view text) {
    return text.size() >= 2 && text.front() == '"' && text.back() == '"' ? text.substr(1, text.size() - 2) : text;
  };
  const auto expected = moment_in(plain(difference.expected)), observed = moment_in(plain(difference.observed));
  // A number that could be one is none for that alone: an ETag may be all digits.
  const bool dated = difference.expected.find_first_of("-:") != std::string::npos;
  if (!expected || !dated) return true;
  if (!observed) return false;
  std::int64_t last = 0;
  for (const Record& record : trial.played.records) last = std::max(last, record.done_ns);
  return Window{trial.played.began_ns, trial.played.began_ns + last}.holds(*observed);
}

Orders possible_orders(const Contract& contract, const Trial& trial, std::size_t limit, Refusals refusals) {
  const TrialEffects effects(contract, trial);
  auto items = items_of(trial, effects);
  if (refusals == Refusals::anywhere) std::erase_if(items, [](const Item& item) { return item.refused; });
  Orders orders = Extensions(items, limit, true).all();
  // An acknowledged write that was committed behind a later one of its row has no such place; then real time alone decides.
  return orders.orders.empty() ? Extensions(std::move(items), limit, false).all() : orders;
}

bool refused_everywhere(const SerialRun& run) {
  const std::set<StepId> ordered(run.order.begin(), run.order.end());
  return std::all_of(run.history.records.begin(), run.history.records.end(), [&](const Record& record) {
    return record.read || ordered.contains(record.step) || record.outcome != replay::Outcome::answered ||
           record.response.status >= 400;
  });
}

SerialPlan serial_plan(const Contract& contract, const Trial& trial, const std::vector<StepId>& order) {
  const TrialEffects effects(contract, trial);
  const auto items = items_of(trial, effects);
  std::map<StepId, std::pair<std::int64_t, std::int64_t>> times;
  for (const Item& item : items) times[item.step] = {item.sent, item.done};

  struct Read {
    const Record* record;
    std::size_t low, high;
  };
  std::vector<Read> reads;
  const std::int64_t began = trial.played.began_ns;
  for (const Effect& effect : effects.effects()) {
    const Record* record = replay::record_of(trial.played, effect.step);
    const bool failed = record->outcome != replay::Outcome::answered || record->response.status >= 500;
    // A refusal that has no place in the order stands in every place that real time allows, as a read does.
    const bool ordered = std::find(order.begin(), order.end(), effect.step) != order.end();
    const bool refusal = effect.write && !effect.refused_by_stage && !failed && record->response.status >= 400 &&
                         !ordered &&
                         (new_store_is_authoritative(effect.stage) ? effect.in_new : effect.in_legacy).empty();
    if ((effect.write && !refusal) || (failed && (may_fail(trial, effect) || effect.straddles)) ||
        record->outcome != replay::Outcome::answered)
      continue;
    Read read{record, 0, order.size()};
    for (std::size_t w = 0; w < order.size(); ++w) {
      const auto& [sent, done] = times.at(order[w]);
      if (done < began + record->sent_ns) read.low = std::max(read.low, w + 1);
      if (sent > began + record->done_ns) read.high = std::min(read.high, w);
    }
    if (read.low > read.high) read.low = read.high;
    if (read.high - read.low >= max_places) read.low = read.high - max_places + 1;
    reads.push_back(read);
  }
  std::stable_sort(reads.begin(), reads.end(),
                   [](const Read& a, const Read& b) { return a.record->sent_ns < b.record->sent_ns; });

  SerialPlan result;
  std::map<StepId, StepId> now;  // step of the trial → the last one here that stands for it
  const auto add = [&](StepId id, std::size_t position) {
    const Step* original = step_of(trial.plan, id);
    Step step = *original;
    step.id = static_cast<StepId>(result.plan.steps.size()) + 1;
    step.lane = 1;
    step.after.clear();
    if (!result.plan.steps.empty()) step.after.push_back({step.id - 1, replay::CauseKind::hand});
    const bool bound = std::all_of(step.uses.begin(), step.uses.end(), [&](const replay::Use& use) {
      return now.contains(use.from) && was_given(trial, use);
    });
    if (bound) {
      for (replay::Use& use : step.uses) use.from = now.at(use.from);
    } else {
      // What made the value is not executed here, or its answer was lost then: it is sent as it went out.
      step.uses.clear();
      step.request = replay::record_of(trial.played, id)->request;
    }
    now[id] = step.id;
    result.plan.steps.push_back(std::move(step));
    result.steps.push_back(id);
    result.positions.push_back(position);
  };
  for (std::size_t position = 0; position <= order.size(); ++position) {
    for (const Read& read : reads)
      if (read.low <= position && position <= read.high) add(read.record->step, position);
    if (position < order.size()) add(order[position], position);
  }
  return result;
}

Explanation explain(const Contract& contract, const Trial& trial, const SerialRun& run, const Volatile& noise) {
  Explanation explanation;
  const std::set<StepId> writes(run.order.begin(), run.order.end());
  // The writes alone say which identifiers stand for each other; a read may stand in many places.
  replay::History made = run.history;
  made.records.clear();
  std::map<StepId, std::vector<std::size_t>> places;
  for (std::size_t i = 0; i < run.history.records.size(); ++i) {
    const StepId step = run.history.records[i].step;
    places[step].push_back(i);
    if (writes.contains(step)) made.records.push_back(run.history.records[i]);
  }
  std::sort(made.records.begin(), made.records.end(), [](const Record& a, const Record& b) { return a.step < b.step; });
  const AnswerComparer comparer(contract, correspondence(made, {&trial.played}), day_of(trial.played.began_ns),
                                run.history.target, trial.played.target);
  const auto differences = [&](const Record& expected, const Record& observed) {
    auto found = comparer.differences(expected, observed);
    const auto route = replay::route_of(expected.request.method, expected.request.target);
    const Windows windows{{run.history.began_ns, run.history.began_ns + expected.done_ns},
                          {trial.played.began_ns, trial.played.began_ns + observed.done_ns}};
    std::erase_if(found, [&](const Difference& difference) {
      return excused(trial, noise, route, difference) ||
             comparer.rules().excuse(route, difference, windows).has_value();
    });
    return found;
  };
  const auto contradict = [&](const Record& expected, const Record& observed, const std::vector<Difference>& found) {
    const Difference& first = found.front();
    explanation.contradictions.push_back(
        {observed.step,
         fmt::format("legacy alone answers {} {} with {} = {}", expected.request.method, expected.request.target,
                     first.path, shown(first.expected)),
         fmt::format("step {} was answered with {} = {}{}", observed.step,
                     first.observed_path.empty() ? first.path : first.observed_path, shown(first.observed),
                     found.size() > 1 ? fmt::format(" (and {} more differences)", found.size() - 1) : "")});
  };

  // Reads in the order in which they were sent: each takes the earliest place that explains it and is not before that of a read
  // which had been answered when it was sent. Earlier is never worse for those behind it.
  struct Placed {
    std::int64_t done;
    std::size_t position;
  };
  const TrialEffects effects(contract, trial);
  const std::int64_t in_doubt = in_doubt_from(trial, effects);
  std::vector<Placed> placed;
  std::vector<const Record*> observed;
  for (const Record& record : trial.played.records)
    if (places.contains(record.step) && record.done_ns < in_doubt) observed.push_back(&record);
  std::stable_sort(observed.begin(), observed.end(),
                   [](const Record* a, const Record* b) { return a->sent_ns < b->sent_ns; });
  for (const Record* record : observed) {
    ++explanation.answers;
    const auto& here = places.at(record->step);
    if (writes.contains(record->step)) {
      const Record& expected = run.history.records[here.front()];
      if (record->outcome != replay::Outcome::answered) continue;  // nobody saw an answer
      // It took effect and its acknowledgement was lost on the way: the client was told of a failure that is permitted.
      if (record->response.status >= 500 && may_fail(trial, *effects.of(record->step))) continue;
      const auto found = differences(expected, *record);
      if (!found.empty()) contradict(expected, *record, found);
      continue;
    }
    std::size_t earliest = 0;
    for (const Placed& other : placed)
      if (other.done < record->sent_ns) earliest = std::max(earliest, other.position);
    const Record* nearest = nullptr;
    std::vector<Difference> of_nearest;
    bool explained = false;
    for (const std::size_t i : here) {
      const Record& expected = run.history.records[i];
      auto found = differences(expected, *record);
      if (found.empty() && run.position[i] >= earliest) {
        placed.push_back({record->done_ns, run.position[i]});
        explained = true;
        break;
      }
      if (nearest == nullptr || (!found.empty() && (of_nearest.empty() || found.size() < of_nearest.size()))) {
        nearest = &expected;
        of_nearest = std::move(found);
      }
    }
    if (explained || nearest == nullptr) continue;
    if (of_nearest.empty()) {
      explanation.contradictions.push_back(
          {record->step, "a read that was sent behind the end of another one shows the same state or a later one",
           fmt::format("step {} ({}) shows an earlier one", record->step, record->request.target)});
    } else {
      contradict(*nearest, *record, of_nearest);
    }
  }
  if (in_doubt != never) return explanation;
  explanation.rows = run.state.rows_left;
  for (const RowDifference& row : run.state.rows)
    explanation.contradictions.push_back(
        {0, "the writes that took effect, executed at legacy alone, give another final state",
         in_words(run.state, row)});
  return explanation;
}

}  // namespace rehearse::properties
