#include "properties/answers/json_difference.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "properties/answers/json_grammar.h"
#include "properties/answers/path.h"
#include "properties/answers/tree.h"

namespace rehearse::properties {
namespace {

constexpr std::size_t block = 256;

std::size_t common_prefix(std::string_view a, std::string_view b) {
  const std::size_t both = std::min(a.size(), b.size());
  std::size_t at = 0;
  while (at + block <= both && std::memcmp(a.data() + at, b.data() + at, block) == 0) at += block;
  while (at < both && a[at] == b[at]) ++at;
  return at;
}

std::size_t common_suffix(std::string_view a, std::string_view b, std::size_t most) {
  std::size_t length = 0;
  while (length + block <= most &&
         std::memcmp(a.data() + a.size() - length - block, b.data() + b.size() - length - block, block) == 0)
    length += block;
  while (length < most && a[a.size() - length - 1] == b[b.size() - length - 1]) ++length;
  return length;
}

// Finds the innermost value that holds the bytes from `from` to `to`, and the way to it.
class Finder {
 public:
  Finder(std::string_view text, std::size_t from, std::size_t to)
      : text_(text), from_(static_cast<std::uint32_t>(from)), to_(static_cast<std::uint32_t>(to)) {}

  bool open(TokenKind kind, std::uint32_t begin) {
    enter();
    frames_.push_back({kind, begin, static_cast<std::uint32_t>(names_.size()), 0});
    return true;
  }
  void close(std::uint32_t end) {
    const Frame frame = frames_.back();
    frames_.pop_back();
    names_.resize(frame.first_name);
    // Its brackets stand in what is alike.
    if (!container_ && frame.begin < from_ && end - 1 >= to_) container_ = found(frame.begin, end);
  }
  void name(std::uint32_t begin, std::uint32_t end, bool escaped) { names_.push_back({begin, end, escaped}); }
  bool scalar(TokenKind kind, std::uint32_t begin, std::uint32_t end, bool) {
    enter();
    const std::uint32_t quote = kind == TokenKind::string ? 1 : 0;
    if (!scalar_ && begin - quote <= from_ && end + quote >= to_) scalar_ = found(begin - quote, end + quote);
    return true;
  }

  // The value as it stands in both texts. A scalar that something was put beside is no value there, but what holds it is one.
  [[nodiscard]] std::optional<DifferingValue> in(std::string_view observed) {
    for (auto* found : {&scalar_, &container_}) {
      if (!*found) continue;
      auto& [value, begin, end] = **found;
      value.expected = text_.substr(begin, end - begin);
      value.observed = observed.substr(begin, observed.size() - (text_.size() - end) - begin);
      Nothing nothing;
      if (found == &container_ || JsonGrammar(value.observed, nothing).read() == nullptr)
        return value.path.empty() ? std::nullopt : std::optional(std::move(value));
    }
    return std::nullopt;
  }

 private:
  struct Frame {
    TokenKind kind;
    std::uint32_t begin;
    std::uint32_t first_name;  // of this object's in `names_`
    std::uint32_t children;    // that were begun
  };
  struct Name {
    std::uint32_t begin, end;
    bool escaped;
  };
  struct Found {
    DifferingValue value;
    std::uint32_t begin, end;
  };
  struct Nothing {
    bool open(TokenKind, std::uint32_t) { return true; }
    void close(std::uint32_t) {}
    void name(std::uint32_t, std::uint32_t, bool) {}
    bool scalar(TokenKind, std::uint32_t, std::uint32_t, bool) { return true; }
  };

  void enter() {
    if (!frames_.empty()) ++frames_.back().children;
  }

  [[nodiscard]] std::string decoded(const Name& name) const {
    Tree tree;
    tree.text = text_;
    return tree.decoded({name.begin, name.end, 0, TokenKind::name, name.escaped});
  }

  // The value from `begin` to `end`, which stands in the containers that are open; without a path when it is the whole document.
  [[nodiscard]] Found found(std::uint32_t begin, std::uint32_t end) const {
    Found made{{}, begin, end};
    if (frames_.empty()) return made;
    DifferingValue& result = made.value;
    result.path = "$";
    result.depth = frames_.size();
    for (std::size_t i = 0; i < frames_.size(); ++i) {
      const Frame& frame = frames_[i];
      if (frame.kind == TokenKind::array) {
        result.path += index_text(frame.children - 1);
        continue;
      }
      // Names of an object stand behind each other up to those of the next one; the last is the one that the way goes by.
      const std::size_t last = i + 1 < frames_.size() ? frames_[i + 1].first_name : names_.size();
      result.name = decoded(names_[last - 1]);
      std::int64_t occurrence = 0;
      for (std::size_t k = frame.first_name; k < last; ++k) occurrence += decoded(names_[k]) == result.name;
      result.path += member_text(result.name, occurrence);
    }
    return made;
  }

  std::string_view text_;
  std::uint32_t from_, to_;
  std::vector<Frame> frames_;
  std::vector<Name> names_;
  std::optional<Found> scalar_, container_;
};

}  // namespace

std::optional<DifferingValue> differing_value(std::string_view expected, std::string_view observed) {
  if (std::max(expected.size(), observed.size()) > answer_limits::body_bytes) return std::nullopt;
  const std::size_t front = common_prefix(expected, observed);
  const std::size_t back = common_suffix(expected, observed, std::min(expected.size(), observed.size()) - front);
  Finder finder(expected, front, expected.size() - back);
  if (JsonGrammar(expected, finder).read() != nullptr) return std::nullopt;
  return finder.in(observed);
}

}  // namespace rehearse::properties
