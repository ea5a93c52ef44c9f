#include "properties/plans/dice.h"

#include <rapidcheck/Random.h>

namespace rehearse::properties {

Dice::Dice(std::uint64_t seed) : random_(std::make_unique<rc::Random>(seed)) {}
Dice::~Dice() = default;

std::uint64_t Dice::next() { return random_->next(); }

std::size_t Dice::weighted(const std::vector<double>& weights) {
  double sum = 0;
  for (const double weight : weights) sum += weight;
  double at = sum * (static_cast<double>(next() >> 11) / 9007199254740992.0);
  for (std::size_t i = 0; i + 1 < weights.size(); ++i) {
    if (at < weights[i]) return i;
    at -= weights[i];
  }
  for (std::size_t i = weights.size(); i-- > 0;)
    if (weights[i] > 0) return i;
  return 0;
}

}  // namespace rehearse::properties
