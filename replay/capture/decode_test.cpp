#include "replay/capture/decode.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "replay/capture/fragments.h"
#include "replay/capture/test_frames.h"

namespace rehearse::replay {
namespace {

using namespace testing;

// What `decode` says, with the payload copied out. `lent` is where the bytes of the packet are while it reads them: a block
// of its own of just that size, so that the sanitizer sees a read beyond.
struct Read {
  PacketKind kind = PacketKind::malformed;
  Segment segment;
  std::string payload;
};

std::string with(std::string bytes, std::size_t at, unsigned value) {
  bytes.at(at) = static_cast<char>(value);
  return bytes;
}

struct Frame {
  std::uint16_t link_type = 1;
  std::string bytes;
  std::size_t wire_length = 0;  // 0: all of it was captured
  std::int64_t time_ns = 7;
};

Read read(const Frame& frame, Fragments* fragments = nullptr, Checksums checksums = Checksums::verified) {
  const auto lent = std::make_unique<unsigned char[]>(frame.bytes.size());
  std::copy(frame.bytes.begin(), frame.bytes.end(), lent.get());
  const std::size_t wire = frame.wire_length ? frame.wire_length : frame.bytes.size();
  const Packet packet{
      frame.time_ns, frame.link_type, {lent.get(), frame.bytes.size()}, static_cast<std::uint32_t>(wire)};
  Read out;
  out.kind = decode(packet, out.segment, fragments, checksums);
  if (out.kind == PacketKind::tcp) out.payload.assign(out.segment.payload.begin(), out.segment.payload.end());
  out.segment.payload = {};
  return out;
}

Read read_ip(const std::string& ip_packet, Fragments* fragments = nullptr) { return read({101, ip_packet}, fragments); }

Endpoint endpoint(const std::string& address, std::uint16_t port) {
  Endpoint out;
  out.port = port;
  std::string bytes = address_of(address);
  if (bytes.size() == 4) bytes = std::string(10, '\0') + "\xff\xff" + bytes;
  std::copy(bytes.begin(), bytes.end(), out.address.begin());
  return out;
}

// Everything but the network, which tunnels set, and the payload.
void expect_header_of(const TcpSegment& sent, const Read& read) {
  ASSERT_EQ(read.kind, PacketKind::tcp) << name_of(read.kind);
  const Segment& segment = read.segment;
  EXPECT_EQ(segment.source, endpoint(sent.source, sent.source_port));
  EXPECT_EQ(segment.destination, endpoint(sent.destination, sent.destination_port));
  EXPECT_EQ(segment.sequence, sent.sequence);
  EXPECT_EQ(segment.acknowledgement, sent.acknowledgement);
  EXPECT_EQ(segment.time_ns, 7);
  EXPECT_TRUE(segment.ack && segment.psh && !segment.syn && !segment.fin && !segment.rst && !segment.urg);
  EXPECT_FALSE(segment.conflicting);
  EXPECT_FALSE(segment.bad_checksum);
}

void expect_whole(const TcpSegment& sent, const Read& read) {
  expect_header_of(sent, read);
  EXPECT_EQ(read.payload, sent.payload);
  EXPECT_EQ(read.segment.missing, 0u);
}

// Calls `take` with every carrier, both versions of IP, and no tunnel or each.
template <typename Take>
void for_each_frame(Take take) {
  for (const Carrier& carrier : carriers()) {
    for (const bool six : {false, true}) {
      const TcpSegment sent = segment_over(six);
      SCOPED_TRACE(carrier.name + (six ? " IPv6" : " IPv4"));
      take(sent, Frame{carrier.link_type, carrier.wrap(ip_of(sent))}, 0u);
      for (const Tunnel& tunnel : tunnels()) {
        SCOPED_TRACE(tunnel.name);
        take(sent, Frame{carrier.link_type, carrier.wrap(tunnel.wrap(ip_of(sent)))}, tunnel.network);
      }
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TEST(Decode, FindsTheSameSegmentBehindEveryLinkLayerAndTunnel) {
  for_each_frame([](const TcpSegment& sent, const Frame& frame, std::uint32_t network) {
    const Read out = read(frame);
    expect_whole(sent, out);
    EXPECT_EQ(out.segment.network, network);
  });
}

TEST(Decode, FindsTheSegmentInEveryTunnelInEveryTunnel) {
  for (const bool six : {false, true}) {
    const TcpSegment sent = segment_over(six);
    for (const Tunnel& outer : tunnels()) {
      for (const Tunnel& inner : tunnels()) {
        SCOPED_TRACE(inner.name + " in " + outer.name);
        const Read out = read({1, ethernet(outer.wrap(inner.wrap(ip_of(sent))))});
        expect_whole(sent, out);
        EXPECT_EQ(out.segment.network, inner.network ? inner.network : outer.network);
        if (HasFailure()) return;
      }
    }
  }
}

TEST(Decode, GoesBehindOptionsAndExtensionHeaders) {
  for (const Extension& extension : extensions()) {
    SCOPED_TRACE(extension.name);
    const TcpSegment sent = segment_over(extension.six);
    expect_whole(sent, read_ip(extension.wrap(sent)));
  }
}

// A cut frame is either no TCP or the same segment with the end missing; never another one.
void expect_cut(const TcpSegment& sent, const Read& out) {
  if (out.kind != PacketKind::tcp) return;
  expect_header_of(sent, out);
  EXPECT_EQ(out.payload, sent.payload.substr(0, out.payload.size()));
  EXPECT_EQ(out.payload.size() + out.segment.missing, sent.payload.size());
}

TEST(Decode, NeverMakesAnotherSegmentOfACutFrame) {
  for_each_frame([](const TcpSegment& sent, const Frame& frame, std::uint32_t) {
    for (std::size_t size = 0; size < frame.bytes.size(); ++size) {
      const Read out = read({frame.link_type, frame.bytes.substr(0, size), frame.bytes.size()});
      EXPECT_TRUE(out.kind == PacketKind::truncated || out.kind == PacketKind::tcp)
          << name_of(out.kind) << " when cut at " << size;
      expect_cut(sent, out);
      expect_cut(sent, read({frame.link_type, frame.bytes.substr(0, size)}));
      if (::testing::Test::HasFailure()) return;
    }
  });
}

TEST(Decode, NeverMakesAnotherSegmentOfCutExtensionHeaders) {
  for (const Extension& extension : extensions()) {
    SCOPED_TRACE(extension.name);
    const TcpSegment sent = segment_over(extension.six);
    const std::string packet = extension.wrap(sent);
    for (std::size_t size = 0; size < packet.size(); ++size) {
      const Read out = read({101, packet.substr(0, size), packet.size()});
      EXPECT_TRUE(out.kind == PacketKind::truncated || out.kind == PacketKind::tcp) << name_of(out.kind);
      expect_cut(sent, out);
    }
  }
}

TEST(Decode, ReadsEveryFlag) {
  bool Segment::*const flags[] = {&Segment::fin, &Segment::syn, &Segment::rst,
                                  &Segment::psh, &Segment::ack, &Segment::urg};
  for (std::size_t bit = 0; bit < 8; ++bit) {
    TcpSegment sent;
    sent.flags = 1u << bit;
    const Segment segment = read_ip(ip_of(sent)).segment;
    for (std::size_t flag = 0; flag < 6; ++flag) EXPECT_EQ(segment.*flags[flag], flag == bit) << bit;
  }
}

TEST(Decode, OverwritesWhatASegmentHeldBefore) {
  Segment segment;
  segment.bad_checksum = segment.conflicting = segment.syn = segment.urg = true;
  segment.network = segment.missing = 99;
  const std::string packet = ip_of(segment_over(false));
  const std::span<const unsigned char> bytes(reinterpret_cast<const unsigned char*>(packet.data()), packet.size());
  ASSERT_EQ(decode({7, 101, bytes, static_cast<std::uint32_t>(packet.size())}, segment), PacketKind::tcp);
  EXPECT_FALSE(segment.bad_checksum || segment.conflicting || segment.syn || segment.urg);
  EXPECT_EQ(segment.network + segment.missing, 0u);
  EXPECT_EQ(segment.payload.data() + segment.payload.size(), bytes.data() + bytes.size());
}

// --- lengths --------------------------------------------------------------------------------------------------------

TEST(Decode, TakesTheCapturedLengthWhereOffloadLeftNone) {
  for (const bool six : {false, true}) {
    const TcpSegment sent = segment_over(six);
    std::string packet = ip_of(sent);
    packet[six ? 4 : 2] = packet[six ? 5 : 3] = '\0';
    expect_whole(sent, read_ip(packet));
    const Read cut = read({101, packet.substr(0, packet.size() - 5), packet.size() + 10});
    EXPECT_EQ(cut.payload, sent.payload.substr(0, sent.payload.size() - 5));
    EXPECT_EQ(cut.segment.missing, 15u);
  }
}

// What ends a packet whose IP length is 0, in a frame that goes on.
TEST(Decode, TakesTheLengthOfWhatCarriesAPacketWithoutOne) {
  const TcpSegment sent = segment_over(false);
  std::string packet = ip_of(sent);
  packet[2] = packet[3] = '\0';
  const std::string llc = "\xaa\xaa\x03" + u24(0) + u16(0x0800) + packet, ppp = u16(0x21) + packet;
  const auto pppoe = [&](std::size_t length) { return "\x11" + u8(0) + u16(1) + u16(length) + ppp; };
  const std::string gtp = u16(0x30ff) + u16(packet.size()) + u32(7) + packet;
  const std::string pptp = u16(0x3001) + u16(0x880b) + u16(ppp.size()) + u16(9) + u32(1) + ppp;
  const std::string geneve = u16(0) + u16(0x0800) + u32(0) + packet, rest = "rest";
  const auto nflog = [&](const std::string& integer) { return u8(2) + u8(0) + u16(5) + integer + u16(9) + packet; };
  expect_whole(sent, read({1, ethernet(static_cast<unsigned>(llc.size()), llc) + rest}));
  expect_whole(sent, read({51, pppoe(ppp.size()) + rest}));
  expect_whole(sent, read({51, pppoe(ppp.size() + 50)}));  // a length beyond the frame says nothing
  expect_whole(sent, read({239, nflog(u16(packet.size() + 4)) + rest}));
  expect_whole(sent, read_ip(ip_of({.protocol = 17}, udp_of(1, 2152, gtp + rest))));
  expect_whole(sent, read_ip(ip_of({.protocol = 17}, udp_of(1, 6081, geneve) + rest)));
  expect_whole(sent, read_ip(ip_of({.protocol = 47}, pptp + rest)));
}

TEST(Decode, LooksForAControlWordOnlyBehindANibbleOfZero) {
  TcpSegment sent;
  sent.payload.assign(2048 - 52, 'x');  // the IP length stands where the type would be behind a control word: 0x0800
  const std::string frame = with(ethernet(ip_of(sent)), 0, 0xf0);
  expect_whole(sent, read({1, ethernet(0x8847, u32(0x1ff) + frame)}));
}

TEST(Decode, CountsWhatTheIpLengthNamesAndNobodyCaptured) {
  TcpSegment sent;
  sent.payload.assign(1000, 'x');
  const std::string packet = ip_of(sent);
  // The writer of the file may have forgotten the length on the wire; the IP length is still there.
  for (const std::size_t wire : {std::size_t{0}, packet.size()}) {
    const Read out = read({101, packet.substr(0, packet.size() - 990), wire});
    EXPECT_EQ(out.payload, std::string(10, 'x'));
    EXPECT_EQ(out.segment.missing, 990u);
  }
}

TEST(Decode, ASegmentWithoutPayloadHasNoneForAllThePadding) {
  TcpSegment sent;
  sent.payload = "";
  sent.options = "";
  const Read out = read({1, ethernet(ip_of(sent)) + std::string(100, 'p')});
  EXPECT_EQ(out.kind, PacketKind::tcp);
  EXPECT_EQ(out.payload, "");
}

struct Case {
  std::string name;
  PacketKind kind;
  Frame frame;
};

std::vector<Case> malformed() {
  const std::string four = ip_of(segment_over(false)), six = ip_of(segment_over(true));
  const std::string sctp = ip_of({.protocol = 6}, "short");
  const auto gre = [&](const std::string& payload) { return ip_of({.protocol = 47}, payload); };
  const auto udp = [&](unsigned port, const std::string& payload) {
    return ip_of({.protocol = 17}, udp_of(1, port, payload));
  };
  return {
      {"no IPv4", PacketKind::malformed, {228, with(four, 0, 0x55)}},
      {"IPv6 where IPv4 was promised", PacketKind::malformed, {228, six}},
      {"IPv4 where IPv6 was promised", PacketKind::malformed, {229, four}},
      {"an IPv4 header of 16 bytes", PacketKind::malformed, {101, with(four, 0, 0x44)}},
      {"an IPv4 length within the header", PacketKind::malformed, {101, with(with(four, 2, 0), 3, 19)}},
      {"IPv4 options behind the IPv4 length",
       PacketKind::malformed,
       {101, with(with(with(four, 0, 0x46), 2, 0), 3, 22)}},
      {"a TCP header of 16 bytes", PacketKind::malformed, {101, with(four, 32, 0x40)}},
      {"TCP options behind the IPv4 length",
       PacketKind::malformed,
       {101, with(ip_of(TcpSegment{.payload = ""}), 32, 0xf0)}},
      {"a TCP header behind the IPv4 length", PacketKind::malformed, {101, sctp}},
      {"Ethernet without a type", PacketKind::malformed, {1, std::string(13, 'x')}},
      {"PPPoE of another version", PacketKind::malformed, {51, "\x21" + u8(0) + u16(1) + u16(2) + u16(0x21) + four}},
      {"NFLOG of another version", PacketKind::malformed, {239, u8(2) + u8(1) + u16(0) + four}},
      {"an NFLOG attribute without a length", PacketKind::malformed, {239, u8(2) + u8(0) + u16(0) + u32(1) + four}},
      {"radiotap of another version", PacketKind::malformed, {127, with(carriers().back().wrap(four), 0, 1)}},
      {"a radiotap header of 7 bytes", PacketKind::malformed, {127, with(carriers().back().wrap(four), 2, 7)}},
      {"radiotap presence without end",
       PacketKind::malformed,
       {127, u16(0) + u16(0x1000) + std::string(8, '\xff') + std::string(90, '\xff')}},
      {"a GTP extension header of no length",
       PacketKind::malformed,
       {101, udp(2152, u16(0x34ff) + u16(48) + u32(1) + u24(0) + u8(0x85) + u8(0) + std::string(40, 'x'))}},
      {"a UDP length within the header", PacketKind::malformed, {101, with(udp(4789, std::string(60, '\x08')), 25, 7)}},
      {"ERSPAN III under the number of II",
       PacketKind::malformed,
       {101, gre(u16(0x1000) + u16(0x88be) + u32(1) + u8(0x20) + std::string(60, '\0'))}},
      {"ERSPAN II under the number of III",
       PacketKind::malformed,
       {101, gre(u16(0x1000) + u16(0x22eb) + u32(1) + u8(0x10) + std::string(60, '\0'))}},
      {"IPv6 of version 5", PacketKind::malformed, {229, with(six, 0, 0x50)}},
  };
}

std::vector<Case> others() {
  const std::string four = ip_of(segment_over(false));
  const auto ip = [&](unsigned protocol, const std::string& payload) { return ip_of({.protocol = protocol}, payload); };
  const auto udp = [&](unsigned port, const std::string& payload) { return ip(17, udp_of(1, port, payload)); };
  const auto gre = [&](const std::string& payload) { return ip(47, payload); };
  const std::string wifi = carriers()[35].wrap(four);
  return {
      {"ICMP that quotes a segment", PacketKind::not_tcp, {101, ip(1, u32(0x03030000) + u32(0) + four)}},
      {"ICMPv6 that quotes a segment",
       PacketKind::not_tcp,
       {101, ip_of({.source = "::1", .destination = "::1", .protocol = 58},
                   u32(0x01040000) + u32(0) + ip_of(segment_over(true)))}},
      {"UDP", PacketKind::not_tcp, {101, udp(53, four)}},
      {"nothing behind IPv6",
       PacketKind::not_tcp,
       {101, ip_of({.source = "::1", .destination = "::1", .protocol = 59}, four)}},
      {"IPv6's extension header in IPv4",
       PacketKind::not_tcp,
       {101, ip(60, u8(6) + u8(0) + std::string(6, '\0') + four)}},
      {"VXLAN without an identifier", PacketKind::not_tcp, {101, udp(4789, u32(0) + u32(0) + ethernet(four))}},
      {"Geneve of another version", PacketKind::not_tcp, {101, udp(6081, u16(0x4000) + u16(0x0800) + u32(0) + four)}},
      {"a GTP echo", PacketKind::not_tcp, {101, udp(2152, u16(0x3001) + u16(100) + u32(0) + four)}},
      {"GTP prime", PacketKind::not_tcp, {101, udp(2152, u16(0x20ff) + u16(100) + u32(0) + four)}},
      {"IPv4 on the port of Teredo", PacketKind::not_tcp, {101, udp(3544, four)}},
      {"IPv6 with too large a length on the port of Teredo",
       PacketKind::not_tcp,
       {101, udp(3544, with(ip_of(segment_over(true)), 4, 9))}},
      {"a few bytes on the port of Teredo", PacketKind::not_tcp, {101, udp(3544, "x")}},
      {"an authentication longer than the packet on the port of Teredo",
       PacketKind::not_tcp,
       {101, udp(3544, u16(1) + u16(0xffff) + std::string(60, 'x'))}},
      {"an origin and too little behind it on the port of Teredo",
       PacketKind::not_tcp,
       {101, udp(3544, std::string(42, '\0'))}},
      {"VXLAN from the port of VXLAN",
       PacketKind::not_tcp,
       {101, ip(17, udp_of(4789, 1, u32(0x08000000) + u32(0) + ethernet(four)))}},
      {"GRE of version 2", PacketKind::not_tcp, {101, gre(u16(2) + u16(0x0800) + four)}},
      {"an acknowledgement of PPTP", PacketKind::not_tcp, {101, gre(u16(0x2081) + u16(0x880b) + u32(0) + u32(1))}},
      {"GRE with routes", PacketKind::unreadable, {101, gre(u16(0x4000) + u16(0x0800) + u32(0) + u32(0) + four)}},
      {"ESP", PacketKind::unreadable, {101, ip(50, four)}},
      {"ARP", PacketKind::not_ip, {1, ethernet(0x0806, std::string(28, 'a'))}},
      {"spanning tree", PacketKind::not_ip, {1, ethernet(38, "\x42\x42\x03" + std::string(40, 'x'))}},
      {"SNAP of another organisation",
       PacketKind::not_ip,
       {1, ethernet(60, "\xaa\xaa\x03" + u24(0x00000c) + u16(0x0800) + four)}},
      {"a type that is neither length nor type", PacketKind::not_ip, {1, ethernet(1501, four)}},
      {"PPPoE discovery", PacketKind::not_ip, {1, ethernet(0x8863, "\x11\x09" + std::string(40, '\0'))}},
      {"a code of discovery in a session",
       PacketKind::not_ip,
       {1, ethernet(0x8864, "\x11\xa7" + std::string(40, '\0'))}},
      {"link control of PPP", PacketKind::not_ip, {9, u16(0xc021) + four}},
      {"compressed headers in PPP", PacketKind::unreadable, {9, u16(0x002d) + four}},
      {"compressed PPP", PacketKind::unreadable, {9, u16(0x00fd) + four}},
      {"a channel of MPLS", PacketKind::not_ip, {1, ethernet(0x8847, u32(0x1ff) + u32(0x10000007) + four)}},
      {"what is neither IP nor Ethernet below labels",
       PacketKind::not_ip,
       {1, ethernet(0x8847, u32(0x1ff) + std::string(80, '\x77'))}},
      {"another address family", PacketKind::not_ip, {0, u32(7) + four}},
      {"a raw packet of no version", PacketKind::not_ip, {101, with(four, 0, 0x75)}},
      {"netlink", PacketKind::not_ip, {113, u16(4) + u16(824) + u16(0) + std::string(8, '\0') + u16(0x0800) + four}},
      {"NFLOG without a packet", PacketKind::not_ip, {239, u8(2) + u8(0) + u16(0) + u16(8) + u16(1) + u32(0)}},
      {"a beacon", PacketKind::not_ip, {105, with(wifi, 0, 0x80)}},
      {"data without data", PacketKind::not_ip, {105, with(wifi, 0, 0xc8)}},
      {"a protected frame", PacketKind::unreadable, {105, with(wifi, 1, 0x42)}},
      {"a frame with fragments to come", PacketKind::unreadable, {105, with(wifi, 1, 0x06)}},
      {"a frame that is a fragment", PacketKind::unreadable, {105, with(wifi, 22, 0x01)}},
      {"several frames in one", PacketKind::unreadable, {105, with(wifi, 24, 0x80)}},
      {"an ERSPAN III frame of another kind",
       PacketKind::not_ip,
       {101, gre(u16(0x1000) + u16(0x22eb) + u32(1) + u32(0x20000000) + u32(0) + u32(0x00000400) + ethernet(four))}},
      {"USB", PacketKind::unknown_link_type, {189, four}},
  };
}

TEST(Decode, ClassesWhatIsNoSegment) {
  for (const auto& cases : {malformed(), others()}) {
    for (const Case& one : cases) {
      const Read out = read(one.frame);
      EXPECT_EQ(out.kind, one.kind) << one.name << " is " << name_of(out.kind);
    }
  }
}

TEST(Decode, ReadsAnIpPacketInErspanThree) {
  const TcpSegment sent = segment_over(false);
  const std::string erspan = u32(0x20000000) + u32(0) + u32(0x00000800) + ip_of(sent);
  expect_whole(sent, read_ip(ip_of({.protocol = 47}, u16(0x1000) + u16(0x22eb) + u32(1) + erspan)));
}

TEST(Decode, ReadsIpInLlcWithoutSnap) {
  const TcpSegment sent = segment_over(false);
  const std::string body = "\x06\x06\x03" + ip_of(sent);
  expect_whole(sent, read({1, ethernet(static_cast<unsigned>(body.size()), body)}));
}

// --- limits ---------------------------------------------------------------------------------------------------------

TEST(Decode, ReadsSixteenLayersAndNoMore) {
  const TcpSegment sent = segment_over(false);
  std::string packet = ip_of(sent);
  for (int layers = 2; layers < max_layers; ++layers) packet = ip_of({.protocol = 4}, packet);
  expect_whole(sent, read({228, packet}));
  EXPECT_EQ(read({228, ip_of({.protocol = 4}, packet)}).kind, PacketKind::too_many_layers);
}

TEST(Decode, TagsAndLabelsAreLayersToo) {
  const std::string packet = ip_of(segment_over(false));
  std::string tags = u16(0x0800) + packet, labels = u32(0x1ff) + packet;
  for (int i = 0; i < max_layers; ++i) {
    tags = u16(0x8100) + u16(i) + tags;
    labels = u32(0x0ff) + labels;
  }
  EXPECT_EQ(read({1, std::string(12, 'm') + tags}).kind, PacketKind::too_many_layers);
  EXPECT_EQ(read({1, ethernet(0x8847, labels)}).kind, PacketKind::too_many_layers);
}

TEST(Decode, ReadsEightExtensionHeadersAndNoMore) {
  const TcpSegment sent = segment_over(true);
  const auto with_headers = [&](int count) {
    std::string headers;
    for (int i = 1; i <= count; ++i) headers += u8(i == count ? 6 : 60) + u8(0) + std::string(6, '\0');
    return ip_of({.source = sent.source, .destination = sent.destination, .protocol = 60}, headers + tcp_of(sent));
  };
  expect_whole(sent, read_ip(with_headers(max_extension_headers)));
  EXPECT_EQ(read_ip(with_headers(max_extension_headers + 1)).kind, PacketKind::too_many_layers);
}

TEST(Decode, ReadsEightExtensionHeadersOfGtpAndNoMore) {
  const TcpSegment sent = segment_over(false);
  const auto with_headers = [&](int count) {
    std::string headers = u24(0) + u8(0x85);
    for (int i = 1; i <= count; ++i) headers += u8(1) + u16(0) + u8(i == count ? 0 : 0x85);
    const std::string body = headers + ip_of(sent);
    return ip_of({.protocol = 17}, udp_of(1, 2152, u16(0x34ff) + u16(body.size()) + u32(1) + body));
  };
  expect_whole(sent, read_ip(with_headers(max_extension_headers)));
  EXPECT_EQ(read_ip(with_headers(max_extension_headers + 1)).kind, PacketKind::too_many_layers);
}

// --- checksums ------------------------------------------------------------------------------------------------------

std::string with_checksum(const TcpSegment& sent, unsigned checksum) {
  std::string packet = ip_of(sent);
  const std::size_t at = (is_six(packet) ? 40 : 20) + 16;
  return packet.replace(at, 2, u16(checksum));
}

unsigned pseudo_header_sum(const TcpSegment& sent, std::size_t length) {
  std::uint64_t sum = 6 + length;
  const std::string addresses = address_of(sent.source) + address_of(sent.destination);
  for (std::size_t at = 0; at < addresses.size(); at += 2) {
    sum += static_cast<unsigned char>(addresses[at]) * 256u + static_cast<unsigned char>(addresses[at + 1]);
  }
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<unsigned>(sum);
}

TEST(Decode, MarksAWrongChecksumAndKeepsTheSegment) {
  for (const bool six : {false, true}) {
    TcpSegment sent = segment_over(six);
    for (const char* payload : {"even", "odd"}) {
      sent.payload = payload;
      EXPECT_FALSE(read_ip(ip_of(sent)).segment.bad_checksum);
      const Read out = read_ip(with_checksum(sent, 0x1234));
      EXPECT_TRUE(out.segment.bad_checksum);
      EXPECT_EQ(out.payload, payload);
    }
  }
}

TEST(Decode, VerifiesNoChecksumUnlessAsked) {
  EXPECT_FALSE(read({101, with_checksum({}, 0x1234)}, nullptr, Checksums::ignored).segment.bad_checksum);
}

TEST(Decode, TakesWhatOffloadLeavesForNoWrongChecksum) {
  for (const bool six : {false, true}) {
    const TcpSegment sent = segment_over(six);
    const std::size_t length = tcp_of(sent).size();
    EXPECT_FALSE(read_ip(with_checksum(sent, pseudo_header_sum(sent, length))).segment.bad_checksum);
    EXPECT_FALSE(read_ip(with_checksum(sent, pseudo_header_sum(sent, 0))).segment.bad_checksum);
    EXPECT_TRUE(read_ip(with_checksum(sent, pseudo_header_sum(sent, 1))).segment.bad_checksum);
  }
}

TEST(Decode, VerifiesNoChecksumOfWhatWasNotAllCaptured) {
  const std::string packet = with_checksum({}, 0x1234);
  EXPECT_FALSE(read({101, packet.substr(0, packet.size() - 1), packet.size()}).segment.bad_checksum);
}

TEST(Decode, VerifiesNoChecksumOnTheWayToAnotherDestination) {
  const TcpSegment sent = segment_over(true);
  const auto routed = [&](unsigned left) {
    const std::string header = u8(6) + u8(2) + u8(2) + u8(left) + std::string(20, '\0');
    return ip_of({.source = sent.source, .destination = sent.destination, .protocol = 43},
                 header + with_checksum(sent, 0x1234).substr(40));
  };
  EXPECT_TRUE(read_ip(routed(0)).segment.bad_checksum);
  EXPECT_FALSE(read_ip(routed(1)).segment.bad_checksum);
}

// --- fragments ------------------------------------------------------------------------------------------------------

TEST(Decode, PutsFragmentsTogetherInAnyOrder) {
  for (const bool six : {false, true}) {
    const TcpSegment sent = segment_over(six);
    auto parts = fragments_of(ip_of(sent), 16);
    ASSERT_GE(parts.size(), 3u);
    for (const bool backwards : {false, true}) {
      if (backwards) std::reverse(parts.begin(), parts.end());
      Fragments table;
      for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        EXPECT_EQ(read_ip(parts[i], &table).kind, PacketKind::fragment);
      }
      expect_whole(sent, read_ip(parts.back(), &table));
      table.finish();
      EXPECT_EQ(table.counts().reassembled, 1);
      EXPECT_EQ(table.counts().lost, 0);
    }
  }
}

TEST(Decode, WithoutATableAFragmentIsOnlyNamed) {
  for (const bool six : {false, true}) {
    for (const std::string& part : fragments_of(ip_of(segment_over(six)), 16)) {
      EXPECT_EQ(read_ip(part).kind, PacketKind::fragment);
    }
  }
}

// Reads all; the last answer.
Read last_of(const std::vector<std::string>& packets, Fragments& table) {
  Read out;
  for (const std::string& packet : packets) out = read_ip(packet, &table);
  return out;
}

TEST(Decode, ReadsTunnelsInFragmentsAndFragmentsInTunnels) {
  for (const bool six : {false, true}) {
    const TcpSegment sent = segment_over(six);
    for (const Tunnel& tunnel : tunnels()) {
      SCOPED_TRACE(tunnel.name);
      Fragments tunnels_in_fragments;
      expect_whole(sent, last_of(fragments_of(tunnel.wrap(ip_of(sent)), 24), tunnels_in_fragments));
      Fragments fragments_in_tunnels, both;
      std::vector<std::string> wrapped, wrapped_parts;
      unsigned id = 100;
      for (const std::string& part : fragments_of(ip_of(sent), 24)) {
        wrapped.push_back(tunnel.wrap(part));
        for (const std::string& piece : fragments_of(wrapped.back(), 24, ++id)) wrapped_parts.push_back(piece);
      }
      expect_whole(sent, last_of(wrapped, fragments_in_tunnels));
      expect_whole(sent, last_of(wrapped_parts, both));
    }
  }
}

TEST(Decode, FragmentsOfTwoNetworksHaveNothingToDoWithEachOther) {
  const auto parts = fragments_of(ip_of(segment_over(false)), 16);
  ASSERT_EQ(parts.size(), 4u);
  const auto in_network = [](unsigned network, const std::string& part) {
    return ip_of({.protocol = 17}, udp_of(1, 4789, u32(0x08000000) + u24(network) + u8(0) + ethernet(part)));
  };
  Fragments table;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(read_ip(in_network(i % 2, parts[i]), &table).kind, PacketKind::fragment);
  }
}

TEST(Decode, AFragmentThatWasCutIsTruncatedAndNotKept) {
  const auto parts = fragments_of(ip_of(segment_over(false)), 32);
  ASSERT_EQ(parts.size(), 2u);
  Fragments table;
  EXPECT_EQ(read({101, parts[0].substr(0, 50), parts[0].size()}, &table).kind, PacketKind::truncated);
  EXPECT_EQ(read_ip(parts[1], &table).kind, PacketKind::fragment);
  EXPECT_EQ(table.counts().kept, 1);
}

TEST(Decode, FragmentsThatNoHostSendsAreMalformed) {
  const auto middle = [](std::size_t size, unsigned field) {
    return ip_of({.fragment = field}, std::string(size, 'x'));
  };
  Fragments table;
  EXPECT_EQ(read_ip(middle(0, 0x2001), &table).kind, PacketKind::malformed);
  EXPECT_EQ(read_ip(middle(9, 0x2001), &table).kind, PacketKind::malformed);
  EXPECT_EQ(read_ip(middle(16, 0x1fff), &table).kind, PacketKind::malformed);
  EXPECT_EQ(read_ip(middle(7, 0x1fff), &table).kind, PacketKind::fragment);
}

TEST(Decode, MarksASegmentWhoseFragmentsContradictEachOther) {
  const TcpSegment sent = segment_over(false);
  auto parts = fragments_of(ip_of(sent), 16);
  std::string other = parts[1];
  other.back() = '#';
  Fragments table;
  for (const std::string& part : {parts[0], parts[1], other, parts[2]}) {
    EXPECT_EQ(read_ip(part, &table).kind, PacketKind::fragment);
  }
  const Read out = read_ip(parts[3], &table);
  EXPECT_EQ(out.payload, sent.payload);
  EXPECT_TRUE(out.segment.conflicting);
  EXPECT_FALSE(read_ip(ip_of(sent), &table).segment.conflicting);
}

TEST(Decode, FragmentsOfAnythingElseGetTheKindOfWhatTheyMake) {
  Fragments table;
  EXPECT_EQ(last_of(fragments_of(ip_of({.protocol = 17}, udp_of(1, 53, std::string(90, 'x'))), 16), table).kind,
            PacketKind::not_tcp);
}

// --- names ----------------------------------------------------------------------------------------------------------

TEST(Decode, EveryKindHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (std::size_t kind = 0; kind < packet_kinds; ++kind) names.insert(name_of(static_cast<PacketKind>(kind)));
  EXPECT_EQ(names.size(), packet_kinds);
  EXPECT_EQ(names.count("unknown"), 0u);
}

TEST(Decode, WritesEndpointsAsTheRfcHasThem) {
  EXPECT_EQ(text_of(endpoint("10.0.0.1", 8080)), "10.0.0.1:8080");
  EXPECT_EQ(text_of(endpoint("::1", 8080)), "[::1]:8080");
  EXPECT_EQ(text_of(endpoint("2001:DB8:0:0:1:0:0:1", 1)), "[2001:db8::1:0:0:1]:1");
  EXPECT_EQ(text_of(endpoint("2001:db8:0:1:1:1:1:1", 65'535)), "[2001:db8:0:1:1:1:1:1]:65535");
  EXPECT_EQ(text_of(endpoint("0.0.0.0", 0)), "0.0.0.0:0");
}

}  // namespace
}  // namespace rehearse::replay
