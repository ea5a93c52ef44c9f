// The budgets of a rehearsal, judged.
#pragma once

#include <vector>

#include "properties/evidence.h"
#include "properties/latency/judge_latency.h"

namespace rehearse::properties {

// A stage that was rehearsed, has budgets and was not measured (it was interrupted, or the budgets are of a later day) gets a measurement that
// says so: its budgets are unknown then, instead of nowhere. Called before evidence is judged.
void expect_measurements(Evidence& evidence);

// Of every stage that was rehearsed, in the order of the configuration; those of other stages are left out.
[[nodiscard]] std::vector<BudgetVerdict> judged_budgets(const Evidence& evidence);

// "overhead_p50 of GET /orders/{} is at most 10%".
[[nodiscard]] std::string in_words(const Budget& budget);
// "+23.1% (+20.1% to +26.1%)", "12.4 ms (11.9 ms to 13.0 ms)".
[[nodiscard]] std::string measured_in_words(const BudgetVerdict& verdict);

}  // namespace rehearse::properties
