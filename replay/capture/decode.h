// Finds the TCP segment in a captured frame: link layer, tags, tunnels, IPv4 or IPv6, fragments, TCP.
//
// Nothing of a frame is trusted: every length is held against what was captured, and the number of layers and of extension
// headers is limited. Nothing is allocated but for fragments. Wrong checksums are no reason to leave a segment out: of packets
// that the capturing host sent itself the network card has yet to fill them in.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "replay/capture/packet_reader.h"

namespace rehearse::replay {

class Fragments;

// A host and a port; an IPv4 address stands as the IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2).
struct Endpoint {
  std::array<unsigned char, 16> address{};
  std::uint16_t port = 0;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// "10.0.0.1:8080", "[::1]:8080" (RFC 5952).
[[nodiscard]] std::string text_of(const Endpoint& endpoint);

// What a packet is counted as. Every packet is exactly one of these.
enum class PacketKind : std::uint8_t {
  tcp,
  not_tcp,        // IP, and above it something else; ICMP that quotes a segment too
  not_ip,         // ARP, spanning tree, ...
  fragment,       // kept: its datagram is not whole yet, or this is a copy of a fragment of a whole one
  fragment_lost,  // its datagram cannot become whole: too many fragments, or they contradict each other; in a certificate
                  // also one that was kept and whose datagram never became whole
  truncated,      // cut by the snap length in or before the TCP header, or a fragment that was cut anywhere
  malformed,      // lengths or versions that no host sends
  unreadable,     // encrypted, compressed, or several frames in one: there may be TCP in it
  unknown_link_type,  // a LINKTYPE_ that is not read here
  too_many_layers,    // more than `max_layers`, or more than `max_extension_headers` in one IP packet
};
inline constexpr std::size_t packet_kinds = 10;

// As printed in the certificate: "tcp", "not tcp", "not ip", ...
[[nodiscard]] std::string_view name_of(PacketKind kind);

// Headers are layers, tags and labels too: Ethernet, IP, VXLAN with its UDP, Ethernet, IP and TCP make six.
inline constexpr int max_layers = 16;
inline constexpr int max_extension_headers = 8;  // of one IP packet; hosts send three at most

struct Segment {
  std::int64_t time_ns = 0;
  Endpoint source;
  Endpoint destination;
  // 0, or one more than the identifier of the innermost virtual network (VXLAN, Geneve): equal addresses in two networks are
  // two hosts. Identifiers of tunnels that differ by direction (GTP, GRE, ERSPAN) do not count.
  std::uint32_t network = 0;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgement = 0;
  bool syn = false, ack = false, fin = false, rst = false, psh = false, urg = false;
  // Verification was asked for, the whole segment was captured, and the checksum is neither right nor what offload leaves.
  bool bad_checksum = false;
  bool conflicting = false;                // fragments of it overlapped with other bytes; the first won
  std::span<const unsigned char> payload;  // ends where the IP length says: without Ethernet padding
  std::uint32_t missing = 0;               // bytes behind `payload` that were sent and not captured
};

enum class Checksums : std::uint8_t { ignored, verified };

// Fills `segment` when the answer is `tcp`; otherwise its content is without meaning. The payload points into the packet, or,
// of a segment that came in fragments, into the table, where it stays valid until the next call with the same table.
//
// Without a table the function is pure: a fragment is answered with `fragment` and nothing else happens; the caller comes
// again with a table, in the order of the capture.
[[nodiscard]] PacketKind decode(const Packet& packet, Segment& segment, Fragments* fragments = nullptr,
                                Checksums checksums = Checksums::ignored);

}  // namespace rehearse::replay
