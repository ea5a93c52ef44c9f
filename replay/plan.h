// Everything that is sent is a Plan: captured, generated, shrunk or written by hand; one type, one file format.
//
// The file is JSON with a "schema_version"; ARCHITECTURE.md describes it, and this is a whole one:
//
//   {"schema_version": 1, "steps": [
//     {"id": 1, "lane": 1, "request": {"method": "POST", "target": "/orders", "headers": [["Content-Type", "application/json"]],
//                                      "body": "{\"customer_id\": 7}"}},
//     {"id": 2, "cue": "flip shadow", "after": [1]},
//     {"id": 3, "lane": 1, "after": [2], "request": {"method": "GET", "target": "/orders/41"},
//      "uses": [{"at": "path:1", "value": "41", "from": 1, "source": "json:/id"}]}]}
//
// A cause that was found has its reason: "after": [{"step": 1, "cause": "value"}].
//
// What is no UTF-8 stands as base64 under "target_base64", "body_base64", ..., and of a header as ["X-Name", {"base64": "..."}].
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "replay/planned_request.h"

namespace rehearse::replay {

using StepId = std::int64_t;

// A place in a message where a value stands: "path:1" (segment, from 0), "query:cursor", "form:name", "json:/items/0/id" (RFC
// 6901), "header:If-Match", "cookie:sid", "credential:Authorization" (behind the scheme); in answers also "location:1" (segment of
// the Location header's path), "location-query:code" and "set-cookie:sid".
using Place = std::string;

// A value that the server made: captured at `at` in this step's request, given before by the answer of step `from` at `source`.
struct Use {
  Place at;
  std::string value;
  StepId from = 0;
  Place source;
  friend bool operator==(const Use&, const Use&) = default;
};

// Why a step waits for another one, the strongest reason first.
enum class CauseKind : std::uint8_t {
  hand,        // somebody wrote it
  value,       // the answer gave a value that this request uses
  entity,      // both name the same entity, and one of them writes
  session,     // both belong to a session: a cookie, a credential, a configured header
  connection,  // both came over one connection
  write,       // one of them writes: PlannerOptions::one_write_at_a_time
};
[[nodiscard]] std::string_view name_of(CauseKind kind);

struct Cause {
  StepId step = 0;
  CauseKind kind = CauseKind::hand;
  friend bool operator==(const Cause&, const Cause&) = default;
};

// A request, or a cue: a named signal that the player hands to whoever called it.
struct Step {
  StepId id = 0;             // unique within a plan; those of requests ascend
  std::int64_t lane = 0;     // steps of a lane share a connection and keep their order; cues have none
  std::int64_t due_ns = 0;   // when it was sent, from the plan's start
  std::vector<Cause> after;  // the steps that must have ended before it starts; all stand before it
  PlannedRequest request;    // none for a cue
  std::string cue;           // empty for a request
  std::vector<Use> uses;
  std::int64_t exchange = 0;  // the exchange it was captured as; 0 when nobody captured it
  int captured_status = 0;    // of the answer that it got then; 0 when nobody captured it
  bool read = false;          // believed to change nothing
  bool overlaps = false;      // the client sent it before all answers to the lane's earlier steps had come
  bool http2 = false;         // it came over HTTP/2, where answers come in any order (RFC 9113, section 5)
  StepId retry_of = 0;  // the step whose request the client sent again here, with the same Idempotency-Key; else 0
  // It was refused for its credentials when it was captured (401, 403), and is to be refused again: whoever plays it puts no
  // credentials of its own in the place of those that stand in it. Values in `uses` are rebound as in every step.
  bool keep_credentials = false;
  std::vector<Place> masked;  // where data in it is masked, or "body": what a server that checks it may not take
  friend bool operator==(const Step&, const Step&) = default;
};

struct Plan {
  std::vector<Step> steps;
  std::map<std::string, std::int64_t> left_out;  // exchanges that are no steps, by reason
  std::int64_t uses_dropped =
      0;  // values of answers to steps that were filtered out: what was captured is sent in their place
  // What the planner found, before what follows from others was taken out: pairs of steps by the strongest reason.
  std::map<std::string, std::int64_t> causes_found;
};

inline constexpr int plan_schema_version = 1;

[[nodiscard]] std::string to_json(const Plan& plan);
// The same, piece by piece: a plan of a million steps takes gigabytes as one document.
void write_json(const Plan& plan, const std::function<void(std::string_view)>& write);
// Throws Error with one sentence when the text is no plan, a step is after a later one, or the version is unknown.
[[nodiscard]] Plan plan_from_json(const std::string& text);

// Leaves of each pair of steps the strongest reason, and out the causes that others of them waited for, as far as a search of bounded
// length shows that; `after` gives the causes of a step. The latest cause comes first.
[[nodiscard]] std::vector<Cause> reduced(std::vector<Cause> causes,
                                         const std::function<const std::vector<Cause>&(StepId)>& after);

// The steps that `keep` accepts as a plan of their own. What waited for a step that is left out waits for the causes of that one.
// Uses of values that no step gives any more are dropped.
[[nodiscard]] Plan filtered(Plan plan, const std::function<bool(const Step&)>& keep);

// The steps with begin ≤ position < end as a plan of their own; causes outside are dropped, for they are over.
[[nodiscard]] Plan slice(const Plan& plan, std::size_t begin, std::size_t end);

// "/orders/41/items?x=1" → "/orders/{}/items": a name for requests of the same kind. A segment that holds a digit, or is longer
// than 24 bytes, is taken for a value.
[[nodiscard]] std::string route_of(const std::string& method, std::string_view target);

}  // namespace rehearse::replay
