// The bytes of a capture file: plain, gzip or zstd, told apart by content, from a file or from standard input.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace rehearse::replay {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills the front of `into` and returns how many bytes; 0 at the end. Throws Error when reading fails.
  virtual std::size_t read(std::span<unsigned char> into) = 0;
  // What is wrong with what was read so far, as a sentence; nothing when all is well. Compressed data that ends too early or is
  // damaged ends the bytes, and what came before is kept.
  [[nodiscard]] virtual std::optional<std::string> problem() const { return std::nullopt; }
  // The first bytes, up to sixteen, whether or not they were read already: what tells the formats apart.
  [[nodiscard]] virtual std::string_view beginning() const { return {}; }
};

// "-" is standard input. Throws Error when the file cannot be opened.
[[nodiscard]] std::unique_ptr<ByteSource> open_bytes(const std::string& path);

}  // namespace rehearse::replay
