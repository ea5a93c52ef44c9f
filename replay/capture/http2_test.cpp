#include "replay/capture/http2.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "replay/capture/limits.h"

namespace rehearse::replay {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::SizeIs;

const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::string number(std::size_t value, int bytes) {
  std::string out;
  while (bytes-- > 0) out += static_cast<char>(value >> 8 * bytes);
  return out;
}

std::string frame(int type, int flags, std::uint32_t stream, const std::string& payload) {
  return number(payload.size(), 3) + static_cast<char>(type) + static_cast<char>(flags) + number(stream, 4) + payload;
}

// Flags of frames.
constexpr int end_stream = 1, end_headers = 4, padded = 8, with_priority = 32;

std::string data(std::uint32_t stream, const std::string& bytes, int flags = 0) {
  return frame(0, flags, stream, bytes);
}
std::string headers(std::uint32_t stream, const std::string& block, int flags = 0) {
  return frame(1, flags | end_headers, stream, block);
}
std::string reset(std::uint32_t stream, std::uint32_t code) { return frame(3, 0, stream, number(code, 4)); }
const std::string settings = frame(4, 0, 0, "");
const std::string settings_ack = frame(4, 1, 0, "");
std::string table_setting(std::uint32_t bytes) { return frame(4, 0, 0, number(1, 2) + number(bytes, 4)); }

// A field as a literal (RFC 7541, section 6.2); `indexed` puts it into the table.
std::string length(std::size_t value) {
  if (value < 127) return number(value, 1);
  std::string out = "\x7f";
  for (value -= 127; value >= 128; value /= 128) out += static_cast<char>(value % 128 + 128);
  return out + static_cast<char>(value);
}
std::string literal(const std::string& name, const std::string& value, bool indexed = false) {
  return std::string(1, indexed ? '\x40' : '\0') + length(name.size()) + name + length(value.size()) + value;
}
const std::string newest = "\xbe";  // the field that came into the table last

std::string get(const std::string& path) {
  return literal(":method", "GET") + literal(":scheme", "http") + literal(":path", path) +
         literal(":authority", "shop");
}
const std::string ok = literal(":status", "200");

std::string in_a_line(const Exchange& exchange) {
  std::string line = exchange.request.method + " " + exchange.request.target + " " + exchange.request.body;
  if (exchange.response) line += fmt::format("-> {} {}", exchange.response->status, exchange.response->body);
  for (const std::string& flag : exchange.flags) line += " [" + flag + "]";
  return line;
}

// A connection whose client is side a. What is said goes to the reader in pieces of `piece` bytes.
class Talk {
 public:
  explicit Talk(std::size_t piece = SIZE_MAX, const Exchange* upgraded = nullptr) : piece_(piece) {
    Origin origin;
    origin.a = "client";
    origin.b = "server";
    origin.connection = std::make_shared<Identity>();
    origin.from_start = true;
    origin.findings = &findings;
    const Side side = Side::a;
    reader_ = http2_reader(origin, &side, upgraded);
  }
  Talk& open() { return client(preface + settings).server(settings + settings_ack).client(settings_ack); }
  Talk& client(const std::string& bytes) { return say(Side::a, bytes); }
  Talk& server(const std::string& bytes) { return say(Side::b, bytes); }
  Talk& lose(Side from, std::size_t bytes) {
    reader_->gap(from, offsets_[index_of(from)], static_cast<std::int64_t>(bytes), ++now_);
    offsets_[index_of(from)] += static_cast<std::int64_t>(bytes);
    return *this;
  }
  Talk& conflict() {
    reader_->conflict(Side::a, 0, 1);
    return *this;
  }
  Talk& end(End how = End::finished) {
    reader_->end(Side::a, how, ++now_);
    reader_->end(Side::b, how, ++now_);
    const auto sum = std::accumulate(findings.bytes.begin(), findings.bytes.end(), std::int64_t{0});
    EXPECT_EQ(sum, said_);
    EXPECT_EQ(reader_->held_bytes(), 0u);
    EXPECT_EQ(reader_->oldest_ns(), std::numeric_limits<std::int64_t>::max());
    return *this;
  }
  std::vector<std::string> lines() {
    end();
    std::vector<std::string> lines;
    for (const auto& each : findings.exchanges) lines.push_back(in_a_line(each->exchange));
    return lines;
  }
  [[nodiscard]] std::int64_t bytes(ByteKind kind) const { return findings.bytes[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] const Exchange& exchange(std::size_t at) const { return findings.exchanges.at(at)->exchange; }
  ProtocolReader& reader() { return *reader_; }
  Talk(const Talk&) = delete;
  Talk& operator=(const Talk&) = delete;

  Findings findings;

 private:
  Talk& say(Side from, const std::string& bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
      Piece piece;
      piece.from = from;
      piece.offset = offsets_[index_of(from)];
      piece.bytes = std::string_view(bytes).substr(at, piece_);
      piece.time_ns = ++now_;
      piece.acknowledged = unknown_offset;
      reader_->take(piece);
      at += piece.bytes.size();
      said_ += static_cast<std::int64_t>(piece.bytes.size());
      offsets_[index_of(from)] += static_cast<std::int64_t>(piece.bytes.size());
    }
    return *this;
  }
  std::size_t piece_;
  std::int64_t now_ = 1000, said_ = 0;
  std::array<std::int64_t, 2> offsets_{};
  std::unique_ptr<ProtocolReader> reader_;
};

// Everything that a frame may carry: padding, priorities, blocks in several frames, interim answers, trailers.
void say_every_kind_of_frame(Talk& talk) {
  talk.open();
  const std::string block = get("/a") + literal("cookie", "x=1") + literal("accept", "*/*") + literal("cookie", "y=2");
  talk.client(frame(1, padded | with_priority, 1, "\3" + std::string("\0\0\0\0\7", 5) + block.substr(0, 20) + "pad"));
  talk.client(frame(9, 0, 1, block.substr(20, 1)) + frame(9, end_headers, 1, block.substr(21)));
  talk.client(frame(6, 0, 0, "12345678") + frame(8, 0, 0, number(5, 4)) + frame(2, 0, 3, "12345") +
              frame(0x55, 9, 7, "new"));
  talk.client(data(1, "\2bo--", padded) + data(1, "dy") + data(1, std::string(1, '\0'), padded));
  talk.client(headers(1, literal("x-end", "1"), end_stream));
  talk.server(headers(1, literal(":status", "103")) + headers(1, ok + literal("etag", "7")));
  talk.server(data(1, "\1an-", padded) + data(1, "swer") + headers(1, literal("x-sum", "2"), end_stream));
  talk.client(headers(3, get("/b"), end_stream)).server(headers(3, literal(":status", "204"), end_stream));
}

TEST(Http2, ReadsEveryKindOfFrameHoweverItsBytesAreCut) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}, SIZE_MAX}) {
    Talk talk(piece);
    say_every_kind_of_frame(talk);
    EXPECT_THAT(talk.lines(), ElementsAre("GET /a body-> 200 answer", "GET /b -> 204 ")) << piece;
    const Exchange& first = talk.exchange(0);
    EXPECT_THAT(first.request.headers,
                ElementsAre(Header{"host", "shop"}, Header{"cookie", "x=1; y=2"}, Header{"accept", "*/*"}));
    EXPECT_THAT(first.request.trailers, ElementsAre(Header{"x-end", "1"}));
    EXPECT_THAT(first.interim, SizeIs(1));
    EXPECT_THAT(first.response->headers, ElementsAre(Header{"etag", "7"}));
    EXPECT_THAT(first.response->trailers, ElementsAre(Header{"x-sum", "2"}));
    EXPECT_EQ(first.client, "client");
    EXPECT_LT(first.request_ns, first.request_end_ns);
    EXPECT_LT(first.request_end_ns, first.response_end_ns);
    EXPECT_EQ(talk.exchange(1).index, 1);
  }
}

