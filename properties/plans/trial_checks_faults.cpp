// What must hold beside a fault, behind a change by hand, and of legacy itself where nobody may use it any more.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "properties/plans/judging.h"

namespace rehearse::properties {
namespace {

using replay::Record;
using RecordOutcome = replay::Outcome;
using Rows = std::set<std::pair<std::string, std::string>>;  // entity, key

void look_at_hidden_fault(Judging& judging, const FaultWindow& fault, const Record& record) {
  const Trial& trial = judging.trial();
  const Contract& contract = judging.contract();
  judging.check("S3", "a fault of the new database never reaches a client", [&](Outcome& outcome) {
    outcome.looked_at(1, "answers");
    const auto took = record.done_ns - record.sent_ns;
    // What we held ourselves, on whichever wire, says nothing of the service.
    const bool held = std::any_of(trial.faults.begin(), trial.faults.end(), [&](const FaultWindow& other) {
      return !of_new_database(other) && other.schedules && meets(trial, other, record);
    });
    if (took > contract.fault_latency_ns && !held)
      outcome.contradict(fmt::format("with the new database {}, an answer may take {} ms", fault.how,
                                     contract.fault_latency_ns / 1'000'000),
                         fmt::format("{} after {} ms", what_happened(record), took / 1'000'000), &trial.played,
                         &record);
    if (record.outcome != RecordOutcome::answered)
      outcome.contradict(
          fmt::format("the new database was {}, and reads and writes do not depend on it in shadow", fault.how),
          what_happened(record), &trial.played, &record);
  });
}

// The stage that the last flip before it led to.
bool expected_stage(const Trial& trial, const Effect& effect, const Record& record) {
  Stage stage = trial.began;
  for (const FlagMove& move : trial.moves)
    if (move.served_ns != 0 && move.asked_ns <= trial.played.began_ns + record.sent_ns) stage = move.to;
  return effect.stage == stage;
}

// A refusal needs no database: it is as fast with one that hangs.
void look_at_refusal(Judging& judging, const FaultWindow& fault, const Effect& effect) {
  const bool needs_none = effect.refused_by_stage && effect.stage == Stage::read_only && !effect.straddles &&
                          (of_new_database(fault) || of_legacy(fault));
  if (!needs_none) return;
  const Trial& trial = judging.trial();
  const Record& record = judging.record_of(effect);
  judging.check("R7", "a refusal is fast and needs no database", [&](Outcome& outcome) {
    outcome.looked_at(1, "refusals");
    const auto took = record.done_ns - record.sent_ns;
    if (took > judging.contract().fault_latency_ns)
      outcome.contradict(fmt::format("{} was {}, and an answer may take {} ms", fault.what, fault.how,
                                     judging.contract().fault_latency_ns / 1'000'000),
                         fmt::format("{} after {} ms", what_happened(record), took / 1'000'000), &trial.played,
                         &record);
  });
}

Rows rows_of(const StoreLog& log, const WriteLog& writes, const std::vector<std::size_t>& transactions) {
  Rows rows;
  for (const std::size_t t : transactions)
    for (const LoggedWrite& write : writes.writes)
      if (write.transaction == log.transactions[t].transaction) rows.emplace(write.entity, write.key);
  return rows;
}

// What a request writes to several rows is in the new database whole or not at all, also when it failed there halfway.
void look_at_wholeness(Judging& judging) {
  const Trial& trial = judging.trial();
  if (trial.faults.empty() || !trial.new_writes.known || !trial.legacy_writes.known) return;
  for (const Effect& effect : judging.effects().effects()) {
    const bool dual = effect.stage == Stage::shadow || effect.stage == Stage::live;
    // What legacy did in several transactions is no whole there either, and some of it may be another request's.
    if (!effect.write || !dual || effect.ambiguous || effect.in_legacy.size() != 1 || effect.in_new.empty()) continue;
    const Rows in_legacy = rows_of(trial.legacy, trial.legacy_writes, effect.in_legacy);
    const Rows in_new = rows_of(trial.new_, trial.new_writes, effect.in_new);
    if (in_legacy.size() < 2 || in_new.empty()) continue;
    const Record& record = judging.record_of(effect);
    judging.check("S8", "an operation on several rows is all or nothing in each database", [&](Outcome& outcome) {
      outcome.looked_at(static_cast<std::int64_t>(in_legacy.size()), "rows");
      for (const RowDifference& row : trial.stores.rows) {
        const std::pair row_key{row.entity, row.key};
        if (row.kind != RowDifference::Kind::only_left || !in_legacy.contains(row_key) || in_new.contains(row_key))
          continue;
        outcome.contradict(fmt::format("{}, and the new database took {} of its {} rows", what_happened(record),
                                       in_new.size(), in_legacy.size()),
                           in_words(trial.stores, row), &trial.played, &record);
      }
    });
  }
}

}  // namespace

void look_at_faults(Judging& judging) {
  const Trial& trial = judging.trial();
  const Contract& contract = judging.contract();
  for (const FaultWindow& fault : trial.faults) {
    for (const Effect& effect : judging.effects().effects()) {
      const Record& record = judging.record_of(effect);
      if (!meets(trial, fault, record) || !effect.stage_known) continue;
      const bool within = trial.played.began_ns + record.sent_ns >= fault.from_ns &&
                          (fault.to_ns == 0 || trial.played.began_ns + record.done_ns <= fault.to_ns);
      if (of_new_database(fault) && effect.stage == Stage::shadow) look_at_hidden_fault(judging, fault, record);
      const bool down =
          within && of_legacy(fault) && (fault.how == "stopped" || fault.how == "stop" || fault.how == "kill");
      if (down && effect.write && acknowledged(record)) {
        if (effect.stage == Stage::off)
          judging.contradict("O6", "with legacy stopped nothing succeeds", "legacy was stopped", what_happened(record),
                             &record);
        if (effect.stage == Stage::shadow)
          judging.contradict("S4", "a fault of legacy fails the request", "legacy was stopped", what_happened(record),
                             &record);
        if (effect.stage == Stage::live && contract.legacy_failure_fails_request && effect.in_legacy.empty())
          judging.contradict("V3", "a failure of legacy follows the declared policy", "legacy was stopped",
                             what_happened(record), &record);
      }
      // What was acknowledged is in legacy, or lost there, which the databases show; of two such writes at once the logs do not tell.
      if (of_legacy(fault) && effect.stage == Stage::shadow && effect.write && effect.in_legacy.empty() &&
          !effect.in_new.empty() && !effect.ambiguous && !acknowledged(record))
        judging.contradict("S4", "a fault of legacy leaves nothing in the new database",
                           what_happened(record) + ", and legacy did not take it", "the new database did", &record);
      const bool in_one = !effect.in_legacy.empty() && effect.in_new.empty();
      if (of_new_database(fault) && effect.stage == Stage::live && effect.write && in_one && trial.alerts.known &&
          trial.alerts.counted == 0)
        judging.contradict("V4", "a fault of the new database leaves no trace in legacy, or an open alert",
                           what_happened(record) + ", and legacy took it", "no alert was raised", &record);
      look_at_refusal(judging, fault, effect);
      if (fault.what == "flag" && !expected_stage(trial, effect, record))
        judging.contradict(
            "G15", "without its source the flag stays as it was last known",
            fault.how == "gone" ? "the source of the flag was gone" : "the source of the flag held garbage",
            fmt::format("{}, served under {}", what_happened(record), name_of(effect.stage)), &record);
    }
  }
  look_at_wholeness(judging);
}

// S5: rows of the store that does not answer were changed by hand. A write to one of them is answered differently by the two stores,
// which the service sees when it writes to both.
void look_at_alterations(Judging& judging) {
  const Trial& trial = judging.trial();
  if (trial.alterations.empty() || !trial.alerts.known || trial.ended != Stage::shadow) return;
  const std::int64_t since = trial.alterations.front().at_ns;
  for (const Effect& effect : judging.effects().effects()) {
    const Record& record = judging.record_of(effect);
    if (effect.stage != Stage::shadow || !effect.stage_known || effect.ambiguous || effect.in_legacy.empty() ||
        effect.in_new.empty() || !acknowledged(record) || trial.played.began_ns + record.sent_ns < since)
      continue;
    const Rows in_new = rows_of(trial.new_, trial.new_writes, effect.in_new);
    for (const RowDifference& row : trial.stores.rows) {
      const std::string& answer = record.response.body;
      const std::string in_answer = row.left == "NULL" ? fmt::format("\"{}\":null", row.column) : '"' + row.left + '"';
      const bool shown = row.kind == RowDifference::Kind::changed && in_new.contains({row.entity, row.key}) &&
                         row.left.size() > 1 && answer.find(in_answer) != std::string::npos;
      if (!shown) continue;
      judging.check("S5", "a mismatch that the service can see raises an alert", [&](Outcome& outcome) {
        outcome.looked_at(1, "writes");
        if (trial.alerts.counted == 0)
          outcome.contradict(fmt::format("{}, and the new database holds another value: {}", what_happened(record),
                                         in_words(trial.stores, row)),
                             "no alert was raised", &trial.played, &record);
      });
      break;
    }
  }
}

// R4, C2: legacy refuses whoever comes past the new service.
void look_at_legacy_itself(Judging& judging) {
  const Trial& trial = judging.trial();
  if (trial.direct.records.empty()) return;
  const bool completed = trial.ended == Stage::completed;
  judging.check(completed ? "C2" : "R4",
                completed ? "legacy answers with the declared error" : "legacy refuses direct writes, too",
                [&](Outcome& outcome) {
                  expect_answer(completed ? judging.contract().legacy_gone : judging.contract().refusal, trial.direct,
                                outcome, completed ? "completed, asked directly" : "read-only, asked directly",
                                [&](const Record& record) {
                                  // No operation at all is refused by the interface and not by the stage.
                                  const int status = record.response.status;
                                  return completed || (status != 404 && status != 405 && status != 501);
                                });
                });
}

}  // namespace rehearse::properties
