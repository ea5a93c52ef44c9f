// One request and its answer as they were captured, and everything that was captured together.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "replay/http/message.h"

namespace rehearse::replay {

struct Exchange {
  std::int64_t id = 0;          // position in the traffic, from 1, in the order of `request_ns`
  std::int64_t connection = 0;  // which connection, from 1
  std::int64_t index = 0;       // position within the connection, from 0
  std::string client;           // "127.0.0.1:51544"
  std::string server;
  std::int64_t request_ns = 0;       // capture time of the first byte of the request, since the epoch
  std::int64_t request_end_ns = 0;   // ... of its last byte
  std::int64_t response_ns = 0;      // ... of the first byte of the answer; 0 without an answer
  std::int64_t response_end_ns = 0;  // ... of its last byte
  Request request;
  std::optional<Response> response;
  std::vector<std::string>
      flags;  // why it is not to be trusted: "truncated", "gap", "no response", ...; empty when complete

  [[nodiscard]] bool complete() const { return flags.empty() && response.has_value(); }
};

// What a capture held and what became of it: every packet and every byte of TCP payload is in exactly one class (G16).
struct Certificate {
  std::map<std::string, std::int64_t> packets;  // by class: "tcp", "not ip", "not tcp", "truncated", ...
  std::map<std::string, std::int64_t>
      bytes;  // TCP payload by class: "in exchanges", "duplicate", "not http", "gap", ...
  std::map<std::string, std::int64_t> exchanges;  // by class: "complete" or the flag
  std::int64_t connections = 0;
  std::vector<std::string> notes;  // one sentence each: "the last record is truncated: ..."
};

struct Traffic {
  std::vector<Exchange> exchanges;  // in the order of `request_ns`
  Certificate certificate;
};

}  // namespace rehearse::replay
