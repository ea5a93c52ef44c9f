#include "replay/redaction/shapes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace rehearse::replay {
namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }
bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool alphanumeric(char c) { return digit(c) || letter(c); }
bool base64url(char c) { return alphanumeric(c) || c == '-' || c == '_'; }
bool token68(char c) { return base64url(c) || c == '.' || c == '~' || c == '+' || c == '/' || c == '='; }
bool hex(char c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool local_part(char c) { return base64url(c) || c == '.' || c == '%' || c == '+' || c == '\''; }
bool domain_part(char c) { return alphanumeric(c) || c == '-' || c == '.'; }

// --- e-mail addresses ---

// Labels, of which the last is made of letters. `logo@2x.png` is a picture for dense screens.
bool email_domain(std::string_view domain) {
  const auto last = domain.rfind('.');
  if (last == std::string_view::npos || last == 0 || domain.size() > 253) return false;
  const std::string_view top = domain.substr(last + 1);
  if (top.size() < 2 || top.size() > 24 || !std::all_of(top.begin(), top.end(), letter)) return false;
  for (std::string_view rest = domain; !rest.empty();) {
    const auto dot = std::min(rest.find('.'), rest.size());
    const std::string_view label = rest.substr(0, dot);
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    rest.remove_prefix(std::min(dot + 1, rest.size()));
  }
  return !(domain.size() > 3 && digit(domain[0]) && domain[1] == 'x' && domain[2] == '.');
}

// The address around the '@' at `at`, none of it before `from`.
std::optional<Shaped> email_around(std::string_view text, std::size_t at, std::size_t from) {
  std::size_t begin = at, end = at + 1;
  while (begin > from && at - begin < 64 && local_part(text[begin - 1])) --begin;
  while (begin < at && !alphanumeric(text[begin]) && text[begin] != '_') ++begin;
  while (end < text.size() && domain_part(text[end])) ++end;
  while (end > at + 1 && !alphanumeric(text[end - 1])) --end;
  // "a@b.example.": a sentence may end behind an address, and a path may go on behind a domain.
  if (begin == at || text[at - 1] == '.' || !email_domain(text.substr(at + 1, end - at - 1))) return std::nullopt;
  return Shaped{begin, end - begin, Shape::email};
}

// --- passwords in URLs ---

// "scheme://user:password@": what stands between the slashes and the '@'.
std::optional<Shaped> credentials_before(std::string_view text, std::size_t at, std::size_t from) {
  std::size_t begin = at;
  while (begin > from && at - begin < 512 && text[begin - 1] > ' ' &&
         std::strchr("/\"'<>\\", text[begin - 1]) == nullptr)
    --begin;
  if (begin < from + 3 || text.substr(begin - 3, 3) != "://" || begin == at) return std::nullopt;
  if (text.substr(begin, at - begin).find(':') == std::string_view::npos) return std::nullopt;
  return Shaped{begin, at - begin, Shape::url_credentials};
}

// --- card numbers ---

struct Issuer {
  int lowest, highest;  // of the first digits
  std::array<int, 4> lengths;
};
// The ranges in which cards are issued, as far as they are told from other numbers. Four digits, or fewer filled up.
constexpr std::array issuers{
    Issuer{4000, 4999, {13, 16, 19, 0}},   // Visa
    Issuer{5100, 5599, {16, 0, 0, 0}},     // Mastercard
    Issuer{2221, 2720, {16, 0, 0, 0}},     // ... and its second range
    Issuer{3400, 3499, {15, 0, 0, 0}},     // American Express
    Issuer{3700, 3799, {15, 0, 0, 0}},     // ...
    Issuer{3000, 3059, {14, 0, 0, 0}},     // Diners Club
    Issuer{3600, 3699, {14, 0, 0, 0}},     // ...
    Issuer{3800, 3999, {14, 0, 0, 0}},     // ...
    Issuer{6011, 6011, {16, 19, 0, 0}},    // Discover
    Issuer{6440, 6599, {16, 19, 0, 0}},    // ...
    Issuer{3528, 3589, {16, 19, 0, 0}},    // JCB
    Issuer{6200, 6299, {16, 17, 18, 19}},  // UnionPay
    Issuer{5018, 5018, {16, 18, 19, 0}},   // Maestro
    Issuer{5020, 5020, {16, 18, 19, 0}},  Issuer{5038, 5038, {16, 18, 19, 0}}, Issuer{5893, 5893, {16, 18, 19, 0}},
    Issuer{6304, 6304, {16, 18, 19, 0}},  Issuer{6759, 6759, {16, 18, 19, 0}}, Issuer{6761, 6763, {16, 18, 19, 0}},
};

bool issued(std::string_view digits) {
  int first = 0;
  std::from_chars(digits.data(), digits.data() + 4, first);
  return std::any_of(issuers.begin(), issuers.end(), [&](const Issuer& issuer) {
    return first >= issuer.lowest && first <= issuer.highest &&
           std::find(issuer.lengths.begin(), issuer.lengths.end(), static_cast<int>(digits.size())) !=
               issuer.lengths.end();
  });
}

// 13 digits are far more often a barcode than a card, and one of ten barcodes passes Luhn's test.
bool barcode(std::string_view digits) {
  if (digits.size() != 13) return false;
  int sum = 0;
  for (std::size_t i = 0; i < 12; ++i) sum += (digits[i] - '0') * (i % 2 == 0 ? 1 : 3);
  return (10 - sum % 10) % 10 == digits[12] - '0';
}

bool card_digits(std::string_view digits) {
  return digits.size() >= 13 && digits.size() <= 19 && issued(digits) && !barcode(digits) &&
         luhn_digit(digits.substr(0, digits.size() - 1)) == digits.back();
}

// As they are printed: fours, or four, six and the rest (American Express, Diners Club).
bool printed_groups(const std::array<std::size_t, 8>& groups, std::size_t count) {
  if (count < 3 || groups[0] != 4) return false;
  if (count == 3) return groups[1] == 6 && (groups[2] == 5 || groups[2] == 4);
  for (std::size_t i = 1; i + 1 < count; ++i) {
    if (groups[i] != 4) return false;
  }
  return groups[count - 1] <= 4;
}

// A run of digits that begins at `at`, with one kind of separator between its groups.
struct DigitRun {
  std::size_t end = 0;
  bool card = false;
};

DigitRun digit_run(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && digit(text[end])) ++end;
  const std::string_view first = text.substr(at, end - at);
  if (at > 0 && digit(text[at - 1])) return {end, false};
  if (first.size() != 4) return {end, card_digits(first)};
  std::string digits(first);
  std::array<std::size_t, 8> groups{4};
  std::size_t count = 1;
  const char separator = end < text.size() ? text[end] : '\0';
  std::size_t next = end;
  while ((separator == ' ' || separator == '-') && next + 1 < text.size() && text[next] == separator &&
         digit(text[next + 1]) && count < groups.size()) {
    std::size_t group = next + 1;
    while (group < text.size() && digit(text[group])) ++group;
    groups[count++] = group - next - 1;
    digits.append(text.substr(next + 1, group - next - 1));
    next = group;
    if (digits.size() > 19) break;
  }
  if (count > 1 && printed_groups(groups, count) && card_digits(digits)) return {next, true};
  return {end, false};
}

