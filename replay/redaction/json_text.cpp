#include "replay/redaction/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "replay/error.h"
#include "replay/redaction/limits.h"
#include "replay/redaction/shapes.h"

namespace rehearse::replay {
namespace {

bool space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool digit(char c) { return c >= '0' && c <= '9'; }

// Reads from `at`; every function leaves `at` alone when it returns false.
class Walk {
 public:
  Walk(std::string_view text, const JudgeKey& judge, const VisitScalar& visit)
      : text_(text), judge_(judge), visit_(visit) {}

  std::size_t run() {
    while (true) {
      skip_space();
      if (at_ == text_.size()) return at_;
      if (!document()) return at_;
    }
  }

 private:
  [[nodiscard]] bool next_is(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool take(char c) { return next_is(c) && ++at_; }
  void skip_space() {
    while (at_ < text_.size() && space(text_[at_])) ++at_;
  }

  // The place behind the string that begins at at_; 0 when it does not end.
  [[nodiscard]] std::size_t end_of_string() const {
    std::size_t at = at_ + 1;
    while (true) {
      const void* quote = std::memchr(text_.data() + at, '"', text_.size() - at);
      if (quote == nullptr) return 0;
      const auto found = static_cast<std::size_t>(static_cast<const char*>(quote) - text_.data());
      std::size_t backslashes = 0;
      while (found - backslashes > at_ + 1 && text_[found - backslashes - 1] == '\\') ++backslashes;
      if (backslashes % 2 == 0) return found + 1;
      at = found + 1;
    }
  }

  bool number() {
    std::size_t end = at_;
    if (text_[end] == '-') ++end;
    const std::size_t first = end;
    while (end < text_.size() && digit(text_[end])) ++end;
    if (end == first) return false;
    if (end < text_.size() && text_[end] == '.') {
      ++end;
      while (end < text_.size() && digit(text_[end])) ++end;
    }
    if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      ++end;
      if (end < text_.size() && (text_[end] == '+' || text_[end] == '-')) ++end;
      while (end < text_.size() && digit(text_[end])) ++end;
    }
    visit_(path_, {at_, end - at_, false, mark()});
    at_ = end;
    return true;
  }

  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }

  bool scalar() {
    if (text_[at_] == '"') {
      const std::size_t end = end_of_string(), last = end == 0 ? text_.size() : end - 1;
      visit_(path_, {at_ + 1, last - at_ - 1, true, mark()});
      at_ = end == 0 ? last : end;
      return true;
    }
    if (text_[at_] == '-' || digit(text_[at_])) return number();
    return word("true") || word("false") || word("null");
  }

  [[nodiscard]] int mark() const { return path_.empty() ? 0 : path_.back().mark; }
  [[nodiscard]] int mark_above() const { return path_.size() < 2 ? 0 : path_[path_.size() - 2].mark; }

  bool key() {
    if (!next_is('"')) return false;
    const std::size_t end = end_of_string();
    if (end == 0) return false;
    JsonStep& step = path_.back();
    step.key = text_.substr(at_ + 1, end - at_ - 2);
    const int judged = judge_(step.key);
    step.mark = judged != 0 ? judged : mark_above();
    at_ = end;
    skip_space();
    if (!take(':')) return false;
    skip_space();
    return true;
  }

  // One value with all that is in it. Without recursion: how deep a document is its sender decides.
  bool document() {
    path_.clear();
    while (true) {
      skip_space();
      if (at_ == text_.size()) return false;
      if (next_is('{') || next_is('[')) {
        if (path_.size() == limits::json_levels) return false;
        const bool array = text_[at_++] == '[';
        const int inherited = mark();
        path_.push_back({array, 0, {}, inherited});
        skip_space();
        if (!take(array ? ']' : '}')) {
          if (!array && !key()) return false;
          continue;
        }
        path_.pop_back();
      } else if (!scalar()) {
        return false;
      }
      if (!close_levels()) return false;
      if (path_.empty()) return true;
    }
  }

  // Behind a value: a comma and what follows it, or the end of the levels that end here.
  bool close_levels() {
    while (!path_.empty()) {
      skip_space();
      JsonStep& step = path_.back();
      if (take(',')) {
        skip_space();
        if (!step.in_array) return key();
        ++step.index;
        return true;
      }
      if (!take(step.in_array ? ']' : '}')) return false;
      path_.pop_back();
    }
    return true;
  }

