// What must hold while writes go to both and reads come from legacy: S1 to S4, S6, S7.
#include <fmt/format.h>

#include <algorithm>

#include "properties/checks/facts.h"

namespace rehearse::properties {
namespace {

using Kind = RowDifference::Kind;

bool plain(const Section& section) { return section.plain_stage(Stage::shadow); }
bool faulty(const Section& section) {
  return section.is_stage(Stage::shadow) && section.fault != Fault::none && section.fault != Fault::legacy_stopped;
}

void writes_reach_both(const Evidence& evidence, const Section& section, Outcome& outcome) {
  look_at_acknowledged_writes(evidence, section, outcome);
  const Comparison* comparison = comparison_of(section, legacy_against_new, outcome);
  if (comparison == nullptr) return;
  // Without a log that names keys, alerts can only be counted: a fault with no alert at all is still a silent loss.
  const bool excused = section.fault != Fault::none && !section.alerts.logged_known && section.alerts.counted > 0;
  if (excused) return;
  contradict_rows(evidence, section, *comparison, outcome, [&](const RowDifference& row) {
    return row.kind != Kind::only_right && !named_by_alert(evidence, section, row);
  });
}

void reads_come_from_legacy(const Evidence& evidence, const Section& section, Outcome& outcome) {
  expect_equal_pairs(evidence, section, outcome);
}

void faults_of_the_new_database_stay_hidden(const Evidence& evidence, const Section& section, Outcome& outcome) {
  expect_oracle_answers(evidence, section, outcome, [](const replay::Record&) { return true; });
  const auto* history = evidence.history(section.played);
  if (history == nullptr) return;
  for (const replay::Record& record : history->records) {
    const auto took = record.done_ns - record.sent_ns;
    if (took <= evidence.contract.fault_latency_ns) continue;
    outcome.contradict(fmt::format("with the {}, an answer may take {} ms", name_of(section.fault),
                                   evidence.contract.fault_latency_ns / 1'000'000),
                       fmt::format("{} after {} ms", what_happened(record), took / 1'000'000), history, &record);
  }
  if (!section.alerts.known) return outcome.cannot_tell("the alert metric could not be read");
  const bool wrote = std::any_of(history->records.begin(), history->records.end(), acknowledged);
  if (!wrote) outcome.cannot_tell("no write was acknowledged: the traffic does not exercise what this speaks of");
  if (wrote && section.alerts.counted == 0) {
    outcome.contradict(fmt::format("writes were acknowledged with the {}", name_of(section.fault)),
                       "no alert was raised");
  }
}

void legacy_ends_as_in_off(const Evidence& evidence, const Section& section, Outcome& outcome) {
  const Comparison* comparison = comparison_of(section, legacy_against_oracle, outcome);
  if (comparison == nullptr) return;
  outcome.looked_at(comparison->rows_left, "rows");
  contradict_rows(evidence, section, *comparison, outcome, [](const RowDifference&) { return true; });
}

void server_made_values_are_equal(const Evidence& evidence, const Section& section, Outcome& outcome) {
  const Comparison* comparison = comparison_of(section, legacy_against_new, outcome);
  if (comparison == nullptr) return;
  look_at_acknowledged_writes(evidence, section, outcome);
  const auto* history = evidence.history(section.played);
  for (const RowDifference& row : comparison->rows) {
    if (row.kind != Kind::changed) continue;
    const auto* writer = writer_of(history, row.key);
    const bool sent_by_client = writer != nullptr && row.left != "NULL" && !row.left.empty() &&
                                writer->request.body.find(row.left) != std::string::npos;
    if (sent_by_client) continue;
    outcome.contradict(writer ? what_happened(*writer) : "both databases make the same values",
                       in_words(*comparison, row), history, writer);
  }
  const auto both_sides = [&](const std::string& entity) {
    const auto has = [&](Kind kind) {
      return std::any_of(comparison->rows.begin(), comparison->rows.end(),
                         [&](const RowDifference& row) { return row.kind == kind && row.entity == entity; });
    };
    return has(Kind::only_left) && has(Kind::only_right);
  };
  for (const IdSpace& ids : section.ids) {
    if (both_sides(ids.entity))
      outcome.contradict(fmt::format("{} has the same ids in both databases", ids.entity),
                         "each database holds ids that the other does not");
  }
}

}  // namespace

std::vector<Check> checks_of_shadow() {
  return {
      {"S1", "each acknowledged write is in both databases, or an alert names it",
       [](const Section& s) { return s.is_stage(Stage::shadow) && s.fault != Fault::legacy_stopped; },
       writes_reach_both},
      {"S2", "reads come from legacy", plain, reads_come_from_legacy},
      {"S3", "a fault of the new database never reaches a client and always raises an alert", faulty,
       faults_of_the_new_database_stay_hidden},
      {"S4", "a fault of legacy fails the request and leaves nothing in the new database",
       [](const Section& s) { return s.is_stage(Stage::shadow) && s.fault == Fault::legacy_stopped; },
       expect_writes_to_fail_without_trace},
      {"S6", "the legacy database ends as it would have in off",
       [](const Section& s) {
         return plain(s) || (s.is_stage(Stage::shadow) && s.comparisons.contains(std::string(legacy_against_oracle)));
       },
       legacy_ends_as_in_off},
      {"S7", "values that the server makes are equal in both databases", plain, server_made_values_are_equal},
  };
}

}  // namespace rehearse::properties
