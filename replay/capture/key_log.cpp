#include "replay/capture/key_log.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstring>
#include <optional>
#include <random>
#include <utility>

#include "replay/capture/limits.h"

namespace rehearse::replay {
namespace {

constexpr std::size_t random_bytes = 32;
constexpr std::size_t longest_secret = 48;  // a master secret, or the output of SHA-384

struct Key {
  SecretLabel label{};
  std::array<char, random_bytes> random{};
  friend bool operator==(const Key&, const Key&) = default;
};
static_assert(sizeof(Key) == 1 + random_bytes);  // without padding: its bytes are hashed

struct Secret {
  std::uint8_t length = 0;
  std::array<char, longest_secret> bytes{};
};

// A log can be part of a hostile capture: without a seed one could be made whose lines all collide.
const std::uint64_t hash_seed = [] {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}();

struct Hash {
  using is_avalanching = void;
  std::size_t operator()(const Key& key) const { return XXH3_64bits_withSeed(&key, sizeof key, hash_seed); }
};

std::optional<SecretLabel> label_of(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, SecretLabel>, 5> labels = {{
      {"CLIENT_RANDOM", SecretLabel::master},
      {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", SecretLabel::client_handshake},
      {"SERVER_HANDSHAKE_TRAFFIC_SECRET", SecretLabel::server_handshake},
      {"CLIENT_TRAFFIC_SECRET_0", SecretLabel::client_traffic},
      {"SERVER_TRAFFIC_SECRET_0", SecretLabel::server_traffic},
  }};
  for (const auto& [text, label] : labels) {
    if (text == name) return label;
  }
  return std::nullopt;
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Writes the bytes that `hex` spells; false when it is no hexadecimal text or too long.
bool read_hex(std::string_view hex, char* bytes, std::size_t room) {
  if (hex.size() % 2 != 0 || hex.size() / 2 > room) return false;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit_of(hex[i]), low = digit_of(hex[i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i / 2] = static_cast<char>(high * 16 + low);
  }
  return true;
}

std::string_view next_word(std::string_view& line) {
  const auto begin = std::min(line.find_first_not_of(" \t"), line.size());
  const auto end = std::min(line.find_first_of(" \t", begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

}  // namespace

struct KeyLog::Table {
  boost::unordered_flat_map<Key, Secret, Hash> secrets;
};

KeyLog::KeyLog() : table_(std::make_unique<Table>()) {}
KeyLog::~KeyLog() = default;

std::size_t KeyLog::size() const { return table_->secrets.size(); }

void KeyLog::append(std::string_view text) {
  while (!text.empty()) {
    const auto line_feed = text.find('\n');
    const std::string_view part = text.substr(0, line_feed);
    long_line_ = long_line_ || rest_.size() + part.size() > limits::key_line_bytes;
    if (long_line_)
      rest_.clear();
    else
      rest_ += part;
    if (line_feed == std::string_view::npos) return;
    text.remove_prefix(line_feed + 1);
    finish();
  }
}

void KeyLog::finish() {
  if (std::exchange(long_line_, false)) ++bad_lines_;
  read_line(std::exchange(rest_, {}));
}

void KeyLog::read_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::string_view name = next_word(line);
  if (name.empty() || name.starts_with('#')) return;
  const std::string_view random = next_word(line), secret = next_word(line);
  const auto label = label_of(name);
  if (!label) {
    // What other versions and other secrets are called; anything else is no line of a key log.
    if (name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != std::string_view::npos || secret.empty())
      ++bad_lines_;
    return;
  }
  Key key{*label, {}};
  Secret value;
  const std::size_t length = secret.size() / 2;
  const bool right_length = length == longest_secret || (length == 32 && *label != SecretLabel::master);
  if (random.size() != 2 * random_bytes || !right_length || !next_word(line).empty() ||
      !read_hex(random, key.random.data(), random_bytes) || !read_hex(secret, value.bytes.data(), longest_secret)) {
    ++bad_lines_;
    return;
  }
  value.length = static_cast<std::uint8_t>(length);
  auto& secrets = table_->secrets;
  if (secrets.size() >= limits::secrets && !secrets.contains(key)) {
    ++left_out_;
    return;
  }
  secrets.insert_or_assign(key, value);
}

std::string_view KeyLog::find(SecretLabel label, std::string_view client_random) const {
  if (client_random.size() != random_bytes) return {};
  Key key{label, {}};
  std::memcpy(key.random.data(), client_random.data(), random_bytes);
  const auto found = table_->secrets.find(key);
  if (found == table_->secrets.end()) return {};
  return {found->second.bytes.data(), found->second.length};
}

}  // namespace rehearse::replay