TEST(Http2, TheTimeOfARequestIsThatOfItsFirstByte) {
  Talk talk(1);
  talk.open();
  const std::string request = headers(1, get("/a"), end_stream);
  talk.client(request.substr(0, 1));
  const std::int64_t begun = talk.reader().oldest_ns();
  for (std::size_t at = 1; at < request.size(); ++at) {
    talk.client(request.substr(at, 1));
    EXPECT_EQ(talk.reader().oldest_ns(), begun) << at;
  }
  talk.server(headers(1, ok, end_stream)).end();
  EXPECT_EQ(talk.exchange(0).request_ns, begun);
}

TEST(Http2, FieldsAreReadInTheOrderOfTheirBlocksNotOfTheirStreams) {
  Talk talk;
  talk.open().client(headers(1, get("/a") + literal("x-turn", "one", true)) +
                     headers(3, get("/b") + newest, end_stream));
  talk.client(headers(5, get("/c") + literal("x-turn", "two", true), end_stream) + headers(1, newest, end_stream));
  for (const std::uint32_t stream : {5u, 3u, 1u}) talk.server(headers(stream, ok, end_stream));
  EXPECT_THAT(talk.lines(), ElementsAre("GET /c -> 200 ", "GET /b -> 200 ", "GET /a -> 200 "));
  EXPECT_EQ(field(talk.exchange(1).request.headers, "x-turn"), "one");
  EXPECT_EQ(field(talk.exchange(2).request.trailers, "x-turn"), "two");
  EXPECT_EQ(talk.exchange(0).index, 2);
}

