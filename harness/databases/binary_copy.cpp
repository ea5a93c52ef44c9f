#include "harness/databases/binary_copy.h"

#include <fmt/format.h>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

constexpr std::string_view signature("PGCOPY\n\377\r\n\0", 11);

[[noreturn]] void broken(std::string_view how) { throw Error(fmt::format("a binary COPY stream is broken: {}", how)); }

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

}  // namespace

std::string_view BinaryCopy::bytes(std::size_t count) {
  if (rest_.size() < count) broken("it ends within a row");
  const std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

std::int32_t BinaryCopy::int32() { return static_cast<std::int32_t>(big_endian(bytes(4))); }

void BinaryCopy::take(std::string_view message) {
  rest_ = message;
  if (begun_) return;
  begun_ = true;
  if (rest_.substr(0, signature.size()) != signature) broken("it does not begin with the signature");
  rest_.remove_prefix(signature.size());
  // The upper half of the flags are those that a reader must know; there are none yet.
  if ((static_cast<std::uint32_t>(int32()) >> 16) != 0) broken("its flags are of a later version of the format");
  const std::int32_t extension = int32();
  if (extension < 0) broken("its header has a negative length");
  static_cast<void>(bytes(static_cast<std::size_t>(extension)));
}

const BinaryRow* BinaryCopy::next() {
  if (rest_.empty()) return nullptr;
  if (ended_) broken("there is more behind its end");
  const auto fields = static_cast<std::int16_t>(big_endian(bytes(2)));
  if (fields == -1) {
    ended_ = true;
    if (!rest_.empty()) broken("there is more behind its end");
    return nullptr;
  }
  if (fields < 0 || static_cast<std::size_t>(fields) != row_.size())
    broken(fmt::format("a row has {} fields instead of {}", fields, row_.size()));
  for (BinaryField& field : row_) {
    field.size = int32();
    if (field.size < -1) broken("a field has a negative length");
    field.bytes = field.null() ? nullptr : bytes(static_cast<std::size_t>(field.size)).data();
  }
  return &row_;
}

}  // namespace rehearse::harness
