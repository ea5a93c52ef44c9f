#include "properties/answers/tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <boost/json/parse.hpp>

#include "properties/answers/json_reader.h"
#include "properties/answers/limits.h"
#include "properties/answers/media.h"
#include "properties/answers/xml_text.h"

namespace rehearse::properties {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string problem_of(const std::string& text) {
  Tree tree;
  const auto problem = read_json(text, tree);
  return problem ? problem->what + " at " + std::to_string(problem->at) : "";
}

std::string canonical(const std::string& text) {
  Tree tree;
  EXPECT_FALSE(read_json(text, tree)) << text;
  return canonical_json(tree);
}

TEST(ReadJson, KeepsHowNumbersAreSpelledAndNothingElse) {
  EXPECT_EQ(canonical(" {\"b\" : [1.0 , 1e2, -0, 9007199254740993],\n \"a\": \"\\u0041\\/\\n\" } "),
            R"({"a":"A/\u000a","b":[1.0,1e2,-0,9007199254740993]})");
  EXPECT_EQ(canonical(R"("\ud83d\ude00")"), "\"\xF0\x9F\x98\x80\"");
  EXPECT_NE(canonical(R"("\ud83d")"), canonical(R"("\ude00")")) << "lone halves stand for themselves";
}

TEST(ReadJson, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(problem_of(""), "it ends too early at 0");
  EXPECT_EQ(problem_of("[1,]"), "no value at 3");
  EXPECT_EQ(problem_of("{\"a\" 1}"), "no colon behind a name at 5");
  EXPECT_EQ(problem_of("[1 2]"), "no comma or bracket behind an element at 3");
  EXPECT_EQ(problem_of("1 1"), "more behind its end at 2");
  EXPECT_EQ(problem_of("01"), "more behind its end at 1");
  EXPECT_EQ(problem_of("\"a\nb\""), "a control character in a text at 2");
  EXPECT_EQ(problem_of(R"("\x")"), "an escape that there is not at 1");
}

TEST(ReadJson, HasALimitOfDepthThatIsReachedWithoutRecursion) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(problem_of(nested(answer_limits::depth)), "");
  EXPECT_THAT(problem_of(nested(answer_limits::depth + 1)), HasSubstr("nested deeper"));
  EXPECT_THAT(problem_of(std::string(10'000'000, '[')), HasSubstr("nested deeper"));
}

TEST(ReadJson, HasALimitOfValues) {
  std::string many = "[1";
  many.reserve(2 * answer_limits::tokens + 2);
  for (std::size_t i = 0; i < answer_limits::tokens; ++i) many += ",1";
  EXPECT_THAT(problem_of(many + "]"), HasSubstr("more values than are taken apart"));
}

// What stands in JSON's grammar, and what does not, put together at random.
RC_GTEST_PROP(ReadJson, TakesAndRefusesWhatBoostTakesAndRefuses, ()) {
  const auto pieces = *rc::gen::container<std::vector<std::string>>(
      rc::gen::element<std::string>("{", "}", "[", "]", ",", ":", "\"a\"", "\"\\u00e9\"", "\"\\\"\"", "1", "-", "0",
                                    ".5", "e3", "E+", "true", "fals", "null", " ", "\n", "\"", "\\"));
  std::string text;
  for (const auto& piece : pieces) text += piece;
  boost::system::error_code error;
  const auto twin = boost::json::parse(text, error);
  Tree tree;
  RC_ASSERT(read_json(text, tree).has_value() == error.failed());
}

// Texts that are long enough for the sixteen bytes that are looked at together.
RC_GTEST_PROP(ReadJson, FindsTheEndOfATextWhereverItIs, (std::uint8_t length, std::uint8_t at)) {
  std::string inner(length, 'x');
  if (at < length) inner[at] = '"';
  Tree tree;
  const auto problem = read_json("\"" + inner + "\"", tree);
  RC_ASSERT(problem.has_value() == (at < length));
}

