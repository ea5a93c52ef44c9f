// Whether a candidate's answers differ from the oracle's more often than the oracle's differ from themselves, at one path of one route.
//
// The oracle ran twice, the candidate once; each answer of a route is one observation of both. The test is the exact one-sided sign
// test on the answers in which the two comparisons disagree (McNemar's, exact): were the candidate just another run of the oracle,
// an answer in which only the candidate differs would be as likely as one in which only the oracle's second run does, whatever the
// rate of each answer is, so that their number is binomial with one half. Fisher's test is exact for two independent samples of one
// rate each; here both comparisons share the oracle's first run, and some requests are always noisy and others never. A path that
// the oracle changes in two thirds of its answers hides nothing that way: where it kept still, the candidate must too.
//
// A path may have several places in an answer: elements, cells, lines. Places are what is held against each other, for a noisy one says
// nothing of its neighbours; an answer speaks for the side on which alone places differ, and for neither when they do on both.
//
// What it cannot see: a place that the oracle changes in every answer. There type and presence are compared, and nothing else can be.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "properties/answers/typed_values.h"

namespace rehearse::properties {

// A candidate that is like the oracle is called broken once in a thousand paths ...
inline constexpr double broken_below = 0.001;
// ... which takes ten answers at least that speak: a half to the tenth.
inline constexpr std::int64_t speaking_answers_needed = 10;
// Between the two levels nothing is decided: noise is what looks like it, not what could not be shown to be broken.
inline constexpr double noise_above = 0.05;

struct NoiseCounts {
  std::int64_t compared = 0;            // n: answers of the route that the oracle, both times, and the candidate gave
  std::int64_t oracle_differed = 0;     // between the oracle's runs
  std::int64_t candidate_differed = 0;  // between the oracle and the candidate
  std::int64_t only_candidate =
      0;  // of these, where it differed in places in which the oracle's runs agreed, and not conversely
  std::int64_t only_oracle = 0;  // the converse
  friend bool operator==(const NoiseCounts&, const NoiseCounts&) = default;
};

enum class NoiseVerdict : std::uint8_t {
  stable,     // the oracle does not change it: every difference counts
  noise,      // no more often than the oracle itself
  broken,     // more often
  undecided,  // too few answers to tell
};
[[nodiscard]] std::string_view name_of(NoiseVerdict verdict);

struct NoiseDecision {
  NoiseVerdict verdict = NoiseVerdict::stable;
  double p = 1;             // of as many answers in which only the candidate differs, or more, were it like the oracle
  std::int64_t needed = 0;  // undecided: how many answers of the route it takes, at the rates that were seen
};

[[nodiscard]] NoiseDecision decide(const NoiseCounts& counts);

// P(X >= successes) for X binomial with `trials` and one half.
[[nodiscard]] double at_least_by_chance(std::int64_t successes, std::int64_t trials);

// One path of one route at which something was left out or could not be decided.
struct NoisePath {
  std::string route;  // "GET /orders/{}"
  std::string path;   // "$.items[*].updated_at"
  ValueShape shape = ValueShape::none;
  NoiseCounts counts;
  NoiseDecision decision;
};

// "differed in 4 answers in which the oracle's runs agreed, ...; needs 60 answers of the route, and there were 24".
[[nodiscard]] std::string in_words(const NoisePath& path);

}  // namespace rehearse::properties
