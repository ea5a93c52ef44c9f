// One request and its answer as they were captured, and everything that was captured together.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "replay/http/message.h"

namespace rehearse::replay {

struct Exchange {
  std::int64_t id = 0;          // position in the traffic, from 1, in the order of `request_ns`
  std::int64_t connection = 0;  // which connection, from 1
  std::int64_t index = 0;       // position within the connection, from 0
  std::string client;           // "127.0.0.1:51544"
  std::string server;
  std::int64_t started_ns = 0;       // capture time of the first packet of the connection, since the epoch
  std::int64_t request_ns = 0;       // ... of the first byte of the request
  std::int64_t request_end_ns = 0;   // ... of its last byte
  std::int64_t response_ns = 0;      // ... of the first byte of the answer; 0 without an answer
  std::int64_t response_end_ns = 0;  // ... of its last byte
  Request request;
  std::optional<Response> response;
  std::vector<Response> interim;   // 100, 103, ... in their order (RFC 9110, section 15.2)
  std::vector<std::string> flags;  // what is to be known about it: names of `flag`, in the order of their discovery
  // Where a secret of its request was masked, as a plan names places: "cookie:sid", "json:/card/number"; or "body". Empty when
  // nothing was, and in traffic files that were written before this was recorded.
  std::vector<std::string> masked;
  bool http2 = false;  // it came over HTTP/2

  // True when request and answer were captured whole and belong together for certain.
  [[nodiscard]] bool complete() const;
  void add_flag(std::string_view name);
};

// What can be to say about an exchange. All but the last two make it incomplete.
namespace flag {
inline constexpr std::string_view no_response = "no response";
inline constexpr std::string_view no_request = "no request";
inline constexpr std::string_view gap = "gap";                // bytes of it were not captured
inline constexpr std::string_view cut = "snap length";        // ... because the capture cut its packets
inline constexpr std::string_view truncated = "truncated";    // the stream ended within it
inline constexpr std::string_view reset = "reset";            // ... by an RST
inline constexpr std::string_view unfinished = "unfinished";  // the capture ended within it
inline constexpr std::string_view evicted = "evicted";        // a limit of the import was reached
inline constexpr std::string_view malformed = "malformed";    // its bytes are in the body as they came
inline constexpr std::string_view ambiguous = "ambiguous framing";
inline constexpr std::string_view conflict = "conflicting retransmission";
inline constexpr std::string_view suspect = "pairing suspect";  // behind a gap: another request may own the answer
inline constexpr std::string_view long_body = "body beyond the limit";
inline constexpr std::string_view encrypted = "encrypted";
inline constexpr std::string_view excluded = "excluded";  // by whoever wrote complete = 0 into a traffic file
inline constexpr std::string_view resynchronised = "resynchronised";  // the first behind bytes that could not be read
inline constexpr std::string_view time_backwards = "time went backwards";  // and was set right
}  // namespace flag

// What a capture held and what became of it. Every packet that was read is in exactly one class of `packets`; of the bytes of TCP
// payload, captured + missing = those in exchanges + those skipped for a named reason + those in gaps (G16).
struct Certificate {
  std::map<std::string, std::int64_t> packets;    // by class: "read" is their sum; "tcp", "not ip", ...
  std::map<std::string, std::int64_t> bytes;      // TCP payload: "captured" and "missing (gaps)", then the classes
  std::map<std::string, std::int64_t> exchanges;  // by class: "complete" or the first flag
  std::map<std::string, std::int64_t> remarks;    // what else was seen: "interim answers", "gaps", ...
  std::int64_t connections = 0;                   // with exchanges
  std::vector<std::string> notes;                 // one sentence each: "the last record is truncated: ..."

  // Connections with incomplete exchanges, by their number: how often each flag.
  struct Incomplete {
    std::string client, server;
    std::map<std::string, std::int64_t> flags;
  };
  std::map<std::int64_t, Incomplete> incomplete;
  std::int64_t incomplete_unlisted = 0;  // exchanges of connections beyond `limits::listed_connections`

  // True when the sums above hold.
  [[nodiscard]] bool conserves() const;
  // The largest of these shares: incomplete exchanges of all, missing bytes of those sent, dropped packets of those that came,
  // bytes of the files that could not be read.
  [[nodiscard]] double loss() const;
};

struct Traffic {
  std::vector<Exchange> exchanges;  // in the order of `request_ns`
  Certificate certificate;
};

}  // namespace rehearse::replay
