// Everything that happened is a History: one record an exchange, in the order of the plan.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "replay/http/message.h"
#include "replay/plan.h"

namespace rehearse::replay {

enum class Outcome {
  answered,  // a whole answer came
  refused,   // surely without effect: no byte of the request left
  lost,      // perhaps effective: bytes had left when it was cut off, timed out or answered with garbage
};

[[nodiscard]] std::string_view name_of(Outcome outcome);

// Times are nanoseconds on one steady clock, from the beginning of the play.
struct Record {
  StepId step = 0;
  std::int64_t lane = 0;
  std::int64_t due_ns = 0;  // when it could leave: its causes over, its time come
  std::int64_t sent_ns = 0;
  std::int64_t done_ns = 0;
  Outcome outcome = Outcome::lost;
  std::string problem;  // why it was refused or lost
  bool read = false;    // as the plan believed
  Request request;      // as it was sent, values rebound
  Response response;    // when answered
};

// A value of the capture and what the server made in its place during this play.
struct Binding {
  StepId step = 0;  // whose answer gave it
  Place source;
  std::string old;
  std::string value;
  friend bool operator==(const Binding&, const Binding&) = default;
};

// How well the sender kept its times. Lateness is from when a request could leave (`due_ns`) to when it did.
struct Sender {
  std::string scheduling;  // "normal", "real-time (SCHED_FIFO 1)", ...: what was obtained
  unsigned workers = 0;
  std::int64_t late_p50_ns = 0, late_p99_ns = 0, late_max_ns = 0;
  // Why times that were measured say more of the sender than of the service; empty when it kept up, or had no times to keep.
  std::string behind;
  friend bool operator==(const Sender&, const Sender&) = default;
};

struct History {
  std::string name;             // unique within a rehearsal: "oracle 1", "shadow", "live → completed"
  std::string target;           // where it was sent: "http://127.0.0.1:8080"
  std::int64_t began_ns = 0;    // wall clock at the beginning of the play, since the epoch
  std::vector<Record> records;  // in the order of the plan's steps
  std::vector<Binding> bindings;
  std::int64_t sent = 0;     // requests, counted as each was given to its connection and apart from the records
  std::int64_t unbound = 0;  // uses whose producer gave no value: the captured value was sent
  bool interrupted = false;  // steps are missing: the play was stopped
  Sender sender;
};

// The record of a step, or nothing.
[[nodiscard]] const Record* record_of(const History& history, StepId step);

// The request of a record as a curl command that can be pasted, with credentials left out.
[[nodiscard]] std::string curl_line(const Record& record, std::string_view target);

}  // namespace rehearse::replay
