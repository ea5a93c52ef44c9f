#include "replay/http/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "replay/capture/limits.h"

namespace rehearse::replay {
namespace {

using ::testing::ElementsAre;

constexpr auto complete = ParseStatus::complete;
constexpr auto malformed = ParseStatus::malformed;
constexpr auto ambiguous = ParseStatus::ambiguous;
constexpr auto beyond_limit = ParseStatus::beyond_limit;

ParseStatus request(const std::string& headers) {
  return parse_request_head("POST /a HTTP/1.1\r\n" + headers + "\r\n").status;
}

ResponseHead response(const std::string& text, const std::string& method = "GET") {
  return parse_response_head(text, method);
}

TEST(ParseRequestHead, ReadsLineAndHeaders) {
  const auto parsed =
      parse_request_head("POST /orders?x=1 HTTP/1.1\r\nHost: shop\r\nContent-Length:  4 \r\nX-Empty:\r\n\r\n");
  ASSERT_EQ(parsed.status, complete);
  EXPECT_EQ(parsed.framing.kind, Framing::Kind::length);
  EXPECT_EQ(parsed.framing.length, 4u);
  EXPECT_EQ(parsed.message,
            (Request{"POST", "/orders?x=1", {{"Host", "shop"}, {"Content-Length", "4"}, {"X-Empty", ""}}, ""}));
}

TEST(ParseRequestHead, FoldedHeadersAreOneLine) {
  const auto parsed = parse_request_head("GET /a HTTP/1.1\r\nX: one\r\n  two\r\n\r\n");
  EXPECT_THAT(parsed.message.headers, ElementsAre(Header{"X", "one two"}));
  EXPECT_EQ(parse_request_head("GET /a HTTP/1.1\r\n X: one\r\n\r\n").status, malformed);
}

TEST(ParseRequestHead, FramingThatTwoServersCouldReadDifferentlyIsAmbiguous) {
  EXPECT_EQ(request("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), ambiguous);
  EXPECT_EQ(request("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"), ambiguous);
  EXPECT_EQ(request("Content-Length: 1\r\nContent-Length: 2\r\n"), ambiguous);
  EXPECT_EQ(request("Content-Length: 1, 1\r\n"), ambiguous);
  EXPECT_EQ(request("Content-Length: +1\r\n"), ambiguous);
  EXPECT_EQ(request("Content-Length: -1\r\n"), ambiguous);
  EXPECT_EQ(request("Content-Length:\r\n"), ambiguous);
  EXPECT_EQ(request("Content-Length: 99999999999999999999\r\n"), ambiguous);
  EXPECT_EQ(request("Content-Length: 9223372036854775808\r\n"), ambiguous) << "beyond what a signed offset holds";
  EXPECT_EQ(request("Transfer-Encoding: chunked, identity\r\n"), ambiguous);
  EXPECT_EQ(request("Transfer-Encoding: gzip, chunked\r\n"), ambiguous);
  EXPECT_EQ(request("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), ambiguous);
  EXPECT_EQ(request("Transfer-Encoding: xchunked\r\n"), ambiguous);
  EXPECT_EQ(parse_request_head("POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").status, ambiguous);
  EXPECT_EQ(parse_request_head("GET /a b HTTP/1.1\r\n\r\n").status, ambiguous) << "where does the target end?";
  EXPECT_EQ(request("Content-Length: 1\r\nContent-Length: 1\r\n"), complete) << "twice the same length says the same";
}

TEST(ParseRequestHead, ABareLineFeedOrCarriageReturnIsAmbiguous) {  // RFC 9112, section 2.2
  EXPECT_EQ(request("X: a\nContent-Length: 5\r\n"), ambiguous);
  EXPECT_EQ(request("X: a\rY: b\r\n"), ambiguous);
  EXPECT_EQ(request(std::string("X: a\0b\r\n", 8)), ambiguous);
}

TEST(ParseRequestHead, WhatIsNoHeadIsMalformed) {
  EXPECT_EQ(request("X : a\r\n"), malformed) << "white space before the colon";
  EXPECT_EQ(request("no colon\r\n"), malformed);
  EXPECT_EQ(request(": empty\r\n"), malformed);
  EXPECT_EQ(parse_request_head("GET /a\r\n\r\n").status, malformed);
  EXPECT_EQ(parse_request_head("GET /a HTTP/2.0\r\n\r\n").status, malformed);
  EXPECT_EQ(parse_request_head("GET /a http/1.1\r\n\r\n").status, malformed);
}

TEST(ParseRequestHead, HasALimitOfFields) {
  std::string fields;
  for (std::size_t i = 0; i < limits::header_fields; ++i) fields += "X: 1\r\n";
  EXPECT_EQ(request(fields), complete);
  EXPECT_EQ(request(fields + "X: 1\r\n"), beyond_limit);
  EXPECT_EQ(request(fields + "no colon\r\n"), malformed);
}

TEST(ParseChunkSize, IsHexadecimalWithExtensions) {
  EXPECT_EQ(parse_chunk_size("0A;ext=\"a;b\""), 10u);
  EXPECT_EQ(parse_chunk_size(" 5 "), 5u);
  for (const char* bad : {"", "x", "0x1", "-1", "fffffffffffffffff", "8000000000000000"})
    EXPECT_EQ(parse_chunk_size(bad), std::nullopt) << bad;
}

TEST(ParseResponseHead, KnowsWhichAnswersHaveNoBody) {
  for (const char* line : {"HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified", "HTTP/1.1 100 Continue"}) {
    EXPECT_EQ(response(std::string(line) + "\r\nContent-Length: 5\r\n\r\n").framing.kind, Framing::Kind::none) << line;
  }
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD").framing.kind, Framing::Kind::none);
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").framing.kind, Framing::Kind::length);
  EXPECT_EQ(response("HTTP/1.1 200 Connected\r\n\r\n", "CONNECT").framing.kind, Framing::Kind::none)
      << "the tunnel is no body";
  EXPECT_EQ(response("HTTP/1.0 200 OK\r\n\r\n").framing.kind, Framing::Kind::until_close);
}

TEST(ParseResponseHead, AnEmptyReasonIsFineAndAMissingStatusIsNot) {
  EXPECT_EQ(response("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n").message.status, 200);
  EXPECT_EQ(response("HTTP/1.1 20\r\n\r\n").status, malformed);
  EXPECT_EQ(response("HTTP/1.1 2xx OK\r\n\r\n").status, malformed);
  EXPECT_EQ(response("HTTP/1.1 2000 OK\r\n\r\n").status, malformed);
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

RC_GTEST_PROP(ParseHead, AnyBytesAreParsedOrRefused, (const std::string& bytes)) {
  static_cast<void>(parse_request_head("POST /a HTTP/1.1\r\n" + bytes));
  static_cast<void>(parse_response_head("HTTP/1.1 200 OK\r\n" + bytes, "GET"));
  static_cast<void>(parse_request_head(bytes));
  static_cast<void>(parse_response_head(bytes, ""));
  static_cast<void>(parse_fields(bytes));
  static_cast<void>(parse_chunk_size(bytes));
}

}  // namespace
}  // namespace rehearse::replay
