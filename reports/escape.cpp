#include "reports/escape.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace rehearse::reports {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view joiner = "\xE2\x80\x8D";       // U+200D, zero width: breaks what Markdown would recognise

struct CodePoint {
  char32_t value;
  std::size_t length;  // bytes; 0 when the bytes are no UTF-8
};

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

// Decodes the first code point; overlong forms, surrogates and values above U+10FFFF are no UTF-8.
CodePoint decode(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  constexpr std::array<char32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return {0, 0};
  char32_t value = lead & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if (!continues(text[i])) return {0, 0};
    value = value << 6 | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < smallest[length] || value > 0x10FFFF || surrogate) return {0, 0};
  return {value, length};
}

// Calls `append(output, code point, its bytes)` for each code point; what is no UTF-8 arrives as U+FFFD.
template <class Append>
std::string map(std::string_view text, Append append) {
  std::string output;
  output.reserve(text.size() + text.size() / 8);
  while (!text.empty()) {
    const CodePoint point = decode(text);
    if (point.length == 0) {
      append(output, U'\uFFFD', replacement);
      text.remove_prefix(1);
    } else {
      append(output, point.value, text.substr(0, point.length));
      text.remove_prefix(point.length);
    }
  }
  return output;
}

bool control(char32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0); }

// Marks, embeddings, overrides and isolates of the bidirectional algorithm, and the separators that break lines.
bool redirects(char32_t c) {
  return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

std::string_view reference_of(char32_t c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return "";
  }
}

}  // namespace

std::string valid_utf8(std::string_view text) {
  return map(text, [](std::string& out, char32_t, std::string_view bytes) { out += bytes; });
}

std::string html_escape(std::string_view text) {
  return map(text, [](std::string& out, char32_t c, std::string_view bytes) {
    const auto reference = reference_of(c);
    const bool shown = !(control(c) && c != '\t' && c != '\n') && !redirects(c);
    out += !reference.empty() ? reference : shown ? bytes : replacement;
  });
}

std::string xml_escape(std::string_view text) {
  return map(text, [](std::string& out, char32_t c, std::string_view bytes) {
    const auto reference = reference_of(c);
    if (!reference.empty()) {
      out += reference;
    } else if (c == '\t' || c == '\n' || c == '\r') {
      out += "&#" + std::to_string(static_cast<unsigned>(c)) + ";";
    } else {
      out += control(c) || c == 0xFFFE || c == 0xFFFF ? replacement : bytes;
    }
  });
}

std::string json_escape(std::string_view json) {
  return map(json, [](std::string& out, char32_t c, std::string_view bytes) {
    std::array<char, 16> code{};
    if (c >= 0x20 && (control(c) || redirects(c))) {
      std::snprintf(code.data(), code.size(), "\\u%04x", static_cast<unsigned>(c));
      out += code.data();
    } else {
      out += bytes;
    }
  });
}

std::string markdown_escape(std::string_view text) {
  return map(text, [](std::string& out, char32_t c, std::string_view bytes) {
    const auto reference = reference_of(c);
    if (c == '\n' || c == '\t' || c == '\r') {
      out += ' ';
    } else if (control(c) || redirects(c)) {
      out += replacement;
    } else if (!reference.empty()) {
      out += reference;
    } else if (c == '@' || c == '#') {
      out.append(bytes).append(joiner);  // no mention, no reference to an issue
    } else if ((c == '/' && out.ends_with(':')) || (c == '.' && out.ends_with("www"))) {
      out.append(joiner).append(bytes);  // no automatic link
    } else if (std::string_view("\\`*_{}[]()!|~$").find(static_cast<char>(c)) != std::string_view::npos && c < 0x80) {
      out += '\\';
      out += bytes;
    } else {
      out += bytes;
    }
  });
}

std::string markdown_block(std::string_view text, std::string_view language) {
  std::size_t longest = 0, run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(std::max<std::size_t>(3, longest + 1), '`');
  const std::string shown = map(text, [](std::string& out, char32_t c, std::string_view bytes) {
    out += (control(c) && c != '\n' && c != '\t') || redirects(c) ? replacement : bytes;
  });
  return fence + std::string(language) + "\n" + shown + (shown.ends_with('\n') ? "" : "\n") + fence + "\n";
}

std::string terminal_escape(std::string_view text) {
  return map(text, [](std::string& out, char32_t c, std::string_view bytes) {
    std::array<char, 16> code{};
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (control(c)) {
      std::snprintf(code.data(), code.size(), "\\x%02x", static_cast<unsigned>(c));
      out += code.data();
    } else if (redirects(c)) {
      std::snprintf(code.data(), code.size(), "\\u%04x", static_cast<unsigned>(c));
      out += code.data();
    } else {
      out += bytes;
    }
  });
}

std::string error_escape(std::string_view text) {
  constexpr std::size_t longest = 200;
  while (text.ends_with('\n')) text.remove_suffix(1);
  const std::string escaped = terminal_escape(text);
  std::string out;
  for (std::string_view rest = escaped; !rest.empty();) {
    const auto word = rest.substr(0, rest.find(' '));
    const auto shown = first_columns(word, longest);
    out += shown;
    if (shown.size() < word.size()) out += "\u2026";
    rest.remove_prefix(word.size());
    if (!rest.empty()) {
      out += ' ';
      rest.remove_prefix(1);
    }
  }
  return out;
}

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

std::string_view first_columns(std::string_view text, std::size_t columns) {
  std::size_t seen = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!continues(text[i]) && seen++ == columns) return text.substr(0, i);
  }
  return text;
}

}  // namespace rehearse::reports
