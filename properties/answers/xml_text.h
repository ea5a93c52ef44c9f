// XML as one canonical text, line by line: a tag, its text, its end. Order of attributes, quotes, empty tags, CDATA, comments, the
// declaration and how characters are written do not count; neither do prefixes: an element is named by its namespace, which stands
// as `xmlns` where it is another one than around it, and an attribute as `{namespace}name`. White space is formatting between the
// elements of an element that holds no other text, unless xml:space says otherwise; in all other places it is text.
//
// What it leaves out: prefixes within values mean nothing here, but for that of xsi:type; a prefix that nobody declared is a part of the
// name. A document type is refused, for what it declares would have to be believed; such a document is compared as text, by line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::properties {

// Nothing when the text is not well-formed, has a document type, is nested deeper than answer_limits::depth, or when its canonical
// text would be longer than answer_limits::body_bytes or answer_limits::tokens lines.
[[nodiscard]] std::optional<std::vector<std::string>> canonical_xml(std::string_view text);

// True when a document type stands before the first element.
[[nodiscard]] bool has_document_type(std::string_view text);

}  // namespace rehearse::properties
