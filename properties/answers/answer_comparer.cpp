#include "properties/answers/answer_comparer.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <utility>

#include "properties/answers/headers.h"
#include "properties/answers/json_difference.h"
#include "properties/answers/json_reader.h"
#include "properties/answers/limits.h"
#include "properties/answers/media.h"
#include "properties/answers/tree_compare.h"
#include "replay/bindings.h"

namespace rehearse::properties {
namespace {

using Kind = Difference::Kind;
using replay::field;
using replay::Record;
using replay::Response;

// A small number, also one that is written as a text, is a count and stands for nothing else, unless its name says that it is an
// identifier.
bool is_count(std::string_view key, bool is_number, const std::string& number) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc() || end != number.data() + number.size()) return is_number;  // a fraction identifies nothing
  return value < replay::min_bound_integer && value > -replay::min_bound_integer && !names_an_identifier(key);
}

// The body without its content coding: `body` itself where there is none.
std::optional<std::string_view> decoded(const Response& response, std::string& into) {
  if (!field(response.headers, "Content-Encoding")) return response.body;
  auto text = replay::decoded_body(response.headers, response.body, answer_limits::body_bytes);
  if (!text) return std::nullopt;
  into = std::move(*text);
  return into;
}

constexpr std::string_view undecodable =
    "a body whose Content-Encoding is unknown, broken, or unpacks to more than is taken apart";

// Trees are kept for the next pair of answers: their memory is most of what small ones cost.
struct Trees {
  Tree expected, observed;
  void give_back_large() {
    constexpr std::size_t worth_keeping = 1u << 20;
    for (Tree* tree : {&expected, &observed}) {
      if (tree->tokens.capacity() > worth_keeping) *tree = Tree{};
    }
  }
};

// True when all differences stand in one value of two documents, and were found there.
bool compare_differing_value(std::string_view left, std::string_view right, TreeComparison how, Trees& trees,
                             Differences& out) {
  const auto value = differing_value(left, right);
  if (!value || read_json(value->expected, trees.expected, value->depth) ||
      read_json(value->observed, trees.observed, value->depth))
    return false;
  how.root = value->path;
  how.name = value->name;
  compare_trees(trees.expected, trees.observed, how, out);
  trees.give_back_large();
  return true;
}

void compare_bodies(const Response& expected, const Response& observed, TreeComparison how, Differences& out) {
  if (expected.body == observed.body &&
      field(expected.headers, "Content-Encoding") == field(observed.headers, "Content-Encoding"))
    return;
  std::string left_text, right_text;
  const auto left = decoded(expected, left_text), right = decoded(observed, right_text);
  if (!left || !right) {
    if (!left && !right && expected.body == observed.body) return;
    return out.add({Kind::unreadable, "body", left ? "a body" : std::string(undecodable),
                    right ? "a body" : std::string(undecodable), ""});
  }
  if (*left == *right) return;
  Media media = media_of(expected.headers, *left), other = media_of(observed.headers, *right);
  // A document type on one side shows among the lines.
  if (media != other && is_xml(expected.headers) && is_xml(observed.headers)) media = other = Media::text;
  // Nothing is no document of any kind, and there is nothing in it to name.
  if (left->empty() || right->empty()) {
    return out.add({left->empty() ? Kind::extra : Kind::missing, "body", left->empty() ? "" : digest_text(*left),
                    right->empty() ? "" : digest_text(*right), ""});
  }
  if (media != other) {
    const std::string left_type(field(expected.headers, "Content-Type").value_or("no type"));
    const std::string right_type(field(observed.headers, "Content-Type").value_or("no type"));
    return out.add({Kind::type, "body", left_type, right_type, ""});
  }
  thread_local Trees trees;
  if (media == Media::json && how.shapes == nullptr && compare_differing_value(*left, *right, how, trees, out)) return;
  const auto left_problem = take_apart(media, expected.headers, *left, trees.expected);
  const auto right_problem = take_apart(media, observed.headers, *right, trees.observed);
  if (left_problem || right_problem) {
    const auto said = [](const std::optional<std::string>& problem, std::string_view body) {
      return problem ? fmt::format("{} ({})", digest_text(body), *problem) : digest_text(body);
    };
    out.add({Kind::unreadable, "body", said(left_problem, *left), said(right_problem, *right), ""});
  } else {
    how.root = root_of(media);
    const auto before = out.list.size() + out.more;
    compare_trees(trees.expected, trees.observed, how, out);
    // Lines that end otherwise, blanks at the end: of text somebody may see it, of the others no reader does.
    if (media == Media::text && out.list.size() + out.more == before)
      out.add({Kind::formatting, "text", digest_text(*left), digest_text(*right), ""});
  }
  trees.give_back_large();
}

}  // namespace

std::string_view failure_of(const Record& record) {
  if (record.outcome == replay::Outcome::answered) return "answered";
  if (record.outcome == replay::Outcome::refused) return "refused";
  if (record.problem.starts_with("no answer within")) return "timeout";
  return record.problem.starts_with("reading the answer") ? "malformed" : "lost";
}

AnswerComparer::AnswerComparer(const Contract& contract, Correspondence pairs)
    : AnswerComparer(contract, std::move(pairs), 0, "", "") {}

AnswerComparer::AnswerComparer(const Contract& contract, Correspondence pairs, std::int64_t day,
                               const std::string& expected_url, const std::string& observed_url)
    : compared_headers_(contract.compared_headers),
      pairs_(std::move(pairs)),
      rules_(contract.answer_rules, day),
      expected_own_(origin_of(expected_url)),
      observed_own_(origin_of(observed_url)) {
  std::erase_if(compared_headers_, [](const std::string& name) { return replay::hop_by_hop(name); });
}

std::vector<Difference> AnswerComparer::differences(const Record& expected, const Record& observed,
                                                    std::vector<std::int64_t>* rule_hits) const {
  Differences out;
  if (const auto left = failure_of(expected), right = failure_of(observed); left != "answered" || right != "answered") {
    if (left != right)
      out.add({Kind::failure, "answer",
               left == "answered" ? std::to_string(expected.response.status) : std::string(left),
               right == "answered" ? std::to_string(observed.response.status) : std::string(right), ""});
    return std::move(out.list);
  }
  if (expected.response.status != observed.response.status)
    out.add({Kind::status, "status", std::to_string(expected.response.status), std::to_string(observed.response.status),
             ""});
  TreeComparison how;
  how.same = [this](std::string_view key, bool number, const std::string& left, const std::string& right) {
    return !is_count(key, number, left) && !is_count(key, number, right) && pairs_.same(left, right);
  };
  std::vector<std::size_t> shapes_used;
  const RuleBook::Route* rules =
      rules_.empty() ? nullptr : rules_.of(replay::route_of(expected.request.method, expected.request.target));
  if (rules != nullptr && !rules->shapes.empty()) {
    shapes_used.assign(rules->shapes.size(), 0);
    how.shapes = &rules->shapes;
    how.shapes_used = &shapes_used;
  }
  compare_headers(expected.response.headers, observed.response.headers,
                  {compared_headers_, how, expected_own_, observed_own_}, out);
  compare_bodies(expected.response, observed.response, how, out);
  if (rule_hits != nullptr) {
    for (std::size_t i = 0; i < shapes_used.size(); ++i)
      (*rule_hits)[rules->shape_rules[i]] += static_cast<std::int64_t>(shapes_used[i]);
  }
  if (out.more > 0)
    out.list.push_back({Kind::unreadable, "body", fmt::format("{} more differences", out.more), "", ""});
  return std::move(out.list);
}

}  // namespace rehearse::properties
