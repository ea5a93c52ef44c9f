#include "properties/plans/drawing.h"

#include <fmt/format.h>
#include <rapidcheck/Random.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "properties/plans/odd_values.h"
#include "replay/values.h"

namespace rehearse::properties {
namespace {

using replay::Cause;
using replay::CauseKind;
using replay::Plan;
using replay::Request;
using replay::Step;
using replay::StepId;

// The random choices of a plan, from RapidCheck's generator: the same seed gives the same plan on every machine.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}

  // In [0, n). REQUIRES: n > 0.
  [[nodiscard]] std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_.next() % n); }
  // In [low, high].
  [[nodiscard]] std::size_t between(std::size_t low, std::size_t high) { return low + below(high - low + 1); }
  // True in `percent` of a hundred.
  [[nodiscard]] bool percent(std::size_t percent) { return below(100) < percent; }
  template <class T>
  [[nodiscard]] const T& of(const std::vector<T>& choices) {
    return choices[below(choices.size())];
  }
  // An index, as often as its weight says. REQUIRES: a weight is above 0.
  [[nodiscard]] std::size_t weighted(const std::vector<double>& weights) {
    double sum = 0;
    for (const double weight : weights) sum += weight;
    double at = sum * (static_cast<double>(random_.next() >> 11) / 9007199254740992.0);
    for (std::size_t i = 0; i + 1 < weights.size(); ++i) {
      if (at < weights[i]) return i;
      at -= weights[i];
    }
    for (std::size_t i = weights.size(); i-- > 0;)
      if (weights[i] > 0) return i;
    return 0;
  }

 private:
  rc::Random random_;
};

constexpr std::string_view key_header = "header:Idempotency-Key";
constexpr std::string_view conditional = "header:If-";
// A gate holds a write at most so long: shorter than what services allow their databases, so that nothing fails for it alone; beside a
// flip, which takes the propagation bound to spread, longer than that and shorter than what they allow each other.
constexpr std::string_view held_beside_a_write = "100ms", held_beside_a_flip = "1500ms",
                           held_beside_a_short_flip = "120ms";
constexpr int tries_for_a_gate = 24;

// The first mark in the text, "~12~".
std::string mark_in(std::string_view text) {
  for (auto at = text.find('~'); at != std::string_view::npos; at = text.find('~', at + 1)) {
    const auto end = text.find_first_not_of("0123456789", at + 1);
    if (end != std::string_view::npos && end > at + 1 && text[end] == '~')
      return std::string(text.substr(at, end + 1 - at));
  }
  return {};
}

// Something that a step of the plan may create, and how its name is taken from the answer.
struct Handle {
  StepId step = 0;
  replay::Place source;
  std::int64_t lane = 0;  // 0: every lane may name it
};

class Drawing {
 public:
  Drawing(const Catalogue& catalogue, const DrawingOptions& options, const MetSoFar& met, std::uint64_t seed)
      : catalogue_(catalogue), options_(options), met_(met), dice_(seed) {}

