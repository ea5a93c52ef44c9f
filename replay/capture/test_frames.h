// For tests: one TCP segment wrapped in every link layer, tag and tunnel that `decode` reads, and cut into fragments.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::replay::testing {

// A TCP segment between two IPv4 (or, when the text holds a colon, IPv6) addresses.
struct TcpSegment {
  std::string source = "10.0.0.1", destination = "10.0.0.2";
  std::uint16_t source_port = 40'000, destination_port = 8080;
  std::uint32_t sequence = 0x01020304, acknowledgement = 0xfffefdfc;
  unsigned flags = 0x18;  // PSH, ACK
  std::string options = std::string("\x01\x01\x08\x0a\0\0\0\1\0\0\0\1", 12);
  std::string payload = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
};
[[nodiscard]] TcpSegment segment_over(bool six);

// Integers in network order.
[[nodiscard]] std::string u8(unsigned value);
[[nodiscard]] std::string u16(std::uint64_t value);
[[nodiscard]] std::string u24(std::uint64_t value);
[[nodiscard]] std::string u32(std::uint64_t value);

[[nodiscard]] std::string address_of(const std::string& text);  // 4 or 16 bytes

// The bytes of the segment without IP, with the right checksum.
[[nodiscard]] std::string tcp_of(const TcpSegment& segment);

struct IpHeader {
  std::string source = "10.0.0.1", destination = "10.0.0.2";
  unsigned protocol = 6;  // what stands behind the options or extension headers
  std::string options{};  // of IPv4
  unsigned id = 1;
  unsigned fragment = 0;  // the field of IPv4: flags and offset
};
[[nodiscard]] std::string ip_of(const IpHeader& header, std::string_view payload);
[[nodiscard]] std::string ip_of(const TcpSegment& segment);

// The IP packet in fragments of at most `size` bytes, a multiple of 8, by IPv4 or, with a fragment header, by IPv6.
[[nodiscard]] std::vector<std::string> fragments_of(std::string_view ip_packet, std::size_t size, unsigned id = 77);

[[nodiscard]] bool is_six(std::string_view ip_packet);
[[nodiscard]] std::string ethernet(unsigned type, std::string_view payload);
[[nodiscard]] std::string ethernet(std::string_view ip_packet);
[[nodiscard]] std::string udp_of(unsigned source_port, unsigned destination_port, std::string_view payload);

// What carries an IP packet: a link layer, or Ethernet with tags.
struct Carrier {
  std::string name;
  std::uint16_t link_type = 1;
  std::string (*wrap)(std::string_view ip_packet) = nullptr;
};
[[nodiscard]] const std::vector<Carrier>& carriers();

// An IP packet in an IP packet.
struct Tunnel {
  std::string name;
  std::string (*wrap)(std::string_view ip_packet) = nullptr;
  std::uint32_t network = 0;  // as in Segment
};
[[nodiscard]] const std::vector<Tunnel>& tunnels();

// Headers between IP and TCP, as an IP packet of their own kind.
struct Extension {
  std::string name;
  bool six = false;
  std::string (*wrap)(const TcpSegment& segment) = nullptr;
};
[[nodiscard]] const std::vector<Extension>& extensions();

}  // namespace rehearse::replay::testing