// True when the number is not a part of a longer word, of a decimal or of an id with hyphens.
bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  const auto part_of_word = [&](std::size_t near, std::size_t beyond) {
    const char c = text[near];
    if (alphanumeric(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80) return true;
    return (c == '.' || c == '-' || c == ',') && beyond < text.size() && alphanumeric(text[beyond]) &&
           (c == '-' || digit(text[beyond]));
  };
  // A list of numbers, 1,4111111111111111,2, is told from a decimal comma by the separator in front alone.
  if (begin > 0 && text[begin - 1] != ',' && part_of_word(begin - 1, begin - 2)) return false;
  return end >= text.size() || text[end] == ',' || !part_of_word(end, end + 1);
}

// A bit for each of 64 bytes that satisfies the question; one for digits, one for the separators of printed cards.
struct Bits {
  std::uint64_t digits = 0, separators = 0;
};

Bits bits_of(const char* bytes) {
  Bits bits;
#ifdef __SSE2__
  for (int part = 0; part < 4; ++part) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + part * 16));
    const auto put = [&](std::uint64_t& into, __m128i found) {
      into |= static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(found))) << (part * 16);
    };
    put(bits.digits,
        _mm_and_si128(_mm_cmpgt_epi8(block, _mm_set1_epi8('0' - 1)), _mm_cmplt_epi8(block, _mm_set1_epi8('9' + 1))));
    put(bits.separators,
        _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8(' ')), _mm_cmpeq_epi8(block, _mm_set1_epi8('-'))));
  }