  Plan draw() {
    choose_way();
    choose_swarm();
    cue(cue_of(world_at(way_.front())));
    const std::size_t phases = way_.size();  // one before each flip, one behind the last
    const std::size_t concurrent_phase = lanes_ > 1 ? choose_concurrent_phase() : phases;
    const std::size_t fault_phase = choose_fault();
    for (std::size_t phase = 0; phase < phases; ++phase) {
      stage_ = way_[phase];
      // Whoever enters read-only copies, also when the way goes back to off; and a copy of a copy changes nothing.
      if (stage_ == Stage::read_only && dice_.percent(15)) copy(fmt::format("copy cut {}ms", dice_.between(1, 40)));
      if (stage_ == Stage::read_only && dice_.percent(40)) copy("copy");
      if (stage_ == Stage::read_only && dice_.percent(8)) copy("copy");
      if (phase == fault_phase) {
        draw_steps(dice_.between(1, 3));  // something to be broken with
        cue(fault_->first);
      }
      const bool straddled = phase + 1 < phases && phase == concurrent_phase && dice_.percent(75);
      const std::size_t size = std::max<std::size_t>(1, options_.operations / phases);
      const bool altered = fault_ && fault_->first.starts_with("alter ");
      if (phase == fault_phase && (fault_->first.starts_with("wire ") || dice_.percent(70)) &&
          fault_->first != "kill new" && !altered)
        draw_write();
      // What a client gave up goes on beside the next requests; legacy itself may serialise such writes in no order at all.
      if (phase == fault_phase && fault_->first.starts_with("wire client: hang up")) cue("wait 60ms");
      // Only what changes something that was there shows that it was altered.
      for (int i = 0; phase == fault_phase && altered && i < 4; ++i) draw_change();
      if (phase == fault_phase && fault_->first == "kill new") {
        draw_steps(dice_.between(0, 1));  // nobody answers
        end_fault();
      }
      if (phase == fault_phase && phase != concurrent_phase) {
        // Each may take as long as a deadline.
        const bool waits = fault_->first.ends_with("hung") || fault_->first.starts_with("pause");
        draw_steps(dice_.between(1, waits ? 2 : 4));
      } else if (phase == concurrent_phase) {
        draw_steps(dice_.between(0, 2));
        draw_lanes(straddled ? std::optional(way_[phase + 1]) : std::nullopt, way_[phase]);
      } else {
        draw_steps(dice_.between(std::max<std::size_t>(1, size / 2), size + size / 2));
      }
      if (options_.longest_way > 0 && dice_.percent(4)) jump(way_[phase]);
      // What is broken while the flag moves is a plan of its own kind; mostly it is mended before.
      if (phase == fault_phase && (phase + 1 == phases || dice_.percent(80))) end_fault();
      if (phase + 1 < phases && !straddled) move(way_[phase], way_[phase + 1]);
      if (phase + 1 < phases && straddled) arrive(way_[phase], way_[phase + 1]);
    }
    end_fault();
    read_back();
    return std::move(plan_);
  }

 private:
  // -- what takes part -------------------------------------------------------------------------------------------------

  [[nodiscard]] double deficit(Stage from, Stage to) const { return met_.want(edge_name({from, to})); }

  void choose_way() {
    std::vector<double> weights;
    for (const Stage stage : options_.begins) {
      // Where both databases are written there is most to break; where only one is, there is nothing that could differ.
      const bool both = stage == Stage::shadow || stage == Stage::live;
      double weight = options_.with_flips == 0 ? (both ? 6 : stage == Stage::completed ? 3 : 1) : 0.2;
      for (const Stage next : all_stages)
        if (legal(stage, next)) weight += deficit(stage, next);
      weights.push_back(weight);
    }
    way_ = {options_.begins[dice_.weighted(weights)]};
    if (options_.longest_way == 0 || !dice_.percent(options_.with_flips)) return;
    // Half of the ways are one edge, one in ten goes as far as it may: the whole way up and down is eight.
    const std::size_t edges = dice_.percent(50)   ? 1
                              : dice_.percent(20) ? options_.longest_way
                                                  : dice_.between(1, std::min<std::size_t>(3, options_.longest_way));
    for (std::size_t i = 0; i < edges; ++i) {
      std::vector<Stage> next;
      weights.clear();
      for (const Stage stage : all_stages) {
        if (!legal(way_.back(), stage) || (way_.back() == Stage::completed && !options_.copy_back)) continue;
        next.push_back(stage);
        // Going on is likelier than going back and forth.
        const bool back = way_.size() > 1 && way_[way_.size() - 2] == stage;
        weights.push_back(deficit(way_.back(), stage) * (back ? 0.5 : 1));
      }
      if (next.empty()) break;
      way_.push_back(next[dice_.weighted(weights)]);
    }
  }

  // The flip that lanes have straddled least.
  [[nodiscard]] std::size_t choose_concurrent_phase() {
    std::vector<double> weights;
    for (std::size_t phase = 0; phase < way_.size(); ++phase)
      weights.push_back(0.2 +
                        (phase + 1 < way_.size() ? met_.want(straddled_name({way_[phase], way_[phase + 1]})) : 0) +
                        met_.want(in_stage("lanes", way_[phase])));
    return dice_.weighted(weights);
  }

