// Draws plans that nobody captured: first the way through the stages, then which operations, keys and faults take part, then the
// operations by what there is to work on, then where the flips fall: at rest, or beside requests that they straddle.
//
// A uniform choice among requests and flips hardly ever reaches the late stages (twenty steps: completed in one plan of fifteen, all
// eight edges in one of five thousand), so the way is drawn first, towards the edges that were taken least. Sizes are fixed and not
// ramped up. A step names what an earlier one created by a use of its answer, which is bound when it is played.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "properties/plans/operations.h"
#include "properties/plans/signal.h"
#include "properties/stage.h"
#include "replay/plan.h"

namespace rehearse::properties {

// What the world can do and what the run wants.
struct DrawingOptions {
  std::vector<Stage> begins{Stage::off, Stage::read_only, Stage::shadow, Stage::live, Stage::completed};
  std::size_t operations = 16;  // about so many in a plan
  std::size_t longest_way = 8;  // edges; 0: no flips
  std::size_t lanes = 4;        // at most at the same time; 1: one after the other
  bool odd_values = true;
  bool faults = true;
  // Faults that the world can make, as cues: "break new-database hung", "kill new", "wire ...". What follows one undoes it.
  std::vector<std::pair<std::string, std::string>> fault_cues;  // begin, end
  bool copy_back = true;                                        // there is a command that brings legacy up to date
};

// How often each edge was taken so far in this run: the rarer, the likelier.
struct EdgeCounts {
  std::map<std::string, std::int64_t> taken;  // by properties::name_of
  void add(const replay::Plan& plan);
};

// A plan that depends on the arguments alone. REQUIRES: the catalogue holds an operation.
[[nodiscard]] replay::Plan draw_plan(const Catalogue& catalogue, const DrawingOptions& options, const EdgeCounts& edges,
                                     std::uint64_t seed);

// Whether the plan has requests that may run at the same time, or beside a cue.
[[nodiscard]] bool concurrent(const replay::Plan& plan);

}  // namespace rehearse::properties
