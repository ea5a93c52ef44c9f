#include "properties/answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cctype>
#include <cstdlib>
#include <set>
#include <utility>

#include "replay/bindings.h"

namespace rehearse::properties {
namespace {

namespace json = boost::json;
using replay::field;
using replay::History;
using replay::Outcome;
using replay::Record;

using Kind = Difference::Kind;

// A document nested deeper is compared as bytes: a stack is finite.
constexpr int max_depth = 128;

std::string shown(const json::value& value) { return json::serialize(value); }

std::string text_of(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

bool is_csv(const replay::Headers& headers) {
  const auto type = field(headers, "Content-Type");
  return type && replay::lower(*type).starts_with("text/csv");
}

bool is_text(const replay::Headers& headers) {
  const auto type = field(headers, "Content-Type");
  return type && replay::lower(*type).starts_with("text/");
}

// Keys that could be mistaken for a path are quoted, so that each place has a name of its own.
std::string member_of(const std::string& where, std::string_view key) {
  const bool plain = !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-';
  });
  return plain ? where + "." + std::string(key) : where + "[" + json::serialize(json::string(key)) + "]";
}

// A small number is a count and stands for nothing else, unless its name says that it is an identifier.
bool is_count(const json::value& value, std::string_view key) {
  return value.is_int64() && std::abs(value.get_int64()) < replay::min_bound_integer && !names_an_identifier(key);
}

// Every value of a field, as RFC 9110 section 5.3 joins them.
std::optional<std::string> whole_field(const replay::Headers& headers, std::string_view name) {
  std::optional<std::string> whole;
  for (const auto& header : headers) {
    if (replay::equal_without_case(header.name, name)) whole = whole ? *whole + ", " + header.value : header.value;
  }
  return whole;
}

class BodyComparer {
 public:
  BodyComparer(const AnswerComparer& values, std::vector<Difference>& out) : values_(values), out_(out) {}

  // `key` names the member that the values belong to, also when they are elements of it.
  void compare(const json::value& expected, const json::value& observed, const std::string& where, int depth = 0,
               std::string_view key = {}) {
    if (depth > max_depth) return compare_leaves(expected, observed, where, key);
    if (expected.is_object() && observed.is_object())
      return compare_objects(expected.get_object(), observed.get_object(), where, depth);
    if (expected.is_array() && observed.is_array())
      return compare_arrays(expected.get_array(), observed.get_array(), where, depth, key);
    compare_leaves(expected, observed, where, key);
  }

  void compare_lines(std::string_view expected, std::string_view observed, bool csv) {
    const auto left = split(expected, '\n');
    const auto right = split(observed, '\n');
    for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
      const std::string where = fmt::format("line {}", i + 1);
      if (i >= right.size()) {
        add(Kind::missing, where, std::string(left[i]), "");
      } else if (i >= left.size()) {
        add(Kind::extra, where, "", std::string(right[i]));
      } else if (left[i] != right[i]) {
        compare_cells(left[i], right[i], where, csv ? ',' : '\n');
      }
    }
  }

 private:
  void compare_objects(const json::object& expected, const json::object& observed, const std::string& where,
                       int depth) {
    for (const auto& [key, value] : expected) {
      const std::string at = member_of(where, key);
      const auto* other = observed.if_contains(key);
      other ? compare(value, *other, at, depth + 1, key) : add(Kind::missing, at, shown(value), "");
    }
    for (const auto& [key, value] : observed) {
      if (!expected.contains(key)) add(Kind::extra, member_of(where, key), "", shown(value));
    }
  }

  void compare_arrays(const json::array& expected, const json::array& observed, const std::string& where, int depth,
                      std::string_view key) {
    for (std::size_t i = 0; i < std::max(expected.size(), observed.size()); ++i) {
      const std::string at = fmt::format("{}[{}]", where, i);
      if (i >= observed.size()) {
        add(Kind::missing, at, shown(expected[i]), "");
      } else if (i >= expected.size()) {
        add(Kind::extra, at, "", shown(observed[i]));
      } else {
        compare(expected[i], observed[i], at, depth + 1, key);
      }
    }
  }

  void compare_leaves(const json::value& expected, const json::value& observed, const std::string& where,
                      std::string_view key) {
    const bool both_integers =
        expected.is_number() && observed.is_number() && !expected.is_double() && !observed.is_double();
    if (expected.kind() != observed.kind() && !both_integers)
      return add(Kind::type, where, shown(expected), shown(observed));
    if (expected == observed) return;
    if (is_count(expected, key) || is_count(observed, key) ||
        !values_.same_value(text_of(expected), text_of(observed))) {
      add(Kind::value, where, shown(expected), shown(observed));
    }
  }

  void compare_cells(std::string_view expected, std::string_view observed, const std::string& where, char separator) {
    const auto left = split(expected, separator);
    const auto right = split(observed, separator);
    if (left.size() != right.size()) return add(Kind::type, where, std::string(expected), std::string(observed));
    for (std::size_t i = 0; i < left.size(); ++i) {
      const std::string a(left[i]), b(right[i]);
      if (a != b && !values_.same_value(a, b))
        add(Kind::value, left.size() > 1 ? fmt::format("{}, cell {}", where, i + 1) : where, a, b);
    }
  }

  void add(Kind kind, const std::string& where, std::string expected, std::string observed) {
    out_.push_back({kind, where, std::move(expected), std::move(observed)});
  }

