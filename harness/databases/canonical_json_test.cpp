#include "harness/databases/canonical_json.h"

#include <gtest/gtest.h>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

std::string json(std::string_view text) {
  std::string out;
  append_canonical_json(text, out);
  return out;
}

std::string jsonb(std::string_view printed) {
  std::string out;
  append_canonical_jsonb(printed, out);
  return out;
}

TEST(CanonicalJson, HasOneSpellingForEachNumber) {
  for (const char* number : {"100", "1e2", "100.0", "1.00E+2", "0.1e3", "1000e-1"})
    EXPECT_EQ(json(number), "1e2") << number;
  for (const char* zero : {"0", "-0", "0.00", "0e9", "-0.0e-3"}) EXPECT_EQ(json(zero), "0") << zero;
  EXPECT_EQ(json("-12.5"), "-125e-1");
  EXPECT_EQ(json("0.001"), "1e-3");
  EXPECT_EQ(json("12345678901234567890123"), "12345678901234567890123") << "no number is rounded";
  EXPECT_NE(json("5"), json("-5"));
  EXPECT_NE(json("1"), json("[1]"));
  EXPECT_NE(json("[]"), json("{}"));
  EXPECT_NE(json("[[]]"), json("[]"));
}

TEST(CanonicalJson, OrdersMembersAsJsonbDoesAndKeepsTheLastOfOneName) {
  EXPECT_EQ(json(R"( { "bb":1 , "a" : [ 1,2 ],"B":null, "bb" : true } )"), R"({"B": null, "a": [1, 2], "bb": true})");
  EXPECT_EQ(json(R"({"a":{"z":1,"y":{}}})"), R"({"a": {"y": {}, "z": 1}})");
}

TEST(CanonicalJson, HasOneSpellingForEachText) {
  EXPECT_EQ(json(R"("\u0041\/\ud83d\ude00\u00e9\n")"), "\"A/\xF0\x9F\x98\x80\xC3\xA9\\n\"");
  EXPECT_EQ(json(R"("\u0001\u001f\"\\")"), R"("\u0001\u001f\"\\")");
  EXPECT_NE(json(R"("\ud800")"), json(R"("\\ud800")"));
  EXPECT_NE(json("\"1\""), json("1"));
}

TEST(CanonicalJson, OfWhatJsonbPrintsIsTheSame) {
  for (const char* printed : {R"({"a": 1.50, "bc": [-0.0, 100, "x1.0"], "d\"2.0": {}})", R"("3.0")", "[]", "1e2",
                              "true", R"("\\")", R"({"": null})"}) {
    EXPECT_EQ(jsonb(printed), json(printed)) << printed;
  }
  EXPECT_EQ(jsonb("{\"a\": 1.0}"), jsonb("{\"a\": 1.00}"));
}

TEST(CanonicalJson, RefusesWhatIsNone) {
  for (const char* text : {"", "{", "[1,]", "{\"a\"}", "\"x", "tru", "1 2", "--1", "1.2.3", "1e", "\"\\q\"", "{a:1}"})
    EXPECT_THROW(json(text), Error) << text;
  EXPECT_THROW(json(std::string(100'000, '[')), Error) << "deeper than any stack";
}

}  // namespace
}  // namespace rehearse::harness
