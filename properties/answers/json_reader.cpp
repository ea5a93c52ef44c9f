#include "properties/answers/json_reader.h"

#include <array>
#include <cstdint>

#include "properties/answers/json_grammar.h"
#include "properties/answers/limits.h"

namespace rehearse::properties {
namespace {

// Appends each token to the tree's.
class TreeBuilder {
 public:
  explicit TreeBuilder(Tree& tree) : tokens_(tree.tokens) {}

  bool open(TokenKind kind, std::uint32_t begin) {
    open_[depth_++] = static_cast<std::uint32_t>(tokens_.size());
    return add(kind, begin, begin, false);
  }
  void close(std::uint32_t end) {
    Token& token = tokens_[open_[--depth_]];
    token.end = end;
    token.next = static_cast<std::uint32_t>(tokens_.size());
  }
  void name(std::uint32_t begin, std::uint32_t end, bool escaped) { add(TokenKind::name, begin, end, escaped); }
  bool scalar(TokenKind kind, std::uint32_t begin, std::uint32_t end, bool escaped) {
    return add(kind, begin, end, escaped);
  }

 private:
  bool add(TokenKind kind, std::uint32_t begin, std::uint32_t end, bool escaped) {
    tokens_.push_back({begin, end, static_cast<std::uint32_t>(tokens_.size() + 1), kind, escaped});
    return tokens_.size() <= answer_limits::tokens;
  }

  std::vector<Token>& tokens_;
  std::array<std::uint32_t, answer_limits::depth> open_;
  std::size_t depth_ = 0;
};

}  // namespace

std::optional<JsonProblem> read_json(std::string_view text, Tree& tree, std::size_t depth) {
  tree.clear();
  tree.text = text;
  if (text.size() > answer_limits::body_bytes) return JsonProblem{"longer than is taken apart (256 MiB)", 0};
  TreeBuilder builder(tree);
  JsonGrammar grammar(text, builder, depth);
  if (const char* problem = grammar.read()) return JsonProblem{problem, grammar.position()};
  return std::nullopt;
}

}  // namespace rehearse::properties
