// Rules that should be looked at again: what nobody needs any more hides the next bug.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "properties/answers/answers.h"
#include "properties/evidence.h"

namespace rehearse::properties {

struct RuleRemark {
  std::size_t rule = 0;  // of the contract's
  std::string
      what;  // "matched nothing", "expired on 2026-10-01 ...", "also covers GET /orders/{}: $.total, which never differed"
  friend bool operator==(const RuleRemark&, const RuleRemark&) = default;
};

// `compared` is what all sections came to, and `day` the one on which it was rehearsed. A rule is remarked on when it was never
// applied, when it has expired, and, of those that ignore, for each place of the oracle's answers that it covers and that
// differed in no comparison: neither between the oracle's runs nor in any candidate.
[[nodiscard]] std::vector<RuleRemark> rule_remarks(const Contract& contract, const replay::History& oracle,
                                                   const std::vector<AnswersCompared>& compared, std::int64_t day);

}  // namespace rehearse::properties
