// Headers as the text that the files store: a "name: value" a line.
#pragma once

#include <string>
#include <string_view>

#include "replay/http/message.h"

namespace rehearse::replay {

[[nodiscard]] std::string text_of(const Headers& headers);
[[nodiscard]] Headers headers_of(std::string_view text);

}  // namespace rehearse::replay
