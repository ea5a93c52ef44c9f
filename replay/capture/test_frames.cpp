#include "replay/capture/test_frames.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "replay/error.h"

namespace rehearse::replay::testing {
namespace {

std::string big(std::uint64_t value, int size) {
  std::string out;
  for (int i = size - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

std::string little(std::uint64_t value, int size) {
  std::string out = big(value, size);
  std::reverse(out.begin(), out.end());
  return out;
}

std::string zeros(std::size_t count) { return std::string(count, '\0'); }

unsigned at16(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]) * 256u + static_cast<unsigned char>(bytes[at + 1]);
}

// RFC 1071.
unsigned checksum_of(std::string bytes) {
  if (bytes.size() % 2) bytes += '\0';
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < bytes.size(); at += 2) sum += at16(bytes, at);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<unsigned>(~sum & 0xffff);
}

unsigned type_of(std::string_view ip) { return is_six(ip) ? 0x86dd : 0x0800; }
unsigned protocol_of(std::string_view ip) { return is_six(ip) ? 41 : 4; }

std::string snap(std::string_view ip) { return "\xaa\xaa\x03" + zeros(3) + u16(type_of(ip)) + std::string(ip); }

// A link layer's padding and check sequence, which belong to no payload.
std::string with_trailer(std::string frame) { return frame + "FCS!"; }

std::string over_ethernet(std::string_view ip) {
  std::string frame = ethernet(ip);
  if (frame.size() < 60) frame.resize(60, '\0');
  return with_trailer(frame);
}
std::string over_vlan(std::string_view ip) { return ethernet(0x8100, u16(7) + u16(type_of(ip)) + std::string(ip)); }
std::string over_three_vlans(std::string_view ip) {
  return ethernet(0x88a8, u16(7) + u16(0x9100) + u16(8) + u16(0x8100) + u16(9) + u16(type_of(ip)) + std::string(ip));
}
std::string over_llc(std::string_view ip) {
  const std::string body = snap(ip);
  return ethernet(static_cast<unsigned>(body.size()), body + "padding");
}
std::string over_vlan_llc(std::string_view ip) {
  const std::string body = snap(ip);
  return ethernet(0x8100, u16(7) + u16(body.size()) + body);
}
std::string over_mpls(std::string_view ip) {
  return ethernet(0x8847, u32(16u << 12 | 64) + u32(17u << 12 | 0x100 | 64) + std::string(ip));
}
std::string over_pseudowire(std::string_view ip) {
  return ethernet(0x8847, u32(18u << 12 | 0x100 | 64) + zeros(4) + ethernet(ip));
}
std::string over_bare_pseudowire(std::string_view ip) {
  return ethernet(0x8847, u32(18u << 12 | 0x100 | 64) + ethernet(ip));
}
std::string pppoe(std::string_view ppp) { return "\x11" + u8(0) + u16(1) + u16(ppp.size()) + std::string(ppp); }
std::string ppp(std::string_view ip) { return u16(is_six(ip) ? 0x57 : 0x21) + std::string(ip); }
std::string over_pppoe(std::string_view ip) { return with_trailer(ethernet(0x8864, pppoe(ppp(ip)))); }
std::string over_tagged_pppoe(std::string_view ip) { return ethernet(0x8100, u16(7) + u16(0x8864) + pppoe(ppp(ip))); }
std::string over_pppoe_link(std::string_view ip) { return pppoe(ppp(ip)); }
std::string over_ppp(std::string_view ip) { return ppp(ip); }
std::string over_compressed_ppp(std::string_view ip) { return u8(is_six(ip) ? 0x57 : 0x21) + std::string(ip); }
std::string over_framed_ppp(std::string_view ip) { return u16(0xff03) + ppp(ip); }
std::string over_framed_compressed_ppp(std::string_view ip) { return u16(0xff03) + over_compressed_ppp(ip); }
std::string over_mpls_in_ppp(std::string_view ip) {
  return u16(0xff03) + u16(0x0281) + u32(17u << 12 | 0x100 | 64) + std::string(ip);
}
std::string over_cisco(std::string_view ip) { return u16(0x0f00) + u16(type_of(ip)) + std::string(ip); }
std::string over_little_null(std::string_view ip) { return little(is_six(ip) ? 30 : 2, 4) + std::string(ip); }
std::string over_big_null(std::string_view ip) { return u32(is_six(ip) ? 24 : 2) + std::string(ip); }
std::string over_linux_null(std::string_view ip) { return little(is_six(ip) ? 10 : 2, 4) + std::string(ip); }
std::string over_freebsd_null(std::string_view ip) { return little(is_six(ip) ? 28 : 2, 4) + std::string(ip); }
std::string over_nothing(std::string_view ip) { return std::string(ip); }
std::string over_sll(std::string_view ip) {
  return u16(4) + u16(1) + u16(6) + std::string(8, 's') + u16(type_of(ip)) + std::string(ip);
}
std::string over_tagged_sll(std::string_view ip) {
  return u16(4) + u16(1) + u16(6) + std::string(8, 's') + u16(0x8100) + u16(7) + u16(type_of(ip)) + std::string(ip);
}
std::string over_sll2(std::string_view ip) {
  return u16(type_of(ip)) + u16(0) + u32(2) + u16(1) + u8(0) + u8(6) + std::string(8, 's') + std::string(ip);
}
std::string over_llc_sll(std::string_view ip) {
  return u16(4) + u16(1) + u16(6) + std::string(8, 's') + u16(4) + snap(ip);
}

// The packet header, a time and the payload, each an attribute.
std::string nflog(std::string_view ip, std::string (*integer)(std::uint64_t, int)) {
  const std::string body(ip);
  return u8(is_six(ip) ? 10 : 2) + u8(0) + u16(5) + integer(8, 2) + integer(1, 2) + u16(type_of(ip)) + zeros(2) +
         integer(9, 2) + integer(10, 2) + "p" + zeros(7) + integer(4 + body.size(), 2) + integer(9, 2) + body +
         zeros((4 - body.size() % 4) % 4);
}
std::string over_little_nflog(std::string_view ip) { return nflog(ip, little); }
std::string over_big_nflog(std::string_view ip) { return nflog(ip, big); }

std::string wifi(unsigned type, unsigned flags, const std::string& more, std::string_view ip) {
  return u8(type) + u8(flags) + u16(0) + std::string(18, '\x02') + u16(0x10) + more + snap(ip);
}
std::string over_wifi(std::string_view ip) { return with_trailer(wifi(0x08, 0x01, "", ip)); }
std::string over_quality_wifi(std::string_view ip) { return wifi(0x88, 0x02, u16(0), ip); }
std::string over_bridged_wifi(std::string_view ip) {
  return wifi(0x88, 0x83, std::string(6, '\x02') + u16(0) + u32(0), ip);
}
std::string over_radiotap(std::string_view ip) {
  return u16(0) + little(8, 2) + little(0, 4) + wifi(0x08, 0x01, "", ip);
}
// Time, flags (the frame's header is padded), and a second word of what is present.
std::string over_padded_radiotap(std::string_view ip) {
  return u16(0) + little(25, 2) + little(0x80000003, 4) + little(0, 4) + zeros(4) + zeros(8) + u8(0x20) +
         wifi(0x88, 0x02, u16(0) + u16(0), ip);
}

std::string outer(unsigned protocol, std::string_view payload) {
  return ip_of({.source = "192.0.2.1", .destination = "192.0.2.2", .protocol = protocol}, payload);
}
std::string outer_six(unsigned protocol, std::string_view payload) {
  return ip_of({.source = "2001:db8::1", .destination = "2001:db8::2", .protocol = protocol}, payload);
}
std::string in_four(std::string_view ip) { return outer(protocol_of(ip), ip); }
std::string in_six(std::string_view ip) { return outer_six(protocol_of(ip), ip); }
std::string gre(std::string_view ip) { return outer(47, u16(0) + u16(type_of(ip)) + std::string(ip)); }
std::string full_gre(std::string_view ip) {
  return outer_six(47, u16(0xb000) + u16(type_of(ip)) + zeros(4) + u32(5) + u32(6) + std::string(ip));
}
std::string bridged_gre(std::string_view ip) { return outer(47, u16(0x2000) + u16(0x6558) + u32(5) + ethernet(ip)); }
std::string mpls_gre(std::string_view ip) {
  return outer(47, u16(0) + u16(0x8847) + u32(17u << 12 | 0x100 | 64) + std::string(ip));
}
std::string pptp(std::string_view ip) {
  const std::string body = u16(0xff03) + ppp(ip);
  return outer(47, u16(0x3081) + u16(0x880b) + u16(body.size()) + u16(9) + u32(1) + u32(2) + body + "pad");
}
std::string erspan_one(std::string_view ip) { return outer(47, u16(0) + u16(0x88be) + ethernet(ip)); }
std::string erspan_two(std::string_view ip) {
  return outer(47, u16(0x1000) + u16(0x88be) + u32(3) + u16(0x1001) + u16(1) + u32(0) + ethernet(ip));
}
std::string erspan_three(std::string_view ip) {
  return outer(47, u16(0x1000) + u16(0x22eb) + u32(3) + u16(0x2001) + u16(1) + u32(0) + u16(0) + u16(0) + ethernet(ip));
}
std::string long_erspan_three(std::string_view ip) {
  return outer(47, u16(0x1000) + u16(0x22eb) + u32(3) + u16(0x2001) + u16(1) + u32(0) + u16(0) + u16(1) +
                       u32(0x28000000) + u32(0) + ethernet(ip));
}
std::string vxlan(std::string_view ip) {
  return outer(17, udp_of(50'000, 4789, u32(0x08000000) + u24(41) + u8(0) + ethernet(ip)));
}
// The group of VXLAN-GBP stands where the RFC has reserved bits.
std::string old_vxlan(std::string_view ip) {
  return outer_six(17, udp_of(50'000, 8472, u32(0x88001234) + u24(0xffffff) + u8(0xff) + over_vlan(ip)));
}
std::string geneve(std::string_view ip) {
  return outer(
      17, udp_of(50'000, 6081, u16(0x0200) + u16(0x6558) + u24(41) + u8(0) + u32(0x01020301) + u32(7) + ethernet(ip)));
}
std::string plain_geneve(std::string_view ip) {
  return outer(17, udp_of(50'000, 6081, u16(0) + u16(type_of(ip)) + u24(0) + u8(0) + std::string(ip)));
}
std::string gtp(std::string_view ip) {
  return outer(17, udp_of(2152, 2152, u16(0x30ff) + u16(ip.size()) + u32(7) + std::string(ip)));
}
std::string full_gtp(std::string_view ip) {
  const std::string headers = u16(1) + u8(0) + u8(0x85) + u8(1) + u16(0x0010) + u8(0x40) + u8(1) + u16(53) + u8(0);
  return outer(17,
               udp_of(2152, 2152, u16(0x36ff) + u16(headers.size() + ip.size()) + u32(7) + headers + std::string(ip)));
}
// Teredo carries IPv6 alone.
std::string six_in(std::string_view ip) { return is_six(ip) ? std::string(ip) : in_six(ip); }
std::string teredo(std::string_view ip) { return outer(17, udp_of(50'000, 3544, six_in(ip))); }
std::string full_teredo(std::string_view ip) {
  const std::string authentication = u16(1) + u8(3) + u8(5) + "cli" + "value" + std::string(8, 'n') + u8(0);
  return outer(17, udp_of(3544, 50'000, authentication + u16(0) + u16(0x1234) + u32(0x05060708) + six_in(ip)));
}

std::string options_in_four(const TcpSegment& segment) {
  return ip_of({.source = segment.source,
                .destination = segment.destination,
                .options = "\x94\x04" + u16(0) + std::string(36, '\1')},
               tcp_of(segment));
}
std::string authentication(std::size_t words) { return u8(6) + u8(words - 2) + zeros(words * 4 - 2); }
std::string authentication_in_four(const TcpSegment& segment) {
  return ip_of({.source = segment.source, .destination = segment.destination, .protocol = 51},
               authentication(6) + tcp_of(segment));
}
std::string in_headers(const TcpSegment& segment, unsigned first, const std::string& headers) {
  return ip_of({.source = segment.source, .destination = segment.destination, .protocol = first},
               headers + tcp_of(segment));
}
std::string hop_by_hop_in_six(const TcpSegment& segment) { return in_headers(segment, 0, u8(6) + u8(1) + zeros(14)); }
std::string routing_in_six(const TcpSegment& segment) {
  return in_headers(segment, 43, u8(6) + u8(2) + u8(2) + u8(0) + zeros(20));
}
std::string options_in_six(const TcpSegment& segment) { return in_headers(segment, 60, u8(6) + u8(0) + zeros(6)); }
std::string authentication_in_six(const TcpSegment& segment) { return in_headers(segment, 51, authentication(6)); }
std::string atomic_fragment(const TcpSegment& segment) {
  return in_headers(segment, 44, u8(6) + u8(0) + u16(0) + u32(9));
}
std::string chain_in_six(const TcpSegment& segment) {
  return in_headers(segment, 0,
                    u8(60) + u8(0) + zeros(6) + u8(43) + u8(0) + zeros(6) + u8(44) + u8(0) + zeros(6) + u8(60) + u8(0) +
                        u16(0) + u32(9) + u8(51) + u8(0) + zeros(6) + authentication(4));
}

}  // namespace

TcpSegment segment_over(bool six) {
  TcpSegment segment;
  if (six) {
    segment.source = "fd00::1";
    segment.destination = "fd00::2";
  }
  return segment;
}

std::string u8(unsigned value) { return big(value, 1); }
std::string u16(std::uint64_t value) { return big(value, 2); }
std::string u24(std::uint64_t value) { return big(value, 3); }
std::string u32(std::uint64_t value) { return big(value, 4); }

std::string address_of(const std::string& text) {
  std::array<char, 16> bytes{};
  const bool six = text.find(':') != std::string::npos;
  ENSURE(inet_pton(six ? AF_INET6 : AF_INET, text.c_str(), bytes.data()) == 1);
  return {bytes.data(), six ? 16u : 4u};
}

std::string tcp_of(const TcpSegment& segment) {
  const auto with = [&](unsigned checksum) {
    return u16(segment.source_port) + u16(segment.destination_port) + u32(segment.sequence) +
           u32(segment.acknowledgement) + u8(static_cast<unsigned>((20 + segment.options.size()) / 4 << 4)) +
           u8(segment.flags) + u16(65'535) + u16(checksum) + u16(0) + segment.options + segment.payload;
  };
  const std::string bare = with(0);
  return with(
      checksum_of(address_of(segment.source) + address_of(segment.destination) + u32(bare.size()) + u32(6) + bare));
}

std::string ip_of(const IpHeader& header, std::string_view payload) {
  const std::string addresses = address_of(header.source) + address_of(header.destination);
  if (header.source.find(':') != std::string::npos) {
    return u32(0x60000000) + u16(payload.size()) + u8(header.protocol) + u8(64) + addresses + std::string(payload);
  }
  const std::size_t length = 20 + header.options.size();
  const auto with = [&](unsigned checksum) {
    return u8(static_cast<unsigned>(0x40 + length / 4)) + u8(0) + u16(length + payload.size()) + u16(header.id) +
           u16(header.fragment) + u8(64) + u8(header.protocol) + u16(checksum) + addresses + header.options;
  };
  return with(checksum_of(with(0))) + std::string(payload);
}

std::string ip_of(const TcpSegment& segment) {
  return ip_of({.source = segment.source, .destination = segment.destination}, tcp_of(segment));
}

std::vector<std::string> fragments_of(std::string_view ip, std::size_t size, unsigned id) {
  const bool six = is_six(ip);
  const std::size_t addresses = six ? 8 : 12, width = six ? 16 : 4, header = six ? 40 : 20;
  const auto text = [&](std::size_t at) {
    char out[INET6_ADDRSTRLEN] = "";
    return std::string(inet_ntop(six ? AF_INET6 : AF_INET, ip.data() + at, out, sizeof out));
  };
  const unsigned protocol = static_cast<unsigned char>(ip[six ? 6 : 9]);
  IpHeader part = {
      .source = text(addresses), .destination = text(addresses + width), .protocol = six ? 44 : protocol, .id = id};
  const std::string_view payload = ip.substr(header);
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < payload.size(); at += size) {
    const bool more = at + size < payload.size();
    const std::string piece(payload.substr(at, size));
    part.fragment = static_cast<unsigned>(at / 8) | (more ? 0x2000u : 0u);
    const std::string before = six ? u8(protocol) + u8(0) + u16(at | (more ? 1 : 0)) + u32(id) : "";
    if (six) part.fragment = 0;
    parts.push_back(ip_of(part, before + piece));
  }
  return parts;
}

bool is_six(std::string_view ip_packet) { return static_cast<unsigned char>(ip_packet.at(0)) >> 4 == 6; }

std::string ethernet(unsigned type, std::string_view payload) {
  return u24(0x001b21) + u24(2) + u24(0x001b21) + u24(1) + u16(type) + std::string(payload);  // addresses of a maker's
}
std::string ethernet(std::string_view ip_packet) { return ethernet(type_of(ip_packet), ip_packet); }

std::string udp_of(unsigned source_port, unsigned destination_port, std::string_view payload) {
  return u16(source_port) + u16(destination_port) + u16(8 + payload.size()) + u16(0) + std::string(payload);
}

const std::vector<Carrier>& carriers() {
  static const std::vector<Carrier> all = {
      {"ethernet", 1, over_ethernet},
      {"vlan", 1, over_vlan},
      {"three_vlans", 1, over_three_vlans},
      {"llc", 1, over_llc},
      {"vlan_llc", 1, over_vlan_llc},
      {"mpls", 1, over_mpls},
      {"pseudowire", 1, over_pseudowire},
      {"bare_pseudowire", 1, over_bare_pseudowire},
      {"pppoe", 1, over_pppoe},
      {"tagged_pppoe", 1, over_tagged_pppoe},
      {"little_null", 0, over_little_null},
      {"big_null", 0, over_big_null},
      {"linux_null", 0, over_linux_null},
      {"freebsd_null", 0, over_freebsd_null},
      {"loop", 108, over_big_null},
      {"raw", 101, over_nothing},
      {"raw_12", 12, over_nothing},
      {"raw_14", 14, over_nothing},
      {"sll", 113, over_sll},
      {"tagged_sll", 113, over_tagged_sll},
      {"llc_sll", 113, over_llc_sll},
      {"sll2", 276, over_sll2},
      {"ppp", 9, over_ppp},
      {"framed_ppp", 9, over_framed_ppp},
      {"compressed_ppp", 9, over_compressed_ppp},
      {"serial_ppp", 50, over_framed_ppp},
      {"serial_bare_ppp", 50, over_ppp},
      {"serial_compressed_ppp", 50, over_framed_compressed_ppp},
      {"serial_cisco", 50, over_cisco},
      {"mpls_in_ppp", 50, over_mpls_in_ppp},
      {"pppoe_link", 51, over_pppoe_link},
      {"cisco", 104, over_cisco},
      {"little_nflog", 239, over_little_nflog},
      {"big_nflog", 239, over_big_nflog},
      {"wifi", 105, over_wifi},
      {"quality_wifi", 105, over_quality_wifi},
      {"bridged_wifi", 105, over_bridged_wifi},
      {"radiotap", 127, over_radiotap},
      {"padded_radiotap", 127, over_padded_radiotap},
  };
  return all;
}

const std::vector<Tunnel>& tunnels() {
  static const std::vector<Tunnel> all = {
      {"in_four", in_four},
      {"in_six", in_six},
      {"gre", gre},
      {"full_gre", full_gre},
      {"bridged_gre", bridged_gre},
      {"mpls_gre", mpls_gre},
      {"pptp", pptp},
      {"erspan_one", erspan_one},
      {"erspan_two", erspan_two},
      {"erspan_three", erspan_three},
      {"long_erspan_three", long_erspan_three},
      {"vxlan", vxlan, 42},
      {"old_vxlan", old_vxlan, 0x1000000},
      {"geneve", geneve, 42},
      {"plain_geneve", plain_geneve, 1},
      {"gtp", gtp},
      {"full_gtp", full_gtp},
      {"teredo", teredo},
      {"full_teredo", full_teredo},
  };
  return all;
}

const std::vector<Extension>& extensions() {
  static const std::vector<Extension> all = {
      {"options_in_four", false, options_in_four},    {"authentication_in_four", false, authentication_in_four},
      {"hop_by_hop_in_six", true, hop_by_hop_in_six}, {"routing_in_six", true, routing_in_six},
      {"options_in_six", true, options_in_six},       {"authentication_in_six", true, authentication_in_six},
      {"atomic_fragment", true, atomic_fragment},     {"chain_in_six", true, chain_in_six},
  };
  return all;
}

}  // namespace rehearse::replay::testing
