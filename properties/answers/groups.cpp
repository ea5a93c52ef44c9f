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

struct Line {
  std::string text;
  std::string path;  // of the value that it shows, or begins or ends
};

// A tree as lines, indented; members sorted by name, so that their order makes no difference.
class Printer {
 public:
  Printer(const Tree& tree, std::string_view root) : tree_(tree), path_(root) {}

  std::vector<Line> run() {
    print(0, "", "", "");
    return std::move(lines_);
  }

 private:
  void print(std::uint32_t index, const std::string& indent, const std::string& before, const std::string& behind) {
    const Token& token = tree_.at(index);
    const bool object = token.kind == TokenKind::object;
    if ((!object && token.kind != TokenKind::array) || token.next == index + 1) {
      lines_.push_back({indent + before + canonical_json(tree_, index) + behind, path_});
      return;
    }
    lines_.push_back({indent + before + (object ? "{" : "["), path_});
    auto children = children_of(index);
    const auto length = path_.size();
    for (std::size_t i = 0; i < children.size(); ++i) {
      path_ += object ? member_text(children[i].name, children[i].number) : index_text(children[i].number);
      print(children[i].value, indent + "  ", object ? quoted_json(children[i].name) + ": " : "",
            i + 1 < children.size() ? "," : "");
      path_.resize(length);
    }
    lines_.push_back({indent + (object ? "}" : "]") + behind, path_});
  }

  struct Child {
    std::string name;
    std::int64_t number;  // the index; of a member which one of its name it is, from 1
    std::uint32_t value;
  };
  [[nodiscard]] std::vector<Child> children_of(std::uint32_t index) const {
    const bool object = tree_.at(index).kind == TokenKind::object;
    std::vector<Child> children;
    std::map<std::string, std::int64_t> seen;
    for (std::uint32_t i = index + 1; i < tree_.at(index).next; i = tree_.at(i).next) {
      const std::string name = object ? tree_.decoded(tree_.at(i)) : "";
      const auto number = object ? ++seen[name] : static_cast<std::int64_t>(children.size());
      if (object) ++i;
      children.push_back({name, number, i});
    }
    if (object)
      std::stable_sort(children.begin(), children.end(),
                       [](const Child& a, const Child& b) { return a.name < b.name; });
    return children;
  }

  const Tree& tree_;
  std::string path_;
  std::vector<Line> lines_;
};

// Longer bodies are no reading for anybody; the history has them.
constexpr std::size_t max_printed_bytes = 1u << 20;

std::vector<Line> lines_of(const replay::Response& response) {
  const auto body = replay::decoded_body(response.headers, response.body, answer_limits::body_bytes);
  if (!body) return {{digest_text(response.body) + ", which cannot be decoded", "body"}};
  if (body->empty()) return {};
  if (body->size() > max_printed_bytes) return {{digest_text(*body), "body"}};
  const Media media = media_of(response.headers, *body);
  Tree tree;
  if (take_apart(media, response.headers, *body, tree)) return {{digest_text(*body), "body"}};
  if (media != Media::text && media != Media::xml) return Printer(tree, root_of(media)).run();
  std::vector<Line> lines;
  for (std::uint32_t i = 1; i < tree.at(0).next; i = tree.at(i).next)
    lines.push_back(
        {tree.decoded(tree.at(i)), std::string(root_of(media)) + index_text(static_cast<std::int64_t>(lines.size()))});
  return lines;
}

// True when a line at `path` shows what stands at `place`, or something in it.
bool shows(const std::string& path, std::string_view place) {
  if (!path.starts_with(place)) return false;
  return path.size() == place.size() || path[place.size()] == '.' || path[place.size()] == '[';
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

std::vector<BodyRow> side_by_side(const replay::Response& expected, const replay::Response& observed,
                                  const Difference& difference) {
  if (difference.path.starts_with("header ")) return {};
  const auto left = lines_of(expected), right = lines_of(observed);
  const auto digests = [](const std::vector<Line>& lines) {
    std::vector<std::uint64_t> all;
    for (const Line& line : lines) all.push_back(std::hash<std::string>{}(line.text));
    return all;
  };
  // What is said of the answer as a whole is said of every line that differs.
  const bool whole = difference.path == "status" || difference.path == "body" ||
                     path_from(difference.path).value_or(Path{}).size() < 2;
  const std::string_view right_place = difference.observed_path.empty() ? difference.path : difference.observed_path;
  std::vector<BodyRow> rows;
  for (const Match& match : aligned(left.size(), right.size(), digests(left), digests(right))) {
    BodyRow row;
    if (match.left != Match::none) row.expected = left[match.left].text;
    if (match.right != Match::none) row.observed = right[match.right].text;
    row.differs = (match.left == Match::none || match.right == Match::none || row.expected != row.observed) &&
                  (whole || (match.left != Match::none && shows(left[match.left].path, difference.path)) ||
                   (match.right != Match::none && shows(right[match.right].path, right_place)));
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
