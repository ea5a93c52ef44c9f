// TLS 1.2 and 1.3 (RFC 5246, RFC 8446) out of two streams: records are opened with the secrets of a key log, and what was in them
// goes to the reader of the protocol that the two ends agreed on.
//
// Nothing is guessed. Where a secret is missing, a tag is wrong, a cipher is not read or bytes are missing, everything that follows on
// the connection is counted as encrypted, what was in progress is ended as unfinished, and a remark and a note say why.
#pragma once

#include <memory>

#include "replay/capture/conversation.h"

namespace rehearse::replay {

// Who the client is says the ClientHello. REQUIRES: `origin.findings`, and `origin.keys` unless null, outlive the reader.
[[nodiscard]] std::unique_ptr<ProtocolReader> tls_reader(const Origin& origin);

}  // namespace rehearse::replay
