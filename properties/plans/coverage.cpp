#include "properties/plans/coverage.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "properties/checks/facts.h"
#include "properties/plans/faults.h"

namespace rehearse::properties {
namespace {

bool reachable(const DrawingOptions& options, Stage stage) {
  return options.longest_way > 0 ||
         std::find(options.begins.begin(), options.begins.end(), stage) != options.begins.end();
}

}  // namespace

Coverage::Coverage(const Catalogue& catalogue, const DrawingOptions& options) {
  for (const Stage stage : all_stages) {
    if (!reachable(options, stage)) continue;
    for (const Operation& operation : catalogue.operations)
      if (operation.accepted) met_.times[in_stage(operation.name, stage)] = 0;
    for (const Stage next : all_stages) {
      if (options.longest_way == 0 || !legal(stage, next) || (stage == Stage::completed && !options.copy_back))
        continue;
      met_.times[edge_name({stage, next})] = 0;
      if (options.lanes > 1) met_.times[straddled_name({stage, next})] = 0;
    }
    if (stage != Stage::shadow && stage != Stage::live) continue;
    met_.times[in_stage("a commit in both logs", stage)] = 0;
    if (options.lanes > 1) met_.times[in_stage("lanes", stage)] = 0;
    if (!options.faults) continue;
    for (const auto& [cue, end] : options.fault_cues)
      if (says_something(cue, stage)) met_.times[in_stage(cue, stage)] = 0;
  }
  for (const char* what : {"a write acknowledged", "a write refused"}) met_.times[what] = 0;
  if (reachable(options, Stage::read_only)) met_.times["a write refused by read-only"] = 0;
}

void Coverage::meet(const std::string& what) {
  if (const auto known = met_.times.find(what); known != met_.times.end()) ++known->second;
}

void Coverage::add(const Contract& contract, const Trial& trial) {
  const TrialEffects effects(contract, trial);
  std::set<std::string> seen;
  std::set<Stage> stages;
  for (const Effect& effect : effects.effects()) {
    const auto* record = replay::record_of(trial.played, effect.step);
    if (effect.stage_known && record->outcome == replay::Outcome::answered) {
      stages.insert(effect.stage);
      // What is refused by its values says little of the operation; a write in read-only is refused whatever it holds.
      if (record->response.status < 400 || effect.refused_by_stage)
        seen.insert(in_stage(replay::route_of(record->request.method, record->request.target), effect.stage));
    }
    if (!effect.write) continue;
    if (acknowledged(*record)) seen.insert("a write acknowledged");
    if (effect.refused_by_stage) seen.insert("a write refused by read-only");
    if (record->outcome == replay::Outcome::answered && record->response.status >= 400 && record->response.status < 500)
      seen.insert("a write refused");
    if (!effect.in_legacy.empty() && !effect.in_new.empty())
      seen.insert(in_stage("a commit in both logs", effect.stage));
    for (const Alteration& altered : trial.alterations)
      if (trial.played.began_ns + record->sent_ns >= altered.at_ns)
        seen.insert(in_stage(altered.new_store ? "alter new-database" : "alter legacy-database", effect.stage));
    for (const FaultWindow& fault : trial.faults) {
      if (!meets(trial, fault, *record)) continue;
      seen.insert(in_stage(fmt::format("wire {}: {}", fault.what, fault.how), effect.stage));
      for (const char* verb : {"break ", ""}) {
        seen.insert(
            in_stage(fmt::format("{}{} {}", verb, fault.what, fault.how), effect.stage));  // "break new-database hung"
        seen.insert(in_stage(fmt::format("{}{} {}", verb, fault.how, fault.what), effect.stage));  // "stop legacy"
      }
    }
  }
  for (const FlagMove& move : trial.moves) {
    if (move.served_ns == 0) continue;
    seen.insert(edge_name({move.from, move.to}));
    if (move.straddled) seen.insert(straddled_name({move.from, move.to}));
  }
  if (concurrent(trial.plan))
    for (const Stage stage : stages) seen.insert(in_stage("lanes", stage));
  for (const std::string& what : seen) meet(what);
}

std::vector<std::string> Coverage::missing() const {
  std::vector<std::string> missing;
  for (const auto& [what, count] : met_.times)
    if (count == 0) missing.push_back(what);
  return missing;
}

}  // namespace rehearse::properties
