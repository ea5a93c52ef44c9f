// HTTP/2 (RFC 9113) out of two streams. Header blocks of a direction are read in their order, because each changes the table that
// the next one refers to (RFC 7541): where bytes of one are missing, that direction is not read on.
#pragma once

#include <memory>

#include "replay/capture/conversation.h"

namespace rehearse::replay {

// `client` is who sent the preface, when that is known. `upgraded` is the exchange whose answer was a 101 to h2c: its request is
// answered on stream 1 (RFC 7540, section 3.2); null otherwise. REQUIRES: what `origin.findings` points to outlives the reader.
[[nodiscard]] std::unique_ptr<ProtocolReader> http2_reader(const Origin& origin, const Side* client,
                                                           const Exchange* upgraded = nullptr);

// Whether bytes from the middle of a connection are frames of HTTP/2.
enum class LooksLikeHttp2 { no, perhaps, yes };
[[nodiscard]] LooksLikeHttp2 looks_like_http2(std::string_view bytes);

}  // namespace rehearse::replay
