// The report as annotations of a GitHub workflow run: workflow commands, a line each.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "reports/report.h"

namespace rehearse::reports {

// GitHub shows ten annotations of a kind for each step, and drops the rest without a word.
inline constexpr std::size_t annotations_of_a_kind = 10;

// "::error title=G5 in shadow::expected ... observed ...": an error for each broken invariant, a warning for each that is not proved, a
// notice when all is proved. The last of a kind counts what did not fit. Nothing captured can begin a command of its own: % and ends
// of lines are escaped as GitHub's runner reads them, in properties : and , too; other control characters are shown.
[[nodiscard]] std::string render_annotations(const Report& report);

// The escapes of the text behind the second ::, and of the value of a property.
[[nodiscard]] std::string annotation_text(std::string_view text);
[[nodiscard]] std::string annotation_property(std::string_view text);

}  // namespace rehearse::reports
