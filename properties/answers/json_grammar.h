// The grammar of JSON (RFC 8259), strictly, in one pass without recursion: what `read_json` builds trees with, and what finds the one
// value that differs without building any.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "properties/answers/limits.h"
#include "properties/answers/tree.h"

namespace rehearse::properties {

// The first quote, backslash or control character.
inline const char* end_of_plain_json(const char* at, const char* end) {
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

// Reads one value and tells `Seen` of its tokens, by their offsets in the text; those of names and strings are without their quotes:
//
//   bool open(TokenKind kind, begin)                 a container; false: no more can be taken
//   void close(end)                                  the innermost one that is open
//   void name(begin, end, bool escaped)
//   bool scalar(TokenKind kind, begin, end, bool escaped)
template <class Seen>
class JsonGrammar {
 public:
  // `depth` containers are open around the text already.
  JsonGrammar(std::string_view text, Seen& seen, std::size_t depth = 0)
      : begin_(text.data()), at_(begin_), end_(begin_ + text.size()), around_(depth), seen_(seen) {}

  // Null when the text is one value; else what is wrong at `position`.
  const char* read() {
    if (const char* problem = value()) return problem;
    while (depth_ > 0) {
      skip_space();
      if (at_ == end_) return "it ends too early";
      const bool object = open_[depth_ - 1] == TokenKind::object;
      if (*at_ == (object ? '}' : ']')) {
        ++at_;
        --depth_;
        fresh_ = false;
        seen_.close(offset(at_));
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
      }
      if (const char* problem = value()) return problem;
    }
    skip_space();
    return at_ == end_ ? nullptr : "more behind its end";
  }

  [[nodiscard]] std::size_t position() const { return offset(at_); }

 private:
  static constexpr const char* too_many = "more values than are taken apart (16777216)";

  static constexpr bool digit(char c) { return c >= '0' && c <= '9'; }
  static constexpr bool hex(char c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  [[nodiscard]] std::uint32_t offset(const char* at) const { return static_cast<std::uint32_t>(at - begin_); }

  const char* value() {
    skip_space();
    if (at_ == end_) return "it ends too early";
    switch (*at_) {
      case '{':
        return open(TokenKind::object);
      case '[':
        return open(TokenKind::array);
      case '"':
        return string(false);
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

  const char* open(TokenKind kind) {
    if (depth_ + around_ >= answer_limits::depth) return "nested deeper than is taken apart (512)";
    if (!seen_.open(kind, offset(at_))) return too_many;
    open_[depth_++] = kind;
    ++at_;
    fresh_ = true;
    return nullptr;
  }

  const char* scalar(TokenKind kind, const char* from, bool escaped = false) {
    return seen_.scalar(kind, offset(from), offset(at_), escaped) ? nullptr : too_many;
  }

  const char* literal(std::string_view word, TokenKind kind) {
    if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(word)) return "no value";
    const char* from = at_;
    at_ += word.size();
    return scalar(kind, from);
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
    return scalar(TokenKind::number, from);
  }

  const char* name() {
    if (at_ == end_ || *at_ != '"') return "no name where a member begins";
    if (const char* problem = string(true)) return problem;
    skip_space();
    if (at_ == end_ || *at_ != ':') return "no colon behind a name";
    ++at_;
    return nullptr;
  }

  const char* string(bool is_name) {
    const char* from = ++at_;
    bool escaped = false;
    while (true) {
      at_ = end_of_plain_json(at_, end_);
      if (at_ == end_) return "a text without its end";
      if (*at_ == '"') break;
      if (*at_ != '\\') return "a control character in a text";
      escaped = true;
      if (const char* problem = escape()) return problem;
    }
    const char* problem = nullptr;
    if (is_name) {
      seen_.name(offset(from), offset(at_), escaped);
    } else {
      problem = scalar(TokenKind::string, from, escaped);
    }
    ++at_;
    return problem;
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
  const std::size_t around_;
  Seen& seen_;
  std::array<TokenKind, answer_limits::depth> open_;
  std::size_t depth_ = 0;
  bool fresh_ = false;  // right behind an opening bracket
};

}  // namespace rehearse::properties
