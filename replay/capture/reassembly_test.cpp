#include "replay/capture/reassembly.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <numeric>

namespace rehearse::replay {
namespace {

using Fit = TcpConnection::Fit;

// What each side said, with gaps as "<n>" and the end as ".".
class Recorder final : public StreamReader {
 public:
  void take(const Piece& piece) override {
    text[index_of(piece.from)] += piece.bytes;
    handed += static_cast<std::int64_t>(piece.bytes.size());
    ++calls;
  }
  void gap(Side from, std::int64_t, std::int64_t length, std::int64_t) override {
    text[index_of(from)] += fmt::format("<{}>", length);
    lost += length;
    ++calls;
  }
  void conflict(Side, std::int64_t, std::int64_t) override { ++conflicts; }
  void end(Side from, End how, std::int64_t) override { text[index_of(from)] += how == End::finished ? "." : "!"; }

  std::array<std::string, 2> text;
  std::int64_t handed = 0, lost = 0, calls = 0, conflicts = 0;
};

constexpr std::uint32_t start = 1000;  // of a; of b it is 5000
constexpr std::uint32_t peer_start = 5000;

struct Options {
  bool syn = false, fin = false, rst = false, ack = true;
  std::uint32_t acknowledgement = 0;
};

// A connection whose side a is watched.
class Connection {
 public:
  Connection& open() {
    say(Side::a, start - 1, "", {.syn = true, .ack = false});
    say(Side::b, peer_start - 1, "", {.syn = true, .acknowledgement = start});
    return *this;
  }
  Fit say(Side from, std::uint32_t sequence, std::string_view bytes, const Options& options = {}) {
    Segment segment;
    segment.time_ns = now;
    segment.sequence = sequence;
    segment.syn = options.syn;
    segment.fin = options.fin;
    segment.rst = options.rst;
    segment.ack = options.ack;
    segment.acknowledgement = options.acknowledgement != 0 ? options.acknowledgement
                              : from == Side::a            ? peer_start
                                                           : start;
    segment.payload = {reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()};
    const Fit fit = tcp.take(segment, from);
    if (fit == Fit::mine) captured += static_cast<std::int64_t>(bytes.size());
    return fit;
  }
  // Side a at an offset of its stream.
  Fit at(std::int64_t offset, std::string_view bytes, const Options& options = {}) {
    return say(Side::a, start + static_cast<std::uint32_t>(offset), bytes, options);
  }
  Connection& acknowledge(std::int64_t offset) {
    say(Side::b, peer_start, "", {.acknowledgement = start + static_cast<std::uint32_t>(offset)});
    return *this;
  }
  [[nodiscard]] const std::string& text() const { return seen.text[0]; }
  [[nodiscard]] std::int64_t count(ByteKind kind) const { return by_kind[static_cast<std::size_t>(kind)]; }
  Connection& finish() {
    tcp.finish(End::unfinished);
    EXPECT_EQ(std::accumulate(by_kind.begin(), by_kind.end(), seen.handed), captured);
    EXPECT_EQ(counts.gap_bytes, seen.lost);
    EXPECT_EQ(tcp.held_bytes(), 0u);
    EXPECT_EQ(tcp.oldest_held_ns(), std::numeric_limits<std::int64_t>::max());
    return *this;
  }

