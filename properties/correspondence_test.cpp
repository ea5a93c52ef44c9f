#include "properties/correspondence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "properties/checks/rehearsed.h"

namespace rehearse::properties {
namespace {

using testing::answered;
using ::testing::IsEmpty;
using testing::json;
using ::testing::Pair;
using testing::post;
using ::testing::UnorderedElementsAre;

replay::History creating(const std::vector<std::string>& bodies) {
  replay::History history;
  for (const std::string& body : bodies) {
    history.records.push_back(
        answered(static_cast<replay::StepId>(history.records.size()) + 1, post("/orders"), json(201, body)));
  }
  return history;
}

Correspondence pairs_of(const std::vector<std::string>& expected, const std::vector<std::string>& observed) {
  const auto a = creating(expected);
  const auto b = creating(observed);
  return correspondence(a, {&b});
}

TEST(Correspondence, PairsWhatTwoPlaysMadeInTheSamePlace) {
  EXPECT_THAT(pairs_of({R"({"id":"a1","lines":[{"line_id":5}]})"}, {R"({"id":"b1","lines":[{"line_id":6}]})"}),
              UnorderedElementsAre(Pair("b1", "a1"), Pair("6", "5")));
}

TEST(Correspondence, EqualValuesNeedNoPairAndForbidOthers) {
  EXPECT_THAT(pairs_of({R"({"id":1})"}, {R"({"id":1})"}), IsEmpty());
  EXPECT_THAT(pairs_of({R"({"id":1})", R"({"id":2})"}, {R"({"id":1})", R"({"id":1})"}), IsEmpty())
      << "1 cannot stand for 1 and for 2";
}

TEST(Correspondence, IsOneToOne) {
  EXPECT_THAT(pairs_of({R"({"id":"a"})", R"({"id":"a"})"}, {R"({"id":"x"})", R"({"id":"y"})"}), IsEmpty());
  EXPECT_THAT(pairs_of({R"({"id":"a"})", R"({"id":"b"})"}, {R"({"id":"x"})", R"({"id":"x"})"}), IsEmpty());
}

TEST(Correspondence, BelievesIdentifiersInAnswersToAcknowledgedWritesOnly) {
  EXPECT_THAT(pairs_of({R"({"total":5,"paid":5,"monkey":5})"}, {R"({"total":6,"paid":6,"monkey":6})"}), IsEmpty());
  auto expected = creating({R"({"id":5})"});
  auto observed = creating({R"({"id":6})"});
  observed.records[0].response.status = 409;
  EXPECT_THAT(correspondence(expected, {&observed}), IsEmpty());
  observed.records[0].response.status = 201;
  observed.records[0].read = true;
  EXPECT_THAT(correspondence(expected, {&observed}), IsEmpty());
}

TEST(Correspondence, TheEndOfLocationIsAnIdentifier) {
  auto expected = creating({"{}"});
  auto observed = creating({"{}"});
  expected.records[0].response.headers.push_back({"Location", "/orders/a1"});
  observed.records[0].response.headers.push_back({"location", "http://h/orders/b1"});
  EXPECT_THAT(correspondence(expected, {&observed}), UnorderedElementsAre(Pair("b1", "a1")));
}

TEST(NamesAnIdentifier, GoesByWholeWords) {
  for (const char* name : {"id", "ID", "customer_id", "orderId", "orderIds", "uuid", "key", "book_key", "apiKey"})
    EXPECT_TRUE(names_an_identifier(name)) << name;
  for (const char* name : {"", "paid", "valid", "amount_paid", "grid", "monkey", "idea", "keyboard"})
    EXPECT_FALSE(names_an_identifier(name)) << name;
}

}  // namespace
}  // namespace rehearse::properties
