#include "harness/databases/canonical_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <utility>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

// PostgreSQL's own limit is its stack; what is nested deeper than this is no document that people keep in rows.
constexpr int max_depth = 2'000;
// numeric ends at 131,072 digits before the point; a larger exponent is no number of jsonb.
constexpr std::int64_t max_exponent = 1'000'000;

[[noreturn]] void broken(std::string_view why) { throw Error(fmt::format("a JSON value cannot be read: {}", why)); }

bool of_number(char c) { return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'; }

// -0012.50e3 → -125e2; 0.0 → 0.
void append_number(std::string_view number, std::string& out) {
  const bool negative = number.starts_with('-');
  if (negative) number.remove_prefix(1);
  const auto mark = std::min(number.find_first_of("eE"), number.size());
  std::int64_t exponent = 0;
  if (mark < number.size()) {
    std::string_view digits = number.substr(mark + 1);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || exponent > max_exponent ||
        exponent < -max_exponent)
      broken("an exponent");
  }
  std::string_view mantissa = number.substr(0, mark);
  const auto begin = out.size();
  if (negative) out += '-';
  const auto first = out.size();
  bool fraction = false;
  for (const char c : mantissa) {
    if (c == '.') {
      if (fraction) broken("a number with two points");
      fraction = true;
      continue;
    }
    if (c < '0' || c > '9') broken("a number");
    if (fraction) --exponent;
    if (c != '0' || out.size() > first) out += c;
  }
  if (mantissa.empty()) broken("a number without digits");
  if (out.size() == first) {
    out.resize(begin);
    out += '0';
    return;
  }
  while (out.back() == '0') {
    out.pop_back();
    ++exponent;
  }
  if (exponent != 0) out += fmt::format("e{}", exponent);
}

class Scanner {
 public:
  Scanner(std::string_view text, std::string& out) : text_(text), out_(out) {}

  void document() {
    value(out_, 0);
    skip_space();
    if (at_ != text_.size()) broken("something stands behind it");
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
      ++at_;
  }
  char peek() {
    skip_space();
    if (at_ == text_.size()) broken("it ends too early");
    return text_[at_];
  }
  bool took(char c) { return peek() == c && ++at_ > 0; }
  void expect(char c) {
    if (!took(c)) broken(fmt::format("{} is missing", c));
  }

  void value(std::string& out, int depth) {
    if (depth > max_depth) broken(fmt::format("it is nested more than {} deep", max_depth));
    const char c = peek();
    if (c == '{') return object(out, depth);
    if (c == '[') return array(out, depth);
    if (c == '"') return append_string(string(), out);
    if (c == 't' || c == 'f' || c == 'n') return word(out);
    const auto begin = at_;
    while (at_ < text_.size() && of_number(text_[at_])) ++at_;
    append_number(text_.substr(begin, at_ - begin), out);
  }

  void word(std::string& out) {
    for (const std::string_view known : {"true", "false", "null"}) {
      if (text_.substr(at_, known.size()) != known) continue;
      at_ += known.size();
      out += known;
      return;
    }
    broken("a word");
  }

  void array(std::string& out, int depth) {
    expect('[');
    out += '[';
    for (bool first = true; !took(']'); first = false) {
      if (!first) {
        expect(',');
        out += ", ";
      }
      value(out, depth + 1);
    }
    out += ']';
  }

  struct ShorterFirst {
    bool operator()(const std::string& a, const std::string& b) const {
      return a.size() != b.size() ? a.size() < b.size() : a < b;
    }
  };

  void object(std::string& out, int depth) {
    expect('{');
    std::map<std::string, std::string, ShorterFirst> members;
    for (bool first = true; !took('}'); first = false) {
      if (!first) expect(',');
      if (peek() != '"') broken("a member without a name");
      std::string name = string();
      expect(':');
      std::string member;
      value(member, depth + 1);
      members[std::move(name)] = std::move(member);
    }
    out += '{';
    for (bool first = true; const auto& [name, member] : members) {
      if (!std::exchange(first, false)) out += ", ";
      append_string(name, out);
      out += ": ";
      out += member;
    }
    out += '}';
  }