  const AnswerComparer& values_;
  std::vector<Difference>& out_;
};

std::string shortened(std::string_view bytes) {
  constexpr std::size_t enough = 200;
  return bytes.size() <= enough ? std::string(bytes)
                                : fmt::format("{}... ({} bytes)", bytes.substr(0, enough), bytes.size());
}

void compare_bodies(const AnswerComparer& values, const Record& expected, const Record& observed,
                    std::vector<Difference>& out) {
  if (expected.response.body == observed.response.body &&
      field(expected.response.headers, "Content-Encoding") == field(observed.response.headers, "Content-Encoding"))
    return;
  const auto left = replay::decoded_body(expected.response.headers, expected.response.body);
  const auto right = replay::decoded_body(observed.response.headers, observed.response.body);
  if (!left || !right) {
    if (!left && !right && expected.response.body == observed.response.body) return;
    out.push_back({left || right ? Kind::type : Kind::value, "body", left ? "a body" : "a body that cannot be decoded",
                   right ? "a body" : "a body that cannot be decoded"});
    return;
  }
  if (*left == *right) return;
  BodyComparer bodies(values, out);
  if (replay::is_json(expected.response.headers) && replay::is_json(observed.response.headers)) {
    boost::system::error_code left_error, right_error;
    const auto a = json::parse(*left, left_error);
    const auto b = json::parse(*right, right_error);
    if (!left_error && !right_error) return bodies.compare(a, b, "$");
  }
  if (is_text(expected.response.headers)) return bodies.compare_lines(*left, *right, is_csv(expected.response.headers));
  out.push_back({Kind::value, "body", shortened(*left), shortened(*right)});
}

// "$.items[3].id" → "$.items[].id": what a person calls the same place.
std::string without_indices(const std::string& where) {
  std::string out;
  for (std::size_t i = 0; i < where.size(); ++i) {
    out += where[i];
    if (where[i] == '[') i = std::max(i, std::min(where.find_first_not_of("0123456789", i + 1), where.size()) - 1);
  }
  return out.starts_with("line ") ? "a line of text" : out;
}

}  // namespace

AnswerComparer::AnswerComparer(const Contract& contract, Correspondence pairs)
    : contract_(contract), pairs_(std::move(pairs)) {}

bool AnswerComparer::same_path(const std::string& expected, const std::string& observed) const {
  if (same_value(expected, observed)) return true;
  const auto left = split(expected, '/');
  const auto right = split(observed, '/');
  return left.size() == right.size() && std::equal(left.begin(), left.end(), right.begin(), [this](auto a, auto b) {
           return same_value(std::string(a), std::string(b));
         });
}

std::vector<Difference> AnswerComparer::differences(const Record& expected, const Record& observed) const {
  std::vector<Difference> out;
  if (expected.response.status != observed.response.status) {
    out.push_back(
        {Kind::status, "status", std::to_string(expected.response.status), std::to_string(observed.response.status)});
  }
  for (const std::string& name : contract_.compared_headers) {
    const auto left = whole_field(expected.response.headers, name);
    const auto right = whole_field(observed.response.headers, name);
    const std::string where = "header " + name;
    if (left && !right) out.push_back({Kind::missing, where, std::string(*left), ""});
    if (!left && right) out.push_back({Kind::extra, where, "", std::string(*right)});
    if (left && right && !same_path(std::string(*left), std::string(*right))) {
      out.push_back({Kind::value, where, std::string(*left), std::string(*right)});
    }
  }
  compare_bodies(*this, expected, observed, out);
  return out;
}

AnswersCompared compare_answers(const Contract& contract, const History& oracle, const History* oracle_again,
                                const History& observed, const Which& which,
                                const std::vector<const History*>& earlier) {
  auto plays = earlier;
  plays.push_back(&observed);
  const AnswerComparer against_oracle(contract, correspondence(oracle, plays));
  std::optional<AnswerComparer> among_oracles;
  if (oracle_again != nullptr) among_oracles.emplace(contract, correspondence(oracle, {oracle_again}));
  AnswersCompared compared;
  for (const Record& record : observed.records) {
    if (!which(record)) continue;
    const Record* expected = replay::record_of(oracle, record.step);
    if (expected == nullptr) {
      ++compared.without_oracle;
      continue;
    }
    if (expected->outcome != Outcome::answered || record.outcome != Outcome::answered) {
      ++compared.unanswered;
      continue;
    }
    auto differences = against_oracle.differences(*expected, record);
    if (differences.empty()) {
      ++compared.matched;
      continue;
    }
    std::set<std::string> noisy;
    const Record* again = oracle_again ? replay::record_of(*oracle_again, record.step) : nullptr;
    if (again != nullptr && again->outcome == Outcome::answered) {
      for (const Difference& difference : among_oracles->differences(*expected, *again)) {
        if (difference.kind == Kind::value) noisy.insert(difference.where);
      }
    }
    std::erase_if(differences, [&](const Difference& difference) {
      const bool masked = difference.kind == Kind::value && noisy.contains(difference.where);
      if (masked) {
        const auto route = replay::route_of(record.request.method, record.request.target);
        ++compared.volatile_values[route + ": " + without_indices(difference.where)];
      }
      return masked;
    });
    if (differences.empty()) {
      ++compared.masked;
    } else {
      ++compared.differed;
      compared.steps.push_back({record.step, std::move(differences)});
    }
  }
  return compared;
}

}  // namespace rehearse::properties
