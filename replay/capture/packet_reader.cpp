#include "replay/capture/packet_reader.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

#include "replay/error.h"

namespace rehearse::replay {
namespace {

using Bytes = std::span<const unsigned char>;

// Integers of a file in its own byte order.
struct Order {
  bool swapped = false;

  std::uint32_t u32(Bytes bytes, std::size_t at) const {
    std::uint32_t value;
    std::memcpy(&value, bytes.data() + at, 4);
    return swapped ? __builtin_bswap32(value) : value;
  }
  std::uint16_t u16(Bytes bytes, std::size_t at) const {
    std::uint16_t value;
    std::memcpy(&value, bytes.data() + at, 2);
    return swapped ? __builtin_bswap16(value) : value;
  }
};

std::vector<unsigned char> contents_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(fmt::format("cannot open the capture {}: {}; check the path", path, std::strerror(errno)));
  return {std::istreambuf_iterator<char>(file), {}};
}

constexpr std::uint32_t pcap_us = 0xa1b2c3d4;
constexpr std::uint32_t pcap_ns = 0xa1b23c4d;
constexpr std::uint32_t pcapng_section = 0x0a0d0d0a;
constexpr std::uint32_t pcapng_order = 0x1a2b3c4d;

std::vector<std::string> read_pcap(Bytes file, Order order, bool nanoseconds,
                                   const std::function<void(const Packet&)>& take) {
  if (file.size() < 24) return {"the file ends within its header"};
  const auto link_type = static_cast<std::uint16_t>(order.u32(file, 20));
  std::size_t at = 24;
  std::size_t record = 0;
  while (at < file.size()) {
    ++record;
    if (file.size() - at < 16) return {fmt::format("record {} is truncated; what came before it was kept", record)};
    const std::uint32_t captured = order.u32(file, at + 8);
    if (captured > max_packet_bytes)
      return {fmt::format("record {} claims {} bytes: the file is damaged from here on", record, captured)};
    if (file.size() - at - 16 < captured)
      return {fmt::format("record {} is truncated; what came before it was kept", record)};
    const std::int64_t seconds = order.u32(file, at);
    const std::int64_t fraction = order.u32(file, at + 4);
    take({seconds * 1'000'000'000 + fraction * (nanoseconds ? 1 : 1000), link_type, file.subspan(at + 16, captured),
          order.u32(file, at + 12)});
    at += 16 + captured;
  }
  return {};
}

struct Interface {
  std::uint16_t link_type = 0;
  std::uint32_t snap_length = 0;
  // Time stamps count units of 10^-n or 2^-n seconds (option if_tsresol); microseconds unless said.
  bool binary = false;
  unsigned exponent = 6;
};

std::int64_t nanoseconds_of(std::uint64_t units, const Interface& interface) {
  if (interface.binary) {
    // Whole seconds and the rest apart, so that nothing overflows; a resolution finer than 2^-30 s is cut to that.
    const unsigned shift = interface.exponent > 30 ? interface.exponent - 30 : 0;
    const unsigned bits = interface.exponent - shift;
    const std::uint64_t ticks = units >> shift;
    const std::uint64_t rest = ticks & ((std::uint64_t{1} << bits) - 1);
    return static_cast<std::int64_t>((ticks >> bits) * 1'000'000'000u + ((rest * 1'000'000'000u) >> bits));
  }
  std::uint64_t scale = 1;
  for (unsigned i = interface.exponent; i < 9; ++i) scale *= 10;
  std::uint64_t divide = 1;
  for (unsigned i = 9; i < interface.exponent; ++i) divide *= 10;
  return static_cast<std::int64_t>(units * scale / divide);
}

