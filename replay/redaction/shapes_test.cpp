#include "replay/redaction/shapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace rehearse::replay {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> found_in(const std::string& text, const Shapes& wanted = {}) {
  std::vector<std::string> found;
  for (const Shaped& shaped : shapes_in(text, wanted)) found.push_back(text.substr(shaped.at, shaped.length));
  EXPECT_TRUE(found.empty() || may_hold_shapes(text)) << text;
  return found;
}

TEST(Shapes, AddressesAreFoundWithoutWhatStandsAround) {
  EXPECT_THAT(found_in("write to <ada.l+x@mail.company.co.uk>."), ElementsAre("ada.l+x@mail.company.co.uk"));
  EXPECT_THAT(found_in("a@b.com,c@d.org"), ElementsAre("a@b.com", "c@d.org"));
  EXPECT_THAT(found_in("mailto:x_y@company.com?subject=1"), ElementsAre("x_y@company.com"));
}

TEST(Shapes, WhatLooksLikeAnAddressIsNone) {
  for (const char* text :
       {"logo@2x.png", "pkg@1.2.3", "@handle", "a@b", "a @ b.com", "x@.com", "a@b..com", "10@5.00", "@a.com"})
    EXPECT_THAT(found_in(text), IsEmpty()) << text;
}

TEST(Shapes, CardNumbersAreFoundInTheirPrintedForms) {
  EXPECT_THAT(found_in("{\"n\":4111111111111111}"), ElementsAre("4111111111111111"));
  EXPECT_THAT(found_in("card 4111 1111 1111 1111, thanks"), ElementsAre("4111 1111 1111 1111"));
  EXPECT_THAT(found_in("3782-822463-10005"), ElementsAre("3782-822463-10005"));
  EXPECT_THAT(found_in("2024 4111 1111 1111 1111"), ElementsAre("4111 1111 1111 1111"));
  EXPECT_THAT(found_in("4111111111111111,5500005555555559"), ElementsAre("4111111111111111", "5500005555555559"));
  EXPECT_THAT(found_in("6011000990139424"), ElementsAre("6011000990139424"));
}

TEST(Shapes, NumbersThatAreNoCardStay) {
  for (const char* text :
       {"4111111111111112", "1234567890123456", "0.4111111111111111", "4111111111111111.5", "id4111111111111111",
        "4111111111111111x", "item-4111111111111111", "4006381333931" /* a barcode */, "41111111111111111111"})
    EXPECT_THAT(found_in(text), IsEmpty()) << text;
}

RC_GTEST_PROP(Shapes, NoTimestampIsACard, ()) {
  // 2001 to 2096, in seconds, milliseconds, microseconds and nanoseconds.
  const auto second = *rc::gen::inRange<std::int64_t>(1'000'000'000, 3'999'999'999);
  const auto fraction = *rc::gen::inRange<std::int64_t>(0, 1'000'000'000);
  for (const std::int64_t unit : {1'000ll, 1'000'000ll, 1'000'000'000ll}) {
    if (second > 2'100'000'000 && unit != 1'000) continue;  // beyond 2036 microseconds begin as cards of a range do
    RC_ASSERT(found_in("{\"at\":" + std::to_string(second * unit + fraction % unit) + "}").empty());
  }
}

RC_GTEST_PROP(Shapes, NoIdOfADatabaseIsACard, ()) {
  RC_ASSERT(found_in("/orders/" + std::to_string(*rc::gen::inRange<std::int64_t>(1, 999'999'999'999))).empty());
}

// The quick answer is never wrong in the dangerous direction, wherever the secret stands.
RC_GTEST_PROP(Shapes, TheQuickLookMissesNone, ()) {
  const auto secret =
      *rc::gen::element<std::string>("a@b.com", "4111111111111111", "4111 1111 1111 1111", "3782 822463 10005",
                                     "Bearer abcdefgh12345", "eyJhbGciOiJI.eyJzdWIi.abc", "4222222222222");
  const std::string around = *rc::gen::container<std::string>(rc::gen::element(' ', '\n', ',', '"'));
  const std::string behind = *rc::gen::container<std::string>(rc::gen::element(' ', '\n', ',', '"'));
  RC_ASSERT(may_hold_shapes(around + secret + behind));
  RC_ASSERT(shapes_in(around + " " + secret + " " + behind).size() == 1);
}

TEST(Shapes, TokensAreFound) {
  EXPECT_THAT(found_in("x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig_-x y"),
              ElementsAre("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig_-x"));
  EXPECT_THAT(found_in("Authorization: Bearer a1b2c3d4e5"), ElementsAre("a1b2c3d4e5"));
  EXPECT_THAT(found_in("Bearer authentication is needed"), IsEmpty());
  EXPECT_THAT(found_in("eyJ is no token, nor is eyJhbGciOiJIUzI1NiJ9"), IsEmpty());
}

TEST(Shapes, PasswordsInUrlsAreFound) {
  EXPECT_THAT(found_in("postgres://app:s3cret@db.internal/orders"), ElementsAre("app:s3cret"));
  EXPECT_THAT(found_in("https://host/a:b@c"), IsEmpty());
}

TEST(Shapes, AreLeftAloneWhenTheyAreNotWanted) {
  const std::string text = "a@b.com 4111111111111111 eyJhbGciOiJI.eyJzdWIi.abc Bearer abcdefgh1 x://u:p@h";
  EXPECT_THAT(found_in(text, {false, false, false, false, false}), IsEmpty());
  EXPECT_EQ(found_in(text).size(), 5u);
}

RC_GTEST_PROP(Shapes, AnyTextIsReadToItsEnd, (const std::string& text)) {
  std::size_t end = 0;
  for (const Shaped& shaped : shapes_in(text)) {
    RC_ASSERT(shaped.at >= end && shaped.at + shaped.length <= text.size());
    end = shaped.at + shaped.length;
  }
}

}  // namespace
}  // namespace rehearse::replay
