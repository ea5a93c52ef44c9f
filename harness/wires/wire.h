// A wire of the system under test, with us in the middle: listens where a service was told that its database or neighbour is, passes
// everything on, and does what rules say.
//
// One thread a wire, and nothing outside this process: when it ends, however it ends, its connections end with it. What is encrypted
// cannot be read: PostgreSQL clients are told that there is no TLS here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/wires/rule.h"
#include "replay/http/message.h"

namespace rehearse::harness {

struct WireSettings {
  std::string name;    // "new-database", "legacy-database", "legacy", "client", "flag"
  std::string listen;  // "127.0.0.1:6432"
  std::string to;      // "127.0.0.1:5432", or the path of a Unix socket
  [[nodiscard]] WireProtocol protocol() const {
    return name.ends_with("-database") ? WireProtocol::postgres : WireProtocol::http;
  }
};

// A statement or a request that came over a wire.
struct WireMessage {
  int connection = 0;      // from 1, in the order in which they were opened
  std::int64_t at_ns = 0;  // wall clock
  std::string words;       // "INSERT INTO orders (id", "POST /orders"
  std::optional<replay::Request> request;
};

struct WireEvidence {
  std::vector<WireMessage> messages;
  bool whole = true;  // false: more came than is kept, or something that could not be read
};

class Wire {
 public:
  // Listens. Throws Error when the address is taken or none, or nobody can be where it leads.
  explicit Wire(const WireSettings& settings);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // Arms a rule, and returns when every later message will meet it; or releases or awaits, at most max_await.
  void apply(const WireRule& rule);
  static constexpr std::chrono::milliseconds max_await{500};

  // Disarms all rules; what is held goes on, black holes end. Returns a sentence for each rule that met nothing or did not end properly.
  std::vector<std::string> mend();

  // What came since the last call.
  [[nodiscard]] WireEvidence take_evidence();

  [[nodiscard]] const WireSettings& settings() const;

  struct State;  // of the implementation

 private:
  std::unique_ptr<State> state_;
};

}  // namespace rehearse::harness
