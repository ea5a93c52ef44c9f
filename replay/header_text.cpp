#include "replay/header_text.h"

namespace rehearse::replay {

std::string text_of(const Headers& headers) {
  std::string text;
  for (const Header& header : headers) text += header.name + ": " + header.value + "\n";
  return text;
}

Headers headers_of(std::string_view text) {
  Headers headers;
  while (!text.empty()) {
    const auto eol = text.find('\n');
    const auto line = text.substr(0, eol);
    text.remove_prefix(eol == std::string_view::npos ? text.size() : eol + 1);
    const auto colon = line.find(": ");
    if (colon != std::string_view::npos)
      headers.push_back({std::string(line.substr(0, colon)), std::string(line.substr(colon + 2))});
  }
  return headers;
}

}  // namespace rehearse::replay