  // A fault, and the phase in which it begins; behind the last phase when there is none.
  [[nodiscard]] std::size_t choose_fault() {
    if (!options_.faults || options_.fault_cues.empty() || !dice_.percent(options_.with_fault)) return way_.size();
    std::vector<double> weights;
    std::vector<std::pair<std::size_t, std::size_t>> choices;  // phase, fault
    for (std::size_t phase = 0; phase < way_.size(); ++phase) {
      for (std::size_t f = 0; f < options_.fault_cues.size(); ++f) {
        const auto what = in_stage(options_.fault_cues[f].first, way_[phase]);
        choices.emplace_back(phase, f);
        // What is no obligation is tried, too, and seldom: a fault of the new database in off is one more proof that it is not needed.
        const double want = met_.times.contains(what) ? met_.want(what) : 0;
        // Where everybody waits for a deadline, a plan takes as long as twenty others.
        const bool waits =
            options_.fault_cues[f].first.ends_with("hung") || options_.fault_cues[f].first.starts_with("pause");
        weights.push_back((0.1 + 2 * want * want) * (waits ? 0.3 : 1));
        const bool for_good = options_.fault_cues[f].second.empty();  // nothing mends it: no flip can come behind it
        if (!says_something(options_.fault_cues[f].first, way_[phase]) || (for_good && phase + 1 < way_.size()))
          weights.back() = 0;
      }
    }
    if (std::all_of(weights.begin(), weights.end(), [](double weight) { return weight == 0; })) return way_.size();
    const auto [phase, chosen] = choices[dice_.weighted(weights)];
    fault_ = options_.fault_cues[chosen];
    return phase;
  }

  // Each plan leaves some of it out: what is left meets itself more often.
  void choose_swarm() {
    const std::size_t left_out = dice_.below(70);
    std::vector<const Operation*> writes, reads;
    for (const Operation& operation : catalogue_.operations) (operation.read ? reads : writes).push_back(&operation);
    const auto thin = [&](std::vector<const Operation*> all) {
      std::vector<const Operation*> kept;
      for (const Operation* operation : all)
        if (!dice_.percent(left_out)) kept.push_back(operation);
      return kept.empty() && !all.empty() ? std::vector{dice_.of(all)} : kept;
    };
    writes_ = thin(writes);
    reads_ = thin(reads);
    lanes_ = options_.lanes > 1 && dice_.percent(options_.with_lanes) ? dice_.between(2, options_.lanes) : 1;
    odd_percent_ = options_.odd_values && dice_.percent(50) ? dice_.between(10, 70) : 0;
  }

  // One to three values of a sort, which the whole plan works on.
  const std::vector<std::string>& hot(const Sort& sort) {
    auto [at, first] = hot_.try_emplace(sort);
    if (first) {
      const auto values = catalogue_.values.find(sort);
      if (values != catalogue_.values.end() && !values->second.seen.empty())
        for (std::size_t i = dice_.between(1, 3); i > 0; --i) at->second.push_back(dice_.of(values->second.seen));
    }
    return at->second;
  }

  // -- steps -----------------------------------------------------------------------------------------------------------

  Step& add(Step step) {
    step.id = ++last_id_;
    plan_.steps.push_back(std::move(step));
    return plan_.steps.back();
  }

  // At rest: behind everything, and everything is behind it.
  void cue(const std::string& text) {
    Step step;
    step.cue = text;
    for (const StepId end : ends_) step.after.push_back({end, CauseKind::hand});
    ends_ = {add(std::move(step)).id};
  }

  // Nobody copies while something is broken: it would wait for as long as a copy may take.
  void copy(const std::string& text) {
    end_fault();
    cue(text);
  }

  void end_fault() {
    if (!fault_ || fault_ended_) return;
    const bool begun = std::any_of(plan_.steps.begin(), plan_.steps.end(),
                                   [&](const Step& step) { return step.cue == fault_->first; });
    if (!begun) return;
    if (!fault_->second.empty()) cue(fault_->second);
    fault_ended_ = true;
  }

  void before_flip(Stage from, Stage to) {
    if (from == Stage::read_only && to == Stage::shadow && !dice_.percent(4)) copy("copy");
    if (from == Stage::completed && to == Stage::live && !dice_.percent(4)) copy("copy back");
  }
  void arrive(Stage from, Stage to) {
    cue("settle");
    if (from == Stage::completed && to == Stage::live) copy("copy back");
  }
  void move(Stage from, Stage to) {
    before_flip(from, to);
    const bool can_be_killed = std::any_of(options_.fault_cues.begin(), options_.fault_cues.end(),
                                           [](const auto& f) { return f.first == "kill new"; });
    if (options_.with_fault > 0 && can_be_killed && dice_.percent(5)) {
      // It ends while the flag moves, and finds another one when it comes back.
      cue(cue_of(set_to(to)));
      if (dice_.percent(50)) cue(fmt::format("wait {}ms", dice_.between(1, 40)));
      cue("kill new");
      cue("start new");
    }
    cue(cue_of(flip_to(to)));
    if (dice_.percent(20)) cue("settle");
    if (from == Stage::completed && to == Stage::live) copy("copy back");
  }

