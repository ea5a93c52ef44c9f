// The key of the redaction: the same secret becomes the same mask under the same key, and nobody without it can tell which.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace rehearse::replay {

class RedactionKey {
 public:
  static constexpr std::size_t shortest = 16;  // bytes

  // Throws Error when there are fewer than `shortest` bytes. `origin` names where they are from, for the sentence.
  RedactionKey(std::string_view bytes, std::string_view origin);

  // HMAC-SHA-256 of both, unambiguously joined.
  [[nodiscard]] std::array<unsigned char, 32> mac(std::string_view label, std::string_view value) const;
  // Eight hex digits that say which key it was and nothing else about it.
  [[nodiscard]] std::string fingerprint() const;

 private:
  struct Context;
  std::shared_ptr<const Context> context_;
};

// A key that nobody can repeat.
[[nodiscard]] RedactionKey passing_key();

// Of `path` when that is not empty, else of the environment variable REHEARSE_REDACTION_KEY, else of
// $XDG_CONFIG_HOME/rehearse/redaction.key (or below $HOME/.config), which is made when it is not there: then `made` gets its
// path. Throws Error when there is no key or it is too short.
[[nodiscard]] RedactionKey redaction_key(const std::string& path, std::string& made);

}  // namespace rehearse::replay
