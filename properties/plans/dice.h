// The random choices of a plan, from RapidCheck's generator: the same seed gives the same plan on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace rc {
class Random;
}

namespace rehearse::properties {

class Dice {
 public:
  explicit Dice(std::uint64_t seed);
  ~Dice();
  Dice(const Dice&) = delete;
  Dice& operator=(const Dice&) = delete;

  // In [0, n). REQUIRES: n > 0.
  [[nodiscard]] std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }
  // In [low, high].
  [[nodiscard]] std::size_t between(std::size_t low, std::size_t high) { return low + below(high - low + 1); }
  // True in `percent` of a hundred.
  [[nodiscard]] bool percent(std::size_t percent) { return below(100) < percent; }
  template <class T>
  [[nodiscard]] const T& of(const std::vector<T>& choices) {
    return choices[below(choices.size())];
  }
  // An index, as often as its weight says. REQUIRES: a weight is above 0.
  [[nodiscard]] std::size_t weighted(const std::vector<double>& weights);

 private:
  [[nodiscard]] std::uint64_t next();

  std::unique_ptr<rc::Random> random_;
};

}  // namespace rehearse::properties
