#include "replay/capture/frame.h"

#include <arpa/inet.h>
#include <fmt/format.h>

namespace rehearse::replay {
inline namespace held_whole {
namespace {

using Bytes = std::span<const unsigned char>;

std::uint16_t big16(Bytes b, std::size_t at) { return static_cast<std::uint16_t>(b[at] << 8 | b[at + 1]); }
std::uint32_t big32(Bytes b, std::size_t at) {
  return static_cast<std::uint32_t>(big16(b, at)) << 16 | big16(b, at + 2);
}

constexpr std::uint16_t ether_ipv4 = 0x0800;
constexpr std::uint16_t ether_ipv6 = 0x86dd;

// What the link layer says comes next; nothing when the frame is too short.
struct Network {
  std::uint16_t ether_type = 0;
  Bytes rest;
};

std::optional<Network> behind_ether_type(Bytes bytes, std::size_t at) {
  while (true) {
    if (bytes.size() < at + 2) return std::nullopt;
    const auto type = big16(bytes, at);
    at += 2;
    if (type != 0x8100 && type != 0x88a8 && type != 0x9100) return Network{type, bytes.subspan(at)};
    at += 2;  // tag control information, then the next type
  }
}

std::uint16_t type_by_version(Bytes bytes) {
  if (bytes.empty()) return 0;
  return bytes[0] >> 4 == 4 ? ether_ipv4 : bytes[0] >> 4 == 6 ? ether_ipv6 : 0;
}

// LINKTYPE_ values: https://www.tcpdump.org/linktypes.html
std::variant<Network, std::string_view> network_of(const Packet& packet) {
  const Bytes bytes = packet.bytes;
  std::optional<Network> network;
  switch (packet.link_type) {
    case 1:
      network = behind_ether_type(bytes, 12);
      break;
    case 0:
    case 108:
      if (bytes.size() > 4) network = Network{type_by_version(bytes.subspan(4)), bytes.subspan(4)};
      break;
    case 12:
    case 14:
    case 101:
    case 228:
    case 229:
      network = Network{type_by_version(bytes), bytes};
      break;
    case 113:
      network = behind_ether_type(bytes, 14);
      break;
    case 276:
      if (bytes.size() > 20) network = Network{big16(bytes, 0), bytes.subspan(20)};
      break;
    default:
      return std::string_view("unknown link type");
  }
  if (!network) return std::string_view("truncated");
  return *network;
}

std::string endpoint(int family, const unsigned char* address, std::uint16_t port) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(family, address, text, sizeof text);
  return family == AF_INET6 ? fmt::format("[{}]:{}", text, port) : fmt::format("{}:{}", text, port);
}

std::variant<Segment, std::string_view> tcp_of(const Packet& packet, int family, const unsigned char* source,
                                               const unsigned char* destination, Bytes tcp, std::size_t wire_bytes,
                                               bool length_unknown) {
  if (tcp.size() < 20) return std::string_view("truncated");
  const std::size_t header = static_cast<std::size_t>(tcp[12] >> 4) * 4;
  if (header < 20 || header > tcp.size()) return std::string_view("truncated");
  Segment segment;
  segment.time_ns = packet.time_ns;
  segment.source = endpoint(family, source, big16(tcp, 0));
  segment.destination = endpoint(family, destination, big16(tcp, 2));
  segment.sequence = big32(tcp, 4);
  segment.acknowledgement = big32(tcp, 8);
  segment.fin = tcp[13] & 0x01;
  segment.syn = tcp[13] & 0x02;
  segment.rst = tcp[13] & 0x04;
  segment.ack = tcp[13] & 0x10;
  // The IP length bounds the payload: what lies behind it is Ethernet padding.
  const std::size_t present = std::min(tcp.size(), wire_bytes);
  segment.payload = tcp.subspan(header, present > header ? present - header : 0);
  segment.cut = wire_bytes > tcp.size() || (length_unknown && packet.wire_length > packet.bytes.size());
  return segment;
}

std::variant<Segment, std::string_view> ipv4(const Packet& packet, Bytes ip) {
  if (ip.size() < 20) return std::string_view("truncated");
  const std::size_t header = static_cast<std::size_t>(ip[0] & 0x0f) * 4;
  if (header < 20 || ip.size() < header) return std::string_view("truncated");
  if (ip[9] != IPPROTO_TCP) return std::string_view("not tcp");
  if ((big16(ip, 6) & 0x3fff) != 0) return std::string_view("ip fragment");
  // Length 0 is a segmentation-offload frame whose length the driver had not yet filled in.
  const std::size_t total = big16(ip, 2) ? big16(ip, 2) : ip.size();
  return tcp_of(packet, AF_INET, &ip[12], &ip[16], ip.subspan(header), total > header ? total - header : 0,
                big16(ip, 2) == 0);
}

std::variant<Segment, std::string_view> ipv6(const Packet& packet, Bytes ip) {
  if (ip.size() < 40) return std::string_view("truncated");
  const std::size_t payload = big16(ip, 4) ? big16(ip, 4) : ip.size() - 40;
  std::uint8_t next = ip[6];
  std::size_t at = 40;
  while (next == 0 || next == 43 || next == 60) {  // hop-by-hop, routing, destination options
    if (ip.size() < at + 8) return std::string_view("truncated");
    next = ip[at];
    at += (static_cast<std::size_t>(ip[at + 1]) + 1) * 8;
  }
  if (next == 44) return std::string_view("ip fragment");
  if (next != IPPROTO_TCP) return std::string_view("not tcp");
  if (ip.size() < at) return std::string_view("truncated");
  return tcp_of(packet, AF_INET6, &ip[8], &ip[24], ip.subspan(at), payload + 40 > at ? payload + 40 - at : 0,
                big16(ip, 4) == 0);
}

}  // namespace

std::variant<Segment, std::string_view> segment_of(const Packet& packet) {
  const auto network = network_of(packet);
  if (const auto* reason = std::get_if<std::string_view>(&network)) return *reason;
  const auto& [type, rest] = std::get<Network>(network);
  if (type == ether_ipv4) return ipv4(packet, rest);
  if (type == ether_ipv6) return ipv6(packet, rest);
  return std::string_view("not ip");
}

}  // namespace held_whole
}  // namespace rehearse::replay
