#include "properties/answers/tree_compare.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "properties/answers/json_difference.h"
#include "properties/answers/json_reader.h"
#include "properties/answers/limits.h"

namespace rehearse::properties {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<Difference> compare(const std::string& expected, const std::string& observed,
                                const TreeComparison& how = {}) {
  Tree left, right;
  EXPECT_FALSE(read_json(expected, left)) << expected;
  EXPECT_FALSE(read_json(observed, right)) << observed;
  Differences out;
  compare_trees(left, right, how, out);
  return out.list;
}

std::vector<std::string> lines(const std::vector<Difference>& differences) {
  std::vector<std::string> lines;
  for (const Difference& d : differences)
    lines.push_back(
        fmt::format("{} {}{}", name_of(d.kind), d.path, d.observed_path.empty() ? "" : " | " + d.observed_path));
  return lines;
}

std::vector<std::string> between(const std::string& expected, const std::string& observed,
                                 const TreeComparison& how = {}) {
  return lines(compare(expected, observed, how));
}

TEST(CompareTrees, FindsWhatWasAddedAndNotEverythingBehindIt) {
  EXPECT_THAT(between("[1,2,3]", "[9,1,2,3]"), ElementsAre("extra $[0]"));
  EXPECT_THAT(between("[1,2,3,4]", "[1,3,4]"), ElementsAre("missing $[1]"));
  EXPECT_THAT(between(R"([{"id":1},{"id":2},{"id":3,"a":1}])", R"([{"id":9},{"id":1},{"id":2},{"id":3,"a":2}])"),
              ElementsAre("extra $[0]", "value $[2].a | $[3].a"));
  EXPECT_THAT(between("[1,2,3,4,5]", "[2,9,4,5,6]"), ElementsAre("missing $[0]", "value $[2] | $[1]", "extra $[4]"));
}

TEST(CompareTrees, IdentifiersThatOverlapStandForEachOtherInTheirPlaces) {
  TreeComparison how;
  how.same = [](std::string_view, bool, const std::string& a, const std::string& b) {
    return std::stoi(a) + 1 == std::stoi(b);
  };
  EXPECT_THAT(between("[7,8,9]", "[8,9,10]", how), IsEmpty());
  EXPECT_THAT(between("[7,8,9]", "[8,9,11]", how), ElementsAre("missing $[0]", "extra $[2]"));
}

TEST(CompareTrees, TellsAnotherOrderFromOtherElements) {
  EXPECT_THAT(between("[1,2,3,4]", "[1,3,2,4]"), ElementsAre("reordered $"));
  EXPECT_THAT(between(R"([{"a":1,"b":2},{"c":[]}])", R"([{"c":[]},{"b":2,"a":1}])"), ElementsAre("reordered $"));
  EXPECT_THAT(between("[1,2]", "[2,2]"), ElementsAre("value $[0]"));
}

TEST(CompareTrees, MembersOfOneNameStandForEachOtherInTheirOrder) {
  EXPECT_THAT(between(R"({"a":1,"a":2})", R"({"a":1,"a":3})"), ElementsAre("value $.a#2"));
  EXPECT_THAT(between(R"({"a":1,"b":0,"a":2})", R"({"b":0,"a":2,"a":1})"), ElementsAre("value $.a", "value $.a#2"));
  EXPECT_THAT(between(R"({"a":1})", R"({"a":1,"a":null})"), ElementsAre("duplicate key $.a#2"));
  EXPECT_THAT(between(R"({"\u0061":1})", R"({"a":1})"), IsEmpty());
}

TEST(CompareTrees, FollowsRulesAboutShape) {
  const auto how = [](const std::vector<ShapeRule>& shapes) {
    TreeComparison comparison;
    comparison.shapes = &shapes;
    return comparison;
  };
  const std::vector<ShapeRule> by_key{{*path_from("$.items"), true, "id", ""}};
  EXPECT_THAT(between(R"({"items":[{"id":1,"n":1},{"id":2,"n":2}]})", R"({"items":[{"id":2,"n":3},{"id":1,"n":1}]})",
                      how(by_key)),
              ElementsAre("value $.items[1].n | $.items[0].n"));
  EXPECT_THAT(between(R"({"items":[{"id":1},{"id":2}]})", R"({"items":[{"id":2}]})", how(by_key)),
              ElementsAre("missing $.items[0]"));
  EXPECT_THAT(between(R"({"others":[1,2]})", R"({"others":[2,1]})", how(by_key)), ElementsAre("reordered $.others"));
  const std::vector<ShapeRule> as_a_set{{*path_from("$[*].tags"), true, "", ""}};
  EXPECT_THAT(between(R"([{"tags":["a","b"]}])", R"([{"tags":["b","a"]}])", how(as_a_set)), IsEmpty());
  EXPECT_THAT(between(R"([{"tags":["a","b"]}])", R"([{"tags":["b","c"]}])", how(as_a_set)),
              ElementsAre("value $[0].tags[0] | $[0].tags[1]"));
  const std::vector<ShapeRule> renamed{{*path_from("$.name"), false, "", "full_name"}};
  EXPECT_THAT(between(R"({"name":"x","a":1})", R"({"a":1,"full_name":"x"})", how(renamed)), IsEmpty());
  EXPECT_THAT(between(R"({"name":"x"})", R"({"full_name":"y"})", how(renamed)),
              ElementsAre("value $.name | $.full_name"));
  EXPECT_THAT(between(R"({"name":"x"})", R"({"name":"x","full_name":"x"})", how(renamed)),
              ElementsAre("extra $.full_name"))
      << "both names are one too many";
}

TEST(CompareTrees, CountsWhatNoLongerFits) {
  std::string left = "[", right = "[";
  for (std::size_t i = 0; i < answer_limits::differences + 7; ++i) {
    left += (i ? "," : "") + std::to_string(2 * i);
    right += (i ? "," : "") + std::to_string(2 * i + 1);
  }
  Tree a, b;
  left += "]", right += "]";
  ASSERT_FALSE(read_json(left, a) || read_json(right, b));
  Differences out;
  compare_trees(a, b, {}, out);
  EXPECT_EQ(out.list.size(), answer_limits::differences);
  EXPECT_EQ(out.more, 7u);
}

// -- properties --------------------------------------------------------------------------------------------------------

// Documents in which names repeat, numbers and texts have several spellings, and arrays hold much of the same.
rc::Gen<std::string> spelled(int depth) {
  const auto space = rc::gen::element<std::string>("", "", " ", "\n");
  const auto leaf =
      rc::gen::element<std::string>("1", "1.0", "2", "true", "null", R"("a")", R"("\u0061")", R"("b")", "{}", "[]");
  if (depth == 0) return leaf;
  return rc::gen::exec([=] {
    switch (*rc::gen::inRange(0, 3)) {
      case 0:
        return *leaf;
      case 1: {
        std::string text = "[" + *space;
        for (int i = 0, n = *rc::gen::inRange(0, 4); i < n; ++i) text += (i ? "," : "") + *spelled(depth - 1) + *space;
        return text + "]";
      }
      default: {
        std::string text = "{" + *space;
        for (int i = 0, n = *rc::gen::inRange(0, 4); i < n; ++i)
          text += (i ? "," : "") + *rc::gen::element<std::string>(R"("x")", R"("y")", R"("\u0078")") + ":" + *space +
                  *spelled(depth - 1);
        return text + "}";
      }
    }
  });
}

std::string canonical(const std::string& text) {
  Tree tree;
  RC_ASSERT(!read_json(text, tree));
  return canonical_json(tree);
}

Difference swapped(Difference d) {
  using enum Difference::Kind;
  if (d.kind == missing || d.kind == extra) d.kind = d.kind == missing ? extra : missing;
  std::swap(d.expected, d.observed);
  if (!d.observed_path.empty()) std::swap(d.path, d.observed_path);
  return d;
}

RC_GTEST_PROP(CompareTrees, AValueIsEqualToItselfAndToItsCanonicalForm, ()) {
  const std::string text = *spelled(4);
  RC_ASSERT(compare(text, text).empty());
  RC_ASSERT(compare(text, canonical(text)).empty());
  RC_ASSERT(canonical(canonical(text)) == canonical(text));
}

RC_GTEST_PROP(CompareTrees, TheCanonicalFormDecidesEquality, ()) {
  const std::string a = *spelled(2), b = *spelled(2);
  RC_ASSERT(compare(a, b).empty() == (canonical(a) == canonical(b)));
}

RC_GTEST_PROP(CompareTrees, SidesChangedAreTheSameDifferencesWithSidesChanged, ()) {
  const std::string a = *spelled(3), b = *spelled(3);
  auto forth = compare(a, b);
  auto back = compare(b, a);
  for (Difference& difference : back) difference = swapped(difference);
  const auto order = [](const Difference& x, const Difference& y) {
    return std::tie(x.path, x.kind, x.expected, x.observed, x.observed_path) <
           std::tie(y.path, y.kind, y.expected, y.observed, y.observed_path);
  };
  std::sort(forth.begin(), forth.end(), order);
  std::sort(back.begin(), back.end(), order);
  RC_ASSERT(forth == back);
}

// -- the fast way ------------------------------------------------------------------------------------------------------

// The same differences, by looking at the one value only; nothing when there is none such.
std::optional<std::vector<Difference>> compare_in_place(const std::string& expected, const std::string& observed) {
  const auto value = differing_value(expected, observed);
  Tree left, right;
  if (!value || read_json(value->expected, left, value->depth) || read_json(value->observed, right, value->depth))
    return std::nullopt;
  TreeComparison how;
  how.root = value->path;
  Differences out;
  compare_trees(left, right, how, out);
  return out.list;
}

TEST(DifferingValue, IsTheInnermostThatHoldsAllThatDiffers) {
  const auto place = [](const std::string& a, const std::string& b) {
    const auto value = differing_value(a, b);
    return value ? fmt::format("{} {} {} {}", value->path, value->name, value->expected, value->observed) : "none";
  };
  EXPECT_EQ(place(R"({"a":[1,{"b":"x"}]})", R"({"a":[1,{"b":"y"}]})"), R"($.a[1].b b "x" "y")");
  EXPECT_EQ(place(R"({"a":[12,3]})", R"({"a":[123,3]})"), "$.a[0] a 12 123");
  EXPECT_EQ(place(R"({"a":[1,2],"b":3})", R"({"a":[1,2,9],"b":3})"), "$.a a [1,2] [1,2,9]");
  EXPECT_EQ(place(R"([{"a":1,"b":2},0])", R"([{"a":7,"b":8},0])"), R"($[0]  {"a":1,"b":2} {"a":7,"b":8})");
  EXPECT_EQ(place(R"({"x":{"a":1}})", R"({"x":{"b":1}})"), R"($.x x {"a":1} {"b":1})");
  EXPECT_EQ(place(R"({"a":1,"b":2})", R"({"a":7,"b":8})"), "none") << "it would be the whole document";
  EXPECT_EQ(place("1", "2"), "none");
  EXPECT_EQ(place("[1,", "[2,"), "none") << "no JSON";
  EXPECT_EQ(place(R"({"a":{"c":0},"a":{"c":1}})", R"({"a":{"c":0},"a":{"c":2}})"), "$.a#2.c c 1 2");
}

TEST(DifferingValue, HasTheLimitOfDepthOfTheWholeDocument) {
  const auto nested = [](std::size_t depth, const std::string& inner) {
    return std::string(depth, '[') + inner + std::string(depth, ']');
  };
  const std::size_t most = answer_limits::depth;
  EXPECT_TRUE(compare_in_place(nested(most - 1, "[1]"), nested(most - 1, "[2]")));
  EXPECT_FALSE(compare_in_place(nested(most - 1, "[1]"), nested(most - 1, "[[1]]")));
  EXPECT_FALSE(compare_in_place(nested(most, "[1]"), nested(most, "[2]")));
}

// A text that is almost another one: a few bytes of it are taken out and others put in.
RC_GTEST_PROP(DifferingValue, GivesTheDifferencesOfTheWholeDocuments, ()) {
  const std::string a = *spelled(4);
  std::string b = a;
  const auto at = *rc::gen::inRange<std::size_t>(0, a.size());
  b.replace(at, *rc::gen::inRange<std::size_t>(0, 3),
            *rc::gen::element<std::string>("1", "2", "", "null", "{}", ",1", "\"y\":1,", "[1]", "0", " "));
  Tree left, right;
  const auto fast = compare_in_place(a, b);
  if (read_json(b, right)) {
    RC_ASSERT(!fast);
    return;
  }
  RC_ASSERT(!read_json(a, left));
  if (fast) RC_ASSERT(*fast == compare(a, b));
}

}  // namespace
}  // namespace rehearse::properties
