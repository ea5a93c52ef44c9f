// Puts TCP segments back into the two byte streams of each connection.
//
// A connection is keyed by its two endpoints and by the SYN that opened it; within a direction a byte is keyed by its offset
// from the initial sequence number, widened to 64 bits, never by an acknowledgement number. Where two segments carry the same
// offset the first received wins, as RFC 9293 section 3.10.7.4 has it, and a difference between them is noted.
//
// Segments may come in any order, the handshake included. Of a connection that the capture joined, a SYN whose number lies behind
// what was seen begins another connection on the same ports; one that lies before it was merely captured late.
//
// What it leaves out: it holds a whole capture in memory, and it decides on gaps when the capture ends.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "replay/capture/frame.h"

namespace rehearse::replay {

// A stretch of bytes without a hole.
struct Run {
  std::int64_t offset = 0;
  std::string bytes;
  // When the bytes came: the piece that begins at `first` (an index into `bytes`) was captured at `second`.
  std::vector<std::pair<std::size_t, std::int64_t>> times;

  [[nodiscard]] std::int64_t first_time(std::size_t begin) const;
  [[nodiscard]] std::int64_t last_time(std::size_t begin, std::size_t end) const;
};

struct Stream {
  std::vector<Run> runs;     // in the order of their offsets; more than one when bytes are missing between them
  bool begins = false;       // the SYN was captured
  bool ends = false;         // the FIN was captured and every byte before it
  bool conflicting = false;  // a retransmission carried other bytes
};

struct Connection {
  std::string client;  // who sent the first SYN; without a SYN, who spoke first
  std::string server;
  std::int64_t started_ns = 0;
  Stream to_server;
  Stream to_client;
};

class Reassembler {
 public:
  // Takes segments in capture order.
  void take(const Segment& segment);

  // The connections, in the order of their first packet. Call once, after the last segment.
  [[nodiscard]] std::vector<Connection> finish();

  [[nodiscard]] std::int64_t duplicate_bytes() const { return duplicate_bytes_; }

 private:
  struct Piece {
    std::string bytes;
    std::int64_t time_ns;
  };
  struct Direction {
    bool known = false;      // `base` is set
    bool begins = false;     // the SYN was captured ...
    std::int64_t begin = 0;  // ... and the first byte has this offset, below 0 when later bytes were captured before it
    bool conflicting = false;
    std::uint32_t base = 0;                     // the sequence number of offset 0
    std::int64_t newest = 0;                    // the largest offset seen; sequence numbers are widened around it
    std::optional<std::int64_t> fin;            // the offset of the FIN
    std::optional<std::uint32_t> acknowledged;  // the last acknowledgement by the other side
    std::map<std::int64_t, Piece> pieces;
  };
  struct Flow {
    std::string client, server;
    std::int64_t started_ns = 0;
    std::optional<std::uint32_t> syn, syn_ack;  // the sequence numbers
    Direction to_server, to_client;
  };

  Flow& flow_of(const Segment& segment);
  [[nodiscard]] static bool opens_another(const Flow& flow, const Segment& segment);
  [[nodiscard]] static std::int64_t offset_of(const Direction& direction, std::uint32_t sequence);
  void insert(Direction& direction, std::int64_t offset, std::string_view bytes, std::int64_t time_ns);
  [[nodiscard]] static Stream stream_of(const Direction& direction);

  std::vector<Flow> flows_;
  std::map<std::pair<std::string, std::string>, std::size_t> open_;  // endpoints in order → index into flows_
  std::int64_t duplicate_bytes_ = 0;
};

}  // namespace rehearse::replay