TEST(Http2, AHoleWithinABodyCostsOneExchange) {
  const std::string body = data(1, "0123456789", end_stream);
  Talk talk;
  talk.open().client(headers(1, get("/a"), end_stream) + headers(3, get("/b"), end_stream)).server(headers(1, ok));
  talk.server(body.substr(0, 12)).lose(Side::b, 4).server(body.substr(16));
  talk.server(headers(3, ok, end_stream));
  EXPECT_THAT(talk.lines(), ElementsAre("GET /a -> 200 012789 [gap]", "GET /b -> 200 "));
}

TEST(Http2, AHoleThatEndsWithAFrameEndsItsStream) {
  const std::string body = data(1,
                                "\2"
                                "0123456789--",
                                padded | end_stream);
  for (std::size_t from = 9; from < body.size(); ++from) {
    Talk talk;
    talk.open().client(headers(1, get("/a"), end_stream)).server(headers(1, ok));
    talk.server(body.substr(0, from)).lose(Side::b, body.size() - from);
    talk.client(headers(3, get("/b"), end_stream)).server(headers(3, ok, end_stream));
    EXPECT_THAT(talk.lines(), ElementsAre(EndsWith(" [gap]"), "GET /b -> 200 ")) << from;
  }
}

TEST(Http2, AHoleElsewhereEndsItsDirection) {
  Talk talk;
  talk.open().client(headers(1, get("/a"), end_stream) + headers(3, get("/b"), end_stream)).lose(Side::b, 5);
  talk.server(headers(1, ok, end_stream)).client(headers(5, get("/c"), end_stream));
  EXPECT_THAT(talk.lines(),
              ElementsAre("GET /a  [no response] [gap]", "GET /b  [no response] [gap]", "GET /c  [no response] [gap]"));
  EXPECT_EQ(talk.bytes(ByteKind::http2_unreadable), static_cast<std::int64_t>(headers(1, ok, end_stream).size()));
}

TEST(Http2, AHoleBehindABodyIsNotTakenForPartOfIt) {
  const std::string body = data(1, "0123456789", end_stream);
  Talk talk;
  talk.open().client(headers(1, get("/a"), end_stream)).server(headers(1, ok) + body.substr(0, 12)).lose(Side::b, 8);
  EXPECT_THAT(talk.lines(), ElementsAre("GET /a -> 200 012 [gap]"));
}

TEST(Http2, AnswersToLostRequestsStandAloneInAnyOrder) {
  Talk talk;
  talk.open().client(headers(1, get("/a"))).lose(Side::a, 5).client(headers(3, get("/b"), end_stream));
  talk.server(headers(7, ok, end_stream) + headers(5, ok) + data(5, "five", end_stream) + headers(1, ok, end_stream));
  EXPECT_THAT(talk.lines(),
              ElementsAre("  -> 200  [no request]", "  -> 200 five [no request]", "GET /a -> 200  [gap]"));
}

