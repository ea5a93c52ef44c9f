// Two answers to one request held against each other, in both directions.
//
// Equal means: both answered, with the same status, the same contract headers (headers.h; never those of one connection) and the same
// body, taken apart by its media type (media.h) after its content coding is taken off (tree_compare.h); where values that the server
// made are equal when they were made in the same place of the same step. Where nobody answered, both failed in the same way.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "properties/answers/difference.h"
#include "properties/answers/field_values.h"
#include "properties/answers/rules.h"
#include "properties/correspondence.h"
#include "properties/evidence.h"

namespace rehearse::properties {

class AnswerComparer {
 public:
  // `pairs` says which values of the two plays stand for each other.
  AnswerComparer(const Contract& contract, Correspondence pairs);
  // `day` decides which rules of the contract are in force; the services were spoken to under these URLs.
  AnswerComparer(const Contract& contract, Correspondence pairs, std::int64_t day, const std::string& expected_url,
                 const std::string& observed_url);

  // Empty when they are equal. Where more differs than answer_limits::differences, the last one says how much more. `rule_hits`, when
  // it is given, has a count for each rule of the contract.
  [[nodiscard]] std::vector<Difference> differences(const replay::Record& expected, const replay::Record& observed,
                                                    std::vector<std::int64_t>* rule_hits = nullptr) const;

  // True when two texts are the same, or stand for the same value that the two servers made differently.
  [[nodiscard]] bool same_value(const std::string& expected, const std::string& observed) const {
    return pairs_.same(expected, observed);
  }
  [[nodiscard]] const RuleBook& rules() const { return rules_; }

 private:
  std::vector<std::string> compared_headers_;
  Correspondence pairs_;
  RuleBook rules_;
  Origin expected_own_, observed_own_;
};

// How a request failed: "refused", "timeout", "malformed", "lost"; "answered" when it did not.
[[nodiscard]] std::string_view failure_of(const replay::Record& record);

}  // namespace rehearse::properties
