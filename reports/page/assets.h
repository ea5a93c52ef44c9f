// The style and the script of the page, with the chart library, as bundle.py put them together when this was built.
#pragma once

#include <string_view>

namespace rehearse::reports::page {

[[nodiscard]] std::string_view style();
[[nodiscard]] std::string_view script();

// Their names in a Content-Security-Policy: 'sha256-...'.
[[nodiscard]] std::string_view style_source();
[[nodiscard]] std::string_view script_source();

}  // namespace rehearse::reports::page
