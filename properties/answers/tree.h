// A body taken apart: a flat list of tokens over one text, in the order in which they stand there.
//
// JSON is read into it by `read_json` (json_reader.h); forms, CSV, lines and XML are built into the same shape (media.h), so that one
// comparison serves them all. Spellings are kept: a number is the text that stands in the body.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::properties {

enum class TokenKind : std::uint8_t { object, array, name, string, number, true_, false_, null };

struct Token {
  std::uint32_t begin = 0, end = 0;  // in the text; of a name or string without its quotes
  std::uint32_t next = 0;            // index of the token behind this value and all that it holds
  TokenKind kind = TokenKind::null;
  bool escaped = false;  // of a name or string: it holds JSON's escapes
  bool bare = false;     // of a form's empty text: no sign of equality stood before it
};

class Tree {
 public:
  // The text must outlive the tree, unless the tree is built (below).
  std::string_view text;
  // Of an object alternately a name and the value that stands under it. The first token is the root.
  std::vector<Token> tokens;

  [[nodiscard]] const Token& at(std::uint32_t index) const { return tokens[index]; }
  // As it is written, with the quotes of a string.
  [[nodiscard]] std::string_view raw(const Token& token) const {
    return text.substr(token.begin, token.end - token.begin);
  }
  // The text of a name or string, without escapes.
  [[nodiscard]] std::string decoded(const Token& token) const;
  // How a value is shown to a person: JSON, shortened to answer_limits::shown_bytes.
  [[nodiscard]] std::string shown(std::uint32_t index) const;

  // False for JSON that was read: there the text of a container says all that it holds.
  [[nodiscard]] bool built() const { return built_; }
  void clear() { tokens.clear(), text = {}, storage_.clear(), open_.clear(), built_ = false; }

  // For trees of other bodies than JSON: the text is the tree's own, and nothing in it is escaped. `finish` comes last.
  void open(TokenKind container);
  void close();
  void add(TokenKind kind, std::string_view value, bool bare = false);
  void finish() { text = storage_; }

 private:
  std::string storage_;
  std::vector<std::uint32_t> open_;
  bool built_ = false;
};

// REQUIRES: a code point up to 0x10FFFF.
void append_utf8(std::string& out, std::uint32_t point);

// JSON text of a string, quotes included.
[[nodiscard]] std::string quoted_json(std::string_view text);

// The one text that every spelling of the same document has: names in the order of their bytes, no white space, the shortest escapes.
// Numbers are kept as they are spelled, and so is the order of members of one name. Two documents are equal exactly when
// their canonical texts are.
[[nodiscard]] std::string canonical_json(const Tree& tree, std::uint32_t index = 0);
// Equal for equal canonical texts.
[[nodiscard]] std::uint64_t digest_of(const Tree& tree, std::uint32_t index = 0);

// True when two spellings are of one number: 1, 1.0 and 10e-1; by their digits, however many there are.
[[nodiscard]] bool same_number(std::string_view a, std::string_view b);

// Calls `visit` with the path of every leaf, indices as [*]; the same one as often as it is there. An empty container is a leaf.
void each_leaf(const Tree& tree, std::string_view root, const std::function<void(const std::string& pattern)>& visit);

}  // namespace rehearse::properties
