#include "properties/answers/paired_reads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "properties/checks/rehearsed.h"

namespace rehearse::properties {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::SizeIs;

replay::History reading(const std::vector<std::string>& bodies) {
  replay::History history;
  for (const std::string& body : bodies) {
    const auto step = static_cast<replay::StepId>(history.records.size()) + 1;
    history.records.push_back(
        testing::answered(step, testing::get("/orders/" + std::to_string(step)), testing::json(200, body)));
  }
  return history;
}

Evidence evidence_of(const replay::History& before, const replay::History& after) {
  Evidence evidence;
  evidence.contract = testing::contract();
  evidence.contract.answer_rules = {{AnswerRule::Kind::ignore, "", "$.debug", "", "a reason", "", ""},
                                    {AnswerRule::Kind::tolerance, "", "$.price", "within 1%", "a reason", "", ""},
                                    {AnswerRule::Kind::unordered, "", "$.tags", "", "a reason", "", ""}};
  evidence.histories = {{"before", before}, {"after", after}};
  return evidence;
}

TEST(PairedReads, WhatRulesExcuseIsCountedAndNeverEqual) {
  const auto evidence =
      evidence_of(reading({R"({"a":1})", R"({"debug":1})", R"({"price":100})", R"({"tags":[1,2]})", R"({"a":1})"}),
                  reading({R"({"a":1})", R"({"debug":2})", R"({"price":100.5})", R"({"tags":[2,1]})", R"({"a":2})"}));
  const auto compared = compare_paired_reads(evidence, {"the flip", "before", "after"});
  const AnswersCompared& answers = compared.answers;
  EXPECT_EQ(std::tuple(answers.matched, answers.masked, answers.ignored, answers.differed), std::tuple(2, 1, 1, 1));
  EXPECT_EQ(compared.pairs(), 5);
  EXPECT_THAT(answers.rule_hits, ElementsAre(1, 1, 1));
  EXPECT_THAT(answers.ignored_values, ElementsAre(Pair("GET /orders/{}: $.debug", 1)));
  AnswersCompared section;
  section.ignored = 3;
  section.rule_hits = {10, 0, 0};
  add_excused(compared, section);
  EXPECT_EQ(section.ignored, 4);
  EXPECT_EQ(section.matched, 0) << "what was equal was no answer of the play";
  EXPECT_THAT(section.rule_hits, ElementsAre(11, 1, 1));
}

TEST(PairedReads, WhatCannotBeHeldAgainstAnythingIsNamed) {
  auto before = reading({"1", "2", "3"}), after = reading({"1", "2"});
  before.records[0].outcome = replay::Outcome::lost;
  before.records[1].response.status = 500;
  const auto evidence = evidence_of(before, after);
  const auto compared = compare_paired_reads(evidence, {"the flip", "before", "after"});
  EXPECT_THAT(compared.failed_before, SizeIs(2));
  EXPECT_THAT(compared.not_read_again, SizeIs(1));
  EXPECT_EQ(compared.pairs(), 0);
  EXPECT_TRUE(compare_paired_reads(evidence, {"the flip", "before", "nowhere"}).missing);
}

}  // namespace
}  // namespace rehearse::properties
