// Answers compared: the oracle's and the candidate's, step by step, in both directions.
//
// Equal means: the same status, the same contract headers, the same body (JSON by structure, CSV by cell, text by line, the
// rest by byte), where values that the server made are equal when they were made in the same place of the same step. A value
// that the oracle itself changed between its two runs is masked, there and nowhere else, and only against a value of the same
// type: something missing, extra or of another type is never masked.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "properties/correspondence.h"
#include "properties/evidence.h"

namespace rehearse::properties {

struct Difference {
  enum class Kind { status, missing, extra, type, value };
  Kind kind = Kind::value;
  std::string where;  // "status", "header ETag", "$.items[3].total", "line 4, cell 2", "body"
  std::string expected;
  std::string observed;
};

// Holds one history's answers against another's.
class AnswerComparer {
 public:
  // `pairs` says which values of the two plays stand for each other.
  AnswerComparer(const Contract& contract, Correspondence pairs);

  // Both must be answered. Empty when they are equal.
  [[nodiscard]] std::vector<Difference> differences(const replay::Record& expected,
                                                    const replay::Record& observed) const;

  // True when two texts are the same, or stand for the same value that the two servers made differently.
  [[nodiscard]] bool same_value(const std::string& expected, const std::string& observed) const {
    return pairs_.same(expected, observed);
  }

 private:
  [[nodiscard]] bool same_path(const std::string& expected, const std::string& observed) const;

  const Contract& contract_;
  Correspondence pairs_;
};

struct StepDifference {
  replay::StepId step = 0;
  std::vector<Difference> differences;  // the unmasked ones
};

// What a whole history came to against the oracle: sent = matched + masked + differed + unanswered, and what the
// oracle was never asked is left over.
struct AnswersCompared {
  std::int64_t matched = 0;
  std::int64_t masked = 0;  // equal but for values that the oracle showed as volatile
  std::int64_t differed = 0;
  std::int64_t unanswered = 0;                          // refused or lost, here or in the oracle
  std::int64_t without_oracle = 0;                      // steps that the oracle's history does not hold
  std::vector<StepDifference> steps;                    // the steps that differed, in order
  std::map<std::string, std::int64_t> volatile_values;  // "GET /orders/{}: $.updated_at" → how often it was masked
};

using Which = std::function<bool(const replay::Record&)>;

// Compares the records of `observed` that `which` accepts with the oracle's of the same step. `earlier` are the plays of the
// same world before it.
[[nodiscard]] AnswersCompared compare_answers(const Contract& contract, const replay::History& oracle,
                                              const replay::History* oracle_again, const replay::History& observed,
                                              const Which& which,
                                              const std::vector<const replay::History*>& earlier = {});

}  // namespace rehearse::properties