  std::string_view text_;
  const JudgeKey& judge_;
  const VisitScalar& visit_;
  std::size_t at_ = 0;
  std::vector<JsonStep> path_;
};

int hex_value(char c) {
  if (digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The four hex digits at `at`, or -1.
int code_unit(std::string_view text, std::size_t at) {
  if (at + 4 > text.size()) return -1;
  int unit = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    if (hex_value(text[i]) < 0) return -1;
    unit = unit * 16 + hex_value(text[i]);
  }
  return unit;
}

void append_utf8(std::string& out, int point) {
  const auto put = [&](int byte) { out += static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xc0 | point >> 6), put(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    put(0xe0 | point >> 12), put(0x80 | (point >> 6 & 0x3f)), put(0x80 | (point & 0x3f));
  } else {
    put(0xf0 | point >> 18), put(0x80 | (point >> 12 & 0x3f)), put(0x80 | (point >> 6 & 0x3f)),
        put(0x80 | (point & 0x3f));
  }
}

// The \u escape (or pair of them) at `at`: how many bytes it takes; 0 when it is malformed.
std::size_t unicode_escape(std::string_view text, std::size_t at, std::string& out) {
  const int unit = code_unit(text, at + 2);
  if (unit < 0 || (unit >= 0xdc00 && unit < 0xe000)) return 0;
  if (unit < 0xd800 || unit >= 0xe000) return append_utf8(out, unit), 6;
  if (text.substr(at + 6, 2) != "\\u") return 0;
  const int second = code_unit(text, at + 8);
  if (second < 0xdc00 || second >= 0xe000) return 0;
  return append_utf8(out, 0x10000 + ((unit - 0xd800) << 10) + (second - 0xdc00)), 12;
}

std::string unquoted(std::string_view key) {
  return key.find('\\') == std::string_view::npos ? std::string(key) : json_unescaped(key);
}

}  // namespace

std::size_t walk_json(std::string_view text, const JudgeKey& judge, const VisitScalar& visit) {
  return Walk(text, judge, visit).run();
}

std::string json_unescaped(std::string_view text) {
  constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '\\' || at + 1 == text.size()) {
      out += text[at++];
      continue;
    }
    const auto simple = letters.find(text[at + 1]);
    const std::size_t taken = simple != std::string_view::npos ? (out += meanings[simple], std::size_t{2})
                              : text[at + 1] == 'u'            ? unicode_escape(text, at, out)
                                                               : 0;
    if (taken == 0) out += text[at];
    at += std::max<std::size_t>(taken, 1);
  }
  return out;
}

std::string json_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", c);
    } else {
      out += c;
    }
  }
  return out;
}

JsonPath::JsonPath(std::string text) : text_(std::move(text)) {
  const auto refuse = [&] {
    throw Error(
        fmt::format("{:?} is no path of JSON that is understood; write $.customer.email, $.items[*].card, "
                    "$['a name'] or $..iban",
                    text_));
  };
  std::string_view rest = text_;
  if (!rest.starts_with('$')) refuse();
  rest.remove_prefix(1);
  while (!rest.empty()) {
    Part part;
    part.descendant = rest.starts_with("..");
    if (part.descendant) rest.remove_prefix(rest.substr(2).starts_with('[') ? 2 : 1);
    if (rest.starts_with('.')) {
      rest.remove_prefix(1);
      const auto end = std::min(rest.find_first_of(".["), rest.size());
      part.name = rest.substr(0, end);
      if (part.name.empty()) refuse();
      part.kind = part.name == "*" ? Part::Kind::any : Part::Kind::name;
      rest.remove_prefix(end);
    } else if (rest.starts_with("['") || rest.starts_with("[\"")) {
      const auto end = rest.find(rest[1], 2);
      if (end == std::string_view::npos || rest.substr(end + 1, 1) != "]") refuse();
      part.kind = Part::Kind::name;
      part.name = rest.substr(2, end - 2);
      rest.remove_prefix(end + 2);
    } else if (rest.starts_with("[*]")) {
      rest.remove_prefix(3);
    } else {
      const auto end = rest.find(']');
      if (!rest.starts_with('[') || end == std::string_view::npos) refuse();
      const std::string_view number = rest.substr(1, end - 1);
      const auto read = std::from_chars(number.data(), number.data() + number.size(), part.index);
      if (number.empty() || read.ec != std::errc() || read.ptr != number.data() + number.size()) refuse();
      part.kind = Part::Kind::index;
      rest.remove_prefix(end + 1);
    }
    parts_.push_back(std::move(part));
  }
}

bool JsonPath::covers(const std::vector<JsonStep>& path) const { return covers(path, 0, 0); }

bool JsonPath::covers(const std::vector<JsonStep>& path, std::size_t level, std::size_t part) const {
  if (part == parts_.size()) return true;
  if (level == path.size()) return false;
  const Part& wanted = parts_[part];
  const JsonStep& step = path[level];
  const bool fits = wanted.kind == Part::Kind::any ||
                    (wanted.kind == Part::Kind::index && step.in_array && step.index == wanted.index) ||
                    (wanted.kind == Part::Kind::name && !step.in_array && unquoted(step.key) == wanted.name);
  if (fits && covers(path, level + 1, part + 1)) return true;
  return wanted.descendant && covers(path, level + 1, part);
}

std::string place_of(const std::vector<JsonStep>& path) {
  std::string place = "$";
  for (const JsonStep& step : path) {
    const std::string key = unquoted(step.key);
    place += step.in_array ? "[*]" : "." + (shapes_in(key).empty() ? key : "*");
  }
  return place;
}

std::string pointer_of(const std::vector<JsonStep>& path) {
  std::string pointer;
  for (const JsonStep& step : path) {
    pointer += '/';
    if (step.in_array) pointer += std::to_string(step.index);
    for (const char c : step.in_array ? std::string() : unquoted(step.key))
      pointer += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  }
  return pointer;
}

}  // namespace rehearse::replay
