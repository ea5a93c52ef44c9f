#include "replay/redaction/json_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "replay/base64.h"
#include "replay/error.h"
#include "replay/redaction/test_text.h"

namespace rehearse::replay {
namespace {

using testing::any_utf8;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::vector<std::pair<std::string, std::string>> scalars_of(std::string_view text, std::size_t* end = nullptr) {
  std::vector<std::pair<std::string, std::string>> found;
  const std::size_t stopped = walk_json(
      text, [](std::string_view) { return 0; },
      [&](const auto& path, const JsonScalar& scalar) {
        found.emplace_back(place_of(path), text.substr(scalar.at, scalar.length));
      });
  if (end != nullptr) *end = stopped;
  return found;
}

TEST(JsonText, ScalarsAreVisitedWithTheirPlaces) {
  EXPECT_THAT(scalars_of(R"( {"a": [1, {"b\"c": "x\\"}], "d": {}, "e": [], "f": true, "g": -1.5e+3} "next" 7)"),
              ElementsAre(Pair("$.a[*]", "1"), Pair("$.a[*].b\"c", R"(x\\)"), Pair("$.g", "-1.5e+3"), Pair("$", "next"),
                          Pair("$", "7")));
}

TEST(JsonText, ItSaysWhereItIsNoJsonAnyMore) {
  for (const auto& [text, expected] :
       {std::pair(R"({"a":"b")", 8u), std::pair(R"({"a":"b","c":"d)", 15u), std::pair(R"({"a":"b","c)", 9u),
        std::pair("[1,2", 4u), std::pair("{\"a\" 1}", 5u), std::pair("[1]]", 3u)}) {
    std::size_t end = 0;
    scalars_of(text, &end);
    EXPECT_EQ(end, expected) << text;
  }
}

TEST(JsonText, ADeepDocumentEndsTheWalkAndNotTheProgram) {
  std::size_t end = 0;
  scalars_of(std::string(1'000'000, '['), &end);
  EXPECT_LT(end, 1000u);
}

RC_GTEST_PROP(JsonText, EveryStringComesBack, ()) {
  const std::string text = any_utf8();
  RC_ASSERT(json_unescaped(json_escaped(text)) == text);
  const std::string theirs = boost::json::serialize(boost::json::string(text));
  RC_ASSERT(json_unescaped(std::string_view(theirs).substr(1, theirs.size() - 2)) == text);
  RC_ASSERT(boost::json::parse("\"" + json_escaped(text) + "\"").as_string() == text);
}

TEST(JsonText, EscapedPairsAndBrokenEscapes) {
  EXPECT_EQ(json_unescaped(R"(\ud83d\ude00 \u00fc)"), "\xf0\x9f\x98\x80 \xc3\xbc");
  EXPECT_EQ(json_unescaped(R"(\ud83d \uzzzz \q)"), R"(\ud83d \uzzzz \q)");
}

std::vector<std::string> covered_by(const std::string& path, std::string_view text) {
  const JsonPath wanted(path);
  std::vector<std::string> found;
  walk_json(
      text, [](std::string_view) { return 0; },
      [&](const auto& place, const JsonScalar& scalar) {
        if (wanted.covers(place)) found.emplace_back(text.substr(scalar.at, scalar.length));
      });
  return found;
}

TEST(JsonPaths, LeadToValuesAndToAllBelow) {
  constexpr std::string_view text = R"({"a": {"b": 1, "c": [2, 3]}, "items": [{"card": 4}, {"card": 5, "b": 6}]})";
  EXPECT_THAT(covered_by("$.a.b", text), ElementsAre("1"));
  EXPECT_THAT(covered_by("$.a", text), ElementsAre("1", "2", "3"));
  EXPECT_THAT(covered_by("$['a'].c[1]", text), ElementsAre("3"));
  EXPECT_THAT(covered_by("$.items[*].card", text), ElementsAre("4", "5"));
  EXPECT_THAT(covered_by("$..b", text), ElementsAre("1", "6"));
  EXPECT_THAT(covered_by("$.*.b", text), ElementsAre("1"));
}

TEST(JsonPaths, ThatAreNoneAreRefusedWithAnExample) {
  for (const char* path : {"", "a", "$.", "$.a[", "$.a[x]", "$a", "$.a[?(@.b)]"})
    EXPECT_THAT([&] { JsonPath wanted(path); }, ::testing::ThrowsMessage<Error>(HasSubstr("$.customer.email"))) << path;
}

}  // namespace
}  // namespace rehearse::replay
