#include "properties/answers/xml_text.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "properties/answers/limits.h"
#include "properties/answers/tree.h"

namespace rehearse::properties {
namespace {

bool space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

bool in_name(char c) {
  return !space(c) && c != '/' && c != '>' && c != '<' && c != '=' && c != '"' && c != '\'' && c != '&' && c != '\0';
}

// Characters that end a line or a tag of the canonical text are written as references, so that no text looks like markup.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\n':
        out += "&#10;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

class XmlReader {
 public:
  explicit XmlReader(std::string_view text) : rest_(text) {}

  std::optional<std::vector<std::string>> read() {
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
    bool root = false;
    while (!rest_.empty()) {
      if (open_.empty() && root && rest_.front() == '<' && rest_.size() > 1 && rest_[1] != '!' && rest_[1] != '?')
        return std::nullopt;
      if (!piece()) return std::nullopt;
      root = root || !open_.empty() || !lines_.empty();
      if (open_.empty() && !only_space(text_)) return std::nullopt;
    }
    if (!open_.empty() || !root) return std::nullopt;
    return std::move(lines_);
  }

 private:
  static bool only_space(std::string_view text) { return std::all_of(text.begin(), text.end(), space); }

  // What stands before the next `end`, which is taken too.
  std::optional<std::string_view> until(std::string_view end) {
    const auto at = rest_.find(end);
    if (at == std::string_view::npos) return std::nullopt;
    const auto before = rest_.substr(0, at);
    rest_.remove_prefix(at + end.size());
    return before;
  }

  bool piece() {
    if (rest_.front() != '<') {
      const auto length = std::min(rest_.find('<'), rest_.size());
      const auto plain = without_references(rest_.substr(0, length));
      rest_.remove_prefix(length);
      if (plain) text_ += *plain;
      return plain.has_value();
    }
    if (rest_.starts_with("<!--")) return until("-->").has_value();
    if (rest_.starts_with("<?")) return until("?>").has_value();
    if (rest_.starts_with("<![CDATA[")) {
      rest_.remove_prefix(9);
      const auto text = until("]]>");
      if (text) text_ += *text;
      return text.has_value();
    }
    if (rest_.starts_with("<!")) return false;
    end_text();
    return rest_.starts_with("</") ? end_tag() : start_tag();
  }

  void end_text() {
    std::string_view text = text_;
    while (!text.empty() && space(text.front())) text.remove_prefix(1);
    while (!text.empty() && space(text.back())) text.remove_suffix(1);
    if (!text.empty()) lines_.push_back(escaped(text));
    text_.clear();
  }

  std::string name() {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), in_name);
    std::string taken(rest_.begin(), end);
    rest_.remove_prefix(taken.size());
    return taken;
  }

  void skip_space() {
    while (!rest_.empty() && space(rest_.front())) rest_.remove_prefix(1);
  }

  bool take(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  bool end_tag() {
    rest_.remove_prefix(2);
    const std::string closed = name();
    skip_space();
    if (!take(">") || open_.empty() || open_.back() != closed) return false;
    open_.pop_back();
    lines_.push_back("</" + closed + ">");
    return true;
  }

  bool start_tag() {
    rest_.remove_prefix(1);
    const std::string opened = name();
    if (opened.empty() || open_.size() == answer_limits::depth) return false;
    std::map<std::string, std::string> attributes;
    skip_space();
    while (!rest_.empty() && rest_.front() != '>' && rest_.front() != '/') {
      if (!attribute(attributes)) return false;
      skip_space();
    }
    const bool empty = take("/");
    if (!take(">")) return false;
    std::string line = "<" + opened;
    for (const auto& [key, value] : attributes) line += " " + key + "=\"" + escaped(value) + "\"";
    lines_.push_back(line + ">");
    if (empty) {
      lines_.push_back("</" + opened + ">");
    } else {
      open_.push_back(opened);
    }
    return true;
  }

  bool attribute(std::map<std::string, std::string>& into) {
    const std::string key = name();
    skip_space();
    if (key.empty() || !take("=")) return false;
    skip_space();
    if (rest_.empty() || (rest_.front() != '"' && rest_.front() != '\'')) return false;
    const std::string quote(1, rest_.front());
    rest_.remove_prefix(1);
    const auto raw = until(quote);
    if (!raw || raw->find('<') != std::string_view::npos) return false;
    auto value = without_references(*raw);
    return value && into.emplace(key, std::move(*value)).second;
  }

  static std::optional<std::string> without_references(std::string_view text) {
    std::string out;
    while (true) {
      const auto at = text.find('&');
      out += text.substr(0, at);
      if (at == std::string_view::npos) return out;
      text.remove_prefix(at + 1);
      const auto end = text.find(';');
      if (end == std::string_view::npos || !append_reference(text.substr(0, end), out)) return std::nullopt;
      text.remove_prefix(end + 1);
    }
  }

  static bool append_reference(std::string_view name, std::string& out) {
    static const std::map<std::string_view, char> known{
        {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    if (const auto found = known.find(name); found != known.end()) return out += found->second, true;
    if (!name.starts_with('#')) return false;
    const bool hex = name.size() > 1 && (name[1] == 'x' || name[1] == 'X');
    const auto digits = name.substr(hex ? 2 : 1);
    std::uint32_t point = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), point, hex ? 16 : 10);
    if (error != std::errc() || end != digits.data() + digits.size() || point == 0 || point > 0x10FFFF) return false;
    append_utf8(out, point);
    return true;
  }

  std::string_view rest_;
  std::string text_;  // between two tags
  std::vector<std::string> open_;
  std::vector<std::string> lines_;
};

}  // namespace

std::optional<std::vector<std::string>> canonical_xml(std::string_view text) { return XmlReader(text).read(); }

}  // namespace rehearse::properties
