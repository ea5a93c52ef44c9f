// Measures one stage for its budgets: the pairs, the saturation where a throughput is budgeted, and once more what failed.
#pragma once

#include <atomic>
#include <functional>

#include "harness/configuration.h"
#include "properties/latency/measurement.h"
#include "replay/history.h"
#include "replay/plan.h"

namespace rehearse::harness {

struct StageToMeasure {
  properties::Stage stage = properties::Stage::off;
  std::size_t budgets_of_all = 0;  // of all stages that are rehearsed: they are held together
  std::function<void()> restore;   // puts the databases of both sides where they begin; before each measurement
  // Starts the services anew before what is over is measured again, and says which; empty where nobody can.
  std::function<std::string()> restart;
  const std::atomic<bool>* stop = nullptr;
  std::function<void(std::size_t done, std::size_t total)> on_progress;
};

// REQUIRES: the stage is served, and has budgets that check_budgets took. What the services do wrong stands in the measurement.
// `oracle` is the play of the plan by legacy alone.
[[nodiscard]] properties::LatencyMeasurement measure_stage(const Configuration& configuration, const replay::Plan& plan,
                                                           const replay::History& oracle, const StageToMeasure& what);

}  // namespace rehearse::harness
