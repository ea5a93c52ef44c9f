// For tests: capture files of frames, block by block, and compressed files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse::replay::testing {

struct Frame {
  std::int64_t time_ns = 0;
  std::uint16_t link_type = 1;
  std::string bytes;
};

struct PcapStyle {
  bool big_endian = false;
  bool nanoseconds = false;
  bool kuznetzov = false;  // record headers of 24 bytes, in microseconds
};
// The link type is that of the first frame.
[[nodiscard]] std::string pcap_file(const std::vector<Frame>& frames, const PcapStyle& style = {});

// Blocks of a pcapng file (draft-ietf-opsawg-pcapng) in one byte order.
class Block {
 public:
  explicit Block(bool big_endian = false) : big_endian_(big_endian) {}
  [[nodiscard]] std::string u16(std::uint64_t value) const { return integer(value, 2); }
  [[nodiscard]] std::string u32(std::uint64_t value) const { return integer(value, 4); }
  [[nodiscard]] std::string u64(std::uint64_t value) const { return integer(value, 8); }
  [[nodiscard]] std::string of(std::uint32_t type, std::string body) const;
  [[nodiscard]] std::string option(unsigned code, std::string value) const;
  [[nodiscard]] std::string section() const;
  [[nodiscard]] std::string interface(std::uint16_t link_type, std::string_view options = "",
                                      std::uint32_t snap_length = 262'144) const;
  [[nodiscard]] std::string packet(std::uint32_t interface, std::uint64_t units, std::string_view bytes) const;

 private:
  [[nodiscard]] std::string integer(std::uint64_t value, int size) const;
  bool big_endian_;
};

[[nodiscard]] std::string gzipped(const std::string& bytes);
[[nodiscard]] std::string zstd_packed(const std::string& bytes);

}  // namespace rehearse::replay::testing
