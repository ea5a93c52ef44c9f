// Draws plans that nobody captured: first the way through the stages, then which operations, keys and faults take part, then the
// operations by what there is to work on, then where the flips fall: at rest, or beside requests that they straddle.
//
// A uniform choice among requests and flips hardly ever reaches the late stages (twenty steps: completed in one plan of fifteen, all
// eight edges in one of five thousand), so the way is drawn first, towards the edges that were taken least. Sizes are fixed and not
// ramped up. A step names what an earlier one created by a use of its answer, which is bound when it is played.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
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
  // Of a hundred plans so many have flips, requests at the same time, and a fault, where they may have them.
  std::size_t with_flips = 60, with_lanes = 35, with_fault = 35;
  // Faults that the world can make, as cues: "break new-database hung", "kill new", "wire ...". What follows one undoes it.
  std::vector<std::pair<std::string, std::string>> fault_cues;  // begin, end
  // How long a database hangs before it is mended: longer than the longest answer that is allowed then.
  std::chrono::milliseconds hung_for{2300};
  bool copy_back = true;        // there is a command that brings legacy up to date
  std::set<std::string> wires;  // on which a message can be held: "new-database", "legacy"
};

// A plan with few ingredients is played in a twentieth of the time, and a bug that needs no more is met in many of them. All together
// are what real cutovers are made of, and drawn, too.
enum class Ingredients : std::uint8_t { sequence, lanes, faults, flips, all };
// The options narrowed to plans of these.
[[nodiscard]] DrawingOptions with(Ingredients ingredients, DrawingOptions options);

// How often what was met so far in this run, in the words of `Coverage`: the rarer, the likelier.
struct MetSoFar {
  std::map<std::string, std::int64_t> times;
  // What the plan will meet if it is played: its edges, and its faults.
  void expect(const replay::Plan& plan);
  // From 1 for what was never met towards 0.
  [[nodiscard]] double want(const std::string& what) const;
};

// Whether the cue says something in that stage: a write comes over the wire that it is about, or clients do not read what it alters.
[[nodiscard]] bool says_something(std::string_view cue, Stage stage);

// "edge live → completed", "PATCH /orders/{} in shadow", "break new-database hung in live", "requests beside the edge off → read-only".
[[nodiscard]] std::string edge_name(const Edge& edge);
[[nodiscard]] std::string straddled_name(const Edge& edge);
[[nodiscard]] std::string in_stage(std::string_view what, Stage stage);

// A plan that depends on the arguments alone. REQUIRES: the catalogue holds an operation.
[[nodiscard]] replay::Plan draw_plan(const Catalogue& catalogue, const DrawingOptions& options, const MetSoFar& met,
                                     std::uint64_t seed);

// Whether the plan has requests that may run at the same time, or beside a cue.
[[nodiscard]] bool concurrent(const replay::Plan& plan);

}  // namespace rehearse::properties
