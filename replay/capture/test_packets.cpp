#include "replay/capture/test_packets.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>
#include <fstream>

#include "replay/error.h"

namespace rehearse::replay::testing {
namespace {

// Integers in the byte order of the file, or of the network.
class Bytes {
 public:
  explicit Bytes(bool big_endian) : big_endian_(big_endian) {}
  Bytes& u8(unsigned value) { return text(std::string(1, static_cast<char>(value))); }
  Bytes& u16(std::uint64_t value) { return integer(value, 2); }
  Bytes& u32(std::uint64_t value) { return integer(value, 4); }
  Bytes& text(std::string_view bytes) {
    out_ += bytes;
    return *this;
  }
  [[nodiscard]] const std::string& str() const { return out_; }

 private:
  Bytes& integer(std::uint64_t value, int size) {
    for (int i = 0; i < size; ++i) {
      out_ += static_cast<char>(value >> (big_endian_ ? 8 * (size - 1 - i) : 8 * i) & 0xff);
    }
    return *this;
  }
  bool big_endian_;
  std::string out_;
};

std::string address(const std::string& text) {
  std::array<char, 16> bytes{};
  const bool six = text.find(':') != std::string::npos;
  ENSURE(inet_pton(six ? AF_INET6 : AF_INET, text.c_str(), bytes.data()) == 1);
  return {bytes.data(), six ? 16u : 4u};
}

std::string ip_of(const Wire& wire) {
  Bytes tcp(true);
  const unsigned flags = (wire.fin ? 1u : 0u) | (wire.syn ? 2u : 0u) | (wire.rst ? 4u : 0u) | (wire.ack ? 16u : 0u);
  tcp.u16(wire.source_port).u16(wire.destination_port).u32(wire.sequence).u32(wire.acknowledgement);
  tcp.u8(0x80).u8(flags).u16(65535).u16(0).u16(0);
  tcp.text(std::string_view("\x01\x01\x08\x0a\0\0\0\1\0\0\0\1", 12)).text(wire.payload);  // the time stamp option
  const bool six = wire.source.find(':') != std::string::npos;
  Bytes ip(true);
  if (six) {
    ip.u32(0x60000000).u16(wire.length_unknown ? 0 : tcp.str().size()).u8(6).u8(64);
  } else {
    ip.u16(0x4500).u16(wire.length_unknown ? 0 : 20 + tcp.str().size()).u16(1).u16(0x4000).u8(64).u8(6).u16(0);
  }
  return ip.text(address(wire.source)).text(address(wire.destination)).text(tcp.str()).str();
}

std::uint16_t link_type(Link link) {
  switch (link) {
    case Link::ethernet:
    case Link::vlan:
    case Link::two_vlans:
      return 1;
    case Link::raw:
      return 101;
    case Link::linux_sll:
      return 113;
    case Link::linux_sll2:
      return 276;
    case Link::null:
      return 0;
  }
  return 0;
}

std::string frame_of(const Wire& wire, Link link) {
  const bool six = wire.source.find(':') != std::string::npos;
  const unsigned type = six ? 0x86dd : 0x0800;
  Bytes frame(true);
  const std::string addresses(12, 'm');
  switch (link) {
    case Link::ethernet:
      frame.text(addresses).u16(type);
      break;
    case Link::vlan:
      frame.text(addresses).u16(0x8100).u16(7).u16(type);
      break;
    case Link::two_vlans:
      frame.text(addresses).u16(0x88a8).u16(7).u16(0x8100).u16(8).u16(type);
      break;
    case Link::raw:
      break;
    case Link::linux_sll:
      frame.text(std::string(14, 's')).u16(type);
      break;
    case Link::linux_sll2:
      frame.u16(type).text(std::string(18, 's'));
      break;
    case Link::null:
      frame.u32(six ? 30 : 2);
      break;
  }
  frame.text(ip_of(wire));
  // Ethernet pads short frames; what stands behind the IP length is no payload.
  std::string bytes = frame.str();
  if (link == Link::ethernet && bytes.size() < 60 && !wire.length_unknown) bytes.resize(60, '\0');
  return bytes;
}

std::string pcap(const std::vector<Wire>& wires, const Format& format) {
  Bytes file(format.big_endian);
  file.u32(format.nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4)
      .u16(2)
      .u16(4)
      .u32(0)
      .u32(0)
      .u32(262'144)
      .u32(link_type(format.link));
  for (const Wire& wire : wires) {
    const std::string frame = frame_of(wire, format.link);
    const auto captured = std::min(frame.size(), wire.snap_length);
    const auto fraction = static_cast<std::uint64_t>(wire.time_ns % 1'000'000'000);
    file.u32(static_cast<std::uint64_t>(wire.time_ns / 1'000'000'000))
        .u32(format.nanoseconds ? fraction : fraction / 1000);
    file.u32(captured).u32(frame.size()).text(frame.substr(0, captured));
  }
  return file.str();
}

std::string pcapng(const std::vector<Wire>& wires, const Format& format) {
  Bytes file(format.big_endian);
  const auto block = [&](std::uint32_t type, std::string body) {
    body.resize((body.size() + 3) / 4 * 4, '\0');
    file.u32(type).u32(body.size() + 12).text(body).u32(body.size() + 12);
  };
  block(0x0a0d0d0a, Bytes(format.big_endian).u32(0x1a2b3c4d).u16(1).u16(0).u32(0xffffffff).u32(0xffffffff).str());
  Bytes interface(format.big_endian);
  interface.u16(link_type(format.link)).u16(0).u32(262'144);
  if (format.nanoseconds) interface.u16(9).u16(1).u8(9).u8(0).u16(0).u16(0).u16(0);  // if_tsresol 10^-9, end of options
  block(1, interface.str());
  for (const Wire& wire : wires) {
    const std::string frame = frame_of(wire, format.link);
    const auto captured = std::min(frame.size(), wire.snap_length);
    const auto units = static_cast<std::uint64_t>(format.nanoseconds ? wire.time_ns : wire.time_ns / 1000);
    Bytes packet(format.big_endian);
    packet.u32(0)
        .u32(units >> 32)
        .u32(units & 0xffffffff)
        .u32(captured)
        .u32(frame.size())
        .text(frame.substr(0, captured));
    block(6, packet.str());
  }
  return file.str();
}

}  // namespace

Conversation::Conversation(std::uint16_t client_port, std::uint32_t client_start, std::uint32_t server_start)
    : port_(client_port), client_next_(client_start), server_next_(server_start) {}

Wire& Conversation::add(bool from_client, std::string_view bytes) {
  Wire wire;
  wire.source = from_client ? client_address : server_address;
  wire.destination = from_client ? server_address : client_address;
  wire.source_port = from_client ? port_ : std::uint16_t{80};
  wire.destination_port = from_client ? std::uint16_t{80} : port_;
  wire.sequence = from_client ? client_next_ : server_next_;
  wire.acknowledgement = from_client ? server_next_ : client_next_;
  wire.ack = true;
  wire.payload = bytes;
  wire.time_ns = now_ns += 1'000'000;
  (from_client ? client_next_ : server_next_) += static_cast<std::uint32_t>(bytes.size());
  wires.push_back(std::move(wire));
  return wires.back();
}

Conversation& Conversation::open() {
  Wire& syn = add(true, "");
  syn.syn = true;
  syn.ack = false;
  syn.acknowledgement = 0;
  ++client_next_;
  add(false, "").syn = true;
  ++server_next_;
  add(true, "");
  return *this;
}

Conversation& Conversation::client(std::string_view bytes) { return add(true, bytes), *this; }
Conversation& Conversation::server(std::string_view bytes) { return add(false, bytes), *this; }

Conversation& Conversation::server_fin() {
  add(false, "").fin = true;
  ++server_next_;
  return *this;
}

Conversation& Conversation::client_fin() {
  add(true, "").fin = true;
  ++client_next_;
  return *this;
}

Conversation& Conversation::close() { return server_fin().client_fin(); }

std::string capture_of(const std::vector<Wire>& wires, const Format& format) {
  return format.pcapng ? pcapng(wires, format) : pcap(wires, format);
}

std::string get(const std::string& target) { return "GET " + target + " HTTP/1.1\r\nHost: shop\r\n\r\n"; }

std::string post(const std::string& target, const std::string& body) {
  return fmt::format("POST {} HTTP/1.1\r\nHost: shop\r\nContent-Length: {}\r\n\r\n{}", target, body.size(), body);
}

std::string ok(const std::string& body) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
}

std::string in_a_line(const Exchange& exchange) {
  std::string line = exchange.request.method + " " + exchange.request.target;
  if (!exchange.request.body.empty()) line += " " + exchange.request.body;
  if (exchange.response) {
    const std::string& body = exchange.response->body;
    line += fmt::format(" -> {} {}", exchange.response->status,
                        body.size() < 100 ? body : fmt::format("({})", body.size()));
  }
  for (const std::string& flag : exchange.flags) line += " [" + flag + "]";
  return line;
}

std::vector<std::string> lines_of(const Traffic& traffic) {
  std::vector<std::string> lines;
  for (const Exchange& exchange : traffic.exchanges) lines.push_back(in_a_line(exchange));
  return lines;
}

void expect_conservation(const Traffic& traffic, std::string_view what) {
  std::string text;
  for (const auto& [name, count] : traffic.certificate.bytes) text += fmt::format("{} {}, ", count, name);
  EXPECT_TRUE(traffic.certificate.conserves()) << what << ": " << text;
}

Folder::Folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "rehearse-test-XXXXXX").string();
  ENSURE(mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string Folder::write(std::string_view name, std::string_view bytes) const {
  std::ofstream(path_ / name, std::ios::binary) << bytes;
  return path(name);
}

}  // namespace rehearse::replay::testing
