#include "properties/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

namespace rehearse::properties {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Look = std::function<void(Outcome&)>;

Check check(std::string_view invariant, Look look) {
  return {invariant, "a title", [](const Section&) { return true; },
          [look = std::move(look)](const Evidence&, const Section&, Outcome& outcome) { look(outcome); }};
}

Evidence one_section(const std::string& name = "shadow") {
  Evidence evidence;
  evidence.sections.emplace_back();
  evidence.sections.back().name = name;
  return evidence;
}

Result result_of(Look look) {
  const std::vector<Check> checks{check("G1", std::move(look))};
  return judge(checks, one_section()).results.at(0);
}

TEST(Verdict, TheWorstWins) {
  EXPECT_EQ(worst(Verdict::pass, Verdict::unknown), Verdict::unknown);
  EXPECT_EQ(worst(Verdict::fail, Verdict::unknown), Verdict::fail);
  EXPECT_EQ(worst(Verdict::pass, Verdict::pass), Verdict::pass);
  Judgement judgement;
  EXPECT_EQ(judgement.verdict(), Verdict::unknown) << "a run that checked nothing proves nothing";
  for (Verdict verdict : {Verdict::pass, Verdict::unknown, Verdict::fail, Verdict::pass}) {
    const Verdict before = judgement.verdict();
    judgement.results.emplace_back().verdict = verdict;
    EXPECT_EQ(judgement.verdict(), judgement.results.size() == 1 ? verdict : worst(before, verdict));
  }
}

TEST(Judge, APassHasLookedAtSomething) {
  const Result pass = result_of([](Outcome& o) { o.looked_at(3, "rows"); });
  EXPECT_EQ(pass.verdict, Verdict::pass);
  EXPECT_EQ(pass.checked, 3u);
  EXPECT_EQ(pass.scope, "shadow");
  EXPECT_EQ(pass.title, "a title");
  EXPECT_EQ(result_of([](Outcome&) {}).verdict, Verdict::unknown);
  EXPECT_EQ(result_of([](Outcome& o) { o.looked_at(0, "rows"); }).verdict, Verdict::unknown);
}

TEST(Judge, SaysHowManyOfEachThingWereLookedAt) {
  const Result result = result_of([](Outcome& o) {
    for (int i = 0; i < 60; ++i) o.looked_at(1, "pairs of reads");
    o.looked_at(100, "rows");
    o.looked_at(5, "reads");
    o.looked_at(2, "rows");
  });
  EXPECT_EQ(result.reason, "60 pairs of reads, 102 rows, 5 reads");
  EXPECT_EQ(result.checked, 167u);
}

TEST(Judge, WhatItCannotTellIsUnknownAndAContradictionIsAFailureAllTheSame) {
  const Result unknown = result_of([](Outcome& o) {
    o.looked_at(1, "rows");
    o.cannot_tell("the first reason");
    o.cannot_tell("the second");
  });
  EXPECT_EQ(unknown.verdict, Verdict::unknown);
  EXPECT_EQ(unknown.reason, "the first reason");
  EXPECT_EQ(result_of([](Outcome& o) {
              o.cannot_tell("no evidence");
              o.contradict("a", "b");
            }).verdict,
            Verdict::fail);
}

TEST(Judge, ACheckThatThrowsIsUnknownWhateverItThrowsAndWherever) {
  const Result thrown = result_of([](Outcome& o) {
    o.looked_at(1, "rows");
    throw std::runtime_error("a bug");
  });
  EXPECT_EQ(thrown.verdict, Verdict::unknown);
  EXPECT_THAT(thrown.reason, HasSubstr("a bug"));
  EXPECT_EQ(result_of([](Outcome& o) {
              o.looked_at(1, "rows");
              throw 7;
            }).verdict,
            Verdict::unknown);
  const std::vector<Check> checks{{"G1", "t", [](const Section&) -> bool { throw std::runtime_error("a bug"); },
                                   [](const Evidence&, const Section&, Outcome&) {}}};
  ASSERT_THAT(judge(checks, one_section()).results, SizeIs(1));
  EXPECT_EQ(judge(checks, one_section()).results[0].verdict, Verdict::unknown);
}

TEST(Judge, ShowsTheFirstFindingsAndCountsAll) {
  const Result result = result_of([](Outcome& o) {
    for (int i = 0; i < 30; ++i) o.contradict(std::to_string(i), "x");
    o.count_more(70);
  });
  EXPECT_EQ(result.violations, 100u);
  ASSERT_THAT(result.findings, SizeIs(max_findings_per_result));
  EXPECT_EQ(result.findings[19].expected, "19");
  EXPECT_EQ(result.findings[0].step, -1);
}

TEST(Judge, AFindingNamesItsRequest) {
  replay::History history;
  history.name = "live";
  history.target = "http://h";
  replay::Record record;
  record.step = 7;
  record.request = {"GET", "/a", {}, ""};
  const Result result = result_of([&](Outcome& o) { o.contradict("a", "b", &history, &record); });
  EXPECT_EQ(result.findings[0].history, "live");
  EXPECT_EQ(result.findings[0].step, 7);
  EXPECT_EQ(result.findings[0].request, "curl -i 'http://h/a'");
}

TEST(Judge, GivesTheSameResultsInAnyOrderOfChecks) {
  Evidence evidence = one_section("off");
  evidence.sections.push_back(evidence.sections[0]);
  evidence.sections[1].name = "shadow";
  std::vector<Check> checks{check("G1", [](Outcome& o) { o.looked_at(1, "rows"); }),
                            check("G2", [](Outcome& o) { o.contradict("a", "b"); }),
                            check("G3", [](Outcome& o) { o.cannot_tell("c"); })};
  const auto in_order = [&] {
    std::vector<std::string> lines;
    for (const Result& r : judge(checks, evidence).results)
      lines.push_back(r.scope + " " + r.invariant + " " + std::string(name_of(r.verdict)) + " " + r.reason);
    return lines;
  };
  EXPECT_THAT(in_order(), ::testing::ElementsAre("off G1 pass 1 rows", "off G2 fail ", "off G3 unknown c",
                                                 "shadow G1 pass 1 rows", "shadow G2 fail ", "shadow G3 unknown c"));
  auto before = in_order();
  std::swap(checks[0], checks[2]);
  auto after = in_order();
  std::sort(before.begin(), before.end());
  std::sort(after.begin(), after.end());
  EXPECT_EQ(before, after);
}

TEST(Judge, WaivedInvariantsGiveNoResultAndUndoneProbesAreUnknown) {
  Evidence evidence = one_section();
  const std::vector<Check> checks{check("G1", [](Outcome& o) { o.looked_at(1, "rows"); })};
  evidence.sections[0].not_done["G1"] = "no rights";
  EXPECT_EQ(judge(checks, evidence).results[0].verdict, Verdict::unknown);
  EXPECT_EQ(judge(checks, evidence).results[0].reason, "no rights");
  evidence.waived["G1"] = "accepted by the owner";
  EXPECT_THAT(judge(checks, evidence).results, IsEmpty());
}

}  // namespace
}  // namespace rehearse::properties
