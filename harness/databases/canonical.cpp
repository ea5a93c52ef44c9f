#include "harness/databases/canonical.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "harness/databases/canonical_json.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using Wire = Canonical::Wire;
using Form = Canonical::Form;

[[noreturn]] void malformed(std::string_view what) {
  throw Error(fmt::format("a value of type {} has bytes that are none", what));
}

template <class Integer>
Integer big_endian(std::string_view bytes, std::size_t at = 0) {
  if (bytes.size() < at + sizeof(Integer)) malformed("number");
  std::make_unsigned_t<Integer> number = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i)
    number = static_cast<decltype(number)>(number << 8) | static_cast<unsigned char>(bytes[at + i]);
  return static_cast<Integer>(number);
}

template <class Integer>
void append_big_endian(Integer number, std::string& out) {
  for (int shift = static_cast<int>(sizeof(Integer)) * 8 - 8; shift >= 0; shift -= 8)
    out += static_cast<char>(static_cast<std::make_unsigned_t<Integer>>(number) >> shift);
}

std::int64_t integer_of(Wire wire, std::string_view value) {
  const std::size_t width = wire == Wire::int2 ? 2 : wire == Wire::int4 ? 4 : 8;
  if (value.size() != width) malformed("integer");
  return wire == Wire::int2   ? big_endian<std::int16_t>(value)
         : wire == Wire::int4 ? big_endian<std::int32_t>(value)
                              : big_endian<std::int64_t>(value);
}

// With the sign turned, so that canonical integers are ordered as bytes: reports list keys in their order.
constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63;
void append_integer(std::int64_t number, std::string& out) {
  append_big_endian(static_cast<std::uint64_t>(number) ^ sign_bit, out);
}

// -- numeric: a sign, the power of 10,000 of the first digit, the digits of base 10,000 without zeros at either end

constexpr std::uint16_t numeric_negative = 0x4000, numeric_nan = 0xC000, numeric_infinity = 0xD000,
                        numeric_minus_infinity = 0xF000;

void append_digits(bool negative, std::int32_t weight, const std::int16_t* digits, std::size_t count,
                   std::string& out) {
  while (count > 0 && digits[0] == 0) ++digits, --count, --weight;
  while (count > 0 && digits[count - 1] == 0) --count;
  if (count == 0) {
    out += '0';
    return;
  }
  out += negative ? '-' : '+';
  append_big_endian(weight, out);
  for (std::size_t i = 0; i < count; ++i) append_big_endian(digits[i], out);
}

void append_numeric(std::string_view value, bool exact, std::string& out) {
  const auto count = big_endian<std::int16_t>(value), weight = big_endian<std::int16_t>(value, 2);
  const auto sign = big_endian<std::uint16_t>(value, 4), scale = big_endian<std::uint16_t>(value, 6);
  if (count < 0 || value.size() != 8 + 2 * static_cast<std::size_t>(count)) malformed("numeric");
  if (sign == numeric_nan || sign == numeric_infinity || sign == numeric_minus_infinity) {
    out += sign == numeric_nan ? 'n' : sign == numeric_infinity ? 'i' : 'm';
    return;
  }
  if (sign != 0 && sign != numeric_negative) malformed("numeric");
  std::array<std::int16_t, 64> few{};
  std::string many;  // a numeric may have tens of thousands of digits
  std::int16_t* digits = few.data();
  const auto size = static_cast<std::size_t>(count);
  if (size > few.size()) {
    many.resize(size * sizeof(std::int16_t));
    digits = reinterpret_cast<std::int16_t*>(many.data());
  }
  for (std::size_t i = 0; i < size; ++i) digits[i] = big_endian<std::int16_t>(value, 8 + 2 * i);
  append_digits(sign == numeric_negative, weight, digits, size, out);
  if (exact) append_big_endian(scale, out);
}

void append_integer_as_numeric(std::int64_t number, bool exact, std::string& out) {
  std::array<std::int16_t, 5> digits{};  // 10,000^5 exceeds any 64 bits
  std::uint64_t rest = number < 0 ? ~static_cast<std::uint64_t>(number) + 1 : static_cast<std::uint64_t>(number);
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
    *digit = static_cast<std::int16_t>(rest % 10'000);
    rest /= 10'000;
  }
  append_digits(number < 0, static_cast<std::int32_t>(digits.size()) - 1, digits.data(), digits.size(), out);
  if (exact) append_big_endian(std::uint16_t{0}, out);
}

// -- reals: one NaN, and one zero unless exact

