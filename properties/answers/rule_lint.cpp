#include "properties/answers/rule_lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "properties/answers/limits.h"
#include "properties/answers/media.h"
#include "properties/answers/path.h"

namespace rehearse::properties {
namespace {

// "GET /orders/{}" → the paths that differed in any comparison.
using Drifted = std::map<std::string, std::set<std::string>>;

// The paths of an answer that rules can name, without indices.
std::set<std::string> places_of(const replay::Record& record) {
  std::set<std::string> places;
  for (const auto& header : record.response.headers) places.insert("header " + header.name);
  const auto body = replay::decoded_body(record.response.headers, record.response.body, answer_limits::body_bytes);
  if (!body || body->empty()) return places;
  const Media media = media_of(record.response.headers, *body);
  Tree tree;
  if (take_apart(media, record.response.headers, *body, tree)) return places;
  each_leaf(tree, root_of(media), [&](const std::string& leaf) { places.insert(leaf); });
  return places;
}

// A pattern with indices names no place that is written without them: it is compared as if it had none, too.
Path indexless(Path path) {
  for (Segment& segment : path) {
    if (segment.kind == Segment::Kind::index) segment = {Segment::Kind::any_index, "", 0};
  }
  return path;
}

// Both are patterns: [*] covers [*].
bool covers_pattern(const Path& rule, const Path& place) {
  if (rule.size() > place.size()) return false;
  for (std::size_t i = 0; i < rule.size(); ++i) {
    const bool any = rule[i].kind == Segment::Kind::any_name && place[i].kind == Segment::Kind::name;
    if (!any && !(rule[i] == place[i])) return false;
  }
  return true;
}

// True when the place, or one that it lies in or holds, differed.
bool drifted_at(const std::set<std::string>& drifted, const Path& place) {
  return std::any_of(drifted.begin(), drifted.end(), [&](const std::string& text) {
    const auto other = path_from(text);
    return other && (covers_pattern(*other, place) || covers_pattern(place, *other));
  });
}

}  // namespace

std::vector<RuleRemark> rule_remarks(const Contract& contract, const replay::History& oracle,
                                     const std::vector<AnswersCompared>& compared, std::int64_t day) {
  const auto& rules = contract.answer_rules;
  std::vector<RuleRemark> remarks;
  if (rules.empty()) return remarks;
  std::vector<std::int64_t> hits(rules.size(), 0);
  Drifted drifted;
  for (const AnswersCompared& each : compared) {
    for (std::size_t i = 0; i < std::min(hits.size(), each.rule_hits.size()); ++i) hits[i] += each.rule_hits[i];
    for (const auto& [route, paths] : each.drifted) {
      for (const auto& [path, count] : paths) drifted[route].insert(path);
    }
  }
  std::map<std::string, std::set<std::string>> places;  // by route; read once, and only when a rule ignores something
  const auto read_places = [&] {
    if (!places.empty()) return;
    for (const auto& record : oracle.records) {
      if (record.outcome != replay::Outcome::answered) continue;
      places[replay::route_of(record.request.method, record.request.target)].merge(places_of(record));
    }
  };
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const AnswerRule& rule = rules[i];
    if (const auto last = day_in(rule.expires); last && *last < day) {
      remarks.push_back({i, fmt::format("expired on {} and is not applied any more", rule.expires)});
      continue;
    }
    if (hits[i] == 0) {
      remarks.push_back({i, "matched nothing"});
      continue;
    }
    if (rule.kind != AnswerRule::Kind::ignore) continue;
    read_places();
    const Path pattern = indexless(*path_from(rule.path));
    for (const auto& [route, all] : places) {
      if (!rule.route.empty() && rule.route != route) continue;
      for (const std::string& text : all) {
        const auto place = path_from(text);
        if (place && covers_pattern(pattern, *place) && !drifted_at(drifted[route], *place))
          remarks.push_back({i, fmt::format("also covers {}: {}, which never differed", route, text)});
      }
    }
  }
  return remarks;
}

}  // namespace rehearse::properties
