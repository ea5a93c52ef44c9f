// The report as metrics in the Prometheus text format, for a push gateway or the textfile collector of the node exporter.
#pragma once

#include <string>

#include "reports/report.h"

namespace rehearse::reports {

// Exposition format 0.0.4. All are gauges of the last rehearsal and begin with rehearse_; verdicts are 1 for the one that holds and 0
// for the other two. Sections of one name are one series, the worst verdict and the sums.
[[nodiscard]] std::string render_prometheus(const Report& report);

}  // namespace rehearse::reports
