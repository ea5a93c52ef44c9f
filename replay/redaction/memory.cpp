#include "replay/redaction/memory.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "replay/base64.h"
#include "replay/redaction/mask.h"

namespace rehearse::replay {
namespace {

constexpr std::array<bool, 256> word_characters = [] {
  std::array<bool, 256> table{};
  for (int c = 0; c < 256; ++c) {
    table[static_cast<std::size_t>(c)] = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                         c == '-' || c == '_' || c == '.' || c == '~' || c == '+';
  }
  return table;
}();

bool word_character(char c) { return word_characters[static_cast<unsigned char>(c)]; }

// Long or mixed enough that the same characters elsewhere are the same secret.
bool telling(std::string_view secret) {
  if (secret.size() < limits::shortest_remembered || secret.size() > limits::remembered_bytes) return false;
  if (secret.size() >= limits::shortest_remembered_word) return true;
  const auto any = [&](auto test) {
    return std::any_of(secret.begin(), secret.end(), [&](char c) { return test(static_cast<unsigned char>(c)) != 0; });
  };
  return any([](int c) { return std::isalpha(c); }) && any([](int c) { return std::isdigit(c); });
}

std::string without_padding(std::string text) {
  while (text.ends_with('=')) text.pop_back();
  return text;
}

std::string url_alphabet(std::string text) {
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

}  // namespace

std::string SecretMemory::mask(std::string_view secret) {
  const auto found = masks_.find(secret);
  if (found != masks_.end()) return found->second;
  std::string made = masked(key_, secret);
  if (masks_.size() < limits::remembered_values && secret.size() <= limits::remembered_bytes)
    masks_.emplace(secret, made);
  return made;
}

std::string SecretMemory::mask_number(std::string_view number) { return masked_number(key_, number); }

bool SecretMemory::remember(std::string_view secret) {
  if (!telling(secret) || sought(secret) != nullptr || sought_.size() >= limits::remembered_values) return false;
  const std::string mask_of_it = mask(secret);
  seek(std::string(secret), mask_of_it);
  const std::string encoded = without_padding(base64(secret)), mask_encoded = without_padding(base64(mask_of_it));
  seek(encoded, mask_encoded);
  seek(url_alphabet(encoded), url_alphabet(mask_encoded));
  return true;
}

void SecretMemory::seek(const std::string& value, const std::string& mask) {
  if (value.size() > limits::remembered_bytes) return;
  lengths_.set(value.size());
  phrases_ = phrases_ || !std::all_of(value.begin(), value.end(), word_character);
  sought_.emplace(value, mask);
}

const std::string* SecretMemory::sought(std::string_view value) const {
  if (value.size() < limits::shortest_remembered || value.size() > limits::remembered_bytes || !lengths_[value.size()])
    return nullptr;
  const auto found = sought_.find(value);
  return found == sought_.end() ? nullptr : &found->second;
}

void SecretMemory::take_sought_words(std::string_view text, std::vector<Edit>& edits) const {
  const char* bytes = text.data();
  for (std::size_t at = 0; at < text.size();) {
    // A word that is sought has at least eight characters, so a place without one rules out seven before it.
    std::size_t last = at + limits::shortest_remembered - 1;
    if (last >= text.size()) return;
    if (!word_character(bytes[last])) {
      at = last + 1;
      continue;
    }
    std::size_t begin = last;
    while (begin > at && word_character(bytes[begin - 1])) --begin;
    std::size_t end = last + 1;
    while (end < text.size() && word_character(bytes[end])) ++end;
    at = end;
    const std::string* mask = sought(text.substr(begin, end - begin));
    // The full stop of a sentence belongs to it.
    if (mask == nullptr && bytes[end - 1] == '.') mask = sought(text.substr(begin, --end - begin));
    if (mask != nullptr) edits.push_back({begin, end - begin, *mask});
  }
}

}  // namespace rehearse::replay
