// What must hold while reads come from the new database: V1, V2, V3, V5, V6.
#include <fmt/format.h>

#include <algorithm>

#include "properties/checks/facts.h"

namespace rehearse::properties {
namespace {

using replay::Record;

bool plain(const Section& section) { return section.plain_stage(Stage::live); }

void reads_come_from_new(const Evidence& evidence, const Section& section, Outcome& outcome) {
  expect_equal_pairs(evidence, section, outcome);
}

void writes_reach_both(const Evidence& evidence, const Section& section, Outcome& outcome) {
  look_at_acknowledged_writes(evidence, section, outcome);
  const Comparison* oracle = comparison_of(section, new_against_oracle, outcome);
  if (oracle != nullptr) {
    contradict_rows(evidence, section, *oracle, outcome,
                    [](const RowDifference& row) { return row.kind != RowDifference::Kind::only_left; });
  }
  const Comparison* stores = comparison_of(section, legacy_against_new, outcome);
  if (stores != nullptr) {
    contradict_rows(evidence, section, *stores, outcome,
                    [](const RowDifference& row) { return row.kind != RowDifference::Kind::only_left; });
  }
}

void legacy_failure_follows_the_policy(const Evidence& evidence, const Section& section, Outcome& outcome) {
  const auto* history = evidence.history(section.played);
  if (history == nullptr) return outcome.cannot_tell("nothing was played");
  for (const Record& record : history->records) {
    const bool failed = record.outcome != replay::Outcome::answered || record.response.status >= 500;
    if (record.read && failed) {
      outcome.contradict("legacy is stopped, and reads come from the new database", what_happened(record), history,
                         &record);
    }
  }
  if (evidence.contract.legacy_failure_fails_request)
    return expect_writes_to_fail_without_trace(evidence, section, outcome);
  bool acknowledged_any = false;
  for (const Record& record : history->records) {
    if (record.read) continue;
    outcome.looked_at(1, "writes");
    acknowledged_any |= acknowledged(record);
    if (record.outcome != replay::Outcome::answered || record.response.status >= 500)
      outcome.contradict("legacy is stopped, and that is hidden from clients", what_happened(record), history, &record);
  }
  if (!section.alerts.known) return outcome.cannot_tell("the alert metric could not be read");
  if (acknowledged_any && section.alerts.counted == 0)
    outcome.contradict("writes were acknowledged that legacy does not have", "no alert was raised");
}

void earlier_writes_are_readable(const Evidence& evidence, const Section& section, Outcome& outcome) {
  expect_equal_pairs(evidence, section, outcome);
}

// Lists, sorting, filters, pages and conditional requests: what an index, a collation or a validator answers for.
bool queries(const Record& record) {
  return record.read && (record.request.target.find('?') != std::string::npos || record.request.method == "POST" ||
                         replay::field(record.request.headers, "If-None-Match") ||
                         replay::field(record.request.headers, "If-Modified-Since"));
}

void queries_equal_the_oracles(const Evidence& evidence, const Section& section, Outcome& outcome) {
  expect_oracle_answers(evidence, section, outcome, queries);
}

}  // namespace

std::vector<Check> checks_of_live() {
  return {
      {"V1", "reads come from the new database", plain, reads_come_from_new},
      {"V2", "each acknowledged write is in both databases", plain, writes_reach_both},
      {"V3", "a failure of legacy follows the declared policy",
       [](const Section& s) { return s.is_stage(Stage::live) && s.fault == Fault::legacy_stopped; },
       legacy_failure_follows_the_policy},
      {"V5", "every write acknowledged in an earlier stage is readable at once",
       [](const Section& s) { return s.edge && s.stage == Stage::live && !s.paired.empty(); },
       earlier_writes_are_readable},
      {"V6", "lists, sorting, filters, pages and conditional requests equal the oracle's", plain,
       queries_equal_the_oracles},
  };
}

}  // namespace rehearse::properties
