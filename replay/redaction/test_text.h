// For tests: any text.
#pragma once

#include <string>

namespace rehearse::replay::testing {

// Valid UTF-8 of characters of every length, drawn by the property that runs.
[[nodiscard]] std::string any_utf8();

}  // namespace rehearse::replay::testing
