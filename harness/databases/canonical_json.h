// One spelling for each JSON value: what PostgreSQL's jsonb holds equal is the same text.
//
// That is the text that jsonb prints (white space, escapes, the order of members by length and bytes, the last of members
// with one name), with each number as its digits and a power of ten, for jsonb keeps the scale of 1.0 and 1.00 and holds them equal.
#pragma once

#include <string>
#include <string_view>

namespace rehearse::harness {

// Appends the canonical text of a value of type json. Throws Error for text that is no JSON.
void append_canonical_json(std::string_view json, std::string& out);
// The same for what jsonb prints, which differs in its numbers alone.
void append_canonical_jsonb(std::string_view printed, std::string& out);

}  // namespace rehearse::harness
