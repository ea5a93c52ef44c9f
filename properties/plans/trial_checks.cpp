// What must hold of a trial, one function an invariant or a few that look at the same thing.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include "properties/plans/judging.h"
#include "properties/write_order.h"

namespace rehearse::properties {
namespace {

using replay::Record;
using RecordOutcome = replay::Outcome;
using Kind = RowDifference::Kind;

// The wall clock of a wire and the one by which requests were sent are one machine's, read a moment apart.
constexpr std::int64_t wire_slack_ns = 2'000'000;
// Hidden writes are given up by deadlines from about here on.
constexpr std::int64_t slow_write_ns = 100'000'000;

class Judge : public Judging {
 public:
  using Judging::Judging;

  Judgement run() {
    if (!trial_.problem.empty()) {
      check("G16", "the plan was played and watched whole",
            [&](Outcome& outcome) { outcome.cannot_tell(trial_.problem); });
      return std::move(judgement_);
    }
    for (const std::string& rule : trial_.unfired)
      check("G16", "what was armed has met something", [&](Outcome& outcome) { outcome.cannot_tell(rule); });
    hold_against_legacy();
    look_at_stores();
    look_at_edges(*this);
    look_at_copies(*this);
    look_at_footprints();
    look_at_upstream();
    look_at_refusals();
    look_at_order();
    look_at_repeats();
    look_at_ids();
    look_at_liveness();
    look_at_alerts();
    look_at_faults(*this);
    look_at_alterations(*this);
    look_at_legacy_itself(*this);
    return std::move(judgement_);
  }

 private:
  // -- legacy alone is the specification: G1, G2, G4, G7, O2, R2, S3, S6, V6 -----------------------------------------------

  void hold_against_legacy() {
    if (trial_.serial.empty()) {
      if (!trial_.played.records.empty())
        check("G4", "some serial execution explains all answers and the final state", [](Outcome& outcome) {
          outcome.cannot_tell("no order of its writes could be executed at legacy alone");
        });
      return;
    }
    const SerialRun* best = nullptr;
    Explanation of_best;
    for (const SerialRun& run : trial_.serial) {
      Explanation explanation = explain(contract_, trial_, run, noise_);
      if (best == nullptr || explanation.contradictions.size() < of_best.contradictions.size()) {
        best = &run;
        of_best = std::move(explanation);
      }
      if (of_best.explains()) break;
    }
    const bool one_order = trial_.serial.size() == 1 && !trial_.orders_left;
    check("G7", "answers are those that legacy alone gives",
          [&](Outcome& outcome) { outcome.looked_at(of_best.answers, "answers"); });
    if (of_best.explains()) {
      check("G4", "some serial execution explains all answers and the final state",
            [&](Outcome& outcome) { outcome.looked_at(of_best.answers, "answers"); });
      return;
    }
    if (!one_order) {
      check("G4", "some serial execution explains all answers and the final state", [&](Outcome& outcome) {
        outcome.looked_at(of_best.answers, "answers");
        if (trial_.orders_left)
          return outcome.cannot_tell(
              fmt::format("{} orders of its writes do not explain it, and there are more", trial_.serial.size()));
        for (const auto& found : of_best.contradictions)
          outcome.contradict(
              fmt::format("in the best of {} serial executions {}", trial_.serial.size(), found.expected),
              found.observed, &trial_.played, replay::record_of(trial_.played, found.step));
      });
      if (trial_.orders_left) return;
      // What no order explains is none's doing: it has the name that it has where there is one order.
      const auto in_all = answers_wrong_in_all();
      std::erase_if(of_best.contradictions, [&](const auto& found) { return !in_all.contains(found.step); });
    }
    for (const auto& found : of_best.contradictions) {
      const Record* record = replay::record_of(trial_.played, found.step);
      const auto [invariant, title] = record != nullptr ? of_answer(*record) : of_state(found.observed);
      contradict(invariant, title, found.expected, found.observed, record);
    }
    // The same rows, under the name that they have where legacy answers for the data.
    for (const RowDifference& row : best->state.rows) {
      if (!one_order && !wrong_in_all(row)) continue;
      if (row.kind == Kind::only_left)
        contradict("G1", "no acknowledged write is lost", "the write that made it was acknowledged",
                   in_words(best->state, row));
      else if (row.kind == Kind::only_right)
        contradict("G2", "no row without a write that made it", "no write that took effect leaves it there",
                   in_words(best->state, row));
      else
        contradict("G1", "no acknowledged write is lost", "the writes that took effect leave another value",
                   in_words(best->state, row));
    }
  }

