// A trial that failed, for a person: the two facts, who did what when on which lane with both databases beside it, and how to do it
// again.
#pragma once

#include <string>

#include "properties/plans/trial.h"

namespace rehearse::reports {

// A line an event, a column a lane, with the flag and what is broken on the left and the commits of both databases on the right.
[[nodiscard]] std::string swim_lanes(const properties::Trial& trial);

// The contradictions, each as two facts.
[[nodiscard]] std::string facts(const properties::Judgement& judgement);

// A shell script of curl commands, one step after the other, with the cues as comments. What an answer gave is taken out of it again by
// jq where a later step needs it. `target` is the new service.
[[nodiscard]] std::string curl_script(const properties::Trial& trial, const std::string& target);

}  // namespace rehearse::reports
