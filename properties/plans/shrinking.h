// From a plan that fails to the few steps of it that do.
//
// It works on plans and not on random choices: what is dropped is dropped, what waited for it waits for what that waited for, and a
// step whose value nobody makes any more is sent with the value that stands in it. So it serves plans that were captured, too. A race
// fails only sometimes: a candidate is tried until it fails, or as often as the rate of the original demands, and one that fails for
// another reason is not the same plan. The passes that say what a bug needs come first: without faults, without lanes, with flips at
// rest, with fewer stages; then requests, then values.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "replay/plan.h"

namespace rehearse::properties {

struct ShrinkOptions {
  std::chrono::milliseconds budget{120'000};
  int tries = 1;  // of a candidate before it counts as one that does not fail
  std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
  std::function<void(const replay::Plan&)> on_smaller;  // each time one fails that is smaller
};

// Runs a plan once; the invariants that it violated.
using Attempt = std::function<std::set<std::string>(const replay::Plan&)>;

struct Shrunk {
  replay::Plan plan;
  bool minimal = true;  // false: the budget was over before every pass had nothing more to take away
  int attempts = 0;     // plans played
  // What it needs, for without it the plan did not fail: "a sequence of requests" always; "odd data", "a flip", "a fault",
  // "concurrency", "a restart".
  std::vector<std::string> needs;
};

// REQUIRES: `plan` violates `invariant`.
[[nodiscard]] Shrunk shrink(const replay::Plan& plan, const std::string& invariant, const Attempt& attempt,
                            const ShrinkOptions& options);

// How often a candidate is to be tried so that one which fails at this rate is not taken for one that does not, with an error of one in
// twenty: ceil(ln 0.05 / ln(1 - rate)); at most 60.
[[nodiscard]] int tries_for(int failed, int played);

// Requests and cues of the plan, the world's cue left out: its length.
[[nodiscard]] std::size_t length_of(const replay::Plan& plan);

}  // namespace rehearse::properties
