// Generated plans as a part of the gate: bounded in time, seeded, and in the report beside what captured traffic showed.
#pragma once

#include <string>

#include "harness/configuration.h"
#include "harness/progress.h"
#include "reports/report.h"

namespace rehearse::harness {

// Plays generated plans for `configuration.fuzz.in_gate`; failing plans are kept in `directory` and played first the next time.
// The report holds one section and a result for each invariant that plans had something to say about. What was not met in so short a
// time is told and makes nothing unknown; a failure that did not show again does. Throws Error when our world fails.
[[nodiscard]] reports::Report generated_plans(const Configuration& configuration, const std::string& traffic,
                                              const std::string& directory, Progress& progress);

// Adds what generated plans showed to the report of a rehearsal.
void add_generated(const reports::Report& generated, reports::Report& report);

}  // namespace rehearse::harness
