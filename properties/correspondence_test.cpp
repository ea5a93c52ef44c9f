#include "properties/correspondence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "properties/checks/rehearsed.h"

namespace rehearse::properties {
namespace {

using testing::answered;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::json;
using testing::post;

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

// "order 41 is 97 at 3" twice, of each violation.
std::vector<std::string> violations(const Correspondence& pairs) {
  const auto in_words = [](const Correspondence::Pair& pair) {
    return pair.entity + " " + pair.expected + " is " + pair.observed + " at " + std::to_string(pair.step);
  };
  std::vector<std::string> lines;
  for (const auto& violation : pairs.violations())
    lines.push_back(in_words(violation.first) + ", " + in_words(violation.second));
  return lines;
}

TEST(Correspondence, PairsWhatTwoPlaysMadeInTheSamePlace) {
  const auto pairs = pairs_of({R"({"id":"a1","lines":[{"line_id":5}]})"}, {R"({"id":"b1","lines":[{"line_id":6}]})"});
  EXPECT_TRUE(pairs.same("a1", "b1"));
  EXPECT_TRUE(pairs.same("5", "6"));
  EXPECT_FALSE(pairs.same("b1", "a1"));
  EXPECT_FALSE(pairs.same("5", "b1"));
  EXPECT_EQ(*pairs.identifier_for("order", "b1"), "a1");
  EXPECT_EQ(pairs.identifier_for("order", "c1"), nullptr);
}

TEST(Correspondence, EqualValuesNeedNoPairAndForbidOthers) {
  EXPECT_TRUE(pairs_of({R"({"id":1})"}, {R"({"id":1})"}).empty());
  const auto pairs = pairs_of({R"({"id":1})", R"({"id":2})"}, {R"({"id":1})", R"({"id":1})"});
  EXPECT_TRUE(pairs.empty()) << "1 cannot stand for 1 and for 2";
  EXPECT_THAT(violations(pairs), ElementsAre("order 1 is 1 at 1, order 2 is 1 at 2"));
}

TEST(Correspondence, IsOneToOne) {
  const auto two_observed = pairs_of({R"({"id":"a"})", R"({"id":"a"})"}, {R"({"id":"x"})", R"({"id":"y"})"});
  EXPECT_TRUE(two_observed.empty());
  EXPECT_THAT(violations(two_observed), ElementsAre("order a is x at 1, order a is y at 2"));
  const auto two_expected = pairs_of({R"({"id":"a"})", R"({"id":"b"})"}, {R"({"id":"x"})", R"({"id":"x"})"});
  EXPECT_TRUE(two_expected.empty());
  EXPECT_THAT(violations(two_expected), ElementsAre("order a is x at 1, order b is x at 2"));
  EXPECT_THAT(violations(pairs_of({R"({"id":"a"})", R"({"id":"a"})", R"({"id":"a"})"},
                                  {R"({"id":"x"})", R"({"id":"y"})", R"({"id":"y"})"})),
              ElementsAre("order a is x at 1, order a is y at 2"))
      << "once, however often it comes";
  EXPECT_THAT(violations(pairs_of({R"({"id":"a"})", R"({"id":"a"})"}, {R"({"id":"x"})", R"({"id":"x"})"})), IsEmpty());
}

TEST(Correspondence, EachEntityHasItsOwnNumbering) {
  const auto pairs = pairs_of({R"({"id":501,"product_id":501,"lines":[{"id":501}]})"},
                              {R"({"id":601,"product_id":501,"lines":[{"id":701}]})"});
  EXPECT_THAT(violations(pairs), IsEmpty());
  EXPECT_EQ(*pairs.identifier_for("order", "601"), "501");
  EXPECT_EQ(*pairs.identifier_for("product", "501"), "501");
  EXPECT_EQ(*pairs.identifier_for("line", "701"), "501");
  EXPECT_EQ(*pairs.identifier_for("parent", "601"), "501") << "of whatever entity, where only one has it";
}

TEST(Correspondence, ValuesThatBothPlaysReboundStandForEachOtherAndNeedNotBeOneToOne) {
  replay::History expected, observed;
  expected.bindings = {{1, "header:ETag", "", "a"}, {2, "header:ETag", "", "a"}, {3, "json:/cursor", "", "c"}};
  observed.bindings = {{1, "header:ETag", "", "x"}, {2, "header:ETag", "", "y"}, {4, "json:/cursor", "", "d"}};
  const auto pairs = correspondence(expected, {&observed});
  EXPECT_TRUE(pairs.same("a", "x"));
  EXPECT_TRUE(pairs.same("a", "y"));
  EXPECT_FALSE(pairs.same("c", "d")) << "made in two places";
  EXPECT_THAT(violations(pairs), IsEmpty());
}

TEST(Correspondence, BelievesIdentifiersInAnswersToAcknowledgedWritesOnly) {
  EXPECT_TRUE(pairs_of({R"({"total":5,"paid":5,"monkey":5})"}, {R"({"total":6,"paid":6,"monkey":6})"}).empty());
  auto expected = creating({R"({"id":5})"});
  auto observed = creating({R"({"id":6})"});
  observed.records[0].response.status = 409;
  EXPECT_TRUE(correspondence(expected, {&observed}).empty());
  observed.records[0].response.status = 201;
  observed.records[0].read = true;
  EXPECT_TRUE(correspondence(expected, {&observed}).empty());
}

TEST(Correspondence, TheEndOfLocationIsAnIdentifier) {
  auto expected = creating({"{}"});
  auto observed = creating({"{}"});
  expected.records[0].response.headers.push_back({"Location", "/orders/a1"});
  observed.records[0].response.headers.push_back({"location", "http://h/orders/b1"});
  EXPECT_EQ(*correspondence(expected, {&observed}).identifier_for("order", "b1"), "a1");
}

TEST(NamesAnIdentifier, GoesByWholeWords) {
  for (const char* name : {"id", "ID", "customer_id", "orderId", "orderIds", "uuid", "key", "book_key", "apiKey"})
    EXPECT_TRUE(names_an_identifier(name)) << name;
  for (const char* name : {"", "paid", "valid", "amount_paid", "grid", "monkey", "idea", "keyboard"})
    EXPECT_FALSE(names_an_identifier(name)) << name;
}

}  // namespace
}  // namespace rehearse::properties