TEST(SameNumber, GoesByTheDigits) {
  const std::vector<std::pair<std::string, std::string>> same{
      {"1", "1.0"},  {"100", "1e2"}, {"0.10", "1E-1"},
      {"-0", "0.0"}, {"10e-1", "1"}, {"123456789012345678901e0", "123456789012345678901.00"}};
  for (const auto& [a, b] : same) EXPECT_TRUE(same_number(a, b) && same_number(b, a)) << a << " " << b;
  const std::vector<std::pair<std::string, std::string>> different{{"1", "-1"},
                                                                   {"9007199254740993", "9007199254740992"},
                                                                   {"1", "10"},
                                                                   {"0.1", "0.10000000000000001"},
                                                                   {"1e999999999999999999", "1e999999999999999998"}};
  for (const auto& [a, b] : different) EXPECT_FALSE(same_number(a, b) || same_number(b, a)) << a << " " << b;
}

TEST(EachLeaf, NamesEveryPlaceWithoutIndices) {
  Tree tree;
  ASSERT_FALSE(read_json(R"({"a":[{"b":1},{"b":2,"c":[]}],"d.e":null})", tree));
  std::vector<std::string> leaves;
  each_leaf(tree, "$", [&](const std::string& leaf) { leaves.push_back(leaf); });
  EXPECT_THAT(leaves, ElementsAre("$.a[*].b", "$.a[*].b", "$.a[*].c", "$[\"d.e\"]"));
}

std::string taken_apart(const std::string& type, const std::string& body) {
  const replay::Headers headers{{"Content-Type", type}};
  Tree tree;
  if (const auto problem = take_apart(media_of(headers, body), headers, body, tree)) return "problem: " + *problem;
  return canonical_json(tree);
}

TEST(TakeApart, MakesATreeOfEveryKindOfBody) {
  EXPECT_EQ(taken_apart("application/x-www-form-urlencoded", "b=x+y%21&a=1&a=2&c"),
            R"({"a":"1","a":"2","b":"x y!","c":""})");
  EXPECT_EQ(taken_apart("text/csv; header=present", "a,\"b \"\"c\"\"\r\nd\"\r\n,"),
            "[[\"a\",\"b \\\"c\\\"\\u000d\\u000ad\"],[\"\",\"\"]]");
  EXPECT_EQ(taken_apart("text/plain", "a\r\n\nb"), R"(["a","","b"])");
  EXPECT_EQ(taken_apart("application/x-ndjson", "{\"a\":1}\n\n[2]\n"), R"([{"a":1},[2]])");
  EXPECT_EQ(taken_apart("application/problem+json", "{}"), "{}");
  EXPECT_EQ(taken_apart("application/atom+xml", "<a>1 &lt; 2<!-- no --><b c='d'/></a>"),
            R"(["<a>","1 &lt; 2","<b c=\"d\">","</b>","</a>"])");
  EXPECT_EQ(
      taken_apart("multipart/form-data; boundary=\"x y\"",
                  "--x y\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\nv\r\nw\r\n--x y\r\n"
                  "Content-Type: image/png\r\n\r\n\x01\r\n--x y--\r\n"),
      "[{\"body\":\"v\\u000d\\u000aw\",\"encoding\":\"\",\"filename\":\"\",\"name\":\"n\",\"type\":\"\"},{\"body\":\"" +
          digest_text("\x01") + R"(","encoding":"","filename":"","name":"","type":"image/png"}])");
}

TEST(TakeApart, SaysWhyABodyIsNotWhatItSaysItIs) {
  EXPECT_EQ(taken_apart("application/x-ndjson", "{}\n{"), "problem: line 2: it ends too early at byte 1");
  EXPECT_THAT(taken_apart("text/csv", "a,\"b"), HasSubstr("a quoted cell without its end"));
  EXPECT_THAT(taken_apart("multipart/mixed", "--x"), HasSubstr("without a boundary"));
  EXPECT_THAT(taken_apart("multipart/mixed; boundary=x", "--x\r\n\r\na"), HasSubstr("without its last boundary"));
  for (const char* bad :
       {"<a>", "</a>", "<a><b></a></b>", "<a b=1/>", "<a/><b/>", "x", "<a>&unknown;</a>", "<a b='1' b='2'/>"})
    EXPECT_THAT(taken_apart("text/xml", bad), HasSubstr("not well-formed")) << bad;
}

}  // namespace
}  // namespace rehearse::properties
