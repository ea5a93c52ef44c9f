// Percent-encoding (RFC 3986, section 2.1) that can be put on again as it was.
#pragma once

#include <string>
#include <string_view>

namespace rehearse::replay {

struct Percent {
  std::string decoded;
  std::string
      style;  // of each decoded byte: ' ' as it is, '+' a space written as plus, 'A' or 'a' the case of its escape
};

// `plus` is a space in queries and forms, and a plus in paths.
[[nodiscard]] Percent percent_read(std::string_view text, bool plus_is_space);
// Another value in the same style: byte for byte where it has the same length.
[[nodiscard]] std::string percent_written(std::string_view value, const Percent& as);

}  // namespace rehearse::replay
