// The report as the comment on a pull request: GitHub-flavoured Markdown.
#pragma once

#include <cstddef>
#include <string>

#include "reports/report.h"

namespace rehearse::reports {

// GitHub refuses comments above 65,536 characters; what stands around ours needs room too.
inline constexpr std::size_t markdown_limit = 60'000;

// At most `markdown_limit` bytes: verdict and table always, then as many findings and reasons as fit, and a line that says
// how many do not. Captured text is neither markup, nor a mention, nor a link.
[[nodiscard]] std::string render_markdown(const Report& report);

}  // namespace rehearse::reports
