// Which server-made values of two plays of one plan stand for each other.
//
// Both plays answered the same step; where an acknowledged write's answer gives an identifier (a JSON member whose name ends in
// "id" or "key", or the end of Location), the two values stand for the same thing. It is kept one to one: a value that would
// stand for two is dropped, so that what uses it shows as different rather than as equal.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "replay/history.h"

namespace rehearse::properties {

// observed value → expected value, for values that differ.
using Correspondence = std::unordered_map<std::string, std::string>;

// `observed` are the plays of one world, in their order: what was made in the first is used in the last.
[[nodiscard]] Correspondence correspondence(const replay::History& expected,
                                            const std::vector<const replay::History*>& observed);

// True for names of identifiers: "id", "customer_id", "orderId", "key".
[[nodiscard]] bool names_an_identifier(std::string_view name);

}  // namespace rehearse::properties
