#include "properties/plans/drawing.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "properties/plans/dice.h"
#include "properties/plans/drawn_requests.h"
#include "replay/values.h"

namespace rehearse::properties {
namespace {

using replay::Cause;
using replay::CauseKind;
using replay::Plan;
using replay::Request;
using replay::Step;
using replay::StepId;

// A gate holds a write at most so long: shorter than what services allow their databases, so that nothing fails for it alone; beside a
// flip, which takes the propagation bound to spread, longer than that and shorter than what they allow each other.
constexpr std::string_view held_beside_a_write = "100ms", held_beside_a_flip = "1500ms",
                           held_beside_a_short_flip = "120ms";
constexpr int tries_for_a_gate = 24;

// How much a fault in that stage tells: what a stage hides from its clients is where a migration loses data, and where only one store is
// used a fault of the other is one more proof that it is not needed.
double telling(std::string_view cue, Stage stage) {
  const bool dual = stage == Stage::shadow || stage == Stage::live;
  if (!dual) return 0.4;
  const bool of_new = cue.find("new") != std::string_view::npos;
  const bool hidden = of_new == (stage == Stage::shadow) || cue.starts_with("wire client: hang up");
  return hidden ? 3 : 1.2;
}

class Drawing {
 public:
  Drawing(const Catalogue& catalogue, const DrawingOptions& options, const MetSoFar& met, std::uint64_t seed)
      : catalogue_(catalogue),
        options_(options),
        met_(met),
        dice_(seed),
        way_(choose_way()),
        requests_(catalogue, options, met, plan_, dice_),
        lanes_(options.lanes > 1 && dice_.percent(options.with_lanes) ? dice_.between(2, options.lanes) : 1) {}

