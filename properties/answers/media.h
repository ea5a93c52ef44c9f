// What a body is, and how it is taken apart: every kind that has a structure becomes a tree.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "properties/answers/tree.h"
#include "replay/http/message.h"

namespace rehearse::properties {

enum class Media { json, json_lines, form, csv, xml, text, multipart, opaque };

// By Content-Type; a body without one is JSON when it begins like it, else opaque. XML with a document type is text.
[[nodiscard]] Media media_of(const replay::Headers& headers, std::string_view body);

// By Content-Type alone.
[[nodiscard]] bool is_xml(const replay::Headers& headers);

// The name that paths into it begin with: "$", "csv", "body".
[[nodiscard]] std::string_view root_of(Media media);

// Takes the body apart, into
//   json        itself                        json_lines  an array of its lines
//   form        an object of decoded texts    csv         an array of rows, each an array of cells (RFC 4180)
//   text        an array of its lines         xml         an array of the lines of canonical_xml
//   multipart   an array of its parts (multipart.h)
//   opaque      one text: its size and digest
// Nothing when that is done; else why it is not what it says it is. The tree may refer to `body`.
[[nodiscard]] std::optional<std::string> take_apart(Media media, const replay::Headers& headers, std::string_view body,
                                                    Tree& tree);

// "12,345 bytes, XXH3 0123456789abcdef": how bytes are shown that nobody could read.
[[nodiscard]] std::string digest_text(std::string_view bytes);

}  // namespace rehearse::properties
