#include "reports/escape.h"

#include <gtest/gtest.h>

#include "reports/samples.h"

namespace rehearse::reports {
namespace {

TEST(Escape, WhatIsNotUtf8BecomesAReplacementCharacter) {
  EXPECT_EQ(valid_utf8("plain ä € 😀"), "plain ä € 😀");
  EXPECT_EQ(valid_utf8("\xFF"), "\uFFFD");
  EXPECT_EQ(valid_utf8("\xC0\xAF"), "\uFFFD\uFFFD") << "an overlong slash";
  EXPECT_EQ(valid_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD") << "a surrogate";
  EXPECT_EQ(valid_utf8("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD") << "above U+10FFFF";
  EXPECT_EQ(valid_utf8("cut \xE2\x82"), "cut \uFFFD\uFFFD");
}

TEST(Escape, HtmlHasNoMarkupLeft) {
  EXPECT_EQ(html_escape("<b a='1' c=\"2\">&amp;"), "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;");
  EXPECT_EQ(html_escape("a\x1b[0m\nb"), "a\uFFFD[0m\nb");
}

TEST(Escape, XmlHoldsNoCharacterThatXmlForbids) {
  EXPECT_EQ(xml_escape(std::string_view("a\0b\x0B\xEF\xBF\xBF", 7)), "a\uFFFDb\uFFFD\uFFFD");
  EXPECT_EQ(xml_escape("tab\tline\nend\r"), "tab&#9;line&#10;end&#13;");
  EXPECT_EQ(xml_escape("]]>"), "]]&gt;");
}

TEST(Escape, MarkdownIsOnlyText) {
  EXPECT_EQ(markdown_escape("*a* | [b](c) <d>"), "\\*a\\* \\| \\[b\\]\\(c\\) &lt;d&gt;");
  EXPECT_EQ(markdown_escape("@team"), "@\u200Dteam") << "nobody is notified by a captured name";
  EXPECT_EQ(markdown_escape("https://a"), "https:\u200D//a") << "a captured address is no link";
  EXPECT_EQ(markdown_escape("www.a.b #12"), "www\u200D.a.b #\u200D12");
  EXPECT_EQ(markdown_escape("one\ntwo"), "one two");
}

TEST(Escape, AMarkdownBlockCannotBeClosedFromInside) {
  EXPECT_EQ(markdown_block("a"), "```\na\n```\n");
  EXPECT_EQ(markdown_block("````\n# out", "text"), "`````text\n````\n# out\n`````\n");
}

TEST(Escape, ATerminalIsNotControlled) {
  EXPECT_EQ(terminal_escape("\x1b[31mred\x07"), "\\x1b[31mred\\x07");
  EXPECT_EQ(terminal_escape("a\nPASS\r\tb"), "a\\nPASS\\r\\tb");
  EXPECT_EQ(terminal_escape("\xC2\x9B!"), "\\x9b!") << "C1 controls are escape sequences too";
  EXPECT_EQ(terminal_escape("\u202Egpj"), "\\u202egpj");
}

TEST(Escape, AJsonDocumentThatIsPrintedDoesNotControlATerminal) {
  EXPECT_EQ(json_escape("{\"a\": \"\xC2\x9B\x7F\u202E\u00e9\"}\n"), "{\"a\": \"\\u009b\\u007f\\u202e\u00e9\"}\n");
}

TEST(Escape, AnErrorIsOneLineInWhichNoWordIsLong) {
  EXPECT_EQ(error_escape("cannot open \x1b[31m\na: no such file\n"), "cannot open \\x1b[31m\\na: no such file");
  EXPECT_EQ(error_escape(" two  blanks "), " two  blanks ");
  EXPECT_EQ(error_escape(std::string(200, 'a') + " b"), std::string(200, 'a') + " b");
  EXPECT_EQ(error_escape("no " + std::string(201, 'a') + " here"), "no " + std::string(200, 'a') + "… here");
  EXPECT_EQ(error_escape(""), "");
}

TEST(Escape, EveryResultIsUtf8) {
  for (const auto& escape :
       {valid_utf8, html_escape, xml_escape, markdown_escape, terminal_escape, error_escape, json_escape}) {
    const std::string once = escape(hostile_text());
    EXPECT_EQ(valid_utf8(once), once);
  }
}

TEST(Escape, ColumnsAreCodePoints) {
  EXPECT_EQ(columns_of("a→b"), 3U);
  EXPECT_EQ(first_columns("a→b", 2), "a→");
  EXPECT_EQ(first_columns("ab", 5), "ab");
}

}  // namespace
}  // namespace rehearse::reports
