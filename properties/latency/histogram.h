// Counts of durations in log-linear classes: mergeable, of constant relative error, and with no upper end.
//
// The classes are those of HdrHistogram (hdrhistogram.org) with a unit of one: below 2·H each value has its own, and every further
// power of two is cut into H of equal width, H = 16, 128, 1024, 16384 or 131072 for one to five significant decimal digits. A class is
// at most 1/H as wide as the values in it, so that what `quantile` gives exceeds the exact one by less than one part in H. The table
// grows with the largest value, and nothing is cut off or dropped. Export without loss: hdr_log.h.
#pragma once

#include <cstdint>
#include <vector>

namespace rehearse::properties {

class Histogram {
 public:
  // REQUIRES: 1 ≤ digits ≤ 5.
  explicit Histogram(int digits);

  // The fewest digits whose error is at most `relative_error`; 5 when none is that small.
  [[nodiscard]] static int digits_for(double relative_error);
  // Of a budget that is judged: a twentieth of it, so that a budget of 10 % is not blurred by more than half a percent.
  [[nodiscard]] static int digits_for_budget(double budget) { return digits_for(budget / 20); }

  // A negative value counts as 0: a clock that went back is no duration.
  void add(std::int64_t value, std::uint64_t times = 1);
  // REQUIRES: the same digits.
  void add(const Histogram& other);

  [[nodiscard]] int digits() const { return digits_; }
  [[nodiscard]] double error() const;
  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::int64_t largest() const { return largest_; }
  // The largest value of the class in which the nearest-rank quantile lies, at most the largest value seen; 0 of nothing.
  [[nodiscard]] std::int64_t quantile(double q) const;

  // By class; nothing but zeros beyond the end.
  [[nodiscard]] const std::vector<std::uint64_t>& counts() const { return counts_; }
  // The largest value of a class.
  [[nodiscard]] std::int64_t upper_end(std::size_t index) const;

 private:
  [[nodiscard]] std::size_t class_of(std::uint64_t value) const;

  int digits_;
  unsigned bits_;  // H = 2^bits
  std::vector<std::uint64_t> counts_;
  std::uint64_t total_ = 0;
  std::int64_t largest_ = 0;
};

}  // namespace rehearse::properties
