#include "properties/plans/odd_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "replay/values.h"

namespace rehearse::properties {
namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }

// `pattern`: 0 stands for a digit, everything else for itself.
bool matches(std::string_view text, std::string_view pattern) {
  return text.size() == pattern.size() && std::equal(text.begin(), text.end(), pattern.begin(),
                                                     [](char c, char p) { return p == '0' ? digit(c) : c == p; });
}

bool is_decimal(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const auto point = text.find('.');
  return point != std::string_view::npos && point > 0 && point + 1 < text.size() &&
         std::all_of(text.begin(), text.end(), [](char c) { return digit(c) || c == '.'; }) &&
         text.find('.', point + 1) == std::string_view::npos;
}

bool is_uuid(std::string_view text) {
  constexpr std::array<std::size_t, 4> dashes{8, 13, 18, 23};
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = std::find(dashes.begin(), dashes.end(), i) != dashes.end();
    if (dash ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0) return false;
  }
  return true;
}

}  // namespace

Shape shape_of(std::string_view text) {
  if (text == "true" || text == "false") return Shape::boolean;
  if (replay::is_integer(text)) return Shape::integer;
  if (is_decimal(text)) return Shape::decimal;
  if (matches(text, "0000-00-00")) return Shape::date;
  if (text.size() > 15 && matches(text.substr(0, 10), "0000-00-00") && (text[10] == 'T' || text[10] == ' ') &&
      matches(text.substr(11, 5), "00:00"))
    return Shape::moment;
  if (is_uuid(text)) return Shape::uuid;
  const auto at = text.find('@');
  if (at != std::string_view::npos && at > 0 && text.find('.', at) != std::string_view::npos &&
      text.find(' ') == std::string_view::npos)
    return Shape::email;
  return Shape::text;
}

const std::vector<std::vector<std::string>>& odd_values(Shape shape) {
  using Kinds = std::vector<std::vector<std::string>>;
  static const Kinds integers{{"0", "-1", "1"},
                              {"2147483647", "2147483648", "-2147483648", "4294967296"},
                              {"9007199254740991", "9007199254740993", "9223372036854775807"}};
  // Scales, the sums that doubles miss, and what rounds differently to even and away from zero.
  static const Kinds decimals{{"0.00", "-0.00"},
                              {"0.1", "0.10", "0.30", "10.0"},
                              {"0.005", "0.015", "1.15", "999.995"},
                              {"9999999.99", "1000000000000.01"}};
  static const Kinds dates{
      {"1970-01-01", "1969-12-31"}, {"2000-02-29", "2024-02-29"}, {"0001-01-01", "9999-12-31", "1582-10-10"}};
  // Both hours of a night in which clocks go back, the hour that there is not, microseconds, and zones.
  static const Kinds moments{{"2024-10-27T02:30:00+02:00", "2024-10-27T02:30:00+01:00", "2024-03-31T02:30:00Z"},
                             {"2024-06-30T23:59:59.999999Z", "2024-01-01T00:00:00.000001Z"},
                             {"2024-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z"}};
  static const Kinds uuids{{"00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"}};
  static const Kinds emails{{"A.B+c@EXAMPLE.com", "a.b+c@example.com", "ä@example.com"}};
  static const Kinds booleans{{"true", "false"}};
  static const Kinds texts{
      {"", " ", "x ", " x"},
      // One store orders, folds or joins them, the other does not.
      {"X", "x",
       "stra\xC3\x9F"
       "e",
       "STRASSE", "\xC4\xB0i\xC4\xB1"},  // dotted and dotless i
      {"\xC3\xA9", "e\xCC\x81"},         // é in one code point (NFC), and in two (NFD)
      // Beyond the basic plane, joined; and a mark of direction.
      {"\xF0\x9F\x9A\x80\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB", "\xE2\x80\x8Fright to left"},
      {"a\tb\nc", "quote ' double \" back \\ percent % under _", "<b>&amp;</b>"},
      {"null", "0", "1e5"},
      {std::string(255, 'a'), std::string(256, 'b'), std::string(300, 'd'), std::string(5000, 'c')}};
  switch (shape) {
    case Shape::integer:
      return integers;
    case Shape::decimal:
      return decimals;
    case Shape::date:
      return dates;
    case Shape::moment:
      return moments;
    case Shape::uuid:
      return uuids;
    case Shape::email:
      return emails;
    case Shape::boolean:
      return booleans;
    case Shape::text:
      break;
  }
  return texts;
}

std::string mark_of(int number) { return fmt::format("~{}~", number); }

std::string fresh_like(std::string_view text, int number) {
  switch (shape_of(text)) {
    case Shape::integer:
    case Shape::decimal:
    case Shape::date:
    case Shape::moment:
    case Shape::boolean:
      return std::string(text);
    case Shape::uuid:
      return fmt::format("{:08x}-7e57-4000-8000-{:012x}", number, number);
    case Shape::email:
      return fmt::format("t{}@example.com", mark_of(number));
    case Shape::text:
      break;
  }
  // A code: letters, digits and dashes that end in digits.
  const bool code = !text.empty() && digit(text.back()) && std::all_of(text.begin(), text.end(), [](char c) {
    return digit(c) || c == '-' || c == '_' || std::isalpha(static_cast<unsigned char>(c)) != 0;
  });
  if (!code) return fmt::format("{} {}", text, mark_of(number));
  const auto digits = text.find_last_not_of("0123456789") + 1;
  return fmt::format("{}9{:05}", text.substr(0, digits), number);
}

}  // namespace rehearse::properties