  unsigned hex() {
    unsigned code = 0;
    const auto read = std::from_chars(text_.data() + at_, text_.data() + std::min(at_ + 4, text_.size()), code, 16);
    if (read.ptr != text_.data() + at_ + 4) broken("an escape");
    at_ += 4;
    return code;
  }

  // What the escapes stand for; a lone surrogate, which json keeps and jsonb refuses, stays an escape behind a byte that no
  // text has.
  std::string string() {
    expect('"');
    std::string text;
    while (true) {
      if (at_ >= text_.size()) broken("a string without an end");
      const char c = text_[at_++];
      if (c == '"') return text;
      if (c != '\\') {
        text += c;
        continue;
      }
      if (at_ >= text_.size()) broken("a string without an end");
      escape(text_[at_++], text);
    }
  }

  void escape(char c, std::string& text) {
    constexpr std::string_view names = "bfnrt\"\\/", meant = "\b\f\n\r\t\"\\/";
    if (const auto known = names.find(c); known != std::string_view::npos) {
      text += meant[known];
      return;
    }
    if (c != 'u') broken("an escape");
    unsigned code = hex();
    if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_, 2) == "\\u") {
      const auto back = at_;
      at_ += 2;
      const unsigned low = hex();
      if (low >= 0xDC00 && low < 0xE000) {
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      } else {
        at_ = back;
      }
    }
    append_utf8(code, text);
  }

  static void append_utf8(unsigned code, std::string& text) {
    const auto byte = [&](unsigned value) { text += static_cast<char>(value); };
    if (code < 0x80) return byte(code);
    if (code >= 0xD800 && code < 0xE000) {
      text += fmt::format("\xFFu{:04x}", code);
      return;
    }
    if (code < 0x800) {
      byte(0xC0 | code >> 6);
    } else if (code < 0x10000) {
      byte(0xE0 | code >> 12), byte(0x80 | (code >> 6 & 0x3F));
    } else {
      byte(0xF0 | code >> 18), byte(0x80 | (code >> 12 & 0x3F)), byte(0x80 | (code >> 6 & 0x3F));
    }
    byte(0x80 | (code & 0x3F));
  }

  // As escape_json of PostgreSQL prints it.
  static void append_string(const std::string& text, std::string& out) {
    constexpr std::string_view special = "\b\f\n\r\t\"\\", names = "bfnrt\"\\";
    out += '"';
    for (const char c : text) {
      if (const auto known = special.find(c); known != std::string_view::npos) {
        out += '\\';
        out += names[known];
      } else if (static_cast<unsigned char>(c) < 0x20) {
        out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
      } else {
        out += c;
      }
    }
    out += '"';
  }

  std::string_view text_;
  std::string& out_;
  std::size_t at_ = 0;
};

}  // namespace

void append_canonical_json(std::string_view json, std::string& out) { Scanner(json, out).document(); }

void append_canonical_jsonb(std::string_view printed, std::string& out) {
  for (std::size_t at = 0; at < printed.size();) {
    const char c = printed[at];
    auto end = at + 1;
    if (c == '"') {
      while (end < printed.size() && printed[end] != '"') end += printed[end] == '\\' ? 2 : 1;
      if (end >= printed.size()) broken("a string without an end");
      ++end;
    } else if ((c >= '0' && c <= '9') || c == '-') {
      while (end < printed.size() && of_number(printed[end])) ++end;
      append_number(printed.substr(at, end - at), out);
      at = end;
      continue;
    } else {
      while (end < printed.size() && printed[end] != '"' && printed[end] != '-' &&
             (printed[end] < '0' || printed[end] > '9'))
        ++end;
    }
    out += printed.substr(at, end - at);
    at = end;
  }
}

}  // namespace rehearse::harness
