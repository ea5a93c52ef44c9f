// GoReplay's files (.gor): payloads with a head line each, divided by a line of three monkeys.
//
//   1 <id> <time in ns> [<latency>]\n<the bytes of the request>\n🐵🙈🙉\n      2 is the answer, 3 the answer of a replay
#pragma once

#include "replay/capture/byte_source.h"
#include "replay/exchange.h"

namespace rehearse::replay {

// True when `beginning` are the first bytes of such a file.
[[nodiscard]] bool looks_like_goreplay(std::string_view beginning);

// Its exchanges in the order of their requests; ids are not set, each exchange is a connection of its own, because the format
// does not say which there were. Throws Error when reading fails. `name` is for messages.
[[nodiscard]] Traffic read_goreplay(ByteSource& source, std::string_view name);

}  // namespace rehearse::replay
