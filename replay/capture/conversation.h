// Finds out what a connection speaks, by looking at its first bytes and never at its port, and lets the protocol's reader cut
// it into exchanges.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "replay/capture/stream.h"
#include "replay/exchange.h"

namespace rehearse::replay {

class KeyLog;

// One connection; the number that people see is given when its first exchange is written.
struct Identity {
  std::int64_t born = 0;    // the number of the packet that began it
  std::int64_t number = 0;  // from 1
};

// An exchange that was cut. Until `released` more can be learnt of it, such as a retransmission with other bytes.
struct Finished {
  bool released = false;  // in front: it is looked at together with the count of those who hold it
  std::shared_ptr<Identity> connection;
  Exchange exchange;
};

// Where readers put what they find. One for each shard of the connections.
struct Findings {
  std::vector<std::shared_ptr<Finished>> exchanges;  // in the order in which they were finished
  ByteCounts bytes{};
  std::map<std::string, std::int64_t, std::less<>>
      remarks;                     // "interim answers", "conflict after the exchange was written"
  std::vector<std::string> notes;  // sentences for people
};

void add_remark(Findings& findings, std::string_view name, std::int64_t times = 1);
// Once, however often it is said.
void add_note(Findings& findings, std::string_view sentence);

// The flag of an exchange that was not whole when its stream ended.
[[nodiscard]] std::string_view flag_of(End how);

// What a reader knows of its connection.
struct Origin {
  std::string a, b;  // the two ends, as text
  std::shared_ptr<Identity> connection;
  std::int64_t started_ns = 0;
  bool from_start = false;       // the handshake was captured
  bool goes_on = false;          // behind its end by a limit: what cannot be read is the rest of what was evicted
  const KeyLog* keys = nullptr;  // for TLS; may be null
  Findings* findings = nullptr;
  int nesting = 0;               // how many protocols this one is within: a tunnel, TLS
  std::int64_t first_index = 0;  // of its exchanges within the connection; a tunnel goes on counting
};

// A reader that can say how much it holds and how old that is.
class ProtocolReader : public StreamReader {
 public:
  // Bytes that are held for messages which are not finished.
  [[nodiscard]] virtual std::size_t held_bytes() const = 0;
  // The capture time of the oldest request that is not finished; INT64_MAX when there is none.
  [[nodiscard]] virtual std::int64_t oldest_ns() const = 0;
};

// `client` is who sent the SYN, when that is known. REQUIRES: what `origin.findings` points to outlives the reader.
[[nodiscard]] std::unique_ptr<ProtocolReader> conversation(const Origin& origin, const Side* client);

// What is not read: counted as `kind` under `remark`, unless that is empty.
[[nodiscard]] std::unique_ptr<ProtocolReader> unread(const Origin& origin, ByteKind kind, std::string_view remark);

// HTTP/1.x (RFC 9112). `upgraded` makes the reader for what follows a 101 or a CONNECT, given the protocol's name ("h2c",
// "connect", ...) and the exchange that ended in it; it may return nothing, which leaves those bytes unread.
using Upgraded =
    std::function<std::unique_ptr<ProtocolReader>(std::string_view protocol, Side client, const Exchange& last)>;
[[nodiscard]] std::unique_ptr<ProtocolReader> http1_reader(const Origin& origin, const Side* client, Upgraded upgraded);

}  // namespace rehearse::replay