  // Steps whose answers contradict every serial execution.
  [[nodiscard]] std::set<replay::StepId> answers_wrong_in_all() const {
    std::optional<std::set<replay::StepId>> in_all;
    for (const SerialRun& run : trial_.serial) {
      std::set<replay::StepId> wrong;
      for (const auto& found : explain(contract_, trial_, run, noise_).contradictions)
        if (found.step != 0 && (!in_all || in_all->contains(found.step))) wrong.insert(found.step);
      in_all = std::move(wrong);
    }
    return in_all.value_or(std::set<replay::StepId>{});
  }
  [[nodiscard]] bool wrong_in_all(const RowDifference& row) const {
    return std::all_of(trial_.serial.begin(), trial_.serial.end(), [&](const SerialRun& run) {
      return std::any_of(run.state.rows.begin(), run.state.rows.end(), [&](const RowDifference& other) {
        return other.kind == row.kind && other.entity == row.entity && other.key == row.key &&
               other.column == row.column;
      });
    });
  }

  [[nodiscard]] std::pair<std::string, std::string> of_answer(const Record& record) const {
    const Effect* effect = effects_.of(record.step);
    const Stage stage = effect->stage;
    if (stage == Stage::off) return {"O2", "answers are legacy's"};
    if (stage == Stage::read_only && record.read) return {"R2", "reads are legacy's"};
    const bool n_fault = std::any_of(trial_.faults.begin(), trial_.faults.end(), [&](const FaultWindow& fault) {
      return of_new_database(fault) && meets(trial_, fault, record, recovery_ns);
    });
    if (stage == Stage::shadow && n_fault) return {"S3", "a fault of the new database never reaches a client"};
    const bool list = record.read && record.response.body.find('[') != std::string::npos;
    if (stage == Stage::live && list) return {"V6", "lists, filters and pages are legacy's"};
    return {"G7", "answers are those that legacy alone gives"};
  }
  [[nodiscard]] std::pair<std::string, std::string> of_state(const std::string&) const {
    const bool legacy_answers = !new_store_is_authoritative(trial_.ended);
    const bool shadowed = trial_.ended == Stage::shadow;
    if (legacy_answers && shadowed) return {"S6", "the legacy database ends as it would have in off"};
    return {"G1", "no acknowledged write is lost"};
  }

  // -- G5, S1, S7, V2 ------------------------------------------------------------------------------------------------------

  void look_at_stores() {
    const bool equal_at_the_end = trial_.copied && trial_.alterations.empty() &&
                                  (trial_.ended == Stage::shadow || trial_.ended == Stage::live ||
                                   (trial_.ended == Stage::read_only && went_down_to_read_only()));
    if (!equal_at_the_end || legacy_left_behind(std::numeric_limits<std::int64_t>::max())) return;
    check("G5", "the two databases agree at rest", [&](Outcome& outcome) {
      outcome.looked_at(trial_.stores.rows_left, "rows");
      for (const RowDifference& row : trial_.stores.rows) {
        if (alerted(row)) continue;
        outcome.contradict("both databases hold the same at rest, and no alert names the row",
                           in_words(trial_.stores, row));
      }
    });
    bool only_left = false, only_right = false;
    for (const RowDifference& row : trial_.stores.rows) {
      if (alerted(row)) continue;
      only_left |= row.kind == Kind::only_left;
      only_right |= row.kind == Kind::only_right;
      if (row.kind == Kind::only_left)
        contradict(trial_.ended == Stage::live ? "V2" : "S1",
                   "each acknowledged write is in both databases, or an alert names it", "a write was acknowledged",
                   in_words(trial_.stores, row));
      if (row.kind == Kind::changed && !sent_by_a_client(row))
        contradict("S7", "values that the server makes are equal in both databases",
                   "both databases make the same values", in_words(trial_.stores, row));
    }
    if (only_left && only_right)
      contradict("G9", "ids are equal in both databases", "both databases number their rows alike",
                 "each database holds rows that the other does not");
  }