  Plan draw() {
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
      for (int i = 0; phase == fault_phase && altered && i < 12; ++i) draw_change();
      if (phase == fault_phase && fault_->first == "kill new") {
        draw_steps(dice_.between(0, 1));  // nobody answers
        end_fault();
      }
      if (phase == fault_phase && phase != concurrent_phase) {
        // Each may take as long as a deadline.
        const bool waits = fault_->first.ends_with("hung") || fault_->first.starts_with("pause");
        if (waits && telling(fault_->first, stage_) > 2)
          draw_while_it_hangs();
        else
          draw_steps(dice_.between(1, waits ? 2 : 4));
      } else if (phase == concurrent_phase) {
        draw_steps(dice_.between(0, 2));
        // Beside a fault there is enough to be told apart.
        for (auto rounds = phase == fault_phase ? 0 : dice_.below(3); rounds > 0; --rounds)
          draw_lanes(std::nullopt, stage_);
        draw_lanes(straddled ? std::optional(way_[phase + 1]) : std::nullopt, stage_);
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

  [[nodiscard]] std::vector<Stage> choose_way() {
    std::vector<double> weights;
    for (const Stage stage : options_.begins) {
      // Where both databases are written there is most to break; where only one is, there is nothing that could differ.
      const bool both = stage == Stage::shadow || stage == Stage::live;
      double weight = options_.with_flips < 50 ? (both ? 6 : stage == Stage::completed ? 3 : 1) : 0.2;
      for (const Stage next : all_stages)
        if (legal(stage, next)) weight += deficit(stage, next);
      weights.push_back(weight);
    }
    std::vector<Stage> way{options_.begins[dice_.weighted(weights)]};
    if (options_.longest_way == 0 || !dice_.percent(options_.with_flips)) return way;
    // Half of the ways are one edge, one in ten goes as far as it may: the whole way up and down is eight.
    const std::size_t edges = dice_.percent(50)   ? 1
                              : dice_.percent(20) ? options_.longest_way
                                                  : dice_.between(1, std::min<std::size_t>(3, options_.longest_way));
    for (std::size_t i = 0; i < edges; ++i) {
      std::vector<Stage> next;
      weights.clear();
      for (const Stage stage : all_stages) {
        if (!legal(way.back(), stage) || (way.back() == Stage::completed && !options_.copy_back)) continue;
        next.push_back(stage);
        // Going on is likelier than going back and forth.
        const bool back = way.size() > 1 && way[way.size() - 2] == stage;
        weights.push_back(deficit(way.back(), stage) * (back ? 0.5 : 1));
      }
      if (next.empty()) break;
      way.push_back(next[dice_.weighted(weights)]);
    }
    return way;
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
        weights.push_back((0.1 + 2 * want * want) *
                          (!waits                                                   ? 1
                           : telling(options_.fault_cues[f].first, way_[phase]) > 2 ? 1
                                                                                    : 0.1) *
                          telling(options_.fault_cues[f].first, way_[phase]));
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

  // Who waits for a store for ever must not keep it from being mended: that comes when an answer is late, whether or not it has come.
  void draw_while_it_hangs() {
    std::vector<StepId> mended = ends_;
    if (options_.lanes > 1 && dice_.percent(50)) {
      draw_several_writes();
    } else {
      draw_write();
      draw_steps(dice_.below(2));
    }
    cue_behind(fmt::format("wait {}ms", options_.hung_for.count()), mended);
    cue_behind(fault_->second, mended);
    fault_ended_ = true;
    ends_.push_back(mended.back());
  }

  // At the same time: one that waits must not keep the others waiting.
  void draw_several_writes() {
    if (requests_.writes().empty()) return;
    const std::vector<StepId> before = std::exchange(ends_, {});
    for (std::int64_t lane = 1; lane <= 3; ++lane) {
      std::vector<StepId> last = before;
      add_behind(requests_.of(*dice_.of(requests_.writes()), lane), lane, last);
      ends_.push_back(last.back());
    }
    requests_.lanes_ended();
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
    // To what is served, which is not what the plan thinks where a flip before it was refused.
    cue("set back");
    cue("wait 60ms");
  }

  void draw_steps(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      if (i + 2 < count && dice_.percent(30) && draw_seen_change())
        i += 2;
      else
        add_behind(requests_.any(stage_, 0), 1, ends_);
    }
  }

  // A thing is read, changed, and read again at once: what was kept of the first answer is old.
  bool draw_seen_change() {
    auto changing = requests_.changing();
    if (changing.empty()) return false;
    // What is not there is remembered, too: those that make a thing under the name that the client gives it.
    if (dice_.percent(40)) {
      std::vector<const Operation*> puts;
      for (const Operation* operation : changing)
        if (operation->name.starts_with("PUT ")) puts.push_back(operation);
      if (!puts.empty()) changing = std::move(puts);
    }
    const Operation& operation = *dice_.of(changing);
    Step change = requests_.of(operation, 0);
    const auto thing = DrawnRequests::thing_of(operation, change);
    const auto reads = thing ? requests_.about_one(thing->sort, true) : std::vector<const Operation*>{};
    if (reads.empty()) return false;
    Step read = requests_.about(*thing, *dice_.of(reads), 0);
    without_conditions(read);
    if (dice_.percent(80)) without_conditions(change);
    add_behind(read, 1, ends_);
    add_behind(std::move(change), 1, ends_);
    add_behind(std::move(read), 1, ends_);
    return true;
  }

  // A write that most likely is taken, for a rule that waits for one.
  void draw_write() {
    const auto creating = requests_.creating();
    const auto& among = creating.empty() ? requests_.writes() : creating;
    if (!among.empty()) add_behind(requests_.of(*dice_.of(among), 0), 1, ends_);
  }
  void draw_change() {
    const auto changing = requests_.changing();
    if (!changing.empty()) add_behind(requests_.of(*dice_.of(changing), 0), 1, ends_);
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
    if ((!flip && !to_new) || stage_ == Stage::read_only || !options_.wires.contains(wire) ||
        !dice_.percent(flip ? 80 : 50))
      return std::nullopt;
    const auto changing = requests_.changing();
    if (changing.empty()) return std::nullopt;
    const auto odd = requests_.odd_percent(0);  // what is refused never comes to the wire
    std::optional<Gate> gate;
    for (int tried = 0; tried < tries_for_a_gate && !gate; ++tried) {
      const Operation& operation = *dice_.of(changing);
      Step step = requests_.of(operation, 1);
      without_conditions(step);
      Request request = *step.request;
      const std::string mark = mark_in(request.body);
      if (mark.empty()) continue;
      const auto thing = DrawnRequests::thing_of(operation, step);
      if (thing && dice_.percent(50)) {
        // Another change of the same thing: what one of them has read is old when it writes.
        std::vector<const Operation*> others = requests_.about_one(thing->sort, false);
        std::erase_if(others, [](const Operation* other) { return !other->makes.empty(); });
        if (others.empty()) continue;
        Step other = requests_.about(*thing, dice_.percent(60) ? operation : *dice_.of(others), 1);
        without_conditions(other);
        gate = Gate{wire, mark, std::move(step), std::move(other), both};
        continue;
      }
      request.body.replace(request.body.find(mark), mark.size(), requests_.new_mark());
      if (replay::field(request.headers, "Idempotency-Key"))
        replay::set_field(request.headers, "Idempotency-Key", "key" + requests_.new_mark());
      Step other = step;
      other.request = std::move(request);
      gate = Gate{wire, mark, std::move(step), std::move(other), both};
    }
    requests_.odd_percent(odd);
    return gate;
  }

  // Lanes that work on the same keys at the same time; the flag moves beside them when `flip` says so.
  void draw_lanes(std::optional<Stage> flip, Stage from) {
    if (flip) before_flip(from, *flip);
    // The way back from completed is two copies and a flip between them. What is written before the second one meets a legacy that is
    // behind, and no policy that writes legacy first can answer for it.
    const bool catching_up = flip && from == Stage::completed && *flip == Stage::live;
    requests_.only_reads(catching_up);
    draw_beside(flip, catching_up);
    requests_.only_reads(false);
  }
  void draw_beside(std::optional<Stage> flip, bool catching_up) {
    if (auto gate = draw_gate(flip)) return draw_gated(*gate, flip, catching_up);
    const std::vector<StepId> before = ends_;
    std::vector<StepId> ends;
    if (catching_up || !dice_.percent(50) || !draw_crowd(before, ends)) {
      for (std::size_t lane = 1; lane <= lanes_; ++lane) {
        std::vector<StepId> last = before;
        const auto number = static_cast<std::int64_t>(lane);
        for (std::size_t i = dice_.between(1, 4); i > 0; --i) add_behind(requests_.any(stage_, number), number, last);
        ends.insert(ends.end(), last.begin(), last.end());
      }
    }
    if (flip) {
      std::vector<StepId> last = before;
      if (dice_.percent(70)) cue_behind(fmt::format("wait {}ms", dice_.between(1, 25)), last);
      cue_behind(cue_of(set_to(*flip)), last);
      // Where it has spread, every instance must serve it, and no client knows which one it meets.
      if (!requests_.reads().empty() && dice_.percent(40)) {
        cue_behind("settle", last);
        const std::vector<StepId> spread = std::exchange(last, {});
        for (std::int64_t lane = 1; lane <= 2; ++lane) {
          std::vector<StepId> read = spread;
          add_behind(requests_.of(*dice_.of(requests_.reads()), lane), lane, read);
          last.push_back(read.back());
        }
      }
      ends.insert(ends.end(), last.begin(), last.end());
    }
    ends_ = std::move(ends);
    requests_.lanes_ended();
    if (flip) cue(cue_of(flip_to(*flip)));  // waits until it is served
  }

  // All lanes at one thing, or at one list with different questions.
  bool draw_crowd(const std::vector<StepId>& before, std::vector<StepId>& ends) {
    std::vector<const Operation*> lists;
    for (const Operation* operation : requests_.reads())
      if (operation->samples.size() > 1) lists.push_back(operation);
    const auto changing = requests_.changing();
    const bool list = !lists.empty() && (changing.empty() || dice_.percent(35));
    if (!list && changing.empty()) return false;
    const Operation& first = list ? *dice_.of(lists) : *dice_.of(changing);
    const auto thing = list ? std::nullopt : DrawnRequests::thing_of(first, requests_.of(first, 0));
    if (!list && !thing) return false;
    std::vector<const Operation*> writes, reads;
    if (thing) writes = requests_.about_one(thing->sort, false), reads = requests_.about_one(thing->sort, true);
    for (std::size_t lane = 1; lane <= std::max<std::size_t>(2, lanes_); ++lane) {
      std::vector<StepId> last = before;
      const auto number = static_cast<std::int64_t>(lane);
      if (list) {
        for (int i = 0; i < 2; ++i) add_behind(requests_.of(first, number), number, last);
      } else {
        const Operation& write = dice_.percent(60) || writes.empty() ? first : *dice_.of(writes);
        Step step = requests_.about(*thing, write, number);
        if (dice_.percent(80)) without_conditions(step);
        add_behind(std::move(step), number, last);
        if (!reads.empty()) add_behind(requests_.about(*thing, *dice_.of(reads), number), number, last);
      }
      ends.insert(ends.end(), last.begin(), last.end());
    }
    return true;
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

  void read_back() {
    for (Step& step : requests_.read_back()) add_behind(std::move(step), 1, ends_);
  }

  const Catalogue& catalogue_;
  const DrawingOptions& options_;
  const MetSoFar& met_;
  Dice dice_;
  std::vector<Stage> way_;
  Plan plan_;
  DrawnRequests requests_;
  std::size_t lanes_ = 1;
  StepId last_id_ = 0;
  std::vector<StepId> ends_;  // what the next step waits for
  Stage stage_ = Stage::off;  // of the phase that is being drawn
  std::optional<std::pair<std::string, std::string>> fault_;
  bool fault_ended_ = false;
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
  Stage stage = begins_in(plan);
  for (const Step& step : plan.steps) {
    if (step.cue.empty()) continue;
    const Signal signal = signal_in(step.cue);
    if (signal.kind == Signal::Kind::flip) stage = signal.stage;
    if (const auto known = times.find(in_stage(step.cue, stage)); known != times.end()) ++known->second;
  }
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
