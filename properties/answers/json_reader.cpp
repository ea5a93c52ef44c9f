#include "properties/answers/json_reader.h"

#include <array>
#include <bit>
#include <cstdint>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "properties/answers/limits.h"

namespace rehearse::properties {
namespace {

constexpr bool digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool hex(char c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// The first quote, backslash or control character.
const char* end_of_plain(const char* at, const char* end) {
#ifdef __SSE2__
  const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1f);
  while (end - at >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i low = _mm_cmpeq_epi8(_mm_max_epu8(bytes, control), control);
    const __m128i found = _mm_or_si128(low, _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash)));
    const int mask = _mm_movemask_epi8(found);
    if (mask != 0) return at + std::countr_zero(static_cast<unsigned>(mask));
    at += 16;
  }
#endif
  while (at != end && *at != '"' && *at != '\\' && static_cast<unsigned char>(*at) >= 0x20) ++at;
  return at;
}

class Reader {
 public:
  Reader(std::string_view text, Tree& tree)
      : begin_(text.data()), at_(begin_), end_(begin_ + text.size()), tokens_(tree.tokens) {}

  const char* read() {
    if (const char* problem = value()) return problem;
    while (depth_ > 0) {
      skip_space();
      if (at_ == end_) return "it ends too early";
      const Token& open = tokens_[open_[depth_ - 1]];
      const bool object = open.kind == TokenKind::object;
      if (*at_ == (object ? '}' : ']')) {
        ++at_;
        close();
        continue;
      }
      if (!fresh_) {
        if (*at_ != ',') return object ? "no comma or brace behind a member" : "no comma or bracket behind an element";
        ++at_;
        skip_space();
      }
      fresh_ = false;
      if (object) {
        if (const char* problem = name()) return problem;
        skip_space();
        if (at_ == end_ || *at_ != ':') return "no colon behind a name";
        ++at_;
      }
      if (const char* problem = value()) return problem;
    }
    skip_space();
    return at_ == end_ ? nullptr : "more behind its end";
  }

  [[nodiscard]] std::size_t position() const { return static_cast<std::size_t>(at_ - begin_); }

 private:
  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  [[nodiscard]] std::uint32_t offset(const char* at) const { return static_cast<std::uint32_t>(at - begin_); }

  Token& add(TokenKind kind, const char* from, const char* to) {
    const auto next = static_cast<std::uint32_t>(tokens_.size() + 1);
    return tokens_.emplace_back(Token{offset(from), offset(to), next, kind, false});
  }

  void close() {
    Token& token = tokens_[open_[--depth_]];
    token.end = offset(at_);
    token.next = static_cast<std::uint32_t>(tokens_.size());
    fresh_ = false;
  }

  const char* value() {
    skip_space();
    if (at_ == end_) return "it ends too early";
    if (tokens_.size() >= answer_limits::tokens) return "more values than are taken apart (16777216)";
    switch (*at_) {
      case '{':
      case '[':
        if (depth_ == answer_limits::depth) return "nested deeper than is taken apart (512)";
        open_[depth_++] = static_cast<std::uint32_t>(tokens_.size());
        add(*at_ == '{' ? TokenKind::object : TokenKind::array, at_, at_);
        ++at_;
        fresh_ = true;
        return nullptr;
      case '"':
        return string(TokenKind::string);
      case 't':
        return literal("true", TokenKind::true_);
      case 'f':
        return literal("false", TokenKind::false_);
      case 'n':
        return literal("null", TokenKind::null);
      default:
        return number();
    }
  }

  const char* literal(std::string_view word, TokenKind kind) {
    if (std::string_view(at_, static_cast<std::size_t>(end_ - at_)).substr(0, word.size()) != word) return "no value";
    add(kind, at_, at_ + word.size());
    at_ += word.size();
    return nullptr;
  }

  const char* number() {
    const char* from = at_;
    if (*at_ == '-') ++at_;
    if (at_ == end_ || !digit(*at_)) return at_ = from, "no value";
    if (*at_ == '0') {
      ++at_;
    } else {
      while (at_ != end_ && digit(*at_)) ++at_;
    }
    if (at_ != end_ && *at_ == '.') {
      ++at_;
      if (at_ == end_ || !digit(*at_)) return "a number without digits behind its point";
      while (at_ != end_ && digit(*at_)) ++at_;
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (at_ == end_ || !digit(*at_)) return "a number without digits in its exponent";
      while (at_ != end_ && digit(*at_)) ++at_;
    }
    add(TokenKind::number, from, at_);
    return nullptr;
  }

  const char* name() {
    if (at_ == end_ || *at_ != '"') return "no name where a member begins";
    return string(TokenKind::name);
  }

  const char* string(TokenKind kind) {
    const char* from = ++at_;
    bool escaped = false;
    while (true) {
      at_ = end_of_plain(at_, end_);
      if (at_ == end_) return "a text without its end";
      if (*at_ == '"') break;
      if (*at_ != '\\') return "a control character in a text";
      escaped = true;
      if (const char* problem = escape()) return problem;
    }
    add(kind, from, at_).escaped = escaped;
    ++at_;
    return nullptr;
  }

  const char* escape() {
    if (end_ - at_ < 2) return "a text without its end";
    const char kind = at_[1];
    if (kind == 'u') {
      if (end_ - at_ < 6 || !hex(at_[2]) || !hex(at_[3]) || !hex(at_[4]) || !hex(at_[5]))
        return "an escape without its four digits";
      at_ += 6;
      return nullptr;
    }
    if (std::string_view("\"\\/bfnrt").find(kind) == std::string_view::npos) return "an escape that there is not";
    at_ += 2;
    return nullptr;
  }

  const char* begin_;
  const char* at_;
  const char* end_;
  std::vector<Token>& tokens_;
  std::array<std::uint32_t, answer_limits::depth> open_;
  std::size_t depth_ = 0;
  bool fresh_ = false;  // right behind an opening bracket
};

}  // namespace

std::optional<JsonProblem> read_json(std::string_view text, Tree& tree) {
  tree.clear();
  tree.text = text;
  if (text.size() > answer_limits::body_bytes) return JsonProblem{"longer than is taken apart (256 MiB)", 0};
  tree.tokens.reserve(text.size() / 16);
  Reader reader(text, tree);
  if (const char* problem = reader.read()) return JsonProblem{problem, reader.position()};
  return std::nullopt;
}

}  // namespace rehearse::properties
