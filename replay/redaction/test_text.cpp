#include "replay/redaction/test_text.h"

#include <rapidcheck.h>

#include <vector>

namespace rehearse::replay::testing {

std::string any_utf8() {
  const auto character = rc::gen::oneOf(
      rc::gen::map(rc::gen::inRange<char>(1, '\x7f'), [](char c) { return std::string(1, c); }),
      rc::gen::element<std::string>("\xc3\xbc", "\xe5\xb1\xb1", "\xf0\x9f\x98\x80", "\xc2\x85", "\xe2\x82\xac"));
  std::string text;
  for (const std::string& one : *rc::gen::container<std::vector<std::string>>(character)) text += one;
  return text;
}

}  // namespace rehearse::replay::testing
