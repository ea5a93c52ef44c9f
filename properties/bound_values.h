// Whether the values that a plan takes from answers are what it takes them for, by the two runs of the oracle on one restored
// database.
//
// A use replaces a captured value by the one that this play was given. It can only be seen at work where the two differ. Then:
//
// - confirmed: in both runs the value was given and was another one than captured, and a request with it got the kind of answer that
//   it got when it was captured (success, refusal, failure).
// - refuted: likewise, but each request with it that can tell was refused in both runs although it had succeeded when it was
//   captured, or the other way round. The chain is false: what looked like one value were two. 401, 403, 408 and 429 say nothing
//   about a value that is no credential.
// - unconfirmed: all else. A value that is as captured in a run does no harm and proves nothing.
//
// What it leaves out: where a request uses two values and is refused, it cannot say which of them is to blame; both are refuted
// unless another request speaks for one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "replay/history.h"
#include "replay/plan.h"

namespace rehearse::properties {

enum class Belief { unconfirmed, confirmed, refuted };
[[nodiscard]] std::string_view name_of(Belief belief);

// What the answer to `step` gives at `source`.
struct BoundValue {
  replay::StepId step = 0;
  replay::Place source;
  std::string captured;
  std::int64_t uses = 0;  // requests that hold it
  Belief belief = Belief::unconfirmed;
  friend bool operator==(const BoundValue&, const BoundValue&) = default;
};

// Every value that steps of the plan use, in the order of the steps that give them.
[[nodiscard]] std::vector<BoundValue> bound_values(const replay::Plan& plan, const replay::History& first,
                                                   const replay::History& second);

// The plan without the uses of values that were refuted: their requests go out as captured. What waited for them waits still, for the
// capture proves that order.
[[nodiscard]] replay::Plan without_refuted(replay::Plan plan, const std::vector<BoundValue>& values);

}  // namespace rehearse::properties
