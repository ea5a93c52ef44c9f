// The one value in which two JSON texts differ, found without taking both apart.
//
// The texts begin alike and end alike; what lies between stands in some values, of which one is the innermost. The first text is read
// once, and no token of it is kept: outside of that value the other one is the same text, so that it need not be read there at all.
// Whatever the two hold in that value is for the trees to compare; what stands around it neither moves nor changes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rehearse::properties {

struct DifferingValue {
  std::string path;                     // "$.items[3]"
  std::string name;                     // of the member that it belongs to, also as an element of it
  std::size_t depth = 0;                // containers around it
  std::string_view expected, observed;  // JSON, if `observed` is any
};

// Nothing when the first text is no JSON, or when the value would be the whole document.
[[nodiscard]] std::optional<DifferingValue> differing_value(std::string_view expected, std::string_view observed);

}  // namespace rehearse::properties
