// Values that a server made, followed from the answer that gave them to the requests that use them.
//
// A use is believed only when the value was first seen in an answer, never before in a request, and is not a small number, a date
// or a word that anybody could have chosen. A text such as "EUR-2024" looks made and may be a constant of the service: where its name
// does not say that it identifies something, it is one when answers to two clients hold it that are about different entities, and
// neither request did. Integers are believed only from answers to writes, and for the same entity. What it leaves out: values inside
// other values (a JWT's claims), and integers under names that do not say that they are ids.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <optional>
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

// A value of an answer that later requests may use; of the value itself only digests are kept, because a capture has millions.
struct MadeValue {
  std::uint64_t key = 0;      // of an integer with the name of its entity: customer 501 is not order 501
  std::uint64_t integer = 0;  // of an integer by its digits alone; else 0
  Place place;
  bool doubtful =
      false;  // a text whose name does not say that it identifies anything, and that the request did not hold
};

// Whom an answer was given to and what it was about.
struct About {
  std::uint64_t client = 0;             // a digest of its session, or of its connection where it has none
  std::vector<std::uint64_t> entities;  // digests of what the request named and the answer made
};

// `value` of the answer to `request` as one that its server made, if it is one; `wrote` when the request is believed to have
// changed something. A read shows what was there before; only some of it was made for this client.
[[nodiscard]] std::optional<MadeValue> made_value(const Request& request, bool wrote, const ValueView& value);

// Finds uses while requests and the ends of their answers are shown to it in order of time.
class BindingFinder {
 public:
  // The uses in a request, given by its values, of those that earlier answers gave.
  [[nodiscard]] std::vector<Use> uses_in(const std::vector<Value>& request);
  // Shows what the answer that `step` got was found to have made.
  void answered(StepId step, const std::vector<MadeValue>& made, const About& about);
  // Whether the use was believed before its value was seen to be a constant.
  [[nodiscard]] bool disproved(const Use& use) const;
  [[nodiscard]] bool disproved_any() const { return !constants_.empty(); }

 private:
  struct Source {  // small: there is one for every answer with an ETag
    std::uint32_t step;
    std::uint32_t place;  // in `places_`
  };
  [[nodiscard]] const Source* source_of(const Value& value) const;
  std::uint32_t index_of(const Place& place);

  std::vector<Place> places_;  // few are different
  std::unordered_map<Place, std::uint32_t> place_indices_;
  struct First {
    StepId step;
    About about;
  };
  std::unordered_map<std::uint64_t, First> doubtful_;  // where each doubtful value was seen first
  std::unordered_set<std::uint64_t> constants_;
  boost::unordered_flat_map<std::uint64_t, Source> sources_;
  boost::unordered_flat_map<std::uint64_t, Source> integers_;   // by the value alone
  boost::unordered_flat_set<std::uint64_t> chosen_by_clients_;  // values seen in a request before any answer had them
  boost::unordered_flat_set<std::uint64_t> collections_;        // names of entities that paths name
};

}  // namespace rehearse::replay
