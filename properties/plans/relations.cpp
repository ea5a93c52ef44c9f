#include "properties/plans/relations.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "properties/plans/drawing.h"
#include "properties/plans/signal.h"
#include "replay/values.h"

namespace rehearse::properties {
namespace {

using replay::Plan;
using replay::Request;
using replay::Step;
using replay::StepId;
using Kind = Signal::Kind;

constexpr std::array<std::string_view, 10> titles{
    "a walk through stages changes no answer and no final state",
    "in shadow, faults of the new database change no answer and nothing in legacy",
    "requests about different things commute",
    "an idempotent request that is repeated changes nothing",
    "a walk up and down again changes nothing",
    "a restart at rest changes nothing",
    "without its reads a plan leaves the same behind",
    "under other names a plan does the same",
    "a copy of a copy changes nothing",
    "requests about different things leave the same behind when two clients send them at once",
};

// A client that comes back behind a restart has a connection of its own.
constexpr std::int64_t lanes_behind_a_restart = 1000;

std::optional<Signal> signal_of(const Step& step) {
  return step.cue.empty() ? std::nullopt : std::optional(signal_in(step.cue));
}

bool is_request(const Step& step) { return step.request.has_value(); }

// What breaks something, or may leave it undone.
bool disturbs(const Signal& signal) {
  return signal.fault() || signal.kind == Kind::mend || signal.kind == Kind::alter || signal.kind == Kind::set ||
         (signal.kind == Kind::copy && signal.pause.count() > 0);
}

// Of the new database, with a beginning and an end that do not depend on what other lanes do.
bool hidden_in_shadow(const Signal& signal) {
  if (signal.kind == Kind::mend) return true;
  if (signal.what != "new-database") return false;
  return signal.kind == Kind::break_database || (signal.kind == Kind::wire && !signal.how.starts_with("hold") &&
                                                 signal.how != "await" && signal.how != "release");
}

void add_edge(Stage from, Stage to, std::vector<std::string>& cues) {
  if (from == Stage::read_only && to == Stage::shadow) cues.emplace_back("copy");
  if (from == Stage::completed && to == Stage::live) cues.emplace_back("copy back");
  cues.push_back(cue_of(flip_to(to)));
  if (from == Stage::completed && to == Stage::live) cues.emplace_back("copy back");
}
std::vector<std::string> walk(Stage from, Stage to) {
  std::vector<std::string> cues;
  const auto stages = path(from, to);
  for (std::size_t i = 1; i < stages.size(); ++i) add_edge(stages[i - 1], stages[i], cues);
  return cues;
}

bool idempotent(const Step& step) {
  const Request& request = *step.request.get();
  static const std::set<std::string> methods{"GET", "HEAD", "OPTIONS", "PUT", "DELETE"};
  return step.read || methods.contains(request.method) || replay::field(request.headers, "Idempotency-Key").has_value();
}

// What a request is about, as far as its target says: the first thing that it names, or whoever made that.
std::string thing_of(const Step& step) {
  for (const auto& value : replay::values_in(*step.request.get())) {
    if (!value.place.starts_with("path:")) continue;
    for (const replay::Use& use : step.uses)
      if (use.at == value.place) return fmt::format("made by {} at {}", use.from, use.source);
    if (replay::identifies_in_path(value.text)) return replay::entity_name(value.name) + " " + value.text;
  }
  return {};
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

void rename(Request& request, const std::string& from, const std::string& to) {
  replace_all(request.target, from, to);
  replace_all(request.body, from, to);
  for (auto& header : request.headers) replace_all(header.value, from, to);
}

// The steps of the changed plan in their order, before they are numbered and chained.
class Change {
 public:
  explicit Change(const Plan& plan) {
    for (const Step& step : plan.steps) {
      const auto signal = signal_of(step);
      if (!signal || signal->kind != Kind::relate) {
        originals_.push_back(&step);
        continue;
      }
      if (signal->what == "end") {
        end_ = originals_.size();
      } else {
        how_ = *signal;
        place_ = originals_.size();
        ++named_;
      }
    }
    // The world is there before anything else happens.
    if (place_ == 0 && !originals_.empty() && originals_.front()->cue.starts_with("world")) place_ = 1;
    if (end_ < place_ || end_ > originals_.size()) end_ = originals_.size();
  }

  Derivation derive() {
    if (named_ == 0) return {std::nullopt, "it names no relation"};
    if (named_ > 1) return {std::nullopt, "it names more than one relation"};
    const auto found = std::find_if(all_relations.begin(), all_relations.end(),
                                    [&](Relation relation) { return id_of(relation) == how_.what; });
    derived_.relation = *found;
    why_not_ = unfit();
    if (why_not_.empty()) change();
    if (!why_not_.empty()) return {std::nullopt, why_not_};
    number();
    return {std::move(derived_), {}};
  }

 private:
  struct Draft {
    Step step;
    StepId original = 0;  // the step that it was, or is a repetition of
    bool held_against_it = true;
  };

  [[nodiscard]] std::string unfit() const {
    for (const Step* step : originals_)
      if (const auto signal = signal_of(*step);
          signal && disturbs(*signal) && !(derived_.relation == Relation::M2 && hidden_in_shadow(*signal)))
        return fmt::format("it has \"{}\", and the relation says nothing of that", step->cue);
    return {};
  }
  [[nodiscard]] Stage stage_at(std::size_t position) const {
    Stage stage = Stage::off;
    for (std::size_t i = 0; i < position; ++i)
      if (const auto signal = signal_of(*originals_[i]);
          signal && (signal->kind == Kind::world || (signal->moves_the_flag() && legal(stage, signal->stage))))
        stage = signal->stage;
    return stage;
  }
  [[nodiscard]] std::string behind() const {
    return place_ == 0 ? "at the beginning" : fmt::format("behind step {}", originals_[place_ - 1]->id);
  }

  void keep(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < std::min(to, originals_.size()); ++i) keep(i);
  }
  void keep(std::size_t position) { drafts_.push_back({*originals_[position], originals_[position]->id}); }
  void put_in(const std::vector<std::string>& cues) {
    for (const std::string& cue : cues) {
      Step step;
      step.cue = cue;
      drafts_.push_back({std::move(step), 0});
    }
  }

  void change() {
    switch (derived_.relation) {
      case Relation::M1:
        return walk_and_stay();
      case Relation::M2:
        return leave_out_faults();
      case Relation::M3:
        return exchange();
      case Relation::M4:
        return repeat();
      case Relation::M5:
        return walk_and_return();
      case Relation::M6:
        return restart();
      case Relation::M7:
        return leave_out_reads();
      case Relation::M8:
        return call_otherwise();
      case Relation::M9:
        return copy_twice();
      case Relation::M10:
        return split();
    }
  }

  void walk_and_stay() {
    const Stage here = stage_at(place_), there = *stage_named(how_.how);
    for (const Stage stage : path(here, there))
      if (stage == Stage::off || stage == Stage::read_only) {
        why_not_ = fmt::format("from {} to {} is no walk beyond read-only", name_of(here), name_of(there));
        return;
      }
    if (here == there) {
      why_not_ = fmt::format("it is in {} there already", name_of(there));
      return;
    }
    keep(0, place_);
    put_in(walk(here, there));
    std::size_t until = place_;
    while (until < end_ && is_request(*originals_[until])) ++until;
    keep(place_, until);
    if (until < originals_.size()) put_in(walk(there, here));
    keep(until, originals_.size());
    derived_.change = fmt::format("in {} instead of {} {}", name_of(there), name_of(here), behind());
  }

  void walk_and_return() {
    const Stage here = stage_at(place_), there = *stage_named(how_.how);
    if (there <= here) {
      why_not_ = fmt::format("from {} {} is no way up", name_of(here), name_of(there));
      return;
    }
    keep(0, place_);
    put_in(walk(here, there));
    put_in(walk(there, here));
    keep(place_, originals_.size());
    derived_.change = fmt::format("to {} and back to {} {}", name_of(there), name_of(here), behind());
  }

  void leave_out_faults() {
    bool faulty = false;
    for (std::size_t i = 0; i < originals_.size() && why_not_.empty(); ++i) {
      const auto signal = signal_of(*originals_[i]);
      if (signal && hidden_in_shadow(*signal)) {
        faulty = true;
        if (stage_at(i) != Stage::shadow) why_not_ = "only shadow hides faults of the new database";
        continue;
      }
      // What is missing in the new database is named by an alert, and such an alert closes edges.
      if (faulty && signal && (signal->moves_the_flag() || signal->kind == Kind::copy))
        why_not_ = "the flag moves behind the fault, and an open alert closes edges";
      keep(i);
    }
    if (!faulty) why_not_ = "nothing is broken in it";
    derived_.change = "without the faults";
  }

  void exchange() {
    if (place_ + 1 >= originals_.size() || !is_request(*originals_[place_]) || !is_request(*originals_[place_ + 1])) {
      why_not_ = "no two requests stand behind it";
      return;
    }
    const Step &first = *originals_[place_], &second = *originals_[place_ + 1];
    const bool uses = std::any_of(second.uses.begin(), second.uses.end(),
                                  [&](const replay::Use& use) { return use.from == first.id; });
    if (uses || second.retry_of == first.id) {
      why_not_ = fmt::format("step {} uses what step {} made", second.id, first.id);
      return;
    }
    keep(0, place_);
    keep(place_ + 1);
    keep(place_);
    keep(place_ + 2, originals_.size());
    derived_.change = fmt::format("with step {} before step {}", second.id, first.id);
  }

  void repeat() {
    if (place_ == 0 || !is_request(*originals_[place_ - 1])) {
      why_not_ = "no request stands before it";
      return;
    }
    const Step& step = *originals_[place_ - 1];
    if (!idempotent(step)) {
      why_not_ = fmt::format("step {} is not idempotent", step.id);
      return;
    }
    keep(0, place_);
    // What a second DELETE is answered is another thing (RFC 9110, section 9.2.2); what a read is answered is the same.
    drafts_.push_back({step, step.id, step.read});
    keep(place_, originals_.size());
    derived_.change = fmt::format("with step {} sent twice", step.id);
  }

  void restart() {
    keep(0, place_);
    // The time that a service needs until it answers again is none of its faults.
    put_in({"stop " + how_.how, "start " + how_.how, "ready"});
    const std::size_t first = drafts_.size();
    keep(place_, originals_.size());
    for (std::size_t i = first; i < drafts_.size(); ++i)
      if (is_request(drafts_[i].step)) drafts_[i].step.lane += lanes_behind_a_restart;
    derived_.change = fmt::format("with a restart of the {} service {}", how_.how, behind());
  }

  void leave_out_reads() {
    std::set<StepId> needed;
    for (auto step = originals_.rbegin(); step != originals_.rend(); ++step)
      if (!(*step)->read || needed.contains((*step)->id))
        for (const replay::Use& use : (*step)->uses) needed.insert(use.from);
    std::size_t left_out = 0, writes = 0;
    for (std::size_t i = 0; i < originals_.size(); ++i) {
      const Step& step = *originals_[i];
      if (is_request(step) && step.read && !needed.contains(step.id)) {
        ++left_out;
        continue;
      }
      writes += static_cast<std::size_t>(is_request(step) && !step.read);
      keep(i);
    }
    if (left_out == 0 || writes == 0) why_not_ = "it has no reads beside writes";
    derived_.change = fmt::format("without {} of its reads", left_out);
  }

  void call_otherwise() {
    const auto arrow = how_.how.find(" -> ");
    derived_.name = how_.how.substr(0, arrow);
    derived_.other_name = how_.how.substr(arrow + 4);
    const auto& [from, to] = std::pair(derived_.name, derived_.other_name);
    if (from.size() != to.size() || from == to) {
      why_not_ = "the names are not two of one length";
      return;
    }
    bool stands = false;
    keep(0, originals_.size());
    for (Draft& draft : drafts_) {
      if (!is_request(draft.step)) continue;
      Request request = *draft.step.request.get();
      rename(request, from, to);
      if (!(request == *draft.step.request.get())) {
        stands = true;
        draft.step.request = std::move(request);
      }
      for (replay::Use& use : draft.step.uses) replace_all(use.value, from, to);
    }
    if (!stands) why_not_ = fmt::format("{} stands nowhere in it", from);
    derived_.change = fmt::format("with {} called {}", from, to);
  }

  void copy_twice() {
    if (place_ >= originals_.size() || originals_[place_]->cue != "copy") {
      why_not_ = "no copy stands behind it";
      return;
    }
    keep(0, place_);
    put_in({"copy"});
    keep(place_, originals_.size());
    derived_.change = fmt::format("with two copies {}", behind());
  }

  void split() {
    std::size_t until = place_;
    while (until < end_ && is_request(*originals_[until]) && !thing_of(*originals_[until]).empty()) ++until;
    std::string first_thing = place_ < until ? thing_of(*originals_[place_]) : "";
    const bool two = std::any_of(originals_.begin() + static_cast<std::ptrdiff_t>(place_),
                                 originals_.begin() + static_cast<std::ptrdiff_t>(until),
                                 [&](const Step* step) { return thing_of(*step) != first_thing; });
    if (!two) {
      why_not_ = "no requests about two things stand behind it";
      return;
    }
    std::int64_t last_lane = 0;
    for (const Step* step : originals_) last_lane = std::max(last_lane, step->lane);
    keep(0, originals_.size());
    for (std::size_t i = place_; i < until; ++i) {
      const bool first = thing_of(*originals_[i]) == first_thing;
      drafts_[i].step.lane = last_lane + (first ? 1 : 2);
    }
    split_from_ = place_;
    split_to_ = until;
    derived_.change =
        fmt::format("with steps {} to {} sent by two clients", originals_[place_]->id, originals_[until - 1]->id);
  }

  void number() {
    std::map<StepId, StepId> now;  // original → here; of a repetition the first
    std::vector<StepId> ends;      // that the next step waits for
    std::map<std::int64_t, std::vector<StepId>> of_lane;
    for (std::size_t i = 0; i < drafts_.size(); ++i) {
      Step step = std::move(drafts_[i].step);
      step.id = static_cast<StepId>(i) + 1;
      step.due_ns = 0;
      step.after.clear();
      const bool beside = i >= split_from_ && i < split_to_;
      if (i == split_to_ && split_to_ > 0) {
        ends.clear();
        for (const auto& [lane, last] : of_lane) ends.insert(ends.end(), last.begin(), last.end());
      }
      for (const StepId end : beside&& of_lane.contains(step.lane) ? of_lane[step.lane] : ends)
        step.after.push_back({end, replay::CauseKind::hand});
      (beside ? of_lane[step.lane] : ends) = {step.id};
      for (replay::Use& use : step.uses) use.from = now.at(use.from);
      if (step.retry_of != 0) step.retry_of = now.contains(step.retry_of) ? now.at(step.retry_of) : 0;
      if (drafts_[i].original != 0) {
        now.try_emplace(drafts_[i].original, step.id);
        if (is_request(step) && drafts_[i].held_against_it) derived_.stands_for[step.id] = drafts_[i].original;
      }
      derived_.plan.steps.push_back(std::move(step));
    }
  }

  std::vector<const Step*> originals_;
  Signal how_;
  int named_ = 0;
  std::size_t place_ = 0, end_ = static_cast<std::size_t>(-1);
  std::size_t split_from_ = static_cast<std::size_t>(-1), split_to_ = 0;
  std::string why_not_;
  std::vector<Draft> drafts_;
  Derived derived_;
};

}  // namespace

std::string_view id_of(Relation relation) {
  static constexpr std::array<std::string_view, 10> ids{"M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8", "M9", "M10"};
  return ids[static_cast<std::size_t>(relation)];
}
std::string_view title_of(Relation relation) { return titles[static_cast<std::size_t>(relation)]; }

bool names_relation(const Plan& plan) {
  return std::any_of(plan.steps.begin(), plan.steps.end(),
                     [](const Step& step) { return step.cue.starts_with("relate ") && step.cue != "relate end"; });
}

Derivation derive(const Plan& plan) {
  if (concurrent(plan))
    return {std::nullopt, "its requests run at the same time, and such a plan does not do the same twice"};
  return Change(plan).derive();
}

replay::History with_names_of_the_original(const Derived& derived, replay::History history) {
  if (derived.other_name.empty()) return history;
  for (replay::Record& record : history.records) {
    rename(record.request, derived.other_name, derived.name);
    replace_all(record.response.body, derived.other_name, derived.name);
    for (auto& header : record.response.headers) replace_all(header.value, derived.other_name, derived.name);
  }
  return history;
}

}  // namespace rehearse::properties
