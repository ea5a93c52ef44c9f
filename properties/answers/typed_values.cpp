#include "properties/answers/typed_values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <string>

#include "replay/http/message.h"

namespace rehearse::properties {
namespace {

constexpr std::int64_t second = 1'000'000'000;

bool digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::int64_t number(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::optional<std::int64_t> moment(std::int64_t year, unsigned month, unsigned day, std::int64_t of_day_s) {
  using namespace std::chrono;
  const year_month_day date{std::chrono::year(static_cast<int>(year)), std::chrono::month(month),
                            std::chrono::day(day)};
  if (!date.ok() || year < 1700 || year > 2200) return std::nullopt;
  return (sys_days(date).time_since_epoch().count() * std::int64_t{86'400} + of_day_s) * second;
}

std::optional<std::int64_t> of_day(std::string_view text) {  // "15:49:26"
  if (text.size() != 8 || text[2] != ':' || text[5] != ':' || !digits(text.substr(0, 2)) ||
      !digits(text.substr(3, 2)) || !digits(text.substr(6, 2)))
    return std::nullopt;
  return number(text.substr(0, 2)) * 3600 + number(text.substr(3, 2)) * 60 + number(text.substr(6, 2));
}

std::optional<std::int64_t> rfc3339(std::string_view text) {
  if (text.size() < 19 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't' && text[10] != ' ') ||
      !digits(text.substr(0, 4)) || !digits(text.substr(5, 2)) || !digits(text.substr(8, 2)))
    return std::nullopt;
  const auto time = of_day(text.substr(11, 8));
  if (!time) return std::nullopt;
  auto whole = moment(number(text.substr(0, 4)), static_cast<unsigned>(number(text.substr(5, 2))),
                      static_cast<unsigned>(number(text.substr(8, 2))), *time);
  text.remove_prefix(19);
  if (whole && text.starts_with('.')) {
    const auto end = std::min(text.find_first_not_of("0123456789", 1), text.size());
    std::string fraction(text.substr(1, end - 1));
    if (fraction.empty()) return std::nullopt;
    fraction.resize(9, '0');
    *whole += number(fraction);
    text.remove_prefix(end);
  }
  if (!whole || text.empty() || text == "Z" || text == "z") return whole;
  if (text.front() != '+' && text.front() != '-') return std::nullopt;
  const bool minutes = text.size() == 6 && text[3] == ':' && digits(text.substr(4));
  if (!digits(text.substr(1, 2)) || (text.size() != 3 && !minutes && !(text.size() == 5 && digits(text.substr(1)))))
    return std::nullopt;
  std::int64_t offset = number(text.substr(1, 2)) * 3600;
  if (text.size() > 3) offset += number(text.substr(text.size() - 2)) * 60;
  return *whole - (text.front() == '+' ? offset : -offset) * second;
}

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::optional<std::int64_t> http_date(std::string_view text) {
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29 || text.substr(3, 2) != ", " || !text.ends_with(" GMT") || !digits(text.substr(5, 2)) ||
      !digits(text.substr(12, 4)))
    return std::nullopt;
  const auto month = months.find(text.substr(8, 3));
  const auto time = of_day(text.substr(17, 8));
  if (month == std::string_view::npos || month % 3 != 0 || !time) return std::nullopt;
  return moment(number(text.substr(12, 4)), static_cast<unsigned>(month / 3 + 1),
                static_cast<unsigned>(number(text.substr(5, 2))), *time);
}

// 2001-09-09 to 2286-11-20 have as many digits: 10 of seconds, 13, 16, 19 of the smaller ones.
std::optional<std::int64_t> since_epoch(std::string_view text) {
  const std::string_view whole = text.substr(0, text.find('.'));
  if (!digits(whole) || (whole.size() != text.size() && !digits(text.substr(whole.size() + 1)))) return std::nullopt;
  switch (whole.size()) {
    case 10: {
      std::string fraction(text.substr(std::min(whole.size() + 1, text.size())));
      fraction.resize(9, '0');
      return number(whole) * second + number(fraction);
    }
    case 13:
      return number(whole) * 1'000'000;
    case 16:
      return number(whole) * 1'000;
    case 19:
      return whole <= "9223372036854775807" ? std::optional(number(whole)) : std::nullopt;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string_view name_of(ValueShape shape) {
  static constexpr std::array<std::string_view, 4> names{"value", "timestamp within the run", "UUID", "duration"};
  return names[static_cast<std::size_t>(shape)];
}

std::optional<std::int64_t> moment_in(std::string_view text) {
  if (const auto found = rfc3339(text)) return found;
  if (const auto found = http_date(text)) return found;
  return since_epoch(text);
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

bool is_duration(std::string_view name, std::string_view text) {
  static constexpr std::array<std::string_view, 13> words{
      "ms",      "us",       "ns",   "seconds",     "millis",       "micros", "nanos",
      "elapsed", "duration", "took", "millisecond", "milliseconds", "latency"};
  // The last word: what stands behind the last sign that parts words, or begins with the last capital.
  auto begin = name.find_last_of("_-. ");
  begin = begin == std::string_view::npos ? 0 : begin + 1;
  const auto capital = name.find_last_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
  if (capital != std::string_view::npos && capital > begin && capital + 1 < name.size()) begin = capital;
  const std::string last = replay::lower(name.substr(begin));
  if (std::find(words.begin(), words.end(), last) == words.end()) return false;
  double value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0;
}

}  // namespace rehearse::properties
