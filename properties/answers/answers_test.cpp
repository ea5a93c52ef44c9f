#include "properties/answers/answers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <zlib.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "properties/checks/rehearsed.h"

namespace rehearse::properties {
namespace {

using testing::answered;
using ::testing::ElementsAre;
using testing::get;
using ::testing::IsEmpty;

// "value $.total", ... of two answers to one request.
std::vector<std::string> differences(const replay::Response& expected, const replay::Response& observed,
                                     const std::vector<replay::Binding>& expected_made = {},
                                     const std::vector<replay::Binding>& observed_made = {}) {
  const Contract contract = testing::contract();
  replay::History left, right;
  left.bindings = expected_made;
  right.bindings = observed_made;
  std::vector<std::string> lines;
  for (const Difference& difference :
       AnswerComparer(contract, correspondence(left, {&right}))
           .differences(answered(1, get("/a"), expected), answered(1, get("/a"), observed))) {
    lines.push_back(std::string(name_of(difference.kind)) + " " + difference.path);
  }
  return lines;
}

replay::Response json(const std::string& body, replay::Headers headers = {}) {
  return testing::json(200, body, std::move(headers));
}
replay::Response text(const std::string& type, const std::string& body) {
  return {200, {{"Content-Type", type}}, body};
}

std::string gzip(std::string body) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(body.size() + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(body.data());
  stream.avail_in = static_cast<uInt>(body.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(Answers, AreEqualWhateverOrderAndSpacesTheyHave) {
  EXPECT_THAT(differences(json(R"({"a":1,"b":[1,2]})"), json(R"( { "b" : [ 1 , 2 ], "a" : 1 } )")), IsEmpty());
}

TEST(Answers, EveryKindOfDifferenceIsSeenInBothDirections) {
  const auto both = [](const replay::Response& a, const replay::Response& b) {
    return std::pair(differences(a, b), differences(b, a));
  };
  using Lines = std::vector<std::string>;
  EXPECT_EQ(both(json("1"), testing::json(404, "1")), std::pair(Lines{"status status"}, Lines{"status status"}));
  EXPECT_EQ(both(json(R"({"a":1})"), json("{}")), std::pair(Lines{"missing $.a"}, Lines{"extra $.a"}));
  EXPECT_EQ(both(json(R"({"a":null})"), json("{}")),
            std::pair(Lines{"null against absent $.a"}, Lines{"null against absent $.a"}));
  EXPECT_EQ(both(json(R"({"a":null})"), json(R"({"a":0})")), std::pair(Lines{"type $.a"}, Lines{"type $.a"}));
  EXPECT_EQ(both(json("[1,2,3]"), json("[3,1,2]")), std::pair(Lines{"reordered $"}, Lines{"reordered $"}));
  EXPECT_EQ(both(json(R"({"a":1,"a":2})"), json(R"({"a":1})")),
            std::pair(Lines{"duplicate key $.a#2"}, Lines{"duplicate key $.a#2"}));
  EXPECT_EQ(both(json("[1,2]"), json("[1]")), std::pair(Lines{"missing $[1]"}, Lines{"extra $[1]"}));
  EXPECT_EQ(both(json(R"({"a":1})"), json(R"({"a":"1"})")), std::pair(Lines{"type $.a"}, Lines{"type $.a"}));
  EXPECT_EQ(both(json(R"({"a":1})"), json(R"({"a":1.0})")),
            std::pair(Lines{"formatting $.a"}, Lines{"formatting $.a"}));
  EXPECT_EQ(both(json(R"({"a":{}})"), json(R"({"a":[]})")), std::pair(Lines{"type $.a"}, Lines{"type $.a"}));
  EXPECT_EQ(both(json(R"({"a":1})"), json(R"({"a":2})")), std::pair(Lines{"value $.a"}, Lines{"value $.a"}));
  EXPECT_EQ(both(json(R"({"a":9007199254740993})"), json(R"({"a":9007199254740992})")),
            std::pair(Lines{"value $.a"}, Lines{"value $.a"}))
      << "one number where doubles cannot tell them apart";
  EXPECT_EQ(both(json(R"({"a":true})"), json(R"({"a":false})")), std::pair(Lines{"value $.a"}, Lines{"value $.a"}));
  EXPECT_EQ(both(json("1", {{"ETag", "\"a\""}}), json("1")),
            std::pair(Lines{"missing header ETag"}, Lines{"extra header ETag"}));
  EXPECT_EQ(both(json("1", {{"ETag", "\"a\""}}), json("1", {{"etag", "\"b\""}})),
            std::pair(Lines{"value header ETag"}, Lines{"value header ETag"}));
  EXPECT_EQ(both(json("1", {{"ETag", "\"a\""}}), json("1", {{"ETag", "\"a\""}, {"ETag", "\"b\""}})),
            std::pair(Lines{"value header ETag"}, Lines{"value header ETag"}));
}

TEST(Answers, HeaderNamesHaveNoCaseAndOtherHeadersDoNotCount) {
  EXPECT_THAT(differences(json("1", {{"ETag", "a"}, {"Date", "x"}}), json("1", {{"eTAG", "a"}, {"Date", "y"}})),
              IsEmpty());
}

TEST(Answers, KeysThatLookLikePathsHaveAPlaceOfTheirOwn) {
  EXPECT_THAT(differences(json(R"({"a.b":1,"a":{"b":1}})"), json(R"({"a.b":2,"a":{"b":1}})")),
              ElementsAre("value $[\"a.b\"]"));
  EXPECT_THAT(differences(json(R"({"a":{"b":1}})"), json(R"({"a":{"b":2}})")), ElementsAre("value $.a.b"));
}

TEST(Answers, CodingsAreUndoneBeforeTheyAreCompared) {
  const std::string body = R"({"a":1})";
  EXPECT_THAT(differences(json(body), json(gzip(body), {{"Content-Encoding", "gzip"}})), IsEmpty());
  EXPECT_THAT(differences(json(body), json(gzip(R"({"a":2})"), {{"Content-Encoding", "gzip"}})),
              ElementsAre("value $.a"));
  EXPECT_THAT(differences(json(body), json("broken", {{"Content-Encoding", "gzip"}})), ElementsAre("unreadable body"));
  EXPECT_THAT(differences(json("broken", {{"Content-Encoding", "gzip"}}), json(body)), ElementsAre("unreadable body"));
  EXPECT_THAT(differences(json(gzip(body), {{"Content-Encoding", "gzip"}}), json(gzip(body))),
              ElementsAre("unreadable body"))
      << "the same bytes, and only one says what they are";
}

TEST(Answers, WhatUnpacksToTooMuchIsDifferentFromAllButItsOwnBytes) {
  const replay::Headers gzipped{{"Content-Encoding", "gzip"}};
  const std::string bomb = gzip(std::string(20'000'000, ' ') + "1");
  EXPECT_LT(bomb.size(), 100'000u);
  EXPECT_THAT(differences(json(bomb, gzipped), json("1")), ElementsAre("unreadable body"));
  EXPECT_THAT(differences(json("1"), json(bomb, gzipped)), ElementsAre("unreadable body"));
  EXPECT_THAT(differences(json(bomb, gzipped), json(bomb, gzipped)), IsEmpty());
}

TEST(Answers, DocumentsBeyondALimitAreEqualByTheirBytesOnly) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_THAT(differences(json(deep), json(deep)), IsEmpty());
  EXPECT_THAT(differences(json(deep), json(deep + " ")), ElementsAre("unreadable body"));
  EXPECT_THAT(differences(json("\"\xC0\xAF\""), json("\"/\"")), ElementsAre("value $")) << "no UTF-8, and no slash";
}

TEST(Answers, WhatIsNoJsonIsComparedByLineCellOrByte) {
  EXPECT_THAT(differences(text("text/csv", "id,total\n7,5\n8,6\n"), text("text/csv", "id,total\n7,5\n8,7\n")),
              ElementsAre("value csv[2][1]"));
  EXPECT_THAT(differences(text("text/csv", "id\n7\n"), text("text/csv", "id\n7\n8\n")), ElementsAre("extra csv[2]"));
  EXPECT_THAT(differences(text("text/csv", "7,5\n"), text("text/csv", "7,5,6\n")), ElementsAre("extra csv[0][2]"));
  EXPECT_THAT(differences(text("text/csv", "7,5\n"), text("text/csv", "\"7\",5\r\n")), IsEmpty())
      << "quotes that are not needed";
  EXPECT_THAT(differences(text("text/plain", "a, b"), text("text/plain", "a, c")), ElementsAre("value text[0]"));
  EXPECT_THAT(differences(text("text/html", "<p>\n"), text("text/html", "<p>\r\n")), ElementsAre("formatting text"));
  EXPECT_THAT(differences(text("image/png", "abc"), text("image/png", "abd")), ElementsAre("value body"));
  EXPECT_THAT(differences(json("{broken"), json("{broken too")), ElementsAre("unreadable body"));
  EXPECT_THAT(differences(json("{broken"), json("{}")), ElementsAre("unreadable body"));
  EXPECT_THAT(differences(text("text/html", "<p>"), json("{}")), ElementsAre("value header Content-Type", "type body"));
  EXPECT_THAT(differences(text("application/x-ndjson", "{\"a\":1}\n{\"a\":2}\n"),
                          text("application/x-ndjson", "{\"a\":1}\n\n{\"a\":3}")),
              ElementsAre("value lines[1].a"));
  EXPECT_THAT(differences(text("application/x-www-form-urlencoded", "a=1&b=x%20y"),
                          text("application/x-www-form-urlencoded", "b=x+y&a=2")),
              ElementsAre("value form.a"));
  EXPECT_THAT(differences(text("application/xml", "<o id='7' n=\"1\"><t>a</t><e/></o>"),
                          text("application/xml", "<?xml version=\"1.0\"?>\n<o n='1' id='7'>\n <t>a</t> <e></e></o>")),
              IsEmpty());
  EXPECT_THAT(differences(text("application/xml", "<o><t>a</t></o>"), text("application/xml", "<o><t>b</t></o>")),
              ElementsAre("value xml[2]"));
}

TEST(Answers, WhatIsEmptyOnOneSideIsMissingAsAWhole) {
  EXPECT_THAT(differences(json("{}"), json("")), ElementsAre("missing body"));
  EXPECT_THAT(differences(json(""), json("{}")), ElementsAre("extra body"));
}

TEST(Answers, FailuresAreComparedAsWhatTheyAre) {
  const Contract contract = testing::contract();
  const AnswerComparer comparer(contract, correspondence({}, {}));
  const auto failed = [](replay::Outcome outcome, const std::string& problem) {
    auto record = answered(1, get("/a"), json("1"));
    record.outcome = outcome;
    record.problem = problem;
    return record;
  };
  const std::vector<replay::Record> all{
      answered(1, get("/a"), json("1")), failed(replay::Outcome::refused, "connecting: Connection refused"),
      failed(replay::Outcome::lost, "no answer within 10000 ms while waiting for the answer"),
      failed(replay::Outcome::lost, "reading the answer: it is no HTTP/1.1"),
      failed(replay::Outcome::lost, "the server closed the connection")};
  const std::vector<std::string> names{"200", "refused", "timeout", "malformed", "lost"};
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t k = 0; k < all.size(); ++k) {
      const auto differences = comparer.differences(all[i], all[k]);
      if (i == k) {
        EXPECT_THAT(differences, IsEmpty()) << names[i];
      } else {
        EXPECT_THAT(differences, ElementsAre(Difference{Difference::Kind::failure, "answer", names[i], names[k], ""}));
      }
    }
  }
}

TEST(Answers, ValuesMadeInTheSamePlaceOfTheSameStepAreEqual) {
  const std::vector<replay::Binding> left{{1, "json:/id", "41", "30011"}, {2, "json:/id", "51", "30011"}};
  const std::vector<replay::Binding> right{{1, "json:/id", "41", "40022"}, {2, "json:/id", "51", "40033"}};
  for (const char* observed : {"40022", "40033"}) {
    EXPECT_THAT(differences(json(R"({"id":30011})"), json(fmt::format(R"({{"id":{}}})", observed)), left, right),
                IsEmpty())
        << observed;
  }
  EXPECT_THAT(differences(json(R"({"id":30011})"), json(R"({"id":40044})"), left, right), ElementsAre("value $.id"));
  EXPECT_THAT(
      differences(json("1", {{"Location", "/orders/30011"}}), json("1", {{"Location", "/orders/40022"}}), left, right),
      IsEmpty());
  EXPECT_THAT(
      differences(json("1", {{"Location", "/orders/30011"}}), json("1", {{"Location", "/items/40022"}}), left, right),
      ElementsAre("value header Location"));
  const std::vector<replay::Binding> elsewhere{{3, "json:/id", "41", "40022"}};
  EXPECT_THAT(differences(json(R"({"id":30011})"), json(R"({"id":40022})"), left, elsewhere), ElementsAre("value $.id"))
      << "the same captured value, made by another step";
}

TEST(Answers, ASmallNumberIsACountUnlessItsNameSaysOtherwise) {
  const std::vector<replay::Binding> left{{1, "json:/id", "5", "5"}}, right{{1, "json:/id", "5", "6"}};
  EXPECT_THAT(differences(json(R"({"item_id":5})"), json(R"({"item_id":6})"), left, right), IsEmpty());
  EXPECT_THAT(differences(json(R"({"quantity":5})"), json(R"({"quantity":6})"), left, right),
              ElementsAre("value $.quantity"));
}

// -- whole histories ---------------------------------------------------------------------------------------------------

replay::History of(const std::vector<replay::Response>& responses) {
  replay::History history;
  for (const auto& response : responses)
    history.records.push_back(
        answered(static_cast<replay::StepId>(history.records.size()) + 1, get("/orders/7"), response));
  return history;
}

AnswersCompared compared(const replay::History& oracle, const replay::History& again, const replay::History& observed) {
  static const Contract contract = testing::contract();
  return compare_answers(contract, oracle, &again, observed, [](const replay::Record&) { return true; });
}

TEST(CompareAnswers, MasksWhatTheOracleChangedThereAndNowhereElse) {
  const auto oracle = of({json(R"({"at":"a","n":1})"), json(R"({"at":"a"})")});
  const auto again = of({json(R"({"at":"b","n":1})"), json(R"({"at":"a"})")});
  const auto masked = compared(oracle, again, of({json(R"({"at":"c","n":1})"), json(R"({"at":"a"})")}));
  EXPECT_EQ(std::tuple(masked.matched, masked.masked, masked.differed), std::tuple(1, 1, 0));
  EXPECT_THAT(masked.volatile_values, ElementsAre(::testing::Pair("GET /orders/{}: $.at", 1)));
  EXPECT_EQ(compared(oracle, again, of({json(R"({"at":"c","n":2})"), json(R"({"at":"a"})")})).differed, 1)
      << "another place";
  const auto elsewhere = compared(oracle, again, of({json(R"({"at":"a","n":1})"), json(R"({"at":"c"})")}));
  EXPECT_EQ(std::tuple(elsewhere.matched, elsewhere.undecided), std::tuple(1, 1)) << "another step of the route";
  EXPECT_EQ(compared(oracle, again, of({json(R"({"at":7,"n":1})"), json(R"({"at":"a"})")})).differed, 1)
      << "another type";
  EXPECT_EQ(compared(oracle, again, of({json(R"({"n":1})"), json(R"({"at":"a"})")})).differed, 1) << "missing";
  EXPECT_EQ(compared(oracle, again, of({json(R"({"at":"c","n":1,"x":1})"), json(R"({"at":"a"})")})).differed, 1)
      << "extra";
}

TEST(CompareAnswers, VolatileValuesAreNamedWithoutTheirIndices) {
  const auto compare =
      compared(of({json(R"({"items":[{"at":"a"},{"at":"a"}]})")}), of({json(R"({"items":[{"at":"b"},{"at":"b"}]})")}),
               of({json(R"({"items":[{"at":"c"},{"at":"c"}]})")}));
  EXPECT_THAT(compare.volatile_values, ElementsAre(::testing::Pair("GET /orders/{}: $.items[*].at", 2)));
}

RC_GTEST_PROP(CompareAnswers, EveryRecordIsInExactlyOneClass, ()) {
  const auto any = [] {
    replay::History history;
    for (replay::StepId step = 1; step <= 8; ++step) {
      if (*rc::gen::inRange(0, 8) == 0) continue;
      auto record = answered(step, get("/a"), json(std::to_string(*rc::gen::inRange(0, 3))));
      if (*rc::gen::inRange(0, 6) == 0) record.outcome = replay::Outcome::lost;
      history.records.push_back(record);
    }
    return history;
  };
  const auto observed = any();
  const auto result = compared(any(), any(), observed);
  RC_ASSERT(result.matched + result.masked + result.ignored + result.undecided + result.differed + result.unanswered +
                result.without_oracle ==
            static_cast<std::int64_t>(observed.records.size()));
  RC_ASSERT(result.steps.size() == static_cast<std::size_t>(result.differed));
}

// -- one mutation, one path --------------------------------------------------------------------------------------------

namespace bj = boost::json;

bj::value any_json(int depth) {
  switch (*rc::gen::inRange(0, depth > 0 ? 6 : 4)) {
    case 0:
      return *rc::gen::inRange<std::int64_t>(-500, 500);
    case 1:
      return bj::string(std::to_string(*rc::gen::inRange(0, 99)));
    case 2:
      return *rc::gen::arbitrary<bool>();
    case 3:
      return nullptr;
    case 4: {
      bj::array array;
      for (int n = *rc::gen::inRange(0, 4); n > 0; --n) array.push_back(any_json(depth - 1));
      return array;
    }
    default: {
      bj::object object;
      for (int n = *rc::gen::inRange(0, 4); n > 0; --n)
        object[std::string(1, *rc::gen::inRange('a', 'g'))] = any_json(depth - 1);
      return object;
    }
  }
}

// Every place of a document, with how a comparison names it.
void places_of(bj::value& value, const std::string& where, std::vector<std::pair<std::string, bj::value*>>& out) {
  out.emplace_back(where, &value);
  if (auto* array = value.if_array()) {
    for (std::size_t i = 0; i < array->size(); ++i) places_of((*array)[i], fmt::format("{}[{}]", where, i), out);
  }
  if (auto* object = value.if_object()) {
    for (auto& member : *object) places_of(member.value(), where + "." + std::string(member.key()), out);
  }
}

RC_GTEST_PROP(Answers, OneMutationIsOneDifferenceAtItsPlaceAndTheSameWithSidesChanged, ()) {
  bj::value before = any_json(3);
  bj::value after = before;
  std::vector<std::pair<std::string, bj::value*>> places;
  places_of(after, "$", places);
  auto [where, place] = places[*rc::gen::inRange<std::size_t>(0, places.size())];
  std::string kind, back;
  if (place->is_object() && *rc::gen::arbitrary<bool>()) {
    place->get_object()["new"] = 1;
    where += ".new";
    kind = "extra";
    back = "missing";
  } else if (place->is_array() && *rc::gen::arbitrary<bool>()) {
    where += fmt::format("[{}]", place->get_array().size());
    place->get_array().push_back(1);
    kind = "extra";
    back = "missing";
  } else if (place->is_int64()) {
    *place = place->get_int64() + 1000;
    kind = back = "value";
  } else if (place->is_array() && place->get_array().size() > 1) {
    place->get_array().push_back(place->get_array().front());
    place->get_array().erase(place->get_array().begin());
    RC_PRE(before != after);
    kind = back = "reordered";
  } else {
    *place = 0.5;  // nothing else here is a fraction
    kind = back = "type";
  }
  const auto left = json(bj::serialize(before)), right = json(bj::serialize(after));
  RC_ASSERT(differences(left, left).empty());
  RC_ASSERT(differences(left, right) == std::vector<std::string>{kind + " " + where});
  RC_ASSERT(differences(right, left) == std::vector<std::string>{back + " " + where});
}

}  // namespace
}  // namespace rehearse::properties
