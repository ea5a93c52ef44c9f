// Reads the bytes of a file, whatever it is, as a capture: the packets are the same however few bytes a read gives, and of what
// is imported every packet and every byte is counted once.
//
// Input: the file.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "replay/capture/import.h"
#include "replay/capture/packet_reader.h"
#include "replay/error.h"

namespace {

using namespace rehearse::replay;
using rehearse::Error;

// Gives at most `piece` bytes at once.
class Memory final : public ByteSource {
 public:
  Memory(std::string_view bytes, std::size_t piece) : bytes_(bytes), piece_(piece) {}
  std::size_t read(std::span<unsigned char> into) override {
    const std::size_t size = std::min({piece_, into.size(), bytes_.size()});
    std::memcpy(into.data(), bytes_.data(), size);
    bytes_.remove_prefix(size);
    return size;
  }

 private:
  std::string_view bytes_;
  std::size_t piece_;
};

std::string packets_in(std::string_view bytes, std::size_t piece) {
  std::string text;
  try {
    PacketReader reader(std::make_unique<Memory>(bytes, piece), "the file");
    each_batch(reader, [&](const std::vector<Packet>& packets) {
      ENSURE(packets.size() <= limits::settled_packets);
      for (const Packet& packet : packets) {
        ENSURE(packet.bytes.size() <= packet.wire_length);
        text += std::to_string(packet.time_ns) + " " + std::to_string(packet.link_type) + " " +
                std::to_string(packet.wire_length) + " ";
        text.append(reinterpret_cast<const char*>(packet.bytes.data()), packet.bytes.size());
      }
    });
    for (const std::string& note : reader.notes()) text += note + "\n";
    ENSURE(reader.bytes_read() <= bytes.size());
    text += reader.secrets();
  } catch (const Error& error) {
    text += error.what();
  }
  return text;
}

// A file in memory that has a name.
class File {
 public:
  explicit File(std::string_view bytes) : descriptor_(memfd_create("input", MFD_CLOEXEC)) {
    ENSURE(descriptor_ >= 0);
    ENSURE(write(descriptor_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  ~File() { close(descriptor_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

void import(std::string_view bytes) {
  const File file(bytes);
  try {
    const Traffic traffic = import_captures({file.path()});
    ENSURE(traffic.certificate.conserves());
    std::int64_t id = 0;
    for (const Exchange& exchange : traffic.exchanges) {
      ENSURE(exchange.id == ++id);
      ENSURE(!exchange.complete() || exchange.response);
    }
  } catch (const Error& error) {
    ENSURE(std::strlen(error.what()) > 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ENSURE(packets_in(bytes, SIZE_MAX) == packets_in(bytes, 7));
  import(bytes);
  return 0;
}