  [[nodiscard]] bool went_down_to_read_only() const {
    for (auto move = trial_.moves.rbegin(); move != trial_.moves.rend(); ++move)
      if (move->served_ns != 0) return move->from == Stage::shadow;
    return false;
  }
  [[nodiscard]] bool sent_by_a_client(const RowDifference& row) const {
    return !row.left.empty() && row.left != "NULL" &&
           std::any_of(trial_.played.records.begin(), trial_.played.records.end(), [&](const Record& record) {
             return !record.read && record.request.body.find(row.left) != std::string::npos;
           });
  }

  // -- G12, O1, R3, C1, G2, G3, S1 -----------------------------------------------------------------------------------------

  void look_at_footprints() {
    for (const Effect& effect : effects_.effects()) {
      if (!effect.write || !effect.stage_known || effect.ambiguous) continue;
      const Record& record = record_of(effect);
      const bool in_legacy = !effect.in_legacy.empty(), in_new = !effect.in_new.empty();
      const auto wrong = [&](const std::string& invariant, const std::string& title, const std::string& expected,
                             const std::string& observed) {
        contradict("G12", "a request reads and writes as exactly one stage does", expected, observed, &record);
        contradict(invariant, title, expected, observed, &record);
      };
      switch (effect.stage) {
        case Stage::off:
          if (in_new)
            wrong("O1", "the new database is not touched in off", what_happened(record) + ", under off",
                  "it is in the log of the new database");
          break;
        case Stage::read_only:
          if (in_legacy)
            wrong("R3", "legacy is not written in read-only", what_happened(record) + ", under read-only",
                  "it is in the log of the legacy database");
          break;
        case Stage::completed:
          if (in_legacy)
            wrong("C4", "legacy is not written in completed", what_happened(record) + ", under completed",
                  "it is in the log of the legacy database");
          break;
        case Stage::shadow:
        case Stage::live:
          if (in_legacy != in_new && acknowledged(record) && trial_.faults.empty() && trial_.alerts.counted == 0)
            contradict(
                "G12", "a request reads and writes as exactly one stage does",
                fmt::format("{}, under {}: both databases are written", what_happened(record), name_of(effect.stage)),
                fmt::format("only the {} database was", in_legacy ? "legacy" : "new"), &record);
          break;
      }
    }
    for (const bool new_store : {false, true}) {
      const StoreLog& log = new_store ? trial_.new_ : trial_.legacy;
      for (const std::size_t t : effects_.unclaimed(new_store))
        contradict(
            "G2", "no row without a write that made it",
            fmt::format("every transaction of the {} database has a request or a copy", new_store ? "new" : "legacy"),
            fmt::format(
                "transaction {} has none: {}", log.transactions[t].transaction,
                log.transactions[t].rows.empty() ? std::string("(no rows)") : log.transactions[t].rows.front()));
    }
  }

  // -- O3 ------------------------------------------------------------------------------------------------------------------

