#include "replay/base64.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "replay/header_text.h"

namespace rehearse::replay {
namespace {

TEST(Base64, EncodesTheExamplesOfTheStandard) {  // RFC 4648, section 10
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

RC_GTEST_PROP(Base64, DecodesWhatItEncodes, (const std::string& bytes)) {
  RC_ASSERT(from_base64(base64(bytes)) == bytes);
}

TEST(ValidUtf8, RefusesWhatTheStandardRefuses) {  // RFC 3629, section 4
  for (const char* good :
       {"", "a", "\xc2\x80", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80"}) {
    EXPECT_TRUE(valid_utf8(good)) << good;
  }
  for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                          "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xc2", "\xe2\x82", "a\xff"}) {
    EXPECT_FALSE(valid_utf8(bad)) << bad;
  }
}

RC_GTEST_PROP(Bytes, SurviveJson, (const std::string& bytes)) {
  boost::json::object object;
  put_bytes(object, "body", bytes);
  RC_ASSERT(object.size() == (bytes.empty() ? 0u : 1u));
  RC_ASSERT(take_bytes(object, "body") == bytes);
}

TEST(HeaderText, KeepsOrderRepetitionAndEmptyValues) {
  const Headers headers{{"A", "1"}, {"a", "2: 3"}, {"Empty", ""}, {"A", "1"}};
  EXPECT_EQ(text_of(headers), "A: 1\na: 2: 3\nEmpty: \nA: 1\n");
  EXPECT_EQ(headers_of(text_of(headers)), headers);
  EXPECT_TRUE(headers_of("").empty());
}

}  // namespace
}  // namespace rehearse::replay
