// Reads capture files: pcap (all four magics, microseconds and nanoseconds) and pcapng (any mix of interfaces and byte
// orders), told apart by content. Formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace rehearse::replay {

struct Packet {
  std::int64_t time_ns = 0;              // since the epoch
  std::uint16_t link_type = 0;           // LINKTYPE_ value
  std::span<const unsigned char> bytes;  // as captured; valid during the call only
  std::uint32_t wire_length = 0;         // on the wire; larger than bytes.size() when the snap length cut it
};

// No packet of a sane capture is longer (tcpdump's own MAXIMUM_SNAPLEN is 262,144); a larger length is a broken file.
inline constexpr std::uint32_t max_packet_bytes = 16u << 20;

// Calls `take` for each packet in file order. Returns notes, one sentence each, about what could not be read (a truncated last
// record keeps what came before). Throws Error when the file cannot be opened or is no capture.
std::vector<std::string> read_packets(const std::string& path, const std::function<void(const Packet&)>& take);

}  // namespace rehearse::replay
