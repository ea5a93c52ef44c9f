// Reads JSON (RFC 8259) into a tree, strictly, in one pass without recursion.
//
// What it leaves open: bytes beyond ASCII in strings are not held against UTF-8. Two such texts are compared by their bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "properties/answers/tree.h"

namespace rehearse::properties {

struct JsonProblem {
  std::string what;  // "no value", "nested deeper than is taken apart (512)"
  std::size_t at = 0;
};

// Nothing when the whole text is one JSON value; then `tree` holds it and refers to `text`. Else the tree is not to be used. `depth`
// containers are open around the text already.
[[nodiscard]] std::optional<JsonProblem> read_json(std::string_view text, Tree& tree, std::size_t depth = 0);

}  // namespace rehearse::properties
