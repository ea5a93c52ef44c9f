// The random choices of a plan, from RapidCheck's generator: the same seed gives the same plan on every machine.
#pragma once

#include <rapidcheck/Random.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rehearse::properties {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}

  // In [0, n). REQUIRES: n > 0.
  [[nodiscard]] std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_.next() % n); }
  // In [low, high].
  [[nodiscard]] std::size_t between(std::size_t low, std::size_t high) { return low + below(high - low + 1); }
  // True in `percent` of a hundred.
  [[nodiscard]] bool percent(std::size_t percent) { return below(100) < percent; }
  template <class T>
  [[nodiscard]] const T& of(const std::vector<T>& choices) {
    return choices[below(choices.size())];
  }
  // An index, as often as its weight says. REQUIRES: a weight is above 0.
  [[nodiscard]] std::size_t weighted(const std::vector<double>& weights) {
    double sum = 0;
    for (const double weight : weights) sum += weight;
    double at = sum * (static_cast<double>(random_.next() >> 11) / 9007199254740992.0);
    for (std::size_t i = 0; i + 1 < weights.size(); ++i) {
      if (at < weights[i]) return i;
      at -= weights[i];
    }
    for (std::size_t i = weights.size(); i-- > 0;)
      if (weights[i] > 0) return i;
    return 0;
  }

 private:
  rc::Random random_;
};

}  // namespace rehearse::properties
