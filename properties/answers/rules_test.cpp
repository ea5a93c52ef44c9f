#include "properties/answers/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "properties/answers/answers.h"
#include "properties/answers/groups.h"
#include "properties/answers/rule_lint.h"
#include "properties/answers/suggest.h"
#include "properties/checks/rehearsed.h"

namespace rehearse::properties {
namespace {

using testing::answered;
using ::testing::ElementsAre;
using testing::get;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using Kind = AnswerRule::Kind;

constexpr std::int64_t day_ns = 86'400'000'000'000;

// Each step asks for another order; bodies are JSON.
replay::History play(const std::vector<std::string>& bodies, std::int64_t day = 20'000) {
  replay::History history;
  history.name = "play";
  history.began_ns = day * day_ns;
  for (const std::string& body : bodies) {
    const auto step = static_cast<replay::StepId>(history.records.size()) + 1;
    history.records.push_back(answered(step, get("/orders/" + std::to_string(step)), testing::json(200, body)));
  }
  return history;
}

AnswerRule rule(Kind kind, const std::string& path, const std::string& value = "", const std::string& route = "") {
  return {kind, route, path, value, "a reason", "", ""};
}

AnswersCompared compared(const std::vector<AnswerRule>& rules, const replay::History& oracle,
                         const replay::History& observed) {
  static Contract contract;
  contract = testing::contract();
  contract.answer_rules = rules;
  return compare_answers(contract, oracle, &oracle, observed, [](const replay::Record&) { return true; });
}

TEST(Rules, WhatIsIgnoredIsCountedApartAndNeverEqual) {
  const auto result =
      compared({rule(Kind::ignore, "$.items[*].id")}, play({R"({"items":[{"id":1,"idempotency_key":"a"}]})", "{}"}),
               play({R"({"items":[{"id":2,"idempotency_key":"a"}]})", "{}"}));
  EXPECT_EQ(std::tuple(result.matched, result.ignored, result.masked, result.differed), std::tuple(1, 1, 0, 0));
  EXPECT_THAT(result.ignored_values, ElementsAre(Pair("GET /orders/{}: $.items[*].id", 1)));
}

TEST(Rules, ARuleForAnIdDoesNotSilenceWhatBeginsOrEndsLikeIt) {
  const auto result = compared({rule(Kind::ignore, "$.items[*].id")},
                               play({R"({"items":[{"id":1,"idempotency_key":"a","ids":1}],"id":1})"}),
                               play({R"({"items":[{"id":2,"idempotency_key":"b","ids":2}],"id":2})"}));
  ASSERT_EQ(result.differed, 1);
  std::vector<std::string> paths;
  for (const auto& difference : result.steps[0].differences) paths.push_back(difference.path);
  EXPECT_THAT(paths, ::testing::UnorderedElementsAre("$.items[0].idempotency_key", "$.items[0].ids", "$.id"));
}

TEST(Rules, BelongToTheirRoute) {
  const auto with_route = [](const char* route) {
    return compared({rule(Kind::ignore, "$.a", "", route)}, play({R"({"a":1})"}), play({R"({"a":2})"})).ignored;
  };
  EXPECT_EQ(with_route("GET /orders/{}"), 1);
  EXPECT_EQ(with_route("GET /orders"), 0);
  EXPECT_EQ(with_route("PUT /orders/{}"), 0);
  EXPECT_EQ(with_route(""), 1);
}

TEST(Rules, AreAppliedUntilTheirLastDayAndNotAfterwards) {
  AnswerRule until = rule(Kind::ignore, "$.a");
  until.expires = "2024-10-04";  // day 20,000
  const auto on = [&](std::int64_t day) { return compared({until}, play({R"({"a":1})"}), play({R"({"a":2})"}, day)); };
  EXPECT_EQ(on(20'000).ignored, 1);
  EXPECT_EQ(on(20'001).differed, 1);
}

TEST(Rules, ATolerancePassesWhatItNamesAndNothingElse) {
  const auto masked = [](const char* tolerance, const char* expected, const char* observed) {
    const auto result =
        compared({rule(Kind::tolerance, "$.a", tolerance)}, play({std::string("{\"a\":") + expected + "}"}),
                 play({std::string("{\"a\":") + observed + "}"}));
    EXPECT_EQ(result.masked + result.differed, 1);
    return result.masked == 1;
  };
  EXPECT_TRUE(masked("spelling", "1", "1.0"));
  EXPECT_FALSE(masked("spelling", "1", "2"));
  EXPECT_TRUE(masked("within 0.01", "1.00", "1.01") || masked("within 0.011", "1.00", "1.01"));
  EXPECT_FALSE(masked("within 0.01", "1.00", "1.02"));
  EXPECT_TRUE(masked("within 1%", "1000", "1009"));
  EXPECT_FALSE(masked("within 1%", "1000", "1011"));
  EXPECT_FALSE(masked("within 1%", "1000", "\"1000\"")) << "another type";
  EXPECT_FALSE(masked("within 1%", "1000", "null"));
  EXPECT_TRUE(masked("uuid", "\"6f9619ff-8b86-4011-b42d-00cf4fc964f0\"", "\"6f9619ff-8b86-4011-b42d-00cf4fc964f1\""));
  EXPECT_FALSE(masked("uuid", "\"6f9619ff-8b86-4011-b42d-00cf4fc964f0\"", "\"x\""));
  EXPECT_TRUE(masked("timestamp", "\"2024-10-04T00:00:00Z\"", "\"2024-10-04T00:00:01Z\""));
  EXPECT_FALSE(masked("timestamp", "\"2024-10-04T00:00:00Z\"", "\"2024-10-04T09:00:00Z\""));
}

TEST(Rules, ThatCannotBeUsedSayWhyAndAtWhichKey) {
  const auto problem = [](const AnswerRule& rule) {
    const auto found = problem_of(rule);
    return found ? found->key + ": " + found->what : "";
  };
  EXPECT_THAT(problem(rule(Kind::ignore, "items.id")), HasSubstr("path: \"items.id\" is no path"));
  EXPECT_THAT(problem(rule(Kind::tolerance, "$.a", "within -1")),
              HasSubstr("tolerance: \"within -1\" is no tolerance"));
  EXPECT_THAT(problem(rule(Kind::rename, "$.a")), HasSubstr("rename: it needs the new name"));
  EXPECT_THAT(problem(rule(Kind::rename, "$.a[*]", "b")), HasSubstr("path: that of a rename"));
  AnswerRule nobody = rule(Kind::ignore, "$.a");
  for (const char* blank : {"", " \t "}) {
    nobody.reason = blank;
    EXPECT_THAT(problem(nobody), HasSubstr("reason: it needs a reason"));
  }
  nobody.reason = "r", nobody.expires = "2026-02-30";
  EXPECT_THAT(problem(nobody), HasSubstr("expires: \"2026-02-30\" is no date"));
}

TEST(Rules, ThatWouldHideAWholeBodyAreRefused) {
  for (const char* path : {"$", "status", "answer", "body", "$.*", "$[*]", "$.*.*", "$[*].*", "text[*]", "csv[*]",
                           "csv[*][*]", "lines[*]", "xml[*]", "form.*", "multipart[*]", "header *"}) {
    const auto problem = problem_of(rule(Kind::ignore, path));
    ASSERT_TRUE(problem) << path;
    EXPECT_EQ(problem->key, "path");
    EXPECT_THAT(problem->what, HasSubstr("would ignore all of ")) << path;
  }
  for (const char* path :
       {"header ETag", "header Set-Cookie.sid.value", "$.*.id", "$.a.*", "text[3]", "csv[*][2]", "$[*].at"})
    EXPECT_FALSE(problem_of(rule(Kind::ignore, path))) << path;
  for (const char* margin : {"within 1000000%", "within 100%"}) {
    const auto problem = problem_of(rule(Kind::tolerance, "$.a", margin));
    ASSERT_TRUE(problem) << margin;
    EXPECT_EQ(problem->key, "tolerance");
  }
  EXPECT_FALSE(problem_of(rule(Kind::tolerance, "$.a", "within 99.9%")));
}

// -- lint --------------------------------------------------------------------------------------------------------------

std::vector<std::string> remarks(const std::vector<AnswerRule>& rules, const replay::History& oracle,
                                 const replay::History& observed) {
  const auto result = compared(rules, oracle, observed);
  Contract contract = testing::contract();
  contract.answer_rules = rules;
  std::vector<std::string> texts;
  for (const auto& remark : rule_remarks(contract, oracle, {result}, day_of(observed.began_ns)))
    texts.push_back(std::to_string(remark.rule) + " " + remark.what);
  return texts;
}

TEST(RuleRemarks, NameRulesThatMatchedNothingHaveExpiredOrCoverWhatNeverDiffered) {
  const auto oracle = play({R"({"a":{"b":1,"c":1},"d":1,"e":[1,2]})"}),
             observed = play({R"({"a":{"b":2,"c":1},"d":1,"e":[2,1]})"});
  AnswerRule expired = rule(Kind::ignore, "$.d");
  expired.expires = "2020-01-01";
  EXPECT_THAT(remarks({rule(Kind::ignore, "$.a.b"), rule(Kind::ignore, "$.d"), expired, rule(Kind::unordered, "$.e")},
                      oracle, observed),
              ElementsAre("1 matched nothing", "2 expired on 2020-01-01 and is not applied any more"));
  EXPECT_THAT(remarks({rule(Kind::ignore, "$.a")}, oracle, observed),
              ElementsAre("0 also covers GET /orders/{}: $.a.c, which never differed"));
  EXPECT_THAT(remarks({rule(Kind::ignore, "$.a.*")}, oracle, observed),
              ElementsAre("0 also covers GET /orders/{}: $.a.c, which never differed"));
}

// -- suggestions -------------------------------------------------------------------------------------------------------

TEST(SuggestRules, ProposesTheSmallestRulesThatSettleWhatTheOracleChanges) {
  const auto oracle = play(
      {R"({"at":"2024-10-04T00:00:00Z","id":"6f9619ff-8b86-4011-b42d-00cf4fc964f0","n":[{"v":"a"},{"v":"b"}],"tags":[1,2]})",
       R"({"first":[{"v":1},{"v":2}]})"});
  const auto again = play(
      {R"({"at":"2024-10-05T00:00:00Z","id":"6f9619ff-8b86-4011-b42d-00cf4fc964f1","n":[{"v":"c"},{"v":"d"}],"tags":[2,1]})",
       R"({"first":[{"v":9},{"v":2}]})"},
      20'001);
  const auto made = suggest_rules(testing::contract(), oracle, again);
  std::vector<std::string> titles;
  for (const auto& each : made.rules) titles.push_back(title_of(each));
  EXPECT_THAT(titles, ElementsAre("tolerance GET /orders/{}: $.at (timestamp)", "ignore GET /orders/{}: $.first[0].v",
                                  "tolerance GET /orders/{}: $.id (uuid)", "ignore GET /orders/{}: $.n[*].v",
                                  "unordered GET /orders/{}: $.tags"));
  EXPECT_THAT(made.refused, IsEmpty());
  EXPECT_EQ(std::pair(made.differing, made.settled), std::pair(std::int64_t{2}, std::int64_t{2}));
}

TEST(SuggestRules, RefusesWhatWouldHideMoreThanWasSeen) {
  std::string many = R"({"list":[)", changed = many;
  for (int i = 0; i < 10; ++i) {
    many += (i ? ",{\"v\":" : "{\"v\":") + std::to_string(i) + "}";
    changed += (i ? ",{\"v\":" : "{\"v\":") + std::to_string(i < 2 ? 100 + i : i) + "}";
  }
  const auto made = suggest_rules(testing::contract(), play({R"({"a":1,"t":1})", "1", many + "]}"}),
                                  play({R"({"t":"1"})", "2", changed + "]}"}, 20'001));
  EXPECT_THAT(made.rules, IsEmpty());
  std::vector<std::string> why;
  for (const auto& refusal : made.refused) why.push_back(refusal.path + " " + refusal.why.substr(0, 22));
  EXPECT_THAT(why, ElementsAre("$ a rule for the root wo", "$.a missing: what is there",
                               "$.list[*].v over-broad: 2 of 10 pl", "$.t type: what is there an"));
  EXPECT_EQ(made.settled, 0);
  EXPECT_THAT(yaml_of(made), ::testing::Not(HasSubstr("answer_rules:")));
}

TEST(SuggestRules, AreYamlThatAPersonCanPutIntoTheConfiguration) {
  EXPECT_EQ(yaml_of(suggest_rules(testing::contract(), play({R"({"a":"x"})"}), play({R"({"a":"y"})"}, 20'001))),
            "# The oracle's own two runs differ in 1 answers; under these rules in 0.\n"
            "answer_rules:\n"
            "  - route: \"GET /orders/{}\"\n"
            "    path: \"$.a\"\n"
            "    ignore: true\n"
            "    reason: \"the oracle's own runs differ here in 1 answers\"\n");
}

// -- groups ------------------------------------------------------------------------------------------------------------

TEST(DifferenceGroups, TellSymptomsFromCauses) {
  Evidence evidence;
  evidence.contract = testing::contract();
  std::vector<std::string> expected, observed;
  for (int i = 0; i < 1000; ++i) {
    const std::string padding = i == 500 ? "" : R"(,"p":"0123456789")";
    expected.push_back(R"({"total":1,"note":null)" + padding + "}");
    observed.push_back(i % 2 ? R"({"total":"1","note":null)" + padding + "}" : R"({"total":"1")" + padding + "}");
  }
  evidence.histories["oracle 1"] = play(expected);
  evidence.histories["live"] = play(observed);
  evidence.histories["live"].name = "live";
  evidence.histories["live"].records[7].outcome = replay::Outcome::refused;
  Section section;
  section.name = section.played = "live";
  section.oracle = "oracle 1";
  const auto result = compare_answers(evidence.contract, evidence.histories["oracle 1"], nullptr,
                                      evidence.histories["live"], [](const replay::Record&) { return true; });
  const auto groups = difference_groups(evidence, {{&section, result}});
  std::vector<std::string> causes;
  for (const auto& group : groups)
    causes.push_back(std::string(name_of(group.kind)) + " " + group.route + " " + group.path + " " +
                     std::to_string(group.answers));
  EXPECT_THAT(causes, ElementsAre("type GET /orders/{} $.total 999", "null against absent GET /orders/{} $.note 500",
                                  "failure GET /orders/{} answer 1"));
  EXPECT_EQ(groups[0].first.step, 1);
  EXPECT_EQ(groups[0].smallest.step, 501);
  EXPECT_THAT(groups[0].sections, ElementsAre("live"));
}

TEST(SideBySide, ShowsWhatDiffersAndAFewLinesAround) {
  using enum Difference::Kind;
  const auto rows = side_by_side(testing::json(200, R"({"b":[1,2,3,4,5,6,7,8,9],"a":1,"z":{"k":"v"}})"),
                                 testing::json(200, R"({"a":1,"b":[1,2,3,4,5,6,7,8,9],"z":{"k":"w","l":0}})"),
                                 {value, "$.z.k", "", "", ""});
  EXPECT_EQ(rows, (std::vector<BodyRow>{{"...", "...", false},
                                        {"    9", "    9", false},
                                        {"  ],", "  ],", false},
                                        {"  \"z\": {", "  \"z\": {", false},
                                        {"    \"k\": \"v\"", "    \"k\": \"w\",", true},
                                        {"", "    \"l\": 0", false},
                                        {"  }", "  }", false},
                                        {"}", "}", false}}));
  const replay::Response image{200, {{"Content-Type", "image/png"}}, "a"},
      other{200, {{"Content-Type", "image/png"}}, "b"};
  EXPECT_THAT(side_by_side(image, other, {value, "body", "", "", ""}),
              ElementsAre(::testing::Field(&BodyRow::expected, HasSubstr("1 bytes, XXH3"))));
  EXPECT_THAT(side_by_side(image, other, {value, "header ETag", "", "", ""}), IsEmpty());
}

}  // namespace
}  // namespace rehearse::properties
