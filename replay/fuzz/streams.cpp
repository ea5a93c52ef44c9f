#include "replay/fuzz/streams.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "replay/error.h"

namespace rehearse::replay::fuzz {
namespace {

std::string text_of(const Exchange& exchange) {
  std::string text = exchange.request.method + " " + exchange.request.target + " " + exchange.request.body;
  const auto add = [&](const Headers& fields) {
    for (const Header& each : fields) text += "\n" + each.name + ": " + each.value;
  };
  add(exchange.request.headers);
  add(exchange.request.trailers);
  if (exchange.response) {
    text += "\n" + std::to_string(exchange.response->status) + " " + exchange.response->body;
    add(exchange.response->headers);
    add(exchange.response->trailers);
  }
  for (const std::string& flag : exchange.flags) text += "\n[" + flag + "]";
  return text + "\n";
}

}  // namespace

std::vector<Call> calls_of(std::string_view input) {
  std::vector<Call> calls;
  while (input.size() >= 3) {
    Call call;
    call.from = (input[0] & 1) == 0 ? Side::a : Side::b;
    call.lost = (input[0] & 2) != 0;
    call.conflicts = (input[0] & 4) != 0;
    const auto length =
        static_cast<std::size_t>(static_cast<unsigned char>(input[1]) | static_cast<unsigned char>(input[2]) << 8);
    input.remove_prefix(3);
    if (call.lost) {
      call.bytes.resize(std::max<std::size_t>(length, 1));
    } else {
      call.bytes = input.substr(0, length);
      input.remove_prefix(call.bytes.size());
    }
    calls.push_back(std::move(call));
  }
  return calls;
}

std::string input_of(const Call& call) {
  std::string input(1, static_cast<char>(index_of(call.from) | (call.lost ? 2 : 0) | (call.conflicts ? 4 : 0)));
  input += static_cast<char>(call.bytes.size());
  input += static_cast<char>(call.bytes.size() >> 8);
  return call.lost ? input : input + call.bytes;
}

std::string found_by(ProtocolReader& reader, Findings& findings, const std::vector<Call>& calls, std::size_t piece) {
  std::array<std::int64_t, 2> offsets{};
  std::int64_t said = 0, now = 1000;
  for (const Call& call : calls) {
    std::int64_t& offset = offsets[index_of(call.from)];
    ++now;
    for (std::size_t at = 0; at < call.bytes.size() && !call.lost; at += std::min(piece, call.bytes.size() - at)) {
      Piece part;
      part.from = call.from;
      part.offset = offset + static_cast<std::int64_t>(at);
      part.bytes = std::string_view(call.bytes).substr(at, piece);
      part.time_ns = now;
      part.acknowledged = unknown_offset;
      part.segment_start = at == 0;
      const std::string copy(part.bytes);  // the sanitizer sees what is read behind it
      part.bytes = copy;
      reader.take(part);
      said += static_cast<std::int64_t>(part.bytes.size());
    }
    if (call.lost) reader.gap(call.from, offset, static_cast<std::int64_t>(call.bytes.size()), now);
    if (call.conflicts) reader.conflict(call.from, std::max<std::int64_t>(offset - 5, 0), 5);
    offset += static_cast<std::int64_t>(call.bytes.size());
  }
  reader.end(Side::a, End::finished, now);
  reader.end(Side::b, End::finished, now);
  ENSURE(std::accumulate(findings.bytes.begin(), findings.bytes.end(), std::int64_t{0}) == said);
  ENSURE(reader.held_bytes() == 0);
  ENSURE(reader.oldest_ns() == std::numeric_limits<std::int64_t>::max());
  std::string found;
  for (const auto& each : findings.exchanges) {
    ENSURE(!each->exchange.complete() || !each->exchange.request.method.empty());
    ENSURE(each->exchange.response_ns == 0 || each->exchange.response_ns >= each->exchange.request_ns);
    found += text_of(each->exchange);
  }
  for (const auto& [name, times] : findings.remarks) found += name + " " + std::to_string(times) + "\n";
  return found;
}

}  // namespace rehearse::replay::fuzz
