#include "replay/capture/packet_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "replay/error.h"

namespace rehearse::replay {
namespace {

using Bytes = std::span<const unsigned char>;

// Integers of a file in its own byte order.
struct Order {
  bool swapped = false;

  [[nodiscard]] std::uint32_t u32(const unsigned char* at) const {
    std::uint32_t value;
    std::memcpy(&value, at, 4);
    return swapped ? __builtin_bswap32(value) : value;
  }
  [[nodiscard]] std::uint16_t u16(const unsigned char* at) const {
    std::uint16_t value;
    std::memcpy(&value, at, 2);
    return swapped ? __builtin_bswap16(value) : value;
  }
  [[nodiscard]] std::uint64_t u64(const unsigned char* at) const {
    std::uint64_t value;
    std::memcpy(&value, at, 8);
    return swapped ? __builtin_bswap64(value) : value;
  }
};

// The bytes of a file that were fetched and not yet looked at: what is left of a block, and in front of it the beginning of
// something that began in blocks before and goes on in this one.
class Window {
 public:
  explicit Window(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {}

  void fetch(Block& block) {
    block.bytes.resize(block_bytes);
    block.size = source_->read(block.bytes);
    block.fresh = true;
    block.last = block.size == 0;
    block.problem = block.last ? source_->problem() : std::nullopt;
  }
  // Goes on in `block`. REQUIRES: nothing but a beginning is left of the one before.
  void enter(Block& block) {
    block_ = &block;
    at_ = block.bytes.data();
    end_ = at_ + block.size;
  }
  // `size` bytes at the current place, or nothing when they go on behind the block. What was had here before may move.
  [[nodiscard]] const unsigned char* have(std::size_t size) {
    if (!straddles_) return rest() >= size ? at_ : nullptr;
    if (begun_.size() < size) {
      const auto more = std::min(size - begun_.size(), rest());
      begun_.insert(begun_.end(), at_, at_ + more);
      at_ += more;
    }
    return begun_.size() >= size ? begun_.data() : nullptr;
  }
  // REQUIRES: `have(size)`, and nothing longer.
  void skip(std::size_t size) {
    passed_ += size;
    if (straddles_) {
      begun_.swap(block_->straddling);  // packets may lie in it
      forget_beginning();
    } else {
      at_ += size;
    }
  }
  // What is left of the block is the beginning of something.
  void leave() {
    begun_.insert(begun_.end(), at_, end_);
    at_ = end_;
    straddles_ = !begun_.empty();
  }
  // Forgets what is left, and says how much it was.
  std::size_t drop() {
    const std::size_t size = left();
    forget_beginning();
    at_ = end_;
    return size;
  }
  [[nodiscard]] std::size_t left() const { return begun_.size() + rest(); }
  [[nodiscard]] const Block& block() const { return *block_; }
  [[nodiscard]] std::uint64_t passed() const { return passed_; }

  // For before the first block: the first `size` bytes of the file, or as many as there are.
  std::span<const unsigned char> beginning(std::size_t size) {
    std::size_t got = 1;
    while (begun_.size() < size && got > 0) {
      const std::size_t before = begun_.size();
      begun_.resize(size);
      got = source_->read(std::span(begun_).subspan(before));
      begun_.resize(before + got);
    }
    straddles_ = !begun_.empty();
    return begun_;
  }
  void skip_beginning() {
    passed_ += begun_.size();
    forget_beginning();
  }
  [[nodiscard]] std::optional<std::string> problem() const { return source_->problem(); }

 private:
  [[nodiscard]] std::size_t rest() const { return static_cast<std::size_t>(end_ - at_); }
  void forget_beginning() {
    begun_.clear();
    straddles_ = false;
  }

  // Fits the second level cache, so that bytes are still near when they are looked at again.
  static constexpr std::size_t block_bytes = 256u << 10;
  std::unique_ptr<ByteSource> source_;
  Block* block_ = nullptr;
  const unsigned char *at_ = nullptr, *end_ = nullptr;
  std::vector<unsigned char> begun_;
  bool straddles_ = false;  // there is something in it
  std::uint64_t passed_ = 0;
};

constexpr std::uint32_t pcap_us = 0xa1b2c3d4;
constexpr std::uint32_t pcap_ns = 0xa1b23c4d;
constexpr std::uint32_t pcap_kuznetzov = 0xa1b2cd34;
constexpr std::uint32_t pcapng_section = 0x0a0d0d0a;
constexpr std::uint32_t pcapng_order = 0x1a2b3c4d;

}  // namespace

class PacketReader::Format {
 public:
  explicit Format(Window window) : window_(std::move(window)) {}
  virtual ~Format() = default;
  // Appends a packet that lies in the window, or moves on within it. `again` wants the block behind this one.
  enum class Step { taken, again, end };
  virtual Step step(std::vector<Packet>& batch) = 0;

