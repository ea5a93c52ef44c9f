#include "harness/wires/rule.h"

#include <gmock/gmock.h>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(WireRules, HaveOneSpellingThatIsReadBack) {
  for (const char* words : {"hold", "hold write \"~12~\" at most 100ms", "hold message 3", "delay 200ms",
                            "delay 1ms every write", "reset \"a b\"", "reset connection 2", "black-hole",
                            "black-hole every", "release", "await", "hold every write \"x\" at most 5ms"})
    for (const auto protocol : {WireProtocol::postgres, WireProtocol::http})
      EXPECT_EQ(words_of(wire_rule_in(words, protocol), protocol), words);
  for (const char* words :
       {"cut after commit", "cut after commit \"~1~\"", "answer error 40001 write", "answer error 57P03 connection 1"})
    EXPECT_EQ(words_of(wire_rule_in(words, WireProtocol::postgres), WireProtocol::postgres), words);
  for (const char* words : {"cut after answer write", "answer status 503 message 2"})
    EXPECT_EQ(words_of(wire_rule_in(words, WireProtocol::http), WireProtocol::http), words);
}

TEST(WireRules, MeetTheFirstMessageUnlessTheySayWhich) {
  const auto rule = wire_rule_in("hold write \"~12~\" message 3 at most 100ms", WireProtocol::postgres);
  EXPECT_TRUE(rule.write);
  EXPECT_FALSE(rule.every);
  EXPECT_EQ(rule.token, "~12~");
  EXPECT_EQ(rule.message, 3);
  EXPECT_EQ(rule.time, milliseconds(100));
}

TEST(WireRules, SayStatementOrRequestForAMessage) {
  EXPECT_EQ(wire_rule_in("hold statement 3", WireProtocol::postgres),
            wire_rule_in("hold message 3", WireProtocol::postgres));
  EXPECT_EQ(wire_rule_in("reset request 2", WireProtocol::http), wire_rule_in("reset message 2", WireProtocol::http));
}

TEST(WireRules, AreRefusedWithTheWordsThatThereAre) {
  for (const char* words : {"",
                            "hold on",
                            "hold \"",
                            "hold \"\"",
                            "hold \"a",
                            "hold \"a\"b",
                            "hold at most 0ms",
                            "hold at most 5s",
                            "delay",
                            "delay 5",
                            "delay 99999ms",
                            "delay 200ms at most 3ms",
                            "reset message 0",
                            "reset message",
                            "reset every message 2",
                            "reset write connection 1",
                            "reset \"a\" write",
                            "release now",
                            "await 3",
                            "cut",
                            "cut after commit connection 1",
                            "answer error 4000",
                            "answer error 40001x",
                            "black-holes"})
    EXPECT_THAT([&] { static_cast<void>(wire_rule_in(words, WireProtocol::postgres)); },
                ThrowsMessage<Error>(AllOf(HasSubstr("is not understood"), HasSubstr("cut after commit"))))
        << words;
}

TEST(WireRules, OfTheOtherProtocolAreRefused) {
  EXPECT_THROW(static_cast<void>(wire_rule_in("answer status 503", WireProtocol::postgres)), Error);
  EXPECT_THROW(static_cast<void>(wire_rule_in("cut after answer", WireProtocol::postgres)), Error);
  EXPECT_THROW(static_cast<void>(wire_rule_in("answer error 40001", WireProtocol::http)), Error);
  EXPECT_THROW(static_cast<void>(wire_rule_in("answer status 999", WireProtocol::http)), Error);
  EXPECT_THROW(static_cast<void>(wire_rule_in("cut after commit", WireProtocol::http)), Error);
}

}  // namespace
}  // namespace rehearse::harness
