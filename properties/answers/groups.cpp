#include "properties/answers/groups.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <tuple>

#include "properties/answers/alignment.h"
#include "properties/answers/limits.h"
#include "properties/answers/media.h"
#include "properties/answers/path.h"

namespace rehearse::properties {
namespace {

using replay::Record;

std::size_t size_of(const DifferenceExample& example) {
  return example.expected->request.target.size() + example.expected->request.body.size() +
         example.expected->response.body.size() + example.observed->response.body.size();
}

// A tree as lines, indented; members sorted by name, so that their order makes no difference.
void append_lines(const Tree& tree, std::uint32_t index, const std::string& indent, const std::string& before,
                  const std::string& behind, std::vector<std::string>& lines) {
  const Token& token = tree.at(index);
  const bool object = token.kind == TokenKind::object;
  if ((!object && token.kind != TokenKind::array) || token.next == index + 1) {
    lines.push_back(indent + before + canonical_json(tree, index) + behind);
    return;
  }
  lines.push_back(indent + before + (object ? "{" : "["));
  std::vector<std::pair<std::string, std::uint32_t>> children;
  for (std::uint32_t i = index + 1; i < token.next; i = tree.at(i).next) {
    const std::string name = object ? tree.decoded(tree.at(i)) : "";
    children.emplace_back(name, object ? ++i : i);
  }
  if (object)
    std::stable_sort(children.begin(), children.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::size_t i = 0; i < children.size(); ++i) {
    append_lines(tree, children[i].second, indent + "  ", object ? quoted_json(children[i].first) + ": " : "",
                 i + 1 < children.size() ? "," : "", lines);
  }
  lines.push_back(indent + (object ? "}" : "]") + behind);
}

// Longer bodies are no reading for anybody; the history has them.
constexpr std::size_t max_printed_bytes = 1u << 20;

std::vector<std::string> lines_of(const replay::Response& response) {
  const auto body = replay::decoded_body(response.headers, response.body, answer_limits::body_bytes);
  if (!body) return {digest_text(response.body) + ", which cannot be decoded"};
  if (body->empty()) return {};
  if (body->size() > max_printed_bytes) return {digest_text(*body)};
  const Media media = media_of(response.headers, *body);
  Tree tree;
  if (take_apart(media, response.headers, *body, tree)) return {digest_text(*body)};
  std::vector<std::string> lines;
  if (media == Media::text || media == Media::xml) {
    for (std::uint32_t i = 1; i < tree.at(0).next; i = tree.at(i).next) lines.push_back(tree.decoded(tree.at(i)));
  } else {
    append_lines(tree, 0, "", "", "", lines);
  }
  return lines;
}

std::string shortened(const std::string& line) {
  if (line.size() <= max_body_row_bytes) return line;
  std::size_t end = max_body_row_bytes;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;  // not within a character
  return line.substr(0, end) + "...";
}

}  // namespace

std::vector<DifferenceGroup> difference_groups(const Evidence& evidence, const std::vector<ComparedSection>& sections) {
  using Cause = std::tuple<std::string, std::string, Difference::Kind>;
  std::map<Cause, std::size_t> places;
  std::vector<DifferenceGroup> groups;
  for (const ComparedSection& compared : sections) {
    const auto* played = evidence.history(compared.section->played);
    const auto* oracle = evidence.history(compared.section->oracle);
    if (played == nullptr || oracle == nullptr) continue;
    for (const auto* steps : {&compared.answers.steps, &compared.answers.failed}) {
      for (const StepDifference& step : *steps) {
        DifferenceExample example{compared.section->name,
                                  played->name,
                                  step.step,
                                  {},
                                  replay::record_of(*oracle, step.step),
                                  replay::record_of(*played, step.step),
                                  played->target};
        const auto route = replay::route_of(example.observed->request.method, example.observed->request.target);
        std::set<Cause> here;
        for (const Difference& difference : step.differences) {
          const Cause cause{route, without_indices(difference.path), difference.kind};
          if (!here.insert(cause).second) continue;
          example.difference = difference;
          const auto [place, is_new] = places.emplace(cause, groups.size());
          if (is_new) groups.push_back({route, std::get<1>(cause), difference.kind, 0, {}, example, example});
          DifferenceGroup& group = groups[place->second];
          ++group.answers;
          if (group.sections.empty() || group.sections.back() != example.section)
            group.sections.push_back(example.section);
          if (size_of(example) < size_of(group.smallest)) group.smallest = example;
        }
      }
    }
  }
  std::stable_sort(groups.begin(), groups.end(),
                   [](const DifferenceGroup& a, const DifferenceGroup& b) { return a.answers > b.answers; });
  return groups;
}

std::vector<BodyRow> side_by_side(const replay::Response& expected, const replay::Response& observed) {
  const auto left = lines_of(expected), right = lines_of(observed);
  const auto digests = [](const std::vector<std::string>& lines) {
    std::vector<std::uint64_t> all;
    for (const std::string& line : lines) all.push_back(std::hash<std::string>{}(line));
    return all;
  };
  std::vector<BodyRow> rows;
  for (const Match& match : aligned(left.size(), right.size(), digests(left), digests(right))) {
    BodyRow row;
    if (match.left != Match::none) row.expected = left[match.left];
    if (match.right != Match::none) row.observed = right[match.right];
    row.differs = match.left == Match::none || match.right == Match::none || row.expected != row.observed;
    rows.push_back({shortened(row.expected), shortened(row.observed), row.differs});
  }
  std::vector<BodyRow> kept;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t from = i - std::min(i, rows_around_a_difference),
                      to = std::min(rows.size(), i + rows_around_a_difference + 1);
    const bool near =
        std::any_of(rows.begin() + static_cast<std::ptrdiff_t>(from), rows.begin() + static_cast<std::ptrdiff_t>(to),
                    [](const BodyRow& row) { return row.differs; });
    if (near && kept.size() < max_body_rows) {
      kept.push_back(rows[i]);
    } else if (kept.empty() || kept.back().expected != "..." || kept.back().differs) {
      kept.push_back({"...", "...", false});
      if (kept.size() > max_body_rows) break;
    }
  }
  return kept;
}

}  // namespace rehearse::properties
