// Measurements of a made-up machine whose truth is known: for the judge's test and for the table of its operating characteristics.
//
// A request costs what its kind costs (two kinds, one three times as dear), both services take that and a little scatter of their own.
// The machine's mood disturbs both alike (AR(1) from block to block), and drifts between them a little (AR(1) too, as strong as was seen on
// a shared virtual machine: neighbouring blocks of 2.5 s correlate by 0.15 to 0.2). Some requests are put off by milliseconds, more of
// them when the mood is bad, which makes the times bimodal and the tail heavy.
#pragma once

#include <cstdint>

#include "properties/latency/measurement.h"

namespace rehearse::properties {

struct TraceSettings {
  std::uint64_t seed = 1;
  double factor = 1;  // what the new service takes over legacy; the truth
  double pairs_a_second = 200;
  double block_seconds = 2.5;
  std::int64_t blocks = 98;  // with those of the warm-up
  double drift = 0.04;       // of ln(new / legacy) from block to block, standard deviation
  double drift_correlation = 0.17;
  double mood = 0.3;  // of the logarithm of both
  double mood_correlation = 0.8;
  double put_off = 0.02;   // share of requests that are put off, on a quiet machine
  double put_off_ms = 10;  // how long on the average
};

[[nodiscard]] LatencyRun synthetic_run(const TraceSettings& settings);

}  // namespace rehearse::properties
