// What a team has declared about answers: places that may differ, how much, and why.
//
// A rule names its places exactly (path.h) and at most one route. It is applied until its day of expiry and not afterwards. What is
// ignored is never called equal: it is counted apart.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "properties/answers/difference.h"
#include "properties/answers/path.h"
#include "properties/answers/tree_compare.h"
#include "properties/answers/typed_values.h"

namespace rehearse::properties {

struct AnswerRule {
  enum class Kind : std::uint8_t { ignore, tolerance, unordered, rename };
  Kind kind = Kind::ignore;
  std::string route;  // "GET /orders/{}", as `rehearse traffic ls` names it; empty: every route
  std::string path;
  // Of a tolerance: "timestamp", "uuid", "duration", "spelling", "within 0.01", "within 1%". Of unordered: the member by which elements
  // stand for each other; empty: their whole value. Of a rename: the candidate's name.
  std::string value;
  std::string reason;
  std::string owner;
  std::string expires;  // "2026-12-31", the last day on which it is applied; empty: never
  friend bool operator==(const AnswerRule&, const AnswerRule&) = default;
};

[[nodiscard]] std::string_view name_of(AnswerRule::Kind kind);
// "ignore GET /orders/{}: $.updated_at".
[[nodiscard]] std::string title_of(const AnswerRule& rule);

struct RuleProblem {
  std::string key;   // of the configuration, that is wrong: "path", "reason", "expires", or the name of the kind
  std::string what;  // "\"items.id\" is no path; ..."
};
// Why it cannot be used; nothing when it can. Refused is also what would hide more than anybody has looked at: a rule that ignores all
// of a body, and a margin that every number is within.
[[nodiscard]] std::optional<RuleProblem> problem_of(const AnswerRule& rule);

// Days since the epoch; nothing when the text is no date such as 2026-12-31.
[[nodiscard]] std::optional<std::int64_t> day_in(std::string_view date);
[[nodiscard]] std::int64_t day_of(std::int64_t wall_clock_ns);

// When the two values of a difference were made.
struct Windows {
  Window expected, observed;
};

// The rules that are in force on a day, by route.
class RuleBook {
 public:
  RuleBook() = default;
  RuleBook(const std::vector<AnswerRule>& rules, std::int64_t day);

  struct Route {
    std::vector<ShapeRule> shapes;
    std::vector<std::size_t> shape_rules;  // whose they are, by index of the rules given
    std::vector<std::pair<Path, std::size_t>> others;
  };
  // Nothing when no rule speaks of the route.
  [[nodiscard]] const Route* of(const std::string& route) const;

  // The rule that ignores the difference, or tolerates it.
  [[nodiscard]] std::optional<std::size_t> excuse(const std::string& route, const Difference& difference,
                                                  const Windows& windows) const;
  [[nodiscard]] const AnswerRule& rule(std::size_t index) const { return rules_[index]; }
  [[nodiscard]] bool empty() const { return routes_.empty() && everywhere_.empty(); }

 private:
  std::vector<AnswerRule> rules_;
  std::vector<std::size_t> everywhere_;
  std::map<std::string, std::vector<std::size_t>> by_route_;
  std::map<std::string, Route> routes_;  // of the routes that rules name
  Route any_;                            // of all others
};

}  // namespace rehearse::properties
