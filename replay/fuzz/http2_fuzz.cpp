// Reads two streams of any bytes as HTTP/2, whole and cut into small pieces: both find the same, and every byte is counted once.
//
// Input: a byte whose bit 0 says that the connection was upgraded, then calls (streams.h); side a is the client.
#include <cstddef>
#include <cstdint>

#include "replay/capture/http2.h"
#include "replay/error.h"
#include "replay/fuzz/streams.h"

namespace {

using namespace rehearse::replay;

std::string found_in(const std::vector<fuzz::Call>& calls, bool upgraded, std::size_t piece) {
  Findings findings;
  Origin origin;
  origin.connection = std::make_shared<Identity>();
  origin.from_start = true;
  origin.findings = &findings;
  const Side client = Side::a;
  Exchange last;
  last.request = {"GET", "/", {{"HTTP2-Settings", "AAEAAQAA"}}, ""};  // a table of 64 KiB
  const auto reader = http2_reader(origin, &client, upgraded ? &last : nullptr);
  return fuzz::found_by(*reader, findings, calls, piece);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto calls = fuzz::calls_of(input.substr(1));
  const bool upgraded = (input[0] & 1) != 0;
  ENSURE(found_in(calls, upgraded, SIZE_MAX) == found_in(calls, upgraded, 3));
  static_cast<void>(looks_like_http2(input.substr(1)));
  return 0;
}
