// What must hold once only the new database serves: C1 to C5.
#include <fmt/format.h>

#include "properties/checks/facts.h"

namespace rehearse::properties {
namespace {

bool plain(const Section& section) { return section.plain_stage(Stage::completed); }

void nothing_goes_to_legacy(const Evidence&, const Section& section, Outcome& outcome) {
  const Changes* changes = changes_of(section, "legacy", outcome);
  if (changes == nullptr) return;
  outcome.looked_at(1, "proofs that the legacy database was left alone");
  if (changes->statement_ms < 0) outcome.cannot_tell("the time of statements in the legacy database could not be read");
  if (changes->statement_ms > 0) {
    outcome.contradict(
        "the migration is completed",
        fmt::format("clients executed statements in the legacy database for {} ms", changes->statement_ms));
  }
  // What the legacy service answers with its error needs no statement: only its own count of requests tells.
  if (!section.legacy_requests)
    return outcome.cannot_tell("the legacy service's requests could not be counted; see services.legacy.requests");
  outcome.looked_at(1, "request counters of the legacy service");
  if (*section.legacy_requests > 0) {
    outcome.contradict("the migration is completed",
                       fmt::format("the legacy service counted {} requests while clients spoke to the new one",
                                   *section.legacy_requests));
  }
}

void legacy_answers_with_the_error(const Evidence& evidence, const Section& section, Outcome& outcome) {
  const auto* history = evidence.history(section.direct);
  if (history == nullptr) return outcome.cannot_tell("nothing was sent to the legacy service itself");
  expect_answer(evidence.contract.legacy_gone, *history, outcome, "completed, at the legacy service,",
                [](const replay::Record&) { return true; });
}

void legacy_is_not_needed(const Evidence& evidence, const Section& section, Outcome& outcome) {
  expect_oracle_answers(evidence, section, outcome, [](const replay::Record&) { return true; });
}

void legacy_database_is_frozen(const Evidence&, const Section& section, Outcome& outcome) {
  const Changes* changes = changes_of(section, "legacy", outcome);
  if (changes == nullptr) return;
  outcome.looked_at(1, "proofs by " + changes->decided_by);
  if (changes->written())
    outcome.contradict("the migration is completed", "the legacy database was written: " + in_words(*changes));
}

void whole_history_is_kept(const Evidence& evidence, const Section& section, Outcome& outcome) {
  look_at_acknowledged_writes(evidence, section, outcome);
  expect_equal_pairs(evidence, section, outcome);
}

}  // namespace

std::vector<Check> checks_of_completed() {
  return {
      {"C1", "nothing is sent to the legacy service or its database", plain, nothing_goes_to_legacy},
      {"C2", "the legacy service answers every business endpoint with the declared error", plain,
       legacy_answers_with_the_error},
      {"C3", "with legacy stopped nothing changes for clients",
       [](const Section& s) { return s.is_stage(Stage::completed) && s.fault == Fault::legacy_stopped; },
       legacy_is_not_needed},
      {"C4", "the legacy database is not written", plain, legacy_database_is_frozen},
      {"C5", "every write acknowledged since off is there",
       [](const Section& s) { return s.edge && s.stage == Stage::completed && !s.paired.empty(); },
       whole_history_is_kept},
  };
}

}  // namespace rehearse::properties
