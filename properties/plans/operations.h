// The operations of an interface, mined from a plan of captured traffic: what they look like, which values stand where in them, and
// which answers make the values that others need. No model is written by hand.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "replay/history.h"
#include "replay/plan.h"

namespace rehearse::properties {

// Which values fit into a place: "order" for what names an order, "email", "status". Places with the same sort exchange values.
using Sort = std::string;

// A place in an operation's requests that can be filled anew.
struct Slot {
  replay::Place at;
  Sort sort;
};

struct Operation {
  std::string name;  // "PATCH /orders/{}"
  bool read = false;
  bool accepted = false;  // in the capture, at least once: else it is no operation but a mistake of a client
  struct Sample {
    std::shared_ptr<const replay::Request> request;
    std::vector<Slot> slots;
    bool accepted = true;  // in the capture; what was never sent may be
  };
  std::vector<Sample> samples;  // requests as they were captured: some that were accepted, and some that were refused
  // Where its answers give values that later requests name: "json:/id" → "order".
  std::map<replay::Place, Sort> makes;
  // Where its answers give amounts, as far as they were seen: what is due, what is left.
  std::set<replay::Place> amounts;
};

// The values of a sort that were seen in requests.
struct Values {
  std::vector<std::string> seen;  // different ones, at most max_values
  std::int64_t times = 0;         // how often any of them was seen
  bool reference = false;         // it names a thing: it stands in paths, or an answer makes it
  // A few words that return: a status, a country. Another text would be refused.
  [[nodiscard]] bool enumeration() const;
};

inline constexpr std::size_t max_samples = 40;
inline constexpr std::size_t max_values = 500;

struct Catalogue {
  std::vector<Operation> operations;  // in the order of their names
  std::map<Sort, Values> values;

  [[nodiscard]] const Operation* named(std::string_view name) const;
  // The operations whose answers make values of that sort.
  [[nodiscard]] std::vector<const Operation*> makers(const Sort& sort) const;
};

// Entity → the sort that paths name it by: what a path calls a "product" may be the "sku" of bodies.
[[nodiscard]] std::map<std::string, Sort> sorts_of_entities(const Catalogue& catalogue);

// Learns from what was answered: which amounts an operation gives.
void learn_amounts(Catalogue& catalogue, const replay::History& played);

// Requests that carry credentials which are masked, and what `wanted` refuses, are no operations.
[[nodiscard]] Catalogue operations_in(const replay::Plan& plan, const std::function<bool(const replay::Step&)>& wanted);

// The slots of a request in the words of that catalogue.
[[nodiscard]] std::vector<Slot> slots_of(const replay::Request& request);

}  // namespace rehearse::properties
