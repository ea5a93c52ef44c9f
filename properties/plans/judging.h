// What the checks of a trial share: the trial, what became of its requests, and the judgement that is being made.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>

#include "properties/check.h"
#include "properties/checks/facts.h"
#include "properties/plans/faults.h"
#include "properties/plans/trial.h"

namespace rehearse::properties {

class Judging {
 public:
  Judging(const Contract& contract, const Trial& trial, const Volatile& noise)
      : contract_(contract), trial_(trial), noise_(noise), effects_(contract, trial) {
    evidence_.contract = contract;
    section_.alerts = trial.alerts;
    // Rows that no alert names are excused by a fault and by nothing else.
    if (faulty(of_new_database) || faulty(of_legacy)) section_.fault = Fault::new_database_stopped;
    section_.logs = {{"legacy", trial.legacy_writes}, {"new", trial.new_writes}};
  }

  [[nodiscard]] const Contract& contract() const { return contract_; }
  [[nodiscard]] const Trial& trial() const { return trial_; }
  [[nodiscard]] const TrialEffects& effects() const { return effects_; }

  void check(const std::string& invariant, const std::string& title, const std::function<void(Outcome&)>& look) {
    Outcome outcome;
    look(outcome);
    Result result = std::move(outcome).finish();
    // What did not come up in this plan is not unknown; other plans come to it.
    if (result.verdict == Verdict::unknown && result.reason.empty()) return;
    result.invariant = invariant;
    result.title = title;
    result.scope = scope();
    // Several parts of one invariant are one result.
    for (Result& known : judgement_.results) {
      if (known.invariant != invariant) continue;
      known.verdict = worst(known.verdict, result.verdict);
      known.checked += result.checked;
      known.violations += result.violations;
      if (!result.reason.empty() && result.verdict != Verdict::pass) known.reason = result.reason;
      known.findings.insert(known.findings.end(), result.findings.begin(), result.findings.end());
      return;
    }
    judgement_.results.push_back(std::move(result));
  }

  // Adds only what contradicts: for invariants that many plans have nothing to say about.
  void contradict(const std::string& invariant, const std::string& title, const std::string& expected,
                  const std::string& observed, const replay::Record* record = nullptr) {
    check(invariant, title, [&](Outcome& outcome) {
      outcome.contradict(expected, observed, record != nullptr ? &trial_.played : nullptr, record);
    });
  }

  [[nodiscard]] std::string scope() const {
    std::string text;
    for (const Stage stage : stages_of(trial_.plan)) text += (text.empty() ? "" : " → ") + std::string(name_of(stage));
    return text;
  }
  [[nodiscard]] const replay::Record& record_of(const Effect& effect) const {
    return *replay::record_of(trial_.played, effect.step);
  }
  [[nodiscard]] bool faulty(const std::function<bool(const FaultWindow&)>& which) const {
    return std::any_of(trial_.faults.begin(), trial_.faults.end(), which);
  }
  [[nodiscard]] bool alerted(const RowDifference& row) const {
    if (named_by_alert(evidence_, section_, row)) return true;
    // What legacy made while its answer got lost has no key that the new service could name; it says so with none, or "?".
    const auto owner = contract_.part_of.find(row.entity);
    const std::string& entity = owner == contract_.part_of.end() ? row.entity : owner->second;
    const bool unnamed = std::any_of(trial_.alerts.logged.begin(), trial_.alerts.logged.end(), [&](const Alert& alert) {
      return alert.entity == entity && (alert.key.empty() || alert.key == "?");
    });
    if (unnamed && row.kind == RowDifference::Kind::only_left && faulty(of_legacy)) return true;
    return !trial_.alerts.logged_known && trial_.alerts.counted > 0 && !trial_.faults.empty();
  }
  // Whether completed took a write behind the copy back, and none was made since: between copy and flip no guard can hold clients off, so
  // two copies enclose that flip, and whoever leaves out the second leaves legacy behind.
  [[nodiscard]] bool legacy_left_behind(std::int64_t at_ns) const {
    const auto copied_between = [&](std::int64_t from_ns, std::int64_t to_ns, bool back) {
      return std::any_of(trial_.copies.begin(), trial_.copies.end(), [&](const CopyWindow& copy) {
        return copy.done && (!back || copy.back) && copy.from_ns >= from_ns && copy.to_ns <= to_ns;
      });
    };
    return std::any_of(effects_.effects().begin(), effects_.effects().end(), [&](const Effect& effect) {
      const replay::Record& record = record_of(effect);
      const std::int64_t done = trial_.played.began_ns + record.done_ns;
      return effect.write && effect.stage == Stage::completed && acknowledged(record) && done <= at_ns &&
             copied_between(0, done, true) && !copied_between(trial_.played.began_ns + record.sent_ns, at_ns, false);
    });
  }
  [[nodiscard]] bool guarded(const std::string& edge) const { return !contract_.unguarded.contains(edge); }

 protected:
  const Contract& contract_;
  const Trial& trial_;
  const Volatile& noise_;
  TrialEffects effects_;
  Evidence evidence_;  // what alerts are held against rows with
  Section section_;
  Judgement judgement_;
};

// The checks, by what they look at. Each adds to the judgement what holds and what does not.
void look_at_edges(Judging& judging);
void look_at_copies(Judging& judging);
void look_at_faults(Judging& judging);
void look_at_alterations(Judging& judging);
void look_at_legacy_itself(Judging& judging);

}  // namespace rehearse::properties
