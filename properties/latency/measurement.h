// What was measured of a stage in pairs, as plain values: the only thing that latencies are judged by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rehearse::properties {

// The pairs of one route in one block. Pair i is legacy_ns[i] and new_ns[i]: the same request, to both, in adjacent slots.
struct RoutePairs {
  std::string route;   // "GET /orders/{}"
  bool extra = false;  // sent for a budget of its own, beyond its share of the traffic: no part of what "all" covers
  // Of pairs that both sides answered as legacy does when it is alone: from sent to done, and from due to done. Those that left late are
  // among them: leaving them out would hide what a queue does to the tail.
  std::vector<std::int64_t> legacy_ns, new_ns;
  std::vector<std::int64_t> legacy_response_ns, new_response_ns;
  std::int64_t pairs = 0;          // that were sent, late or not
  std::int64_t late = 0;           // of which one side left only after its block was over
  std::int64_t legacy_failed = 0;  // no answer, an error of the server (5xx), or refused where the other side was not
  std::int64_t new_failed = 0;
  std::int64_t both_failed = 0;  // of the pairs, those that count in both
};

struct PairBlock {
  std::int64_t at_ns = 0;  // since the measurement began
  std::int64_t length_ns = 0;
  std::vector<RoutePairs> routes;
};

// One short time in which a route was asked as fast as its answers came, on each side in turn.
struct SaturationBlock {
  std::string route;  // as the budget names it
  std::int64_t at_ns = 0;
  double legacy_per_second = 0, new_per_second = 0;  // answered without failure
};

struct LatencyRun {
  std::int64_t began_ns = 0;  // wall clock
  std::vector<PairBlock> blocks;
  std::vector<SaturationBlock> saturation;
  std::int64_t planned_pairs = 0;  // of the blocks: what should have been sent and answered
  // How well it could be measured.
  double load = 0, steal_percent = 0;
  std::int64_t send_error_p50_ns = 0, send_error_p99_ns = 0;
  std::vector<std::int64_t> null_probe_ns;     // response times of an endpoint of ours that does nothing
  double planned_rate = 0, achieved_rate = 0;  // requests/s, both sides together
  std::string machine, scheduling;
};

// Requests of a route that are not measured, for legacy answers them otherwise than when it was alone.
struct LeftOut {
  std::string route;
  bool extra = false;  // as in RoutePairs
  std::int64_t requests = 0, left_out = 0;
  std::string why;  // "2 with 404 in place of 200"; empty when none was left out
};

// Of one stage.
struct LatencyMeasurement {
  LatencyRun first;
  std::optional<LatencyRun>
      again;  // the confirmation of what failed: new connections, the order of each pair turned round
  std::int64_t planned_blocks = 0;  // as many as the time allows
  std::int64_t least_ns = 0;        // an overhead below that is no reason to fail
  std::string problem;              // why nothing, or not all, was measured
  std::vector<LeftOut> left_out;    // of every route that was to be measured
  std::string restarted;  // who was started anew before the second measurement: "both services"; empty: nobody
};

}  // namespace rehearse::properties
