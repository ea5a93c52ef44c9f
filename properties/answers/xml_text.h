// XML as one canonical text, line by line: a tag, its text, its end. Order of attributes, quotes, empty tags, CDATA, comments, the
// declaration and how characters are written do not count; neither does white space around text.
//
// What it leaves out: namespaces are compared by their prefixes. A document type is refused, for what it declares would have to be
// believed; such a document is compared as text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::properties {

// Nothing when the text is not well-formed, has a document type, or is nested deeper than answer_limits::depth.
[[nodiscard]] std::optional<std::vector<std::string>> canonical_xml(std::string_view text);

}  // namespace rehearse::properties