#else
  for (int i = 0; i < 64; ++i) {
    bits.digits |= static_cast<std::uint64_t>(digit(bytes[i])) << i;
    bits.separators |= static_cast<std::uint64_t>(bytes[i] == ' ' || bytes[i] == '-') << i;
  }
#endif
  return bits;
}

// The first place at or behind `at` where thirteen digits follow each other, or four, a separator and four more: every card
// number begins so, and little else does. npos when there is none.
std::size_t next_digits(std::string_view text, std::size_t at) {
  constexpr std::size_t block = 64, look = 12;  // of a block the last bytes belong to the next, too
  char rest[block];
  for (; at + look < text.size(); at += block - look) {
    const char* bytes = text.data() + at;
    if (at + block > text.size()) {
      std::memset(rest, 0, block);
      std::memcpy(rest, bytes, text.size() - at);
      bytes = rest;
    }
    const auto [digits, separators] = bits_of(bytes);
    const std::uint64_t two = digits & digits >> 1, four = two & two >> 2, eight = four & four >> 4;
    const std::uint64_t thirteen = eight & four >> 8 & digits >> 12;
    const std::uint64_t printed = four & separators >> 4 & four >> 5;
    if (const std::uint64_t found = thirteen | printed; found != 0) {
      return at + static_cast<std::size_t>(std::countr_zero(found));
    }
  }
  return std::string_view::npos;
}

// --- tokens ---

std::optional<Shaped> jwt_at(std::string_view text, std::size_t at) {
  if (at > 0 && base64url(text[at - 1])) return std::nullopt;
  std::size_t end = at, dots = 0, part = at;
  while (end < text.size() && (base64url(text[end]) || (text[end] == '.' && dots < 4))) {
    if (text[end] == '.') {
      // The parts of a JWE may be empty, the header and the payload of a JWT may not.
      if (dots == 0 && end - part < 10) return std::nullopt;
      ++dots;
      part = end + 1;
    }
    ++end;
  }
  while (end > at && text[end - 1] == '.' && dots > 2) --end, --dots;
  if (dots != 2 && dots != 4) return std::nullopt;
  return Shaped{at, end - at, Shape::jwt};
}

// The token behind "Bearer "; `at` is that of the 'B'.
std::optional<Shaped> bearer_at(std::string_view text, std::size_t at) {
  if (at > 0 && alphanumeric(text[at - 1])) return std::nullopt;
  std::size_t begin = at + 6;
  while (begin < text.size() && text[begin] == ' ') ++begin;
  std::size_t end = begin;
  while (end < text.size() && token68(text[end])) ++end;
  const std::string_view token = text.substr(begin, end - begin);
  // "Bearer authentication is needed." is a sentence: a token is long or holds a digit.
  const bool mixed = std::any_of(token.begin(), token.end(), digit);
  if (token.size() < 8 || (!mixed && token.size() < 24)) return std::nullopt;
  return Shaped{begin, end - begin, Shape::bearer};
}

constexpr auto nowhere = std::string_view::npos;

// Blocks are looked at for the first and the last character together, which the compiler does many at a time.
std::size_t find_bytes(std::string_view text, std::string_view what, std::size_t at) {
  constexpr std::size_t block = 64;
  const std::size_t last = what.size() - 1;
  for (; at + block + last <= text.size(); at += block) {
    const char* bytes = text.data() + at;
    unsigned char any = 0;
    for (std::size_t i = 0; i < block; ++i)
      any |= static_cast<unsigned char>((bytes[i] == what.front()) & (bytes[i + last] == what.back()));
    if (any == 0) continue;
    const auto found = text.substr(at, block + last).find(what);
    if (found != nowhere) return at + found;
  }
  return at >= text.size() ? nowhere : text.find(what, at);
}

