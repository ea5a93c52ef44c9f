// What a run of generated plans must have met: a green one that met nothing proves nothing.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "properties/plans/drawing.h"
#include "properties/plans/operations.h"
#include "properties/plans/trial.h"

namespace rehearse::properties {

class Coverage {
 public:
  // What can be met with these operations and this world: operations that were accepted when they were captured, in every stage, and are accepted there; every
  // edge, at rest and beside requests; every fault in shadow and in live; lanes there; refusals.
  Coverage(const Catalogue& catalogue, const DrawingOptions& options);

  // Counts what a trial that was judged has met.
  void add(const Contract& contract, const Trial& trial);

  // "edge live → completed", "PATCH /orders/{} in shadow", "break new-database hung in live", "lanes in shadow", "a write refused",
  // with how many plans met it; 0 for what none has.
  [[nodiscard]] const MetSoFar& met() const { return met_; }
  // What was not met.
  [[nodiscard]] std::vector<std::string> missing() const;

 private:
  void meet(const std::string& what);
  MetSoFar met_;
};

}  // namespace rehearse::properties
