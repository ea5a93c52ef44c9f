#include "harness/databases/row_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>

namespace rehearse::harness {
namespace {

constexpr std::uint64_t low_61_bits = (std::uint64_t{1} << 61) - 1;
constexpr unsigned char hashed = 0xFF;  // instead of the key's length
using KeyBytes = std::array<unsigned char, RowElement::key_bytes>;

std::array<std::uint64_t, RowElement::key_words> words_of(const KeyBytes& bytes) {
  std::array<std::uint64_t, RowElement::key_words> words{};
  for (std::size_t i = 0; i < bytes.size(); ++i) words[i / 7] = words[i / 7] << 8 | bytes[i];
  return words;
}

}  // namespace

RowHasher::RowHasher(std::uint64_t seed) {
  for (std::size_t i = 0; i < secret_.size(); i += 8) {
    const std::uint64_t word = XXH3_64bits_withSeed(&i, sizeof i, seed);
    std::memcpy(secret_.data() + i, &word, 8);
  }
}

RowElement RowHasher::element(std::string_view key, std::string_view row) const {
  RowElement element;
  const XXH128_hash_t hash = XXH3_128bits_withSecret(row.data(), row.size(), secret_.data(), secret_.size());
  element.hash = {hash.low64 & low_61_bits, hash.high64 & low_61_bits};
  KeyBytes bytes{};
  if (key.size() < bytes.size()) {
    bytes[0] = static_cast<unsigned char>(key.size());
    std::memcpy(bytes.data() + 1, key.data(), key.size());
  } else {
    const XXH128_hash_t short_key = XXH3_128bits_withSecret(key.data(), key.size(), secret_.data(), secret_.size());
    bytes[0] = hashed;
    std::memcpy(bytes.data() + 1, &short_key, sizeof short_key);
  }
  element.key = words_of(bytes);
  // The field holds numbers below 2^61 - 1; all bits set is the same as none there.
  for (auto& word : element.hash) word = word == low_61_bits ? 0 : word;
  return element;
}

std::optional<std::string> RowHasher::key_in(const RowElement& element) {
  KeyBytes bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<unsigned char>(element.key[i / 7] >> (48 - 8 * (i % 7)));
  if (bytes[0] == hashed) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(bytes.data()) + 1, bytes[0]);
}

}  // namespace rehearse::harness
