#include "properties/answers/suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "properties/answers/answers.h"
#include "properties/answers/limits.h"
#include "properties/answers/media.h"
#include "properties/answers/path.h"
#include "properties/correspondence.h"

namespace rehearse::properties {
namespace {

using Kind = Difference::Kind;
using replay::History;

// What was seen at one path, without indices, of one route.
struct Seen {
  std::set<Kind> kinds;
  std::set<std::string> paths;  // with indices
  std::int64_t answers = 0, differences = 0;
  bool moments = true, uuids = true, durations = true, spelling = true;
};

std::string_view plain(std::string_view shown) {
  return shown.size() >= 2 && shown.front() == '"' && shown.back() == '"' ? shown.substr(1, shown.size() - 2) : shown;
}

std::string name_at_end(const std::string& path) {
  const auto parsed = path_from(path);
  return parsed && parsed->back().kind == Segment::Kind::name ? parsed->back().name : "";
}

// How many leaves of the oracle's answers stand at each path, without indices, of each route. Read once, and only when it is asked.
class Leaves {
 public:
  explicit Leaves(const History& oracle) : oracle_(oracle) {}

  std::int64_t at(const std::string& route, const std::string& path) {
    if (counts_.empty()) count();
    return counts_[route][path];
  }

 private:
  void count() {
    Tree tree;
    for (const auto& record : oracle_.records) {
      if (record.outcome != replay::Outcome::answered) continue;
      auto& of_route = counts_[replay::route_of(record.request.method, record.request.target)];
      const auto body = replay::decoded_body(record.response.headers, record.response.body, answer_limits::body_bytes);
      if (!body || body->empty()) continue;
      const Media media = media_of(record.response.headers, *body);
      if (take_apart(media, record.response.headers, *body, tree)) continue;
      each_leaf(tree, root_of(media), [&](const std::string& leaf) { ++of_route[leaf]; });
    }
  }

  const History& oracle_;
  std::map<std::string, std::map<std::string, std::int64_t>> counts_;
};

std::string why_refused(Leaves& leaves, const std::string& route, const std::string& path, const Seen& seen) {
  for (const Kind kind : seen.kinds) {
    if (!is_of_a_value(kind) && kind != Kind::reordered)
      return fmt::format("{}: what is there and what is not cannot be noise; find out why the oracle itself varies",
                         name_of(kind));
  }
  const auto parsed = path_from(path);
  if (!parsed) return "this is no path that a rule could name";
  const bool header = path.starts_with("header ");
  if (parsed->size() == 1 && !header && !seen.kinds.contains(Kind::reordered))
    return "a rule for the root would hide everything in it";
  if (seen.kinds.contains(Kind::reordered) && seen.kinds.size() > 1)
    return "the order varies and values do, too: which element is which cannot be told";
  // Where it is one place, nothing else is covered.
  if (seen.paths.size() > 1 && path.find("[*]") != std::string::npos) {
    const auto all = leaves.at(route, path);
    if (static_cast<double>(seen.differences) < over_broad_below * static_cast<double>(all))
      return fmt::format("over-broad: {} of {} places that it covers differed", seen.differences, all);
  }
  return {};
}

AnswerRule rule_for(const std::string& route, const std::string& path, const Seen& seen) {
  AnswerRule rule;
  rule.route = route;
  rule.path = seen.paths.size() == 1 ? *seen.paths.begin() : path;
  rule.reason = fmt::format("the oracle's own runs differ here in {} answers", seen.answers);
  rule.kind = AnswerRule::Kind::tolerance;
  if (seen.kinds.contains(Kind::reordered)) {
    rule.kind = AnswerRule::Kind::unordered;
  } else if (seen.spelling) {
    rule.value = "spelling";
  } else if (seen.moments) {
    rule.value = "timestamp";
  } else if (seen.uuids) {
    rule.value = "uuid";
  } else if (seen.durations) {
    rule.value = "duration";
  } else {
    rule.kind = AnswerRule::Kind::ignore;
  }
  return rule;
}

class Search {
 public:
  Search(const Contract& contract, const History& oracle, const History& again)
      : contract_(contract), oracle_(oracle), again_(again), leaves_(oracle) {}