Interface interface_of(Bytes body, const Order& order) {
  Interface interface {
    order.u16(body, 0), order.u32(body, 4), false, 6
  };
  std::size_t at = 8;
  while (at + 4 <= body.size()) {
    const auto code = order.u16(body, at);
    const std::size_t length = order.u16(body, at + 2);
    if (code == 0 || at + 4 + length > body.size()) break;
    if (code == 9 && length >= 1) {
      interface.binary = (body[at + 4] & 0x80) != 0;
      interface.exponent = std::min<unsigned>(body[at + 4] & 0x7f, interface.binary ? 63 : 19);
    }
    at += 4 + (length + 3) / 4 * 4;
  }
  return interface;
}

std::vector<std::string> read_pcapng(Bytes file, const std::function<void(const Packet&)>& take) {
  std::vector<std::string> notes;
  std::vector<Interface> interfaces;
  Order order;
  std::size_t at = 0;
  for (std::size_t block = 1; at < file.size(); ++block) {
    const std::string truncated = fmt::format("block {} is truncated; what came before it was kept", block);
    if (file.size() - at < 12) return notes.push_back(truncated), notes;
    if (order.u32(file, at) == pcapng_section) {  // reads the same in both byte orders
      std::uint32_t magic;
      std::memcpy(&magic, file.data() + at + 8, 4);
      order.swapped = magic != pcapng_order;
      if (order.u32(file, at + 8) != pcapng_order)
        return notes.push_back(fmt::format("block {} is no section header", block)), notes;
      interfaces.clear();
    }
    const std::uint32_t type = order.u32(file, at);
    const std::uint32_t length = order.u32(file, at + 4);
    if (length < 12 || length % 4 != 0 || length > max_packet_bytes + 4096) {
      return notes.push_back(fmt::format("block {} claims {} bytes: the file is damaged from here on", block, length)),
             notes;
    }
    if (file.size() - at < length) return notes.push_back(truncated), notes;
    const Bytes body = file.subspan(at + 8, length - 12);
    if (type == 1 && body.size() >= 8) {
      interfaces.push_back(interface_of(body, order));
    } else if ((type == 6 || type == 2) && body.size() >= 20) {  // enhanced packet, and its obsolete forerunner
      const std::uint32_t id = type == 6 ? order.u32(body, 0) : order.u16(body, 0);
      const std::uint32_t captured = order.u32(body, 12);
      if (id < interfaces.size() && captured <= body.size() - 20) {
        const std::uint64_t units = (static_cast<std::uint64_t>(order.u32(body, 4)) << 32) | order.u32(body, 8);
        take({nanoseconds_of(units, interfaces[id]), interfaces[id].link_type, body.subspan(20, captured),
              order.u32(body, 16)});
      } else {
        notes.push_back(
            fmt::format("block {} names an interface or a length that does not exist; it was skipped", block));
      }
    } else if (type == 3 && body.size() >= 4 && !interfaces.empty()) {  // simple packet: no time
      const std::uint32_t wire = order.u32(body, 0);
      const std::uint32_t snap = interfaces[0].snap_length ? interfaces[0].snap_length : wire;
      const auto captured = std::min<std::size_t>({wire, snap, body.size() - 4});
      take({0, interfaces[0].link_type, body.subspan(4, captured), wire});
    }
    at += length;
  }
  return notes;
}

}  // namespace

std::vector<std::string> read_packets(const std::string& path, const std::function<void(const Packet&)>& take) {
  const auto contents = contents_of(path);
  const Bytes file(contents);
  if (file.size() >= 4) {
    const std::uint32_t magic = Order{false}.u32(file, 0);
    const std::uint32_t turned = Order{true}.u32(file, 0);
    if (magic == pcapng_section) return read_pcapng(file, take);
    if (magic == pcap_us || magic == pcap_ns) return read_pcap(file, Order{false}, magic == pcap_ns, take);
    if (turned == pcap_us || turned == pcap_ns) return read_pcap(file, Order{true}, turned == pcap_ns, take);
  }
  throw Error(fmt::format("{} is {}; give a pcap or pcapng file, for instance from `tcpdump -w`", path,
                          file.empty() ? "empty" : "no capture"));
}

}  // namespace rehearse::replay
