#include "replay/redaction/mask.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cctype>
#include <unordered_set>

#include "replay/base64.h"
#include "replay/redaction/shapes.h"
#include "replay/redaction/test_text.h"

namespace rehearse::replay {
namespace {

using testing::any_utf8;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

const RedactionKey key("a key for the tests", "a test");

std::string classes_of(std::string_view text) {
  std::string classes;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    classes += std::isdigit(byte) != 0 ? '9' : std::isupper(byte) != 0 ? 'A' : std::islower(byte) != 0 ? 'a' : c;
  }
  return classes;
}

rc::Gen<std::string> printable() { return rc::gen::container<std::string>(rc::gen::inRange<char>(' ', '\x7f')); }

RC_GTEST_PROP(Mask, HasTheLengthAndTheClassOfEachCharacter, ()) {
  const std::string secret = *printable() + *rc::gen::inRange('a', '{');
  RC_PRE(!is_email(secret));
  RC_ASSERT(classes_of(masked(key, secret)) == classes_of(secret));
}

RC_GTEST_PROP(Mask, DependsOnTheSecretAlone, ()) {
  const std::string secret = *printable();
  RC_ASSERT(masked(key, secret) == masked(RedactionKey("a key for the tests", "another run"), secret));
}

RC_GTEST_PROP(Mask, IsValidUtf8WhenTheSecretIs, ()) {
  const std::string secret = any_utf8();
  RC_ASSERT(valid_utf8(masked(key, secret)));
}

RC_GTEST_PROP(Mask, OfANumberIsANumberWithAsManyDigits, ()) {
  const auto number = *rc::gen::arbitrary<std::int64_t>();
  const std::string text = std::to_string(number), mask = masked_number(key, text);
  RC_ASSERT(classes_of(mask) == classes_of(text));
  RC_ASSERT(std::to_string(std::strtoll(mask.c_str(), nullptr, 10)).size() == text.size());
}

TEST(Mask, OfLettersOutsideAsciiHidesThemToo) {
  const std::string mask = masked(key, "M\xc3\xbcller \xe5\xb1\xb1");
  EXPECT_TRUE(valid_utf8(mask));
  EXPECT_EQ(mask.find("\xc3\xbc"), std::string::npos);
  EXPECT_EQ(mask.find("\xe5\xb1\xb1"), std::string::npos);
}

TEST(Mask, IsAnotherUnderAnotherKey) {
  EXPECT_NE(masked(key, "s3cr3t-value-1"), masked(RedactionKey("another key altogether", "a test"), "s3cr3t-value-1"));
}

TEST(Mask, OfPunctuationHidesIt) { EXPECT_NE(masked(key, "#$%&()*+"), "#$%&()*+"); }

// Every 5-digit number, 100,000 tokens, e-mail addresses of two domains: none meets another.
TEST(Mask, NoTwoSecretsOfAHundredThousandMeet) {
  const auto expect_distinct = [](auto make, const char* what) {
    std::unordered_set<std::string> masks;
    for (int i = 0; i < 100'000; ++i) ASSERT_TRUE(masks.insert(masked(key, make(i))).second) << what << " " << i;
  };
  expect_distinct([](int i) { return fmt::format("pw{:05}", i); }, "short");
  expect_distinct([](int i) { return fmt::format("{:032x}-{}", i * 7919ll, i); }, "long");
  expect_distinct([](int i) { return fmt::format("u{}@{}.com", i / 2, i % 2 == 0 ? "company" : "another-one"); },
                  "e-mail");
}

TEST(Mask, OfFourDigitsIsAPermutation) {
  std::unordered_set<std::string> masks;
  for (int pin = 1000; pin < 10'000; ++pin) masks.insert(masked(key, std::to_string(pin)));
  EXPECT_EQ(masks.size(), 9000u);
}

TEST(Mask, OfHexIsHexOfTheSameCase) {
  EXPECT_THAT(masked(key, "9f86d081884c7d659a2feaa0c55ad015"), MatchesRegex("[0-9a-f]{32}"));
  EXPECT_THAT(masked(key, "9F86D081884C7D65"), MatchesRegex("[0-9A-F]{16}"));
}

TEST(Mask, OfAUuidKeepsVersionAndVariant) {
  const std::string uuid = "36dd0719-3888-4988-b888-f8f8dcee002e", mask = masked(key, uuid);
  EXPECT_THAT(mask, MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-b[0-9a-f]{3}-[0-9a-f]{12}"));
  EXPECT_NE(mask, uuid);
}

TEST(Mask, OfAnAddressIsAnAddressThatReachesNobody) {
  const std::string mask = masked(key, "Jane.Doe@mail.company.com");
  EXPECT_THAT(mask, MatchesRegex("[A-Z][a-z]{3}\\.[A-Z][a-z]{2}@[a-z]+\\.[a-z]\\.test"));
  EXPECT_EQ(mask.size(), std::string("Jane.Doe@mail.company.com").size());
  EXPECT_TRUE(is_email(mask));
}

TEST(Mask, OfAnAddressDoesNotDependOnCase) {
  const auto small = [](std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
  };
  EXPECT_EQ(small(masked(key, "Jane@Company.com")), masked(key, "jane@company.com"));
}

TEST(Mask, OfACardIsAValidTestNumber) {
  for (const char* card :
       {"4111111111111111", "5500005555555559", "378282246310005", "30569309025904", "4222222222222"}) {
    const std::string mask = masked(key, card);
    EXPECT_EQ(mask.size(), std::string(card).size());
    EXPECT_NE(mask, card);
    EXPECT_TRUE(is_card(mask)) << card << " became " << mask;
  }
  EXPECT_THAT(masked(key, "4111 1111 1111 1111"), MatchesRegex("4000 [0-9]{4} [0-9]{4} [0-9]{4}"));
}

TEST(Mask, OfAJwtKeepsItsHeaderReadable) {
  const std::string head = "eyJhbGciOiJIUzI1NiJ9.",
                    rest = "eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P";
  const std::string mask = masked(key, head + rest);
  EXPECT_THAT(mask, StartsWith(head));
  EXPECT_EQ(classes_of(mask), classes_of(head + rest));
  EXPECT_EQ(mask.find("eyJzdWIi"), std::string::npos);
}

}  // namespace
}  // namespace rehearse::replay
