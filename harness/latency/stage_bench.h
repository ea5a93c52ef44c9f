// Measures every stage beside the legacy service alone: latency in pairs, throughput in turns, all stages in each repetition, so that what
// disturbs the machine for a while disturbs no stage alone.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "harness/configuration.h"
#include "replay/plan.h"
#include "reports/stage_benchmark.h"

namespace rehearse::harness {

struct StageBenchOptions {
  std::vector<properties::Stage> stages;  // in the order of the way
  int repetitions = 5;
  double seconds = 4;  // of pairs, for each kind of requests, stage and repetition
  const std::atomic<bool>* stop = nullptr;
  std::function<void(const std::string& what)> on_section;
};

// Throws Error as a rehearsal does: both databases are restored, and the flag is off when it returns. Legacy alone is the service under
// fuzz.oracle; without it reads are held against the legacy service itself, and writes and completed are left out and named.
[[nodiscard]] reports::StageBenchmark bench_stages(const Configuration& configuration, const replay::Plan& plan,
                                                   const StageBenchOptions& options);

}  // namespace rehearse::harness
