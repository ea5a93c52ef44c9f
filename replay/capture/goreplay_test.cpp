#include "replay/capture/goreplay.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "replay/capture/import.h"
#include "replay/capture/test_files.h"
#include "replay/capture/test_packets.h"

namespace rehearse::replay {
namespace {

using ::testing::ElementsAre;
using testing::get;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::lines_of;
using testing::ok;

const std::string divider = "\n\xf0\x9f\x90\xb5\xf0\x9f\x99\x88\xf0\x9f\x99\x89\n";
constexpr std::int64_t start = 1'700'000'000'000'000'000;

std::string payload(char kind, const std::string& id, std::int64_t time_ns, const std::string& bytes) {
  return fmt::format("{} {} {} 0\n{}{}", kind, id, time_ns, bytes, divider);
}
Traffic imported(const std::string& file) {
  const testing::Folder folder;
  const Traffic traffic = import_captures({folder.write("requests.gor", file)});
  EXPECT_TRUE(traffic.certificate.conserves());
  return traffic;
}

TEST(GoReplay, PairsRequestsAndAnswersByTheirIds) {
  const Traffic traffic = imported(payload('1', "a1", start, get("/a")) + payload('1', "b2", start + 1, get("/b")) +
                                   payload('2', "b2", start + 7, ok("B")) + payload('2', "a1", start + 9, ok("A")));
  EXPECT_THAT(lines_of(traffic), ElementsAre("GET /a -> 200 A", "GET /b -> 200 B"));
  EXPECT_EQ(traffic.exchanges[0].request_ns, start);
  EXPECT_EQ(traffic.exchanges[0].response_ns, start + 9);
  EXPECT_EQ(traffic.exchanges[0].id, 1);
  EXPECT_NE(traffic.exchanges[0].connection, traffic.exchanges[1].connection);
  EXPECT_THAT(traffic.certificate.notes, IsEmpty());
}

TEST(GoReplay, ExchangesComeInTheOrderOfTheirRequests) {
  EXPECT_THAT(lines_of(imported(payload('1', "b", start + 5, get("/b")) + payload('2', "b", start + 6, ok("B")) +
                                payload('1', "a", start, get("/a")) + payload('2', "a", start + 9, ok("A")))),
              ElementsAre("GET /a -> 200 A", "GET /b -> 200 B"));
}

TEST(GoReplay, WhatMissesItsOtherHalfIsFlagged) {
  EXPECT_THAT(lines_of(imported(payload('1', "a", start, get("/a")) + payload('2', "b", start + 1, ok("B")))),
              ElementsAre("GET /a [no response]", "  -> 200 B [no request]"));
}

TEST(GoReplay, TwoRequestsOfOneIdAreTwoExchanges) {
  EXPECT_THAT(lines_of(imported(payload('1', "a", start, get("/1")) + payload('1', "a", start + 1, get("/2")) +
                                payload('2', "a", start + 2, ok("2")))),
              ElementsAre("GET /1 [no response]", "GET /2 -> 200 2"));
}

TEST(GoReplay, AnswersOfAReplayAreLeftOut) {
  const Traffic traffic = imported(payload('1', "a", start, get("/a")) + payload('3', "a", start + 1, ok("replayed")) +
                                   payload('2', "a", start + 2, ok("A")));
  EXPECT_THAT(lines_of(traffic), ElementsAre("GET /a -> 200 A"));
  EXPECT_EQ(traffic.certificate.remarks.at("GoReplay answers of a replay, left out"), 1);
}

TEST(GoReplay, ChunksArePutTogether) {
  EXPECT_THAT(lines_of(imported(
                  payload('1', "a", start, get("/a")) +
                  payload('2', "a", start + 1,
                          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nA\r\n2\r\nBC\r\n0\r\n\r\n"))),
              ElementsAre("GET /a -> 200 ABC"));
}

TEST(GoReplay, ABodyThatIsShorterThanItsLengthIsFlagged) {
  EXPECT_THAT(lines_of(imported(payload('1', "a", start, get("/a")) +
                                payload('2', "a", start + 1, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"))),
              ElementsAre("GET /a -> 200 short [truncated]"));
}

TEST(GoReplay, ATruncatedLastPayloadIsSaid) {
  const std::string whole = payload('1', "a", start, get("/a")) + payload('2', "a", start + 1, ok("A")) +
                            payload('1', "b", start + 2, get("/b"));
  for (std::size_t missing = 1; missing < 40; ++missing) {
    const Traffic traffic = imported(whole.substr(0, whole.size() - missing));
    EXPECT_THAT(lines_of(traffic), ElementsAre("GET /a -> 200 A")) << missing;
    ASSERT_EQ(traffic.certificate.notes.size(), 1u) << missing;
    EXPECT_THAT(traffic.certificate.notes[0], HasSubstr("the last payload is truncated"));
  }
}

TEST(GoReplay, WhatIsNoPayloadIsCounted) {
  const Traffic traffic = imported(payload('1', "a", start, get("/a")) + "4 a 1\nx" + divider + "1 a\nx" + divider +
                                   "1 a time\nx" + divider + "no line" + divider + payload('1', "b", start, "no http") +
                                   payload('2', "a", start + 1, ok("A")));
  EXPECT_THAT(lines_of(traffic), ElementsAre("GET /a -> 200 A"));
  EXPECT_EQ(traffic.certificate.remarks.at("GoReplay payloads without a head line"), 4);
  EXPECT_EQ(traffic.certificate.remarks.at("GoReplay payloads that are no HTTP"), 1);
}

TEST(GoReplay, MayBeCompressedAndLongerThanWhatIsReadAtOnce) {
  std::string file;
  const std::string body(1000, 'x');
  for (int i = 0; i < 600; ++i) {
    file += payload('1', fmt::format("{:x}", i), start + i, get("/a"));
    file += payload('2', fmt::format("{:x}", i), start + i, ok(body));
  }
  for (const std::string& bytes : {file, testing::gzipped(file), testing::zstd_packed(file)}) {
    const Traffic traffic = imported(bytes);
    EXPECT_EQ(traffic.exchanges.size(), 600u);
    EXPECT_EQ(traffic.certificate.exchanges.at("complete"), 600);
    EXPECT_THAT(traffic.certificate.notes, IsEmpty());
  }
}

TEST(GoReplay, DamagedPackingIsSaidAndWhatCameBeforeItIsKept) {
  const std::string first = payload('1', "a", start, get("/a")) + payload('2', "a", start + 1, ok("A"));
  const std::string second = testing::gzipped(payload('1', "b", start + 2, get("/b")));
  const Traffic traffic = imported(testing::gzipped(first) + second.substr(0, second.size() - 20));
  EXPECT_EQ(lines_of(traffic)[0], "GET /a -> 200 A");
  ASSERT_GE(traffic.certificate.notes.size(), 1u);
  EXPECT_THAT(traffic.certificate.notes, ::testing::Contains(HasSubstr("the gzip data ends too early")));
}

TEST(GoReplay, IsToldFromOtherTextByItsBeginning) {
  EXPECT_TRUE(looks_like_goreplay("1 0a9f 1700000"));
  EXPECT_FALSE(looks_like_goreplay("1 word"));
  EXPECT_FALSE(looks_like_goreplay("4 0a9f"));
  EXPECT_FALSE(looks_like_goreplay("1 a"));
  EXPECT_FALSE(looks_like_goreplay(""));
}

}  // namespace
}  // namespace rehearse::replay
