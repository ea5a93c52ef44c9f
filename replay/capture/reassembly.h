// Puts the TCP segments of one connection back into its two byte streams, and hands them to a reader in the order in which the
// two ends could have acted.
//
// Within a direction a byte is keyed by its offset from the initial sequence number, widened to 64 bits, never by an
// acknowledgement number. Segments may come in any order, the handshake included; where two carry the same offset the first
// received wins (RFC 9293, section 3.10.7.4), and digests of what was delivered notice a retransmission that says something else.
// A hole is lost only when the peer acknowledged past it and the reorder window has gone by, or a limit was reached, or the
// connection ended. A FIN is an offset, an RST is a remark: data that both ends still agree on goes on.
//
// What it leaves out: it does not judge which of two handshakes a host accepted, beyond what was acknowledged, and a
// retransmission that covers only a part of an earlier segment is not compared (it is counted).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "replay/capture/decode.h"
#include "replay/capture/limits.h"
#include "replay/capture/stream.h"

namespace rehearse::replay {

// What the reassembler saw beside bytes.
struct TcpCounts {
  std::int64_t gap_bytes = 0;  // declared lost
  std::int64_t gaps = 0;
  std::int64_t conflicts = 0;         // retransmissions with other bytes
  std::int64_t uncompared_bytes = 0;  // retransmitted bytes of which nothing was kept to compare with
  std::int64_t stray_segments = 0;    // outside the window
  void add(const TcpCounts& more);
};

class TcpConnection {
 public:
  // `reader` is told everything; it must outlive this, as must the counts.
  TcpConnection(StreamReader& reader, ByteCounts& bytes, TcpCounts& counts)
      : reader_(reader), bytes_(bytes), counts_(counts) {}

  // What a segment is to this connection.
  enum class Fit : std::uint8_t {
    mine,
    another,  // it begins, or goes on with, another connection on the same ports; nothing was done with it
  };
  [[nodiscard]] Fit take(const Segment& segment, Side from);

  // The SYN of `from` was seen before this connection was made, in a segment that `take` of its forerunner kept.
  void adopt_syn(Side from, std::uint32_t sequence);
  // When `segment` belongs to another connection because a SYN announced it: who sent that SYN, and its sequence number.
  [[nodiscard]] std::optional<std::pair<Side, std::uint32_t>> announced(const Segment& segment, Side from) const;

  // Hands over what is held, declares the holes lost and ends both streams.
  void finish(End how);

  [[nodiscard]] bool closed() const { return halves_[0].ended && halves_[1].ended; }
  [[nodiscard]] bool reset() const { return reset_; }
  // Who sent the SYN that opened it, when it was captured.
  [[nodiscard]] std::optional<Side> opener() const { return opener_; }
  [[nodiscard]] std::size_t held_bytes() const { return halves_[0].held_bytes + halves_[1].held_bytes; }
  // The capture time of the oldest byte that is held; INT64_MAX when none is.
  [[nodiscard]] std::int64_t oldest_held_ns() const;

 private:
  struct Held {
    std::string bytes;
    std::int64_t time_ns;
    std::int64_t acknowledged;
    bool segment_start;
    bool cut;
  };
  struct Digest {
    std::int64_t offset;
    std::uint64_t hash;
    std::uint32_t length;
  };
  struct Half {
    bool known = false;      // `base` is set ...
    bool tentative = false;  // ... only from what the peer acknowledged
    bool syn = false;        // the SYN was captured
    bool started = false;    // bytes may be handed over, from `next` on
    bool ended = false;
    bool seen = false;                         // a segment of this side was captured
    std::uint32_t base = 0;                    // the sequence number of offset 0
    std::int64_t start = 0;                    // where the stream begins, once started
    std::int64_t next = 0;                     // the first offset that was not handed over
    std::optional<std::int64_t> acknowledged;  // by the peer
    std::optional<std::int64_t> fin;
    std::map<std::int64_t, Held> held;
    std::size_t held_bytes = 0;
    std::int64_t held_since_ns = 0;
    // Since when `next` stands still although it should not.
    std::int64_t blocked_packet = -1;
    std::int64_t blocked_ns = 0;
    std::array<std::uint32_t, limits::handshakes> syns{};  // numbers of SYNs that no acknowledgement has chosen yet
    std::uint8_t syn_count = 0;
    std::uint8_t strays = 0;
    std::uint8_t digests = 0;
    std::unique_ptr<std::array<Digest, limits::compared_segments>> delivered;
  };

  [[nodiscard]] Half& half(Side side) { return halves_[index_of(side)]; }
  [[nodiscard]] static std::int64_t offset_of(const Half& half, std::uint32_t sequence);
  [[nodiscard]] static bool has(const Half& half, std::int64_t offset);
  void rebase(Side side, std::uint32_t base);
  enum class Place : std::uint8_t { mine, another, stray };
  [[nodiscard]] Place place_of(const Segment& segment, Side from);
  void take_syn(const Segment& segment, Side from);
  void take_acknowledgement(const Segment& segment, Side from);
  void take_data(const Segment& segment, Side from);
  void hold(Half& me, Side from, std::int64_t offset, std::string_view bytes, const Piece& like);
  void drop_held(Half& me);
  void compare(const Half& me, Side from, std::int64_t offset, std::string_view bytes);
  void hand_over(Half& me, const Piece& piece);
  enum class Force : std::uint8_t { nothing, holes, everything };
  void advance(Force force);
  bool advance(Side from, Force force);
  void start(Half& me, Force force);
  [[nodiscard]] bool is_lost(Half& me, const Half& peer, Force force);
  [[nodiscard]] bool window_passed(Half& me, std::int64_t times) const;

  StreamReader& reader_;
  ByteCounts& bytes_;
  TcpCounts& counts_;
  std::array<Half, 2> halves_;
  std::optional<Side> opener_;
  bool reset_ = false;
  std::int64_t packets_ = 0;
  std::int64_t clock_ns_ = INT64_MIN;
  std::int64_t first_ns_ = 0;
};

}  // namespace rehearse::replay
