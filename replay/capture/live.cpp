#include "replay/capture/live.h"

#include <fmt/format.h>
#include <pcap/pcap.h>
#include <poll.h>

#include <chrono>
#include <cstring>
#include <utility>

#include "replay/capture/limits.h"
#include "replay/error.h"

namespace rehearse::replay {
namespace {

// Packets are handed over at least this often, so that exchanges come out while little is captured.
constexpr int patience_ms = 100;

class Interface final : public PacketSource {
 public:
  explicit Interface(const LiveOptions& options) : options_(options), handle_(nullptr, pcap_close) {
    char problem[PCAP_ERRBUF_SIZE] = "";
    handle_.reset(pcap_create(options.interface.c_str(), problem));
    if (!handle_) throw Error(fmt::format("cannot capture on {}: {}", options.interface, problem));
    // Segmentation offload makes packets of 64 KiB: a snap length of the link's would cut them.
    pcap_set_snaplen(handle_.get(), 262'144);
    pcap_set_buffer_size(handle_.get(), static_cast<int>(options.buffer_bytes));
    pcap_set_timeout(handle_.get(), patience_ms);
    pcap_set_tstamp_precision(handle_.get(), PCAP_TSTAMP_PRECISION_NANO);
    const int status = pcap_activate(handle_.get());
    if (status < 0) throw Error(reason(status));
    nanoseconds_ = pcap_get_tstamp_precision(handle_.get()) == PCAP_TSTAMP_PRECISION_NANO;
    link_type_ =
        static_cast<std::uint16_t>(pcap_datalink(handle_.get()) == DLT_RAW ? 101 : pcap_datalink(handle_.get()));
    if (!options.filter.empty()) set_filter();
    if (pcap_setnonblock(handle_.get(), 1, problem) < 0)
      throw Error(fmt::format("cannot capture on {}: {}", options.interface, problem));
    begin_ = std::chrono::steady_clock::now();
  }

  void fetch(Block& block) override {
    block.bytes.clear();
    block.fresh = true;
    block.last = over();
    if (block.last) return;
    const int most = static_cast<int>(limits::settled_packets);
    const int got = pcap_dispatch(handle_.get(), most, on_packet, reinterpret_cast<u_char*>(&block.bytes));
    if (got < 0) throw Error(fmt::format("capturing on {} failed: {}", options_.interface, pcap_geterr(handle_.get())));
    if (got > 0) return;
    pollfd wait{pcap_get_selectable_fd(handle_.get()), POLLIN, 0};
    poll(&wait, 1, patience_ms);
  }

  Found find(Block& block, std::vector<Packet>& batch, Quota& quota) override {
    batch.clear();
    if (block.last) return Found::end;
    if (block.bytes.empty()) return Found::nothing;
    if (std::exchange(block.fresh, false)) at_ = 0;
    while (at_ < block.bytes.size() && !quota.used_up()) {
      pcap_pkthdr header;
      std::memcpy(&header, block.bytes.data() + at_, sizeof header);
      const std::int64_t fraction = header.ts.tv_usec;
      batch.push_back({header.ts.tv_sec * 1'000'000'000 + fraction * (nanoseconds_ ? 1 : 1000),
                       link_type_,
                       {block.bytes.data() + at_ + sizeof header, header.caplen},
                       header.len});
      quota.take(batch.back());
      at_ += sizeof header + header.caplen;
    }
    return at_ < block.bytes.size() ? Found::some : Found::all;
  }

  void finish(Certificate& certificate) const override {
    pcap_stat counts{};
    if (pcap_stats(handle_.get(), &counts) != 0) {
      certificate.notes.push_back(fmt::format("{} does not say how many packets it dropped", options_.interface));
      return;
    }
    if (counts.ps_drop + counts.ps_ifdrop > 0)
      certificate.packets["dropped by the capturing host"] += counts.ps_drop + counts.ps_ifdrop;
  }

 private:
  static void on_packet(u_char* into, const pcap_pkthdr* header, const u_char* bytes) {
    auto& block = *reinterpret_cast<std::vector<unsigned char>*>(into);
    const auto* head = reinterpret_cast<const unsigned char*>(header);
    block.insert(block.end(), head, head + sizeof *header);
    block.insert(block.end(), bytes, bytes + header->caplen);
  }

  [[nodiscard]] bool over() const {
    if (options_.stop && *options_.stop) return true;
    const auto passed = std::chrono::steady_clock::now() - begin_;
    return options_.duration_ns > 0 &&
           std::chrono::duration_cast<std::chrono::nanoseconds>(passed).count() >= options_.duration_ns;
  }

  void set_filter() {
    bpf_program program{};
    if (pcap_compile(handle_.get(), &program, options_.filter.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0)
      throw Error(fmt::format("the filter `{}` cannot be compiled: {}; see pcap-filter(7)", options_.filter,
                              pcap_geterr(handle_.get())));
    const int status = pcap_setfilter(handle_.get(), &program);
    pcap_freecode(&program);
    if (status != 0) throw Error(fmt::format("the filter cannot be set: {}", pcap_geterr(handle_.get())));
  }

  [[nodiscard]] std::string reason(int status) const {
    if (status == PCAP_ERROR_NO_SUCH_DEVICE)
      return fmt::format("there is no interface {}; `ip link` lists them", options_.interface);
    if (status == PCAP_ERROR_PERM_DENIED)
      return fmt::format(
          "capturing on {} needs rights: run as root, or give the program CAP_NET_RAW "
          "(setcap cap_net_raw+ep)",
          options_.interface);
    if (status == PCAP_ERROR_IFACE_NOT_UP) return fmt::format("the interface {} is down", options_.interface);
    return fmt::format("cannot capture on {}: {} {}", options_.interface, pcap_statustostr(status),
                       pcap_geterr(handle_.get()));
  }

  LiveOptions options_;
  std::unique_ptr<pcap_t, void (*)(pcap_t*)> handle_;
  std::uint16_t link_type_ = 0;
  bool nanoseconds_ = false;
  std::size_t at_ = 0;  // in the block that is looked through
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace

std::unique_ptr<PacketSource> open_interface(const LiveOptions& options) {
  return std::make_unique<Interface>(options);
}

}  // namespace rehearse::replay
