#include "properties/plans/faults.h"

#include <algorithm>

namespace rehearse::properties {

bool meets(const Trial& trial, const FaultWindow& fault, const replay::Record& record, std::int64_t behind_ns) {
  const std::int64_t sent = trial.played.began_ns + record.sent_ns, done = trial.played.began_ns + record.done_ns;
  return fault.from_ns <= done && (fault.to_ns == 0 || sent <= fault.to_ns + behind_ns);
}

bool of_new_database(const FaultWindow& fault) { return fault.what == "new-database"; }
bool of_legacy(const FaultWindow& fault) { return fault.what == "legacy" || fault.what == "legacy-database"; }

bool may_fail(const Trial& trial, const Effect& effect) {
  const replay::Record* record = replay::record_of(trial.played, effect.step);
  if (record == nullptr) return false;
  return std::any_of(trial.faults.begin(), trial.faults.end(), [&](const FaultWindow& fault) {
    if (fault.schedules || !meets(trial, fault, *record, recovery_ns)) return false;
    if (fault.what == "new" || fault.what == "client") return true;
    if (of_new_database(fault)) return new_store_is_authoritative(effect.stage);
    if (of_legacy(fault))
      return effect.write ? effect.stage != Stage::completed : !new_store_is_authoritative(effect.stage);
    return false;  // the flag's source: the last known stage stays
  });
}

}  // namespace rehearse::properties
