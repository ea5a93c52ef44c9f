// What changed between two rehearsals: findings that are new, gone or still there, verdicts, counts, latencies.
#pragma once

#include "reports/report.h"

namespace rehearse::reports {

// Findings, reasons and causes are the same ones where reports/identity.h gives them one name. What an earlier rehearsal did not
// look at is not "new": a finding of a section that it did not rehearse stands as new, and the section's verdict says why.
[[nodiscard]] Since since(const Report& earlier, const Report& now);

}  // namespace rehearse::reports
