#include "properties/latency/hdr_log.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <bit>

#include "replay/base64.h"
#include "replay/error.h"

namespace rehearse::properties {
namespace {

// Cookies of the V2 form and of its compressed one; the fifth bit says that counts are LEB128.
constexpr std::uint32_t plain_cookie = 0x1c849303 | 0x10;
constexpr std::uint32_t compressed_cookie = 0x1c849304 | 0x10;

template <class Unsigned>
void put_big_endian(std::string& out, Unsigned value) {
  for (int shift = static_cast<int>(sizeof value) * 8 - 8; shift >= 0; shift -= 8)
    out += static_cast<char>((value >> shift) & 0xff);
}

// Seven bits a byte, the lowest first, the ninth byte whole.
void put_zigzag(std::string& out, std::int64_t value) {
  auto left = (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
  for (int i = 0; i < 8; ++i) {
    if (left < 0x80) {
      out += static_cast<char>(left);
      return;
    }
    out += static_cast<char>((left & 0x7f) | 0x80);
    left >>= 7;
  }
  out += static_cast<char>(left);
}

std::string deflated(const std::string& bytes) {
  std::string out(compressBound(bytes.size()), '\0');
  uLongf size = out.size();
  ENSURE(compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()),
                   bytes.size(), Z_DEFAULT_COMPRESSION) == Z_OK);
  out.resize(size);
  return out;
}

std::string tag_of(std::string tag) {
  std::replace_if(
      tag.begin(), tag.end(), [](char c) { return c == ',' || static_cast<unsigned char>(c) <= ' '; }, '_');
  return tag;
}

}  // namespace

std::string encoded(const Histogram& histogram) {
  std::string counts;
  std::int64_t zeros = 0;
  for (const std::uint64_t count : histogram.counts()) {
    if (count == 0) {
      ++zeros;
      continue;
    }
    if (zeros > 0) put_zigzag(counts, zeros == 1 ? 0 : -zeros);
    zeros = 0;
    put_zigzag(counts, static_cast<std::int64_t>(count));
  }
  std::string plain;
  put_big_endian(plain, plain_cookie);
  put_big_endian(plain, static_cast<std::uint32_t>(counts.size()));
  put_big_endian(plain, std::uint32_t{0});  // normalizing index offset
  put_big_endian(plain, static_cast<std::uint32_t>(histogram.digits()));
  put_big_endian(plain, std::uint64_t{1});  // lowest value that is told apart
  put_big_endian(plain, static_cast<std::uint64_t>(std::max<std::int64_t>(histogram.largest(), 2)));
  put_big_endian(plain, std::bit_cast<std::uint64_t>(1.0));  // integer to double
  plain += counts;
  const std::string packed = deflated(plain);
  std::string out;
  put_big_endian(out, compressed_cookie);
  put_big_endian(out, static_cast<std::uint32_t>(packed.size()));
  return replay::base64(out + packed);
}

std::string hdr_log(std::int64_t began_ns, const std::vector<LoggedInterval>& intervals) {
  const double began = static_cast<double>(began_ns) / 1e9;
  std::string out = "#[Histogram log format version 1.3]\n";
  out += fmt::format("#[StartTime: {:.3f} (seconds since epoch)]\n", began);
  out += "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";
  for (const LoggedInterval& interval : intervals) {
    out += fmt::format("Tag={},{:.3f},{:.3f},{:.3f},{}\n", tag_of(interval.tag), interval.at_seconds, interval.seconds,
                       static_cast<double>(interval.values.largest()) / 1e6, encoded(interval.values));
  }
  return out;
}

}  // namespace rehearse::properties