  PacketSource::Found find(Block& block, std::vector<Packet>& batch, Quota& quota) {
    batch.clear();
    if (std::exchange(block.fresh, false)) window_.enter(block);
    for (std::size_t counted = 0; !over_;) {
      if (quota.used_up()) return PacketSource::Found::some;
      switch (step(batch)) {
        case Step::taken:
          for (; counted < batch.size(); ++counted) quota.take(batch[counted]);
          break;
        case Step::again:
          if (!block.last) {
            window_.leave();
            return PacketSource::Found::all;
          }
          // The file ends within the record or block `count_`, or right in front of it.
          if (window_.left() > 0)
            note(fmt::format("{} {} is truncated; what came before it was kept", unit_, count_ + 1));
          over_ = true;
          break;
        case Step::end:
          over_ = true;
          break;
      }
    }
    unread_ += window_.drop();  // behind a damaged place nothing is looked at, but counted
    if (block.problem) note(*block.problem);
    return block.last || unread_ >= drained_bytes ? PacketSource::Found::end : PacketSource::Found::all;
  }

  void note(std::string sentence) {
    if (notes_.size() < limits::notes) notes_.push_back(std::move(sentence));
  }

  std::vector<std::string> notes_;
  std::string secrets_;
  std::uint64_t dropped_ = 0;
  std::uint64_t unread_ = 0;
  std::uint64_t skipped_ = 0;
  Window window_;

 protected:
  std::string_view unit_ = "record";
  std::uint64_t count_ = 0;  // records or blocks behind us
  bool over_ = false;

 private:
  static constexpr std::uint64_t drained_bytes = 16ull << 30;  // a pipe may go on for ever
};

namespace {

class Pcap final : public PacketReader::Format {
 public:
  Pcap(Window window, Order order, bool nanoseconds, bool kuznetzov)
      : Format(std::move(window)), order_(order), fraction_ns_(nanoseconds ? 1 : 1000), header_(kuznetzov ? 24 : 16) {
    const unsigned char* header = window_.beginning(24).data();
    const std::uint32_t link = order_.u32(header + 20);
    link_type_ = static_cast<std::uint16_t>(link);
    // Bit 26 says that the upper four hold the length of the frame check sequence, in units of 16 bits.
    if (link & 0x04000000) check_bytes_ = (link >> 28) * 2;
    window_.skip_beginning();
  }

  Step step(std::vector<Packet>& batch) override {
    const unsigned char* header = window_.have(header_);
    if (!header) return Step::again;
    const std::uint32_t captured = order_.u32(header + 8);
    const std::uint32_t wire = order_.u32(header + 12);
    if (captured > limits::packet_bytes) {
      note(fmt::format("record {} claims {} bytes: the file is damaged from here on", count_ + 1, captured));
      return Step::end;
    }
    header = window_.have(header_ + captured);
    if (!header) return Step::again;
    const std::int64_t seconds = order_.u32(header);
    const std::int64_t fraction = order_.u32(header + 4);
    const std::uint32_t cut = wire <= captured ? std::min(check_bytes_, captured) : 0;
    batch.push_back({seconds * 1'000'000'000 + fraction * fraction_ns_, link_type_,
                     Bytes(header + header_, captured - cut), std::max(wire, captured) - cut});
    window_.skip(header_ + captured);
    ++count_;
    return Step::taken;
  }

