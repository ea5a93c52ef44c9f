// What must hold when the flag goes from one stage to the next: E1 to E4 and back, and E* for the whole way.
//
// Every edge is held to the same four things, as far as its section carries them: what was tried against its guard changed
// nothing; the databases that must be equal are equal; what was readable before is readable after; what must be silent was.
// What an edge cannot be judged without stands in its `Needs`.
#include <fmt/format.h>

#include <algorithm>

#include "properties/checks/facts.h"

namespace rehearse::properties {
namespace {

// The evidence without which an edge that was crossed is not judged.
struct Needs {
  std::string_view compared;  // the name of a comparison of the databases; "any" for one of any name; empty for none
  bool copied = false;
  bool numbered = false;
  std::vector<std::string> silent;  // the databases that must have been watched
  bool guarded = false;             // the flip must have been tried while its condition did not hold
};

// True when some section tried the guard of the edge, or the configuration says why nobody guards it.
bool tried(const Evidence& evidence, const Edge& edge) {
  const std::string invariant(invariant_of(edge));
  if (evidence.contract.unguarded.contains(invariant)) return true;
  return std::any_of(evidence.sections.begin(), evidence.sections.end(), [&](const Section& section) {
    return section.not_done.contains(invariant) ||
           std::any_of(section.flag_trials.begin(), section.flag_trials.end(),
                       [&](const FlagTrial& trial) { return trial.invariant == invariant; });
  });
}

void expect_evidence(const Evidence& evidence, const Section& section, const Needs& needs, Outcome& outcome) {
  // A flip that the guard must refuse is not crossed: there is nothing behind it.
  const bool tried_only =
      section.played.empty() && section.paired.empty() && section.comparisons.empty() && !section.flag_trials.empty();
  if (tried_only) return;
  const std::string name = section.name;
  if (section.paired.empty())
    outcome.cannot_tell(fmt::format("nothing was read before and after the flip of {}", name));
  const bool any = needs.compared == "any";
  if (any ? section.comparisons.empty()
          : !needs.compared.empty() && !section.comparisons.contains(std::string(needs.compared))) {
    outcome.cannot_tell(fmt::format("the databases were not compared in {}", name));
  }
  if (needs.copied && !section.copied) outcome.cannot_tell(fmt::format("no copy was made in {}", name));
  if (needs.guarded && !tried(evidence, *section.edge)) {
    outcome.cannot_tell(fmt::format(
        "nobody tried whether the flip {} is refused while its condition does not hold; name the edge under guards",
        name));
  }
  // Who waives G9 says that there is no numbering to look at.
  if (needs.numbered && section.ids.empty() && !evidence.waived.contains("G9"))
    outcome.cannot_tell(fmt::format("the sequences were not read in {}", name));
  for (const std::string& store : needs.silent) {
    if (!section.changes.contains(store))
      outcome.cannot_tell(fmt::format("the {} database was not watched in {}", store, name));
  }
}

void guard_holds(const Section& section, std::string_view invariant, Outcome& outcome) {
  for (const FlagTrial& trial : section.flag_trials) {
    if (trial.invariant != invariant) continue;
    if (served_nothing(trial)) {
      outcome.cannot_tell(
          fmt::format("the new service did not say what it serves around the flip to {:?}", trial.value));
      continue;
    }
    outcome.looked_at(1, "attempts against the guard");
    if (trial.served_after == trial.served_before) continue;
    outcome.contradict(fmt::format("{}, so that the flip to {:?} must be refused", trial.why, trial.value),
                       fmt::format("the new service went over from {} to {}", trial.served_before, trial.served_after));
  }
}

void databases_are_equal(const Evidence& evidence, const Section& section, Outcome& outcome) {
  for (const auto& [name, held] : section.comparisons) {
    const Comparison* comparison = comparison_of(section, name, outcome);
    if (comparison == nullptr) continue;
    outcome.looked_at(comparison->rows_left, "rows");
    contradict_rows(evidence, section, *comparison, outcome, [](const RowDifference&) { return true; });
  }
}

void silence_was_kept(const Section& section, Outcome& outcome) {
  for (const auto& [store, held] : section.changes) {
    const Changes* changes = changes_of(section, store, outcome);
    if (changes == nullptr) continue;
    outcome.looked_at(1, "proofs of silence");
    if (changes->written())
      outcome.contradict(fmt::format("the {} database must be silent in {}", store, section.name), in_words(*changes));
  }
}

void numbers_go_on(const Section& section, Outcome& outcome) {
  const bool both = section.stage == Stage::shadow || section.stage == Stage::live;
  for (const IdSpace& ids : section.ids) {
    outcome.looked_at(1, "numberings");
    const auto top = std::max(ids.legacy_max, ids.new_max);
    const bool behind = ids.new_next <= top || (both && ids.legacy_next <= top);
    if (behind) {
      outcome.contradict(fmt::format("{}/{} is in use", ids.entity, top),
                         fmt::format("legacy would give {} next, the new database {}", ids.legacy_next, ids.new_next));
    }
  }
}

void look_at_edge(const Evidence& evidence, const Section& section, std::string_view invariant, const Needs& needs,
                  Outcome& outcome) {
  expect_evidence(evidence, section, needs, outcome);
  guard_holds(section, invariant, outcome);
  databases_are_equal(evidence, section, outcome);
  expect_equal_pairs(evidence, section, outcome);
  silence_was_kept(section, outcome);
  numbers_go_on(section, outcome);
  if (section.copied && !*section.copied) outcome.contradict("the copy was started", "it did not end with success");
}

// Copies may write a row again as it was: what counts is the content, and what the sequences would give next.
void round_trip_changes_nothing(const Section& section, Outcome& outcome) {
  const Changes* changes = changes_of(section, "legacy", outcome);
  if (changes == nullptr) return;
  outcome.looked_at(1, "round trips without writes");
  if (changes->content_changed || !changes->sequences.empty())
    outcome.contradict("nobody wrote between off and off", "the legacy database is another one: " + in_words(*changes));
}

void whole_way_back(const Evidence& evidence, const Section& section, Outcome& outcome) {
  if (section.paired.empty()) outcome.cannot_tell("nothing was read before and after the way");
  if (section.round_trip) round_trip_changes_nothing(section, outcome);
  databases_are_equal(evidence, section, outcome);
  expect_equal_pairs(evidence, section, outcome);
}

Check check_of(Stage from, Stage to, std::string_view title, Needs needs) {
  const Edge edge{from, to};
  const std::string_view invariant = invariant_of(edge);
  return {invariant, title, [edge](const Section& s) { return s.edge == edge && s.fault == Fault::none; },
          [invariant, needs = std::move(needs)](const Evidence& evidence, const Section& section, Outcome& outcome) {
            look_at_edge(evidence, section, invariant, needs, outcome);
          }};
}

}  // namespace

std::vector<Check> checks_of_edges() {
  using enum Stage;
  return {
      check_of(off, read_only, "every write acknowledged in off is in the copy", {"any", true, false, {}}),
      check_of(read_only, off, "the new database stays silent, and a second copy catches up with deletes",
               {"any", true, false, {"new"}}),
      check_of(read_only, shadow, "no flip before a verified copy; afterwards both databases number on and agree",
               {legacy_against_new, true, true, {}, true}),
      check_of(shadow, read_only, "both databases are silent and equal",
               {legacy_against_new, false, false, {"legacy", "new"}}),
      check_of(shadow, live, "no flip while the databases differ; what was readable stays readable",
               {legacy_against_new, false, false, {}, true}),
      check_of(
          live, shadow,
          "no flip while the databases differ; every write of live is readable from legacy, and ids do not collide",
          {legacy_against_new, false, true, {}, true}),
      check_of(live, completed, "no flip while the databases differ; the legacy database is frozen",
               {"any", false, false, {"legacy"}, true}),
      check_of(completed, live, "no flip before legacy has caught up; afterwards both databases agree",
               {legacy_against_new, true, true, {}, true}),
      {"E*", "every acknowledged write is readable after the whole way back, which without writes changes nothing",
       [](const Section& s) {
         if (s.round_trip) return true;
         // The whole way: some earlier leg was played in completed.
         const bool was_completed = std::any_of(s.earlier.begin(), s.earlier.end(),
                                                [](const std::string& leg) { return leg.ends_with(": completed"); });
         return s.edge == Edge{read_only, off} && !s.paired.empty() && was_completed;
       },
       whole_way_back},
  };
}

}  // namespace rehearse::properties