template <class Real, class Bits>
void append_real(Real real, bool exact, std::string& out) {
  if (std::isnan(real)) real = std::numeric_limits<Real>::quiet_NaN();
  if (real == 0 && !exact) real = 0;
  append_big_endian(std::bit_cast<Bits>(real), out);
}

void append_real(Wire wire, Form form, bool exact, std::string_view value, std::string& out) {
  if (value.size() != (wire == Wire::float4 ? 4U : 8U)) malformed("real");
  if (wire == Wire::float4) {
    const auto real = std::bit_cast<float>(big_endian<std::uint32_t>(value));
    return append_real<float, std::uint32_t>(real, exact, out);
  }
  const auto real = std::bit_cast<double>(big_endian<std::uint64_t>(value));
  if (form == Form::float4) return append_real<float, std::uint32_t>(static_cast<float>(real), exact, out);
  append_real<double, std::uint64_t>(real, exact, out);
}

std::string_view without_padding(std::string_view text) { return text.substr(0, text.find_last_not_of(' ') + 1); }

std::string uuid_text(std::string_view bytes) {
  if (bytes.size() != 16) malformed("uuid");
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", static_cast<unsigned>(static_cast<unsigned char>(bytes[i])));
  }
  return text;
}

bool append_uuid(std::string_view text, std::string& out) {
  std::string digits;
  for (const char c : text) {
    if (c != '-') digits += c;
  }
  if (digits.size() != 32 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) return false;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    unsigned byte = 0;
    std::from_chars(digits.data() + i, digits.data() + i + 2, byte, 16);
    out += static_cast<char>(byte);
  }
  return true;
}

// How a type's values come, and the forms that they can take.
struct Family {
  enum class Of { integer, numeric, real, text, json, same } of = Of::same;
  Wire wire = Wire::raw;
};

// Types whose binary format is a value and nothing else: equal bytes are equal values. Not here: whatever sends OIDs (reg*),
// depends on a setting (money) or on another type's format (composites, ranges).
const std::map<std::string_view, Family>& families() {
  using Of = Family::Of;
  static const std::map<std::string_view, Family> all{{"int2", {Of::integer, Wire::int2}},
                                                      {"int4", {Of::integer, Wire::int4}},
                                                      {"int8", {Of::integer, Wire::int8}},
                                                      {"numeric", {Of::numeric, Wire::numeric}},
                                                      {"float4", {Of::real, Wire::float4}},
                                                      {"float8", {Of::real, Wire::float8}},
                                                      {"text", {Of::text, Wire::text}},
                                                      {"varchar", {Of::text, Wire::text}},
                                                      {"name", {Of::text, Wire::text}},
                                                      {"citext", {Of::text, Wire::text}},
                                                      {"bpchar", {Of::text, Wire::padded_text}},
                                                      {"json", {Of::json, Wire::json}},
                                                      {"jsonb", {Of::json, Wire::jsonb}},
                                                      {"uuid", {Of::same, Wire::uuid}},
                                                      {"bool", {}},
                                                      {"bytea", {}},
                                                      {"date", {}},
                                                      {"time", {}},
                                                      {"timetz", {}},
                                                      {"timestamp", {}},
                                                      {"timestamptz", {}},
                                                      {"interval", {}},
                                                      {"inet", {}},
                                                      {"cidr", {}},
                                                      {"macaddr", {}},
                                                      {"macaddr8", {}},
                                                      {"bit", {}},
                                                      {"varbit", {}},
                                                      {"pg_lsn", {}}};
  return all;
}

const Family* family_of(const ValueType& type) {
  static const Family labels{Family::Of::text, Wire::text};
  if (type.enumeration) return &labels;
  const auto known = families().find(type.name);
  return known == families().end() ? nullptr : &known->second;
}

bool is_moment(const ValueType& type) { return type.name == "timestamp" || type.name == "timestamptz"; }

Form common_form(const Family& left, const Family& right, bool& fits) {
  using Of = Family::Of;
  if (left.of != right.of) {
    fits = (left.of == Of::integer && right.of == Of::numeric) || (left.of == Of::numeric && right.of == Of::integer);
    return Form::numeric;
  }
  switch (left.of) {
    case Of::integer:
      return Form::integer;
    case Of::numeric:
      return Form::numeric;
    case Of::real:
      return left.wire == Wire::float8 && right.wire == Wire::float8 ? Form::float8 : Form::float4;
    case Of::text:
      return Form::text;
    case Of::json:
      return Form::json;
    case Of::same:
      return Form::raw;
  }
  return Form::raw;
}

}  // namespace

