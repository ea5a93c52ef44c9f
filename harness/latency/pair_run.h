// Measures two services in pairs: each request goes to legacy and to the new service in adjacent slots, in an order that is drawn anew for
// each pair, over as many connections to each, in one play and on one clock. A null probe goes along at twenty requests a second.
//
// Requests are due at a fixed rate whatever the services do. Three stamps are kept of each: due, sent, done. A pair whose requests could not
// leave within their block is counted as late, and kept: what it waited for stands in its response times. Connections are dealt out among the
// instances of a side.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "harness/latency/samples.h"
#include "harness/target.h"
#include "properties/latency/measurement.h"

namespace rehearse::harness {

struct PairedServices {
  std::vector<std::string> legacy, new_;  // URLs, one an instance; neither empty
  TargetSettings legacy_target, new_target;
};

struct PairRunOptions {
  double rate = 200;  // pairs a second
  std::chrono::milliseconds block{2'500};
  std::int64_t blocks = 26;      // at most, with those of the warm-up
  std::size_t connections = 16;  // to each side; one an instance at least
  int saturation_blocks = 12;    // as many as the first look takes
  std::chrono::milliseconds deadline{10'000};
  std::uint64_t seed = 1;
  bool turned_round = false;  // of each pair, the other side goes first than with the same seed otherwise
  const std::atomic<bool>* stop = nullptr;
  std::function<void(std::size_t done, std::size_t total)> on_progress;
  // Asked beside the measurement when there are enough blocks for a look; true ends it.
  std::function<bool(const properties::LatencyRun&)> decided;
};

// REQUIRES: each kind has samples. Throws Error when a request or a URL cannot be used.
[[nodiscard]] properties::LatencyRun measure_pairs(const std::vector<SampleKind>& kinds, const PairedServices& services,
                                                   const PairRunOptions& options);

}  // namespace rehearse::harness
