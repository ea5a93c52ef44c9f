// What counts as a secret by the place where it stands.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "replay/redaction/json_text.h"
#include "replay/redaction/shapes.h"

namespace rehearse::replay {

// Names are compared without case, hyphens and underscores: api_key, Api-Key and apiKey are one name; `pinned` is not `pin`.
[[nodiscard]] std::string plain_name(std::string_view name);

class Names {
 public:
  Names() = default;
  void add(std::string_view name);
  // Of a name as it is on the wire. Made for names that are not in it: most are refused by their length and first letter.
  [[nodiscard]] bool contains(std::string_view name) const;
  [[nodiscard]] bool empty() const { return names_.empty(); }
  [[nodiscard]] std::size_t longest() const { return longest_; }  // as plain names

 private:
  std::set<std::string, std::less<>> names_;
  std::size_t longest_ = 0;
  // By the first character in lower case: a bit for each length that is in use, and for each last character, modulo 64.
  std::array<std::uint64_t, 256> lengths_{}, ends_{};
};

struct RedactionRules {
  Names headers;     // whole values; Authorization, Cookie and Set-Cookie are taken apart
  Names fields;      // query and form parameters, members of JSON at any depth, elements and attributes of markup
  Names parameters;  // query and form parameters only
  std::vector<JsonPath> paths;  // of JSON bodies
  Shapes shapes;                // wherever they stand
  Names kept;                   // what is not masked in spite of all this: names of all kinds, cookies too
  std::vector<JsonPath> kept_paths;
};

// A group of built-in names with the reason why they are masked.
struct BuiltInNames {
  enum class Kind { header, field } kind;
  bool proves;  // who asks, or that it may: a server refuses another value
  std::string_view reason;
  std::vector<std::string_view> names;
};
[[nodiscard]] std::span<const BuiltInNames> built_in_names();

[[nodiscard]] RedactionRules built_in_rules();

// True for names, of headers and fields, of what proves who asks: built-in ones, and others that end in a word such as "token".
[[nodiscard]] bool names_a_credential(std::string_view name);

}  // namespace rehearse::replay