  void look_at_upstream() {
    if (!trial_.upstream_known) return;
    look_at_second_tries();
    if (!trial_.faults.empty()) return;
    using Asked = std::tuple<std::string, std::string, std::string>;  // method, target, body
    const auto asked_in = [](const replay::Request& request) {
      return Asked{request.method, request.target, request.body};
    };
    std::map<Asked, std::vector<const Record*>> groups;  // two clients may send the same
    for (const Effect& effect : effects_.effects())
      if (effect.stage == Stage::off && effect.stage_known && !effect.straddles &&
          record_of(effect).outcome == RecordOutcome::answered)
        groups[asked_in(record_of(effect).request)].push_back(&record_of(effect));
    for (const auto& [asked, records] : groups) {
      check("O3", "in off legacy is asked for exactly what the client asked for",
            [&, &same = records, &what = asked](Outcome& outcome) {
              outcome.looked_at(static_cast<std::int64_t>(same.size()), "requests");
              std::vector<const UpstreamRequest*> sent;
              std::string others;
              for (const UpstreamRequest& upstream : trial_.upstream) {
                const bool meanwhile = std::any_of(same.begin(), same.end(), [&](const Record* record) {
                  const std::int64_t at = upstream.at_ns - trial_.played.began_ns;
                  return at >= record->sent_ns - wire_slack_ns && at <= record->done_ns + wire_slack_ns;
                });
                if (!meanwhile) continue;
                if (asked_in(upstream.request) == what)
                  sent.push_back(&upstream);
                else
                  others += fmt::format("{}{} {}", others.empty() ? "" : ", ", upstream.request.method,
                                        upstream.request.target);
              }
              const Record& record = *same.front();
              if (sent.size() != same.size())
                outcome.contradict(
                    fmt::format("{}, under off: {} such request{} to legacy", what_happened(record), same.size(),
                                same.size() == 1 ? "" : "s"),
                    fmt::format("{} came{}", sent.size(), others.empty() ? "" : "; meanwhile also " + others),
                    &trial_.played, &record);
              if (sent.size() != 1 || same.size() != 1) return;
              std::set<std::string> looked_at;
              for (const auto& header : record.request.headers) {
                if (replay::hop_by_hop(header.name) || of_the_sender(header.name)) continue;
                if (!looked_at.insert(replay::lower(header.name)).second) continue;
                const auto given = combined(record.request.headers, header.name);
                const auto arrived = combined(sent.front()->request.headers, header.name);
                if (arrived != given)
                  outcome.contradict(fmt::format("{} with {}: {}", what_happened(record), header.name, *given),
                                     arrived ? fmt::format("legacy was sent {}: {}", header.name, *arrived)
                                             : "legacy was sent no such field",
                                     &trial_.played, &record);
              }
            });
    }
  }
  // O4: also when legacy failed, what is not idempotent (RFC 9110, section 9.2.2) comes once for each time that a client sent it.
  void look_at_second_tries() {
    using Asked = std::tuple<std::string, std::string, std::string>;
    std::map<Asked, std::int64_t> sent, came;
    std::map<Asked, const Record*> first;
    for (const Effect& effect : effects_.effects()) {
      const Record& record = record_of(effect);
      const bool once = record.request.method == "POST" || record.request.method == "PATCH";
      if (!once || !effect.write) continue;
      const Asked asked{record.request.method, record.request.target, record.request.body};
      ++sent[asked];
      // What is sent in other stages may be asked for in a form of the service's own.
      if (effect.stage == Stage::off && effect.stage_known && !effect.straddles) first.try_emplace(asked, &record);
    }
    for (const UpstreamRequest& upstream : trial_.upstream)
      ++came[{upstream.request.method, upstream.request.target, upstream.request.body}];
    for (const auto& [asked, record] : first)
      check("O4", "nothing is sent again on the way", [&, &what = asked, &of = *record](Outcome& outcome) {
        outcome.looked_at(1, "requests that are not idempotent");
        if (came[what] > sent[what])
          outcome.contradict(
              fmt::format("{}: sent {} time{}", what_happened(of), sent[what], sent[what] == 1 ? "" : "s"),
              fmt::format("legacy was asked {} times", came[what]), &trial_.played, &of);
      });
  }
  // All values of a field, in order: one line or several say the same (RFC 9110, section 5.3).
  [[nodiscard]] static std::optional<std::string> combined(const replay::Headers& headers, const std::string& name) {
    std::optional<std::string> values;
    for (const auto& header : headers) {
      if (!replay::equal_without_case(header.name, name)) continue;
      values = values ? *values + ", " + header.value : header.value;
    }
    return values;
  }
  // Fields that each sender writes itself, and those that a target may be given of its own.
  [[nodiscard]] static bool of_the_sender(const std::string& name) {
    for (const std::string_view own : {"Host", "Content-Length", "Expect", "Authorization", "Cookie", "User-Agent"})
      if (replay::equal_without_case(name, own)) return true;
    return false;
  }

