// A body of several parts taken apart (RFC 2046, section 5.1.1; forms: RFC 7578).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "properties/answers/tree.h"

namespace rehearse::properties {

// Adds to the tree an array of objects with each part's name, filename, type, encoding and body. The body is what its
// Content-Transfer-Encoding stands for: a document where its type says JSON and it is some, a text where there is no type or one of text, XML
// or JSON, else size and digest. `encoding` is empty where bytes stand for themselves; where it is unknown or broken, the body is size
// and digest as it was sent. Parts that have parts are compared as bytes.
//
// Nothing when that is done; else why the body is not what it says it is.
[[nodiscard]] std::optional<std::string> take_parts(std::string_view content_type, std::string_view body, Tree& tree);

}  // namespace rehearse::properties
