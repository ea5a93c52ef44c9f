#include "replay/redaction/mask.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <vector>

#include "replay/http/message.h"
#include "replay/redaction/shapes.h"

namespace rehearse::replay {
namespace {

// A byte that is replaced by one of `radix` bytes from `first` on.
struct Place {
  std::size_t at;
  unsigned char first;
  int radix;
};

using Places = std::vector<Place>;

bool digit(char c) { return c >= '0' && c <= '9'; }
bool lower_case(char c) { return c >= 'a' && c <= 'z'; }
bool upper_case(char c) { return c >= 'A' && c <= 'Z'; }

// Bytes that nobody can foresee without the key, as many as are asked for.
class Stream {
 public:
  Stream(const RedactionKey& key, std::string label, std::string_view value)
      : key_(key), label_(std::move(label)), value_(value) {}

  // Below `radix`; two bytes for one of at most 64 leave no bias that counts.
  int below(int radix) {
    if (at_ + 2 > block_.size()) {
      block_ =
          key_.mac(label_ + static_cast<char>(block_number_ & 0xff) + static_cast<char>(block_number_ >> 8), value_);
      ++block_number_;
      at_ = 0;
    }
    const int drawn = block_[at_] * 256 + block_[at_ + 1];
    at_ += 2;
    return drawn % radix;
  }

 private:
  const RedactionKey& key_;
  std::string label_;
  std::string_view value_;
  std::array<unsigned char, 32> block_{};
  std::size_t at_ = 32;
  unsigned block_number_ = 0;
};

// Hex as programs write it: one case, digits among the letters, hyphens or colons between.
bool hex_text(std::string_view value) {
  std::size_t digits = 0, lower = 0, upper = 0;
  for (const char c : value) {
    if (digit(c)) {
      ++digits;
    } else if (c >= 'a' && c <= 'f') {
      ++lower;
    } else if (c >= 'A' && c <= 'F') {
      ++upper;
    } else if (c != '-' && c != ':') {
      return false;
    }
  }
  return digits > 0 && (lower == 0) != (upper == 0) && digits + lower + upper >= 8;
}

// "-12.50": a number must not begin with a zero that was none.
bool number_text(std::string_view value) {
  if (value.starts_with('-')) value.remove_prefix(1);
  const auto point = value.find('.');
  const auto all_digits = [](std::string_view text) { return std::all_of(text.begin(), text.end(), digit); };
  if (value.empty() || !digit(value.front())) return false;
  if (point == std::string_view::npos) return all_digits(value);
  return point + 1 < value.size() && all_digits(value.substr(0, point)) && all_digits(value.substr(point + 1));
}

std::size_t utf8_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead >= 0xf0 && lead < 0xf5 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;
  if (length > text.size() || lead >= 0xf5) return 1;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 1;
  }
  return length;
}

Places places_of(std::string_view value) {
  Places places;
  const bool hex = hex_text(value), uuid = is_uuid(value);
  const int letters = hex || uuid ? 6 : 26;
  bool leading = number_text(value);
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (uuid && (i == 14 || i == 19)) continue;  // version and variant
    if (digit(c)) {
      // A leading zero stays: 0.5 is a number, 8.5 with the same shape another.
      if (leading) {
        if (c != '0') places.push_back({i, '1', 9});
      } else {
        places.push_back({i, '0', 10});
      }
      leading = false;
    } else if (lower_case(c)) {
      places.push_back({i, 'a', letters});
    } else if (upper_case(c)) {
      places.push_back({i, 'A', letters});
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      // The last byte of a character: any of the 64 continuation bytes makes another character of the same length.
      const std::size_t length = utf8_length(value.substr(i));
      if (length > 1) places.push_back({i + length - 1, 0x80, 64});
      i += length - 1;
    }
  }
  return places;
}

// What all values of one shape have in common, so that each shape has a permutation of its own.
std::string shape_of(std::string_view value, const Places& places) {
  std::string shape(value);
  for (const Place& place : places) shape[place.at] = static_cast<char>(place.first);
  return shape;
}

double bits_of(const Places& places) {
  double bits = 0;
  for (const Place& place : places) bits += std::log2(place.radix);
  return bits;
}

void draw(const RedactionKey& key, const std::string& label, std::string_view secret, const Places& places,
          std::string& value) {
  Stream stream(key, label, secret);
  for (const Place& place : places) value[place.at] = static_cast<char>(place.first + stream.below(place.radix));
}