  // -- R1, G3 --------------------------------------------------------------------------------------------------------------

  void look_at_refusals() {
    for (const Effect& effect : effects_.effects()) {
      if (!effect.write) continue;
      const Record& record = record_of(effect);
      if (record.outcome != RecordOutcome::answered || effect.ambiguous) continue;
      const int status = record.response.status;
      if (effect.stage == Stage::read_only && effect.stage_known && status != 405 && status != 501 && status != 404 &&
          !may_fail(trial_, effect)) {
        check("R1", "every state-changing operation gets the declared refusal", [&](Outcome& outcome) {
          replay::History one = trial_.played;
          one.records = {record};
          expect_answer(contract_.refusal, one, outcome, "read-only", [](const Record&) { return true; });
        });
      }
      if ((status >= 400 && status < 500) || effect.refused_by_stage) {
        check("G3", "a refused write leaves no trace", [&](Outcome& outcome) {
          outcome.looked_at(1, "refusals");
          for (const auto& [name, claimed] : {std::pair("legacy", &effect.in_legacy), std::pair("new", &effect.in_new)})
            if (!claimed->empty())
              outcome.contradict(what_happened(record), fmt::format("it is in the log of the {} database", name),
                                 &trial_.played, &record);
        });
      }
    }
  }

  // -- G6 ------------------------------------------------------------------------------------------------------------------

  void look_at_order() {
    if (!trial_.legacy_writes.known || !trial_.new_writes.known) return;
    const auto order = write_order(trial_.legacy_writes, trial_.new_writes);
    if (order.rows == 0) return;
    check("G6", "both databases commit the writes of a row in the same order", [&](Outcome& outcome) {
      outcome.looked_at(order.rows, "rows");
      for (const Inversion& inversion : order.inversions)
        outcome.contradict(fmt::format("the legacy database committed {}/{} ({}) before ({})", inversion.first->entity,
                                       inversion.first->key, inversion.first->image, inversion.second->image),
                           "the new database committed them the other way round");
    });
  }

  // -- G8 ------------------------------------------------------------------------------------------------------------------

  void look_at_repeats() {
    std::map<std::string, std::vector<const Effect*>> by_key;
    for (const Effect& effect : effects_.effects()) {
      const auto key = replay::field(record_of(effect).request.headers, "Idempotency-Key");
      if (effect.write && key) by_key[std::string(*key)].push_back(&effect);
    }
    for (const auto& [key, effects] : by_key) {
      if (effects.size() < 2) continue;
      check("G8", "one idempotency key makes at most one row in each database", [&](Outcome& outcome) {
        outcome.looked_at(static_cast<std::int64_t>(effects.size()), "repeated requests");
        for (const bool new_store : {false, true}) {
          std::map<std::string, std::int64_t> inserting;  // table → transactions
          bool ambiguous = false;
          for (const Effect* effect : effects) {
            ambiguous |= effect->ambiguous;
            for (const std::size_t t : new_store ? effect->in_new : effect->in_legacy)
              for (const std::string& table :
                   tables_with_new_rows((new_store ? trial_.new_ : trial_.legacy).transactions[t]))
                ++inserting[table];
          }
          if (ambiguous) continue;
          for (const auto& [table, transactions] : inserting) {
            if (transactions < 2) continue;
            outcome.contradict(fmt::format("{} requests with the key {} are one", effects.size(), key),
                               fmt::format("{} transactions of the {} database made rows of {} for them", transactions,
                                           new_store ? "new" : "legacy", table),
                               &trial_.played, &record_of(*effects.front()));
          }
        }
      });
    }
  }
  [[nodiscard]] static std::set<std::string> tables_with_new_rows(const CommittedTransaction& transaction) {
    std::set<std::string> tables;
    for (const std::string& row : transaction.rows)
      if (const auto kind = row.find(": INSERT:"); kind != std::string::npos) tables.insert(row.substr(6, kind - 6));
    return tables;
  }

