// The smallest rules that would settle what the oracle itself shows as volatile, for a person to accept.
//
// A rule is proposed for each path of a route at which the values of the oracle's two runs differ: a tolerance where they say what
// they are, `unordered` where only the order differs, else `ignore`; at one index where it is always the same one. Refused, with the reason, is what
// would hide more than was seen: something missing, extra or of another type; a root; and a pattern most of whose places kept still.
// What is proposed has been tried: with these rules the oracle's runs are compared again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "properties/evidence.h"

namespace rehearse::properties {

struct Suggestions {
  std::vector<AnswerRule> rules;
  struct Refusal {
    std::string route, path, why;
    friend bool operator==(const Refusal&, const Refusal&) = default;
  };
  std::vector<Refusal> refused;
  std::int64_t differing = 0;  // answers in which the oracle's runs differ
  std::int64_t settled = 0;    // of these, those that no longer do under the rules
};

// A rule is refused when less than this share of the places that it covers differed.
inline constexpr double over_broad_below = 0.5;

// The contract's own rules count as there already.
[[nodiscard]] Suggestions suggest_rules(const Contract& contract, const replay::History& oracle,
                                        const replay::History& oracle_again);

// As YAML to be put into the configuration, refusals as comments.
[[nodiscard]] std::string yaml_of(const Suggestions& suggestions);

}  // namespace rehearse::properties
