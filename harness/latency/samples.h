// Which requests of the traffic are measured, and in which proportions.
#pragma once

#include <string>
#include <vector>

#include "harness/configuration.h"
#include "replay/history.h"
#include "replay/plan.h"

namespace rehearse::harness {

// A request whose answer is known: legacy alone gave that status.
struct Sample {
  replay::Step step;
  std::string route;
  int status = 0;
  int new_status = 0;    // what the new service is to answer; 0: the same
  bool measured = true;  // else it is sent for the values that others take from its answer
};

// Requests that take turns with those of other kinds.
struct SampleKind {
  bool extra = false;  // of one budget alone, beyond its share of the traffic
  std::string route;   // the budget's
  std::vector<Sample> samples;
};

// The budgets of that stage.
[[nodiscard]] std::vector<properties::Budget> budgets_of(const Configuration& configuration, properties::Stage stage);

// Throws Error with one sentence when it can be known beforehand that a budget of these stages cannot be judged: no request that may be
// measured belongs to it, the time is too short for its quantile, nobody is there to be held against.
void check_budgets(const Configuration& configuration, const replay::Plan& plan,
                   const std::vector<properties::Stage>& stages);

// What is sent for these budgets: the traffic in its own proportions when one of them is of "all", and each other route for itself.
// Reads only, unless the configuration says that writes are measured; then writes take part in every stage but read-only. Left out is what
// legacy alone did not answer, or refused. What makes values for a request that is measured is sent before it.
[[nodiscard]] std::vector<SampleKind> samples_for(const Configuration& configuration, const replay::Plan& plan,
                                                  const replay::History& oracle, properties::Stage stage);

}  // namespace rehearse::harness
