// Reads sent to both services back to back, for where no database can be restored: both live, both are written to by others.
//
// Which of the two is asked first is drawn anew for each pair: what an earlier answer warmed or changed must not always help the same
// one. A difference is read again on both sides after a pause. Where it is gone, and legacy's own answer changed there meanwhile, it was
// transient: a write lay between the two reads. Where it is gone and legacy's answer kept still, the new service was late: it gave
// something else first, and what legacy had given all along afterwards. That is a stale read, an instance that is wrong, or, where the new
// service was asked first, a write in between after all; these look alike from outside, so that it proves nothing and is no pass.
// Where legacy itself gave other values by then and they still differ, it is changing, and nothing is proved. What is left is lasting.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "harness/target.h"
#include "properties/answers/answers.h"
#include "replay/history.h"
#include "replay/plan.h"

namespace rehearse::harness {

struct LivePairsOptions {
  std::string legacy, new_;  // URLs
  TargetSettings service;    // how both are spoken to
  std::uint64_t seed = 1;
  double rate = 20;                        // pairs a second at most: the services are at work
  std::chrono::milliseconds pause{2'000};  // before a difference is read again
  std::chrono::milliseconds deadline{10'000};
  const std::atomic<bool>* stop = nullptr;  // ends it before the next pair
  std::function<void(std::size_t done, std::size_t total)> on_progress;
};

// Each pair is in one class: pairs = equal + ignored + transient + late + changing + lasting + unanswered + unfinished.
struct LivePairs {
  replay::History legacy, new_;  // the last answer of each to each request
  std::int64_t pairs = 0;
  std::int64_t equal = 0;
  std::int64_t ignored = 0;  // differing only where a rule says not to look
  std::int64_t transient = 0;
  std::int64_t late = 0;
  std::int64_t changing = 0;
  std::int64_t lasting = 0;
  std::int64_t unanswered = 0;                          // legacy did not answer, the second time either
  std::int64_t unfinished = 0;                          // differed, and it was interrupted before they were read again
  std::vector<properties::StepDifference> differences;  // the lasting ones
  std::vector<properties::StepDifference> late_ones;    // what the new service gave first
  std::vector<std::int64_t> rule_hits;
  std::map<std::string, std::map<std::string, std::int64_t>> drifted;  // as in properties::AnswersCompared
  bool interrupted = false;
};

// Sends the requests of the plan, in its order. REQUIRES: each is a read, and has no cue. Values that earlier answers gave are put in for each
// service by itself; one that comes from a write stays as captured. Throws Error when a request or a URL cannot be used.
[[nodiscard]] LivePairs play_live_pairs(const replay::Plan& plan, const properties::Contract& contract,
                                        const LivePairsOptions& options);

}  // namespace rehearse::harness
