#include "replay/capture/decode.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "replay/capture/fragments.h"

namespace rehearse::replay {
namespace {

using Bytes = std::span<const unsigned char>;

std::uint16_t big16(Bytes b, std::size_t at) { return static_cast<std::uint16_t>(b[at] << 8 | b[at + 1]); }
std::uint32_t big24(Bytes b, std::size_t at) { return static_cast<std::uint32_t>(b[at]) << 16 | big16(b, at + 1); }
std::uint32_t big32(Bytes b, std::size_t at) {
  return static_cast<std::uint32_t>(big16(b, at)) << 16 | big16(b, at + 2);
}
std::uint16_t little16(Bytes b, std::size_t at) { return static_cast<std::uint16_t>(b[at + 1] << 8 | b[at]); }
std::uint32_t little32(Bytes b, std::size_t at) {
  return static_cast<std::uint32_t>(little16(b, at + 2)) << 16 | little16(b, at);
}

enum class Layer : std::uint8_t {
  ethernet,
  vlan,
  llc,
  mpls,
  pppoe,
  ppp,
  ppp_in_frame,
  ppp_or_cisco,
  cisco_hdlc,
  null,
  linux_sll,
  linux_sll2,
  nflog,
  radiotap,
  wifi,
  ip,
  ipv4,
  ipv6,
  udp,
  gre,
  erspan_two,
  erspan_three,
  tcp,
};

namespace ether {
constexpr std::uint16_t first = 0x0600;  // what is smaller is a length
constexpr std::uint16_t longest = 1500;
constexpr std::uint16_t ipv4 = 0x0800, arp = 0x0806, ipv6 = 0x86dd;
constexpr std::uint16_t vlan = 0x8100, service_vlan = 0x88a8, old_service_vlan = 0x9100;
constexpr std::uint16_t mpls = 0x8847, mpls_multicast = 0x8848, pppoe = 0x8864;
constexpr std::uint16_t bridged = 0x6558, ppp = 0x880b, erspan = 0x88be, erspan_three = 0x22eb;
}  // namespace ether

namespace ip_protocol {
constexpr std::uint8_t hop_by_hop = 0, ipv4 = 4, tcp = 6, udp = 17, ipv6 = 41, routing = 43, fragment = 44, gre = 47;
constexpr std::uint8_t esp = 50, authentication = 51, destination_options = 60, mobility = 135;
}  // namespace ip_protocol

// How far the walk has come. `rest` is what was captured of what stands behind the headers read so far, and `wire` how
// much of it was sent, by the innermost length; `wire` is never less than what was captured.
struct Walk {
  const Packet& packet;
  Segment& segment;
  Fragments* fragments;
  Checksums checksums;
  Bytes rest;
  std::size_t wire = 0;
  Layer next = Layer::ethernet;
  std::uint32_t network = 0;
  bool six = false;
  bool conflicting = false;
  bool rerouted = false;  // the destination is not the last one, so that the checksum cannot be verified