  // -- G9 ------------------------------------------------------------------------------------------------------------------

  void look_at_ids() {
    if (trial_.ids.empty()) return;
    check("G9", "the next id is above every id in use, in both databases", [&](Outcome& outcome) {
      for (const IdSpace& ids : trial_.ids) {
        outcome.looked_at(1, "numberings");
        if (ids.legacy_next <= ids.legacy_max && trial_.ended != Stage::completed)
          outcome.contradict(fmt::format("the legacy database holds {} {}", ids.entity, ids.legacy_max),
                             fmt::format("its sequence gives {} next", ids.legacy_next));
        if (trial_.copied && ids.new_next <= ids.new_max)
          outcome.contradict(fmt::format("the new database holds {} {}", ids.entity, ids.new_max),
                             fmt::format("its sequence gives {} next", ids.new_next));
      }
    });
  }

  // -- G10 -----------------------------------------------------------------------------------------------------------------

  void look_at_liveness() {
    check("G10", "every request ends, and the databases come to rest", [&](Outcome& outcome) {
      outcome.looked_at(static_cast<std::int64_t>(trial_.played.records.size()), "requests");
      for (const Effect& effect : effects_.effects()) {
        const Record& record = record_of(effect);
        if (record.outcome == RecordOutcome::answered || may_fail(trial_, effect)) continue;
        outcome.contradict("nothing was broken that may fail it", what_happened(record), &trial_.played, &record);
      }
      if (!trial_.quiet) outcome.contradict("all requests had been answered", "the databases were still being written");
    });
  }

  [[nodiscard]] std::int64_t slowest_write_ns() const {
    std::int64_t slowest = 0;
    for (const Effect& effect : effects_.effects())
      if (effect.write) slowest = std::max(slowest, record_of(effect).done_ns - record_of(effect).sent_ns);
    return slowest;
  }

  // -- G11 -----------------------------------------------------------------------------------------------------------------

  void look_at_alerts() {
    if (!trial_.alerts.known) return;
    const bool n_fault = faulty(of_new_database), any = !trial_.faults.empty() || !trial_.alterations.empty();
    check("G11", "a hidden failure raises an alert, and nothing else does", [&](Outcome& outcome) {
      outcome.looked_at(1, "plays");
      if (!any && trial_.alerts.counted > 0 && slowest_write_ns() > slow_write_ns)
        return outcome.cannot_tell(fmt::format(
            "{} alerts were raised and nothing was broken, but a write took {} ms: on a machine this busy the "
            "new service may have given one up by a deadline of its own",
            trial_.alerts.counted, slowest_write_ns() / 1'000'000));
      if (!any && trial_.alerts.counted > 0)
        outcome.contradict(
            "nothing was broken",
            fmt::format("{} alerts were raised{}", trial_.alerts.counted,
                        trial_.alerts.logged.empty() ? "" : ", one for " + trial_.alerts.logged.front().key));
      if (!n_fault || trial_.alerts.counted > 0) return;
      for (const Effect& effect : effects_.effects()) {
        const Record& record = record_of(effect);
        if (effect.stage == Stage::shadow && acknowledged(record) && effect.write && !effect.in_legacy.empty() &&
            effect.in_new.empty())
          outcome.contradict(what_happened(record) + ", and the new database did not take it", "no alert was raised",
                             &trial_.played, &record);
      }
    });
  }
};

}  // namespace

Judgement judge(const Contract& contract, const Trial& trial, const Volatile& noise) {
  return Judge(contract, trial, noise).run();
}

std::vector<std::string> violated(const Judgement& judgement) {
  std::vector<std::string> ids;
  for (const Result& result : judgement.results)
    if (result.verdict == Verdict::fail) ids.push_back(result.invariant);
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace rehearse::properties
