// Reads capture files: pcap in every byte order and resolution (and Kuznetzov's variant), pcapng with any mix of sections,
// interfaces, link types and resolutions; told apart by content. Formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
//
// A file is read through a window of fixed size, once, from front to back: so pipes and compressed files are read like any other,
// a file that shrinks meanwhile does no harm, and memory does not grow with the file.
#pragma once

#include <cstdint>
#include <memory>
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

// Where packets come from.
class PacketSource {
 public:
  virtual ~PacketSource() = default;
  // Replaces what is in `batch` by the next packets, at most `limits::batch_packets`. Their bytes are valid until the call after
  // the next one, so that packets can be looked at while others are read. False at the end; true without packets when there were
  // none for a while.
  virtual bool read(std::vector<Packet>& batch) = 0;
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

  // Replaces what is in `batch` by the next packets, at most `limits::batch_packets`; leaves it empty at the end. Their bytes are
  // valid until the call after the next one.
  void read(std::vector<Packet>& batch);

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

}  // namespace rehearse::replay
