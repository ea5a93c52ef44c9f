#include "replay/capture/filter.h"

#include <fmt/format.h>
#include <pcap/pcap.h>

#include <map>
#include <mutex>

#include "replay/error.h"

namespace rehearse::replay {
namespace {

// An expression, compiled for one link type.
class Program {
 public:
  Program(int link_type, const std::string& expression) {
    pcap_t* handle = pcap_open_dead(link_type, static_cast<int>(limits::packet_bytes));
    compiled_ = pcap_compile(handle, &program_, expression.c_str(), 1, PCAP_NETMASK_UNKNOWN) == 0;
    if (!compiled_) problem_ = pcap_geterr(handle);
    pcap_close(handle);
  }
  ~Program() {
    if (compiled_) pcap_freecode(&program_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] bool compiled() const { return compiled_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] bool matches(const Packet& packet) const {
    pcap_pkthdr header{};
    header.caplen = static_cast<bpf_u_int32>(packet.bytes.size());
    header.len = packet.wire_length;
    return compiled_ && pcap_offline_filter(&program_, &header, packet.bytes.data()) != 0;
  }

 private:
  bpf_program program_{};
  bool compiled_ = false;
  std::string problem_;
};

// LINKTYPE_ values are those of the file; libpcap numbers a few link types otherwise inside.
int dlt_of(std::uint16_t link_type) { return link_type == 101 ? DLT_RAW : link_type; }

}  // namespace

struct Filter::Programs {
  std::string expression;
  std::mutex mutex;
  std::map<std::uint16_t, Program> by_link_type;
};

Filter::Filter(const std::string& expression) {
  if (expression.empty()) return;
  programs_ = std::make_unique<Programs>();
  programs_->expression = expression;
  const auto [ethernet, fresh] = programs_->by_link_type.try_emplace(DLT_EN10MB, DLT_EN10MB, expression);
  if (!ethernet->second.compiled())
    throw Error(fmt::format("the filter `{}` cannot be compiled: {}; see pcap-filter(7)", expression,
                            ethernet->second.problem()));
}

Filter::~Filter() = default;

bool Filter::matches(const Packet& packet) const {
  const Program* program = nullptr;
  {
    const std::lock_guard lock(programs_->mutex);
    program = &programs_->by_link_type.try_emplace(packet.link_type, dlt_of(packet.link_type), programs_->expression)
                   .first->second;
  }
  return program->matches(packet);
}

}  // namespace rehearse::replay
