// Stories of single invariants, told in words: what was served, what was sent, what the databases committed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "properties/checks/facts.h"
#include "properties/checks/rehearsed.h"

namespace rehearse::properties {
namespace {

using testing::get;
using testing::json;
using testing::post;

MATCHER_P2(fails, invariant, facts, "") {
  for (const Result& result : arg.results) {
    if (result.invariant != std::string(invariant) || result.verdict != Verdict::fail) continue;
    for (const Finding& finding : result.findings) {
      if ((finding.expected + " | " + finding.observed).find(facts) != std::string::npos) return true;
      *result_listener << "\n  " << finding.expected << " | " << finding.observed;
    }
  }
  return false;
}

MATCHER_P(passes, invariant, "") {
  bool passed = false;
  for (const Result& result : arg.results) {
    if (result.invariant != std::string(invariant)) continue;
    passed = result.verdict == Verdict::pass;
    *result_listener << result.reason;
  }
  return passed;
}

class Stories : public ::testing::Test {
 protected:
  void serve(Stage stage) { section = testing::section_of(evidence, std::string(name_of(stage))); }
  void go(Stage from, Stage to) { section = testing::section_of(evidence, name_of(Edge{from, to})); }

  // A write that was refused, alone, with both databases watched.
  void refuse(const replay::Request& request) {
    replay::History& history = evidence.histories["refused"];
    history.name = "refused";
    history.records = {testing::answered(1, request, json(422, "{}"))};
    section.traced = {{"refused", 1, testing::silence(), testing::silence()}};
  }

  // What the play answered instead; and the oracle.
  void answer(replay::StepId step, const replay::Response& response) { put(section.played, step, response); }
  void oracle_answers(replay::StepId step, const replay::Response& first, const replay::Response& second) {
    put(first_oracle, step, first);
    put(second_oracle, step, second);
  }

  Judgement judgement() {
    evidence.sections = {section};
    return judge(all_checks(), evidence);
  }

  Evidence evidence = testing::rehearsed();
  Section section;