  // The flag says what no edge leads to, and the next request must not notice.
  void jump(Stage now) {
    std::vector<Stage> illegal;
    for (const Stage stage : all_stages)
      if (stage != now && !legal(now, stage)) illegal.push_back(stage);
    cue(cue_of(set_to(dice_.of(illegal))));
    cue("wait 60ms");
    draw_steps(dice_.between(1, 2));
    cue(cue_of(set_to(now)));
    cue("wait 60ms");
  }

  void draw_steps(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      Step step = draw_step(0);
      step.lane = 1;
      for (const StepId end : ends_) step.after.push_back({end, CauseKind::hand});
      ends_ = {add(std::move(step)).id};
    }
  }

  // A write that most likely is taken, for a rule that waits for one.
  void draw_write() {
    if (writes_.empty()) return;
    std::vector<const Operation*> creating;
    for (const Operation* operation : writes_)
      if (!operation->makes.empty()) creating.push_back(operation);
    add_behind(step_of(*dice_.of(creating.empty() ? writes_ : creating), 0), 1, ends_);
  }
  void draw_change() {
    std::vector<const Operation*> changing;
    for (const Operation* operation : writes_)
      if (operation->makes.empty()) changing.push_back(operation);
    if (!changing.empty()) add_behind(step_of(*dice_.of(changing), 0), 1, ends_);
  }
  void add_behind(Step step, std::int64_t lane, std::vector<StepId>& ends) {
    step.lane = lane;
    for (const StepId end : ends) step.after.push_back({end, CauseKind::hand});
    ends = {add(std::move(step)).id};
  }
  void cue_behind(const std::string& text, std::vector<StepId>& ends) {
    Step step;
    step.cue = text;
    add_behind(std::move(step), 0, ends);
  }

  // Two writes of the same thing: one is held on its way to a store until the other has been answered, or until the flag has moved.
  struct Gate {
    std::string wire, mark;
    Step held, other;
    bool shortly = false;  // a service gives up what is hidden from its clients sooner than it takes a flip to spread
  };
  std::optional<Gate> draw_gate(std::optional<Stage> flip) {
    // Beside a flip: on the way to the store that answers for the data, where a service waits longest; between the two stages that
    // write both, on the way to the other one, and then shortly.
    const bool dual = stage_ == Stage::shadow || stage_ == Stage::live;
    const bool both = dual && flip && (*flip == Stage::shadow || *flip == Stage::live) && dice_.percent(50);
    const bool to_new = both || stage_ == Stage::completed || (!flip && dual);
    const std::string wire = to_new ? "new-database" : "legacy";
    if ((!flip && !to_new) || stage_ == Stage::read_only || !options_.wires.contains(wire) || !dice_.percent(80))
      return std::nullopt;
    std::vector<const Operation*> changing;
    for (const Operation* operation : writes_)
      if (operation->makes.empty()) changing.push_back(operation);
    if (changing.empty()) return std::nullopt;
    const auto odd = std::exchange(odd_percent_, 0);  // what is refused never comes to the wire
    std::optional<Gate> gate;
    for (int tried = 0; tried < tries_for_a_gate && !gate; ++tried) {
      const Operation& operation = *dice_.of(changing);
      Step step = step_of(operation, 1);
      Request request = *step.request;
      const std::string mark = mark_in(request.body);
      if (mark.empty()) continue;
      for (const std::string_view name : {"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since"})
        replay::erase_field(request.headers, name);
      step.request = request;
      Step other = step;
      if (dice_.percent(50)) {
        // Another change of the same thing: what one of them has read is old when it writes.
        Step drawn = step_of(operation, 1);
        Request changed = *drawn.request;
        changed.target = request.target;
        for (const std::string_view name : {"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since"})
          replay::erase_field(changed.headers, name);
        drawn.request = changed;
        std::erase_if(drawn.uses, [](const replay::Use& use) { return use.at.starts_with("path:"); });
        for (const replay::Use& use : step.uses)
          if (use.at.starts_with("path:")) drawn.uses.push_back(use);
        gate = Gate{wire, mark, step, std::move(drawn), both};
        continue;
      }
      request.body.replace(request.body.find(mark), mark.size(), mark_of(++marks_));
      if (replay::field(request.headers, "Idempotency-Key"))
        replay::set_field(request.headers, "Idempotency-Key", fmt::format("key{}", mark_of(++marks_)));
      other.request = request;
      gate = Gate{wire, mark, step, other, both};
    }
    odd_percent_ = odd;
    return gate;
  }

  // Lanes that work on the same keys at the same time; the flag moves beside them when `flip` says so.
  void draw_lanes(std::optional<Stage> flip, Stage from) {
    if (flip) before_flip(from, *flip);
    // The way back from completed is two copies and a flip between them. What is written before the second one meets a legacy that is
    // behind, and no policy that writes legacy first can answer for it.
    const bool catching_up = flip && from == Stage::completed && *flip == Stage::live;
    reads_only_ = catching_up && !reads_.empty();
    draw_beside(flip, catching_up);
    reads_only_ = false;
  }
  void draw_beside(std::optional<Stage> flip, bool catching_up) {
    if (auto gate = draw_gate(flip)) return draw_gated(*gate, flip, catching_up);
    const std::vector<StepId> before = ends_;
    std::vector<StepId> ends;
    for (std::size_t lane = 1; lane <= lanes_; ++lane) {
      std::vector<StepId> last = before;
      for (std::size_t i = dice_.between(1, 4); i > 0; --i) {
        Step step = draw_step(static_cast<std::int64_t>(lane));
        step.lane = static_cast<std::int64_t>(lane);
        for (const StepId end : last) step.after.push_back({end, CauseKind::hand});
        last = {add(std::move(step)).id};
      }
      ends.insert(ends.end(), last.begin(), last.end());
    }
    if (flip) {
      std::vector<StepId> last = before;
      const auto then = [&](const std::string& text) {
        Step step;
        step.cue = text;
        for (const StepId end : last) step.after.push_back({end, CauseKind::hand});
        last = {add(std::move(step)).id};
      };
      if (dice_.percent(70)) then(fmt::format("wait {}ms", dice_.between(1, 25)));
      then(cue_of(set_to(*flip)));
      ends.insert(ends.end(), last.begin(), last.end());
    }
    ends_ = std::move(ends);
    for (auto& [sort, handles] : handles_)
      for (Handle& handle : handles) handle.lane = 0;
    if (flip) cue(cue_of(flip_to(*flip)));  // waits until it is served
  }

  void draw_gated(Gate& gate, std::optional<Stage> flip, bool catching_up) {
    // Many services lock the row before they change it: then only who is held as its transaction begins can be overtaken.
    const bool at_begin = gate.shortly || (!flip && dice_.percent(50));
    cue_behind(fmt::format("wire {}: hold {} at most {}", gate.wire,
                           at_begin ? "\"BEGIN\"" : fmt::format("write \"{}\"", gate.mark),
                           !flip          ? held_beside_a_write
                           : gate.shortly ? held_beside_a_short_flip
                                          : held_beside_a_flip),
               ends_);
    std::vector<StepId> held = ends_, other = ends_;
    add_behind(std::move(gate.held), 1, held);
    cue_behind(fmt::format("wire {}: await", gate.wire), other);
    if (flip) {
      cue_behind(cue_of(set_to(*flip)), other);
      cue_behind(gate.shortly ? "wait 30ms" : "settle", other);
      if (!catching_up && (gate.shortly || dice_.percent(50))) add_behind(std::move(gate.other), 2, other);
    } else {
      add_behind(std::move(gate.other), 2, other);
    }
    cue_behind(fmt::format("wire {}: release", gate.wire), other);
    ends_ = {held.back(), other.back()};
    if (flip) cue(cue_of(flip_to(*flip)));  // waits until it is served
    cue("mend");
  }

  // Creates first, then what works on what was created, and reads in between.
  const Operation& choose_operation() {
    const bool read =
        writes_.empty() || reads_only_ || (!reads_.empty() && dice_.percent(plan_.steps.size() < 3 ? 10 : 35));
    const auto& among = read ? reads_ : writes_;
    std::vector<double> weights;
    for (const Operation* operation : among) {
      const bool creates = !operation->makes.empty();
      bool usable = false;
      for (const auto& slot : operation->samples.front().slots) usable |= handles_.contains(slot.sort);
      weights.push_back((creates && handles_.empty() ? 3
                         : usable                    ? 2
                                                     : 1) *
                        (0.3 + met_.want(in_stage(operation->name, stage_))));
    }
    return *among[dice_.weighted(weights)];
  }

  Step draw_step(std::int64_t lane) {
    // A client that heard nothing sends the same once more, with the same key.
    if (!repeatable_.empty() && !reads_only_ && dice_.percent(6)) {
      const std::size_t again = dice_.below(repeatable_.size());
      if (repeatable_[again].second == 0 || repeatable_[again].second == lane) {
        Step copy = repeatable_[again].first;
        copy.after.clear();
        return copy;
      }
    }
    // What was read is read again: it may have been written since.
    if (!readable_.empty() && dice_.percent(15)) {
      const auto& [read, of_lane] = readable_[dice_.below(readable_.size())];
      if (of_lane == 0 || of_lane == lane) {
        Step copy = read;
        copy.after.clear();
        return copy;
      }
    }
    return step_of(choose_operation(), lane);
  }

  Step step_of(const Operation& operation, std::int64_t lane) {
    const auto* drawn = &dice_.of(operation.samples);
    // What was refused in the capture is refused again, mostly for the same reason.
    if (!drawn->accepted && dice_.percent(70)) drawn = &dice_.of(operation.samples);
    if (!drawn->accepted && dice_.percent(70)) drawn = &dice_.of(operation.samples);
    const auto& sample = *drawn;
    Request request = *sample.request;
    Step step;
    step.read = operation.read;
    // One odd value in a request shows what it does; of several, one is refused.
    odd_slot_ = sample.slots.empty() || !dice_.percent(odd_percent_) ? nullptr : &dice_.of(sample.slots);
    named_.clear();
    for (const Slot& slot : sample.slots) fill(slot, operation, request, step, lane);
    const bool keyed = replay::field(request.headers, "Idempotency-Key").has_value();
    step.request = std::move(request);
    const bool of_one = std::any_of(sample.slots.begin(), sample.slots.end(),
                                    [](const Slot& slot) { return slot.at.starts_with("path:"); });
    if (operation.read && of_one) readable_.emplace_back(step, lane);
    if (!operation.read) {
      if (keyed) repeatable_.emplace_back(step, lane);
      for (const auto& [source, sort] : operation.makes) handles_[sort].push_back({last_id_ + 1, source, lane});
    }
    return step;
  }

  void fill(const Slot& slot, const Operation& operation, Request& request, Step& step, std::int64_t lane) {
    const auto old = replay::value_at(request, slot.at);
    if (!old) return;
    if (slot.at == key_header) {
      replay::put(request, slot.at, *old, fmt::format("key{}", mark_of(++marks_)));
      return;
    }
    if (slot.at.starts_with("cookie:") || slot.at.starts_with("credential:")) return;
    if (slot.at.starts_with("header:")) {
      // A condition that was true in the capture is hardly true here; without it the request does its work.
      if (slot.at.starts_with(conditional) && dice_.percent(60))
        replay::erase_field(request.headers, std::string_view(slot.at).substr(7));
      return;
    }
    const auto values = catalogue_.values.find(slot.sort);
    const bool reference = values != catalogue_.values.end() && values->second.reference;
    if (reference) return refer(slot, operation, *old, request, step, lane);
    if (!operation.read && slot.at.starts_with("json:") && shape_of(*old) == Shape::decimal && dice_.percent(30) &&
        echo(slot, *old, request, step))
      return;
    if (&slot == odd_slot_) {
      replay::put(request, slot.at, *old, dice_.of(odd_values(shape_of(*old))));
      return;
    }
    if (values == catalogue_.values.end()) return;
    if (!values->second.enumeration() && !operation.read && slot.at.starts_with("json:") && dice_.percent(60)) {
      replay::put(request, slot.at, *old, fresh_like(*old, ++marks_));
      return;
    }
    if (dice_.percent(30)) replay::put(request, slot.at, *old, dice_.of(values->second.seen));
  }

  // The amount that the answer gave which made the thing: what is due is paid.
  bool echo(const Slot& slot, const std::string& old, Request& request, Step& step) {
    for (const replay::Use& use : step.uses) {
      const auto maker =
          std::find_if(plan_.steps.begin(), plan_.steps.end(), [&](const Step& s) { return s.id == use.from; });
      if (maker == plan_.steps.end() || !maker->request) continue;
      const auto made = maker->request.get();
      const Operation* operation = catalogue_.named(replay::route_of(made->method, made->target));
      if (operation == nullptr || operation->amounts.empty()) continue;
      auto at = operation->amounts.begin();
      std::advance(at, dice_.below(operation->amounts.size()));
      const std::string stand_in = fmt::format("{}.01", 100'000 + ++marks_);
      replay::put(request, slot.at, old, stand_in);
      step.uses.push_back({slot.at, stand_in, use.from, *at});
      return true;
    }
    return false;
  }

  // Something that this plan made, one of the few that it works on, a new name, or any other.
  void refer(const Slot& slot, const Operation& operation, const std::string& old, Request& request, Step& step,
             std::int64_t lane) {
    if (const auto made = handles_.find(slot.sort); made != handles_.end() && dice_.percent(60)) {
      std::vector<Handle> visible;
      for (const Handle& handle : made->second)
        if (handle.lane == 0 || handle.lane == lane) visible.push_back(handle);
      if (!visible.empty()) {
        const Handle& handle = dice_.of(visible);
        // The lines of one request name different things.
        if (!named_.insert(fmt::format("{} of step {} {}", slot.sort, handle.step, handle.source)).second)
          return refer_to_other(slot, old, request);
        const auto& of_sort = hot(slot.sort);
        const std::string stand_in = of_sort.empty() ? old : of_sort.front();
        replay::put(request, slot.at, old, stand_in);
        step.uses.push_back({slot.at, stand_in, handle.step, handle.source});
        return;
      }
    }
    if (request.method == "PUT" && slot.at.starts_with("path:") && operation.makes.empty() && dice_.percent(25)) {
      const std::string fresh = fresh_like(old, ++marks_);
      replay::put(request, slot.at, old, fresh);
      hot_[slot.sort].push_back(fresh);
      return;
    }
    refer_to_other(slot, old, request);
  }
  void refer_to_other(const Slot& slot, const std::string& old, Request& request) {
    const auto& of_sort = hot(slot.sort);
    const auto values = catalogue_.values.find(slot.sort);
    const bool others = values != catalogue_.values.end() && !values->second.seen.empty();
    std::string chosen = !of_sort.empty() && dice_.percent(85) ? dice_.of(of_sort)
                         : others                              ? dice_.of(values->second.seen)
                                                               : old;
    for (int tried = 0; tried < 4 && others && !dice_.percent(4) && named_.contains(slot.sort + " " + chosen); ++tried)
      chosen = dice_.of(values->second.seen);
    named_.insert(slot.sort + " " + chosen);
    replay::put(request, slot.at, old, chosen);
  }

  // What was written is read at the end, by the reads that the interface has for it, and a list besides.
  void read_back() {
    std::set<std::string> asked;
    const std::size_t steps = plan_.steps.size();
    for (std::size_t i = 0; i < steps; ++i) {
      const Step written = plan_.steps[i];
      if (!written.request || written.read) continue;
      const auto request = written.request.get();
      const Operation* read = catalogue_.named(replay::route_of("GET", request->target));
      if (read == nullptr || !read->read) continue;
      Request get = *read->samples.front().request;
      get.target = std::string(replay::path_of(request->target));
      for (const std::string_view name : {"If-None-Match", "If-Modified-Since", "If-Match"})
        replay::erase_field(get.headers, name);
      Step step;
      step.read = true;
      step.lane = 1;
      std::string name = get.target;
      for (const replay::Use& use : written.uses) {
        if (!use.at.starts_with("path:")) continue;
        step.uses.push_back(use);
        name += fmt::format(" {}{}", use.from, use.source);
      }
      if (!asked.insert(name).second) continue;
      step.request = std::move(get);
      for (const StepId end : ends_) step.after.push_back({end, CauseKind::hand});
      ends_ = {add(std::move(step)).id};
    }
    for (auto& [sort, handles] : handles_) read_made(sort, handles);
  }

  // What was created and never named again.
  void read_made(const Sort& sort, const std::vector<Handle>& handles) {
    const Operation* read = nullptr;
    for (const Operation& operation : catalogue_.operations) {
      const auto& slots = operation.samples.front().slots;
      const bool fits =
          operation.read && slots.size() == 1 && slots.front().sort == sort && slots.front().at.starts_with("path:");
      if (fits) read = &operation;
    }
    if (read == nullptr) return;
    for (const Handle& handle : handles) {
      const auto& sample = read->samples.front();
      Request get = *sample.request;
      const auto old = replay::value_at(get, sample.slots.front().at);
      if (!old) continue;
      Step step;
      step.read = true;
      step.lane = 1;
      step.uses.push_back({sample.slots.front().at, *old, handle.step, handle.source});
      step.request = std::move(get);
      for (const StepId end : ends_) step.after.push_back({end, CauseKind::hand});
      ends_ = {add(std::move(step)).id};
    }
  }

  const Catalogue& catalogue_;
  const DrawingOptions& options_;
  const MetSoFar& met_;
  Dice dice_;

  Plan plan_;
  StepId last_id_ = 0;
  std::vector<StepId> ends_;  // what the next step waits for
  std::vector<Stage> way_;
  Stage stage_ = Stage::off;  // of the phase that is being drawn
  std::vector<const Operation*> writes_, reads_;
  std::size_t lanes_ = 1, odd_percent_ = 0;
  std::vector<std::pair<Step, std::int64_t>> readable_;  // reads of one thing, and whose
  bool reads_only_ = false;                              // what is drawn now
  const Slot* odd_slot_ = nullptr;                       // of the request that is drawn
  std::set<std::string> named_;                          // the things that it names already
  std::optional<std::pair<std::string, std::string>> fault_;
  bool fault_ended_ = false;
  std::map<Sort, std::vector<std::string>> hot_;
  std::map<Sort, std::vector<Handle>> handles_;
  std::vector<std::pair<Step, std::int64_t>> repeatable_;  // and the lane that may repeat it; 0: every one
  int marks_ = 0;
};

}  // namespace

