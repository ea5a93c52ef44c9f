// Finds the TCP segment in a captured frame: link layer, VLAN tags, IPv4 or IPv6, TCP.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "replay/capture/packet_reader.h"

namespace rehearse::replay {
inline namespace held_whole {  // until the engine that reads decode.h replaces it

struct Segment {
  std::int64_t time_ns = 0;
  std::string source;  // "10.0.0.1:8080", "[::1]:8080"
  std::string destination;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgement = 0;
  bool syn = false, ack = false, fin = false, rst = false;
  std::span<const unsigned char> payload;
  bool cut = false;  // the snap length cut the payload
};

// The segment, or the class that the packet is counted in instead: "not ip", "not tcp", "ip fragment", "truncated",
// "unknown link type".
[[nodiscard]] std::variant<Segment, std::string_view> segment_of(const Packet& packet);

}  // namespace held_whole
}  // namespace rehearse::replay
