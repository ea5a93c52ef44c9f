// Reads two streams of any bytes with a key log of any bytes, whole and cut into small pieces: both find the same, and every byte
// is counted once.
//
// Input: a byte whose bit 0 says that the capture joined in the middle and whose bit 1 that the protocol is to be found out, two
// bytes of the key log's length (little-endian), the key log, then calls (streams.h).
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "replay/capture/key_log.h"
#include "replay/capture/tls.h"
#include "replay/error.h"
#include "replay/fuzz/streams.h"

namespace {

using namespace rehearse::replay;

std::string found_in(const std::vector<fuzz::Call>& calls, const KeyLog& keys, int choice, std::size_t piece) {
  Findings findings;
  Origin origin;
  origin.connection = std::make_shared<Identity>();
  origin.from_start = (choice & 1) == 0;
  origin.findings = &findings;
  origin.keys = &keys;
  const auto reader = (choice & 2) != 0 ? conversation(origin, nullptr) : tls_reader(origin);
  return fuzz::found_by(*reader, findings, calls, piece);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t length = std::min<std::size_t>(data[1] | data[2] << 8, size - 3);
  KeyLog keys;
  keys.append(input.substr(3, length));
  keys.finish();
  const auto calls = fuzz::calls_of(input.substr(3 + length));
  const std::string whole = found_in(calls, keys, input[0], SIZE_MAX);
  // What a conversation takes for the beginning of a message depends on segments.
  if ((input[0] & 2) == 0) ENSURE(whole == found_in(calls, keys, input[0], 3));
  return 0;
}