TEST(Http2, ResetStreamsAreFlagged) {
  Talk talk;
  talk.open().client(headers(1, get("/a"), end_stream) + headers(3, get("/b"), end_stream) + headers(5, get("/c")));
  talk.client(reset(1, 8))
      .server(headers(3, ok) + data(3, "part") + reset(3, 2) + reset(5, 7) + data(3, "late", end_stream));
  EXPECT_THAT(talk.lines(), ElementsAre("GET /a  [no response] [reset]", "GET /b -> 200 part [reset]",
                                        "GET /c  [no response] [reset]"));
}

TEST(Http2, AnAnswerBeforeTheEndOfItsRequestLeavesItWhole) {
  Talk talk;
  talk.open().client(headers(1, get("/a"))).server(headers(1, ok, end_stream) + reset(1, 0));
  talk.client(data(1, "all of it", end_stream));
  EXPECT_THAT(talk.lines(), ElementsAre("GET /a all of it-> 200 "));
}

TEST(Http2, ARequestThatTheServerStoppedIsFlaggedInTheEnd) {
  Talk talk;
  talk.open();
  for (std::uint32_t i = 0; i < limits::http2_stopped + 1; ++i)
    talk.client(headers(1 + 2 * i, get("/a"))).server(headers(1 + 2 * i, ok, end_stream) + reset(1 + 2 * i, 0));
  EXPECT_THAT(talk.findings.exchanges, SizeIs(1));
  EXPECT_THAT(talk.lines(), Each(::testing::StartsWith("GET /a -> 200  [")));
}

TEST(Http2, APromiseHoldsTheRequestOfAnAnswer) {
  Talk talk;
  talk.open().client(headers(1, get("/a"), end_stream));
  talk.server(frame(5, end_headers, 1, number(2, 4) + get("/pushed")) + headers(1, ok, end_stream) + headers(2, ok));
  talk.server(data(2, "unasked", end_stream));
  EXPECT_THAT(talk.lines(), ElementsAre("GET /a -> 200 ", "GET /pushed -> 200 unasked"));
  EXPECT_THAT(talk.findings.remarks, Contains(Key("answers that the server pushed")));
}

TEST(Http2, ConnectionsEndAsTheirStreamsSay) {
  const auto ended = [](End how) {
    Talk talk;
    talk.open().client(headers(1, get("/a"), end_stream) + headers(3, get("/b"), end_stream));
    talk.server(headers(1, ok) + data(1, "part")).end(how);
    return in_a_line(talk.exchange(0)) + ", " + in_a_line(talk.exchange(1));
  };
  EXPECT_EQ(ended(End::finished), "GET /a -> 200 part [truncated], GET /b  [no response]");
  EXPECT_EQ(ended(End::reset), "GET /a -> 200 part [reset], GET /b  [no response] [reset]");
  EXPECT_EQ(ended(End::unfinished), "GET /a -> 200 part [unfinished], GET /b  [no response] [unfinished]");
  EXPECT_EQ(ended(End::evicted), "GET /a -> 200 part [evicted], GET /b  [no response] [evicted]");
}

TEST(Http2, ConflictingBytesFlagWhatIsOpenAndWhatFollows) {
  Talk talk;
  talk.open().client(headers(1, get("/a"), end_stream)).server(headers(1, ok, end_stream));
  talk.client(headers(3, get("/b"), end_stream)).conflict().server(headers(3, ok, end_stream));
  talk.client(headers(5, get("/c"), end_stream)).server(headers(5, ok, end_stream));
  EXPECT_THAT(talk.lines(), Each(EndsWith("[conflicting retransmission]")));
}

