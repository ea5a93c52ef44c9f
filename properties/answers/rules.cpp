#include "properties/answers/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>

#include "replay/http/message.h"

namespace rehearse::properties {
namespace {

using Kind = AnswerRule::Kind;

// "within 0.01" and "within 1%".
struct Margin {
  double amount = 0;
  bool relative = false;
};

std::optional<double> number_in(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<Margin> margin_in(std::string_view text) {
  if (!text.starts_with("within ")) return std::nullopt;
  text.remove_prefix(7);
  Margin margin;
  margin.relative = text.ends_with('%');
  if (margin.relative) text.remove_suffix(1);
  const auto amount = number_in(text);
  if (!amount || *amount < 0) return std::nullopt;
  margin.amount = margin.relative ? *amount / 100 : *amount;
  return margin;
}

// A root, or nothing but wildcards behind it; a field of its name is one place.
bool names_everything(const Path& path) {
  const std::string& root = path.front().name;
  if (root.starts_with("header ")) return root.find('*') != std::string::npos;
  return std::all_of(path.begin() + 1, path.end(), [](const Segment& segment) {
    return segment.kind == Segment::Kind::any_name || segment.kind == Segment::Kind::any_index;
  });
}

std::optional<RuleProblem> problem_of_tolerance(const std::string& value) {
  if (value == "timestamp" || value == "uuid" || value == "duration" || value == "spelling") return std::nullopt;
  const auto margin = margin_in(value);
  if (!margin)
    return RuleProblem{"tolerance",
                       fmt::format("{:?} is no tolerance; give timestamp, uuid, duration, spelling, within 0.01 or "
                                   "within 1%",
                                   value)};
  if (margin->relative && margin->amount >= 1)
    return RuleProblem{"tolerance", fmt::format("{:?} is as much as the value itself; give less than 100%, or ignore "
                                                "the place and say why",
                                                value)};
  return std::nullopt;
}

bool within(const Margin& margin, std::string_view expected, std::string_view observed) {
  const auto a = number_in(expected), b = number_in(observed);
  if (!a || !b) return false;
  return std::abs(*a - *b) <= (margin.relative ? margin.amount * std::abs(*a) : margin.amount);
}

bool tolerated(const AnswerRule& rule, const Difference& difference, const Windows& windows) {
  const auto plain = [](std::string_view text) {
    return text.size() >= 2 && text.front() == '"' && text.back() == '"' ? text.substr(1, text.size() - 2) : text;
  };
  const std::string_view expected = plain(difference.expected), observed = plain(difference.observed);
  if (difference.kind == Difference::Kind::formatting) return true;  // every tolerance is of the value
  if (difference.kind != Difference::Kind::value) return false;
  if (rule.value == "timestamp") {
    const auto a = moment_in(expected), b = moment_in(observed);
    return a && b && windows.expected.holds(*a) && windows.observed.holds(*b);
  }
  if (rule.value == "uuid") return is_uuid(expected) && is_uuid(observed);
  if (rule.value == "duration") return is_duration("ms", expected) && is_duration("ms", observed);
  const auto margin = margin_in(rule.value);
  return margin && within(*margin, expected, observed);
}

}  // namespace

std::string_view name_of(Kind kind) {
  static constexpr std::array<std::string_view, 4> names{"ignore", "tolerance", "unordered", "rename"};
  return names[static_cast<std::size_t>(kind)];
}

std::string title_of(const AnswerRule& rule) {
  return fmt::format("{} {}: {}{}", name_of(rule.kind), rule.route.empty() ? "every route" : rule.route, rule.path,
                     rule.value.empty() ? "" : " (" + rule.value + ")");
}

std::optional<RuleProblem> problem_of(const AnswerRule& rule) {
  const auto path = path_from(rule.path);
  const auto wrong = [&](std::string_view key, std::string what) {
    return std::optional(RuleProblem{std::string(key), std::move(what)});
  };
  if (!path)
    return wrong("path", fmt::format("{:?} is no path; write $.items[*].updated_at, header ETag, text[3] or the like, "
                                     "without ..",
                                     rule.path));
  if (replay::trim(rule.reason).empty()) return wrong("reason", "it needs a reason: why may answers differ there");
  if (!rule.expires.empty() && !day_in(rule.expires))
    return wrong("expires", fmt::format("{:?} is no date such as 2026-12-31", rule.expires));
  switch (rule.kind) {
    case Kind::ignore:
      if (names_everything(*path))
        return wrong("path", fmt::format("it would ignore all of {}; name the places within it", rule.path));
      break;
    case Kind::tolerance:
      return problem_of_tolerance(rule.value);
    case Kind::unordered:
      break;
    case Kind::rename:
      if (rule.value.empty()) return wrong("rename", "it needs the new name");
      if (path->size() < 2 || path->back().kind != Segment::Kind::name)
        return wrong("path", "that of a rename must end in the name of a member");
      break;
  }
  return std::nullopt;
}

std::optional<std::int64_t> day_in(std::string_view date) {
  int parts[3] = {};
  if (date.size() != 10 || date[4] != '-' || date[7] != '-') return std::nullopt;
  const std::string_view texts[3] = {date.substr(0, 4), date.substr(5, 2), date.substr(8, 2)};
  for (int i = 0; i < 3; ++i) {
    const auto [end, error] = std::from_chars(texts[i].data(), texts[i].data() + texts[i].size(), parts[i]);
    if (error != std::errc() || end != texts[i].data() + texts[i].size()) return std::nullopt;
  }
  using namespace std::chrono;
  if (parts[1] < 1 || parts[2] < 1) return std::nullopt;
  const year_month_day day{year(parts[0]), month(static_cast<unsigned>(parts[1])),
                           std::chrono::day(static_cast<unsigned>(parts[2]))};
  if (!day.ok()) return std::nullopt;
  return sys_days(day).time_since_epoch().count();
}

std::int64_t day_of(std::int64_t wall_clock_ns) { return wall_clock_ns / 1'000'000'000 / 86'400; }

RuleBook::RuleBook(const std::vector<AnswerRule>& rules, std::int64_t day) : rules_(rules) {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const auto last = day_in(rules_[i].expires);
    if ((last && *last < day) || problem_of(rules_[i])) continue;
    if (rules_[i].route.empty()) {
      everywhere_.push_back(i);
    } else {
      by_route_[rules_[i].route].push_back(i);
    }
  }
  const auto add = [&](Route& route, const std::vector<std::size_t>& all) {
    for (const std::size_t i : all) {
      const AnswerRule& rule = rules_[i];
      const Path path = *path_from(rule.path);
      if (rule.kind == Kind::unordered || rule.kind == Kind::rename) {
        const bool unordered = rule.kind == Kind::unordered;
        route.shapes.push_back({path, unordered, unordered ? rule.value : "", unordered ? "" : rule.value});
        route.shape_rules.push_back(i);
      } else {
        route.others.emplace_back(path, i);
      }
    }
  };
  add(any_, everywhere_);
  for (const auto& [name, all] : by_route_) {
    add(routes_[name], all);
    add(routes_[name], everywhere_);
  }
}

const RuleBook::Route* RuleBook::of(const std::string& route) const {
  if (const auto found = routes_.find(route); found != routes_.end()) return &found->second;
  return everywhere_.empty() ? nullptr : &any_;
}

std::optional<std::size_t> RuleBook::excuse(const std::string& route, const Difference& difference,
                                            const Windows& windows) const {
  const Route* here = of(route);
  if (here == nullptr || here->others.empty()) return std::nullopt;
  const auto place = path_from(difference.path);
  if (!place) return std::nullopt;
  for (const auto& [path, index] : here->others) {
    const AnswerRule& rule = rules_[index];
    if (rule.kind == Kind::ignore ? covers(path, *place) : names(path, *place) && tolerated(rule, difference, windows))
      return index;
  }
  return std::nullopt;
}

}  // namespace rehearse::properties
