#include "properties/evidence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "properties/checks/rehearsed.h"
#include "replay/error.h"

namespace rehearse::properties {
namespace {

using ::testing::HasSubstr;

std::string problem_of(const std::string& text) {
  try {
    static_cast<void>(evidence_from_json(text));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Evidence, ComesBackFromItsJson) {
  Evidence evidence = testing::rehearsed();
  evidence.waived = {{"G9", "no sequences"}};
  evidence.contract.part_of = {{"items", "orders"}};
  evidence.contract.not_alerted = {{"audit", "later"}};
  evidence.bound = {{4, "json:/id", "30011", 3, Belief::refuted}};
  evidence.rehearsed = {"off", "live"};
  evidence.recorded = {{"oracle 1", 4}};
  evidence.began_ns = 1'000;
  evidence.timeline = {{Mark::Kind::flip, 2'000, "off → read-only", "read-only"}};
  evidence.contract.legacy_failure_fails_request = false;
  Section& section = evidence.sections[2];
  section.earlier = {"walk 1: off"};
  section.not_done = {{"R5", "no rights"}};
  section.quiet = false;
  testing::differ(section.comparisons.begin()->second, RowDifference::Kind::changed, "orders", "7,\"ü\"", "total",
                  "NULL", "\n");
  testing::write(section.changes["new"], "public.orders", 3);
  section.changes["new"].sequences = {"orders_id_seq"};
  const std::string text = to_json(evidence);
  const Evidence back = evidence_from_json(text);
  EXPECT_EQ(to_json(back), text);
  ASSERT_EQ(back.sections.size(), evidence.sections.size());
  EXPECT_EQ(back.sections[2].quiet, std::optional(false));
  EXPECT_EQ(back.sections[2].legacy_requests, std::nullopt);
  EXPECT_EQ(back.sections[2].edge, std::nullopt);
  EXPECT_EQ(back.sections.back().edge, evidence.sections.back().edge);
  EXPECT_EQ(back.conservation, evidence.conservation);
  EXPECT_EQ(back.bound, evidence.bound);
  ASSERT_EQ(back.timeline.size(), 1U);
  EXPECT_EQ(back.timeline[0].kind, Mark::Kind::flip);
  EXPECT_EQ(back.timeline[0].at_ns, 2'000);
  EXPECT_EQ(back.contract.stage_values, evidence.contract.stage_values);
}

TEST(Evidence, JudgedAgainFromItsJsonItComesToTheSame) {
  Evidence evidence = testing::rehearsed();
  testing::differ(testing::section_of(evidence, "live").comparisons.at("legacy = new"), RowDifference::Kind::only_right,
                  "orders", "30011");
  Evidence back = evidence_from_json(to_json(evidence));
  back.histories = evidence.histories;
  const auto checks = all_checks();
  const auto lines = [&](const Evidence& e) {
    std::vector<std::string> all;
    for (const Result& r : judge(checks, e).results) {
      all.push_back(r.scope + r.invariant + std::string(name_of(r.verdict)) + r.reason);
      for (const Finding& f : r.findings) all.push_back(f.expected + f.observed + f.request);
    }
    return all;
  };
  EXPECT_EQ(lines(back), lines(evidence));
}

TEST(Evidence, OfAFileFromBeforeTheTimeLineIsReadWithoutOne) {
  std::string text = to_json(testing::rehearsed());
  const std::string added = ",\"began_ns\":0,\"timeline\":[]";
  ASSERT_NE(text.find(added), std::string::npos);
  text.erase(text.find(added), added.size());
  const Evidence old = evidence_from_json(text);
  EXPECT_EQ(old.sections.size(), testing::rehearsed().sections.size());
  EXPECT_TRUE(old.timeline.empty());
}

TEST(Evidence, SaysWhatItCannotRead) {
  EXPECT_THAT(problem_of("{"), HasSubstr("the evidence in the history file cannot be read"));
  EXPECT_THAT(problem_of("{}"), HasSubstr("written by another version of rehearse"));
  std::string newer = to_json(Evidence{});
  newer.replace(newer.find("\"schema_version\":6"), 18, "\"schema_version\":7");
  EXPECT_THAT(problem_of(newer), HasSubstr("schema_version 7"));
  EXPECT_THAT(problem_of(R"({"schema_version":1})"), HasSubstr("schema_version 1 and not 6"))
      << "and not which field an older one lacks";
}

TEST(Evidence, FindsHistoriesByNameAndEarlierPlaysThatThereAre) {
  Evidence evidence = testing::rehearsed();
  EXPECT_EQ(evidence.history(""), nullptr);
  EXPECT_NE(evidence.history("live"), nullptr);
  Section section;
  section.earlier = {"live", "missing", "shadow"};
  EXPECT_EQ(evidence.earlier_plays(section).size(), 2u);
}

}  // namespace
}  // namespace rehearse::properties
