// Traffic to plan: which captured exchanges are sent, in which causal order, with which values rebound.
//
// The order is the one in which the capture began its requests, made partial: reads of different connections that stand
// between the same two writes stay concurrent; a write waits for everything before it and everything after it waits for it.
// So a plan has one expected final state, which is what lets a judge say that a store lost something. What this leaves out:
// writes that overlapped in the capture are played one after the other.
#pragma once

#include <functional>
#include <string_view>

#include "replay/exchange.h"
#include "replay/plan.h"

namespace rehearse::replay {

// True when a request is believed to change nothing.
using IsRead = std::function<bool(std::string_view method, std::string_view path)>;

// Every exchange is a step or is counted in `left_out` by its reason: traffic.exchanges.size() = steps + sum(left_out).
[[nodiscard]] Plan plan_of(const Traffic& traffic, const IsRead& is_read);

}  // namespace rehearse::replay
