// Which exchanges of a capture are wanted: what `traffic cut` and `play` understand the same way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "replay/exchange.h"
#include "replay/sessions.h"

namespace rehearse::harness {

struct WantedExchanges {
  std::vector<std::string> routes, methods, statuses;  // empty: all
  std::string from, to;  // "2026-11-22T10:00:00Z", or "+90s" from the first request; the end is not included
  // Share of the sessions, the same ones each time, and those of a smaller share among them; what belongs to no session goes by its
  // connection. A session is known by what is masked: files that were masked with two keys give two samples.
  double sample = 1;
  std::vector<std::string> session_keys;  // see replay::SessionFinder
  bool complete = false;                  // leave out what is incomplete
};

// Shown all exchanges in the order of time, masked.
class ExchangeFilter {
 public:
  // Throws Error when a status is none; times are looked at when the first exchange is known.
  explicit ExchangeFilter(WantedExchanges wanted);
  [[nodiscard]] bool accepts(const replay::Exchange& exchange);

 private:
  [[nodiscard]] double share_of(const replay::Exchange& exchange);

  WantedExchanges wanted_;
  replay::SessionFinder sessions_;
  std::unordered_map<std::uint64_t, std::uint64_t> first_names_;  // of a session, by all the names that it has had
  bool first_ = true;
  std::optional<std::int64_t> from_ns_, to_ns_;
};

}  // namespace rehearse::harness
