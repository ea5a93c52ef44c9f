#include "properties/answers/media.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "properties/answers/answer_comparer.h"
#include "properties/answers/limits.h"
#include "properties/answers/xml_text.h"
#include "properties/checks/rehearsed.h"

namespace rehearse::properties {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// "value xml[2]", ... of two bodies of one type.
std::vector<std::string> differences(const std::string& type, const std::string& expected,
                                     const std::string& observed) {
  const Contract contract;
  const AnswerComparer comparer(contract, Correspondence{});
  const auto record = [&](const std::string& body) {
    return testing::answered(1, testing::get("/a"), {200, {{"Content-Type", type}}, body});
  };
  std::vector<std::string> lines;
  for (const Difference& difference : comparer.differences(record(expected), record(observed)))
    lines.push_back(std::string(name_of(difference.kind)) + " " + difference.path);
  return lines;
}

std::vector<std::string> xml(const std::string& expected, const std::string& observed) {
  return differences("application/xml", expected, observed);
}

TEST(Xml, IsComparedAsADocumentAndNotAsItIsWritten) {
  EXPECT_THAT(
      xml("<o id='7' n=\"1\"><t>a</t><e/></o>", "<?xml version=\"1.0\"?>\n<o n='1' id='7'>\n <t>a</t> <e></e></o>\n"),
      IsEmpty());
  EXPECT_THAT(xml("<o>a&amp;b</o>", "<o><![CDATA[a&b]]><!-- no more --></o>"), IsEmpty());
  EXPECT_THAT(xml("<o a='x y'>&#10;</o>", "<o a='x\ny'>\r\n</o>"), IsEmpty()) << "line ends as XML reads them";
  EXPECT_THAT(xml("<o><t>a</t></o>", "<o><t>b</t></o>"), ElementsAre("value xml[2]"));
  EXPECT_THAT(xml("<o><?show a?></o>", "<o><?show b?></o>"), ElementsAre("value xml[1]"));
  EXPECT_THAT(xml("<o/>", "<o></p>"), ElementsAre("unreadable body"));
  EXPECT_THAT(xml("<o/>", "<o/><o/>"), ElementsAre("unreadable body"));
  EXPECT_THAT(xml("<o/>", "<o/>text"), ElementsAre("unreadable body"));
}

TEST(Xml, WhiteSpaceIsFormattingBetweenElementsAndTextEverywhereElse) {
  EXPECT_THAT(xml("<o><a/><b/></o>", "<o>\n  <a/>\n  <b/>\n</o>"), IsEmpty());
  EXPECT_THAT(xml("<p>a <b>x</b> <i>y</i></p>", "<p>a <b>x</b><i>y</i></p>"), ElementsAre("missing xml[5]"));
  EXPECT_THAT(xml("<p><b>x</b> <i>y</i> z</p>", "<p><b>x</b><i>y</i> z</p>"), ElementsAre("missing xml[4]"))
      << "the text comes later";
  EXPECT_THAT(xml("<p> a</p>", "<p>a</p>"), ElementsAre("value xml[1]"));
  EXPECT_THAT(xml("<p> </p>", "<p/>"), ElementsAre("missing xml[1]"));
  EXPECT_THAT(xml("<p xml:space='preserve'> <b/></p>", "<p xml:space='preserve'><b/></p>"),
              ElementsAre("missing xml[1]"));
  EXPECT_THAT(xml("<p xml:space='preserve'><q xml:space='default'> <b/></q></p>",
                  "<p xml:space='preserve'><q xml:space='default'><b/></q></p>"),
              IsEmpty());
}

TEST(Xml, NamesAreComparedByTheirNamespaceAndNotByItsPrefix) {
  EXPECT_THAT(xml("<a:o xmlns:a='urn:x'><a:t a:k='1'/></a:o>", "<o xmlns='urn:x' xmlns:b='urn:x'><t b:k='1'/></o>"),
              IsEmpty());
  EXPECT_THAT(xml("<o xmlns='urn:x'/>", "<o xmlns='urn:y'/>"), ElementsAre("value xml[0]"));
  EXPECT_THAT(xml("<a:o xmlns:a='urn:x'/>", "<a:o xmlns:a='urn:y'/>"), ElementsAre("value xml[0]"));
  EXPECT_THAT(xml("<o xmlns='urn:x'><t/></o>", "<o xmlns='urn:x'><t xmlns=''/></o>"), ElementsAre("value xml[1]"));
  EXPECT_THAT(xml("<o xmlns='urn:x' k='1'/>", "<o xmlns='urn:x' xmlns:a='urn:x' a:k='1'/>"),
              ElementsAre("value xml[0]"))
      << "the default namespace is not that of attributes";
  EXPECT_THAT(xml("<o xmlns:a='urn:x'><t xmlns:a='urn:y'/><a:e/></o>", "<o><t/><e xmlns='urn:x'/></o>"), IsEmpty())
      << "a prefix is declared for an element and what it holds";
  constexpr const char* typed =
      "<{0}:o xmlns:{0}='urn:x' xmlns:{1}='http://www.w3.org/2001/XMLSchema-instance' {1}:type='{0}:T'/>";
  EXPECT_THAT(xml(fmt::format(fmt::runtime(typed), "a", "i"), fmt::format(fmt::runtime(typed), "b", "xsi")), IsEmpty());
  EXPECT_THAT(xml("<a:o xmlns:a='urn:x' xmlns:b='urn:x' a:k='1' b:k='1'/>", "<o/>"), ElementsAre("unreadable body"))
      << "one attribute twice";
  EXPECT_THAT(xml("<a:o/>", "<b:o/>"), ElementsAre("value xml[0]", "value xml[1]")) << "nobody declared them";
}

TEST(Xml, WithADocumentTypeIsComparedByLine) {
  const std::string type = "<!DOCTYPE o [<!ENTITY e \"a\">]>\n";
  EXPECT_THAT(xml(type + "<o>\n<t>&e;</t>\n</o>", type + "<o>\n<t>b</t>\n</o>"), ElementsAre("value text[2]"));
  EXPECT_THAT(xml("<?xml version='1.0'?><!-- a --> " + type + "<o/>", "<?xml version='1.0'?>\n<o/>"),
              ElementsAre("value text[0]"));
  EXPECT_THAT(xml(type + "<o/>", "<o/>"), ElementsAre("missing text[0]"));
  EXPECT_FALSE(has_document_type("<o><!DOCTYPE o></o>"));
}

TEST(Xml, ThatGrowsWithoutBoundIsNotTakenApart) {
  const std::string uri(1'000'000, 'u');
  std::string bomb = "<a xmlns:p='" + uri + "'>";
  for (int i = 0; i < 1000; ++i) bomb += "<p:b/>";
  EXPECT_FALSE(canonical_xml(bomb + "</a>").has_value());
  bomb = "<a xmlns:p='" + uri + "'";
  for (int i = 0; i < 1000; ++i) bomb += fmt::format(" p:a{}=''", i);
  EXPECT_FALSE(canonical_xml(bomb + "/>").has_value());
  std::string deep;
  for (std::size_t i = 0; i <= answer_limits::depth; ++i) deep += "<a>";
  EXPECT_FALSE(canonical_xml(deep).has_value());
}

// One part of multipart/form-data.
std::string part(const std::string& fields, const std::string& body) {
  return "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n" + fields + "\r\n" + body + "\r\n--b--\r\n";
}
std::vector<std::string> parts(const std::string& expected, const std::string& observed) {
  return differences("multipart/form-data; boundary=b", expected, observed);
}

TEST(Multipart, BodiesAreComparedBehindTheirTransferEncoding) {
  const std::string base64 = "Content-Transfer-Encoding: base64\r\n";
  const std::string quoted = "Content-Transfer-Encoding: Quoted-Printable\r\n";
  EXPECT_THAT(parts(part(base64, "aGVsbG8gd29ybGQ="), part(base64, "aGVs\r\nbG8gd29ybGQ=")), IsEmpty());
  EXPECT_THAT(parts(part(base64, "aGVsbG8="), part(base64, "aGVsbG8h")), ElementsAre("value multipart[0].body"));
  EXPECT_THAT(parts(part(quoted, "a=3Db"), part(quoted, "a==\r\n3Db")), ElementsAre("value multipart[0].body"))
      << "broken is not decoded";
  EXPECT_THAT(parts(part(quoted, "a=3db c"), part(quoted, "a=3D=\r\nb=20c")), IsEmpty());
  EXPECT_THAT(parts(part(quoted, "a \r\nb"), part(quoted, "a\r\nb")), IsEmpty());
  EXPECT_THAT(parts(part("", "a"), part("Content-Transfer-Encoding: 8bit\r\n", "a")), IsEmpty());
  EXPECT_THAT(parts(part("", "hello"), part(base64, "aGVsbG8=")), ElementsAre("value multipart[0].encoding"))
      << "the same text, and the encoding is said";
  EXPECT_THAT(parts(part(base64, "a*b="), part(base64, "a*c=")), ElementsAre("value multipart[0].body"));
  EXPECT_THAT(
      parts(part("Content-Transfer-Encoding: x-own\r\n", "a"), part("Content-Transfer-Encoding: x-own\r\n", "b")),
      ElementsAre("value multipart[0].body"));
}

TEST(Multipart, PartsThatAreJsonAreComparedAsJson) {
  const std::string json = "Content-Type: application/json\r\n";
  EXPECT_THAT(parts(part(json, R"({"a":1,"b":"\u0041"})"), part(json, R"({ "b":"A", "a":1 })")), IsEmpty());
  EXPECT_THAT(parts(part(json, R"({"a":[1,2]})"), part(json, R"({"a":[1,3]})")),
              ElementsAre("value multipart[0].body.a[1]"));
  EXPECT_THAT(parts(part(json, R"({"a":1})"), part(json, R"({"a":1.0})")),
              ElementsAre("formatting multipart[0].body.a"));
  EXPECT_THAT(parts(part(json, R"({"a":1})"), part(json, R"({"a":)")), ElementsAre("type multipart[0].body"));
  EXPECT_THAT(parts(part(json + "Content-Transfer-Encoding: base64\r\n", "eyJhIjoxfQ=="),
                    part(json + "Content-Transfer-Encoding: base64\r\n", "eyAiYSI6MSB9")),
              IsEmpty());
  EXPECT_THAT(parts(part("Content-Type: text/plain; charset=UTF-8\r\n", "a"),
                    part("content-type: TEXT/plain;charset=utf-8\r\n", "a")),
              IsEmpty());
  EXPECT_THAT(parts("--b\r\n\r\na\r\n\r\nb\r\n--b--", "--b\r\n\r\na\r\n\r\nc\r\n--b--"),
              ElementsAre("value multipart[0].body"))
      << "a part without fields";
}

TEST(Forms, FieldsWithoutASignOfEqualityReadTheSameAndAreWrittenOtherwise) {
  const auto forms = [](const char* a, const char* b) {
    return differences("application/x-www-form-urlencoded", a, b);
  };
  EXPECT_THAT(forms("a&b=1", "a=&b=1"), ElementsAre("formatting form.a"));
  EXPECT_THAT(forms("a=&b=1", "b=1&a"), ElementsAre("formatting form.a"));
  EXPECT_THAT(forms("a", "a=1"), ElementsAre("value form.a"));
  EXPECT_THAT(forms("a&b", "b"), ElementsAre("missing form.a"));
  EXPECT_THAT(forms("a+b=%41", "a%20b=A"), IsEmpty());
}

TEST(Media, WhatHasTooManyPiecesIsSaidToHaveThem) {
  const std::string many(answer_limits::tokens + 2, '\n');
  Tree tree;
  for (const char* type : {"text/plain", "text/csv"}) {
    const replay::Headers headers{{"Content-Type", type}};
    EXPECT_THAT(take_apart(media_of(headers, many), headers, many, tree).value_or(""),
                ::testing::HasSubstr("more lines"));
    EXPECT_LE(tree.tokens.size(), answer_limits::tokens + 2);
  }
}

}  // namespace
}  // namespace rehearse::properties
