// Which server-made values of two plays of one plan stand for each other: the one notion by which answers and rows are equal although
// two servers made different values.
//
// Both plays answered the same step; two values of the same place stand for the same thing. Identifiers (in answers to acknowledged
// writes a JSON member whose name ends in "id" or "key", or the end of Location) are one numbering for each entity and kept one to
// one, and numbers that ascend in the one ascend in the other: a value that would stand for two is dropped, so that what uses it shows as different rather than as equal, and the two steps
// that contradict each other are a violation. Other values that both plays rebound (ETags, cursors, tokens) need not be one to one: a
// server may give one ETag twice.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "replay/history.h"

namespace rehearse::properties {

class Correspondence {
 public:
  // Identifiers that both plays gave in the same place of their answers to `step`.
  struct Pair {
    std::string entity;  // "order": what it is an identifier of, by replay::entity_name
    std::string expected, observed;
    replay::StepId step = 0;
  };
  // One expected identifier with two observed ones, or two with one.
  struct Violation {
    Pair first, second;
  };

  void add_identifier(Pair pair);
  // The identifier of what the answers to a step created, in the order of the steps.
  void add_created(Pair pair);
  void add_rebound(const std::string& expected, const std::string& observed);

  // True when the texts are the same, or stand for each other.
  [[nodiscard]] bool same(const std::string& expected, const std::string& observed) const;
  // The expected play's identifier for `observed`, which stands where identifiers of `entity` do; where that entity has none such, the
  // one of another entity. Null when there is none or more than one.
  [[nodiscard]] const std::string* identifier_for(const std::string& entity, const std::string& observed) const;
  // In the order in which they were found; of each pair that contradicts an earlier one, the first.
  [[nodiscard]] const std::vector<Violation>& violations() const { return violations_; }
  // Numbers that the expected play gave in ascending order, and the observed one did not: the first two of each entity.
  [[nodiscard]] std::vector<Violation> out_of_order() const;
  // True when no two different values stand for each other.
  [[nodiscard]] bool empty() const;

 private:
  struct Numbering {
    std::unordered_map<std::string, Pair> by_observed, by_expected;
    std::set<std::string> ambiguous;                          // observed
    std::set<std::pair<std::string, std::string>> violating;  // expected, observed
  };
  [[nodiscard]] static const std::string* expected_in(const Numbering& numbering, const std::string& observed);

  std::map<std::string, Numbering> numberings_;            // by entity
  std::set<std::pair<std::string, std::string>> rebound_;  // expected, observed
  std::vector<Violation> violations_;
  struct Created {
    std::vector<Pair> pairs;         // in the order of their steps
    std::set<std::string> expected;  // what is among them
  };
  std::map<std::string, Created> created_;  // by entity
};

// `observed` are the plays of one world, in their order: what was made in the first is used in the last.
[[nodiscard]] Correspondence correspondence(const replay::History& expected,
                                            const std::vector<const replay::History*>& observed);

// True for names of identifiers: "id", "customer_id", "orderId", "key".
[[nodiscard]] bool names_an_identifier(std::string_view name);

}  // namespace rehearse::properties
