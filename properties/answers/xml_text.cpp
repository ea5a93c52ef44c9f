#include "properties/answers/xml_text.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>
#include <unordered_set>
#include <utility>

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

// What a prefix stands for, in every element that is open.
class Namespaces {
 public:
  void declare(const std::string& prefix, std::string uri) { uris_[prefix].push_back(std::move(uri)); }
  void forget(const std::string& prefix) { uris_[prefix].pop_back(); }
  [[nodiscard]] const std::string* of(const std::string& prefix) const {
    const auto found = uris_.find(prefix);
    return found == uris_.end() || found->second.empty() ? nullptr : &found->second.back();
  }

 private:
  std::map<std::string, std::vector<std::string>> uris_{{"xml", {"http://www.w3.org/XML/1998/namespace"}}, {"", {""}}};
};

// Line ends as XML reads them (section 2.11).
std::string with_plain_line_ends(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    out += text[i] == '\r' ? '\n' : text[i];
  }
  return out;
}

class XmlReader {
 public:
  explicit XmlReader(std::string_view text) : rest_(text) {}

  std::optional<std::vector<std::string>> read() {
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
    while (!rest_.empty()) {
      if (!piece()) return std::nullopt;
      if (bytes_ > answer_limits::body_bytes || lines_.size() > answer_limits::tokens) return std::nullopt;
    }
    if (!end_text() || !open_.empty() || !root_) return std::nullopt;
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (!formatting_.contains(i)) lines.push_back(std::move(lines_[i]));
    }
    return lines;
  }

 private:
  struct Element {
    std::string written, name, space_of;  // as it stands in the tag, without its prefix, and its namespace
    std::vector<std::string> prefixes;    // that it declares
    std::vector<std::size_t> blanks;      // lines of its own that are nothing but white space
    bool elements = false, text = false, preserve = false;
  };
  using Attributes = std::map<std::string, std::string>;

  static bool only_space(std::string_view text) { return std::all_of(text.begin(), text.end(), space); }

  // What stands before the next `end`, which is taken too.
  std::optional<std::string_view> until(std::string_view end) {
    const auto at = rest_.find(end);
    if (at == std::string_view::npos) return std::nullopt;
    const auto before = rest_.substr(0, at);
    rest_.remove_prefix(at + end.size());
    return before;
  }

  void add_line(std::string line) {
    bytes_ += line.size();
    lines_.push_back(std::move(line));
  }

  bool piece() {
    if (rest_.front() != '<') {
      const auto length = std::min(rest_.find('<'), rest_.size());
      const auto plain = without_references(with_plain_line_ends(rest_.substr(0, length)));
      rest_.remove_prefix(length);
      if (plain) text_ += *plain;
      return plain.has_value();
    }
    if (take("<!--")) return until("-->").has_value();
    if (take("<?")) return instruction();
    if (take("<![CDATA[")) {
      const auto text = until("]]>");
      if (text) text_ += with_plain_line_ends(*text);
      return text.has_value();
    }
    if (rest_.starts_with("<!") || !end_text()) return false;
    return take("</") ? end_tag() : start_tag();
  }

  bool instruction() {
    const auto text = until("?>");
    if (!text || !end_text()) return false;
    const bool declaration = *text == "xml" || (text->starts_with("xml") && space((*text)[3]));
    if (!declaration) add_line("<?" + escaped(*text) + "?>");
    return true;
  }

  // False for text that stands in no element.
  bool end_text() {
    if (text_.empty()) return true;
    const bool blank = only_space(text_);
    if (!open_.empty()) {
      if (blank) open_.back().blanks.push_back(lines_.size());
      open_.back().text = open_.back().text || !blank;
      add_line(escaped(text_));
    }
    text_.clear();
    return blank || !open_.empty();
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
    const std::string closed = name();
    skip_space();
    if (!take(">") || open_.empty() || open_.back().written != closed) return false;
    close();
    return true;
  }

  void close() {
    Element& element = open_.back();
    if (element.elements && !element.text && !element.preserve)
      formatting_.insert(element.blanks.begin(), element.blanks.end());
    add_line("</" + element.name + ">");
    for (const std::string& prefix : element.prefixes) namespaces_.forget(prefix);
    open_.pop_back();
  }

  bool start_tag() {
    rest_.remove_prefix(1);
    Element element;
    element.written = name();
    if (element.written.empty() || open_.size() == answer_limits::depth || (open_.empty() && root_)) return false;
    root_ = true;
    Attributes attributes;
    skip_space();
    while (!rest_.empty() && rest_.front() != '>' && rest_.front() != '/') {
      if (!attribute(attributes)) return false;
      skip_space();
    }
    const bool empty = take("/");
    if (!take(">")) return false;
    for (const auto& [key, value] : attributes) {
      if (key != "xmlns" && !key.starts_with("xmlns:")) continue;
      element.prefixes.push_back(key == "xmlns" ? "" : key.substr(6));
      namespaces_.declare(element.prefixes.back(), value);
    }
    std::tie(element.space_of, element.name) = resolved(element.written, true);
    const std::string around = open_.empty() ? "" : open_.back().space_of;
    std::string line = "<" + element.name;
    if (element.space_of != around) line += " xmlns=\"" + escaped(element.space_of) + "\"";
    element.preserve = !open_.empty() && open_.back().preserve;
    Attributes named;
    for (const auto& [key, value] : attributes) {
      if (key == "xmlns" || key.starts_with("xmlns:")) continue;
      if (key == "xml:space") element.preserve = value == "preserve";
      const auto [uri, local] = resolved(key, false);
      const bool type = uri == "http://www.w3.org/2001/XMLSchema-instance" && local == "type";
      const auto [value_uri, value_local] =
          type ? resolved(value, true) : std::pair<std::string, std::string>("", value);
      bytes_ += uri.size() + value_uri.size();  // one may be named by many
      if (bytes_ > answer_limits::body_bytes) return false;
      if (!named.emplace(in_braces(uri) + local, in_braces(value_uri) + value_local).second) return false;
    }
    for (const auto& [key, value] : named) line += " " + key + "=\"" + escaped(value) + "\"";
    if (!open_.empty()) open_.back().elements = true;
    open_.push_back(std::move(element));
    add_line(line + ">");
    if (empty) close();
    return true;
  }

  static std::string in_braces(const std::string& uri) { return uri.empty() ? "" : "{" + uri + "}"; }

  // The namespace of a name, and the name without its prefix. The default one is not that of attributes.
  [[nodiscard]] std::pair<std::string, std::string> resolved(const std::string& name, bool by_default) const {
    const auto colon = name.find(':');
    if (colon == std::string::npos) return {by_default ? *namespaces_.of("") : "", name};
    const std::string* uri = namespaces_.of(name.substr(0, colon));
    if (uri == nullptr) return {"", name};
    return {*uri, name.substr(colon + 1)};
  }

  bool attribute(Attributes& into) {
    const std::string key = name();
    skip_space();
    if (key.empty() || !take("=")) return false;
    skip_space();
    if (rest_.empty() || (rest_.front() != '"' && rest_.front() != '\'')) return false;
    const std::string quote(1, rest_.front());
    rest_.remove_prefix(1);
    const auto raw = until(quote);
    if (!raw || raw->find('<') != std::string_view::npos) return false;
    std::string spaced = with_plain_line_ends(*raw);
    std::replace_if(spaced.begin(), spaced.end(), space, ' ');
    auto value = without_references(spaced);
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
  bool root_ = false;
  std::vector<Element> open_;
  Namespaces namespaces_;
  std::vector<std::string> lines_;
  std::unordered_set<std::size_t> formatting_;  // lines that are none
  std::size_t bytes_ = 0;                       // of the lines
};

}  // namespace

std::optional<std::vector<std::string>> canonical_xml(std::string_view text) { return XmlReader(text).read(); }

bool has_document_type(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  while (true) {
    while (!text.empty() && space(text.front())) text.remove_prefix(1);
    const std::string_view end = text.starts_with("<!--") ? "-->" : text.starts_with("<?") ? "?>" : "";
    const auto at = end.empty() ? std::string_view::npos : text.find(end);
    if (at == std::string_view::npos) return text.starts_with("<!DOCTYPE");
    text.remove_prefix(at + end.size());
  }
}

}  // namespace rehearse::properties
