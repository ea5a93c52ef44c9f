#include "harness/fuzz/relating.h"

#include <fmt/format.h>

#include <utility>

#include "properties/check.h"

namespace rehearse::harness {
namespace {

using properties::Comparison;
using properties::Derived;
using properties::Judgement;
using properties::Relation;
using properties::Result;
using properties::Stage;
using properties::Trial;
using properties::Verdict;

Result unknown_because(const Derived* derived, const std::string& reason) {
  properties::Outcome outcome;
  outcome.cannot_tell(reason);
  Result result = std::move(outcome).finish();
  result.invariant = derived != nullptr ? properties::id_of(derived->relation) : std::string_view("G16");
  result.title = derived != nullptr ? properties::title_of(derived->relation)
                                    : std::string_view("the relation that the plan names says something of it");
  return result;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// The rows as if the plan had kept the name that M8 changed; both names have one length, so every form of a value keeps its own.
StoreState with_names_of_the_original(const Derived& derived, StoreState state) {
  if (derived.other_name.empty()) return state;
  for (auto& [entity, rows] : state.entities) {
    StoreState::Rows renamed;
    for (auto& [key, cells] : rows) {
      std::string own = key;
      replace_all(own, derived.other_name, derived.name);
      auto own_cells = std::move(cells);
      for (auto& cell : own_cells)
        for (auto* text : {&cell.canonical, &cell.shown})
          if (*text) replace_all(**text, derived.other_name, derived.name);
      renamed.emplace(std::move(own), std::move(own_cells));
    }
    rows = std::move(renamed);
  }
  return state;
}

Trial with_names_of_the_original(const Derived& derived, Trial trial) {
  trial.played = properties::with_names_of_the_original(derived, std::move(trial.played));
  for (auto& run : trial.serial) run.history = properties::with_names_of_the_original(derived, std::move(run.history));
  return trial;
}

bool writes_both(Stage stage) { return stage == Stage::shadow || stage == Stage::live; }

}  // namespace

properties::Volatile Relating::noise() const {
  properties::Volatile noise = world_.noise();
  for (const auto& [route, paths] : learnt_.answers) noise.answers[route].insert(paths.begin(), paths.end());
  noise.columns.insert(learnt_.columns.begin(), learnt_.columns.end());
  return noise;
}

Look Relating::play(const replay::Plan& plan) {
  Look look;
  look.trial = world_.play(plan);
  look.judgement = judge(config_.contract, look.trial, world_.noise());
  if (!look.trial.played.interrupted && properties::names_relation(plan) && look.judgement.verdict() == Verdict::pass)
    relate(plan, look, world_.take_ending());
  return look;
}

void Relating::relate(const replay::Plan& plan, Look& look, const World::Ending& ending) {
  look.trial.plan = plan;
  const auto derivation = properties::derive(plan);
  if (!derivation.derived) {
    look.judgement.results.push_back(unknown_because(nullptr, derivation.why_not));
    return;
  }
  const Derived& derived = *derivation.derived;
  if (const auto why = properties::promises_nothing(config_.contract, derived, look.trial); !why.empty()) {
    look.judgement.results.push_back(unknown_because(&derived, why));
    return;
  }
  look.judgement.results.push_back(held_against_changed(derived, look, ending));
  // What the changed plan breaks by itself, or leaves untold, is so of the pair.
  for (Result result : look.of_changed.results) {
    if (result.verdict == Verdict::pass) continue;
    result.title += fmt::format(" ({})", derived.change);
    look.judgement.results.push_back(std::move(result));
  }
}

Result Relating::held_against_changed(const Derived& derived, Look& look, const World::Ending& ending) {
  look.changed = world_.play(derived.plan);
  look.of_changed = judge(config_.contract, *look.changed, world_.noise());
  if (!look.changed->problem.empty()) return unknown_because(&derived, look.changed->problem);
  World::Ending of_changed = world_.take_ending();
  for (StoreState* state : {&of_changed.legacy, &of_changed.new_, &of_changed.alone})
    *state = with_names_of_the_original(derived, std::move(*state));
  const Trial changed = with_names_of_the_original(derived, *look.changed);

  properties::RelatedTrials trials;
  trials.original = &look.trial;
  trials.derived = &changed;
  trials.states = states_between(derived, look.trial, changed, ending, of_changed);
  if (!look.trial.serial.empty() && !changed.serial.empty())
    trials.alone =
        world_.compared(ending.alone, of_changed.alone,
                        names_between(derived, look.trial.serial.back().history, changed.serial.back().history));
  Result result = judge_relation(config_.contract, derived, trials, noise());
  if (result.verdict != Verdict::fail) return result;
  // A busy machine lets a service give up a write that it hides, and then nothing can be said of the rows.
  for (const Result& untold : look.of_changed.results)
    if (untold.verdict == Verdict::unknown && look.of_changed.verdict() == Verdict::unknown)
      return unknown_because(&derived,
                             fmt::format("{} of the changed plan is unknown: {}", untold.invariant, untold.reason));
  // What differs may differ whenever the plan is played.
  const Trial again = world_.play(look.trial.plan);
  if (!again.problem.empty()) return unknown_because(&derived, again.problem);
  const World::Ending of_again = world_.take_ending();
  Derived nothing;
  for (const auto& record : look.trial.played.records) nothing.stands_for[record.step] = record.step;
  const bool same = learn_noise(config_.contract, look.trial, again,
                                states_between(nothing, look.trial, again, ending, of_again), learnt_);
  if (!same) return unknown_because(&derived, "the plan itself does not do the same twice");
  return judge_relation(config_.contract, derived, trials, noise());
}

std::vector<Comparison> Relating::states_between(const Derived& derived, const Trial& original, const Trial& changed,
                                                 const World::Ending& of_original,
                                                 const World::Ending& of_changed) const {
  const auto pairs = names_between(derived, original.played, changed.played);
  std::vector<Comparison> states;
  const auto add = [&](const StoreState& left, const StoreState& right) {
    states.push_back(world_.compared(left, right, pairs));
    states.back().left += ", as the plan leaves it";
    states.back().right += ", as the changed plan leaves it";
  };
  const auto authoritative = [](const Trial& trial, const World::Ending& ending) -> const StoreState& {
    return new_store_is_authoritative(trial.ended) ? ending.new_ : ending.legacy;
  };
  const bool both = derived.relation != Relation::M2 && original.copied && changed.copied &&
                    (derived.relation == Relation::M9 || (writes_both(original.ended) && writes_both(changed.ended)));
  if (both) {
    add(of_original.legacy, of_changed.legacy);
    add(of_original.new_, of_changed.new_);
  } else {
    add(authoritative(original, of_original), authoritative(changed, of_changed));
  }
  return states;
}

}  // namespace rehearse::harness
