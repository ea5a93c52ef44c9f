#include "properties/latency/histogram.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "replay/error.h"

namespace rehearse::properties {
namespace {

// HdrHistogram takes the power of two that is at least 2·10^digits, and half of it is H.
constexpr std::array<unsigned, 6> half_bits{0, 4, 7, 10, 14, 17};

}  // namespace

Histogram::Histogram(int digits) : digits_(digits), bits_(0) {
  ENSURE(digits >= 1 && digits <= 5);
  bits_ = half_bits[static_cast<std::size_t>(digits)];
}

int Histogram::digits_for(double relative_error) {
  int digits = 1;
  while (digits < 5 && Histogram(digits).error() > relative_error) ++digits;
  return digits;
}

double Histogram::error() const { return 1.0 / static_cast<double>(1u << bits_); }

std::size_t Histogram::class_of(std::uint64_t value) const {
  const std::uint64_t half = std::uint64_t{1} << bits_;
  if (value < half) return value;
  const auto shift = static_cast<unsigned>(std::bit_width(value)) - bits_ - 1;
  return (static_cast<std::size_t>(shift + 1) << bits_) + ((value >> shift) - half);
}

std::int64_t Histogram::upper_end(std::size_t index) const {
  const std::uint64_t half = std::uint64_t{1} << bits_;
  if (index < half) return static_cast<std::int64_t>(index);
  const auto shift = static_cast<unsigned>(index >> bits_) - 1;
  return static_cast<std::int64_t>((((index & (half - 1)) + half + 1) << shift) - 1);
}

void Histogram::add(std::int64_t value, std::uint64_t times) {
  if (times == 0) return;
  value = std::max<std::int64_t>(value, 0);
  const std::size_t index = class_of(static_cast<std::uint64_t>(value));
  if (index >= counts_.size()) counts_.resize(index + 1);
  counts_[index] += times;
  total_ += times;
  largest_ = std::max(largest_, value);
}

void Histogram::add(const Histogram& other) {
  ENSURE(digits_ == other.digits_);
  if (other.counts_.size() > counts_.size()) counts_.resize(other.counts_.size());
  for (std::size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
  total_ += other.total_;
  largest_ = std::max(largest_, other.largest_);
}

std::int64_t Histogram::quantile(double q) const {
  if (total_ == 0) return 0;
  const double rank = std::clamp(std::ceil(q * static_cast<double>(total_) - 1e-9), 1.0, static_cast<double>(total_));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (static_cast<double>(seen) >= rank) return std::min(upper_end(i), largest_);
  }
  return largest_;
}

}  // namespace rehearse::properties