 private:
  void put(const std::string& history, replay::StepId step, replay::Response response) {
    for (auto& record : evidence.histories.at(history).records) {
      if (record.step != step) continue;
      replay::set_field(response.headers, "Migration-Stage",
                        replay::field(record.response.headers, "Migration-Stage").value_or(""));
      record.response = response;
    }
  }
};

TEST_F(Stories, ARefusalThatLeftARowIsFound) {
  serve(Stage::shadow);
  refuse(post("/orders"));
  EXPECT_THAT(judgement(), passes("G3"));
  testing::write(section.traced[0].legacy_changes, "public.orders");
  EXPECT_THAT(judgement(), fails("G3",
                                 "POST /orders (step 1) was answered 422 | the legacy database was written meanwhile: "
                                 "public.orders: 1 row change"));
}

TEST_F(Stories, AMissingRowNamesTheWriteThatWasAcknowledged) {
  serve(Stage::shadow);
  testing::differ(section.comparisons.at("legacy = new"), RowDifference::Kind::only_left, "orders", "30011");
  EXPECT_THAT(judgement(), fails("S1",
                                 "POST /orders (step 1) was answered 201 | orders/30011 stands in the legacy database "
                                 "and not in the new database"));
}

TEST_F(Stories, AnAlertExcusesTheRowsThatItNamesAndTheirParts) {
  serve(Stage::shadow);
  section.name = "shadow, new database stopped";
  section.fault = Fault::new_database_stopped;
  evidence.contract.part_of = {{"order_items", "orders"}};
  evidence.contract.not_alerted = {{"audit", "it is written later"}};
  auto& comparison = section.comparisons.at("legacy = new");
  testing::differ(comparison, RowDifference::Kind::only_left, "orders", "30011");
  testing::differ(comparison, RowDifference::Kind::only_left, "order_items", "30011,1");
  testing::differ(comparison, RowDifference::Kind::only_left, "audit", "5");
  section.alerts.counted = 1;
  section.alerts.logged = {{"new", "shadow", "insert", "orders", "30011"}};
  EXPECT_THAT(judgement(), passes("S1"));
  EXPECT_THAT(judgement(), passes("G11"));
  testing::differ(comparison, RowDifference::Kind::only_left, "order_items", "30012,1");
  EXPECT_THAT(
      judgement(),
      fails("G11",
            "order_items/30012,1 stands in the legacy database and not in the new database | no alert names that key"));
}

TEST_F(Stories, AValueThatTheOracleItselfChangesIsVolatile) {
  serve(Stage::live);
  oracle_answers(2, json(200, R"({"id":7,"at":"10:00"})"), json(200, R"({"id":7,"at":"10:05"})"));
  answer(2, json(200, R"({"id":7,"at":"11:11"})"));
  EXPECT_THAT(judgement(), passes("G7"));
  answer(2, json(200, R"({"id":7,"at":null})"));
  EXPECT_THAT(judgement(), fails("G7", "with $.at = \"10:00\" | in live it was answered with $.at = null"));
}

TEST_F(Stories, AnIdThatTheServerMadeOtherwiseIsTheSameOrder) {
  serve(Stage::live);
  answer(1, json(201, R"({"id":40022,"total":12})", {{"Location", "/orders/40022"}}));
  oracle_answers(2, json(200, R"({"order_id":30011})"), json(200, R"({"order_id":30011})"));
  answer(2, json(200, R"({"order_id":40022})"));
  EXPECT_THAT(judgement(), passes("G7"));
  answer(2, json(200, R"({"order_id":40023})"));
  EXPECT_THAT(judgement(), fails("G7", "$.order_id = 40023"));
}

TEST_F(Stories, AnAmountIsNoIdWhateverItsNameEndsIn) {
  serve(Stage::live);
  oracle_answers(1, json(201, R"({"paid":500})"), json(201, R"({"paid":500})"));
  answer(1, json(201, R"({"paid":600})"));
  EXPECT_THAT(judgement(), fails("G7", "$.paid = 600"));
}

TEST_F(Stories, AWriteThatLegacyDoesNotKnowEitherNeedsNoRefusal) {
  serve(Stage::read_only);
  oracle_answers(4, json(405, "{}"), json(405, "{}"));
  answer(4, json(405, "{}"));
  EXPECT_THAT(judgement(), passes("R1"));
  answer(4, json(404, "{}"));
  EXPECT_THAT(judgement(), fails("R1", "DELETE /orders/99999 (step 4) was answered 404"));
}

TEST_F(Stories, AnAnswerBeforeTheFlipHadSpreadMayBeOfTheEarlierStage) {
  serve(Stage::live);
  evidence.contract.stage_values["on"] = Stage::live;
  auto& history = testing::played(evidence, section);
  replay::set_field(history.records[0].response.headers, "Migration-Stage", "shadow");
  section.served_from_ns = history.began_ns + history.records[0].sent_ns + 1;
  EXPECT_THAT(judgement(), passes("G13"));
  section.served_from_ns -= 1;
  EXPECT_THAT(judgement(), fails("G13", "POST /orders (step 1) was answered 201, served under shadow"));
}

TEST_F(Stories, ReadsAroundAFlipAreCounted) {
  evidence.contract.unguarded["E3"] = "the runbook looks";
  go(Stage::shadow, Stage::live);
  for (const Result& result : judgement().results) {
    if (result.invariant == "E3") {
      EXPECT_EQ(result.reason, "1 attempts against the guard, 100 rows, 2 pairs of reads");
    }
  }
}

TEST_F(Stories, ALostWriteIsNeitherAcknowledgedNorRefused) {
  Contract contract;
  contract.refusal = {503, {"Retry-After"}, ""};
  replay::Record record = testing::answered(1, post("/orders"), json(201, "{}"));
  EXPECT_TRUE(acknowledged(record));
  EXPECT_FALSE(refused(contract, record));
  record.response.status = 503;
  EXPECT_FALSE(refused(contract, record)) << "without Retry-After nobody promised anything";
  replay::set_field(record.response.headers, "Retry-After", "5");
  EXPECT_TRUE(refused(contract, record));
  record.outcome = replay::Outcome::lost;
  record.problem = "reading the answer: end of stream";
  EXPECT_FALSE(acknowledged(record));
  EXPECT_FALSE(refused(contract, record));
  EXPECT_EQ(what_happened(record), "POST /orders (step 1) was lost (reading the answer: end of stream)");
  EXPECT_FALSE(acknowledged(testing::answered(1, get("/orders"), json(200, "{}"))));
}

TEST_F(Stories, RowsAndChangesArePutIntoWords) {
  Comparison comparison = testing::same("legacy database", "new database");
  testing::differ(comparison, RowDifference::Kind::changed, "orders", "7", "status", "paid", "open");
  testing::differ(comparison, RowDifference::Kind::only_right, "orders", "8");
  EXPECT_EQ(in_words(comparison, comparison.rows[0]),
            "orders/7.status is paid in the legacy database and open in the new database");
  EXPECT_EQ(in_words(comparison, comparison.rows[1]),
            "orders/8 stands in the new database and not in the legacy database");
  Changes changes = testing::silence();
  EXPECT_EQ(in_words(changes), "nothing was written");
  changes.by_table = {{"orders", 1}, {"items", 2}};
  changes.sequences = {"orders_id_seq"};
  EXPECT_EQ(in_words(changes), "items: 2 row changes; orders: 1 row change; sequence orders_id_seq moved");
}

}  // namespace
}  // namespace rehearse::properties
