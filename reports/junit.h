// The report for a CI server: JUnit XML, a suite a stage or edge, a test case an invariant.
#pragma once

#include <string>

#include "reports/report.h"

namespace rehearse::reports {

// Pass is a test that passed; fail a failure whose text is the findings; unknown a skipped test with the reason, for CI
// servers know no third value: the exit code of rehearse does. A report without results has one test case, an error.
// The format is the one that Ant's JUnit task began and Jenkins, GitLab and GitHub read; XML 1.0, UTF-8.
[[nodiscard]] std::string render_junit(const Report& report);

}  // namespace rehearse::reports
