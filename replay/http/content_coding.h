// Content codings (RFC 9110, section 8.4) taken off and put on again: gzip, deflate, br, zstd.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::replay {

// The codings of a Content-Encoding field in the order in which they were applied, in lower case, `identity` left out.
[[nodiscard]] std::vector<std::string> codings_in(std::string_view field);

// Nothing when a coding is not known, the data is broken or cut, or more than `limit_bytes` would come out.
[[nodiscard]] std::optional<std::string> without_codings(std::string_view body, const std::vector<std::string>& codings,
                                                         std::size_t limit_bytes);
// REQUIRES: without_codings() knows the codings. The same bytes for the same body.
[[nodiscard]] std::string with_codings(std::string_view body, const std::vector<std::string>& codings);

}  // namespace rehearse::replay
