// HTTP/1.x of streams that are given piece by piece: cutting changes nothing, and every limit shows.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "replay/capture/conversation.h"
#include "replay/capture/limits.h"
#include "replay/capture/test_packets.h"

namespace rehearse::replay {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::get;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::ok;

struct Said {
  Side from;
  std::string bytes;
};
using Script = std::vector<Said>;

struct Heard {
  std::vector<std::string> lines;
  std::map<std::string, std::int64_t, std::less<>> remarks;
  ByteCounts bytes{};
  std::size_t most_held = 0;
  std::vector<Exchange> exchanges;
};

// A connection whose client is side a. Both sides acknowledge all that the other one said before.
class Talk {
 public:
  Talk() {
    origin_.a = "client";
    origin_.b = "server";
    origin_.connection = std::make_shared<Identity>();
    origin_.from_start = true;
    origin_.findings = &findings_;
    const Side side = Side::a;
    reader_ = http1_reader(origin_, &side, {});
  }
  void say(Side from, std::string_view bytes, bool segment_start = true) {
    std::int64_t& offset = offsets_[index_of(from)];
    reader_->take({from, offset, bytes, ++now_, offsets_[index_of(other(from))], segment_start, false});
    offset += static_cast<std::int64_t>(bytes.size());
    heard_.most_held = std::max(heard_.most_held, reader_->held_bytes());
  }
  Heard heard() {
    reader_->end(Side::a, End::finished, ++now_);
    reader_->end(Side::b, End::finished, ++now_);
    EXPECT_EQ(std::accumulate(findings_.bytes.begin(), findings_.bytes.end(), std::int64_t{0}),
              offsets_[0] + offsets_[1]);
    EXPECT_EQ(reader_->held_bytes(), 0u);
    EXPECT_EQ(reader_->oldest_ns(), std::numeric_limits<std::int64_t>::max());
    heard_.remarks = findings_.remarks;
    heard_.bytes = findings_.bytes;
    for (const auto& each : findings_.exchanges) {
      heard_.exchanges.push_back(each->exchange);
      heard_.lines.push_back(line_of(each->exchange));
    }
    return heard_;
  }

