#include "replay/http/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace rehearse::replay {
namespace {

using ::testing::ElementsAre;

constexpr auto complete = ParseStatus::complete;
constexpr auto truncated = ParseStatus::truncated;
constexpr auto malformed = ParseStatus::malformed;
constexpr auto ambiguous = ParseStatus::ambiguous;

ParseStatus request(const std::string& headers, const std::string& body = "") {
  return parse_request("POST /a HTTP/1.1\r\n" + headers + "\r\n" + body).status;
}

Parsed<Response> response(const std::string& text, const std::string& method = "GET", bool ended = false) {
  return parse_response(text, method, ended);
}

TEST(ParseRequest, ReadsLineHeadersAndBody) {
  const std::string text = "POST /orders?x=1 HTTP/1.1\r\nHost: shop\r\nContent-Length:  4 \r\nX-Empty:\r\n\r\nbodyGET ";
  const auto parsed = parse_request(text);
  ASSERT_EQ(parsed.status, complete);
  EXPECT_EQ(parsed.end, text.size() - 4);
  EXPECT_EQ(parsed.message,
            (Request{"POST", "/orders?x=1", {{"Host", "shop"}, {"Content-Length", "4"}, {"X-Empty", ""}}, "body"}));
}

TEST(ParseRequest, EveryPrefixIsTruncated) {
  for (const std::string text :
       {"POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody",
        "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\nX: 1\r\n\r\n"}) {
    for (std::size_t size = 0; size < text.size(); ++size)
      EXPECT_EQ(parse_request(text.substr(0, size)).status, truncated) << size;
    EXPECT_EQ(parse_request(text).message.body, "body");
  }
}

TEST(ParseRequest, EmptyLinesBeforeARequestAreNoPartOfIt) {  // RFC 9112, section 2.2
  const auto parsed = parse_request("\r\n\r\nGET /a HTTP/1.1\r\n\r\n");
  ASSERT_EQ(parsed.status, complete);
  EXPECT_EQ(parsed.message.method, "GET");
  EXPECT_EQ(parsed.end, 23u);
  EXPECT_TRUE(looks_like_request("\r\nGET /a HTTP/1.1\r\n"));
}

TEST(ParseRequest, FoldedHeadersAreOneLine) {
  const auto parsed = parse_request("GET /a HTTP/1.1\r\nX: one\r\n  two\r\n\r\n");
  EXPECT_THAT(parsed.message.headers, ElementsAre(Header{"X", "one two"}));
  EXPECT_EQ(parse_request("GET /a HTTP/1.1\r\n X: one\r\n\r\n").status, malformed);
}

TEST(ParseRequest, FramingThatTwoServersCouldReadDifferentlyIsAmbiguous) {
  EXPECT_EQ(request("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), ambiguous);
  EXPECT_EQ(request("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"), ambiguous);
  EXPECT_EQ(request("Content-Length: 1, 1\r\n", "a"), ambiguous);
  EXPECT_EQ(request("Content-Length: +1\r\n", "a"), ambiguous);
  EXPECT_EQ(request("Content-Length: -1\r\n", "a"), ambiguous);
  EXPECT_EQ(request("Content-Length:\r\n", "a"), ambiguous);
  EXPECT_EQ(request("Content-Length: 99999999999999999999\r\n", "a"), ambiguous);
  EXPECT_EQ(request("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), ambiguous);
  EXPECT_EQ(request("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), ambiguous);
  EXPECT_EQ(request("Content-Length: 1\r\nContent-Length: 1\r\n", "a"), complete)
      << "twice the same length says the same";
}

TEST(ParseRequest,
     ABareLineFeedOrCarriageReturnIsAmbiguous) {  // RFC 9112, section 2.2: some recipients end a line there
  EXPECT_EQ(request("X: a\nContent-Length: 5\r\n"), ambiguous);
  EXPECT_EQ(request("X: a\rY: b\r\n"), ambiguous);
  EXPECT_EQ(request(std::string("X: a\0b\r\n", 8)), ambiguous);
}

TEST(ParseRequest, WhatIsNoHeadIsMalformed) {
  EXPECT_EQ(request("X : a\r\n"), malformed) << "white space before the colon";
  EXPECT_EQ(request("no colon\r\n"), malformed);
  EXPECT_EQ(request(": empty\r\n"), malformed);
  EXPECT_EQ(parse_request("GET /a\r\n\r\n").status, malformed);
  EXPECT_EQ(parse_request("GET /a HTTP/2.0\r\n\r\n").status, malformed);
}

TEST(ParseRequest, AHeadBeyondTheLimitIsMalformed) {
  EXPECT_EQ(request("X: " + std::string(max_head_bytes, 'x') + "\r\n"), malformed);
  EXPECT_EQ(parse_request("GET /" + std::string(max_head_bytes, 'x')).status, malformed)
      << "even when its end was not seen";
}

TEST(ParseRequest, ChunksAreJoinedAndBrokenOnesRefused) {
  const std::string head = "Transfer-Encoding: chunked\r\n";
  EXPECT_EQ(
      parse_request("POST /a HTTP/1.1\r\n" + head + "\r\n5;ext=\"a;b\"\r\nhello\r\n0A\r\n, the world\r\n0\r\n\r\n")
          .status,
      malformed);
  EXPECT_EQ(parse_request("POST /a HTTP/1.1\r\n" + head + "\r\n5;ext=\"a;b\"\r\nhello\r\n0A\r\n,the world\r\n0\r\n\r\n")
                .message.body,
            "hello,the world");
  EXPECT_EQ(request(head, "x\r\n"), malformed);
  EXPECT_EQ(request(head, "\r\n"), malformed);
  EXPECT_EQ(request(head, "0x1\r\na\r\n0\r\n\r\n"), malformed);
  EXPECT_EQ(request(head, "-1\r\na\r\n0\r\n\r\n"), malformed);
  EXPECT_EQ(request(head, "ffffffffffffffff\r\na"), truncated) << "no wrap-around of the size";
  EXPECT_EQ(request(head, "fffffffffffffffff\r\na"), malformed);
  EXPECT_EQ(request(head, std::string(2000, '1')), malformed) << "a size line without an end";
}

TEST(ParseResponse, KnowsWhichAnswersHaveNoBody) {
  for (const char* line : {"HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified", "HTTP/1.1 100 Continue"}) {
    const auto parsed = response(std::string(line) + "\r\nContent-Length: 5\r\n\r\n");
    EXPECT_EQ(parsed.status, complete) << line;
    EXPECT_EQ(parsed.message.body, "");
  }
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD").status, complete);
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "GET").status, truncated);
  EXPECT_EQ(response("HTTP/1.1 200 Connected\r\n\r\n", "CONNECT").status, complete) << "the tunnel is no body";
}

TEST(ParseResponse, ABodyWithoutALengthEndsWithTheStream) {
  EXPECT_EQ(response("HTTP/1.0 200 OK\r\n\r\nbody").status, truncated);
  const auto parsed = response("HTTP/1.0 200 OK\r\n\r\nbody", "GET", true);
  EXPECT_EQ(parsed.status, complete);
  EXPECT_EQ(parsed.message.body, "body");
  EXPECT_TRUE(parsed.close);
}

TEST(ParseResponse, AnEmptyReasonIsFineAndAMissingStatusIsNot) {
  EXPECT_EQ(response("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n").message.status, 200);
  EXPECT_EQ(response("HTTP/1.1 20\r\n\r\n").status, malformed);
  EXPECT_EQ(response("HTTP/1.1 2xx OK\r\n\r\n").status, malformed);
  EXPECT_EQ(response("HTTP/2 200 OK\r\n\r\n").status, malformed);
}

TEST(LooksLike, TellsRequestsFromAnswersAndFromOtherProtocols) {
  EXPECT_TRUE(looks_like_request("GET /"));
  EXPECT_TRUE(looks_like_request("DEL"));
  EXPECT_TRUE(looks_like_request("PROPFIND /dav HTTP/1.1\r\n"));
  EXPECT_FALSE(looks_like_request("GETTING started"));
  EXPECT_FALSE(looks_like_request(""));
  EXPECT_FALSE(looks_like_request("\x16\x03\x01"));
  EXPECT_FALSE(looks_like_request("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(looks_like_response("HTTP/1.1 200 OK\r\n"));
  EXPECT_FALSE(looks_like_response("PRI * HTTP/2.0\r\n"));
}

RC_GTEST_PROP(ParseRequest, AnyBytesAreParsedOrRefused, (const std::string& bytes)) {
  static_cast<void>(parse_request("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + bytes));
  static_cast<void>(parse_response("HTTP/1.1 200 OK\r\n" + bytes + "\r\n\r\n", "GET", true));
  const auto parsed = parse_request(bytes);
  RC_ASSERT(parsed.end <= bytes.size());
}

}  // namespace
}  // namespace rehearse::replay