TEST(Http2, MalformedMessagesAreFlaggedAndTheirConnectionGoesOn) {
  for (const std::string& block :
       {literal(":method", "GET"), literal(":path", "/"), get("/") + literal("Upper", "case"),
        get("/") + literal(":path", "/b"), literal("x", "y") + get("/"), get("/") + literal(":status", "200"),
        get("/") + literal(":unknown", "1"), get("/") + literal("x", "a\nb"), get("/") + literal("", "nameless")}) {
    Talk talk;
    talk.open().client(headers(1, block, end_stream)).server(headers(1, ok, end_stream));
    talk.client(headers(3, get("/b"), end_stream)).server(headers(3, ok, end_stream));
    EXPECT_THAT(talk.lines(), ElementsAre(EndsWith("[malformed]"), "GET /b -> 200 ")) << block;
  }
  for (const std::string& block :
       {std::string(), literal(":status", "20"), literal(":status", "abc"), get("/") + ok, literal(":status", "101")}) {
    Talk talk;
    talk.open().client(headers(1, get("/a"), end_stream)).server(headers(1, block, end_stream));
    EXPECT_THAT(talk.lines(), ElementsAre(EndsWith("[malformed]"))) << block;
  }
  Talk bodies;
  bodies.open().client(headers(1, get("/a"), end_stream)).server(data(1, "no head", end_stream));
  EXPECT_THAT(bodies.lines(), ElementsAre("GET /a  [malformed] [no response]"));
}

TEST(Http2, FramesThatBreakTheProtocolEndTheirDirection) {
  for (const std::string& bytes : {data(0, "x"),
                                   headers(0, get("/")),
                                   frame(9, 4, 1, ""),
                                   frame(4, 0, 1, ""),
                                   frame(4, 0, 0, "12345"),
                                   frame(4, 1, 0, "123456"),
                                   frame(6, 0, 0, "1234567"),
                                   frame(8, 0, 0, "123"),
                                   frame(3, 0, 1, "123"),
                                   reset(0, 1),
                                   frame(2, 0, 1, "1234"),
                                   frame(7, 0, 0, "1234567"),
                                   data(1, "", padded),
                                   data(1,
                                        "\5"
                                        "1234",
                                        padded),
                                   frame(1, padded | end_headers, 1, ""),
                                   frame(1, padded | end_headers, 1, "\2x"),
                                   frame(1, with_priority | end_headers, 1, "1234"),
                                   frame(5, end_headers, 1, number(2, 4) + get("/")),
                                   headers(1, "\xff\xff\xff\xff\xff\xff"),
                                   frame(1, 0, 1, get("/")) + data(1, "x"),
                                   frame(1, 0, 1, get("/")) + frame(9, end_headers, 3, "")}) {
    Talk talk;
    talk.open().client(bytes + headers(3, get("/b"), end_stream)).end();
    EXPECT_THAT(talk.findings.exchanges, IsEmpty()) << ::testing::PrintToString(bytes);
    EXPECT_THAT(talk.findings.remarks, Contains(Key("directions of HTTP/2 connections with malformed frames")))
        << ::testing::PrintToString(bytes);
  }
}

