// The report as one page: self-contained, readable offline, on a narrow screen, in the dark and on paper.
#pragma once

#include <cstddef>
#include <string>

#include "reports/report.h"

namespace rehearse::reports {

// A viewer of build artefacts shows a page of this size at once.
inline constexpr std::size_t page_limit = 2'000'000;

// HTML5, UTF-8, at most `page_limit` bytes: of a report that is larger, texts are cut and lists end early, and say so. The page loads
// nothing: its Content-Security-Policy allows its own style and its own script by their hashes, and nothing else. Everything captured is
// escaped. Without the script all of it is there to be read; with it there are charts, a filter and keys.
[[nodiscard]] std::string render_html(const Report& report);

}  // namespace rehearse::reports
