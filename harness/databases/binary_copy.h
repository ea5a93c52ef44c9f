// Reads the rows out of the messages of `COPY ... TO STDOUT (FORMAT binary)`.
//
// The format is in PostgreSQL's manual under COPY, "Binary Format": a signature, then each row as a count of fields and the
// fields with their lengths, then the count -1. Only that count is the end of the data: a stream that stops in any other way
// is broken, and a broken stream must never look like a short table.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace rehearse::harness {

// One value as it came, within the message it came in.
struct BinaryField {
  const char* bytes = nullptr;
  std::int32_t size = -1;  // of NULL

  [[nodiscard]] bool null() const { return size < 0; }
  // REQUIRES: not null.
  [[nodiscard]] std::string_view value() const { return {bytes, static_cast<std::size_t>(size)}; }
};
using BinaryRow = std::vector<BinaryField>;

class BinaryCopy {
 public:
  explicit BinaryCopy(std::size_t columns) : row_(columns) {}

  // The stream's next message, which must outlive its rows. REQUIRES: `next` has given nullptr for the one before.
  // Throws Error when the stream begins with something else than the signature.
  void take(std::string_view message);
  // The next row of the message; nullptr when it is used up. Throws Error for what is no row of so many columns.
  [[nodiscard]] const BinaryRow* next();
  // The end of the data was seen; the only proof that no row is missing.
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  [[nodiscard]] std::string_view bytes(std::size_t count);
  [[nodiscard]] std::int32_t int32();

  BinaryRow row_;
  std::string_view rest_;
  bool begun_ = false, ended_ = false;
};

}  // namespace rehearse::harness
