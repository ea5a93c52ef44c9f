// Where something stands in an answer, and the exact patterns that rules name such places by.
//
// A path is written like JSONPath: `$.items[3].total`, `$["a.b"]`; `header ETag`, `header Set-Cookie.sid`, `status`, `answer` and
// `body` are places too, and the roots of other bodies are `form`, `csv`, `lines` (NDJSON), `text`, `xml` and `multipart`. The second
// of two members of one name is `$.name#2`.
//
// In a pattern `[*]` stands for any index and `.*` for any name, each for exactly one. There is no `..` and no matching of a
// part of a name: a rule silences the places that it names and no others.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::properties {

struct Segment {
  enum class Kind : std::uint8_t { root, name, index, any_name, any_index };
  Kind kind = Kind::name;
  std::string name;         // of a root or a name, unescaped
  std::int64_t number = 0;  // the index; of a name which one of several it is, from 1
  friend bool operator==(const Segment&, const Segment&) = default;
};

using Path = std::vector<Segment>;

// Nothing when the text is no path. Patterns are paths too.
[[nodiscard]] std::optional<Path> path_from(std::string_view text);
[[nodiscard]] std::string text_of(const Path& path);

// The parts that texts of paths are made of.
[[nodiscard]] std::string member_text(std::string_view name, std::int64_t occurrence = 1);
[[nodiscard]] std::string index_text(std::int64_t index);

// True when the pattern names exactly this place.
[[nodiscard]] bool names(const Path& pattern, const Path& place);
// True when the pattern names this place or one that it lies in.
[[nodiscard]] bool covers(const Path& pattern, const Path& place);

// `$.items[3].id` → `$.items[*].id`: what a person calls the same place.
[[nodiscard]] std::string without_indices(std::string_view path);

}  // namespace rehearse::properties
