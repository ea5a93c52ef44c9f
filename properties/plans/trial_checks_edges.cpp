// What must hold of the flag's moves in a trial, and of the copies that edges need.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "properties/plans/judging.h"

namespace rehearse::properties {
namespace {

using replay::Record;
using Rows = std::set<std::pair<std::string, std::string>>;  // entity, key

bool needs_equal_stores(const Edge& edge) {
  static const Edge edges[] = {{Stage::read_only, Stage::shadow},
                               {Stage::shadow, Stage::live},
                               {Stage::live, Stage::completed},
                               {Stage::live, Stage::shadow},
                               {Stage::completed, Stage::live}};
  return std::find(std::begin(edges), std::end(edges), edge) != std::end(edges);
}

Rows rows_written(const StoreLog& log, const WriteLog& writes, const std::vector<std::size_t>& transactions) {
  Rows rows;
  for (const std::size_t t : transactions)
    for (const LoggedWrite& write : writes.writes)
      if (write.transaction == log.transactions[t].transaction) rows.emplace(write.entity, write.key);
  return rows;
}

// A write that one store took and the other did not, before the flag moved, with nothing written to its rows since.
const Effect* missing_in_one(const Judging& judging, const FlagMove& move) {
  const Trial& trial = judging.trial();
  for (const Effect& effect : judging.effects().effects()) {
    const bool dual = effect.stage == Stage::shadow || effect.stage == Stage::live;
    if (!effect.write || !effect.stage_known || !dual || effect.ambiguous || effect.straddles) continue;
    if (effect.in_legacy.empty() == effect.in_new.empty()) continue;
    const std::int64_t done = trial.played.began_ns + judging.record_of(effect).done_ns;
    if (done >= move.asked_ns) continue;
    const bool in_new = effect.in_legacy.empty();
    const StoreLog& log = in_new ? trial.new_ : trial.legacy;
    const Rows rows =
        rows_written(log, in_new ? trial.new_writes : trial.legacy_writes, in_new ? effect.in_new : effect.in_legacy);
    std::set<std::int64_t> own;
    for (const std::size_t t : in_new ? effect.in_new : effect.in_legacy) own.insert(log.transactions[t].transaction);
    const auto written_elsewhere = [&](const WriteLog& writes, bool of_own_store) {
      return std::any_of(writes.writes.begin(), writes.writes.end(), [&](const LoggedWrite& write) {
        return rows.contains({write.entity, write.key}) && !(of_own_store && own.contains(write.transaction));
      });
    };
    if (rows.empty() || written_elsewhere(trial.legacy_writes, !in_new) || written_elsewhere(trial.new_writes, in_new))
      continue;
    return &effect;
  }
  return nullptr;
}

// Nothing is served under a stage that no edge led to.
void look_at_illegal(Judging& judging, const FlagMove& move) {
  const Trial& trial = judging.trial();
  judging.check("G14", "only legal edges are taken", [&](Outcome& outcome) {
    for (const Effect& effect : judging.effects().effects()) {
      const Record& record = judging.record_of(effect);
      if (!effect.stage_known || trial.played.began_ns + record.done_ns < move.asked_ns) continue;
      outcome.looked_at(1, "answers");
      const bool led_there = effect.stage == trial.began ||
                             std::any_of(trial.moves.begin(), trial.moves.end(), [&](const FlagMove& other) {
                               return other.to == effect.stage && legal(other.from, other.to);
                             });
      if (!led_there)
        outcome.contradict(fmt::format("the flag was set from {} to {}, and no edge leads there", name_of(move.from),
                                       name_of(move.to)),
                           fmt::format("{}, served under {}", what_happened(record), name_of(effect.stage)),
                           &trial.played, &record);
    }
  });
}

// A service that ended while the flag moved comes back in the stage before or in the one behind.
void look_at_crash(Judging& judging, const FlagMove& move) {
  const Trial& trial = judging.trial();
  for (const FaultWindow& fault : trial.faults) {
    const bool crashed = fault.what == "new" && (fault.how == "kill" || fault.how == "stop");
    if (!crashed || fault.to_ns == 0 || fault.from_ns < move.asked_ns || !legal(move.from, move.to)) continue;
    const bool moved_between = std::any_of(trial.moves.begin(), trial.moves.end(), [&](const FlagMove& other) {
      return other.asked_ns > move.asked_ns && other.asked_ns < fault.to_ns;
    });
    if (moved_between) continue;
    for (const Effect& effect : judging.effects().effects()) {
      const Record& record = judging.record_of(effect);
      const std::int64_t sent = trial.played.began_ns + record.sent_ns, done = trial.played.began_ns + record.done_ns;
      const bool moved_since = std::any_of(trial.moves.begin(), trial.moves.end(), [&](const FlagMove& other) {
        return other.asked_ns > fault.from_ns && other.asked_ns < done;
      });
      if (!effect.stage_known || record.outcome != replay::Outcome::answered || sent < fault.to_ns || moved_since)
        continue;
      judging.check(
          "E!", "a service that ends during a flip comes back in one of the two stages", [&](Outcome& outcome) {
            outcome.looked_at(1, "answers");
            if (effect.stage != move.from && effect.stage != move.to)
              outcome.contradict(
                  fmt::format("it ended while the flag moved from {} to {}", name_of(move.from), name_of(move.to)),
                  fmt::format("{}, served under {}", what_happened(record), name_of(effect.stage)), &trial.played,
                  &record);
          });
    }
  }
}

void look_at_move(Judging& judging, const FlagMove& move, std::int64_t entered_ns) {
  const Trial& trial = judging.trial();
  const Edge edge{move.from, move.to};
  const std::string invariant(invariant_of(edge));
  const bool taken = move.served_ns != 0;
  const auto made_since = [&](bool back) {
    return std::any_of(trial.copies.begin(), trial.copies.end(), [&](const CopyWindow& copy) {
      return copy.done && copy.back == back && copy.from_ns >= entered_ns && copy.to_ns <= move.asked_ns;
    });
  };
  // Also where an alert names the row: the flip is what would lose it.
  const bool differs = move.before && move.before->differences > 0 && !judging.legacy_left_behind(move.asked_ns);
  const bool guarded = needs_equal_stores(edge) && judging.guarded(invariant);
  if (taken && guarded && differs)
    judging.contradict(invariant, "the flip waits until both databases are equal",
                       fmt::format("right before {} the databases differed in {} rows: {}", name_of(edge),
                                   move.before->differences, in_words(*move.before, move.before->rows.front())),
                       "the flip was taken");
  // Where one database could not be read then, the logs tell.
  const bool by_dual_writes = move.from == Stage::shadow || move.from == Stage::live;
  if (taken && guarded && by_dual_writes && !move.before && !move.straddled) {
    if (const Effect* missing = missing_in_one(judging, move)) {
      const Record& record = judging.record_of(*missing);
      judging.contradict(invariant, "the flip waits until both databases are equal",
                         fmt::format("{}, and only the {} database took it", what_happened(record),
                                     missing->in_new.empty() ? "legacy" : "new"),
                         fmt::format("{} was taken", name_of(edge)), &record);
    }
  }
  // What a service verified before it entered the stage it need not believe any more.
  const bool unverified = (edge == Edge{Stage::read_only, Stage::shadow} && !made_since(false)) ||
                          (edge == Edge{Stage::completed, Stage::live} && !made_since(true));
  if (!taken && legal(move.from, move.to)) {
    const bool excuse = differs || trial.open_alerts > 0 || trial.alerts.counted > 0 || !trial.faults.empty() ||
                        !trial.alterations.empty() || unverified || move.straddled;
    if (!excuse)
      judging.contradict(
          invariant, "a legal flip is taken when nothing stands against it",
          fmt::format("the flag said {}, both databases were equal and no alert was open", name_of(move.to)),
          "the new service did not follow");
  }
  // A copy that was killed is none, whatever the database server went on to do.
  const bool only_cut = edge == Edge{Stage::read_only, Stage::shadow} && !made_since(false) &&
                        std::any_of(trial.copies.begin(), trial.copies.end(),
                                    [&](const CopyWindow& copy) { return copy.cut && copy.from_ns >= entered_ns; });
  if (taken && guarded && only_cut)
    judging.contradict(invariant, "the flip waits for a finished copy",
                       "the copy had been killed, and none was made since", "the flip was taken");
  if (!legal(move.from, move.to)) look_at_illegal(judging, move);
  look_at_crash(judging, move);
  if (taken) judging.check(invariant, "the edge was taken", [](Outcome& outcome) { outcome.looked_at(1, "flips"); });
}

// No request that was sent when a flip had spread is served under an earlier stage.
void look_at_freshness(Judging& judging) {
  const Trial& trial = judging.trial();
  for (const Effect& effect : judging.effects().effects()) {
    if (!effect.stage_known) continue;
    const Record& record = judging.record_of(effect);
    const std::int64_t sent = trial.played.began_ns + record.sent_ns;
    const FlagMove* last = nullptr;
    for (const FlagMove& move : trial.moves)
      if (move.served_ns != 0 && move.asked_ns + judging.contract().propagation_ns < sent) last = &move;
    if (last == nullptr) continue;
    // A later flip may have come meanwhile.
    const bool later = std::any_of(trial.moves.begin(), trial.moves.end(), [&](const FlagMove& move) {
      return move.asked_ns > last->asked_ns && move.to == effect.stage;
    });
    if (effect.stage != last->to && !later)
      judging.contradict("G13", "no request is served under an earlier stage once the flip has spread",
                         fmt::format("{} was asked for {} ms before", name_of(Edge{last->from, last->to}),
                                     (sent - last->asked_ns) / 1'000'000),
                         fmt::format("{}, served under {}", what_happened(record), name_of(effect.stage)), &record);
  }
}

}  // namespace

void look_at_edges(Judging& judging) {
  std::int64_t entered_ns = 0;  // when the stage before was
  for (const FlagMove& move : judging.trial().moves) {
    look_at_move(judging, move, entered_ns);
    if (move.served_ns != 0) entered_ns = move.served_ns;
  }
  look_at_freshness(judging);
  const Trial& trial = judging.trial();
  if (trial.disagreed)
    judging.contradict("G13", "no request is served under an earlier stage once the flip has spread",
                       fmt::format("the flag had moved last to {}, seconds before", name_of(trial.moves.back().to)),
                       "instances served different stages");
}

// R5; R6 where the copy before was killed.
void look_at_copies(Judging& judging) {
  const Trial& trial = judging.trial();
  for (const CopyWindow& copy : trial.copies) {
    if (copy.done || copy.cut || !trial.faults.empty()) continue;
    judging.contradict("R5", "the copy is equal", "nothing was broken while the data was copied",
                       copy.back ? "the copy to the legacy database failed" : "the copy failed");
  }
  for (std::size_t i = 0; i < trial.behind_copies.size(); ++i) {
    const Comparison& comparison = trial.behind_copies[i];
    const bool again = i < trial.behind_a_cut_one.size() && trial.behind_a_cut_one[i];
    judging.check(again ? "R6" : "R5", again ? "a copy that was killed and made again is equal" : "the copy is equal",
                  [&](Outcome& outcome) {
                    outcome.looked_at(comparison.rows_left, "rows");
                    for (const RowDifference& row : comparison.rows)
                      outcome.contradict("the copy ended with success", in_words(comparison, row));
                  });
  }
}

}  // namespace rehearse::properties
