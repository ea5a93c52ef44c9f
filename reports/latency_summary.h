// What a rehearsal measured of latencies, as a part of its report and as a log for HdrHistogram's viewers.
#pragma once

#include <string>

#include "properties/evidence.h"
#include "reports/report.h"

namespace rehearse::reports {

// Fills latencies, budgets and environment. Does nothing when the evidence holds no measurement.
void add_latencies(const properties::Evidence& evidence, Report& report);

// A line for each stage, route, side and block; empty when nothing was measured.
[[nodiscard]] std::string hdr_log_of(const properties::Evidence& evidence);

}  // namespace rehearse::reports
