// HTTP archives, as browsers and proxies save them (HAR 1.2, http://www.softwareishard.com/blog/har-12-spec/).
//
// What a HAR holds is not what was on the wire: bodies are stored decoded, so Content-Encoding and Transfer-Encoding are taken
// out; a body that the browser did not keep makes its exchange incomplete.
#pragma once

#include <string_view>

#include "replay/exchange.h"

namespace rehearse::replay {

// The exchanges of a HAR document in the order of its entries; ids are not set, connections are numbered within the document.
// Throws Error when it is no HAR. `name` is for messages.
[[nodiscard]] Traffic read_har(std::string_view document, std::string_view name);

}  // namespace rehearse::replay
