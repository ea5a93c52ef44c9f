// Values that a server made, followed from the answer that gave them to the requests that use them.
//
// A use is believed only when the value was first seen in an answer, never before in a request, and is not a small number or
// a word that anybody could have chosen; integers are believed only from answers to writes. What it leaves out: values inside
// other values (a token within a cookie's value, a JWT's claims), and integers under names that do not say that they are ids.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "replay/exchange.h"
#include "replay/plan.h"

namespace rehearse::replay {

// Shorter strings are words rather than identifiers.
inline constexpr std::size_t min_bound_string_bytes = 8;
// Smaller integers are counts and quantities rather than identifiers.
inline constexpr std::int64_t min_bound_integer = 100;

// Finds uses while exchanges are shown to it in order of time.
class BindingFinder {
 public:
  // The uses in this request of values that earlier answers gave. Call before `answered` of the same exchange.
  [[nodiscard]] std::vector<Use> uses_in(const Request& request);
  // Shows the answer that `step` got; `wrote` when the request is believed to have changed something.
  void answered(StepId step, bool wrote, const Response& response);

 private:
  struct Source {
    StepId step;
    Place place;
  };
  void offer(StepId step, const Place& place, const std::string& value);

  std::unordered_map<std::string, Source> sources_;
  std::unordered_set<std::string> chosen_by_clients_;  // values seen in a request before any answer had them
};

// True when `key` ends in that word, written small, as a word of its own: "order_key", "orderKey", "order-key", "key" and their
// plurals end in "key"; "monkey" does not.
[[nodiscard]] bool ends_in_word(std::string_view key, std::string_view word);
// True for names of identifiers: "id", "order_id", "orderId", "uuid"; not for "paid", "valid" or "grid".
[[nodiscard]] bool names_an_id(std::string_view key);

// The value at `place` in a message; nothing when it is not there.
[[nodiscard]] std::optional<std::string> value_at(const Response& response, const Place& place);
[[nodiscard]] std::optional<std::string> value_at(const Request& request, const Place& place);

// Puts `value` in the place of `old`. The message is left as it is, byte for byte, when both are the same.
void put(Request& request, const Place& place, const std::string& old, const std::string& value);

}  // namespace rehearse::replay
