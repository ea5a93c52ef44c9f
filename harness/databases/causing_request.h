// Which request of a history caused a commit.
//
// By bracket: the write that was under way when it committed, when there was but one. Where several were: the one of them whose path, Location
// or answer names the row. Where the server kept no time of the commit: the last acknowledged write that names the row. A commit while
// none was under way was caused by something else, and that is said.
#pragma once

#include <string>
#include <vector>

#include "replay/history.h"

namespace rehearse::harness {

// In words, with how it is known; empty when nothing tells. `committed_at` is a time as the server prints it in UTC, or empty.
[[nodiscard]] std::string causing_request(const std::vector<replay::History>& histories,
                                          const std::string& committed_at, const std::string& key);

}  // namespace rehearse::harness