  Suggestions run() {
    Suggestions made;
    made.differing = differing(contract_, &seen_);
    for (const auto& [route, paths] : seen_) {
      for (const auto& [path, seen] : paths) {
        if (const auto why = why_refused(leaves_, route, path, seen); !why.empty()) {
          made.refused.push_back({route, path, why});
          continue;
        }
        AnswerRule rule = rule_for(route, path, seen);
        if (const auto problem = problem_of(rule)) {
          made.refused.push_back({route, path, problem->what});
        } else {
          made.rules.push_back(std::move(rule));
        }
      }
    }
    Contract with_rules = contract_;
    with_rules.answer_rules.insert(with_rules.answer_rules.end(), made.rules.begin(), made.rules.end());
    made.settled = made.differing - differing(with_rules, nullptr);
    return made;
  }

 private:
  using SeenByPath = std::map<std::string, std::map<std::string, Seen>>;

  // Answers in which the oracle's runs differ in spite of the contract's rules; and in what.
  std::int64_t differing(const Contract& contract, SeenByPath* seen) const {
    const AnswerComparer comparer(contract, correspondence(oracle_, {&again_}), day_of(again_.began_ns), oracle_.target,
                                  again_.target);
    std::int64_t count = 0;
    for (const auto& record : oracle_.records) {
      const auto* other = replay::record_of(again_, record.step);
      if (other == nullptr || record.outcome != replay::Outcome::answered ||
          other->outcome != replay::Outcome::answered)
        continue;
      const Windows windows{{oracle_.began_ns, oracle_.began_ns + record.done_ns},
                            {again_.began_ns, again_.began_ns + other->done_ns}};
      const auto route = replay::route_of(record.request.method, record.request.target);
      std::set<std::string> here;
      bool differs = false;
      for (const Difference& difference : comparer.differences(record, *other)) {
        if (comparer.rules().excuse(route, difference, windows)) continue;
        differs = true;
        if (seen != nullptr) note((*seen)[route], difference, windows, here);
      }
      count += differs;
    }
    return count;
  }

  static void note(std::map<std::string, Seen>& paths, const Difference& difference, const Windows& windows,
                   std::set<std::string>& here) {
    const auto path = without_indices(difference.path);
    Seen& seen = paths[path];
    seen.kinds.insert(difference.kind);
    seen.paths.insert(difference.path);
    seen.answers += here.insert(path).second;
    ++seen.differences;
    const auto name = name_at_end(path);
    const auto a = plain(difference.expected), b = plain(difference.observed);
    const auto first = moment_in(a), second = moment_in(b);
    seen.moments = seen.moments && first && second && windows.expected.holds(*first) && windows.observed.holds(*second);
    seen.uuids = seen.uuids && is_uuid(a) && is_uuid(b);
    seen.durations = seen.durations && is_duration(name, a) && is_duration(name, b);
    seen.spelling = seen.spelling && difference.kind == Kind::formatting;
  }

  const Contract& contract_;
  const History& oracle_;
  const History& again_;
  Leaves leaves_;
  SeenByPath seen_;
};

}  // namespace

Suggestions suggest_rules(const Contract& contract, const History& oracle, const History& oracle_again) {
  return Search(contract, oracle, oracle_again).run();
}

std::string yaml_of(const Suggestions& suggestions) {
  std::string text = fmt::format("# The oracle's own two runs differ in {} answers; under these rules in {}.\n",
                                 suggestions.differing, suggestions.differing - suggestions.settled);
  if (!suggestions.rules.empty()) text += "answer_rules:\n";
  for (const AnswerRule& rule : suggestions.rules) {
    text += fmt::format("  - route: {}\n    path: {}\n", quoted_json(rule.route), quoted_json(rule.path));
    if (rule.kind == AnswerRule::Kind::tolerance) text += fmt::format("    tolerance: {}\n", quoted_json(rule.value));
    if (rule.kind == AnswerRule::Kind::ignore) text += "    ignore: true\n";
    if (rule.kind == AnswerRule::Kind::unordered) text += "    unordered: true\n";
    text += fmt::format("    reason: {}\n", quoted_json(rule.reason));
  }
  for (const auto& refusal : suggestions.refused) {
    text += fmt::format("# refused: {}: {}\n#   {}\n", quoted_json(refusal.route), quoted_json(refusal.path),
                        quoted_json(refusal.why));
  }
  return text;
}

}  // namespace rehearse::properties