  [[nodiscard]] bool has(std::size_t count) const { return rest.size() >= count; }
  // What a packet is that ends before `count` bytes: the snap length cut it, or it was never longer.
  [[nodiscard]] PacketKind shorter_than(std::size_t count) const {
    return wire < count ? PacketKind::malformed : PacketKind::truncated;
  }
  void skip(std::size_t count) {
    rest = rest.subspan(count);
    wire -= count;
  }
  // A length that ends the layer before what carries it does; one that goes beyond says nothing.
  void end_at(std::size_t count) {
    if (count >= wire) return;
    wire = count;
    rest = rest.first(std::min(rest.size(), count));
  }
};

// The packet's kind when the walk is over, nothing when it goes on at `Walk::next`.
using Step = std::optional<PacketKind>;

Step go_to(Walk& walk, Layer layer) {
  walk.next = layer;
  return std::nullopt;
}

Step by_ether_type(Walk& walk, std::uint16_t type) {
  switch (type) {
    case ether::ipv4:
      return go_to(walk, Layer::ipv4);
    case ether::ipv6:
      return go_to(walk, Layer::ipv6);
    case ether::vlan:
    case ether::service_vlan:
    case ether::old_service_vlan:
      return go_to(walk, Layer::vlan);
    case ether::mpls:
    case ether::mpls_multicast:
      return go_to(walk, Layer::mpls);
    case ether::pppoe:
      return go_to(walk, Layer::pppoe);
    case ether::bridged:
      return go_to(walk, Layer::ethernet);
    default:
      return PacketKind::not_ip;
  }
}

// A type, or the length of a frame with an LLC header.
Step by_type_or_length(Walk& walk, std::uint16_t value) {
  if (value >= ether::first) return by_ether_type(walk, value);
  if (value > ether::longest) return PacketKind::not_ip;
  walk.end_at(value);
  return go_to(walk, Layer::llc);
}

Step ethernet(Walk& walk) {
  if (!walk.has(14)) return walk.shorter_than(14);
  const std::uint16_t type = big16(walk.rest, 12);
  walk.skip(14);
  return by_type_or_length(walk, type);
}

Step vlan(Walk& walk) {
  if (!walk.has(4)) return walk.shorter_than(4);
  const std::uint16_t type = big16(walk.rest, 2);
  walk.skip(4);
  return by_type_or_length(walk, type);
}

Step llc(Walk& walk) {
  if (!walk.has(3)) return walk.shorter_than(3);
  const std::uint32_t header = big24(walk.rest, 0);
  if (header == 0x060603) {  // IP without SNAP (RFC 948)
    walk.skip(3);
    return go_to(walk, Layer::ipv4);
  }
  if (header != 0xaaaa03) return PacketKind::not_ip;
  if (!walk.has(8)) return walk.shorter_than(8);
  const std::uint32_t organisation = big24(walk.rest, 3);
  const std::uint16_t type = big16(walk.rest, 6);
  walk.skip(8);
  if (organisation != 0 && organisation != 0x0000f8) return PacketKind::not_ip;  // RFC 1042, 802.1H
  return by_ether_type(walk, type);
}

Step by_version(Walk& walk) {
  if (!walk.has(1)) return walk.shorter_than(1);
  const unsigned version = walk.rest[0] >> 4;
  if (version == 4) return go_to(walk, Layer::ipv4);
  if (version == 6) return go_to(walk, Layer::ipv6);
  return PacketKind::not_ip;
}

bool begins_readable_frame(Bytes bytes, std::size_t at) {
  switch (big16(bytes, at + 12)) {
    case ether::ipv4:
    case ether::ipv6:
    case ether::arp:
    case ether::vlan:
    case ether::service_vlan:
    case ether::old_service_vlan:
    case ether::mpls:
    case ether::pppoe:
      return true;
    default:
      return false;
  }
}

// No label says what stands below the stack. 4 and 6 are versions of IP, 1 a channel of the network's own; the rest is a
// pseudowire that carries Ethernet, with a control word of four bytes (RFC 4448) or without.
Step below_labels(Walk& walk) {
  if (!walk.has(1)) return walk.shorter_than(1);
  const unsigned nibble = walk.rest[0] >> 4;
  if (nibble == 4 || nibble == 6) return by_version(walk);
  if (nibble == 1) return PacketKind::not_ip;
  if (!walk.has(18)) return walk.shorter_than(18);
  const bool with_control_word = nibble == 0 && begins_readable_frame(walk.rest, 4);
  if (!with_control_word && !begins_readable_frame(walk.rest, 0)) return PacketKind::not_ip;
  if (with_control_word) walk.skip(4);
  return go_to(walk, Layer::ethernet);
}

Step mpls(Walk& walk) {
  if (!walk.has(4)) return walk.shorter_than(4);
  const bool is_bottom = walk.rest[2] & 0x01;
  walk.skip(4);
  return is_bottom ? below_labels(walk) : go_to(walk, Layer::mpls);
}

Step pppoe(Walk& walk) {
  if (!walk.has(6)) return walk.shorter_than(6);
  if (walk.rest[0] != 0x11) return PacketKind::malformed;
  if (walk.rest[1] != 0) return PacketKind::not_ip;  // discovery
  const std::uint16_t length = big16(walk.rest, 4);
  walk.skip(6);
  walk.end_at(length);
  return go_to(walk, Layer::ppp);
}

// Protocol numbers are odd and their first byte is even, so that a zero in front may be left out (RFC 1661, 6.5).
Step ppp(Walk& walk) {
  if (!walk.has(1)) return walk.shorter_than(1);
  const bool compressed = walk.rest[0] & 0x01;
  if (!compressed && !walk.has(2)) return walk.shorter_than(2);
  const std::uint16_t protocol = compressed ? walk.rest[0] : big16(walk.rest, 0);
  walk.skip(compressed ? 1 : 2);
  switch (protocol) {
    case 0x0021:
      return go_to(walk, Layer::ipv4);
    case 0x0057:
      return go_to(walk, Layer::ipv6);
    case 0x0281:
    case 0x0283:
      return go_to(walk, Layer::mpls);
    case 0x002d:  // Van Jacobson's compressed headers
    case 0x002f:
    case 0x003d:  // a piece of a multilink frame
    case 0x0053:  // encrypted
    case 0x0055:
    case 0x00fb:  // compressed
    case 0x00fd:
      return PacketKind::unreadable;
    default:
      return PacketKind::not_ip;
  }
}

// With address and control, or with both left out (RFC 1662, RFC 1661 6.6).
Step ppp_in_frame(Walk& walk) {
  if (!walk.has(2)) return walk.shorter_than(2);
  if (big16(walk.rest, 0) == 0xff03) walk.skip(2);
  return ppp(walk);
}

Step cisco_hdlc(Walk& walk) {
  if (!walk.has(4)) return walk.shorter_than(4);
  const std::uint16_t type = big16(walk.rest, 2);
  walk.skip(4);
  return by_ether_type(walk, type);
}

Step ppp_or_cisco(Walk& walk) {
  if (!walk.has(2)) return walk.shorter_than(2);
  const std::uint16_t header = big16(walk.rest, 0);
  return header == 0x0f00 || header == 0x8f00 ? cisco_hdlc(walk) : ppp_in_frame(walk);
}

// The address family as the capturing host stores it, in either byte order; IPv6 has a number of its own on each system.
Step null(Walk& walk) {
  if (!walk.has(4)) return walk.shorter_than(4);
  const std::uint32_t family = std::min(big32(walk.rest, 0), little32(walk.rest, 0));
  walk.skip(4);
  if (family == 2) return go_to(walk, Layer::ipv4);
  if (family == 10 || family == 24 || family == 28 || family == 30) return go_to(walk, Layer::ipv6);
  return PacketKind::not_ip;
}

Step by_sll_protocol(Walk& walk, std::uint16_t device, std::uint16_t protocol) {
  constexpr std::uint16_t netlink = 824;
  constexpr std::uint16_t llc_follows = 4;
  if (device == netlink) return PacketKind::not_ip;
  if (protocol == llc_follows) return go_to(walk, Layer::llc);
  return by_ether_type(walk, protocol);
}

Step linux_sll(Walk& walk) {
  if (!walk.has(16)) return walk.shorter_than(16);
  const std::uint16_t device = big16(walk.rest, 2);
  const std::uint16_t protocol = big16(walk.rest, 14);
  walk.skip(16);
  return by_sll_protocol(walk, device, protocol);
}

Step linux_sll2(Walk& walk) {
  if (!walk.has(20)) return walk.shorter_than(20);
  const std::uint16_t device = big16(walk.rest, 8);
  const std::uint16_t protocol = big16(walk.rest, 0);
  walk.skip(20);
  return by_sll_protocol(walk, device, protocol);
}

// Attributes of length, type and value; lengths and types in the byte order of the capturing host. Types are small, so that
// the zero byte tells the order.
Step nflog(Walk& walk) {
  if (!walk.has(4)) return walk.shorter_than(4);
  const unsigned family = walk.rest[0];
  if (walk.rest[1] != 0) return PacketKind::malformed;  // the version
  walk.skip(4);
  while (walk.has(4)) {
    const bool big_endian = (walk.rest[2] & 0x3f) == 0;  // the upper two bits are flags
    const unsigned type = big_endian ? walk.rest[3] : walk.rest[2];
    const std::size_t length = big_endian ? big16(walk.rest, 0) : little16(walk.rest, 0);
    if (length < 4) return PacketKind::malformed;
    constexpr unsigned payload = 9;
    if (type == payload) {
      walk.end_at(length);
      walk.skip(4);
      constexpr unsigned inet = 2, inet6 = 10;
      return family == inet ? go_to(walk, Layer::ipv4) : family == inet6 ? go_to(walk, Layer::ipv6) : by_version(walk);
    }
    const std::size_t padded = (length + 3) / 4 * 4;
    if (!walk.has(padded)) return walk.wire <= padded ? PacketKind::not_ip : walk.shorter_than(padded);
    walk.skip(padded);
  }
  return walk.wire < 4 ? PacketKind::not_ip : PacketKind::truncated;
}

Step wifi_frame(Walk& walk, bool padded) {
  if (!walk.has(2)) return walk.shorter_than(2);
  const unsigned type = walk.rest[0], flags = walk.rest[1];
  constexpr unsigned data = 0x08, without_data = 0x40, with_quality = 0x80;
  if ((type & 0x0f) != data || type & without_data) return PacketKind::not_ip;
  constexpr unsigned between_stations = 0x03, more_fragments = 0x04, is_protected = 0x40, with_control = 0x80;
  const bool quality = type & with_quality;
  const std::size_t addresses = (flags & between_stations) == between_stations ? 30 : 24;
  const std::size_t used = addresses + (quality ? 2 : 0) + (quality && flags & with_control ? 4 : 0);
  const std::size_t header = padded ? (used + 3) / 4 * 4 : used;
  if (!walk.has(header)) return walk.shorter_than(header);
  if (flags & is_protected) return PacketKind::unreadable;
  const bool is_fragment = flags & more_fragments || walk.rest[22] & 0x0f;
  constexpr unsigned several_frames = 0x80;
  if (is_fragment || (quality && walk.rest[addresses] & several_frames)) return PacketKind::unreadable;
  walk.skip(header);
  return go_to(walk, Layer::llc);
}

Step wifi(Walk& walk) { return wifi_frame(walk, false); }

// Of the fields only the flags matter: they say whether the receiver has put padding between header and data.
Step radiotap(Walk& walk) {
  if (!walk.has(8)) return walk.shorter_than(8);
  const std::size_t length = little16(walk.rest, 2);
  if (walk.rest[0] != 0 || length < 8) return PacketKind::malformed;
  if (!walk.has(length)) return walk.shorter_than(length);
  const Bytes header = walk.rest.first(length);
  constexpr std::uint32_t has_time = 1u << 0, has_flags = 1u << 1, has_more = 1u << 31;
  const std::uint32_t present = little32(header, 4);
  std::size_t at = 8;
  for (std::uint32_t word = present; word & has_more; at += 4) {
    if (header.size() < at + 4) return PacketKind::malformed;
    word = little32(header, at);
  }
  if (present & has_time) at = (at + 7) / 8 * 8 + 8;
  if (present & has_flags && header.size() <= at) return PacketKind::malformed;
  constexpr unsigned padded_data = 0x20;
  const bool padded = present & has_flags && header[at] & padded_data;
  walk.skip(length);
  return wifi_frame(walk, padded);
}

// Goes behind IP's own headers: what the fragments make, or the answer that it is not there.
Step reassemble(Walk& walk, std::uint32_t id, std::uint32_t offset, bool more, std::uint8_t& protocol) {
  if (!walk.fragments) return PacketKind::fragment;
  if (walk.wire > walk.rest.size()) return PacketKind::truncated;
  DatagramKey key;
  key.source = walk.segment.source.address;
  key.destination = walk.segment.destination.address;
  key.id = id;
  key.network = walk.network;
  key.protocol = walk.six ? 0 : protocol;
  key.six = walk.six;
  const auto answer = walk.fragments->take(key, {walk.packet.time_ns, offset, more, protocol, walk.rest});
  switch (answer.outcome) {
    case Fragments::Outcome::kept:
      return PacketKind::fragment;
    case Fragments::Outcome::lost:
      return PacketKind::fragment_lost;
    case Fragments::Outcome::bad:
      return PacketKind::malformed;
    case Fragments::Outcome::whole:
      break;
  }
  protocol = answer.protocol;
  walk.conflicting |= answer.conflicting;
  walk.rest = answer.bytes;
  walk.wire = answer.bytes.size();
  return std::nullopt;
}

Step extension_header(Walk& walk, std::uint8_t& protocol) {
  const bool is_authentication = protocol == ip_protocol::authentication;
  if (!walk.has(8)) return walk.shorter_than(8);
  const std::size_t length =
      is_authentication ? (walk.rest[1] + std::size_t{2}) * 4 : (walk.rest[1] + std::size_t{1}) * 8;
  if (!walk.has(length)) return walk.shorter_than(length);
  if (protocol == ip_protocol::routing && walk.rest[3] != 0) walk.rerouted = true;
  protocol = walk.rest[0];
  walk.skip(length);
  return std::nullopt;
}

Step fragment_header(Walk& walk, std::uint8_t& protocol) {
  if (!walk.has(8)) return walk.shorter_than(8);
  const std::uint16_t field = big16(walk.rest, 2);
  const std::uint32_t id = big32(walk.rest, 4);
  protocol = walk.rest[0];
  walk.skip(8);
  const std::uint32_t offset = field & 0xfff8;
  const bool more = field & 1;
  if (offset == 0 && !more) return std::nullopt;  // whole by itself, never put together with others (RFC 6946)
  return reassemble(walk, id, offset, more, protocol);
}

bool is_extension_header(const Walk& walk, std::uint8_t protocol) {
  switch (protocol) {
    case ip_protocol::authentication:
      return true;
    case ip_protocol::hop_by_hop:
    case ip_protocol::routing:
    case ip_protocol::fragment:
    case ip_protocol::destination_options:
    case ip_protocol::mobility:
      return walk.six;
    default:
      return false;
  }
}

Step above_ip(Walk& walk, std::uint8_t protocol) {
  if (protocol == ip_protocol::tcp) return go_to(walk, Layer::tcp);
  for (int headers = 0; is_extension_header(walk, protocol); ++headers) {
    if (headers == max_extension_headers) return PacketKind::too_many_layers;
    const bool is_fragment = protocol == ip_protocol::fragment && walk.six;
    const Step step = is_fragment ? fragment_header(walk, protocol) : extension_header(walk, protocol);
    if (step) return step;
  }
  switch (protocol) {
    case ip_protocol::tcp:
      return go_to(walk, Layer::tcp);
    case ip_protocol::udp:
      return go_to(walk, Layer::udp);
    case ip_protocol::gre:
      return go_to(walk, Layer::gre);
    case ip_protocol::ipv4:
      return go_to(walk, Layer::ipv4);
    case ip_protocol::ipv6:
      return go_to(walk, Layer::ipv6);
    case ip_protocol::esp:
      return PacketKind::unreadable;
    default:
      return PacketKind::not_tcp;
  }
}

// The length of an IP packet bounds what is in it, and says what of it the capture has not. It is 0 where segmentation
// offload has not filled it in, and in jumbograms; then what carries the packet bounds it.
void bound_by(Walk& walk, std::size_t length) {
  walk.wire = length;
  walk.rest = walk.rest.first(std::min(walk.rest.size(), length));
}

Step ipv4(Walk& walk) {
  if (!walk.has(20)) return walk.shorter_than(20);
  const Bytes ip = walk.rest;
  const std::size_t header = (ip[0] & 0x0fu) * 4u;
  const std::size_t length = big16(ip, 2);
  if (ip[0] >> 4 != 4 || header < 20) return PacketKind::malformed;
  if (length != 0) bound_by(walk, length);
  if (!walk.has(header)) return walk.shorter_than(header);
  constexpr std::array<unsigned char, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  for (auto* address : {&walk.segment.source.address, &walk.segment.destination.address}) {
    std::memcpy(address->data(), mapped.data(), mapped.size());
  }
  std::memcpy(&walk.segment.source.address[12], &ip[12], 4);
  std::memcpy(&walk.segment.destination.address[12], &ip[16], 4);
  walk.six = false;
  walk.rerouted = false;
  walk.skip(header);
  std::uint8_t protocol = ip[9];
  const std::uint16_t field = big16(ip, 6);
  constexpr std::uint16_t more_fragments = 0x2000;
  if (field & (more_fragments | 0x1fff)) {
    const Step step = reassemble(walk, big16(ip, 4), (field & 0x1fffu) * 8, field & more_fragments, protocol);
    if (step) return step;
  }
  return above_ip(walk, protocol);
}

Step ipv6(Walk& walk) {
  if (!walk.has(40)) return walk.shorter_than(40);
  const Bytes ip = walk.rest;
  if (ip[0] >> 4 != 6) return PacketKind::malformed;
  const std::size_t length = big16(ip, 4);
  if (length != 0) bound_by(walk, 40 + length);
  std::memcpy(walk.segment.source.address.data(), &ip[8], 16);
  std::memcpy(walk.segment.destination.address.data(), &ip[24], 16);
  walk.six = true;
  walk.rerouted = false;
  walk.skip(40);
  return above_ip(walk, ip[6]);
}

// VXLAN (RFC 7348). Of the flags only the one that says that there is an identifier counts; others are extensions.
Step vxlan(Walk& walk) {
  if (!walk.has(8)) return walk.shorter_than(8);
  if (!(walk.rest[0] & 0x08)) return PacketKind::not_tcp;
  walk.network = big24(walk.rest, 4) + 1;
  walk.skip(8);
  return go_to(walk, Layer::ethernet);
}

// RFC 8926.
Step geneve(Walk& walk) {
  if (!walk.has(8)) return walk.shorter_than(8);
  if (walk.rest[0] >> 6 != 0) return PacketKind::not_tcp;
  const std::size_t header = 8 + (walk.rest[0] & 0x3fu) * 4u;
  if (!walk.has(header)) return walk.shorter_than(header);
  const std::uint16_t type = big16(walk.rest, 2);
  walk.network = big24(walk.rest, 4) + 1;
  walk.skip(header);
  return by_ether_type(walk, type);
}

// GTP-U (3GPP TS 29.281): a header, optional fields that come together, and a chain of extension headers.
Step gtp(Walk& walk) {
  if (!walk.has(8)) return walk.shorter_than(8);
  const unsigned flags = walk.rest[0];
  constexpr unsigned user_data = 0xff;
  if (flags >> 5 != 1 || !(flags & 0x10) || walk.rest[1] != user_data) return PacketKind::not_tcp;
  const std::uint16_t length = big16(walk.rest, 2);
  walk.skip(8);
  walk.end_at(length);
  if (flags & 0x07) {
    if (!walk.has(4)) return walk.shorter_than(4);
    unsigned next = flags & 0x04 ? walk.rest[3] : 0;
    walk.skip(4);
    for (int headers = 0; next != 0; ++headers) {
      if (headers == max_extension_headers) return PacketKind::too_many_layers;
      if (!walk.has(1)) return walk.shorter_than(1);
      const std::size_t size = walk.rest[0] * std::size_t{4};
      if (size == 0) return PacketKind::malformed;
      if (!walk.has(size)) return walk.shorter_than(size);
      next = walk.rest[size - 1];
      walk.skip(size);
    }
  }
  return by_version(walk);
}

// Teredo (RFC 4380): an authentication, an origin, both optional, and an IPv6 packet that fills the rest. Other protocols use
// the port too, so that what does not fit is not malformed but another protocol.
Step teredo(Walk& walk) {
  constexpr std::size_t ip_header = 40;
  if (walk.wire < ip_header) return PacketKind::not_tcp;
  if (!walk.has(4)) return walk.shorter_than(4);
  if (big16(walk.rest, 0) == 0x0001) {
    const std::size_t length = std::size_t{13} + walk.rest[2] + walk.rest[3];
    if (walk.wire < length + ip_header) return PacketKind::not_tcp;
    if (!walk.has(length + 2)) return walk.shorter_than(length + 2);
    walk.skip(length);
  }
  if (big16(walk.rest, 0) == 0x0000) {
    if (!walk.has(8)) return walk.shorter_than(8);
    walk.skip(8);
  }
  if (!walk.has(6)) return walk.shorter_than(6);
  const bool fits = walk.rest[0] >> 4 == 6 && ip_header + big16(walk.rest, 4) <= walk.wire;
  return fits ? go_to(walk, Layer::ipv6) : PacketKind::not_tcp;
}

Step udp(Walk& walk) {
  if (!walk.has(8)) return walk.shorter_than(8);
  constexpr std::uint16_t vxlan_port = 4789, old_vxlan_port = 8472, geneve_port = 6081, gtp_port = 2152;
  constexpr std::uint16_t teredo_port = 3544;
  const std::uint16_t source = big16(walk.rest, 0), destination = big16(walk.rest, 2), length = big16(walk.rest, 4);
  Step (*tunnel)(Walk&) = nullptr;
  if (destination == vxlan_port || destination == old_vxlan_port) tunnel = vxlan;
  if (destination == geneve_port) tunnel = geneve;
  if (destination == gtp_port) tunnel = gtp;
  if (destination == teredo_port || (!tunnel && source == teredo_port)) tunnel = teredo;
  if (!tunnel) return PacketKind::not_tcp;
  if (length != 0) {
    if (length < 8) return PacketKind::malformed;
    walk.end_at(length);
  }
  walk.skip(8);
  return tunnel(walk);
}

// Version 1 carries PPP (RFC 2637); without a sequence number it carries nothing, only an acknowledgement.
Step gre_of_pptp(Walk& walk, std::uint16_t flags) {
  if (big16(walk.rest, 2) != ether::ppp) return PacketKind::not_tcp;
  if (!(flags & 0x1000)) return PacketKind::not_tcp;
  const std::size_t header = 8 + 4 + (flags & 0x0080 ? 4 : 0);
  if (!walk.has(header)) return walk.shorter_than(header);
  const std::uint16_t length = big16(walk.rest, 4);
  walk.skip(header);
  walk.end_at(length);
  return go_to(walk, Layer::ppp_in_frame);
}

Step gre(Walk& walk) {
  if (!walk.has(4)) return walk.shorter_than(4);
  const std::uint16_t flags = big16(walk.rest, 0), type = big16(walk.rest, 2);
  const unsigned version = flags & 0x07;
  if (version == 1) return gre_of_pptp(walk, flags);
  if (version != 0) return PacketKind::not_tcp;
  constexpr std::uint16_t checksum = 0x8000, routing = 0x4000, key = 0x2000, sequence = 0x1000;
  if (flags & routing) return PacketKind::unreadable;  // withdrawn since RFC 2784
  const std::size_t header = 4 + (flags & checksum ? 4 : 0) + (flags & key ? 4 : 0) + (flags & sequence ? 4 : 0);
  if (!walk.has(header)) return walk.shorter_than(header);
  walk.skip(header);
  // The first ERSPAN has neither a header of its own nor a sequence number.
  if (type == ether::erspan) return go_to(walk, flags & sequence ? Layer::erspan_two : Layer::ethernet);
  if (type == ether::erspan_three) return go_to(walk, Layer::erspan_three);
  return by_ether_type(walk, type);
}

Step erspan_two(Walk& walk) {
  if (!walk.has(8)) return walk.shorter_than(8);
  if (walk.rest[0] >> 4 != 1) return PacketKind::malformed;
  walk.skip(8);
  return go_to(walk, Layer::ethernet);
}

Step erspan_three(Walk& walk) {
  if (!walk.has(12)) return walk.shorter_than(12);
  if (walk.rest[0] >> 4 != 2) return PacketKind::malformed;
  const unsigned kind = walk.rest[10] >> 2 & 0x1f;
  const std::size_t header = walk.rest[11] & 0x01 ? 20 : 12;
  if (!walk.has(header)) return walk.shorter_than(header);
  walk.skip(header);
  constexpr unsigned ethernet_frame = 0, ip_packet = 2;
  if (kind == ethernet_frame) return go_to(walk, Layer::ethernet);
  return kind == ip_packet ? by_version(walk) : PacketKind::not_ip;
}

// Sums of 16-bit words in network order, folded to 16 bits (RFC 1071).
std::uint64_t sum_of(Bytes bytes) {
  std::uint64_t sum = 0;
  std::size_t at = 0;
  for (; at + 1 < bytes.size(); at += 2) sum += big16(bytes, at);
  return at < bytes.size() ? sum + (bytes[at] << 8) : sum;
}

std::uint16_t folded(std::uint64_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

// Where the card computes the checksum the host leaves the sum of the addresses there, with the length or, for a packet
// that the card will cut into segments, without.
bool has_bad_checksum(const Walk& walk) {
  const Bytes tcp = walk.rest;
  if (walk.wire != tcp.size() || walk.rerouted) return false;
  const auto address_of = [&](const Endpoint& endpoint) { return Bytes(endpoint.address).subspan(walk.six ? 0 : 12); };
  const std::uint64_t addresses =
      sum_of(address_of(walk.segment.source)) + sum_of(address_of(walk.segment.destination)) + ip_protocol::tcp;
  const std::uint64_t length = (tcp.size() >> 16) + (tcp.size() & 0xffff);
  const std::uint16_t found = big16(tcp, 16);
  const bool is_right = folded(addresses + length + sum_of(tcp)) == 0xffff;
  return !is_right && found != folded(addresses + length) && found != folded(addresses);
}

Step tcp(Walk& walk) {
  if (!walk.has(20)) return walk.shorter_than(20);
  const Bytes header = walk.rest;
  const std::size_t length = (header[12] >> 4) * 4u;
  if (length < 20) return PacketKind::malformed;
  if (!walk.has(length)) return walk.shorter_than(length);
  const unsigned flags = header[13];
  Segment& segment = walk.segment;
  segment.time_ns = walk.packet.time_ns;
  segment.source.port = big16(header, 0);
  segment.destination.port = big16(header, 2);
  segment.network = walk.network;
  segment.sequence = big32(header, 4);
  segment.acknowledgement = big32(header, 8);
  segment.fin = flags & 0x01;
  segment.syn = flags & 0x02;
  segment.rst = flags & 0x04;
  segment.psh = flags & 0x08;
  segment.ack = flags & 0x10;
  segment.urg = flags & 0x20;
  segment.bad_checksum = walk.checksums == Checksums::verified && has_bad_checksum(walk);
  segment.conflicting = walk.conflicting;
  segment.payload = walk.rest.subspan(length);
  segment.missing = static_cast<std::uint32_t>(walk.wire - walk.rest.size());
  return PacketKind::tcp;
}

Step take(Walk& walk) {
  switch (walk.next) {
    case Layer::ethernet:
      return ethernet(walk);
    case Layer::ipv4:
      return ipv4(walk);
    case Layer::ipv6:
      return ipv6(walk);
    case Layer::tcp:
      return tcp(walk);
    case Layer::vlan:
      return vlan(walk);
    case Layer::llc:
      return llc(walk);
    case Layer::mpls:
      return mpls(walk);
    case Layer::pppoe:
      return pppoe(walk);
    case Layer::ppp:
      return ppp(walk);
    case Layer::ppp_in_frame:
      return ppp_in_frame(walk);
    case Layer::ppp_or_cisco:
      return ppp_or_cisco(walk);
    case Layer::cisco_hdlc:
      return cisco_hdlc(walk);
    case Layer::null:
      return null(walk);
    case Layer::linux_sll:
      return linux_sll(walk);
    case Layer::linux_sll2:
      return linux_sll2(walk);
    case Layer::nflog:
      return nflog(walk);
    case Layer::radiotap:
      return radiotap(walk);
    case Layer::wifi:
      return wifi(walk);
    case Layer::ip:
      return by_version(walk);
    case Layer::udp:
      return udp(walk);
    case Layer::gre:
      return gre(walk);
    case Layer::erspan_two:
      return erspan_two(walk);
    case Layer::erspan_three:
      return erspan_three(walk);
  }
  return PacketKind::malformed;
}

// LINKTYPE_ values: https://www.tcpdump.org/linktypes.html
std::optional<Layer> first_layer(std::uint16_t link_type) {
  switch (link_type) {
    case 1:
      return Layer::ethernet;
    case 0:
    case 108:
      return Layer::null;
    case 9:
      return Layer::ppp_in_frame;
    case 12:
    case 14:
    case 101:
      return Layer::ip;
    case 50:
      return Layer::ppp_or_cisco;
    case 51:
      return Layer::pppoe;
    case 104:
      return Layer::cisco_hdlc;
    case 105:
      return Layer::wifi;
    case 113:
      return Layer::linux_sll;
    case 127:
      return Layer::radiotap;
    case 228:
      return Layer::ipv4;
    case 229:
      return Layer::ipv6;
    case 239:
      return Layer::nflog;
    case 276:
      return Layer::linux_sll2;
    default:
      return std::nullopt;
  }
}

}  // namespace

PacketKind decode(const Packet& packet, Segment& segment, Fragments* fragments, Checksums checksums) {
  if (fragments) fragments->release();
  const auto first = first_layer(packet.link_type);
  if (!first) return PacketKind::unknown_link_type;
  // A frame check sequence at the end does no harm but where an IP length is 0; a reader that knows of one takes it off.
  const std::size_t wire = std::max<std::size_t>(packet.wire_length, packet.bytes.size());
  Walk walk{packet, segment, fragments, checksums, packet.bytes, wire, *first};
  for (int layers = 0; layers < max_layers; ++layers) {
    if (const Step kind = take(walk)) return *kind;
  }
  return PacketKind::too_many_layers;
}

std::string_view name_of(PacketKind kind) {
  switch (kind) {
    case PacketKind::tcp:
      return "tcp";
    case PacketKind::not_tcp:
      return "not tcp";
    case PacketKind::not_ip:
      return "not ip";
    case PacketKind::fragment:
      return "fragment";
    case PacketKind::fragment_lost:
      return "fragment lost";
    case PacketKind::truncated:
      return "truncated";
    case PacketKind::malformed:
      return "malformed";
    case PacketKind::unreadable:
      return "not readable";
    case PacketKind::unknown_link_type:
      return "unknown link type";
    case PacketKind::too_many_layers:
      return "too many layers";
  }
  return "unknown";
}

std::string text_of(const Endpoint& endpoint) {
  constexpr std::array<unsigned char, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const bool four = std::equal(mapped.begin(), mapped.end(), endpoint.address.begin());
  char text[INET6_ADDRSTRLEN] = "";
  if (four) {
    inet_ntop(AF_INET, &endpoint.address[12], text, sizeof text);
    return fmt::format("{}:{}", text, endpoint.port);
  }
  inet_ntop(AF_INET6, endpoint.address.data(), text, sizeof text);
  return fmt::format("[{}]:{}", text, endpoint.port);
}

}  // namespace rehearse::replay
