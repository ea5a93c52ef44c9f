// Replacements in a text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rehearse::replay {

struct Edit {
  std::size_t at = 0, length = 0;
  std::string with;
};

// The text with the edits made; of two that overlap the one that was added first counts.
[[nodiscard]] std::string edited(std::string_view text, std::vector<Edit> edits);

}  // namespace rehearse::replay