  Recorder seen;
  ByteCounts by_kind{};
  TcpCounts counts;
  TcpConnection tcp{seen, by_kind, counts};
  std::int64_t captured = 0;
  std::int64_t now = 1'700'000'000'000'000'000;
};

TEST(Reassembly, BytesBehindAFinAreCountedAlsoWhenTheyCameBeforeIt) {
  Connection c;
  c.open().at(10, "behind");
  c.at(5, "", {.fin = true});
  c.at(0, "hello");
  c.finish();
  EXPECT_EQ(c.text(), "hello.");
  EXPECT_EQ(c.count(ByteKind::outside), 6);
}

TEST(Reassembly, AFinThatThePeerContradictsWasNotReal) {
  Connection c;
  c.open().at(5, "", {.fin = true});
  c.at(5, "world");
  c.acknowledge(10).at(0, "hello");
  c.at(5, "world");
  c.finish();
  EXPECT_EQ(c.text(), "helloworld!");
}

TEST(Reassembly, TheTextOfAResetIsCountedOnceWhereverItLies) {
  for (const std::int64_t offset : {std::int64_t{0}, 2 * limits::window_bytes}) {
    Connection c;
    c.open().at(offset, "a text for people", {.rst = true});
    c.finish();
    EXPECT_EQ(c.count(ByteKind::outside), 17) << offset;
  }
}

TEST(Reassembly, BytesBeforeTheFirstOneThatWasCapturedAreHeldToo) {
  Connection c;
  c.at(0, "world");
  c.at(-5, "hello");
  c.finish();
  EXPECT_EQ(c.text(), "helloworld!");
}

TEST(Reassembly, TheSegmentThatEndsTheWaitMayBeTheEarliest) {
  Connection c;
  c.at(0, "world");
  c.now += limits::reorder_ns;
  c.at(-5, "hello");
  c.finish();
  EXPECT_EQ(c.text(), "helloworld!");
}

// -- limits ------------------------------------------------------------------------------------------------------------

TEST(TcpLimits, BytesThatWaitForAHole) {
  Connection c;
  c.open();
  const std::string segment(60'000, 'x');
  const auto fitting = static_cast<std::int64_t>(limits::held_bytes / segment.size());
  for (std::int64_t i = 0; i < fitting; ++i) c.at(10 + i * 60'000, segment);
  EXPECT_EQ(c.counts.gaps, 0);
  EXPECT_EQ(c.tcp.held_bytes(), segment.size() * static_cast<std::size_t>(fitting));
  c.at(10 + fitting * 60'000, segment);
  EXPECT_EQ(c.counts.gaps, 1);
  EXPECT_LE(c.tcp.held_bytes(), limits::held_bytes);
  c.finish();
}

TEST(TcpLimits, SegmentsThatWaitForAHole) {
  Connection c;
  c.open();
  for (std::size_t i = 0; i < limits::held_segments; ++i) c.at(1 + 2 * static_cast<std::int64_t>(i), "x");
  EXPECT_EQ(c.counts.gaps, 0);
  c.at(1 + 2 * static_cast<std::int64_t>(limits::held_segments), "x");
  EXPECT_EQ(c.counts.gaps, 1);
  c.finish();
}

TEST(TcpLimits, PacketsUntilAnAcknowledgedHoleIsLost) {
  Connection c;
  c.open().at(5, "world");
  for (int i = 0; i < 300; ++i) c.acknowledge(0);
  EXPECT_EQ(c.counts.gaps, 0) << "nobody says that it was received";
  c.acknowledge(10);
  for (std::int64_t i = 1; i < limits::reorder_packets; ++i) c.acknowledge(10);
  EXPECT_EQ(c.counts.gaps, 0);
  c.acknowledge(10);
  EXPECT_EQ(c.text(), "<5>world");
  c.at(0, "hello");
  c.finish();
  EXPECT_EQ(c.count(ByteKind::duplicate), 5) << "too late";
}

TEST(TcpLimits, TimeUntilAnAcknowledgedHoleIsLost) {
  Connection c;
  c.open().at(5, "world");
  c.acknowledge(10);
  c.now += limits::reorder_ns - 1;
  c.acknowledge(10);
  EXPECT_EQ(c.counts.gaps, 0);
  c.now += 1;
  c.acknowledge(10);
  EXPECT_EQ(c.text(), "<5>world");
  c.finish();
}

TEST(TcpLimits, BytesAheadOfTheStream) {
  Connection c;
  c.open().at(limits::window_bytes, "x");
  EXPECT_EQ(c.counts.stray_segments, 0);
  Connection d;
  d.open().at(limits::window_bytes + 1, "x");
  EXPECT_EQ(d.counts.stray_segments, 1);
  EXPECT_EQ(d.count(ByteKind::outside), 1);
  c.finish();
  d.finish();
}

TEST(TcpLimits, StraysUntilTheyAreAnotherConnection) {
  Connection c;
  c.open();
  const auto stray = [&] { return c.at(2 * limits::window_bytes, "x"); };
  for (int i = 1; i < limits::strays; ++i) EXPECT_EQ(stray(), Fit::mine);
  c.at(0, "hello");  // not in a row
  for (int i = 1; i < limits::strays; ++i) EXPECT_EQ(stray(), Fit::mine);
  EXPECT_EQ(stray(), Fit::another);
  c.finish();
}

TEST(TcpLimits, BytesBeforeTheFirstSegment) {
  Connection c;
  c.at(0, "world");
  c.at(-limits::early_bytes - 2, "12345");
  c.finish();
  EXPECT_EQ(c.count(ByteKind::before_start), 2);
  EXPECT_EQ(c.text(), fmt::format("345<{}>world!", limits::early_bytes - 3));
}

TEST(TcpLimits, HandshakesThatWaitForAnAcknowledgement) {
  const auto text_with_chosen = [](std::size_t chosen) {
    Connection c;
    const auto first = [](std::size_t i) { return start + static_cast<std::uint32_t>(i << 28); };
    for (std::size_t i = 0; i <= limits::handshakes + 1; ++i)
      c.say(Side::a, first(i) - 1, "", {.syn = true, .ack = false});
    c.say(Side::b, peer_start - 1, "", {.syn = true, .acknowledgement = first(chosen)});
    c.say(Side::a, first(chosen), "hello");
    c.finish();
    return c.text();
  };
  for (std::size_t i = 0; i <= limits::handshakes; ++i) EXPECT_EQ(text_with_chosen(i), "hello!") << i;
  EXPECT_EQ(text_with_chosen(limits::handshakes + 1), "!");
}

TEST(TcpLimits, SegmentsThatARetransmissionIsComparedWith) {
  Connection c;
  c.open();
  for (std::size_t i = 0; i <= limits::compared_segments; ++i) c.at(static_cast<std::int64_t>(i), "x");
  c.at(1, "y");
  EXPECT_EQ(c.counts.conflicts, 1);
  EXPECT_EQ(c.seen.conflicts, 1);
  EXPECT_EQ(c.counts.uncompared_bytes, 0);
  c.at(0, "y");
  EXPECT_EQ(c.counts.conflicts, 1);
  EXPECT_EQ(c.counts.uncompared_bytes, 1);
  c.finish();
  EXPECT_EQ(c.count(ByteKind::duplicate), 2);
}

// -- hostile streams: what is held and how often the reader is called, for work that nobody should do twice ----------------

constexpr std::int64_t many = 100'000;

TEST(HostileStreams, HoldNoMoreThanTheLimitWhenEverythingIsOutOfOrder) {
  Connection c;
  c.open();
  std::size_t most = 0;
  for (std::int64_t i = many; i > 0; --i) {
    c.at(2 * i, "x");
    most = std::max(most, c.tcp.held_bytes());
  }
  EXPECT_LE(most, limits::held_segments + 1);
  c.finish();
  EXPECT_LE(c.seen.calls, 2 * many);
}

TEST(HostileStreams, HandEachByteOverOnceWhenEverythingOverlaps) {
  Connection c;
  c.open();
  const std::string segment(1000, 'x');
  for (std::int64_t i = many; i > 0; --i) c.at(1 + i % 2000, segment);
  c.at(0, "x");
  c.finish();
  EXPECT_EQ(c.seen.handed, 3000);
  EXPECT_EQ(c.count(ByteKind::duplicate), c.captured - 3000);
  EXPECT_LE(c.seen.calls, 3000);
}

TEST(HostileStreams, AFloodOfHandshakesBringsNothing) {
  Connection c;
  for (std::int64_t i = 0; i < many; ++i)
    c.say(i % 2 == 0 ? Side::a : Side::b, static_cast<std::uint32_t>(i * 77'777), "", {.syn = true, .ack = i % 2 != 0});
  c.finish();
  EXPECT_EQ(c.seen.handed, 0);
  EXPECT_LE(c.seen.calls, 2) << "what was acknowledged is missing";
}

}  // namespace
}  // namespace rehearse::replay
