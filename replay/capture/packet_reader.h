// Reads capture files: pcap in every byte order and resolution (and Kuznetzov's variant), pcapng with any mix of sections,
// interfaces, link types and resolutions; told apart by content. Formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
//
// A file is read in blocks of fixed size, once, from front to back: so pipes and compressed files are read like any other, a file
// that shrinks meanwhile does no harm, and memory does not grow with the file.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "replay/capture/byte_source.h"
#include "replay/capture/limits.h"
#include "replay/exchange.h"

namespace rehearse::replay {

struct Packet {
  std::int64_t time_ns = 0;              // since the epoch
  std::uint16_t link_type = 0;           // LINKTYPE_ value
  std::span<const unsigned char> bytes;  // as captured, without a frame check sequence that the file declares
  std::uint32_t wire_length = 0;         // on the wire; larger than bytes.size() when the snap length cut it
};

// How much is read until limits on the whole process are looked after. It counts packets and their bytes, and nothing that depends
// on how a file happens to be cut into reads: so the same capture gives the same exchanges, from a file or from a pipe.
struct Quota {
  std::size_t packets = limits::settled_packets;
  std::size_t bytes = limits::settled_bytes;

  void take(const Packet& packet) {
    --packets;
    bytes -= std::min(bytes, packet.bytes.size());
  }
  [[nodiscard]] bool used_up() const { return packets == 0 || bytes == 0; }
};

// What was read at once, and keeps its memory for the next time.
struct Block {
  std::vector<unsigned char> bytes;
  std::size_t size = 0;                  // of what was read
  bool fresh = false;                    // nothing was looked at yet
  bool last = false;                     // nothing follows; there are no bytes
  std::optional<std::string> problem{};  // why, unless all is well

  // Beside `bytes`, what packets of this block lie in: the one that began in blocks before, and whatever a source wants.
  std::vector<unsigned char> straddling;
  std::vector<std::shared_ptr<const void>> held;
};

// Where packets come from. They are had in two steps, so that one thread can read on while another one looks for the packets in
// what it has read. Either step is done by one thread at a time, and blocks are looked through in the order in which they were read.
class PacketSource {
 public:
  virtual ~PacketSource() = default;
  // Replaces what is in the block by what comes next, for which it may wait. Not called behind the last one.
  virtual void fetch(Block& block) = 0;

  enum class Found : std::uint8_t {
    some,     // the quota is used up; there may be more in the block
    all,      // the block is done
    nothing,  // the same: there were no packets for a while
    end,      // the same: no packets follow
  };
  // Replaces what is in `batch` by the next packets of the block, at most until `quota`, from which they are taken, is used up. Their
  // bytes are valid as long as the block is left alone. REQUIRES: the quota is not used up.
  virtual Found find(Block& block, std::vector<Packet>& batch, Quota& quota) = 0;
  // The TLS secrets that came with the packets since the last call, in the NSS key log format.
  [[nodiscard]] virtual std::string take_secrets() { return {}; }
  // Adds what is to say about the packets. Call once, at the end.
  virtual void finish(Certificate& certificate) const = 0;
};

class PacketReader {
 public:
  // Throws Error when it is no capture. `name` is for messages.
  PacketReader(std::unique_ptr<ByteSource> source, const std::string& name);
  ~PacketReader();
  PacketReader(const PacketReader&) = delete;
  PacketReader& operator=(const PacketReader&) = delete;

  // As those of PacketSource.
  void fetch(Block& block);
  PacketSource::Found find(Block& block, std::vector<Packet>& batch, Quota& quota);

  // What follows is for who is in the second step, or behind both.

  // One sentence each about what could not be read. A truncated last record keeps what came before.
  [[nodiscard]] const std::vector<std::string>& notes() const;
  // TLS secrets that the file carries, in the NSS key log format, as far as it was read.
  [[nodiscard]] const std::string& secrets() const;
  // Bytes of the capture that were read, after decompression.
  [[nodiscard]] std::uint64_t bytes_read() const;
  // Bytes behind the place where a damaged file could not be read on, as far as they were counted.
  [[nodiscard]] std::uint64_t unread() const;
  // Records that hold a packet and could not be read.
  [[nodiscard]] std::uint64_t skipped() const;
  // Packets that the capturing program or the kernel dropped, as far as the file says (pcapng, isb_ifdrop and isb_osdrop).
  [[nodiscard]] std::uint64_t dropped() const;

  class Format;  // one of the two

 private:
  std::unique_ptr<Format> format_;
};

// Both steps until the end, for who has one thread: calls `take` with one batch after the other.
template <typename Take>
void each_batch(PacketReader& reader, Take take) {
  Block block;
  std::vector<Packet> batch;
  for (auto found = PacketSource::Found::all; found != PacketSource::Found::end;) {
    if (found != PacketSource::Found::some) reader.fetch(block);
    Quota quota;
    found = reader.find(block, batch, quota);
    if (!batch.empty()) take(batch);
  }
}

}  // namespace rehearse::replay