// A keyed permutation of the values of one shape: a Feistel network whose round function is the HMAC of one half. Adding
// modulo each place's radix can be undone, so no two values meet.
void permute(const RedactionKey& key, const std::string& label, const Places& places, std::string& value) {
  constexpr int rounds = 10;  // as FF1 (NIST SP 800-38G)
  const std::string shape = shape_of(value, places);
  const std::size_t middle = places.size() / 2;
  for (int round = 0; round < rounds; ++round) {
    const bool left = round % 2 == 0;
    std::string source;
    for (std::size_t i = 0; i < places.size(); ++i) {
      if ((i < middle) != left) source += value[places[i].at];
    }
    source += '\0' + shape;
    Stream stream(key, label + static_cast<char>('0' + round), source);
    for (std::size_t i = 0; i < places.size(); ++i) {
      if ((i < middle) != left) continue;
      auto& byte = reinterpret_cast<unsigned char&>(value[places[i].at]);
      byte = static_cast<unsigned char>(places[i].first +
                                        (byte - places[i].first + stream.below(places[i].radix)) % places[i].radix);
    }
  }
}

std::string same_shape(const RedactionKey& key, const std::string& label, std::string_view secret) {
  std::string value(secret);
  const Places places = places_of(secret);
  if (places.empty() && number_text(secret)) return value;  // nothing but a zero
  if (places.empty()) {
    // Nothing but punctuation: any of it may be the secret.
    Stream stream(key, label, secret);
    constexpr std::string_view harmless = "-._~!*";
    for (char& c : value) {
      if (static_cast<unsigned char>(c) < 0x80) c = harmless[static_cast<std::size_t>(stream.below(6))];
    }
    return value;
  }
  if (bits_of(places) < 80) {
    permute(key, label, places, value);
  } else {
    draw(key, label, secret, places, value);
  }
  return value;
}

// Of the same length and with as many labels where ".test" leaves room for them.
std::string masked_domain(const RedactionKey& key, std::string_view domain) {
  constexpr std::string_view top = "test";
  const auto labels = static_cast<std::size_t>(std::count(domain.begin(), domain.end(), '.'));  // before the last
  const std::size_t given = domain.size() > top.size() + labels ? domain.size() - top.size() - labels : 0;
  const std::size_t first = std::min<std::size_t>(std::max(given, labels) - (labels - 1), 63);
  Stream stream(key, "domain", domain);
  std::string out;
  for (std::size_t label = 0; label < labels; ++label) {
    for (std::size_t i = 0; i < (label == 0 ? first : 1); ++i) out += static_cast<char>('a' + stream.below(26));
    out += '.';
  }
  return out.append(top);
}

// Programs compare addresses without case, so two spellings of one get two spellings of one.
std::string masked_email(const RedactionKey& key, std::string_view address) {
  const auto at = address.rfind('@');
  const std::string domain = lower(address.substr(at + 1));
  std::string local = same_shape(key, "local part at " + domain, lower(address.substr(0, at)));
  for (std::size_t i = 0; i < at; ++i) {
    if (upper_case(address[i])) local[i] = static_cast<char>(std::toupper(static_cast<unsigned char>(local[i])));
  }
  return local + "@" + masked_domain(key, domain);
}

// Ranges of the brands in which nothing but test numbers is issued.
std::string_view test_prefix(std::size_t length) {
  if (length == 15) return "3782";
  if (length == 14) return "3056";
  if (length == 17 || length == 18) return "6200";
  return "4000";
}

std::string masked_card(const RedactionKey& key, std::string_view card) {
  std::string digits;
  std::copy_if(card.begin(), card.end(), std::back_inserter(digits), digit);
  Stream stream(key, "card", digits);
  std::string made(test_prefix(digits.size()));
  while (made.size() + 1 < digits.size()) made += static_cast<char>('0' + stream.below(10));
  made += luhn_digit(made);
  std::string value(card);
  std::size_t next = 0;
  for (char& c : value) {
    if (digit(c)) c = made[next++];
  }
  return value;
}

}  // namespace

std::string masked(const RedactionKey& key, std::string_view secret) {
  if (is_email(secret)) return masked_email(key, secret);
  if (is_card(secret)) return masked_card(key, secret);
  if (is_jwt(secret)) {
    const auto dot = secret.find('.');
    return std::string(secret.substr(0, dot + 1)) + same_shape(key, "jwt", secret.substr(dot + 1));
  }
  return same_shape(key, "", secret);
}

std::string masked_number(const RedactionKey& key, std::string_view number) {
  const auto exponent = std::min(number.find_first_of("eE"), number.size());
  return masked(key, number.substr(0, exponent)).append(number.substr(exponent));
}

}  // namespace rehearse::replay
