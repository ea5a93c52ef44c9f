#include "properties/answers/path.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace rehearse::properties {
namespace {

using Kind = Segment::Kind;

bool plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool plain_name(std::string_view name) { return !name.empty() && std::all_of(name.begin(), name.end(), plain); }

constexpr std::array<std::string_view, 7> roots{"$", "form", "csv", "lines", "text", "xml", "multipart"};
constexpr std::array<std::string_view, 3> single{"status", "answer", "body"};

class PathReader {
 public:
  explicit PathReader(std::string_view text) : rest_(text) {}

  std::optional<Path> read() {
    Path path;
    if (!root(path)) return std::nullopt;
    while (!rest_.empty()) {
      if (!segment(path)) return std::nullopt;
    }
    return path;
  }

 private:
  bool take(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  bool root(Path& path) {
    if (take("header ")) {
      // Names of fields have no case, and no dots or brackets that could be meant otherwise.
      std::string name(rest_.substr(0, std::min(rest_.find_first_of(".["), rest_.size())));
      rest_.remove_prefix(name.size());
      if (name.empty()) return false;
      std::transform(name.begin(), name.end(), name.begin(),
                     [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
      path.push_back({Kind::root, "header " + name, 0});
      return true;
    }
    const auto length = std::min(rest_.find_first_of(".["), rest_.size());
    const std::string_view name = rest_.substr(0, length);
    const bool whole = std::find(single.begin(), single.end(), name) != single.end() && length == rest_.size();
    if (!whole && std::find(roots.begin(), roots.end(), name) == roots.end()) return false;
    rest_.remove_prefix(length);
    path.push_back({Kind::root, std::string(name), 0});
    return true;
  }

  bool number(std::int64_t& into) {
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), into);
    if (error != std::errc() || into < 0) return false;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return true;
  }

  bool occurrence(Segment& segment) {
    segment.number = 1;
    return !take("#") || (number(segment.number) && segment.number >= 2);
  }

  bool quoted(std::string& name) {
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (c != '\\') {
        name += c;
      } else if (rest_.empty()) {
        return false;
      } else {
        name += rest_.front() == 'n' ? '\n' : rest_.front();
        rest_.remove_prefix(1);
      }
    }
    return false;
  }

  bool segment(Path& path) {
    Segment made;
    if (take(".*")) {
      made.kind = Kind::any_name;
    } else if (take("[*]")) {
      made.kind = Kind::any_index;
    } else if (take("[\"")) {
      if (!quoted(made.name) || !take("]") || !occurrence(made)) return false;
    } else if (take("[")) {
      made.kind = Kind::index;
      if (!number(made.number) || !take("]")) return false;
    } else if (take(".")) {
      const auto end = std::find_if_not(rest_.begin(), rest_.end(), plain);
      made.name.assign(rest_.begin(), end);
      rest_.remove_prefix(made.name.size());
      if (made.name.empty() || !occurrence(made)) return false;
    } else {
      return false;
    }
    path.push_back(std::move(made));
    return true;
  }

  std::string_view rest_;
};

bool fits(const Segment& pattern, const Segment& place) {
  switch (pattern.kind) {
    case Kind::any_index:
      return place.kind == Kind::index;
    case Kind::any_name:
      return place.kind == Kind::name;
    default:
      return pattern == place;
  }
}

}  // namespace

std::optional<Path> path_from(std::string_view text) { return PathReader(text).read(); }

std::string member_text(std::string_view name, std::int64_t occurrence) {
  std::string text;
  if (plain_name(name)) {
    text = "." + std::string(name);
  } else {
    text = "[\"";
    for (const char c : name) {
      if (c == '"' || c == '\\') text += '\\';
      text += c == '\n' ? "\\n" : std::string(1, c);
    }
    text += "\"]";
  }
  if (occurrence > 1) text += "#" + std::to_string(occurrence);
  return text;
}

std::string index_text(std::int64_t index) { return "[" + std::to_string(index) + "]"; }

std::string text_of(const Path& path) {
  std::string text;
  for (const Segment& segment : path) {
    switch (segment.kind) {
      case Kind::root:
        text += segment.name;
        break;
      case Kind::name:
        text += member_text(segment.name, segment.number);
        break;
      case Kind::index:
        text += index_text(segment.number);
        break;
      case Kind::any_name:
        text += ".*";
        break;
      case Kind::any_index:
        text += "[*]";
        break;
    }
  }
  return text;
}

bool covers(const Path& pattern, const Path& place) {
  return pattern.size() <= place.size() && std::equal(pattern.begin(), pattern.end(), place.begin(), fits);
}

bool names(const Path& pattern, const Path& place) { return pattern.size() == place.size() && covers(pattern, place); }

// On texts, because it is done for every difference of a run. Names that hold brackets are quoted, and skipped as such.
std::string without_indices(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '[') {
      out += path[i];
    } else if (i + 1 < path.size() && path[i + 1] == '"') {
      const std::size_t begin = i;
      for (i += 2; i < path.size() && path[i] != '"'; ++i) i += path[i] == '\\';
      out += path.substr(begin, i - begin + 1);
    } else {
      i = std::min(path.find(']', i), path.size());
      out += "[*]";
    }
  }
  return out;
}

}  // namespace rehearse::properties