 private:
  Order order_;
  std::int64_t fraction_ns_;
  std::size_t header_;
  std::uint16_t link_type_ = 0;
  std::uint32_t check_bytes_ = 0;
};

struct Interface {
  std::uint16_t link_type = 0;
  std::uint32_t snap_length = 0;
  // Time stamps count units of 10^-n or 2^-n seconds (option if_tsresol); microseconds unless said.
  bool binary = false;
  unsigned exponent = 6;
  std::int64_t offset_seconds = 0;  // if_tsoffset
  std::uint32_t check_bytes = 0;    // if_fcslen
  std::uint64_t dropped = 0;        // the last word of the interface statistics
};

std::int64_t nanoseconds_of(std::uint64_t units, const Interface& interface) {
  std::uint64_t seconds = 0;
  std::uint64_t rest = 0;
  if (interface.binary) {
    // A resolution finer than 2^-30 s is cut to that, so that nothing overflows.
    const unsigned shift = interface.exponent > 30 ? interface.exponent - 30 : 0;
    const unsigned bits = interface.exponent - shift;
    const std::uint64_t ticks = units >> shift;
    seconds = ticks >> bits;
    rest = ((ticks & ((std::uint64_t{1} << bits) - 1)) * 1'000'000'000u) >> bits;
  } else {
    std::uint64_t per_second = 1;
    for (unsigned i = 0; i < interface.exponent; ++i) per_second *= 10;
    seconds = units / per_second;
    rest = units % per_second;
    for (unsigned i = interface.exponent; i < 9; ++i) rest *= 10;
    for (unsigned i = 9; i < interface.exponent; ++i) rest /= 10;
  }
  // Times that no clock shows come out as some time between 1970 and 2116, the same on every machine: so the difference of two
  // is a number, and so is the sum of one and any of the times in limits.h.
  const std::uint64_t whole = seconds + static_cast<std::uint64_t>(interface.offset_seconds);
  return static_cast<std::int64_t>((whole * 1'000'000'000u + rest) & ((std::uint64_t{1} << 62) - 1));
}

class Pcapng final : public PacketReader::Format {
 public:
  explicit Pcapng(Window window) : Format(std::move(window)) { unit_ = "block"; }

  Step step(std::vector<Packet>& batch) override {
    const unsigned char* header = window_.have(12);
    if (!header) return Step::again;
    if (order_.u32(header) == pcapng_section) {  // reads the same in both byte orders
      order_.swapped = false;
      order_.swapped = order_.u32(header + 8) != pcapng_order;
      if (order_.u32(header + 8) != pcapng_order) {
        note(fmt::format("block {} is no section header: the file is damaged from here on", count_ + 1));
        return Step::end;
      }
    }
    const std::uint32_t length = order_.u32(header + 4);
    if (length < 12 || length % 4 != 0 || length > limits::block_bytes) {
      note(fmt::format("block {} claims {} bytes: the file is damaged from here on", count_ + 1, length));
      return Step::end;
    }
    header = window_.have(length);
    if (!header) return Step::again;
    ++count_;
    take_block(order_.u32(header), Bytes(header + 8, length - 12), batch);
    window_.skip(length);
    return Step::taken;
  }

 private:
  void take_block(std::uint32_t type, Bytes body, std::vector<Packet>& batch) {
    const unsigned char* at = body.data();
    if (type == pcapng_section) {
      if (body.size() < 8 || order_.u16(at + 4) != 1)
        note(fmt::format("block {} is a section of version {}; it is read as version 1", count_,
                         body.size() < 8 ? 0 : order_.u16(at + 4)));
      interfaces_.clear();
    } else if (type == 1 && body.size() >= 8) {
      add_interface(body);
    } else if ((type == 6 || type == 2) && body.size() >= 20) {  // enhanced packet, and its obsolete forerunner
      const std::uint32_t id = type == 6 ? order_.u32(at) : order_.u16(at);
      const std::uint32_t captured = order_.u32(at + 12);
      if (id >= interfaces_.size() || captured > body.size() - 20 || captured > limits::packet_bytes) {
        if (skipped_++ == 0)
          note(fmt::format("block {} names an interface or a length that does not exist; such blocks are skipped",
                           count_));
        return;
      }
      const std::uint64_t units = (std::uint64_t{order_.u32(at + 4)} << 32) | order_.u32(at + 8);
      time_ns_ = nanoseconds_of(units, interfaces_[id]);
      add_packet(batch, interfaces_[id], body.subspan(20, captured), order_.u32(at + 16));
    } else if (type == 3 && body.size() >= 4 &&
               !interfaces_.empty()) {  // simple packet: that of the packet before it is its time
      const std::uint32_t wire = order_.u32(at);
      const std::uint32_t snap = interfaces_[0].snap_length ? interfaces_[0].snap_length : wire;
      add_packet(batch, interfaces_[0], body.subspan(4, std::min<std::size_t>({wire, snap, body.size() - 4})), wire);
    } else if (type == 5 && body.size() >= 12) {
      take_statistics(body);
    } else if (type == 10 && body.size() >= 8 && order_.u32(at) == 0x544c534b) {  // decryption secrets: a TLS key log
      const auto size = std::min<std::size_t>(order_.u32(at + 4), body.size() - 8);
      if (secrets_.size() + size <= limits::block_bytes)
        secrets_.append(reinterpret_cast<const char*>(at) + 8, size).append("\n");
    }
  }

  void add_packet(std::vector<Packet>& batch, const Interface& interface, Bytes bytes, std::uint32_t wire) const {
    const auto captured = static_cast<std::uint32_t>(bytes.size());
    const std::uint32_t cut = wire <= captured ? std::min(interface.check_bytes, captured) : 0;
    batch.push_back({time_ns_, interface.link_type, bytes.first(captured - cut), std::max(wire, captured) - cut});
  }

  // Calls `take(code, value)` for each option from `at` on.
  template <typename Take>
  void each_option(Bytes body, std::size_t at, Take take) const {
    while (at + 4 <= body.size()) {
      const auto code = order_.u16(body.data() + at);
      const std::size_t length = order_.u16(body.data() + at + 2);
      if (code == 0 || at + 4 + length > body.size()) return;
      take(code, body.subspan(at + 4, length));
      at += 4 + (length + 3) / 4 * 4;
    }
  }

  void add_interface(Bytes body) {
    if (interfaces_.size() == limits::interfaces) {
      if (!std::exchange(told_of_interfaces_, true))
        note(fmt::format("the section has more than {} interfaces; the others' packets are skipped",
                         limits::interfaces));
      return;
    }
    Interface& interface = interfaces_.emplace_back();
    interface.link_type = order_.u16(body.data());
    interface.snap_length = order_.u32(body.data() + 4);
    each_option(body, 8, [&](std::uint16_t code, Bytes value) {
      if (code == 9 && !value.empty()) {
        interface.binary = (value[0] & 0x80) != 0;
        interface.exponent = std::min<unsigned>(value[0] & 0x7f, interface.binary ? 63 : 19);
      } else if (code == 13 && !value.empty()) {
        interface.check_bytes = value[0];
      } else if (code == 14 && value.size() >= 8) {
        interface.offset_seconds = static_cast<std::int64_t>(order_.u64(value.data()));
      }
    });
  }

  void take_statistics(Bytes body) {
    const std::uint32_t id = order_.u32(body.data());
    if (id >= interfaces_.size()) return;
    std::uint64_t lost = 0;
    each_option(body, 12, [&](std::uint16_t code, Bytes value) {
      if ((code == 5 || code == 7) && value.size() >= 8) lost += order_.u64(value.data());  // isb_ifdrop, isb_osdrop
    });
    dropped_ += lost - std::min(lost, interfaces_[id].dropped);
    interfaces_[id].dropped = std::max(interfaces_[id].dropped, lost);
  }

  Order order_;
  std::vector<Interface> interfaces_;
  bool told_of_interfaces_ = false;
  std::int64_t time_ns_ = 0;
};

}  // namespace

PacketReader::PacketReader(std::unique_ptr<ByteSource> source, const std::string& name) {
  Window window(std::move(source));
  // As much as the shortest block has.
  if (const auto beginning = window.beginning(12); beginning.size() >= 4) {
    const std::uint32_t magic = Order{false}.u32(beginning.data());
    const std::uint32_t turned = Order{true}.u32(beginning.data());
    if (magic == pcapng_section) {
      format_ = std::make_unique<Pcapng>(std::move(window));
      return;
    }
    for (const bool swapped : {false, true}) {
      const std::uint32_t own = swapped ? turned : magic;
      if (own != pcap_us && own != pcap_ns && own != pcap_kuznetzov) continue;
      if (window.beginning(24).size() < 24)
        throw Error(fmt::format("{} ends within its header; it was not written whole", name));
      format_ = std::make_unique<Pcap>(std::move(window), Order{swapped}, own == pcap_ns, own == pcap_kuznetzov);
      return;
    }
  }
  if (window.left() == 0 && window.problem())
    throw Error(
        fmt::format("{}: {}; fetch it anew, or unpack it with the program that packed it", name, *window.problem()));
  throw Error(fmt::format("{} is {}; give a pcap or pcapng file, for instance from `tcpdump -w`", name,
                          window.left() == 0 ? "empty" : "no capture"));
}

PacketReader::~PacketReader() = default;

void PacketReader::fetch(Block& block) { format_->window_.fetch(block); }
PacketSource::Found PacketReader::find(Block& block, std::vector<Packet>& batch, Quota& quota) {
  return format_->find(block, batch, quota);
}
const std::vector<std::string>& PacketReader::notes() const { return format_->notes_; }
const std::string& PacketReader::secrets() const { return format_->secrets_; }
std::uint64_t PacketReader::bytes_read() const { return format_->window_.passed(); }
std::uint64_t PacketReader::unread() const { return format_->unread_; }
std::uint64_t PacketReader::skipped() const { return format_->skipped_; }
std::uint64_t PacketReader::dropped() const { return format_->dropped_; }

}  // namespace rehearse::replay
