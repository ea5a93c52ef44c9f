#include "properties/answers/noise.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace rehearse::properties {

std::string_view name_of(NoiseVerdict verdict) {
  static constexpr std::array<std::string_view, 4> names{"stable", "noise", "broken", "undecided"};
  return names[static_cast<std::size_t>(verdict)];
}

// Summed from the smallest term on, in logarithms: a half to the thousandth is no double's smallest worry.
double at_least_by_chance(std::int64_t successes, std::int64_t trials) {
  if (successes <= 0) return 1;
  double sum = 0;
  const auto n = static_cast<double>(trials);
  for (std::int64_t k = trials; k >= successes; --k) {
    const auto x = static_cast<double>(k);
    sum += std::exp(std::lgamma(n + 1) - std::lgamma(x + 1) - std::lgamma(n - x + 1) - n * std::log(2.0));
  }
  return std::min(sum, 1.0);
}

NoiseDecision decide(const NoiseCounts& counts) {
  NoiseDecision decision;
  const std::int64_t speaking = counts.only_candidate + counts.only_oracle;
  decision.p = at_least_by_chance(counts.only_candidate, speaking);
  if (counts.oracle_differed == 0) {
    decision.verdict = counts.candidate_differed == 0 ? NoiseVerdict::noise : NoiseVerdict::stable;
  } else if (counts.only_candidate == 0) {
    decision.verdict = NoiseVerdict::noise;
  } else if (decision.p < broken_below) {
    decision.verdict = NoiseVerdict::broken;
  } else if (speaking >= speaking_answers_needed && decision.p >= noise_above) {
    decision.verdict = NoiseVerdict::noise;
  } else {
    decision.verdict = NoiseVerdict::undecided;
    // Twice as many where there were enough: which side it falls on is what is not known.
    const std::int64_t wanted =
        std::max(speaking_answers_needed, speaking >= speaking_answers_needed ? 2 * speaking : 0);
    decision.needed = (wanted * counts.compared + speaking - 1) / speaking;
  }
  return decision;
}

std::string in_words(const NoisePath& path) {
  const NoiseCounts& c = path.counts;
  std::string text = fmt::format(
      "{}: {} differed from the oracle in {} of {} answers, in {} of which the oracle's runs agreed; the oracle's runs "
      "differed there in {}",
      path.route, path.path, c.candidate_differed, c.compared, c.only_candidate, c.oracle_differed);
  if (path.decision.verdict == NoiseVerdict::undecided)
    text += fmt::format("; whether it is noise cannot be told, it needs n >= {} answers of the route",
                        path.decision.needed);
  return text;
}

}  // namespace rehearse::properties
