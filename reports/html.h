// The report as one page: self-contained, readable offline, on a narrow screen, in the dark and on paper.
#pragma once

#include <string>

#include "reports/report.h"

namespace rehearse::reports {

// HTML5, UTF-8. The page runs no script and loads nothing: its Content-Security-Policy allows its own style and nothing
// else. Everything captured is escaped. Findings stand in <details>, the first of each open.
[[nodiscard]] std::string render_html(const Report& report);

}  // namespace rehearse::reports
