// For fuzz targets: an input that says what the two streams of a connection bring, and the reader that is to take it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "replay/capture/conversation.h"

namespace rehearse::replay::fuzz {

// One call of a reader. In the input: a byte whose bits 0 and 1 are the side and whether the bytes are lost, bit 2 whether they
// conflict, two bytes of length (little-endian), and the bytes unless they are lost.
struct Call {
  Side from = Side::a;
  bool lost = false, conflicts = false;
  std::string bytes;
};
[[nodiscard]] std::vector<Call> calls_of(std::string_view input);
[[nodiscard]] std::string input_of(const Call& call);

// Makes the calls, each cut into pieces of `piece` bytes, ends both streams, and checks that every byte was counted once. Returns what
// was found, without what depends on time.
[[nodiscard]] std::string found_by(ProtocolReader& reader, Findings& findings, const std::vector<Call>& calls,
                                   std::size_t piece);

}  // namespace rehearse::replay::fuzz
