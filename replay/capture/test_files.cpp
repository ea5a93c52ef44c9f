#include "replay/capture/test_files.h"

#include <zlib.h>
#include <zstd.h>

#include "replay/error.h"

namespace rehearse::replay::testing {

std::string Block::integer(std::uint64_t value, int size) const {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * (big_endian_ ? size - 1 - i : i)) & 0xff);
  return bytes;
}

std::string Block::of(std::uint32_t type, std::string body) const {
  body.resize((body.size() + 3) / 4 * 4, '\0');
  return u32(type) + u32(body.size() + 12) + body + u32(body.size() + 12);
}

std::string Block::option(unsigned code, std::string value) const {
  const std::string head = u16(code) + u16(value.size());
  value.resize((value.size() + 3) / 4 * 4, '\0');
  return head + value;
}

std::string Block::section() const {
  return of(0x0a0d0d0a, u32(0x1a2b3c4d) + u16(1) + u16(0) + u32(0xffffffff) + u32(0xffffffff));
}

std::string Block::interface(std::uint16_t link_type, std::string_view options, std::uint32_t snap_length) const {
  return of(1, u16(link_type) + u16(0) + u32(snap_length) + std::string(options));
}

std::string Block::packet(std::uint32_t interface, std::uint64_t units, std::string_view bytes) const {
  return of(6, u32(interface) + u32(units >> 32) + u32(units & 0xffffffff) + u32(bytes.size()) + u32(bytes.size()) +
                   std::string(bytes));
}

std::string pcap_file(const std::vector<Frame>& frames, const PcapStyle& style) {
  const Block order(style.big_endian);
  const bool nanoseconds = style.nanoseconds && !style.kuznetzov;
  std::string file = order.u32(style.kuznetzov ? 0xa1b2cd34 : nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4);
  file += order.u16(2) + order.u16(4) + order.u32(0) + order.u32(0) + order.u32(262'144);
  file += order.u32(frames.empty() ? 1 : frames[0].link_type);
  for (const Frame& frame : frames) {
    const auto time = static_cast<std::uint64_t>(frame.time_ns);
    const auto fraction = time % 1'000'000'000;
    file += order.u32(time / 1'000'000'000) + order.u32(nanoseconds ? fraction : fraction / 1000);
    file += order.u32(frame.bytes.size()) + order.u32(frame.bytes.size());
    if (style.kuznetzov) file += order.u32(2) + order.u16(0x0800) + std::string(2, '\0');  // interface, protocol, kind
    file += frame.bytes;
  }
  return file;
}

std::string gzipped(const std::string& bytes) {
  z_stream stream{};
  ENSURE(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string packed(deflateBound(&stream, bytes.size()) + 64, '\0');
  std::string input = bytes;
  stream.next_in = reinterpret_cast<unsigned char*>(input.data());
  stream.avail_in = static_cast<unsigned>(input.size());
  stream.next_out = reinterpret_cast<unsigned char*>(packed.data());
  stream.avail_out = static_cast<unsigned>(packed.size());
  ENSURE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string zstd_packed(const std::string& bytes) {
  std::string packed(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size = ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), 3);
  ENSURE(!ZSTD_isError(size));
  packed.resize(size);
  return packed;
}

}  // namespace rehearse::replay::testing
