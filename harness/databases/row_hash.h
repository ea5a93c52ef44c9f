// The hash of a row, and the form in which its key travels through a difference table.
//
// The bytes of a row are its columns one behind the other, each with its length and NULL apart from every length: no two rows have
// the same bytes (so nothing shifts from one column into the next), and the key is among them. They are hashed as a whole, not
// column by column: a sum of hashes of columns would not notice values that change places between rows.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "harness/databases/difference_table.h"

namespace rehearse::harness {

// Appends a column to the bytes of a row. `write` appends the value's canonical bytes.
template <class Write>
void append_column(std::string& bytes, Write write) {
  const auto at = bytes.size();
  bytes.append(4, '\0');
  write(bytes);
  const auto size = static_cast<std::uint32_t>(bytes.size() - at - 4);
  for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(size >> (24 - 8 * i));
}
inline void append_null(std::string& bytes) { bytes.append(4, '\xFF'); }

class RowHasher {
 public:
  explicit RowHasher(std::uint64_t seed);

  // `key` are the bytes of the key's columns, made like those of the row; empty when the rows have no key.
  [[nodiscard]] RowElement element(std::string_view key, std::string_view row) const;

  // The key's bytes when they are in the element; nothing when they were too long and are hashed there.
  [[nodiscard]] static std::optional<std::string> key_in(const RowElement& element);

 private:
  std::array<unsigned char, 192> secret_{};
};

}  // namespace rehearse::harness