TEST(Http2, AConnectionBeginsWithItsPrefaceAndSettings) {
  for (const std::string& beginning :
       {std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\rX"), preface + headers(1, get("/"))}) {
    Talk talk;
    talk.client(beginning + headers(1, get("/a"), end_stream)).end();
    EXPECT_THAT(talk.findings.exchanges, IsEmpty());
    EXPECT_GT(talk.bytes(ByteKind::http2_unreadable), 0);
  }
  Talk answers;
  answers.client(preface + settings + headers(1, get("/a"), end_stream)).server(headers(1, ok, end_stream));
  EXPECT_THAT(answers.lines(), ElementsAre("GET /a  [no response] [malformed]"));
}

// -- limits ----------------------------------------------------------------------------------------------------------

// An exchange, then what breaks a limit, then another exchange: the first is read, what was open is evicted.
void expect_evicted(const std::string& client, const std::string& remark, const std::string& server = "") {
  Talk talk;
  talk.open().client(headers(1, get("/a"), end_stream)).server(headers(1, ok, end_stream));
  talk.client(headers(3, get("/open"), end_stream)).client(client).server(server).server(headers(3, ok, end_stream));
  const auto lines = talk.lines();
  ASSERT_GE(lines.size(), 2u);
  EXPECT_EQ(lines[0], "GET /a -> 200 ");
  EXPECT_EQ(lines[1], "GET /open  [no response] [evicted]");
  EXPECT_THAT(talk.findings.remarks, Contains(Key("HTTP/2 connections beyond the limit of " + remark)));
  EXPECT_GT(talk.bytes(ByteKind::http2_unreadable), 0);
}

TEST(Http2Limits, StreamsAtATime) {
  std::string client;
  const auto streams = static_cast<std::uint32_t>(limits::http2_streams);
  for (std::uint32_t i = 1; i < streams; ++i) client += headers(3 + 2 * i, get("/"), end_stream);
  Talk talk;
  talk.open().client(headers(3, get("/open"), end_stream) + client).server(headers(3, ok, end_stream)).end();
  EXPECT_EQ(in_a_line(talk.exchange(0)), "GET /open -> 200 ");
  expect_evicted(client + headers(3 + 2 * streams, get("/"), end_stream), "streams");
}

TEST(Http2Limits, Frames) {
  const std::string head = std::string("\x10\0\0", 3) + std::string("\0\0\0\0\0\5", 6);  // 1 MiB of DATA
  Talk talk;
  talk.open().client(headers(5, get("/a")) + head + std::string(limits::http2_frame_bytes, 'x') +
                     data(5, "", end_stream));
  talk.server(headers(5, ok, end_stream)).end();
  EXPECT_EQ(talk.exchange(0).request.body.size(), limits::http2_frame_bytes);
  expect_evicted(std::string("\x10\0\1", 3) + std::string("\0\0\0\0\0\5", 6), "frames");
}

TEST(Http2Limits, HeaderBlocks) {
  const std::string part = literal("x", std::string(10'000, 'x'));
  const auto block_of = [&](int parts) {
    std::string frames = frame(1, end_stream, 5, get("/long"));
    for (int i = 1; i <= parts; ++i) frames += frame(9, i == parts ? end_headers : 0, 5, part);
    return frames;
  };
  Talk talk;
  talk.open().client(block_of(10)).server(headers(5, ok, end_stream));
  EXPECT_THAT(talk.lines(), ElementsAre("GET /long -> 200 "));
  expect_evicted(block_of(11), "header blocks");
  expect_evicted(frame(1, end_headers, 5, std::string(limits::http2_block_bytes + 1, 'x')), "header blocks");
}

TEST(Http2Limits, Continuations) {
  const auto block_of = [&](int frames) {
    std::string out = frame(1, end_stream, 5, get("/cut"));
    for (int i = 1; i <= frames; ++i) out += frame(9, i == frames ? end_headers : 0, 5, "");
    return out;
  };
  Talk talk;
  talk.open().client(block_of(limits::http2_continuations)).server(headers(5, ok, end_stream));
  EXPECT_THAT(talk.lines(), ElementsAre("GET /cut -> 200 "));
  expect_evicted(block_of(limits::http2_continuations + 1), "header blocks");
}

TEST(Http2Limits, HeaderFields) {
  const auto block_of = [&](std::size_t more) {
    std::string block = get("/many");
    for (std::size_t i = 0; i < more; ++i) block += literal("x", "y");
    return headers(5, block, end_stream);
  };
  Talk talk;
  talk.open().client(block_of(limits::header_fields - 4)).server(headers(5, ok, end_stream));
  EXPECT_THAT(talk.lines(), ElementsAre("GET /many -> 200 "));
  expect_evicted(block_of(limits::header_fields - 3), "header fields");
}

TEST(Http2Limits, BytesThatFieldsStandFor) {
  const std::string long_field = literal("x", std::string(4000, 'x'), true);
  std::string references;
  for (int i = 0; i < 70; ++i) references += newest;
  expect_evicted(headers(5, get("/") + long_field + references, end_stream), "header fields");
}

TEST(Http2Limits, BytesThatAConnectionStandsFor) {
  const std::string long_field = literal("x", std::string(4000, 'x'), true);
  std::string references;
  for (int i = 0; i < 60; ++i) references += newest;
  std::string bomb = headers(5, get("/") + long_field, end_stream);
  for (std::uint32_t i = 0; i < 200; ++i) bomb += headers(7 + 2 * i, get("/") + references, end_stream);
  expect_evicted(bomb, "header fields");
}

TEST(Http2Limits, UnacknowledgedSettings) {
  std::string many;
  for (std::size_t i = 0; i < limits::http2_settings; ++i) many += settings;
  Talk talk;
  talk.open().client(many + headers(5, get("/a"), end_stream)).server(headers(5, ok, end_stream));
  EXPECT_THAT(talk.lines(), ElementsAre("GET /a -> 200 "));
  expect_evicted(many + settings, "settings");
}

TEST(Http2Limits, TablesAreAsLargeAsTheOtherSideAllowsAndNoLargerThanTheLimit) {
  const auto used = [](std::uint32_t allowed, bool acknowledged, const std::string& update) {
    Talk talk;
    talk.client(preface + settings).server(table_setting(allowed) + settings_ack);
    if (acknowledged) talk.client(settings_ack);
    talk.client(headers(1, update + get("/a"), end_stream)).server(headers(1, ok, end_stream)).end();
    return !talk.findings.exchanges.empty() && talk.exchange(0).complete();
  };
  const std::string to_8192 = "\x3f\xe1\x3f", to_65536 = "\x3f\xe1\xff\x03", to_65537 = "\x3f\xe2\xff\x03";
  EXPECT_TRUE(used(8192, true, to_8192));
  EXPECT_FALSE(used(8192, false, to_8192));
  EXPECT_FALSE(used(8191, true, to_8192));
  EXPECT_TRUE(used(1u << 30, true, to_65536));
  EXPECT_FALSE(used(1u << 30, true, to_65537));
}

TEST(Http2, TheSettingsOfAnUpgradeHoldFromItsFirstAnswer) {
  const auto answered = [](const std::string& settings_text) {
    Exchange last;
    last.request = {"GET", "/", {{"HTTP2-Settings", settings_text}}, ""};
    Talk talk(SIZE_MAX, &last);
    talk.server(settings + headers(1, "\x3f\xe1\x3f" + ok, end_stream));  // a table of 8192 bytes
    return talk.lines();
  };
  EXPECT_THAT(answered("AAEAAQAA"), ElementsAre("GET / -> 200 "));  // 64 KiB are allowed
  EXPECT_THAT(answered(""), ElementsAre("GET /  [no response] [malformed]"));
}

TEST(Http2Limits, Bodies) {
  Talk talk;
  talk.open().client(headers(1, get("/a"), end_stream)).server(headers(1, ok));
  const std::string part = data(1, std::string(1u << 20, 'x'));
  for (std::size_t i = 0; i < limits::body_bytes >> 20; ++i) talk.server(part);
  talk.server(data(1, "y", end_stream)).end();
  EXPECT_EQ(talk.exchange(0).response->body.size(), limits::body_bytes);
  EXPECT_THAT(talk.exchange(0).flags, ElementsAre(flag::long_body));
}

TEST(Http2Limits, WhatIsHeldIsReported) {
  Talk talk;
  talk.open().client(headers(1, get("/a")) + data(1, std::string(1000, 'x')));
  EXPECT_GE(talk.reader().held_bytes(), 1000u);
  talk.client(frame(1, 0, 3, std::string(500, 'x')));
  EXPECT_GE(talk.reader().held_bytes(), 1500u);
  talk.end();
}

TEST(LooksLikeHttp2, SeesFramesInARow) {
  EXPECT_EQ(looks_like_http2(settings + settings_ack + data(1, "body")), LooksLikeHttp2::yes);
  EXPECT_EQ(looks_like_http2(settings + settings_ack), LooksLikeHttp2::perhaps);
  EXPECT_EQ(looks_like_http2(settings.substr(0, 5)), LooksLikeHttp2::perhaps);
  EXPECT_EQ(looks_like_http2("GET / HTTP/1.1\r\n"), LooksLikeHttp2::no);
  EXPECT_EQ(looks_like_http2("HTTP"), LooksLikeHttp2::no);
  EXPECT_EQ(looks_like_http2(std::string(100, '\0')), LooksLikeHttp2::no);
  EXPECT_EQ(looks_like_http2(settings + settings + "something else"), LooksLikeHttp2::no);
}

}  // namespace
}  // namespace rehearse::replay