void Canonical::append_one(std::string_view value, std::string& out) const {
  switch (form_) {
    case Form::raw:
      out += value;
      return;
    case Form::integer:
      return append_integer(integer_of(wire_, value), out);
    case Form::numeric:
      return wire_ == Wire::numeric ? append_numeric(value, exact_, out)
                                    : append_integer_as_numeric(integer_of(wire_, value), exact_, out);
    case Form::float4:
    case Form::float8:
      return append_real(wire_, form_, exact_, value, out);
    case Form::text:
      out += wire_ == Wire::padded_text && !exact_ ? without_padding(value) : value;
      return;
    case Form::json:
      if (wire_ == Wire::jsonb && (value.empty() || value.front() != 1)) malformed("jsonb");
      if (wire_ == Wire::jsonb) value.remove_prefix(1);
      if (exact_) {
        out += value;
      } else {
        wire_ == Wire::jsonb ? append_canonical_jsonb(value, out) : append_canonical_json(value, out);
      }
      return;
  }
}

// Without the OID of the elements, which is another one in each database for types that were made there.
void Canonical::append_array(std::string_view value, std::string& out) const {
  const auto dimensions = big_endian<std::int32_t>(value);
  if (dimensions < 0 || dimensions > 6) malformed("array");
  const auto bounds = 8 * static_cast<std::size_t>(dimensions);
  if (value.size() < 12 + bounds) malformed("array");
  out += value.substr(0, 4);
  out += value.substr(12, bounds);
  for (value.remove_prefix(12 + bounds); !value.empty();) {
    const auto size = big_endian<std::int32_t>(value);
    value.remove_prefix(4);
    if (size < 0) {
      append_big_endian(std::int32_t{-1}, out);
      continue;
    }
    if (value.size() < static_cast<std::size_t>(size)) malformed("array");
    const auto length_at = out.size();
    append_big_endian(std::int32_t{0}, out);
    append_one(value.substr(0, static_cast<std::size_t>(size)), out);
    std::string length;
    append_big_endian(static_cast<std::int32_t>(out.size() - length_at - 4), length);
    out.replace(length_at, 4, length);
    value.remove_prefix(static_cast<std::size_t>(size));
  }
}

void Canonical::append(std::string_view value, std::string& out) const {
  array_ ? append_array(value, out) : append_one(value, out);
}

bool Canonical::has_text() const {
  return !array_ && (form_ == Form::integer || form_ == Form::text || wire_ == Wire::uuid);
}

std::optional<std::string> Canonical::text_of(std::string_view value) const {
  if (!has_text()) return std::nullopt;
  std::string canonical;
  append_one(value, canonical);
  return text_of_canonical(canonical);
}

std::string Canonical::text_of_canonical(std::string_view bytes) const {
  if (form_ == Form::integer)
    return std::to_string(static_cast<std::int64_t>(big_endian<std::uint64_t>(bytes) ^ sign_bit));
  return wire_ == Wire::uuid ? uuid_text(bytes) : std::string(bytes);
}

bool Canonical::append_text(std::string_view text, std::string& out) const {
  if (!has_text()) return false;
  if (wire_ == Wire::uuid) return append_uuid(text, out);
  if (form_ == Form::text) {
    out += text;
    return true;
  }
  std::int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return false;
  append_integer(number, out);
  return true;
}

std::pair<Canonical, Canonical> comparable(const ValueType& left, const ValueType& right, bool exact) {
  const Family* left_family = family_of(left);
  const Family* right_family = family_of(right);
  for (const auto& [family, type] : {std::pair(left_family, &left), std::pair(right_family, &right)}) {
    if (family == nullptr)
      throw Error(
          fmt::format("values of type {} have no form in which they can be compared; write the column with ::text "
                      "in both SELECTs",
                      type->spelled));
  }
  bool fits = left.array == right.array;
  Form form = common_form(*left_family, *right_family, fits);
  if (form == Form::raw) fits = fits && (left.name == right.name || (is_moment(left) && is_moment(right)));
  if (left_family->of == Family::Of::json && exact && left_family->wire != right_family->wire) fits = false;
  if (!fits)
    throw Error(
        fmt::format("{} and {} cannot be compared as they are; cast one of them in its SELECT to what the other one is",
                    left.spelled, right.spelled));
  return {Canonical(left_family->wire, form, left.array, exact),
          Canonical(right_family->wire, form, right.array, exact)};
}

}  // namespace rehearse::harness
