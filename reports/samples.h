// Reports that the tests of the renderers share.
#pragma once

#include <string>
#include <string_view>

#include "reports/report.h"

namespace rehearse::reports {

[[nodiscard]] Report passing_report();
[[nodiscard]] Report failing_report();
[[nodiscard]] Report unknown_report();

// A failing report in which every text is `text`.
[[nodiscard]] Report report_that_says(const std::string& text);

// What a hostile service could answer: markup, escape sequences, control characters, bytes that are no UTF-8, direction
// overrides, ends of comments and blocks.
[[nodiscard]] std::string hostile_text();

// Fails the running test unless `text` is the content of reports/golden/<name>. With REHEARSE_UPDATE_GOLDENS=1 in the
// environment the file is written instead; look at the difference before committing it.
void expect_golden(std::string_view name, const std::string& text);

}  // namespace rehearse::reports
