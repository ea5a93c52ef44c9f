// Capture files to traffic: packets, segments, streams, exchanges, with a certificate of what is missing.
#pragma once

#include <string>
#include <vector>

#include "replay/exchange.h"

namespace rehearse::replay {

// Reads the captures and returns their exchanges ordered by the time of the request, numbered from 1. Throws Error when a file
// cannot be read or is no capture.
[[nodiscard]] Traffic import_captures(const std::vector<std::string>& paths);

}  // namespace rehearse::replay
