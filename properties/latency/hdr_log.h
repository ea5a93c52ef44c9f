// Histograms as the interval log of HdrHistogram, format 1.3 with V2 encoding, which its viewers and plotters read.
//
// A line an interval: `Tag=shadow GET /orders/{} new,START,LENGTH,MAX,HISTFAAA...`; the histogram is the V2 form (a header of 40 bytes,
// then counts as zigzag LEB128 of at most nine bytes, runs of zeros as one negative number), deflated by zlib behind its own cookie,
// in base64. Values are nanoseconds; MAX is in milliseconds, as HdrHistogram's own log writer gives it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "properties/latency/histogram.h"

namespace rehearse::properties {

struct LoggedInterval {
  std::string tag;                     // commas, blanks and line ends become '_': the format has no way to write them
  double at_seconds = 0, seconds = 0;  // from the beginning of the log
  Histogram values{3};
};

// The histogram alone, encoded and in base64.
[[nodiscard]] std::string encoded(const Histogram& histogram);

// The whole log. `began_ns`: wall clock, since the epoch.
[[nodiscard]] std::string hdr_log(std::int64_t began_ns, const std::vector<LoggedInterval>& intervals);

}  // namespace rehearse::properties
