#include <algorithm>
#include <limits>
#include <set>
#include <string_view>

#include "properties/checks/facts.h"
#include "properties/plans/odd_values.h"
#include "properties/plans/trial.h"
#include "replay/values.h"

namespace rehearse::properties {
namespace {

using replay::Record;

// The clocks of a database server and of the harness, when they are not one.
constexpr std::int64_t clock_slack_ns = 2'000'000;

// The marks in a text that `mark_of` made: "~12~".
std::set<std::string> marks_in(std::string_view text) {
  std::set<std::string> marks;
  for (auto at = text.find('~'); at != std::string_view::npos; at = text.find('~', at + 1)) {
    auto end = at + 1;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
    if (end > at + 1 && end < text.size() && text[end] == '~') marks.emplace(text.substr(at, end + 1 - at));
  }
  return marks;
}

std::set<std::string> marks_of(const replay::Request& request) {
  auto marks = marks_in(request.body);
  marks.merge(marks_in(request.target));
  for (const auto& header : request.headers) marks.merge(marks_in(header.value));
  return marks;
}

// What names the thing that a request writes: identifiers in its path, and those that its answer gives.
std::set<std::string> keys_of(const Record& record) {
  std::set<std::string> keys;
  for (const auto& value : replay::values_in(record.request))
    if (value.place.starts_with("path:") && replay::identifies_in_path(value.text)) keys.insert(value.text);
  for (const char* place : {"json:/id", "json:/uuid", "json:/key"})
    if (const auto value = replay::value_at(record.response, place)) keys.insert(*value);
  return keys;
}

// What a request says that a row then holds: the values of its body.
std::vector<std::string> values_of(const replay::Request& request) {
  std::vector<std::string> texts;
  for (const auto& value : replay::values_in(request))
    if (value.place.starts_with("json:") || value.place.starts_with("form:")) texts.push_back(value.text);
  return texts;
}

// The same with the name of the entity: "order 17". What its answer gives is of the collection that its path ends in.
std::set<std::string> entities_of(const Record& record) {
  std::set<std::string> named;
  for (const auto& value : replay::values_in(record.request))
    if (value.place.starts_with("path:")) named.insert(replay::entity_name(value.name) + " " + value.text);
  const std::string collection = replay::entity_name(replay::collection_of(replay::path_of(record.request.target)));
  for (const char* place : {"json:/id", "json:/uuid", "json:/key"})
    if (const auto value = replay::value_at(record.response, place)) named.insert(collection + " " + *value);
  return named;
}

// True when a column of the row holds the text: "id[bigint]:17", "sku[text]:'SKU-1'".
bool row_holds(const std::string& row, const std::string& text) {
  for (auto at = row.find(text); at != std::string::npos; at = row.find(text, at + 1)) {
    const char before = at == 0 ? ' ' : row[at - 1];
    const char after = at + text.size() == row.size() ? ' ' : row[at + text.size()];
    if ((before == ':' || before == '\'') && (after == ' ' || after == '\'')) return true;
  }
  return false;
}

// What made a thing deletes nothing, and what deleted one makes none: of two requests about one row at the same time that tells which
// wrote what. Other verbs say nothing, and a service may only mark what it deletes.
bool fits_kind(const Record& record, const CommittedTransaction& transaction) {
  const auto has = [&](std::string_view kind) {
    return std::any_of(transaction.rows.begin(), transaction.rows.end(),
                       [&](const std::string& row) { return row.find(kind) != std::string::npos; });
  };
  if (record.request.method == "DELETE") return !has(": INSERT:") || has(": DELETE:");
  if (record.outcome == replay::Outcome::answered && record.response.status == 201)
    return !has(": DELETE:") || has(": INSERT:");
  return true;
}

// "POST /orders" and a new row of orders: whoever else was under way then hardly made that. Where the request is marked, the row is: of two
// that make customers at the same time, or one long given up, that tells which made whom.
bool makes_of_its_collection(const Record& record, const std::set<std::string>& marks,
                             const CommittedTransaction& transaction) {
  if (record.request.method != "POST") return false;
  const std::string made = replay::entity_name(replay::collection_of(replay::path_of(record.request.target)));
  return !made.empty() && std::any_of(transaction.rows.begin(), transaction.rows.end(), [&](const std::string& row) {
    const auto kind = row.find(": INSERT:");  // "table public.orders: INSERT: ..."
    if (kind == std::string::npos || !row.starts_with("table ")) return false;
    const std::string_view table(row.data() + 6, kind - 6);
    if (replay::entity_name(table.substr(std::min(table.find('.') + 1, table.size()))) != made) return false;
    const auto in_row = marks_in(row);
    return marks.empty() || in_row.empty() ||
           std::any_of(marks.begin(), marks.end(), [&](const std::string& mark) { return in_row.contains(mark); });
  });
}

}  // namespace

TrialEffects::TrialEffects(const Contract& contract, const Trial& trial) {
  const std::int64_t began = trial.played.began_ns;
  Stage stage = trial.began;
  for (const Record& record : trial.played.records) {
    Effect effect;
    effect.step = record.step;
    effect.write = !record.read;
    // Where the service does not say: the stage of the time in which it was answered, if there was only one.
    stage = trial.began;
    bool pure = true;
    const FlagMove* beside = nullptr;
    for (const FlagMove& move : trial.moves) {
      const std::int64_t spread = move.asked_ns + contract.propagation_ns;
      if (move.could_be_set && legal(move.from, move.to) && move.asked_ns < began + record.done_ns &&
          began + record.sent_ns < spread) {
        effect.straddles = Edge{move.from, move.to};
        beside = &move;
      }
      if (move.served_ns == 0) continue;
      if (spread <= began + record.sent_ns)
        stage = move.to;
      else if (move.asked_ns < began + record.done_ns)
        pure = false;
    }
    effect.stage = stage;
    effect.stage_known = pure;
    if (record.outcome == replay::Outcome::answered && !contract.stage_header.empty()) {
      const auto said = replay::field(record.response.headers, contract.stage_header);
      const auto known = said ? contract.stage_values.find(std::string(*said)) : contract.stage_values.end();
      if (known != contract.stage_values.end()) {
        effect.stage = known->second;
        effect.stage_known = true;
      }
    }
    // Behind a flip that every instance was seen to serve, an answer under the new stage is one of the new stage.
    if (beside != nullptr && effect.stage_known && effect.stage == beside->to && !beside->straddled &&
        beside->served_ns != 0 && beside->served_ns <= began + record.sent_ns)
      effect.straddles.reset();
    const bool read_only =
        effect.stage == Stage::read_only ||
        (effect.straddles && (effect.straddles->from == Stage::read_only || effect.straddles->to == Stage::read_only));
    effect.refused_by_stage = effect.write && record.outcome == replay::Outcome::answered && read_only &&
                              record.response.status == contract.refusal.status;
    index_[record.step] = effects_.size();
    effects_.push_back(std::move(effect));
  }
  join(trial, trial.legacy, false);
  join(trial, trial.new_, true);
  for (Effect& effect : effects_) {
    const Record& record = *replay::record_of(trial.played, effect.step);
    if (!effect.write) continue;
    if (record.outcome == replay::Outcome::refused || effect.refused_by_stage) {
      effect.effective = false;
      continue;
    }
    const bool new_store = new_store_is_authoritative(effect.stage);
    const auto& log = new_store ? trial.new_ : trial.legacy;
    const bool logged = !(new_store ? effect.in_new : effect.in_legacy).empty();
    const bool failed = record.outcome == replay::Outcome::lost || record.response.status >= 500;
    if (!failed)
      effect.effective = record.response.status < 400;
    else if (log.known)
      effect.effective = logged;
  }
}

const Effect* TrialEffects::of(replay::StepId step) const {
  const auto found = index_.find(step);
  return found == index_.end() ? nullptr : &effects_[found->second];
}

void TrialEffects::join(const Trial& trial, const StoreLog& log, bool new_store) {
  const std::int64_t began = trial.played.began_ns;
  struct Candidate {
    std::size_t effect;
    const Record* record;
    std::set<std::string> marks, keys, entities;
    std::vector<std::string> values;
  };
  std::vector<Candidate> writes;
  for (std::size_t i = 0; i < effects_.size(); ++i) {
    const Record* record = replay::record_of(trial.played, effects_[i].step);
    if (effects_[i].write && record->outcome != replay::Outcome::refused)
      writes.push_back(
          {i, record, marks_of(record->request), keys_of(*record), entities_of(*record), values_of(record->request)});
  }
  std::map<std::int64_t, std::set<std::string>> written;  // transaction → entities, with their keys
  for (const LoggedWrite& write : (new_store ? trial.new_writes : trial.legacy_writes).writes)
    written[write.transaction].insert(replay::entity_name(write.entity) + " " + write.key);
  for (std::size_t t = 0; t < log.transactions.size(); ++t) {
    const CommittedTransaction& transaction = log.transactions[t];
    const bool copied = std::any_of(trial.copies.begin(), trial.copies.end(),
                                    [&](const CopyWindow& copy) { return copy.wrote(new_store, transaction.at_ns); });
    if (copied) continue;
    std::set<std::string> marks;
    for (const std::string& row : transaction.rows) marks.merge(marks_in(row));
    const Candidate* best = nullptr;
    int best_score = -1;
    std::vector<std::pair<int, std::size_t>> scores;  // of all candidates
    for (const Candidate& candidate : writes) {
      const std::int64_t sent = began + candidate.record->sent_ns, done = began + candidate.record->done_ns;
      if (transaction.at_ns + clock_slack_ns < sent) continue;
      const bool within = transaction.at_ns <= done + clock_slack_ns;
      const bool marked = std::any_of(candidate.marks.begin(), candidate.marks.end(),
                                      [&](const std::string& mark) { return marks.contains(mark); });
      const bool keyed = std::any_of(candidate.keys.begin(), candidate.keys.end(), [&](const std::string& key) {
        return std::any_of(transaction.rows.begin(), transaction.rows.end(),
                           [&](const std::string& row) { return row_holds(row, key); });
      });
      const auto& rows = written[transaction.transaction];
      const bool named = std::any_of(candidate.entities.begin(), candidate.entities.end(),
                                     [&](const std::string& entity) { return rows.contains(entity); });
      const auto& claimed = new_store ? effects_[candidate.effect].in_new : effects_[candidate.effect].in_legacy;
      const bool exactly = transaction.at_ns >= sent && transaction.at_ns <= done;
      const bool taken =
          candidate.record->outcome != replay::Outcome::answered || candidate.record->response.status < 400;
      const bool fits = fits_kind(*candidate.record, transaction);
      const auto held = std::count_if(candidate.values.begin(), candidate.values.end(), [&](const std::string& value) {
        return std::any_of(transaction.rows.begin(), transaction.rows.end(),
                           [&](const std::string& row) { return row_holds(row, value); });
      });
      const bool makes_own = makes_of_its_collection(*candidate.record, candidate.marks, transaction);
      const bool evident = named || marked || keyed || held > 0 || makes_own;
      // A store may be written behind the answer; then only what the row holds can tell whose write it is. What was given up was
      // perhaps taken later, by a service that had stood still.
      // A refusal by the stage is none of that: what it refused nobody takes later.
      const bool given_up =
          candidate.record->outcome == replay::Outcome::lost ||
          (candidate.record->response.status >= 500 && evident && !effects_[candidate.effect].refused_by_stage);
      if (!within && !marked && !keyed && !given_up) continue;
      // A row keeps the mark of the request that made it: who wrote it now is first of all who was under way.
      int score = 0;
      const bool plausible = evident && (taken || given_up) && (within || given_up);
      for (const bool fact : {plausible && fits && makes_own, exactly && evident && taken && fits, plausible && fits,
                              exactly && evident && taken, plausible, exactly && evident, named && (within || given_up),
                              marked, exactly, keyed && within, within, keyed, taken})
        score = 2 * score + static_cast<int>(fact);
      score = 8 * score + static_cast<int>(std::min<std::ptrdiff_t>(held, 7));
      scores.emplace_back(score, candidate.effect);
      score = 2 * score + static_cast<int>(claimed.empty());
      if (score > best_score) best = &candidate, best_score = score;
    }
    if (best == nullptr) {
      (new_store ? unclaimed_new_ : unclaimed_legacy_).push_back(t);
      continue;
    }
    const auto same = [&](const auto& scored) { return scored.first == best_score / 2; };
    if (std::count_if(scores.begin(), scores.end(), same) > 1)
      for (const auto& scored : scores)
        if (same(scored)) effects_[scored.second].ambiguous = true;
    auto& effect = effects_[best->effect];
    (new_store ? effect.in_new : effect.in_legacy).push_back(t);
  }
}

}  // namespace rehearse::properties
