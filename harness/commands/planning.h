// Captures and traffic files to a plan: read, masked, chosen from and planned.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/commands/exchange_filter.h"
#include "harness/configuration.h"
#include "harness/redaction.h"
#include "replay/planner.h"

namespace rehearse::harness {

// Thrown out of a long preparation when the program is to stop: nothing was sent yet.
struct Interrupted {};

struct Planned {
  replay::Plan plan;          // what was not wanted is counted in its `left_out`
  std::int64_t captured = 0;  // exchanges, wanted or not
  std::string redaction;      // what is to be said about it: "masked with the key 1a2b3c4d", "redaction off: REASON"
};

// A traffic file is planned while it is read, in the memory that the plan takes; captures and several files are held in memory.
// Throws Error when a file cannot be read, or when two of them are masked with different keys.
[[nodiscard]] Planned plan_files(const std::vector<std::string>& files, const RedactionSettings& redaction,
                                 const WantedExchanges& wanted, replay::PlannerOptions options);

// The plan of a rehearsal: the configuration's traffic, or another file, with writes one after the other.
[[nodiscard]] Planned plan_for(const Configuration& configuration, const std::string& traffic = "");

// What is to be known before a plan is played, a line each: what was left out and why, what is masked, what is to be refused.
[[nodiscard]] std::string notes_on(const replay::Plan& plan);

}  // namespace rehearse::harness
