// Walks over the text of a JSON document (RFC 8259) and says where its values stand, so that some can be replaced and every other
// byte stays as it is.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::replay {

// One level of the way to a value.
struct JsonStep {
  bool in_array = false;
  std::size_t index = 0;  // in an array
  std::string_view key;   // in an object, as it stands between the quotes
  int mark = 0;           // what `judge` said of the key, or the mark of the level above
};

// A string or a number; true, false and null hold no secret.
struct JsonScalar {
  std::size_t at = 0, length = 0;  // of the token, for a string without its quotes
  bool string = false;
  int mark = 0;
};

// What is to be known of a key: 0 leaves the mark of the level above.
using JudgeKey = std::function<int(std::string_view key)>;
using VisitScalar = std::function<void(const std::vector<JsonStep>& path, const JsonScalar& scalar)>;

// Visits the scalars in their order; several documents may follow each other, and the last string may be cut. Returns the place where it is no JSON any more:
// text.size() when all of it is. Of what stands there nothing was visited.
std::size_t walk_json(std::string_view text, const JudgeKey& judge, const VisitScalar& visit);

// The characters of a string token without its quotes; malformed escapes stay as they are.
[[nodiscard]] std::string json_unescaped(std::string_view text);
// ... and back, with escapes only where they must be.
[[nodiscard]] std::string json_escaped(std::string_view text);

// `$`, `$.customer.email`, `$.items[*].card`, `$['a b'][0]`, `$..iban`: names, indexes, wildcards, descendants of RFC 9535.
class JsonPath {
 public:
  // Throws Error when the text is none of that.
  explicit JsonPath(std::string text);
  // True when the path leads to the value or to something around it.
  [[nodiscard]] bool covers(const std::vector<JsonStep>& path) const;
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  struct Part {
    enum class Kind { name, index, any } kind = Kind::any;
    bool descendant = false;  // at any depth
    std::string name;
    std::size_t index = 0;
  };
  [[nodiscard]] bool covers(const std::vector<JsonStep>& path, std::size_t level, std::size_t part) const;
  std::string text_;
  std::vector<Part> parts_;
};

// "$.items[*].email": indexes are left out, so that a place is one however many values stand there; a key that holds a secret by
// its shape is left out, too.
[[nodiscard]] std::string place_of(const std::vector<JsonStep>& path);

// "/items/3/email" (RFC 6901): the value itself.
[[nodiscard]] std::string pointer_of(const std::vector<JsonStep>& path);

}  // namespace rehearse::replay
