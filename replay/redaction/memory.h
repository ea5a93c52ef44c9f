// What was masked before: the mask of each secret, and which secrets are looked for wherever they stand.
#pragma once

#include <bitset>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "replay/redaction/edit.h"
#include "replay/redaction/key.h"
#include "replay/redaction/limits.h"

namespace rehearse::replay {

class SecretMemory {
 public:
  explicit SecretMemory(RedactionKey key) : key_(std::move(key)) {}

  // The mask of a secret (of a number of a JSON document).
  std::string mask(std::string_view secret);
  std::string mask_number(std::string_view number);
  // Looks for the secret everywhere from now on, in base64, too; not for one that is so short or plain that it stands elsewhere
  // by chance. True when it was not looked for before.
  bool remember(std::string_view secret);

  // The mask of a secret that is looked for, when the value is one.
  [[nodiscard]] const std::string* sought(std::string_view value) const;
  // The secrets that stand in a text as whole words: runs of letters, digits and - _ . ~ + between other characters.
  void take_sought_words(std::string_view text, std::vector<Edit>& edits) const;
  [[nodiscard]] bool empty() const { return sought_.empty(); }
  // True when some secret is no single word, so that only a comparison with a whole value finds it.
  [[nodiscard]] bool has_phrases() const { return phrases_; }
  [[nodiscard]] const RedactionKey& key() const { return key_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Table = std::unordered_map<std::string, std::string, Hash, std::equal_to<>>;
  void seek(const std::string& value, const std::string& mask);
  RedactionKey key_;
  Table masks_;  // so that a value that comes a thousand times is computed once
  Table sought_;
  std::bitset<limits::remembered_bytes + 1> lengths_;  // of what is sought
  bool phrases_ = false;
};

}  // namespace rehearse::replay
