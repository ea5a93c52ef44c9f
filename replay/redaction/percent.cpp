#include "replay/redaction/percent.h"

namespace rehearse::replay {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool unreserved(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

void put(std::string& out, char c, char style) {
  if (style == ' ' || (style == '+' && c == ' ')) {
    out += style == '+' ? '+' : c;
    return;
  }
  const char* digits = style == 'a' ? "0123456789abcdef" : "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  out += '%';
  out += digits[byte >> 4];
  out += digits[byte & 15];
}

}  // namespace

Percent percent_read(std::string_view text, bool plus_is_space) {
  Percent read;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
    if (escape) {
      const bool small = text[i + 1] >= 'a' || text[i + 2] >= 'a';
      read.decoded += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      read.style += small ? 'a' : 'A';
      i += 2;
    } else if (plus_is_space && text[i] == '+') {
      read.decoded += ' ';
      read.style += '+';
    } else {
      read.decoded += text[i];
      read.style += ' ';
    }
  }
  return read;
}

std::string percent_written(std::string_view value, const Percent& as) {
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const bool same = value.size() == as.decoded.size();
    const bool plain = unreserved(value[i]) || (as.decoded.find('@') < as.style.size() && value[i] == '@' &&
                                                as.style[as.decoded.find('@')] == ' ');
    put(out, value[i], same ? as.style[i] : plain ? ' ' : 'A');
  }
  return out;
}

}  // namespace rehearse::replay
