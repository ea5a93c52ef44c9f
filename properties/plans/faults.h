// What a fault of a trial excuses, and what it does not.
#pragma once

#include "properties/plans/trial.h"

namespace rehearse::properties {

// A service whose connections were cut needs a moment until it answers again.
inline constexpr std::int64_t recovery_ns = 1'000'000'000;

// True when the fault was there, or had ended less than `behind_ns` before, at some time while the request was under way.
[[nodiscard]] bool meets(const Trial& trial, const FaultWindow& fault, const replay::Record& record,
                         std::int64_t behind_ns = 0);

// Whether the stage's promise permits that request to fail because of a fault: not in shadow because of the new database.
[[nodiscard]] bool may_fail(const Trial& trial, const Effect& effect);

// Faults of the new database (or of the wire to it), and of legacy, its database or the wires to them.
[[nodiscard]] bool of_new_database(const FaultWindow& fault);
[[nodiscard]] bool of_legacy(const FaultWindow& fault);

}  // namespace rehearse::properties
