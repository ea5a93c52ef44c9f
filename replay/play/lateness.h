// How late requests left, as counts in classes that are at most 1/32 wide: mergeable, and of constant size.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace rehearse::replay {

class Lateness {
 public:
  void add(std::int64_t ns) {
    ++counts_[class_of(ns < 0 ? 0 : static_cast<std::uint64_t>(ns))];
    ++total_;
    if (ns > largest_) largest_ = ns;
  }
  void add(const Lateness& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    if (other.largest_ > largest_) largest_ = other.largest_;
  }
  // The smallest value that at least `share` of all do not exceed, in ns; 0 of nothing.
  [[nodiscard]] std::int64_t quantile(double share) const {
    std::int64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > 0 && static_cast<double>(seen) >= share * static_cast<double>(total_))
        return static_cast<std::int64_t>(upper_end(i)) < largest_ ? static_cast<std::int64_t>(upper_end(i)) : largest_;
    }
    return largest_;
  }
  [[nodiscard]] std::int64_t largest() const { return largest_; }
  [[nodiscard]] std::int64_t total() const { return total_; }

 private:
  static constexpr unsigned bits = 5;
  static std::size_t class_of(std::uint64_t value) {
    if (value < (1u << bits)) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - bits - 1;
    return (static_cast<std::size_t>(shift + 1) << bits) + ((value >> shift) - (1u << bits));
  }
  static std::uint64_t upper_end(std::size_t index) {
    if (index < (1u << bits)) return index;
    const unsigned shift = static_cast<unsigned>(index >> bits) - 1;
    return (((index & ((1u << bits) - 1)) + (1u << bits) + 1) << shift) - 1;
  }

  std::array<std::int64_t, (64 - bits + 1) << bits> counts_{};
  std::int64_t total_ = 0;
  std::int64_t largest_ = 0;
};

}  // namespace rehearse::replay
