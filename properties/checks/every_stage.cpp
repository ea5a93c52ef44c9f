// What must hold in every stage: G1, G2, G3, G5, G7, G9, G10 (rest), G11, G13, G14, G16.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "properties/checks/facts.h"
#include "properties/write_order.h"

namespace rehearse::properties {
namespace {

using replay::History;
using replay::Record;

bool dual(const Section& section) { return section.stage == Stage::shadow || section.stage == Stage::live; }
bool against_oracle(const Section& section) { return !section.oracle.empty() && section.stage != Stage::read_only; }
bool new_database_fault(const Section& section) {
  return section.fault != Fault::none && section.fault != Fault::legacy_stopped;
}

// The comparison of the authoritative store with the oracle's final state.
std::string_view authoritative(const Section& section) {
  return new_store_is_authoritative(section.stage) ? new_against_oracle : legacy_against_oracle;
}

bool has_final_state(const Section& section) {
  return section.comparisons.contains(std::string(authoritative(section)));
}

void no_acknowledged_write_is_lost(const Evidence& evidence, const Section& section, Outcome& outcome) {
  const Comparison* comparison = comparison_of(section, authoritative(section), outcome);
  if (comparison == nullptr) return;
  look_at_acknowledged_writes(evidence, section, outcome);
  contradict_rows(evidence, section, *comparison, outcome,
                  [](const RowDifference& row) { return row.kind != RowDifference::Kind::only_left; });
}

void no_phantom(const Evidence& evidence, const Section& section, Outcome& outcome) {
  const Comparison* comparison = comparison_of(section, authoritative(section), outcome);
  if (comparison == nullptr) return;
  outcome.looked_at(comparison->rows_left, "rows");
  contradict_rows(evidence, section, *comparison, outcome,
                  [](const RowDifference& row) { return row.kind == RowDifference::Kind::only_left; });
  if (!dual(section)) return;
  const Comparison* stores = comparison_of(section, legacy_against_new, outcome);
  if (stores == nullptr) return;
  contradict_rows(evidence, section, *stores, outcome,
                  [](const RowDifference& row) { return row.kind == RowDifference::Kind::only_right; });
}

void refusal_leaves_no_trace(const Evidence& evidence, const Section& section, Outcome& outcome) {
  for (const Traced& traced : section.traced) {
    const History* history = evidence.history(traced.history);
    const Record* record = history ? replay::record_of(*history, traced.step) : nullptr;
    if (record == nullptr || !refused(evidence.contract, *record)) continue;
    if (!traced.legacy_changes.known || !traced.new_changes.known) {
      outcome.cannot_tell("what a refused write did to the databases could not be watched");
      continue;
    }
    outcome.looked_at(1, "refused writes");
    const auto expect_nothing = [&](const Changes& changes, const char* store) {
      if (!changes.written()) return;
      outcome.contradict(what_happened(*record),
                         fmt::format("the {} database was written meanwhile: {}", store, in_words(changes)), history,
                         record);
    };
    expect_nothing(traced.legacy_changes, "legacy");
    expect_nothing(traced.new_changes, "new");
  }
}

void databases_agree(const Evidence& evidence, const Section& section, Outcome& outcome) {
  const Comparison* comparison = comparison_of(section, legacy_against_new, outcome);
  if (comparison == nullptr) return;
  outcome.looked_at(comparison->rows_left, "rows");
  contradict_rows(evidence, section, *comparison, outcome,
                  [&](const RowDifference& row) { return !named_by_alert(evidence, section, row); });
}

// Two writes of one row that overtake each other between the databases leave them different, or would have with other values.
void writes_keep_their_order(const Evidence&, const Section& section, Outcome& outcome) {
  const auto log_of = [&](const char* store) -> const WriteLog* {
    const auto found = section.logs.find(store);
    if (found != section.logs.end() && found->second.known) return &found->second;
    outcome.cannot_tell(fmt::format("the {} database's commit log could not be read{}", store,
                                    found == section.logs.end() ? "" : ": " + found->second.problem));
    return nullptr;
  };
  const WriteLog* legacy = log_of("legacy");
  const WriteLog* new_ = log_of("new");
  if (legacy == nullptr || new_ == nullptr) return;
  const WriteOrder order = write_order(*legacy, *new_);
  outcome.looked_at(order.rows, "rows that both databases wrote");
  for (const Inversion& inversion : order.inversions) {
    const std::string row = fmt::format("{}/{}", inversion.first->entity, inversion.first->key);
    outcome.contradict(
        fmt::format("legacy wrote {} as ({}) and then as ({}), in transactions {} and {}", row, inversion.first->image,
                    inversion.second->image, inversion.first->transaction, inversion.second->transaction),
        fmt::format("the new database wrote {} the other way round", row));
  }
}

void answers_equal_the_oracles(const Evidence& evidence, const Section& section, Outcome& outcome) {
  expect_oracle_answers(evidence, section, outcome, [](const Record&) { return true; });
}

bool numbers_rows(const Section& section) {
  return !section.edge && (new_store_is_authoritative(section.stage) || section.stage == Stage::shadow);
}

// What the oracle calls by one identifier has one in the play, too, and no two of its things have the same. Where the oracle's own
// two runs break that, the values are none.
void ids_stand_for_each_other(const Evidence& evidence, const Section& section, Outcome& outcome) {
  const History* oracle = evidence.history(section.oracle);
  const History* again = evidence.history(section.oracle_again);
  const History* played = evidence.history(section.played);
  if (oracle == nullptr || played == nullptr) return outcome.cannot_tell("nothing was played or held against it");
  auto plays = evidence.earlier_plays(section);
  plays.push_back(played);
  outcome.looked_at(static_cast<std::int64_t>(played->records.size()), "answers");
  std::set<std::string> no_ids, no_order;
  if (again != nullptr) {
    const Correspondence among_oracles = correspondence(*oracle, {again});
    for (const auto& violation : among_oracles.violations()) no_ids.insert(violation.first.entity);
    for (const auto& violation : among_oracles.out_of_order()) no_order.insert(violation.first.entity);
  }
  const Correspondence pairs = correspondence(*oracle, plays);
  for (const auto& [first, second] : pairs.out_of_order()) {
    if (no_order.contains(first.entity) || no_ids.contains(first.entity)) continue;
    outcome.contradict(fmt::format("the oracle gave {} {} at step {} and then {} at step {}", first.entity,
                                   first.expected, first.step, second.expected, second.step),
                       fmt::format("in {} they are {} and then {}", section.name, first.observed, second.observed),
                       played, replay::record_of(*played, second.step));
  }
  for (const auto& [first, second] : pairs.violations()) {
    if (no_ids.contains(first.entity)) continue;
    const auto fact = [](const Correspondence::Pair& pair) {
      return fmt::format("{} {} of the oracle is {} in the answer to step {}", pair.entity, pair.expected,
                         pair.observed, pair.step);
    };
    outcome.contradict(fact(first), fact(second), played, replay::record_of(*played, second.step));
  }
}

void ids_are_one_numbering(const Evidence& evidence, const Section& section, Outcome& outcome) {
  if (against_oracle(section)) ids_stand_for_each_other(evidence, section, outcome);
  if (!numbers_rows(section)) return;
  if (section.ids.empty()) return outcome.cannot_tell("the configuration names no sequences");
  const bool both = dual(section);
  for (const IdSpace& ids : section.ids) {
    outcome.looked_at(1, "numberings");
    const auto top = std::max(ids.legacy_max, ids.new_max);
    const auto expect_above = [&](std::int64_t next, const char* store) {
      if (next > top) return;
      outcome.contradict(fmt::format("{}/{} is in use", ids.entity, top),
                         fmt::format("the {} database would give {} next", store, next));
    };
    expect_above(ids.new_next, "new");
    if (both) expect_above(ids.legacy_next, "legacy");
  }
  if (!both) return;
  const Comparison* comparison = comparison_of(section, legacy_against_new, outcome);
  if (comparison == nullptr) return;
  for (const IdSpace& ids : section.ids) {
    const auto only = [&](RowDifference::Kind kind) {
      return std::find_if(comparison->rows.begin(), comparison->rows.end(),
                          [&](const RowDifference& row) { return row.kind == kind && row.entity == ids.entity; });
    };
    const auto left = only(RowDifference::Kind::only_left);
    const auto right = only(RowDifference::Kind::only_right);
    if (left == comparison->rows.end() || right == comparison->rows.end()) continue;
    outcome.contradict(
        fmt::format("the legacy database holds {}/{}, which the new one does not", ids.entity, left->key),
        fmt::format("the new database holds {}/{}, which the legacy one does not", ids.entity, right->key));
  }
}

void databases_come_to_rest(const Evidence&, const Section& section, Outcome& outcome) {
  outcome.looked_at(1, "plays");
  if (!*section.quiet)
    outcome.contradict("every request had ended",
                       "the databases were still written when the bound for coming to rest was over");
}

void alerts_tell_the_truth(const Evidence& evidence, const Section& section, Outcome& outcome) {
  if (!section.alerts.known)
    return outcome.cannot_tell("the alert metric could not be read; see alerts in the configuration");
  outcome.looked_at(1, "alert counters");
  if (section.fault == Fault::none) {
    if (section.alerts.counted == 0) return;
    std::string which;
    if (!section.alerts.logged.empty()) {
      const Alert& first = section.alerts.logged.front();
      which = fmt::format("; the first: store {}, stage {}, {} of {}/{}", first.store, first.stage, first.operation,
                          first.entity, first.key);
    }
    return outcome.contradict("no fault was injected",
                              fmt::format("{} alerts were raised{}", section.alerts.counted, which));
  }
  const Comparison* stores = comparison_of(section, legacy_against_new, outcome);
  if (stores == nullptr) return;
  const Comparison& comparison = *stores;
  if (comparison.differences > 0 && section.alerts.counted == 0) {
    outcome.contradict(fmt::format("{} rows differ because the {}", comparison.differences, name_of(section.fault)),
                       "no alert was raised");
  }
  if (!section.alerts.logged_known) return;
  for (const RowDifference& row : comparison.rows) {
    outcome.looked_at(1, "rows that differ");
    if (!named_by_alert(evidence, section, row))
      outcome.contradict(in_words(comparison, row), "no alert names that key");
  }
  const auto beyond = comparison.differences - static_cast<std::int64_t>(comparison.rows.size());
  if (beyond > 0)
    outcome.cannot_tell(fmt::format("{} more rows differ than were kept to hold against the alerts", beyond));
}

void no_answer_from_an_earlier_stage(const Evidence& evidence, const Section& section, Outcome& outcome) {
  const auto stage_of = [&](std::string_view value) -> std::string {
    const auto found = evidence.contract.stage_values.find(std::string(value));
    return found == evidence.contract.stage_values.end() ? fmt::format("{:?}, which is no stage", std::string(value))
                                                         : std::string(name_of(found->second));
  };
  const std::string intended(name_of(section.stage));
  for (const StagePoll& poll : section.polls) {
    outcome.looked_at(1, "polls");
    if (stage_of(poll.value) != intended) {
      outcome.contradict(fmt::format("the flag has said {} for longer than the propagation bound", intended),
                         fmt::format("the {} service says that it serves {}", poll.service, stage_of(poll.value)));
    }
  }
  if (evidence.contract.stage_header.empty()) return;
  const auto expect_stage = [&](const History* history) {
    if (history == nullptr) return;
    for (const Record& record : history->records) {
      const std::int64_t late_by = history->began_ns + record.sent_ns - section.served_from_ns;
      if (record.outcome != replay::Outcome::answered || late_by < 0) continue;
      outcome.looked_at(1, "answers");
      const auto value = replay::field(record.response.headers, evidence.contract.stage_header);
      if (value && stage_of(*value) == intended) continue;
      outcome.contradict(
          fmt::format("the flag has said {} for {} ms, the propagation bound being {} ms", intended,
                      (late_by + evidence.contract.propagation_ns) / 1'000'000,
                      evidence.contract.propagation_ns / 1'000'000),
          value ? fmt::format("{}, served under {}", what_happened(record), stage_of(*value))
                : fmt::format("{}, without the header {}", what_happened(record), evidence.contract.stage_header),
          history, &record);
    }
  };
  expect_stage(evidence.history(section.played));
  for (const PairedReads& pair : section.paired) expect_stage(evidence.history(pair.after));
}

// What is refused in silence keeps whoever set the flag believing that it was taken.
void refusal_is_reported(const Evidence& evidence, const FlagTrial& trial, Outcome& outcome) {
  const bool same_stage = trial.value == trial.served_before;
  if (same_stage || !evidence.contract.flag_unreported.empty()) return;
  if (!trial.reported)
    return outcome.cannot_tell(
        "the new service's count of refused flag values could not be read; see flag.rejected_metric, or say under "
        "flag.unreported why there is none");
  outcome.looked_at(1, "reports");
  if (*trial.reported <= 0)
    outcome.contradict(fmt::format("the flag value {:?} was refused while {} was served; {}", trial.value,
                                   trial.served_before, trial.why),
                       "the new service counted no refusal");
}

void only_legal_edges(const Evidence& evidence, const Section& section, Outcome& outcome) {
  for (const FlagTrial& trial : section.flag_trials) {
    if (trial.invariant != "G14") continue;
    if (served_nothing(trial)) {
      outcome.cannot_tell(
          fmt::format("the new service did not say what it serves around the flag value {:?}", trial.value));
      continue;
    }
    outcome.looked_at(1, "flag values");
    if (trial.served_after != trial.served_before) {
      outcome.contradict(
          fmt::format("the flag was set to {:?} while {} was served; {}", trial.value, trial.served_before, trial.why),
          fmt::format("the new service went over to {}", trial.served_after));
    } else {
      refusal_is_reported(evidence, trial, outcome);
    }
  }
}

// sent = answered + refused + lost. The left side is the player's own count as requests left, the right one is made of the
// records that are there now, so that a record which was dropped on the way shows.
void sent_is_accounted_for(const History& history, Outcome& outcome) {
  const auto count = [&](replay::Outcome which) {
    return std::count_if(history.records.begin(), history.records.end(),
                         [&](const Record& record) { return record.outcome == which; });
  };
  const auto answered = count(replay::Outcome::answered), refused = count(replay::Outcome::refused),
             lost = count(replay::Outcome::lost);
  if (history.sent != answered + refused + lost)
    outcome.cannot_tell(fmt::format("{} requests were sent, of which {} were answered, {} refused and {} lost",
                                    history.sent, answered, refused, lost));
}

// compared = matched + masked + differed + failed. What is to be compared is what was sent here or, where only reads count, what
// the oracle of reads was sent; a request that was held against nothing is in no class.
void compared_is_accounted_for(const Evidence& evidence, const Section& section, const History& history,
                               Outcome& outcome) {
  const History* oracle = evidence.history(section.oracle);
  if (oracle == nullptr) return;
  const bool reads_only = section.stage == Stage::read_only;
  const auto compared = compare_answers(
      evidence.contract, *oracle, evidence.history(section.oracle_again), history,
      [&](const Record& record) { return record.read || !reads_only; }, evidence.earlier_plays(section));
  const std::int64_t to_compare = reads_only ? oracle->sent : history.sent;
  if (to_compare != compared.matched + compared.masked + compared.ignored + compared.undecided + compared.differed +
                        compared.unanswered)
    outcome.cannot_tell(
        fmt::format("{} requests were to be held against the oracle's, of which {} matched, {} under a mask, {} were "
                    "ignored, {} undecided, {} differed and {} failed",
                    to_compare, compared.matched, compared.masked, compared.ignored, compared.undecided,
                    compared.differed, compared.unanswered));
}

// A later request carries a value that an earlier answer gave. Where that answer gave none, the captured value went out, which
// means nothing to this server: the request was sent and did not ask what it was to ask. That contradicts nothing by itself (the
// answer that lacks the value is held against the oracle's where it stands), but it proves nothing either. Where writes are
// refused or fail on purpose there is nothing to bind.
void values_were_bound(const Section& section, const History& history, Outcome& outcome) {
  if (against_oracle(section) && history.unbound > 0)
    outcome.cannot_tell(fmt::format(
        "{} values of earlier answers were missing, and the captured ones were sent in their place", history.unbound));
}

void nothing_is_left_over(const Evidence& evidence, const Section& section, Outcome& outcome) {
  std::int64_t captured = 0, accounted = 0;
  for (const auto& [what, count] : evidence.conservation) (what == "captured" ? captured : accounted) += count;
  if (captured != accounted) {
    outcome.cannot_tell(fmt::format("{} exchanges were captured and {} are accounted for", captured, accounted));
  }
  if (captured == 0) outcome.cannot_tell("the traffic holds no exchange");
  const History* history = evidence.history(section.played);
  if (history == nullptr) return outcome.cannot_tell("nothing was played");
  const auto sent = static_cast<std::int64_t>(history->records.size());
  outcome.looked_at(sent, "requests");
  if (sent != section.planned)
    outcome.cannot_tell(fmt::format("{} requests were planned and {} were sent", section.planned, sent));
  if (history->interrupted) outcome.cannot_tell("the play was interrupted");
  sent_is_accounted_for(*history, outcome);
  compared_is_accounted_for(evidence, section, *history, outcome);
  values_were_bound(section, *history, outcome);
}

}  // namespace

std::vector<Check> checks_of_every_stage() {
  const auto final_state = [](const Section& s) {
    return against_oracle(s) && (has_final_state(s) || (!s.edge && s.fault == Fault::none));
  };
  return {
      {"G1", "no acknowledged write is lost", final_state, no_acknowledged_write_is_lost},
      {"G2", "no row without a write that made it", final_state, no_phantom},
      {"G3", "a refused write leaves no trace in either database",
       [](const Section& s) { return !s.traced.empty() || s.plain_stage(s.stage); }, refusal_leaves_no_trace},
      {"G5", "legacy and new database agree at rest",
       [](const Section& s) { return !s.edge && dual(s) && s.fault == Fault::none; }, databases_agree},
      {"G6", "both databases commit the writes of a row in the same order",
       [](const Section& s) { return !s.edge && dual(s) && s.fault == Fault::none; }, writes_keep_their_order},
      {"G7", "answers equal the oracle's",
       [](const Section& s) {
         return against_oracle(s) && s.fault == Fault::none && (s.edge || s.stage != Stage::off);
       },
       answers_equal_the_oracles},
      {"G9", "ids are one numbering in both databases, never given twice",
       [](const Section& s) { return s.fault == Fault::none && (numbers_rows(s) || against_oracle(s)); },
       ids_are_one_numbering},
      {"G10", "the databases come to rest after the last answer", [](const Section& s) { return s.quiet.has_value(); },
       databases_come_to_rest},
      {"G11", "every hidden failure raises an alert that names its key, and nothing else does",
       [](const Section& s) {
         return !s.played.empty() && (s.fault == Fault::none || (new_database_fault(s) && s.stage == Stage::shadow));
       },
       alerts_tell_the_truth},
      {"G13", "no request is served under an earlier stage once the flip has spread",
       [](const Section& s) { return !s.polls.empty() || !s.played.empty() || !s.paired.empty(); },
       no_answer_from_an_earlier_stage},
      {"G14", "only legal values and edges of the flag change anything, and what is refused is reported",
       [](const Section& s) {
         return std::any_of(s.flag_trials.begin(), s.flag_trials.end(),
                            [](const FlagTrial& t) { return t.invariant == "G14"; });
       },
       only_legal_edges},
      {"G16", "every captured exchange and every planned request is accounted for",
       [](const Section& s) { return !s.played.empty(); }, nothing_is_left_over},
  };
}

}  // namespace rehearse::properties