std::size_t find_byte(std::string_view text, char what, std::size_t at) {
  if (at >= text.size()) return nowhere;
  const void* found = std::memchr(text.data() + at, what, text.size() - at);
  return found == nullptr ? nowhere : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

void take_addresses(std::string_view text, const Shapes& wanted, std::vector<Shaped>& found) {
  std::size_t from = 0;
  for (auto at = find_byte(text, '@', 0); at != nowhere; at = find_byte(text, '@', at + 1)) {
    auto shaped = wanted.url_credentials ? credentials_before(text, at, from) : std::nullopt;
    if (!shaped && wanted.email) shaped = email_around(text, at, from);
    if (!shaped) continue;
    found.push_back(*shaped);
    from = shaped->at + shaped->length;
    if (from > at) at = from - 1;
  }
}

void take_cards(std::string_view text, std::vector<Shaped>& found) {
  for (auto at = next_digits(text, 0); at != nowhere;) {
    const DigitRun run = digit_run(text, at);
    if (run.card && stands_alone(text, at, run.end)) found.push_back({at, run.end - at, Shape::card});
    at = next_digits(text, run.end);
  }
}

void take_tokens(std::string_view text, const Shapes& wanted, std::vector<Shaped>& found) {
  if (wanted.jwt) {
    for (auto at = find_bytes(text, "eyJ", 0); at != nowhere;) {
      const auto shaped = jwt_at(text, at);
      if (shaped) found.push_back(*shaped);
      at = find_bytes(text, "eyJ", shaped ? shaped->at + shaped->length : at + 3);
    }
  }
  if (!wanted.bearer) return;
  for (const std::string_view scheme : {"Bearer ", "bearer ", "BEARER "}) {
    for (auto at = find_bytes(text, scheme, 0); at != nowhere; at = find_bytes(text, scheme, at + 7)) {
      if (const auto shaped = bearer_at(text, at)) found.push_back(*shaped);
    }
  }
}

bool whole(const std::optional<Shaped>& shaped, std::string_view value) {
  return shaped && shaped->at == 0 && shaped->length == value.size();
}

}  // namespace

std::string_view name_of(Shape shape) {
  switch (shape) {
    case Shape::email:
      return "e-mail address";
    case Shape::card:
      return "card number";
    case Shape::jwt:
      return "JWT";
    case Shape::bearer:
      return "bearer token";
    case Shape::url_credentials:
      return "credentials in a URL";
  }
  return "";
}

char luhn_digit(std::string_view digits) {
  int sum = 0;
  bool twice = true;
  for (auto at = digits.rbegin(); at != digits.rend(); ++at, twice = !twice) {
    const int value = (*at - '0') * (twice ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  }
  return static_cast<char>('0' + (10 - sum % 10) % 10);
}

std::vector<Shaped> shapes_in(std::string_view text, const Shapes& wanted) {
  std::vector<Shaped> found;
  if (wanted.email || wanted.url_credentials) take_addresses(text, wanted, found);
  if (wanted.card) take_cards(text, found);
  take_tokens(text, wanted, found);
  // A JWT behind "Bearer" is a JWT, and an address in a token is a part of the token.
  std::sort(found.begin(), found.end(), [](const Shaped& a, const Shaped& b) {
    return a.at != b.at ? a.at < b.at : a.length != b.length ? a.length > b.length : a.shape < b.shape;
  });
  std::size_t end = 0;
  std::erase_if(found, [&](const Shaped& shaped) {
    if (shaped.at < end) return true;
    end = shaped.at + shaped.length;
    return false;
  });
  return found;
}

bool may_hold_shapes(std::string_view text) {
  if (find_byte(text, '@', 0) != nowhere || find_bytes(text, "eyJ", 0) != nowhere ||
      find_bytes(text, "earer ", 0) != nowhere || find_bytes(text, "EARER ", 0) != nowhere)
    return true;
  for (auto at = next_digits(text, 0); at != nowhere;) {
    const DigitRun run = digit_run(text, at);
    if (run.card) return true;
    at = next_digits(text, run.end);
  }
  return false;
}

bool is_email(std::string_view value) {
  const auto at = find_byte(value, '@', 0);
  return at != nowhere && whole(email_around(value, at, 0), value);
}

bool is_card(std::string_view value) {
  if (value.size() < 13 || !digit(value.front())) return false;
  const DigitRun run = digit_run(value, 0);
  return run.card && run.end == value.size();
}

bool is_jwt(std::string_view value) { return value.starts_with("eyJ") && whole(jwt_at(value, 0), value); }

bool is_uuid(std::string_view value) {
  if (value.size() != 36) return false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    if (hyphen ? value[i] != '-' : !hex(value[i])) return false;
  }
  return true;
}

}  // namespace rehearse::replay
