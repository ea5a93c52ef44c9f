#include "replay/capture/import.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "replay/capture/limits.h"
#include "replay/capture/test_packets.h"
#include "replay/error.h"

namespace rehearse::replay {
namespace {

using testing::capture_of;
using ::testing::Contains;
using testing::Conversation;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::expect_conservation;
using testing::Folder;
using testing::get;
using ::testing::HasSubstr;
using testing::in_a_line;
using ::testing::IsEmpty;
using ::testing::Key;
using testing::lines_of;
using ::testing::Not;
using testing::ok;
using testing::post;
using testing::Wire;

Traffic imported(const std::vector<Wire>& wires) {
  const Folder folder;
  return import_captures({folder.write("capture.pcap", capture_of(wires))});
}

std::vector<std::string> exchanges_in(const std::vector<Wire>& wires) {
  const Traffic traffic = imported(wires);
  expect_conservation(traffic);
  return lines_of(traffic);
}

TEST(Import, BytesOfADamagedFileThatCannotBeReadAreLost) {
  Conversation talk;
  talk.open().client(get("/a")).server(ok("A")).close();
  const std::string whole = capture_of(talk.wires);
  const Folder folder;
  const auto loss_with = [&](std::size_t garbage) {
    const Traffic traffic = import_captures({folder.write("a.pcap", whole + std::string(garbage, '\xff'))});
    EXPECT_EQ(traffic.certificate.exchanges.at("complete"), 1);
    return traffic.certificate.loss();
  };
  EXPECT_EQ(loss_with(0), 0);
  EXPECT_NEAR(loss_with(whole.size()), 0.5, 0.01);
}

// RFC 9112, section 3.2: what a server answers to it says nothing about another server.
TEST(Import, ARequestWithTwoHostsIsMalformed) {
  Conversation talk;
  talk.open().client("GET /a HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n").server(ok("A"));
  talk.client(get("/b")).server(ok("B")).close();
  EXPECT_THAT(exchanges_in(talk.wires), ElementsAre("GET /a -> 200 A [malformed]", "GET /b -> 200 B"));
}

// Two clients with everything that makes cutting hard: pipelining, chunks, HEAD, 204, an interim answer, a close-delimited end.
std::vector<Wire> two_clients() {
  Conversation first(40'000);
  first.open()
      .client(get("/a"))
      .server(ok("A"))
      .client(post("/b", "body of b"))
      .server("HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nB");
  first.client(get("/c") + get("/d")).server(ok("C")).server(ok("D")).client("HEAD /e HTTP/1.1\r\n\r\n");
  first.server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
      .client("DELETE /f HTTP/1.1\r\n\r\n")
      .server("HTTP/1.1 204 No Content\r\n\r\n");
  first.client(get("/g"))
      .server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nch\r\n4\r\nunks\r\n0\r\nX-Sum: 1\r\n\r\n")
      .close();
  Conversation second(40'001, 4'294'967'200u, 4'294'967'290u);
  second.now_ns += 500'000;
  second.open()
      .client("POST /x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
      .server("HTTP/1.1 100 Continue\r\n\r\n");
  second.client("xyz")
      .server(ok("X"))
      .client(get("/until-close"))
      .server("HTTP/1.0 200 OK\r\n\r\nuntil the ")
      .server("end")
      .close();
  auto wires = first.wires;
  wires.insert(wires.end(), second.wires.begin(), second.wires.end());
  std::stable_sort(wires.begin(), wires.end(), [](const Wire& a, const Wire& b) { return a.time_ns < b.time_ns; });
  return wires;
}

std::vector<std::string> two_clients_lines() { return exchanges_in(two_clients()); }

// The exchanges without what depends on when and in which order packets were captured.
std::map<std::pair<std::string, std::int64_t>, std::string> timeless(const Traffic& traffic) {
  std::map<std::pair<std::string, std::int64_t>, std::string> exchanges;
  for (Exchange exchange : traffic.exchanges) {
    std::erase(exchange.flags, flag::time_backwards);
    exchanges[{exchange.client, exchange.index}] = in_a_line(exchange);
  }
  return exchanges;
}

TEST(Import, CutsExchangesOfEveryFraming) {
  auto lines = two_clients_lines();
  std::sort(lines.begin(), lines.end());
  EXPECT_THAT(lines, ElementsAre("DELETE /f -> 204 ", "GET /a -> 200 A", "GET /c -> 200 C", "GET /d -> 200 D",
                                 "GET /g -> 200 chunks", "GET /until-close -> 200 until the end", "HEAD /e -> 200 ",
                                 "POST /b body of b -> 201 B", "POST /x xyz -> 200 X"));
}

TEST(Import, NumbersExchangesByTheTimeOfTheirRequest) {
  const Traffic traffic = imported(two_clients());
  EXPECT_EQ(traffic.certificate.connections, 2);
  EXPECT_EQ(traffic.certificate.exchanges.at("complete"), 9);
  EXPECT_EQ(traffic.certificate.remarks.at("interim answers"), 1);
  std::int64_t id = 0;
  std::int64_t time = 0;
  for (const Exchange& exchange : traffic.exchanges) {
    EXPECT_EQ(exchange.id, ++id);
    EXPECT_LE(time, exchange.request_ns);
    EXPECT_LE(exchange.request_ns, exchange.request_end_ns);
    EXPECT_LE(exchange.request_ns, exchange.response_ns);
    EXPECT_LE(exchange.response_ns, exchange.response_end_ns);
    time = exchange.request_ns;
  }
}

TEST(Import, AMessageIsWholeWhenTheLastOfItsSegmentsCame) {
  Conversation c;
  c.open()
      .client("GET /a HTT")
      .client("P/1.1\r\n\r\n")
      .server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
      .server("b");
  const Traffic traffic = imported(c.wires);
  ASSERT_EQ(traffic.exchanges.size(), 1u);
  EXPECT_EQ(traffic.exchanges[0].request_ns, c.wires[3].time_ns);
  EXPECT_EQ(traffic.exchanges[0].request_end_ns, c.wires[4].time_ns);
  EXPECT_EQ(traffic.exchanges[0].response_ns, c.wires[5].time_ns);
  EXPECT_EQ(traffic.exchanges[0].response_end_ns, c.wires[6].time_ns);
  EXPECT_EQ(traffic.exchanges[0].client, "10.0.0.1:40000");
  EXPECT_EQ(traffic.exchanges[0].server, "10.0.0.2:80");
}

// -- order, duplicates, retransmissions --------------------------------------------------------------------------------

// Cuts the payloads anew at random, sends some of them again and mixes up what lies within the reorder window.
constexpr std::size_t window = limits::reorder_packets / 2;

std::vector<Wire> disturbed(const std::vector<Wire>& wires) {
  std::vector<Wire> pieces;
  for (const Wire& wire : wires) {
    std::size_t at = 0;
    do {
      Wire piece = wire;
      const auto left = wire.payload.size() - at;
      const auto size = left == 0 ? 0 : *rc::gen::inRange<std::size_t>(1, left + 1);
      piece.payload = wire.payload.substr(at, size);
      piece.sequence += static_cast<std::uint32_t>(at);
      at += size;
      if (at < wire.payload.size()) piece.fin = false;
      pieces.push_back(piece);
      if (*rc::gen::inRange(0, 4) == 0) {  // again, and a little of what came before with it
        const auto back = *rc::gen::inRange<std::size_t>(0, at - size + 1);
        piece.sequence -= static_cast<std::uint32_t>(back);
        piece.payload = wire.payload.substr(at - size - back, size + back);
        pieces.push_back(piece);
      }
    } while (at < wire.payload.size());
  }
  std::vector<std::pair<std::size_t, Wire>> placed;
  for (std::size_t i = 0; i < pieces.size(); ++i)
    placed.emplace_back(i + *rc::gen::inRange<std::size_t>(0, window), pieces[i]);
  std::stable_sort(placed.begin(), placed.end(), [](const auto& x, const auto& y) { return x.first < y.first; });
  for (std::size_t i = 0; i < pieces.size(); ++i) pieces[i] = placed[i].second;
  for (std::size_t i = 0; i < pieces.size(); ++i)
    pieces[i].time_ns = 1'700'000'000'000'000'000 + static_cast<std::int64_t>(i) * 1000;
  return pieces;
}

RC_GTEST_PROP(Import, AnySegmentationOrderAndDuplicationGivesTheSameExchanges, ()) {
  const auto expected = timeless(imported(two_clients()));
  const Traffic traffic = imported(disturbed(two_clients()));
  for (const Exchange& exchange : traffic.exchanges)
    RC_LOG() << exchange.connection << "." << exchange.index << " " << in_a_line(exchange) << "\n";
  for (const auto& [name, count] : traffic.certificate.bytes) RC_LOG() << count << " " << name << "\n";
  RC_ASSERT(timeless(traffic) == expected);
}

TEST(Import, ASegmentMayBeCutAnywhere) {
  const auto wires = two_clients();
  const auto expected = timeless(imported(wires));
  const Folder folder;
  for (std::size_t which = 0; which < wires.size(); ++which) {
    for (std::size_t at = 1; at < wires[which].payload.size(); ++at) {
      auto cut = wires;
      Wire rest = wires[which];
      cut[which].payload.resize(at);
      cut[which].fin = false;
      rest.payload.erase(0, at);
      rest.sequence += static_cast<std::uint32_t>(at);
      cut.insert(cut.begin() + static_cast<std::ptrdiff_t>(which) + 1, rest);
      const Traffic traffic = import_captures({folder.write("capture", capture_of(cut))});
      expect_conservation(traffic);
      ASSERT_EQ(timeless(traffic), expected) << "segment " << which << " cut at " << at;
    }
  }
}

TEST(Import, AHandshakeThatWasCapturedLateDividesNothing) {
  const auto wires = Conversation().open().client(get("/a")).server(ok("A")).close().wires;
  for (std::size_t from : {0u, 1u}) {
    for (std::size_t to = from + 1; to < wires.size(); ++to) {
      auto moved = wires;
      std::rotate(moved.begin() + static_cast<std::ptrdiff_t>(from),
                  moved.begin() + static_cast<std::ptrdiff_t>(from) + 1,
                  moved.begin() + static_cast<std::ptrdiff_t>(to) + 1);
      EXPECT_THAT(exchanges_in(moved), ElementsAre("GET /a -> 200 A")) << from << " captured behind " << to;
    }
  }
}

TEST(Import, ARetransmittedHandshakeChangesNothing) {
  auto wires = Conversation().open().client(get("/a")).server(ok("A")).wires;
  wires.insert(wires.begin() + 1, wires[0]);
  wires.insert(wires.begin() + 3, wires[2]);
  EXPECT_THAT(exchanges_in(wires), ElementsAre("GET /a -> 200 A"));
}

TEST(Import, ARetransmissionWithOtherBytesIsFlagged) {
  auto wires = Conversation().open().client(get("/a")).server(ok("honest")).wires;
  Wire other = wires.back();
  other.payload.replace(other.payload.size() - 6, 6, "forged");
  wires.push_back(other);
  EXPECT_THAT(exchanges_in(wires), ElementsAre("GET /a -> 200 honest [conflicting retransmission]"));
}

TEST(Import, AKeepAliveProbeIsNoRetransmission) {
  // RFC 9293, section 3.8.4: a probe may carry one garbage byte in front of the next sequence number.
  auto wires = Conversation().open().client(get("/a")).server(ok("A")).wires;
  Wire probe = wires.back();
  probe.sequence += static_cast<std::uint32_t>(probe.payload.size()) - 1;
  probe.payload = std::string(1, '\0');
  wires.push_back(probe);
  EXPECT_THAT(exchanges_in(wires), ElementsAre("GET /a -> 200 A"));
}

TEST(Import, SequenceNumbersMayWrapAround) {
  const std::string body(100'000, 'b');
  auto wires =
      Conversation(40'000, 4'294'967'000u, 4'294'960'000u).open().client(post("/a", body)).server(ok("A")).wires;
  std::vector<Wire> cut;
  for (const Wire& wire : wires) {
    for (std::size_t at = 0; at == 0 || at < wire.payload.size(); at += 1400) {
      Wire piece = wire;
      piece.sequence += static_cast<std::uint32_t>(at);
      piece.payload = wire.payload.substr(at, 1400);
      cut.push_back(piece);
    }
  }
  EXPECT_THAT(exchanges_in(cut), ElementsAre("POST /a " + body + " -> 200 A"));
}

// -- connections -------------------------------------------------------------------------------------------------------

TEST(Import, AReusedPortIsANewConnection) {
  Conversation first(40'000, 1000, 5000);
  first.open().client(get("/a")).server(ok("A")).close();
  Conversation second(40'000, 901'000, 905'000);
  second.now_ns = first.now_ns;
  second.open().client(get("/b")).server(ok("B")).close();
  auto wires = first.wires;
  wires.insert(wires.end(), second.wires.begin(), second.wires.end());
  EXPECT_THAT(exchanges_in(wires), ElementsAre("GET /a -> 200 A", "GET /b -> 200 B"));
  EXPECT_EQ(imported(wires).certificate.connections, 2);
  wires.erase(wires.begin() +
              static_cast<std::ptrdiff_t>(first.wires.size()));  // the second SYN, so that its SYN-ACK has to tell
  EXPECT_THAT(exchanges_in(wires), ElementsAre("GET /a -> 200 A", "GET /b -> 200 B"));
}

TEST(Import, PairsOfACaptureThatBeganBetweenTwoRequestsAreConfirmedByACleanClose) {
  Conversation c;
  c.client(get("/a")).server(ok("A")).client(get("/b")).server(ok("B"));
  EXPECT_THAT(exchanges_in(c.wires),
              ElementsAre("GET /a -> 200 A [pairing suspect]", "GET /b -> 200 B [pairing suspect]"));
  c.close();
  EXPECT_THAT(exchanges_in(c.wires), ElementsAre("GET /a -> 200 A", "GET /b -> 200 B"));
}

TEST(Import, PairsOfACaptureThatBeganBetweenTwoRequestsAreConfirmedByARest) {
  Conversation c;
  c.client(get("/a")).server(ok("A"));
  c.now_ns += limits::rest_ns;
  c.client(get("/b")).server(ok("B"));
  EXPECT_THAT(exchanges_in(c.wires), ElementsAre("GET /a -> 200 A", "GET /b -> 200 B"));
}

TEST(Import, PairsOfACaptureThatBeganBetweenTwoRequestsAreConfirmedByTakingTurns) {
  Conversation c;
  for (std::size_t i = 0; i < limits::alternations; ++i) c.client(get("/a")).server(ok("A"));
  EXPECT_THAT(exchanges_in(c.wires), Each("GET /a -> 200 A [pairing suspect]"));
  c.client(get("/a")).server(ok("A"));
  EXPECT_THAT(exchanges_in(c.wires), Each("GET /a -> 200 A"));
}

TEST(Import, AnAnswerLeftOverShowsThatPairsWereShifted) {
  Conversation c;
  c.open()
      .client(get("/a"))
      .client(get("/b"))
      .server(ok("A"))
      .client(get("/c"))
      .server(ok("B"))
      .server(ok("C"))
      .close();
  auto wires = c.wires;
  wires.erase(wires.begin(), wires.begin() + 4);  // the handshake and /a
  EXPECT_THAT(exchanges_in(wires), ElementsAre("GET /b -> 200 A [pairing suspect]", "GET /c -> 200 B [pairing suspect]",
                                               "  -> 200 C [no request]"));
}

TEST(Import, ACaptureThatBeganWithAWordOfTheServerKnowsWhoIsTheClient) {
  auto lines = exchanges_in(Conversation().server("").client(get("/a")).server(ok("A")).close().wires);
  EXPECT_THAT(lines, ElementsAre("GET /a -> 200 A"));
  EXPECT_THAT(exchanges_in(Conversation().server("").client(get("/a")).wires),
              ElementsAre("GET /a [no response] [unfinished]"));
}

TEST(Import, AnAnswerToARequestBeforeTheCaptureBelongsToNobody) {
  const Traffic traffic =
      imported(Conversation().server(ok("of an earlier request")).client(get("/a")).server(ok("A")).wires);
  expect_conservation(traffic);
  EXPECT_THAT(lines_of(traffic),
              ElementsAre("  -> 200 of an earlier request [no request]", "GET /a -> 200 A [pairing suspect]"));
}

TEST(Import, ACaptureThatBeganWithinAnAnswerSkipsItsRest) {
  Conversation c;
  c.server("the rest of a body").client(get("/a")).server(ok("A")).client(get("/b")).server(ok("B")).close();
  const Traffic traffic = imported(c.wires);
  expect_conservation(traffic);
  EXPECT_THAT(lines_of(traffic), ElementsAre("GET /a -> 200 A", "GET /b -> 200 B"));
  EXPECT_EQ(traffic.certificate.bytes.at("joined in the middle of a message"), 18);
}

TEST(Import, ANewConnectionOnThePortsOfOneThatTheCaptureJoinedIsANewOne) {
  Conversation old(40'000, 1000, 5000);
  old.client(get("/a")).server(ok("A"));
  Conversation fresh(40'000, 901'000, 905'000);
  fresh.now_ns = old.now_ns;
  fresh.open().client(get("/b")).server(ok("B"));
  auto wires = old.wires;
  wires.insert(wires.end(), fresh.wires.begin(), fresh.wires.end());
  EXPECT_THAT(exchanges_in(wires), ElementsAre("GET /a -> 200 A [pairing suspect]", "GET /b -> 200 B"));
}

// -- what is missing ---------------------------------------------------------------------------------------------------

TEST(Import, WithAnyOnePacketMissingEveryExchangeIsTheSameOrFlaggedOrItsBytesAreAccountedFor) {
  const auto wires = two_clients();
  std::map<std::string, std::string> expected;
  for (const Exchange& exchange : imported(wires).exchanges) expected[exchange.request.target] = in_a_line(exchange);
  for (std::size_t missing = 0; missing < wires.size(); ++missing) {
    auto rest = wires;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(missing));
    const Traffic traffic = imported(rest);
    expect_conservation(traffic);
    std::size_t whole = 0;
    for (Exchange exchange : traffic.exchanges) {
      if (!exchange.complete()) continue;
      ++whole;
      std::erase(exchange.flags, flag::resynchronised);
      EXPECT_EQ(in_a_line(exchange), expected[exchange.request.target]) << "packet " << missing << " is missing";
    }
    if (whole == expected.size()) continue;
    const bool flagged = std::any_of(traffic.exchanges.begin(), traffic.exchanges.end(),
                                     [](const Exchange& e) { return !e.complete(); });
    EXPECT_TRUE(flagged || traffic.certificate.bytes.at("missing (gaps)") > 0) << "packet " << missing << " is missing";
    EXPECT_THAT(traffic.certificate.bytes, Not(Contains(Key("not http")))) << "packet " << missing << " is missing";
  }
}

TEST(Import, ALostAnswerCostsItsExchangeOnly) {
  Conversation c;
  c.open().client(get("/a")).server(ok("A")).client(get("/b")).server(ok("B")).client(get("/c")).server(ok("C"));
  c.client(get("/d")).server(ok("D")).close();
  auto wires = c.wires;
  wires.erase(wires.begin() + 6);  // the answer to /b
  const Traffic traffic = imported(wires);
  expect_conservation(traffic);
  EXPECT_THAT(lines_of(traffic), ElementsAre("GET /a -> 200 A", "GET /b [gap] [no response]",
                                             "GET /c -> 200 C [resynchronised]", "GET /d -> 200 D"));
  EXPECT_EQ(traffic.certificate.bytes.at("missing (gaps)"), static_cast<std::int64_t>(ok("B").size()));
}

TEST(Import, ALostRequestLeavesAnAnswerThatNobodyGets) {
  Conversation c;
  c.open().client(get("/a")).server(ok("A")).client(get("/b")).server(ok("B")).client(get("/c")).server(ok("C"));
  c.client(get("/d")).server(ok("D")).close();
  auto wires = c.wires;
  wires.erase(wires.begin() + 5);  // the request /b
  EXPECT_THAT(exchanges_in(wires), ElementsAre("GET /a -> 200 A", "  -> 200 B [no request]",
                                               "GET /c -> 200 C [resynchronised]", "GET /d -> 200 D"));
}

TEST(Import, ALostPieceOfABodyOfKnownLengthCostsNothingElse) {
  Conversation c;
  c.open().client(get("/a") + get("/b") + get("/c")).server(ok("A"));
  c.server("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234").server("56").server("789" + ok("C"));
  auto wires = c.wires;
  wires.erase(wires.end() - 2);
  EXPECT_THAT(exchanges_in(wires), ElementsAre("GET /a -> 200 A", "GET /b -> 200 01234789 [gap]", "GET /c -> 200 C"));
}

TEST(Import, ALostFirstRequestIsAGapAndNotAnotherProtocol) {
  auto wires = Conversation().open().client(get("/a")).server(ok("A")).client(get("/b")).server(ok("B")).wires;
  wires.erase(wires.begin() + 3);
  const Traffic traffic = imported(wires);
  expect_conservation(traffic);
  EXPECT_THAT(lines_of(traffic), ElementsAre("  -> 200 A [no request]", "GET /b -> 200 B [pairing suspect]"));
  EXPECT_THAT(traffic.certificate.bytes, Not(Contains(Key("not http"))));
}

TEST(Import, AnAnswerThatTheSnapLengthCutIsNotTakenForWhole) {
  Conversation c;
  c.open().client(get("/a")).server("HTTP/1.0 200 OK\r\n\r\nuntil the end");
  c.wires.back().fin = true;
  c.wires.back().snap_length = 14 + 20 + 32 + 25;
  const Traffic traffic = imported(c.wires);
  expect_conservation(traffic);
  EXPECT_THAT(lines_of(traffic), ElementsAre("GET /a -> 200 until  [gap] [snap length]"));
  EXPECT_EQ(traffic.certificate.remarks.at("packets cut by the snap length"), 1);
}

TEST(Import, ABodyUntilTheCloseNeedsTheCloseAndEverythingBeforeIt) {
  Conversation c;
  c.open().client(get("/a")).server("HTTP/1.0 200 OK\r\n\r\nuntil ").server("the end");
  EXPECT_THAT(exchanges_in(c.wires), ElementsAre("GET /a -> 200 until the end [unfinished]"));
  c.server_fin();
  EXPECT_THAT(exchanges_in(c.wires), ElementsAre("GET /a -> 200 until the end"));
  c.wires.erase(c.wires.end() - 2);
  EXPECT_THAT(exchanges_in(c.wires), ElementsAre("GET /a -> 200 until  [gap]"));
}

TEST(Import, AnAnswerThatNeverCameIsSaid) {
  EXPECT_THAT(exchanges_in(Conversation().open().client(get("/a") + get("/b")).server(ok("A")).close().wires),
              ElementsAre("GET /a -> 200 A", "GET /b [no response]"));
}

TEST(Import, FlagsSayWhatWasWrongWithTheAnswer) {
  const std::string two = get("/a") + get("/b");
  EXPECT_THAT(
      exchanges_in(Conversation().open().client(two).server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nA").wires),
      ElementsAre("GET /a -> 200 A [unfinished]", "GET /b [no response] [unfinished]"));
  EXPECT_THAT(exchanges_in(Conversation().open().client(two).server(ok("A")).server("no answer at all\r\n\r\n").wires),
              ElementsAre("GET /a -> 200 A", "GET /b -> 0 no answer at all\r\n\r\n [malformed]"));
  EXPECT_THAT(exchanges_in(Conversation()
                               .open()
                               .client(two)
                               .server("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nAB")
                               .wires),
              ElementsAre("GET /a -> 200 AB [ambiguous framing]", "GET /b [no response] [unfinished]"));
}

TEST(Import, AmbiguousRequestsAreKeptRawAndNeverGuessed) {
  Conversation c;
  c.open().client(get("/a")).server(ok("A"));
  c.client("POST /b HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").server(ok("B"));
  c.client(get("/c")).server(ok("C")).client(get("/d")).server(ok("D")).close();
  EXPECT_THAT(exchanges_in(c.wires),
              ElementsAre("GET /a -> 200 A", "POST /b 0\r\n\r\n -> 200 B [ambiguous framing] [pairing suspect]",
                          "GET /c -> 200 C [resynchronised]", "GET /d -> 200 D"));
}

TEST(Import, EveryPrefixOfACaptureConservesItsBytes) {
  const auto wires = two_clients();
  for (std::size_t size = 1; size <= wires.size(); ++size) {
    expect_conservation(imported({wires.begin(), wires.begin() + static_cast<std::ptrdiff_t>(size)}));
  }
}

TEST(Import, ACaptureWithoutHttpHasNoExchanges) {
  const Traffic traffic =
      imported(Conversation().open().client("\x16\x03\x01 a TLS hello").server("\x16\x03\x03 another").wires);
  expect_conservation(traffic);
  EXPECT_THAT(traffic.exchanges, IsEmpty());
  EXPECT_GT(traffic.certificate.bytes.at("encrypted"), 0);
}

TEST(Import, ATruncatedFileKeepsItsExchangesAndSaysSo) {
  const Folder folder;
  const std::string whole = capture_of(Conversation().open().client(get("/a")).server(ok("A")).close().wires);
  const Traffic traffic = import_captures({folder.write("capture.pcap", whole.substr(0, whole.size() - 3))});
  EXPECT_THAT(lines_of(traffic), ElementsAre("GET /a -> 200 A"));
  ASSERT_EQ(traffic.certificate.notes.size(), 1u);
  EXPECT_THAT(traffic.certificate.notes[0], HasSubstr("truncated; what came before it was kept"));
}

TEST(Import, AConversationMaySpanSeveralFiles) {
  const Folder folder;
  const auto wires = two_clients();
  const auto middle = wires.begin() + static_cast<std::ptrdiff_t>(wires.size() / 2);
  const Traffic traffic = import_captures(
      {folder.write("1.pcap", capture_of({wires.begin(), middle})),
       folder.write("2.pcapng", capture_of({middle, wires.end()}, {true, true, true, testing::Link::raw}))});
  EXPECT_EQ(timeless(traffic), timeless(imported(wires)));
}

// -- the sample --------------------------------------------------------------------------------------------------------

TEST(SampleCapture, HoldsItsExchangesAndConservesItsBytes) {
  const std::string path = REHEARSE_SOURCE_DIR "/fixtures/captures/orders-small.pcap";
  const Traffic once = import_captures({path});
  expect_conservation(once);
  EXPECT_EQ(once.exchanges.size(), 309u);
  EXPECT_EQ(once.certificate.exchanges.at("complete"), 309);
  EXPECT_EQ(once.certificate.connections, 44) << "of 45, one was opened and never used";
  const Traffic twice = import_captures({path});
  EXPECT_EQ(lines_of(once), lines_of(twice));
  EXPECT_EQ(once.certificate.bytes, twice.certificate.bytes);
}

}  // namespace
}  // namespace rehearse::replay
