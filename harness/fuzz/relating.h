// A plan that is played and judged; and, where it names a relation, played once more as the relation changes it, and both held against
// each other.
#pragma once

#include <optional>

#include "harness/fuzz/world.h"
#include "properties/judgement.h"
#include "properties/plans/relations.h"
#include "properties/plans/trial.h"

namespace rehearse::harness {

struct Look {
  properties::Trial trial;
  // What holds of the plan; of one that names a relation also what it does not share with the changed one, and what the changed one
  // breaks by itself.
  properties::Judgement judgement;
  std::optional<properties::Trial> changed;  // the changed plan, when it was played
  properties::Judgement of_changed;          // of it alone
};

class Relating {
 public:
  Relating(World& world, const Configuration& configuration) : world_(world), config_(configuration) {}

  // Plays the plan, and judges. Where the plan itself passes and names a relation, relates.
  [[nodiscard]] Look play(const replay::Plan& plan);

  // `look` is of a play of `plan` that passed, or of the same plan without the cue that names the relation; `ending` is what it left.
  void relate(const replay::Plan& plan, Look& look, const World::Ending& ending);

 private:
  [[nodiscard]] properties::Result held_against_changed(const properties::Derived& derived, Look& look,
                                                        const World::Ending& ending);
  [[nodiscard]] std::vector<properties::Comparison> states_between(const properties::Derived& derived,
                                                                   const properties::Trial& original,
                                                                   const properties::Trial& changed,
                                                                   const World::Ending& of_original,
                                                                   const World::Ending& of_changed) const;
  [[nodiscard]] properties::Volatile noise() const;

  World& world_;
  const Configuration& config_;
  properties::Volatile learnt_;  // values that the services fill differently when a plan is played twice
};

}  // namespace rehearse::harness