 private:
  static std::string line_of(const Exchange& e) {
    std::string line = e.request.method + " " + e.request.target + " " + e.request.body;
    const auto fields = [&](const Headers& headers) {
      for (const Header& each : headers) line += " " + each.name + "=" + each.value;
    };
    fields(e.request.headers);
    fields(e.request.trailers);
    if (e.response) {
      line += fmt::format(" -> {} {}", e.response->status, e.response->body);
      fields(e.response->headers);
      fields(e.response->trailers);
    }
    line += fmt::format(" {}", e.interim.size());
    for (const std::string& flag : e.flags) line += " [" + flag + "]";
    return line;
  }
  Findings findings_;
  Origin origin_;
  std::unique_ptr<ProtocolReader> reader_;
  std::array<std::int64_t, 2> offsets_{};
  std::int64_t now_ = 0;
  Heard heard_;
};

// With message `which` cut at `at`, or all into single bytes.
Heard heard_of(const Script& script, std::size_t which, std::size_t at) {
  Talk talk;
  for (std::size_t i = 0; i < script.size(); ++i) {
    const std::string_view bytes = script[i].bytes;
    talk.say(script[i].from, bytes.substr(0, i == which ? at : bytes.size()));
    if (i == which && at < bytes.size()) talk.say(script[i].from, bytes.substr(at), false);
  }
  return talk.heard();
}
Heard heard_byte_by_byte(const Script& script) {
  Talk talk;
  for (const Said& said : script) {
    for (std::size_t i = 0; i < said.bytes.size(); ++i) talk.say(said.from, said.bytes.substr(i, 1), i == 0);
  }
  return talk.heard();
}

// Everything that makes cutting hard: pipelining, chunks with extensions and trailers, HEAD, 204, an interim answer, empty lines,
// a method that is not well known, an answer until the close.
Script everything() {
  constexpr Side a = Side::a, b = Side::b;
  return {
      {a, get("/a")},
      {b, ok("A")},
      {a, "POST /b HTTP/1.1\r\nContent-Length: 9\r\n\r\nbody of b"},
      {b, "HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nB"},
      {a, get("/c") + "\r\n" + get("/d")},
      {b, ok("C") + ok("D")},
      {a, "HEAD /e HTTP/1.1\r\n\r\n"},
      {b, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
      {a, "DELETE /f HTTP/1.1\r\n\r\n"},
      {b, "HTTP/1.1 204 No Content\r\n\r\n"},
      {a, "PUT /g HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nch\r\n00a\r\n0123456789\r\n0\r\n\r\n"},
      {b, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nch\r\n4\r\nunks\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n"},
      {a, "POST /x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"},
      {b, "HTTP/1.1 100 Continue\r\n\r\n"},
      {a, "xyz"},
      {b, ok("")},
      {a, "FROBNICATE /y HTTP/1.1\r\nA: b\r\n c\r\n\r\n"},
      {b, "HTTP/1.0 200 OK\r\n\r\nuntil the end"},
  };
}

void expect_same(const Heard& heard, const Heard& expected, const std::string& what) {
  EXPECT_EQ(heard.lines, expected.lines) << what;
  EXPECT_EQ(heard.remarks, expected.remarks) << what;
  EXPECT_EQ(heard.bytes, expected.bytes) << what;
}

TEST(Http1, IsTheSameWhereverAMessageIsCut) {
  const Script script = everything();
  const Heard expected = heard_of(script, script.size(), 0);
  ASSERT_EQ(expected.lines.size(), 9u);
  for (const Exchange& exchange : expected.exchanges) EXPECT_TRUE(exchange.complete()) << exchange.request.target;
  for (std::size_t which = 0; which < script.size(); ++which) {
    for (std::size_t at = 1; at < script[which].bytes.size(); ++at)
      expect_same(heard_of(script, which, at), expected, fmt::format("message {} cut at {}", which, at));
  }
  expect_same(heard_byte_by_byte(script), expected, "byte by byte");
}

TEST(Http1, AMethodThatIsNotWellKnownMayBeginAConnectionPieceByPiece) {
  const Script script{{Side::a, "FROBNICATE /a HTTP/1.1\r\n\r\n"}, {Side::b, ok("A")}};
  EXPECT_THAT(heard_byte_by_byte(script).lines, ElementsAre("FROBNICATE /a  -> 200 A Content-Length=1 0"));
}

TEST(Http1, AFirstLineWithoutACarriageReturnIsMalformedWhereverItIsCut) {
  const Script script{
      {Side::a, get("/a")}, {Side::b, ok("A")}, {Side::a, "GET /b HTTP/1.1\nHost: shop\r\n\r\n"}, {Side::b, ok("B")}};
  for (std::size_t at = 1; at <= script[2].bytes.size(); ++at) {
    const Heard heard = heard_of(script, 2, at);
    ASSERT_EQ(heard.exchanges.size(), 2u) << at;
    EXPECT_EQ(heard.exchanges[1].flags.front(), flag::malformed) << at;
  }
}

TEST(Http1, WordsOfAnotherProtocolAreNoRequest) {
  for (const char* words : {"EHLO shop\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "QUIT", "*1\r\n$4\r\nPING\r\n"}) {
    const Heard heard = heard_byte_by_byte({{Side::a, words}});
    EXPECT_THAT(heard.lines, IsEmpty()) << words;
    EXPECT_EQ(heard.bytes[static_cast<std::size_t>(ByteKind::not_http)],
              static_cast<std::int64_t>(std::string(words).size()));
  }
}

TEST(Http1, ARequestThatAnUpgradeCutOffKeepsNothingWaiting) {
  Talk talk;
  talk.say(Side::a, "GET /w HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /never HT");
  talk.say(Side::b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nframes");
  const Heard heard = talk.heard();  // which looks for what is held
  EXPECT_EQ(heard.exchanges.size(), 1u);
  EXPECT_EQ(heard.bytes[static_cast<std::size_t>(ByteKind::upgraded)], 19);
}

// -- limits ------------------------------------------------------------------------------------------------------------

Script with_head_of(std::size_t size) {
  std::string head = "GET /a HTTP/1.1\r\nX: ";
  head += std::string(size - head.size() - 4, 'x') + "\r\n\r\n";
  return {{Side::a, get("/")}, {Side::b, ok("")}, {Side::a, head}, {Side::b, ok("A")}};
}

TEST(Http1Limits, Heads) {
  for (const std::size_t cut : {std::size_t{9}, std::size_t{1000}, limits::head_bytes}) {
    EXPECT_THAT(heard_of(with_head_of(limits::head_bytes), 2, cut).lines[1], HasSubstr("-> 200 A")) << cut;
    const Heard longer = heard_of(with_head_of(limits::head_bytes + 1), 2, cut);
    EXPECT_THAT(longer.lines, Contains(HasSubstr("[evicted]"))) << cut;
    EXPECT_THAT(longer.lines, Each(Not(HasSubstr("[malformed]")))) << cut;
    EXPECT_GE(longer.bytes[static_cast<std::size_t>(ByteKind::evicted)], limits::head_bytes) << cut;
    EXPECT_LE(longer.most_held, 2 * limits::head_bytes) << cut;
  }
}

// It shows no less that this is HTTP.
TEST(Http1Limits, AConnectionMayBeginWithAHeadBeyondThem) {
  Script script = with_head_of(limits::head_bytes + 1);
  script.erase(script.begin(), script.begin() + 2);
  const Heard heard = heard_of(script, 9, 0);
  ASSERT_EQ(heard.exchanges.size(), 1u);
  EXPECT_THAT(heard.exchanges[0].flags, Contains(flag::evicted));
  EXPECT_EQ(heard.exchanges[0].response->body, "A");
}

TEST(Http1Limits, ALongHeadThatIsNoneIsMalformed) {
  for (const std::string& head : {"G\x01T /" + std::string(2 * limits::head_bytes, 'x'),
                                  "GET /a HTTP/1.1\r\nno colon" + std::string(1000, 'x') + "\r\n\r\n"}) {
    const Heard heard =
        heard_of({{Side::a, get("/")}, {Side::b, ok("")}, {Side::a, head}, {Side::b, ok("A")}}, 2, 1000);
    EXPECT_THAT(heard.exchanges.at(1).flags, Contains(flag::malformed));
    EXPECT_THAT(heard.exchanges.at(1).flags, Not(Contains(flag::evicted)));
  }
}

TEST(Http1Limits, HeaderFields) {
  const auto with_fields = [](std::size_t fields) {
    std::string head = "GET /a HTTP/1.1\r\n";
    for (std::size_t i = 0; i < fields; ++i) head += "a: b\r\n";
    return Script{{Side::a, get("/")}, {Side::b, ok("")}, {Side::a, head + "\r\n"}, {Side::b, ok("A")}};
  };
  const Heard most = heard_of(with_fields(limits::header_fields), 9, 0);
  EXPECT_EQ(most.exchanges.at(1).request.headers.size(), limits::header_fields);
  EXPECT_TRUE(most.exchanges.at(1).complete());
  const Heard more = heard_of(with_fields(limits::header_fields + 1), 9, 0);
  EXPECT_THAT(more.exchanges.at(1).flags, Contains(flag::evicted));
  EXPECT_THAT(more.exchanges.at(1).flags, Not(Contains(flag::malformed)));
}

TEST(Http1Limits, SizeLinesOfChunks) {
  const auto with_line = [](std::size_t size) {
    const std::string line = "1;" + std::string(size - 2, 'x') + "\r\n";
    return Script{{Side::a, get("/a")},
                  {Side::b, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + line + "A\r\n0\r\n\r\n"}};
  };
  for (const auto& heard : {heard_of(with_line(limits::chunk_line_bytes - 2), 9, 0),
                            heard_byte_by_byte(with_line(limits::chunk_line_bytes - 2))})
    EXPECT_TRUE(heard.exchanges.at(0).complete());
  for (const auto& heard : {heard_of(with_line(limits::chunk_line_bytes + 1), 9, 0),
                            heard_byte_by_byte(with_line(limits::chunk_line_bytes + 1))})
    EXPECT_THAT(heard.exchanges.at(0).flags, ElementsAre(flag::evicted));
  const Script garbage{{Side::a, get("/a")},
                       {Side::b, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
                                     std::string(limits::chunk_line_bytes + 1, 'x')}};
  EXPECT_THAT(heard_of(garbage, 9, 0).exchanges.at(0).flags, ElementsAre(flag::malformed));
}

TEST(Http1Limits, Trailers) {
  const auto with_trailers = [](const std::string& fields) {
    return Script{{Side::a, get("/a")},
                  {Side::b, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + fields + "\r\n"}};
  };
  const Script script = with_trailers("x: " + std::string(limits::head_bytes, 'x') + "\r\n");
  EXPECT_THAT(heard_of(script, 9, 0).exchanges.at(0).flags, ElementsAre(flag::evicted));
  EXPECT_THAT(heard_of(script, 1, 9000).exchanges.at(0).flags, ElementsAre(flag::evicted));
  std::string many;
  for (std::size_t i = 0; i <= limits::header_fields; ++i) many += "a: b\r\n";
  EXPECT_THAT(heard_of(with_trailers(many), 9, 0).exchanges.at(0).flags, ElementsAre(flag::evicted));
  EXPECT_THAT(heard_of(with_trailers("no colon\r\n"), 9, 0).exchanges.at(0).flags, ElementsAre(flag::malformed));
}

TEST(Http1Limits, Bodies) {
  const std::string block(1u << 20, 'x');
  for (const std::size_t more : {std::size_t{0}, std::size_t{1}}) {
    Talk talk;
    talk.say(Side::a, get("/a"));
    talk.say(Side::b, fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", limits::body_bytes + more));
    for (std::size_t sent = 0; sent < limits::body_bytes; sent += block.size()) talk.say(Side::b, block);
    if (more > 0) talk.say(Side::b, "x");
    talk.say(Side::a, get("/b"));
    talk.say(Side::b, ok("B"));
    const Heard heard = talk.heard();
    ASSERT_EQ(heard.exchanges.size(), 2u);
    EXPECT_EQ(heard.exchanges[0].response->body.size(), limits::body_bytes);
    EXPECT_EQ(heard.exchanges[0].complete(), more == 0);
    if (more > 0) {
      EXPECT_THAT(heard.exchanges[0].flags, ElementsAre(flag::long_body));
    }
    EXPECT_TRUE(heard.exchanges[1].complete());
  }
}

TEST(Http1Limits, RequestsThatWaitForTheirAnswer) {
  for (const std::size_t more : {std::size_t{0}, std::size_t{1}}) {
    Talk talk;
    for (std::size_t i = 0; i < limits::outstanding + more; ++i) talk.say(Side::a, get(fmt::format("/{}", i)));
    for (std::size_t i = more; i < limits::outstanding + more; ++i) talk.say(Side::b, ok(""));
    const Heard heard = talk.heard();
    ASSERT_EQ(heard.exchanges.size(), limits::outstanding + more);
    if (more == 0) {
      for (const Exchange& exchange : heard.exchanges) ASSERT_TRUE(exchange.complete());
      continue;
    }
    EXPECT_EQ(heard.exchanges[0].request.target, "/0");
    EXPECT_THAT(heard.exchanges[0].flags, ElementsAre(flag::no_response, flag::evicted));
  }
}

TEST(Http1Limits, InterimAnswers) {
  for (const std::size_t more : {std::size_t{0}, std::size_t{1}}) {
    Talk talk;
    talk.say(Side::a, get("/a"));
    for (std::size_t i = 0; i < limits::interim + more; ++i) talk.say(Side::b, "HTTP/1.1 103 Early Hints\r\n\r\n");
    talk.say(Side::b, ok("A"));
    const Heard heard = talk.heard();
    ASSERT_EQ(heard.exchanges.size(), 1u);
    EXPECT_EQ(heard.exchanges[0].interim.size(), limits::interim);
    EXPECT_EQ(heard.exchanges[0].complete(), more == 0);
    EXPECT_EQ(heard.remarks.at("interim answers"), static_cast<std::int64_t>(limits::interim + more));
  }
}

// -- hostile streams -----------------------------------------------------------------------------------------------------

TEST(HostileHttp, RequestsThatNobodyAnswersHoldALimitedNumber) {
  Talk talk;
  constexpr std::size_t many = 20'000;
  for (std::size_t i = 0; i < many; ++i) talk.say(Side::a, get("/"));
  const Heard heard = talk.heard();
  EXPECT_EQ(heard.exchanges.size(), many);
  EXPECT_LE(heard.most_held, (limits::outstanding + 1) * get("/").size());
}

TEST(HostileHttp, ChunksOfOneByteAreABody) {
  Talk talk;
  talk.say(Side::a, get("/a"));
  talk.say(Side::b, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  constexpr std::size_t many = 100'000;
  for (std::size_t i = 0; i < many; ++i) talk.say(Side::b, "1\r\nx\r\n");
  talk.say(Side::b, "0\r\n\r\n");
  const Heard heard = talk.heard();
  ASSERT_EQ(heard.exchanges.size(), 1u);
  EXPECT_EQ(heard.exchanges[0].response->body.size(), many);
  EXPECT_TRUE(heard.exchanges[0].complete());
}

}  // namespace
}  // namespace rehearse::replay
