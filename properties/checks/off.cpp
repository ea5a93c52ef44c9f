// What must hold while the new service only passes requests on: O1, O2, O4, O5.
#include <fmt/format.h>

#include <algorithm>

#include "properties/checks/facts.h"

namespace rehearse::properties {
namespace {

bool plain(const Section& section) { return section.plain_stage(Stage::off); }

void new_database_untouched(const Evidence&, const Section& section, Outcome& outcome) {
  const Changes* changes = changes_of(section, "new", outcome);
  if (changes == nullptr) return;
  outcome.looked_at(1, "proofs that the new database was not written");
  if (changes->written()) outcome.contradict("the stage is off", "the new database was written: " + in_words(*changes));
  if (changes->statement_ms < 0) outcome.cannot_tell("the time of statements in the new database could not be read");
  if (changes->statement_ms > 0) {
    outcome.contradict("the stage is off",
                       fmt::format("clients executed statements in the new database for {} ms", changes->statement_ms));
  }
}

void answers_are_the_legacy_services(const Evidence& evidence, const Section& section, Outcome& outcome) {
  expect_oracle_answers(evidence, section, outcome, [](const replay::Record&) { return true; });
}

// Nobody sends a request twice while all goes well. Each of these failed at legacy, which counted what arrived.
void failures_provoke_no_second_try(const Evidence& evidence, const Section& section, Outcome& outcome) {
  if (section.provocations.empty()) return outcome.cannot_tell("nothing was done that invites a second try");
  for (const Provocation& provocation : section.provocations) {
    const auto* history = evidence.history(provocation.history);
    if (history == nullptr) {
      outcome.cannot_tell(fmt::format("the requests that were sent while legacy {} are missing", provocation.how));
      continue;
    }
    const auto failed = std::count_if(history->records.begin(), history->records.end(), [](const auto& record) {
      return record.outcome != replay::Outcome::answered || record.response.status >= 500;
    });
    outcome.looked_at(failed, "failing requests");
    if (failed == 0 || provocation.arrived == 0)
      outcome.cannot_tell(fmt::format("no request reached legacy and failed while its database {}", provocation.how));
    if (provocation.arrived > static_cast<std::int64_t>(history->records.size())) {
      outcome.contradict(fmt::format("{} requests that are not idempotent were sent while legacy's database {}",
                                     history->records.size(), provocation.how),
                         fmt::format("the legacy service counted {}", provocation.arrived), history,
                         &history->records.front());
    }
  }
}

void nothing_is_sent_twice(const Evidence& evidence, const Section& section, Outcome& outcome) {
  failures_provoke_no_second_try(evidence, section, outcome);
  const Changes* through_new = changes_of(section, "legacy", outcome);
  const auto direct = section.oracle_changes.find("legacy");
  if (through_new == nullptr) return;
  if (direct == section.oracle_changes.end() || !direct->second.known) {
    return outcome.cannot_tell("the oracle's writes were not counted (no commit log)");
  }
  if (through_new->by_table.empty() && !direct->second.by_table.empty()) {
    return outcome.cannot_tell("the writes through the new service were not counted (no commit log)");
  }
  for (const auto& [table, rows] : direct->second.by_table) outcome.looked_at(rows, "row changes");
  for (const auto& [table, now] : through_new->by_table) {
    const auto found = direct->second.by_table.find(table);
    const std::int64_t rows = found == direct->second.by_table.end() ? 0 : found->second;
    if (now > rows) {
      outcome.contradict(
          fmt::format("the same requests, sent straight to the legacy service, made {} row changes in {}", rows, table),
          fmt::format("through the new service they made {}", now));
    }
  }
}

}  // namespace

std::vector<Check> checks_of_off() {
  return {
      {"O1", "the new database is not touched", plain, new_database_untouched},
      {"O2", "answers equal the legacy service's", plain, answers_are_the_legacy_services},
      {"O4", "no request is sent on twice, also not when it fails", plain, nothing_is_sent_twice},
      {"O5", "with the new database stopped nothing changes for clients",
       [](const Section& s) { return s.is_stage(Stage::off) && s.fault == Fault::new_database_stopped; },
       answers_are_the_legacy_services},
  };
}

}  // namespace rehearse::properties
