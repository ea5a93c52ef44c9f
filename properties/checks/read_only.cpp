// What must hold while writes are refused and the data is copied: R1 to R5, R8.
#include <fmt/format.h>

#include "properties/checks/facts.h"

namespace rehearse::properties {
namespace {

using replay::Record;

bool plain(const Section& section) { return section.plain_stage(Stage::read_only); }

void every_write_is_refused(const Evidence& evidence, const Section& section, Outcome& outcome) {
  const auto* history = evidence.history(section.played);
  if (history == nullptr) return outcome.cannot_tell("nothing was played");
  expect_answer(evidence.contract.refusal, *history, outcome, "read-only",
                [&](const Record& record) { return !record.read && !no_operation(evidence, record); });
}

void reads_equal_the_oracles(const Evidence& evidence, const Section& section, Outcome& outcome) {
  expect_oracle_answers(evidence, section, outcome, [](const Record& record) { return record.read; });
}

void expect_silence(const Section& section, const std::string& store, const char* why, Outcome& outcome) {
  const Changes* changes = changes_of(section, store, outcome);
  if (changes == nullptr) return;
  outcome.looked_at(1, "proofs by " + changes->decided_by);
  if (changes->written())
    outcome.contradict(why, fmt::format("the {} database was written: {}", store, in_words(*changes)));
}

void legacy_database_is_frozen(const Evidence&, const Section& section, Outcome& outcome) {
  expect_silence(section, "legacy", "the stage is read-only", outcome);
}

void legacy_service_refuses_too(const Evidence& evidence, const Section& section, Outcome& outcome) {
  const auto* history = evidence.history(section.direct);
  if (history == nullptr) return outcome.cannot_tell("nothing was sent to the legacy service itself");
  expect_answer(evidence.contract.refusal, *history, outcome, "read-only, at the legacy service,",
                [](const Record& record) { return !record.read; });
}

// A copy proves most while the services are asked: a write that is refused too late, or a read that disturbs it, shows only then.
void requests_went_on(const Evidence& evidence, const Section& section, Outcome& outcome) {
  const auto* history = evidence.history(section.played);
  if (history == nullptr || !section.copied) return;
  std::int64_t before = 0, during = 0, behind = 0;
  for (const Record& record : history->records) {
    const bool ended = history->began_ns + record.done_ns <= section.copy_began_ns;
    const bool later = history->began_ns + record.sent_ns >= section.copy_ended_ns;
    ++(ended ? before : later ? behind : during);
  }
  outcome.looked_at(during, "requests during the copy");
  if (before == 0 || during == 0 || behind == 0)
    outcome.cannot_tell(fmt::format(
        "the copy did not run amid requests: {} ended before it, {} were under way meanwhile, {} came behind it",
        before, during, behind));
}

// Not what the catalogue says, which a copy that switches triggers off deceives: the rows themselves were asked.
void constraints_hold(const Section& section, Outcome& outcome) {
  if (!section.constraints) return outcome.cannot_tell("the constraints of the new database were not looked at");
  if (const std::string& problem = section.constraints->problem; !problem.empty())
    outcome.cannot_tell(
        fmt::format("the constraints of the new database could not be held against its rows: {}", problem));
  outcome.looked_at(section.constraints->looked_at, "constraints");
  for (const auto& broken : section.constraints->broken) {
    outcome.contradict(fmt::format("{} declares {}: {}", broken.table, broken.name, broken.definition),
                       fmt::format("{} of its rows break it", broken.rows));
  }
}

void copy_is_equal(const Evidence& evidence, const Section& section, Outcome& outcome) {
  requests_went_on(evidence, section, outcome);
  if (!section.copied) outcome.cannot_tell("no copy was made");
  if (section.copied && !*section.copied) outcome.contradict("the copy was started", "it did not end with success");
  const Comparison* comparison = comparison_of(section, legacy_against_new, outcome);
  if (comparison == nullptr) return;
  outcome.looked_at(comparison->rows_left, "rows");
  contradict_rows(evidence, section, *comparison, outcome, [](const RowDifference&) { return true; });
  constraints_hold(section, outcome);
  for (const IdSpace& ids : section.ids) {
    if (ids.new_next > ids.legacy_max) continue;
    outcome.contradict(fmt::format("{}/{} was copied", ids.entity, ids.legacy_max),
                       fmt::format("the new database would give {} next", ids.new_next));
  }
}

void only_the_copy_writes(const Evidence&, const Section& section, Outcome& outcome) {
  expect_silence(section, "new", "the copy had not begun, or had ended", outcome);
}

}  // namespace

std::vector<Check> checks_of_read_only() {
  return {
      {"R1", "every state-changing operation gets the declared refusal", plain, every_write_is_refused},
      {"R2", "reads equal the oracle's", plain, reads_equal_the_oracles},
      {"R3", "the legacy database is not written", plain, legacy_database_is_frozen},
      {"R4", "the legacy service refuses direct writes too", plain, legacy_service_refuses_too},
      {"R5", "the copy is equal, row by row, keeps the constraints of the new database and numbers on above it", plain,
       copy_is_equal},
      {"R8", "nothing but the copy writes to the new database", plain, only_the_copy_writes},
  };
}

}  // namespace rehearse::properties
