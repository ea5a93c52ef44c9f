#define XXH_INLINE_ALL
#include "properties/answers/tree.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>

#include "properties/answers/limits.h"
#include "properties/answers/path.h"
#include "replay/error.h"

namespace rehearse::properties {
namespace {

std::uint32_t four_digits(std::string_view text) {
  std::uint32_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

// A lone surrogate becomes the three bytes that UTF-8 forbids: so it is equal to itself and to nothing else.
std::string without_escapes(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const char kind = text[++i];
    if (kind == 'u') {
      std::uint32_t point = four_digits(text.substr(i + 1, 4));
      i += 4;
      if (point >= 0xD800 && point < 0xDC00 && text.substr(i + 1).starts_with("\\u")) {
        const std::uint32_t low = four_digits(text.substr(i + 3, 4));
        if (low >= 0xDC00 && low < 0xE000) {
          point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
          i += 6;
        }
      }
      append_utf8(out, point);
    } else {
      constexpr std::string_view from = "bfnrt", to = "\b\f\n\r\t";
      const auto at = from.find(kind);
      out += at == std::string_view::npos ? kind : to[at];
    }
  }
  return out;
}

struct Member {
  std::string name;
  std::uint32_t value;
};

std::vector<Member> members_of(const Tree& tree, std::uint32_t index) {
  std::vector<Member> members;
  for (std::uint32_t i = index + 1; i < tree.at(index).next;) {
    members.push_back({tree.decoded(tree.at(i)), i + 1});
    i = tree.at(i + 1).next;
  }
  return members;
}

void append_canonical(const Tree& tree, std::uint32_t index, std::string& out) {
  const Token& token = tree.at(index);
  switch (token.kind) {
    case TokenKind::object: {
      auto members = members_of(tree, index);
      std::stable_sort(members.begin(), members.end(),
                       [](const Member& a, const Member& b) { return a.name < b.name; });
      out += '{';
      for (std::size_t i = 0; i < members.size(); ++i) {
        if (i > 0) out += ',';
        out += quoted_json(members[i].name) + ":";
        append_canonical(tree, members[i].value, out);
      }
      out += '}';
      break;
    }
    case TokenKind::array:
      out += '[';
      for (std::uint32_t i = index + 1; i < token.next; i = tree.at(i).next) {
        if (i > index + 1) out += ',';
        append_canonical(tree, i, out);
      }
      out += ']';
      break;
    case TokenKind::name:
    case TokenKind::string:
      out += quoted_json(tree.decoded(token));
      break;
    default:
      out += tree.raw(token);
  }
}

std::uint64_t digest(std::string_view text, std::uint64_t seed) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

std::uint64_t mixed(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t both[2] = {a, b};
  return XXH3_64bits(both, sizeof both);
}

// A number as digits without zeros at either end, and the power of ten behind them.
struct Decimal {
  bool negative = false;
  std::string digits;
  std::int64_t power = 0;
  bool known = true;  // false: an exponent beyond all use
};

Decimal decimal_of(std::string_view text) {
  Decimal decimal;
  if (text.starts_with('-')) decimal.negative = true, text.remove_prefix(1);
  const auto e = std::min(text.find_first_of("eE"), text.size());
  std::string_view exponent = text.substr(std::min(e + 1, text.size()));
  if (exponent.starts_with('+')) exponent.remove_prefix(1);
  if (!exponent.empty()) {
    constexpr std::int64_t beyond_use = 1'000'000'000'000;
    const auto [end, error] = std::from_chars(exponent.data(), exponent.data() + exponent.size(), decimal.power);
    if (error != std::errc() || decimal.power > beyond_use || decimal.power < -beyond_use) decimal.known = false;
  }
  const std::string_view mantissa = text.substr(0, e);
  const auto point = std::min(mantissa.find('.'), mantissa.size());
  decimal.digits = mantissa.substr(0, point);
  if (point < mantissa.size()) {
    decimal.digits += mantissa.substr(point + 1);
    decimal.power -= static_cast<std::int64_t>(mantissa.size() - point - 1);
  }
  while (decimal.digits.ends_with('0')) decimal.digits.pop_back(), ++decimal.power;
  decimal.digits.erase(0, decimal.digits.find_first_not_of('0'));
  if (decimal.digits.empty()) decimal = {false, "", 0, true};
  return decimal;
}

void visit_leaves(const Tree& tree, std::uint32_t index, std::string& path,
                  const std::function<void(const std::string&)>& visit) {
  const Token& token = tree.at(index);
  const auto length = path.size();
  if (token.next == index + 1 || (token.kind != TokenKind::object && token.kind != TokenKind::array))
    return visit(path);
  for (std::uint32_t i = index + 1; i < token.next;) {
    if (token.kind == TokenKind::object) {
      path += member_text(tree.decoded(tree.at(i)));
      ++i;
    } else {
      path += "[*]";
    }
    visit_leaves(tree, i, path, visit);
    path.resize(length);
    i = tree.at(i).next;
  }
}

}  // namespace

void append_utf8(std::string& out, std::uint32_t point) {
  const auto byte = [&](std::uint32_t value) { out += static_cast<char>(value); };
  if (point < 0x80) {
    byte(point);
  } else if (point < 0x800) {
    byte(0xC0 | point >> 6), byte(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    byte(0xE0 | point >> 12), byte(0x80 | (point >> 6 & 0x3F)), byte(0x80 | (point & 0x3F));
  } else {
    byte(0xF0 | point >> 18), byte(0x80 | (point >> 12 & 0x3F)), byte(0x80 | (point >> 6 & 0x3F));
    byte(0x80 | (point & 0x3F));
  }
}

std::string Tree::decoded(const Token& token) const {
  return token.escaped ? without_escapes(raw(token)) : std::string(raw(token));
}

std::string Tree::shown(std::uint32_t index) const {
  const Token& token = at(index);
  const bool text_kind = token.kind == TokenKind::string || token.kind == TokenKind::name;
  const bool container = token.kind == TokenKind::object || token.kind == TokenKind::array;
  // A container of a built tree has no text of its own.
  std::string_view whole = raw(token);
  std::string made;
  if (container && built_) whole = made = canonical_json(*this, index);
  const std::string_view part = whole.substr(0, answer_limits::shown_bytes);
  const std::string more = part.size() < whole.size() ? fmt::format("... ({} bytes)", whole.size()) : "";
  // JSON's own spelling of a string is shown as it is; another body's becomes JSON's.
  if (text_kind) return !built_ ? fmt::format("\"{}\"{}", part, more) : quoted_json(part) + more;
  return std::string(part) + more;
}

void Tree::open(TokenKind container) {
  open_.push_back(static_cast<std::uint32_t>(tokens.size()));
  add(container, "");
}

void Tree::close() {
  ENSURE(!open_.empty());
  tokens[open_.back()].next = static_cast<std::uint32_t>(tokens.size());
  tokens[open_.back()].end = static_cast<std::uint32_t>(storage_.size());
  open_.pop_back();
}

void Tree::add(TokenKind kind, std::string_view value, bool bare) {
  built_ = true;
  const auto begin = static_cast<std::uint32_t>(storage_.size());
  storage_ += value;
  tokens.push_back({begin, static_cast<std::uint32_t>(storage_.size()), static_cast<std::uint32_t>(tokens.size() + 1),
                    kind, false, bare});
}

std::string quoted_json(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<int>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string canonical_json(const Tree& tree, std::uint32_t index) {
  std::string out;
  append_canonical(tree, index, out);
  return out;
}

std::uint64_t digest_of(const Tree& tree, std::uint32_t index) {
  const Token& token = tree.at(index);
  const auto kind = static_cast<std::uint64_t>(token.kind);
  switch (token.kind) {
    case TokenKind::object: {
      // Members in any order, those of one name in theirs.
      auto members = members_of(tree, index);
      std::stable_sort(members.begin(), members.end(),
                       [](const Member& a, const Member& b) { return a.name < b.name; });
      std::uint64_t all = kind;
      for (const Member& member : members)
        all = mixed(mixed(all, digest(member.name, kind)), digest_of(tree, member.value));
      return all;
    }
    case TokenKind::array: {
      std::uint64_t all = kind;
      for (std::uint32_t i = index + 1; i < token.next; i = tree.at(i).next) all = mixed(all, digest_of(tree, i));
      return all;
    }
    default:
      return token.escaped ? digest(tree.decoded(token), kind) : digest(tree.raw(token), kind);
  }
}

bool same_number(std::string_view a, std::string_view b) {
  if (a == b) return true;
  const Decimal left = decimal_of(a), right = decimal_of(b);
  return left.known && right.known && left.negative == right.negative && left.digits == right.digits &&
         left.power == right.power;
}

void each_leaf(const Tree& tree, std::string_view root, const std::function<void(const std::string&)>& visit) {
  if (tree.tokens.empty()) return;
  std::string path(root);
  visit_leaves(tree, 0, path, visit);
}

}  // namespace rehearse::properties
