// A whole play's answers held against the oracle's, step by step; and what of the differences is noise, allowed by a rule, or real.
//
// A value that the oracle itself changed between its two runs is judged by what it is (typed_values.h), else masked at that step
// and path; where the oracle kept still although it changes the same path in other answers of the route, an exact test decides
// (noise.h). Something missing, extra, of another type or in another order is never masked.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "properties/answers/answer_comparer.h"
#include "properties/answers/difference.h"
#include "properties/answers/noise.h"
#include "properties/evidence.h"

namespace rehearse::properties {

struct StepDifference {
  replay::StepId step = 0;
  std::vector<Difference> differences;
};

// What a history came to against the oracle. Each record is in one class:
// sent = matched + masked + ignored + undecided + differed + unanswered + without oracle.
struct AnswersCompared {
  std::int64_t matched = 0;
  std::int64_t masked = 0;     // equal but for values that the oracle showed as volatile, or that a rule tolerates
  std::int64_t ignored = 0;    // differing where a rule says not to look; never equal
  std::int64_t undecided = 0;  // differing where it cannot be told whether it is noise
  std::int64_t differed = 0;
  std::int64_t unanswered = 0;                          // refused or lost, here or in the oracle
  std::int64_t without_oracle = 0;                      // steps that the oracle's history does not hold
  std::vector<StepDifference> steps;                    // the steps that differed, in order, with what counts of it
  std::vector<StepDifference> failed;                   // those that failed here and not in the oracle, or otherwise
  std::map<std::string, std::int64_t> volatile_values;  // "GET /orders/{}: $.updated_at" → how often it was masked
  std::vector<NoisePath> noise;                        // the paths at which something was masked, broken or not decided
  std::vector<std::int64_t> rule_hits;                 // of each rule of the contract, how often it was applied
  std::map<std::string, std::int64_t> ignored_values;  // like `volatile_values`, of what rules ignored
  // "GET /orders/{}" → the paths, without indices, that differed between any two runs, whatever came of it.
  std::map<std::string, std::map<std::string, std::int64_t>> drifted;
};

using Which = std::function<bool(const replay::Record&)>;

// Compares the records of `observed` that `which` accepts with the oracle's of the same step. `earlier` are the plays of the
// same world before it.
[[nodiscard]] AnswersCompared compare_answers(const Contract& contract, const replay::History& oracle,
                                              const replay::History* oracle_again, const replay::History& observed,
                                              const Which& which,
                                              const std::vector<const replay::History*>& earlier = {});

}  // namespace rehearse::properties
