// Reads two streams of any bytes as HTTP/1.x, in segments and with these cut into small pieces. What is found of messages that
// follow the rules is the same; of others the cut streams show no more than the whole ones.
//
// Input: a byte whose bit 0 says that the capture joined in the middle and whose other bits are the length of the pieces, then
// calls (streams.h); side a is the client.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>

#include "replay/error.h"
#include "replay/fuzz/streams.h"

namespace {

using namespace rehearse::replay;

struct Found {
  std::string text;
  std::multiset<std::string> complete;
  bool regular = true;  // no message had to be looked for, which depends on segments
};

template <typename Message>
std::string text_of(const Message& message) {
  std::string text = "\n";
  for (const auto* fields : {&message.headers, &message.trailers}) {
    for (const Header& each : *fields) text += each.name + ": " + each.value + "\n";
  }
  return text + message.body;
}

Found found_in(const std::vector<fuzz::Call>& calls, bool joined, std::size_t piece) {
  Findings findings;
  Origin origin;
  origin.connection = std::make_shared<Identity>();
  origin.from_start = !joined;
  origin.findings = &findings;
  const Side client = Side::a;
  const auto reader = http1_reader(origin, &client, {});
  Found found;
  found.text = fuzz::found_by(*reader, findings, calls, piece);
  for (const auto& each : findings.exchanges) {
    const Exchange& exchange = each->exchange;
    if (!exchange.complete()) continue;
    found.complete.insert(exchange.request.method + " " + exchange.request.target + text_of(exchange.request) +
                          std::to_string(exchange.response->status) + text_of(*exchange.response));
  }
  const auto count = [&](ByteKind kind) { return findings.bytes[static_cast<std::size_t>(kind)]; };
  found.regular = !joined && count(ByteKind::malformed) + count(ByteKind::unreadable) + count(ByteKind::not_http) +
                                     count(ByteKind::evicted) ==
                                 0;
  for (const auto& each : findings.exchanges) {
    for (const std::string& flag : each->exchange.flags)
      found.regular &=
          flag != flag::malformed && flag != flag::evicted && flag != flag::ambiguous && flag != flag::no_request;
  }
  for (const auto& [remark, times] : findings.remarks) found.regular &= !remark.starts_with("roles");
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto calls = fuzz::calls_of({reinterpret_cast<const char*>(data) + 1, size - 1});
  const bool joined = (data[0] & 1) != 0;
  const Found whole = found_in(calls, joined, SIZE_MAX);
  const Found pieces = found_in(calls, joined, 1 + (data[0] >> 1));
  const bool gaps = std::any_of(calls.begin(), calls.end(), [](const fuzz::Call& call) { return call.lost; });
  if (whole.regular && pieces.regular && !gaps) ENSURE(whole.text == pieces.text);
  ENSURE(gaps || joined || !whole.regular || pieces.regular);
  return 0;
}
