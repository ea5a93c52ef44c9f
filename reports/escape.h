// Captured text made harmless for the place it is shown in. Everything that came from a request, an answer, a row or a
// configuration goes through one of these; a renderer writes no such text directly.
//
// Each takes any bytes: what is not UTF-8 becomes U+FFFD first, so that every output is valid UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rehearse::reports {

// The text with every byte that is not part of well-formed UTF-8 (RFC 3629) replaced by U+FFFD.
[[nodiscard]] std::string valid_utf8(std::string_view text);

// For HTML text and quoted attributes: & < > " ' become references, control characters but tab and newline U+FFFD.
[[nodiscard]] std::string html_escape(std::string_view text);

// For XML 1.0 text and quoted attributes. Characters that XML 1.0 cannot hold even as references (section 2.2) become
// U+FFFD; tab, newline and carriage return become references, for a parser would make them spaces in attributes.
[[nodiscard]] std::string xml_escape(std::string_view text);

// For JSON that a serializer wrote: what it leaves as it is although it moves a terminal's cursor or turns the writing direction (DEL,
// C1, marks) becomes an escape; the document says the same.
[[nodiscard]] std::string json_escape(std::string_view json);

// For one line of Markdown prose or a table cell (CommonMark and GitHub's extensions): nothing is markup, a link, a mention
// or HTML. Newlines become spaces.
[[nodiscard]] std::string markdown_escape(std::string_view text);

// A fenced block whose fence is longer than any run of backticks inside; ends with a newline.
[[nodiscard]] std::string markdown_block(std::string_view text, std::string_view language = "");

// For one line of a terminal: control characters (C0, DEL, C1) and those that turn the writing direction are shown as
// \n, \x1b, \u202e; the text cannot move the cursor, change colours or forge a line.
[[nodiscard]] std::string terminal_escape(std::string_view text);

// For an error in one line of a terminal: the same, without line ends behind it, and of a word of more than 200 characters only
// as many: what somebody typed or captured shall not hide what is said of it.
[[nodiscard]] std::string error_escape(std::string_view text);

// Number of code points; the columns that text takes on a terminal, wide characters aside. REQUIRES: valid UTF-8.
[[nodiscard]] std::size_t columns_of(std::string_view text);

// The first `columns` code points of the text. REQUIRES: valid UTF-8.
[[nodiscard]] std::string_view first_columns(std::string_view text, std::size_t columns);

}  // namespace rehearse::reports
