#include "replay/capture/fragments.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <set>
#include <string>

namespace rehearse::replay {
namespace {

using Outcome = Fragments::Outcome;

struct Piece {
  std::uint32_t offset = 0;
  std::string bytes;
  bool more = true;
  friend auto operator<=>(const Piece&, const Piece&) = default;
};

constexpr std::int64_t second = 1'000'000'000;

DatagramKey key_of(std::uint32_t id, bool six = false) {
  DatagramKey key;
  key.id = id;
  key.six = six;
  return key;
}

Fragments::Answer give(Fragments& table, const DatagramKey& key, const Piece& piece, std::int64_t time_ns = 0) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(piece.bytes.data());
  return table.take(key, {time_ns, piece.offset, piece.more, 6, {bytes, piece.bytes.size()}});
}

std::string text_of(const Fragments::Answer& answer) { return {answer.bytes.begin(), answer.bytes.end()}; }

// --- against a model that is slow and obviously right ---------------------------------------------------------------

// One datagram: a byte for each place, or none.
struct Model {
  bool six = false;
  std::vector<int> bytes = std::vector<int>(70'000, -1);
  std::set<Piece> seen{};
  int end = -1;
  bool condemned = false, whole = false, conflicting = false;

  [[nodiscard]] int beyond() const {
    for (int at = 69'999; at >= 0; --at) {
      if (bytes[static_cast<std::size_t>(at)] >= 0) return at + 1;
    }
    return 0;
  }

  Outcome take(const Piece& piece) {
    if (condemned) return Outcome::lost;
    if (seen.count(piece)) return Outcome::kept;
    if (whole) *this = Model{.six = six};
    const int piece_end = static_cast<int>(piece.offset + piece.bytes.size());
    const bool wrong_end = end >= 0 && (piece.more ? piece_end > end : piece_end != end);
    const bool too_short = end < 0 && !piece.more && beyond() > piece_end;
    bool overlap = false;
    for (std::size_t i = 0; i < piece.bytes.size(); ++i) overlap |= bytes[piece.offset + i] >= 0;
    if (wrong_end || too_short || (six && overlap)) {
      condemned = six;
      return Outcome::lost;
    }
    seen.insert(piece);
    for (std::size_t i = 0; i < piece.bytes.size(); ++i) {
      int& byte = bytes[piece.offset + i];
      const int sent = static_cast<unsigned char>(piece.bytes[i]);
      conflicting |= byte >= 0 && byte != sent;
      if (byte < 0) byte = sent;
    }
    if (!piece.more) end = piece_end;
    whole = end >= 0 && std::count(bytes.begin(), bytes.begin() + end, -1) == 0;
    return whole ? Outcome::whole : Outcome::kept;
  }
};

// Few places and few values, so that copies, overlaps and contradictions are common. A third of the pieces is cut from one
// true datagram, so that many become whole.
Piece any_piece() {
  Piece piece;
  const std::uint32_t blocks = *rc::gen::inRange(1, 6);
  piece.offset = 8 * *rc::gen::inRange<std::uint32_t>(0, 12);
  piece.bytes.assign(8 * blocks, *rc::gen::weightedElement<char>({{4, 'a'}, {1, 'b'}}));
  if (piece.offset + piece.bytes.size() >= 96 || *rc::gen::inRange(0, 20) == 0) {
    if (*rc::gen::inRange(0, 3) != 0)
      piece.bytes.resize(std::max<std::size_t>(96 - std::min(piece.offset, 95u), 1), 'a');
    piece.more = false;
  }
  return piece;
}

TEST(Fragments, MakeWhatASlowModelMakes) {
  for (const bool six : {false, true}) {
    std::size_t whole = 0;
    EXPECT_TRUE(rc::check([six, &whole] {
      Fragments table;
      Model model{.six = six};
      const int count = *rc::gen::inRange(1, 60);
      for (int i = 0; i < count; ++i) {
        const Piece piece = any_piece();
        const bool was_condemned = model.condemned;
        const auto answer = give(table, key_of(1, six), piece);
        RC_ASSERT(answer.outcome == model.take(piece));
        RC_ASSERT(!was_condemned || answer.outcome == Outcome::lost);
        if (answer.outcome == Outcome::whole) {
          ++whole;
          RC_ASSERT(text_of(answer) == std::string(model.bytes.begin(), model.bytes.begin() + model.end));
          RC_ASSERT(six || !model.conflicting || answer.conflicting);
        }
      }
    }));
    EXPECT_GT(whole, six ? 0u : 20u);  // the property would hold of nothing too
  }
}

// Cuts of one datagram, copied and shuffled, of both versions.
TEST(Fragments, MakeTheDatagramOfItsPiecesInAnyOrder) {
  EXPECT_TRUE(rc::check([] {
    const bool six = *rc::gen::arbitrary<bool>();
    const auto size = *rc::gen::inRange<std::uint32_t>(1, 3000);
    std::string datagram(size, '\0');
    for (char& byte : datagram) byte = static_cast<char>(*rc::gen::arbitrary<char>());
    std::vector<Piece> pieces;
    for (std::uint32_t at = 0; at < size;) {
      const auto length = 8 * *rc::gen::inRange<std::uint32_t>(1, 64);
      pieces.push_back({at, datagram.substr(at, length), at + length < size});
      at += length;
    }
    std::vector<Piece> sent = *rc::gen::container<std::vector<Piece>>(rc::gen::elementOf(pieces));
    sent.insert(sent.end(), pieces.begin(), pieces.end());
    for (std::size_t i = sent.size(); i > 1; --i) std::swap(sent[i - 1], sent[*rc::gen::inRange<std::size_t>(0, i)]);
    Fragments table;
    std::vector<std::string> made;
    for (const Piece& piece : sent) {
      const auto answer = give(table, key_of(1, six), piece);
      RC_ASSERT(answer.outcome == Outcome::kept || answer.outcome == Outcome::whole);
      if (answer.outcome == Outcome::whole) made.push_back(text_of(answer));
    }
    table.finish();
    RC_ASSERT(made == std::vector<std::string>{datagram});
    RC_ASSERT(table.counts().lost == 0);
    RC_ASSERT(table.counts().kept + 1 == static_cast<std::int64_t>(sent.size()));
  }));
}

// --- what each version does with contradictions ---------------------------------------------------------------------

const Piece head{0, std::string(16, 'h')}, tail{16, "tail", false};

TEST(Fragments, OfIpv4TheFirstWinsAndTheDifferenceIsCounted) {
  Fragments table;
  give(table, key_of(1), head);
  give(table, key_of(1), {8, std::string(8, 'x') + std::string(8, 'y')});
  give(table, key_of(1), {8, std::string(8, 'z')});
  const auto answer = give(table, key_of(1), {16, std::string(16, 'y') + "end", false});
  ASSERT_EQ(answer.outcome, Outcome::whole);
  EXPECT_EQ(text_of(answer), std::string(16, 'h') + std::string(16, 'y') + "end");
  EXPECT_TRUE(answer.conflicting);
  EXPECT_EQ(table.counts().conflicts, 1);  // of datagrams, not of fragments
}

TEST(Fragments, OfIpv4MayOverlapWithTheSameBytes) {
  Fragments table;
  give(table, key_of(1), head);
  const auto answer = give(table, key_of(1), {8, std::string(8, 'h') + "tail", false});
  ASSERT_EQ(answer.outcome, Outcome::whole);
  EXPECT_FALSE(answer.conflicting);
  EXPECT_EQ(table.counts().conflicts, 0);
}

TEST(Fragments, OfIpv6ThatOverlapCondemnTheDatagram) {
  Fragments table;
  give(table, key_of(1, true), head);
  EXPECT_EQ(give(table, key_of(1, true), head).outcome, Outcome::kept);  // an exact copy
  EXPECT_EQ(give(table, key_of(1, true), {8, std::string(8, 'h')}).outcome, Outcome::lost);
  EXPECT_EQ(give(table, key_of(1, true), head).outcome, Outcome::lost);
  EXPECT_EQ(give(table, key_of(1, true), tail).outcome, Outcome::lost);
  EXPECT_EQ(table.counts().lost, 2);
  EXPECT_EQ(table.counts().conflicts, 1);
}

TEST(Fragments, OfIpv6TheFirstSaysWhatTheDatagramHolds) {
  Fragments table;
  const std::string bytes(16, 'x');
  const std::span<const unsigned char> span(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  static_cast<void>(table.take(key_of(1, true), {0, 16, false, 59, span}));
  EXPECT_EQ(table.take(key_of(1, true), {0, 0, true, 17, span}).protocol, 17);
  static_cast<void>(table.take(key_of(2, true), {0, 0, true, 17, span}));
  EXPECT_EQ(table.take(key_of(2, true), {0, 16, false, 59, span}).protocol, 17);
}

TEST(Fragments, CopiesThatComeWhenTheDatagramIsWholeBeginNoOther) {
  for (const bool six : {false, true}) {
    Fragments table;
    give(table, key_of(1, six), head);
    ASSERT_EQ(give(table, key_of(1, six), tail).outcome, Outcome::whole);
    EXPECT_EQ(give(table, key_of(1, six), tail).outcome, Outcome::kept);
    EXPECT_EQ(give(table, key_of(1, six), head).outcome, Outcome::kept);
    table.finish();
    EXPECT_EQ(table.counts().lost, 0);
    EXPECT_EQ(table.counts().kept, 3);
  }
}

TEST(Fragments, AnotherDatagramMayHaveTheIdentificationOfOneThatIsWhole) {
  Fragments table;
  give(table, key_of(1), head);
  ASSERT_EQ(give(table, key_of(1), tail).outcome, Outcome::whole);
  EXPECT_EQ(give(table, key_of(1), {0, std::string(16, 'H')}).outcome, Outcome::kept);
  const auto answer = give(table, key_of(1), tail);
  ASSERT_EQ(answer.outcome, Outcome::whole);
  EXPECT_EQ(text_of(answer), std::string(16, 'H') + "tail");
}

TEST(Fragments, DifferInEveryPartOfTheKey) {
  std::vector<DatagramKey> keys(7, key_of(1));
  keys[1].source[15] = 1;
  keys[2].destination[0] = 1;
  keys[3].id = 2;
  keys[4].network = 1;
  keys[5].protocol = 17;
  keys[6].six = true;
  Fragments table;
  for (const auto& key : keys) EXPECT_EQ(give(table, key, head).outcome, Outcome::kept);
  for (const auto& key : keys) EXPECT_EQ(give(table, key, tail).outcome, Outcome::whole);
}

TEST(Fragments, StayValidUntilTheyAreReleased) {
  Fragments table;
  give(table, key_of(1), head);
  const auto first = give(table, key_of(1), tail);
  give(table, key_of(2), head);
  const auto second_one = give(table, key_of(2), tail);
  EXPECT_EQ(text_of(first), text_of(second_one));
  EXPECT_EQ(text_of(first), std::string(16, 'h') + "tail");
}

// --- limits ---------------------------------------------------------------------------------------------------------

TEST(Fragments, TheOldestOfTooManyDatagramsIsGivenUp) {
  Fragments table;
  for (std::uint32_t id = 0; id < max_datagrams; ++id) give(table, key_of(id), head);
  EXPECT_EQ(table.counts().lost, 0);
  give(table, key_of(max_datagrams), head);
  EXPECT_EQ(table.counts().lost, 1);
  EXPECT_EQ(give(table, key_of(1), tail).outcome, Outcome::whole);
  EXPECT_EQ(give(table, key_of(0), tail).outcome, Outcome::kept);  // its head is gone
}

TEST(Fragments, TheOldestOfTooManyBytesAreGivenUp) {
  Fragments table;
  const Piece end{65'520, std::string(8, 'x')};  // takes the place of all that is missing before it
  const auto fitting = static_cast<std::uint32_t>(max_held_bytes / 65'528);
  for (std::uint32_t id = 0; id < fitting; ++id) give(table, key_of(id), end);
  EXPECT_EQ(table.counts().lost, 0);
  for (std::uint32_t id = fitting; id < 2 * fitting; ++id) {
    give(table, key_of(id), end);
    ASSERT_LE(table.held_bytes(), max_held_bytes);
    ASSERT_EQ(table.counts().lost, id - fitting + 1);
  }
  EXPECT_EQ(give(table, key_of(fitting), {0, std::string(65'520, 'y')}).outcome, Outcome::kept);
  EXPECT_EQ(give(table, key_of(fitting), {65'528, "z", false}).outcome, Outcome::whole) << "the oldest that is left";
  table.finish();
  EXPECT_EQ(table.held_bytes(), 0u);
}

TEST(Fragments, TheOldestIsNotGivenUpForItsOwnBytes) {
  Fragments table;
  give(table, key_of(0), {0, std::string(8, 'x')});
  for (std::uint32_t id = 1; table.held_bytes() + 65'528 <= max_held_bytes; ++id)
    give(table, key_of(id), {65'520, std::string(8, 'x')});
  EXPECT_EQ(give(table, key_of(0), {65'520, std::string(8, 'x')}).outcome, Outcome::kept);
  EXPECT_EQ(table.counts().lost, 1);
  EXPECT_EQ(give(table, key_of(0), {8, std::string(65'512, 'y')}).outcome, Outcome::kept);
  EXPECT_EQ(give(table, key_of(0), {65'528, "z", false}).outcome, Outcome::whole);
}

TEST(Fragments, WholeDatagramsAreRememberedInALimitedNumber) {
  Fragments table;
  for (std::uint32_t id = 0; id <= max_closed_datagrams; ++id) {
    give(table, key_of(id), head);
    ASSERT_EQ(give(table, key_of(id), tail).outcome, Outcome::whole);
  }
  give(table, key_of(1), tail);  // remembered
  give(table, key_of(0), tail);  // forgotten
  table.finish();
  EXPECT_EQ(table.counts().lost, 1);
}

TEST(Fragments, ADatagramOfTooManyIsCondemned) {
  Fragments table;
  const auto nth = [](std::size_t i) { return Piece{static_cast<std::uint32_t>(16 * i), std::string(8, 'x')}; };
  for (std::size_t i = 0; i < max_fragments; ++i) ASSERT_EQ(give(table, key_of(1), nth(i)).outcome, Outcome::kept);
  EXPECT_EQ(give(table, key_of(1), nth(0)).outcome, Outcome::kept);  // a copy is not one more
  EXPECT_EQ(table.counts().lost, 0);
  EXPECT_EQ(give(table, key_of(1), nth(max_fragments)).outcome, Outcome::lost);
  EXPECT_EQ(table.counts().lost, static_cast<std::int64_t>(max_fragments) + 1);
}

TEST(Fragments, ADatagramMayBe65535BytesLongAndNoLonger) {
  Fragments table;
  give(table, key_of(1), {0, std::string(65'528, 'x')});
  EXPECT_EQ(give(table, key_of(1), {65'528, std::string(8, 'x'), false}).outcome, Outcome::bad);
  EXPECT_EQ(give(table, key_of(1), {65'528, std::string(7, 'x'), false}).bytes.size(), max_datagram_bytes);
}

TEST(Fragments, WaitForThirtySecondsOfCaptureTime) {
  Fragments table;
  give(table, key_of(1), head, 10 * second);
  give(table, key_of(2), head, 10 * second);
  EXPECT_EQ(give(table, key_of(1), tail, 40 * second).outcome, Outcome::whole);
  EXPECT_EQ(give(table, key_of(2), tail, 40 * second + 1).outcome, Outcome::kept);
  EXPECT_EQ(table.counts().lost, 1);
}

TEST(Fragments, TheClockDoesNotStepBackWithThePackets) {
  Fragments table;
  give(table, key_of(1), head, 100 * second);
  ASSERT_EQ(give(table, key_of(1), tail, 100 * second).outcome, Outcome::whole);
  give(table, key_of(2), head, 10 * second);  // begins at 100 s too
  give(table, key_of(3), head, 130 * second);
  EXPECT_EQ(table.counts().lost, 0);
  EXPECT_EQ(give(table, key_of(2), tail, 20 * second).outcome, Outcome::whole);
}

TEST(Fragments, WholeDatagramsAreRememberedForThirtySeconds) {
  Fragments table;
  give(table, key_of(1), head, 0);
  ASSERT_EQ(give(table, key_of(1), tail, 10 * second).outcome, Outcome::whole);
  give(table, key_of(1), tail, 40 * second);      // a copy
  give(table, key_of(1), tail, 40 * second + 1);  // another datagram
  table.finish();
  EXPECT_EQ(table.counts().lost, 1);
}

TEST(Fragments, WhatIsNotWholeAtTheEndIsLost) {
  Fragments table;
  give(table, key_of(1), head);
  give(table, key_of(1), {24, std::string(8, 'x')});
  give(table, key_of(2), tail);
  table.finish();
  EXPECT_EQ(table.counts().kept, 3);
  EXPECT_EQ(table.counts().lost, 3);
  EXPECT_EQ(table.counts().reassembled, 0);
}

}  // namespace
}  // namespace rehearse::replay
