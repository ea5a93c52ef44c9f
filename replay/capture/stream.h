// What a connection's two byte streams say to whoever reads them: pieces in order, gaps, ends.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace rehearse::replay {

// The two ends of a connection. Which is the client is for the protocol to find out when no SYN was captured.
enum class Side : std::uint8_t { a = 0, b = 1 };
[[nodiscard]] constexpr Side other(Side side) { return side == Side::a ? Side::b : Side::a; }
[[nodiscard]] constexpr std::size_t index_of(Side side) { return static_cast<std::size_t>(side); }

// Offsets count from the first byte of the stream, or, when the capture joined it, from a byte near the first that was captured:
// then they may be negative.
inline constexpr std::int64_t unknown_offset = INT64_MIN;

// Bytes that `from` sent, without a hole to the piece or gap before it.
struct Piece {
  Side from = Side::a;
  std::int64_t offset = 0;   // of the first byte in the stream of `from`
  std::string_view bytes;    // valid during the call
  std::int64_t time_ns = 0;  // when the packet was captured
  std::int64_t acknowledged =
      0;                       // how far `from` had received the other stream when it sent this; negative when unknown
  bool segment_start = false;  // the bytes begin a TCP segment: a message can be looked for here
  bool cut = false;            // behind these bytes the snap length cut some off: a gap follows
};

// How a stream ended.
enum class End : std::uint8_t {
  finished,    // FIN, and every byte before it was seen
  reset,       // RST
  unfinished,  // the capture ended, or nothing came for `limits::idle_ns`
  another,     // another connection took the same ports
  evicted,     // a limit of this engine
};

// The classes of bytes of TCP payload. Every captured byte is in exactly one class, so is every byte of a gap.
enum class ByteKind : std::uint8_t {
  in_exchanges,
  duplicate,     // retransmitted, or captured twice
  outside,       // a sequence number outside the window, or behind the FIN
  before_start,  // the capture joined the connection behind them
  not_http,
  joined_middle,  // the rest of a message whose beginning was not captured
  unreadable,     // behind a gap or malformed bytes, until the next message was found
  malformed,
  ambiguous,
  empty_lines,  // between messages
  upgraded,     // behind a 101 or a CONNECT
  encrypted,
  unfinished,  // a head of which the end never came
  http2_unreadable,
  evicted,
  count
};

inline constexpr std::size_t byte_kinds = static_cast<std::size_t>(ByteKind::count);
[[nodiscard]] std::string_view name_of(ByteKind kind);

using ByteCounts = std::array<std::int64_t, byte_kinds>;

// Reads the streams of one connection. Calls come in an order in which the two ends could have acted: a piece never comes
// before the bytes that its sender had acknowledged, unless they are lost.
class StreamReader {
 public:
  virtual ~StreamReader() = default;
  virtual void take(const Piece& piece) = 0;
  // `length` bytes of `from` from `offset` on are lost for good.
  virtual void gap(Side from, std::int64_t offset, std::int64_t length, std::int64_t time_ns) = 0;
  // Of `length` bytes from `offset` on, which were handed over before, another version was captured.
  virtual void conflict(Side from, std::int64_t offset, std::int64_t length) = 0;
  // Nothing of `from` follows. Called once a side.
  virtual void end(Side from, End how, std::int64_t time_ns) = 0;
};

}  // namespace rehearse::replay
