// Gives a connection segments of any kind and holds what it hands over against a model of bytes: what comes at an offset is what
// was received there first, nothing comes twice, pieces and gaps tile the stream, and every byte is counted once.
//
// Input: a byte whose bits 0 and 1 say that the SYN of a and of b is captured, then operations of six bytes: bits (below), a
// step from where the side stands (two bytes, little-endian, signed), the length, a step of the acknowledgement from where
// the peer stands (signed), and the time since the last segment in units of 4 ms.
#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

#include "replay/capture/limits.h"
#include "replay/capture/reassembly.h"
#include "replay/error.h"

namespace {

using namespace rehearse::replay;

enum Bit : unsigned { by_b = 1, syn = 2, fin = 4, rst = 8, no_ack = 16, forged = 32, far_away = 64, cut = 128 };

// One direction as the model knows it, by sequence number, because only the connection knows where it begins.
struct Sent {
  std::uint32_t next = 0;
  std::map<std::uint32_t, unsigned char> first;  // what was received at a number before anything else
  bool disputed = false;                         // a FIN or an RST may have hidden what was received first
};

unsigned char byte_at(std::uint32_t number, bool forgery) {
  return static_cast<unsigned char>((number * 2'654'435'761u) >> 24) ^ (forgery ? 0x80 : 0);
}

class Model final : public StreamReader {
 public:
  explicit Model(const std::array<Sent, 2>& sent) : sent_(sent) {}

  void take(const Piece& piece) override {
    ENSURE(!piece.bytes.empty());
    follow(piece.from, piece.offset, static_cast<std::int64_t>(piece.bytes.size()));
    handed += static_cast<std::int64_t>(piece.bytes.size());
    pieces.push_back({piece.from, piece.offset, std::string(piece.bytes)});
  }
  void gap(Side from, std::int64_t offset, std::int64_t length, std::int64_t) override {
    ENSURE(length > 0);
    follow(from, offset, length);
    gaps += length;
  }
  void conflict(Side, std::int64_t, std::int64_t length) override { ENSURE(length > 0); }
  void end(Side from, End, std::int64_t) override {
    ENSURE(!ended[index_of(from)]);
    ended[index_of(from)] = true;
  }

  // REQUIRES: `base` is the sequence number of offset 0.
  void check(Side side, std::uint32_t base) const {
    const Sent& sent = sent_[index_of(side)];
    for (const Taken& piece : pieces) {
      if (piece.from != side) continue;
      for (std::size_t i = 0; i < piece.bytes.size(); ++i) {
        const auto number = base + static_cast<std::uint32_t>(piece.offset) + static_cast<std::uint32_t>(i);
        const auto byte = static_cast<unsigned char>(piece.bytes[i]);
        const auto found = sent.first.find(number);
        ENSURE(found != sent.first.end());
        ENSURE(byte == found->second || (sent.disputed && (byte ^ 0x80) == found->second));
      }
    }
  }

  std::array<bool, 2> ended{};
  std::int64_t handed = 0, gaps = 0;

 private:
  void follow(Side from, std::int64_t offset, std::int64_t length) {
    std::int64_t& next = next_[index_of(from)];
    ENSURE(!ended[index_of(from)]);
    ENSURE(next == unknown_offset || next == offset);
    next = offset + length;
  }
  struct Taken {
    Side from;
    std::int64_t offset;
    std::string bytes;
  };
  const std::array<Sent, 2>& sent_;
  std::vector<Taken> pieces;
  std::array<std::int64_t, 2> next_{unknown_offset, unknown_offset};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::array<std::uint32_t, 2> starts{4'294'966'000u, 77'000u};  // one wraps around soon
  std::array<Sent, 2> sent;
  for (std::size_t side : {0u, 1u}) sent[side].next = starts[side];
  Model model(sent);
  ByteCounts bytes{};
  TcpCounts counts;
  TcpConnection connection(model, bytes, counts);
  std::int64_t captured = 0, now = 1'000'000'000;
  std::array<bool, 2> has_syn{};
  for (const Side side : {Side::a, Side::b}) {
    if ((data[0] >> index_of(side) & 1) == 0) continue;
    Segment segment;
    segment.time_ns = now;
    segment.syn = has_syn[index_of(side)] = true;
    segment.sequence = starts[index_of(side)] - 1;
    if (side == Side::b && has_syn[0]) {
      segment.ack = true;
      segment.acknowledgement = starts[0];
    }
    ENSURE(connection.take(segment, side) == TcpConnection::Fit::mine);
  }
  bool others = false;  // a SYN of the input may say where the stream begins
  for (std::size_t at = 1; at + 6 <= size; at += 6) {
    const std::uint8_t* op = data + at;
    const Side from = (op[0] & by_b) != 0 ? Side::b : Side::a;
    Sent& me = sent[index_of(from)];
    const Sent& peer = sent[index_of(other(from))];
    now += op[5] * 4'000'000ll;
    auto step = static_cast<std::int32_t>(static_cast<std::int16_t>(op[1] | op[2] << 8));
    if ((op[0] & far_away) != 0) step *= 1 << 14;
    Segment segment;
    segment.time_ns = now;
    segment.sequence = me.next + static_cast<std::uint32_t>(step);
    segment.syn = (op[0] & syn) != 0;
    segment.fin = (op[0] & fin) != 0;
    segment.rst = (op[0] & rst) != 0;
    segment.ack = (op[0] & no_ack) == 0;
    segment.acknowledgement =
        peer.next + static_cast<std::uint32_t>(static_cast<std::int32_t>(static_cast<std::int8_t>(op[4])));
    std::vector<unsigned char> payload(op[3]);
    const std::uint32_t first = segment.sequence + (segment.syn ? 1 : 0);
    for (std::size_t i = 0; i < payload.size(); ++i)
      payload[i] = byte_at(first + static_cast<std::uint32_t>(i), (op[0] & forged) != 0);
    segment.payload = payload;
    if ((op[0] & cut) != 0) segment.missing = op[3];
    others |= segment.syn;
    me.disputed |= segment.fin || segment.rst;
    if (connection.take(segment, from) == TcpConnection::Fit::another) break;
    captured += static_cast<std::int64_t>(payload.size());
    for (std::size_t i = 0; i < payload.size() && !segment.rst; ++i)
      me.first.emplace(first + static_cast<std::uint32_t>(i), payload[i]);
    if (step >= 0 && (op[0] & far_away) == 0) me.next = first + op[3] + (segment.missing != 0u ? op[3] : 0);
    ENSURE(connection.held_bytes() <= 2 * (limits::held_bytes + 65'536));
  }
  connection.finish(End::unfinished);
  ENSURE(model.ended[0] && model.ended[1]);
  ENSURE(connection.held_bytes() == 0);
  ENSURE(connection.oldest_held_ns() == std::numeric_limits<std::int64_t>::max());
  for (const std::int64_t count : bytes) {
    ENSURE(count >= 0);
    captured -= count;
  }
  ENSURE(captured == model.handed);
  ENSURE(counts.gap_bytes == model.gaps);
  for (const Side side : {Side::a, Side::b}) {
    if (has_syn[index_of(side)] && !others) model.check(side, starts[index_of(side)]);
  }
  return 0;
}
