// Cuts the two streams of a connection into exchanges and pairs requests with answers in their order (RFC 9112, section 9.3.2).
#pragma once

#include <vector>

#include "replay/capture/reassembly.h"
#include "replay/exchange.h"

namespace rehearse::replay {

// The exchanges of one connection, `index` counted from 0; `id` and `connection` are for the caller to set. Every byte of the
// connection is added to exactly one class of `certificate.bytes`.
[[nodiscard]] std::vector<Exchange> exchanges_of(Connection connection, Certificate& certificate);

}  // namespace rehearse::replay
