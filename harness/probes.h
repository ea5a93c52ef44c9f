// The requests that nobody captured: what a rehearsal asks besides the plan, made from the plan and the histories so far.
#pragma once

#include <string>
#include <vector>

#include "harness/configuration.h"
#include "replay/history.h"
#include "replay/plan.h"

namespace rehearse::harness {

// How many of each kind are sent: enough to see every route, few enough to cost no time.
inline constexpr std::size_t max_read_backs = 60;
inline constexpr std::size_t max_direct_requests = 40;
inline constexpr std::size_t max_provoking_requests = 6;
inline constexpr std::size_t max_traced_refusals = 12;

// Reads of what the histories' acknowledged writes made, changed and deleted, newest first, and some of their lists.
[[nodiscard]] replay::Plan read_back_of(const std::vector<const replay::History*>& histories);

// One request of each business route of the plan, writes first, or writes only; none that the oracle answered with 405 or 501,
// for those are no operations.
[[nodiscard]] replay::Plan one_of_each_route(const Configuration& configuration, const replay::Plan& plan,
                                             const replay::History& oracle, bool writes_only);

// One write of each route whose method says that a second one may have a second effect (POST, PATCH), of those that the oracle
// acknowledged and that use no value of an earlier answer: sent alone to a restored database, each has something to do.
[[nodiscard]] replay::Plan not_idempotent_of(const Configuration& configuration, const replay::Plan& plan,
                                             const replay::History& oracle);

// Writes that the history shows as refused (4xx, or the declared refusal), one of each route and status.
[[nodiscard]] std::vector<replay::Record> refusals_of(const Configuration& configuration,
                                                      const replay::History& history);

// The plan's reads alone.
[[nodiscard]] replay::Plan reads_of(const replay::Plan& plan);

// The plan with a cue in it that starts when the first third is over. The second third goes on beside it, the last waits for
// its end: whatever the cue does, there are requests before it, during it and behind it.
[[nodiscard]] replay::Plan with_cue_amid(replay::Plan plan, const std::string& cue);

}  // namespace rehearse::harness
