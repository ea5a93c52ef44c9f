// Metamorphic relations: a plan that is changed in a way which says nothing new must do the same. They need no specification, so they
// are a second oracle beside legacy alone: the plan and the changed one are both played from the same beginning, and answers and final
// states are held against each other.
//
// A plan names its relation by a cue, "relate M5 live", which does nothing by itself and stands where the change is made. So the place
// survives whatever is taken away around it, and a plan that is played again says what it is held against.
//
//   relate M1 live       from here on (until "relate end", or the next cue) the requests are sent in live; never through
//                        read-only or off, which refuse or forget writes
//   relate M2            without the faults of the new database, which shadow hides
//   relate M3            the two requests behind it change places; they are about different things
//   relate M4            the request before it, which is idempotent (RFC 9110, section 9.2.2; an Idempotency-Key), is sent twice
//   relate M5 live       up to that stage and down again, with the copies that the way needs
//   relate M6 new        that service is stopped and started
//   relate M7            without the reads that no write takes a value from
//   relate M8 A-1 -> A-2 a name that clients choose is another one, everywhere
//   relate M9            the copy behind it is made twice
//   relate M10           the requests behind it (until "relate end", or a cue) come from two clients at once, each about things of
//                        its own
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "properties/correspondence.h"
#include "properties/plans/trial.h"
#include "replay/plan.h"

namespace rehearse::properties {

enum class Relation : std::uint8_t { M1, M2, M3, M4, M5, M6, M7, M8, M9, M10 };

inline constexpr std::array all_relations{Relation::M1, Relation::M2, Relation::M3, Relation::M4, Relation::M5,
                                          Relation::M6, Relation::M7, Relation::M8, Relation::M9, Relation::M10};

[[nodiscard]] std::string_view id_of(Relation relation);     // "M5"
[[nodiscard]] std::string_view title_of(Relation relation);  // what must hold, in one line

// A plan as a relation changes it. Its steps are numbered anew.
struct Derived {
  Relation relation = Relation::M1;
  std::string change;  // what was done to it, in words: "with flip live, flip shadow behind step 4"
  replay::Plan plan;
  // Requests of the changed plan → the original's whose answers theirs are held against. A write that was put in has none.
  std::map<replay::StepId, replay::StepId> stands_for;
  std::string name, other_name;  // M8: what is called `name` in the original is called `other_name` here
};

struct Derivation {
  std::optional<Derived> derived;
  std::string why_not;  // in one sentence, when there is none
};

[[nodiscard]] bool names_relation(const replay::Plan& plan);

// The plan as the relation changes it that a cue of it names: depends on the plan alone.
[[nodiscard]] Derivation derive(const replay::Plan& plan);

// Why the relation promises nothing of what the original plan did when it was played (two requests that were to change places wrote
// the same row); empty when it does.
[[nodiscard]] std::string promises_nothing(const Contract& contract, const Derived& derived, const Trial& original);

// What a relation may use of the world.
struct RelationMeans {
  bool restarts_new = false;  // there are commands that stop and start the new service
  bool copy_back = false;
};

// The trial's plan with a cue that names the relation, in one of the places where it promises something; nothing where there is none.
// Depends on the arguments alone.
[[nodiscard]] std::optional<replay::Plan> placed(Relation relation, const Contract& contract, const Trial& trial,
                                                 const RelationMeans& means, std::uint64_t seed);

// What the plan and the changed one left behind, the original's on the left.
struct RelatedTrials {
  const Trial* original = nullptr;
  const Trial* derived = nullptr;  // under the original's names: see with_names_of_the_original
  std::vector<Comparison> states;  // of the databases that answer, and of the others where the relation speaks of them
  // The same of legacy alone, which executed both. What it does differently is its own and no fault of the migration: a version that
  // counts each PUT, a list in another order.
  Comparison alone;
};

// PASS when answers and states are the same, but for what `noise` names, rules excuse, and legacy alone does differently, too.
[[nodiscard]] Result judge_relation(const Contract& contract, const Derived& derived, const RelatedTrials& trials,
                                    const Volatile& noise);

// Two plays of one plan: values that it fills differently each time are added to the noise. False when they differ in more than
// values: what such a plan does says nothing about a change of it.
[[nodiscard]] bool learn_noise(const Contract& contract, const Trial& once, const Trial& again,
                               const std::vector<Comparison>& states, Volatile& noise);

// Which identifiers of the two stand for each other: the original's, then the changed plan's.
[[nodiscard]] Correspondence names_between(const Derived& derived, const replay::History& original,
                                           const replay::History& changed);

// The history as if the plan had kept the name that M8 changed.
[[nodiscard]] replay::History with_names_of_the_original(const Derived& derived, replay::History history);

}  // namespace rehearse::properties
