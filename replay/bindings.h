// Values that a server made, followed from the answer that gave them to the requests that use them.
//
// A use is believed only when the value was first seen in an answer, never before in a request, and is not a small number, a date
// or a word that anybody could have chosen; integers are believed only from answers to writes, and for the same entity. What it leaves out: values inside
// other values (a JWT's claims), and integers under names that do not say that they are ids.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "replay/plan.h"
#include "replay/values.h"

namespace rehearse::replay {

// Shorter strings are words rather than identifiers.
inline constexpr std::size_t min_bound_string_bytes = 8;
// Smaller integers are counts and quantities rather than identifiers.
inline constexpr std::int64_t min_bound_integer = 100;

// Finds uses while exchanges are shown to it in order of time.
class BindingFinder {
 public:
  // The uses in a request, given by its values, of those that earlier answers gave. Call before `answered` of the same exchange.
  [[nodiscard]] std::vector<Use> uses_in(const std::vector<Value>& request);
  // Shows the answer that `step` got to its request; `wrote` when that is believed to have changed something.
  void answered(StepId step, bool wrote, const Request& request, const Response& response);

 private:
  struct Source {
    StepId step;
    Place place;
  };
  [[nodiscard]] const Source* source_of(const Value& value) const;
  // By digests of the values, because a capture has millions of them; of an integer with the name of its entity: customer 501 is
  // not order 501.
  std::unordered_map<std::uint64_t, Source> sources_;
  std::unordered_map<std::uint64_t, Source> integers_;   // by the value alone
  std::unordered_set<std::uint64_t> chosen_by_clients_;  // values seen in a request before any answer had them
  std::unordered_set<std::uint64_t> collections_;        // names of entities that paths name
};

}  // namespace rehearse::replay