bool says_something(std::string_view cue, Stage stage) {
  if (cue == "alter new-database") return stage == Stage::shadow;
  if (cue == "alter legacy-database") return stage == Stage::live;
  if (!cue.starts_with("wire ")) return true;
  if (stage == Stage::read_only) return false;
  return cue.starts_with("wire new-database") ? stage != Stage::off
         : cue.starts_with("wire legacy")     ? stage != Stage::completed
                                              : true;
}

DrawingOptions with(Ingredients ingredients, DrawingOptions options) {
  if (ingredients == Ingredients::all) return options;
  options.with_flips = options.with_lanes = options.with_fault = 0;
  if (ingredients == Ingredients::lanes) options.with_lanes = 100;
  if (ingredients == Ingredients::faults) options.with_fault = 100, options.with_flips = 30;
  if (ingredients == Ingredients::flips) options.with_flips = 100, options.with_lanes = 60;
  return options;
}

std::string edge_name(const Edge& edge) { return "edge " + name_of(edge); }
std::string straddled_name(const Edge& edge) { return "requests beside the edge " + name_of(edge); }
std::string in_stage(std::string_view what, Stage stage) { return fmt::format("{} in {}", what, name_of(stage)); }

void MetSoFar::expect(const Plan& plan) {
  const auto stages = stages_of(plan);
  for (std::size_t i = 1; i < stages.size(); ++i) ++times[edge_name({stages[i - 1], stages[i]})];
}

double MetSoFar::want(const std::string& what) const {
  const auto found = times.find(what);
  return 1.0 / (1.0 + static_cast<double>(found == times.end() ? 0 : found->second));
}

Plan draw_plan(const Catalogue& catalogue, const DrawingOptions& options, const MetSoFar& met, std::uint64_t seed) {
  return Drawing(catalogue, options, met, seed).draw();
}

bool concurrent(const Plan& plan) {
  // A plan is a chain when each step waits for the one before it, directly or through others.
  StepId last = 0;
  for (const Step& step : plan.steps) {
    const bool behind = last == 0 || std::any_of(step.after.begin(), step.after.end(),
                                                 [&](const Cause& cause) { return cause.step == last; });
    if (!behind) return true;
    last = step.id;
  }
  return false;
}

}  // namespace rehearse::properties
