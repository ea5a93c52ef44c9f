// Decodes packets of any bytes, with one table of fragments, and checks what must hold of every answer.
//
// Input: a byte that chooses the link type, then packets, each behind two bytes of its captured length (little-endian); the
// top bit of the length says that the snap length cut the packet.
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>

#include "replay/capture/decode.h"
#include "replay/capture/fragments.h"
#include "replay/error.h"

namespace {

using namespace rehearse::replay;

constexpr std::array<std::uint16_t, 19> link_types = {1,   0,   9,   12,  14,  50,  51,  101, 104,   105,
                                                      108, 113, 127, 228, 229, 239, 276, 147, 65'535};

bool lies_within(std::span<const unsigned char> part, std::span<const unsigned char> whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

bool are_same(const Segment& a, const Segment& b) {
  return a.source == b.source && a.destination == b.destination && a.network == b.network && a.sequence == b.sequence &&
         a.acknowledgement == b.acknowledgement && a.bad_checksum == b.bad_checksum && a.missing == b.missing &&
         a.payload.data() == b.payload.data() && a.payload.size() == b.payload.size();
}

// With a table and without, a packet that is no fragment is the same; without one nothing is read from elsewhere.
void check(const Packet& packet, Fragments& table) {
  Segment bare, full;
  const PacketKind without = decode(packet, bare, nullptr, Checksums::verified);
  const PacketKind with = decode(packet, full, &table, Checksums::verified);
  ENSURE(without != PacketKind::fragment_lost);
  if (without != PacketKind::fragment) {
    ENSURE(with == without);
    ENSURE(without != PacketKind::tcp || are_same(bare, full));
  }
  if (without == PacketKind::tcp) {
    ENSURE(lies_within(bare.payload, packet.bytes));
    ENSURE(!bare.conflicting);
  }
  if (with == PacketKind::tcp) {
    ENSURE(full.time_ns == packet.time_ns);
    volatile unsigned char last = 0;
    for (const unsigned char byte : full.payload) last = byte;  // the sanitizer sees a payload that is not there
    static_cast<void>(last);
    ENSURE(!full.bad_checksum || full.missing == 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::span<const unsigned char> rest(data, size);
  const std::uint16_t link_type = link_types[rest[0] % link_types.size()];
  rest = rest.subspan(1);
  Fragments table;
  std::int64_t packets = 0;
  while (rest.size() > 2) {
    const unsigned field = rest[0] | static_cast<unsigned>(rest[1]) << 8;
    rest = rest.subspan(2);
    const std::size_t length = std::min<std::size_t>(field & 0x7fff, rest.size());
    const std::size_t wire = length + (field & 0x8000 ? 100 : 0);
    // A block of its own, so that the sanitizer sees a read beyond the packet.
    const auto bytes = std::make_unique<unsigned char[]>(length);
    std::copy_n(rest.begin(), length, bytes.get());
    rest = rest.subspan(length);
    const std::int64_t time = packets++ * 1'000'000'000;
    check({time, link_type, {bytes.get(), length}, static_cast<std::uint32_t>(wire)}, table);
  }
  table.finish();
  ENSURE(table.counts().lost <= table.counts().kept);
  ENSURE(table.counts().kept <= packets);
  return 0;
}
