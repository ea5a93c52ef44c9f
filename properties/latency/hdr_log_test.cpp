#include "properties/latency/hdr_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <map>
#include <random>

#include "replay/base64.h"

namespace rehearse::properties {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// A decoder written from the format's description, one value at a time; it shares nothing with the encoder.
struct Decoded {
  std::int64_t digits = 0, lowest = 0, highest = 0;
  std::map<std::int64_t, std::int64_t> counts;  // by the lowest value of a class
};

std::uint64_t big_endian(const std::string& bytes, std::size_t at, int size) {
  std::uint64_t value = 0;
  for (int i = 0; i < size; ++i)
    value = value * 256 + static_cast<unsigned char>(bytes.at(at + static_cast<std::size_t>(i)));
  return value;
}

Decoded decoded(const std::string& base64) {
  const std::string packed = replay::from_base64(base64);
  EXPECT_EQ(big_endian(packed, 0, 4), 0x1c849314U);
  EXPECT_EQ(big_endian(packed, 4, 4), packed.size() - 8);
  std::string plain(1 << 22, '\0');
  uLongf size = plain.size();
  EXPECT_EQ(uncompress(reinterpret_cast<Bytef*>(plain.data()), &size, reinterpret_cast<const Bytef*>(packed.data()) + 8,
                       packed.size() - 8),
            Z_OK);
  plain.resize(size);
  EXPECT_EQ(big_endian(plain, 0, 4), 0x1c849313U);
  EXPECT_EQ(big_endian(plain, 4, 4), plain.size() - 40);
  EXPECT_EQ(big_endian(plain, 8, 4), 0U);
  EXPECT_EQ(big_endian(plain, 32, 8), 0x3ff0000000000000U) << "the factor 1.0";
  Decoded histogram;
  histogram.digits = static_cast<std::int64_t>(big_endian(plain, 12, 4));
  histogram.lowest = static_cast<std::int64_t>(big_endian(plain, 16, 8));
  histogram.highest = static_cast<std::int64_t>(big_endian(plain, 24, 8));
  std::int64_t needed = 2, sub_buckets = 1;
  for (std::int64_t i = 0; i < histogram.digits; ++i) needed *= 10;
  while (sub_buckets < needed) sub_buckets *= 2;
  std::size_t at = 40;
  std::int64_t index = 0;
  while (at < plain.size()) {
    std::uint64_t zigzag = 0;
    for (int byte = 0; byte < 9; ++byte) {
      const auto next = static_cast<unsigned char>(plain.at(at++));
      if (byte == 8) {
        zigzag |= static_cast<std::uint64_t>(next) << 56;
        break;
      }
      zigzag |= static_cast<std::uint64_t>(next & 0x7f) << (7 * byte);
      if (next < 0x80) break;
    }
    const auto value = static_cast<std::int64_t>(zigzag >> 1) ^ -static_cast<std::int64_t>(zigzag & 1);
    if (value < 0) {
      index -= value;
      continue;
    }
    if (value > 0) {
      // The first bucket has all its sub-buckets, each further one the upper half.
      const std::int64_t half = sub_buckets / 2;
      std::int64_t bucket = index / half - 1, sub = index % half + half;
      if (bucket < 0) {
        bucket = 0;
        sub -= half;
      }
      histogram.counts[sub << bucket] += value;
    }
    ++index;
  }
  return histogram;
}

TEST(HdrLog, AnotherDecoderFindsEveryCount) {
  std::mt19937_64 random(17);
  for (int digits = 1; digits <= 5; ++digits) {
    Histogram histogram(digits);
    for (int i = 0; i < 3000; ++i) histogram.add(static_cast<std::int64_t>(random() >> (random() % 44 + 20)));
    histogram.add(1, 1);
    histogram.add(40'000'000'000, 1'000'000'000'000);
    const Decoded found = decoded(encoded(histogram));
    EXPECT_EQ(found.digits, digits);
    EXPECT_EQ(found.lowest, 1);
    EXPECT_GE(found.highest, histogram.largest());
    std::map<std::int64_t, std::int64_t> expected;
    for (std::size_t i = 0; i < histogram.counts().size(); ++i) {
      if (histogram.counts()[i] > 0)
        expected[i == 0 ? 0 : histogram.upper_end(i - 1) + 1] = static_cast<std::int64_t>(histogram.counts()[i]);
    }
    EXPECT_EQ(found.counts, expected);
  }
}

TEST(HdrLog, HasATaggedLineAnInterval) {
  LoggedInterval interval;
  interval.tag = "shadow, GET /orders/{} new";
  interval.at_seconds = 2.5;
  interval.seconds = 2.5;
  interval.values.add(1'500'000);
  const std::string log = hdr_log(1'700'000'000'250'000'000, {interval});
  EXPECT_THAT(log,
              StartsWith("#[Histogram log format version 1.3]\n#[StartTime: 1700000000.250 (seconds since epoch)]\n"));
  EXPECT_THAT(log, HasSubstr("\nTag=shadow__GET_/orders/{}_new,2.500,2.500,1.500,HISTFAAAA"));
}

}  // namespace
}  // namespace rehearse::properties
