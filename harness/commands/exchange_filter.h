// Which exchanges of a capture are wanted: what `traffic cut` and `play` understand the same way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "replay/exchange.h"

namespace rehearse::harness {

struct WantedExchanges {
  std::vector<std::string> routes, methods, statuses;  // empty: all
  std::string from, to;   // "2026-11-22T10:00:00Z", or "+90s" from the first request; the end is not included
  double sample = 1;      // share of the connections, the same ones each time
  bool complete = false;  // leave out what is incomplete
};

// Shown exchanges in the order of time.
class ExchangeFilter {
 public:
  // Throws Error when a status is none; times are looked at when the first exchange is known.
  explicit ExchangeFilter(WantedExchanges wanted);
  [[nodiscard]] bool accepts(const replay::Exchange& exchange);

 private:
  WantedExchanges wanted_;
  bool first_ = true;
  std::optional<std::int64_t> from_ns_, to_ns_;
};

}  // namespace rehearse::harness
