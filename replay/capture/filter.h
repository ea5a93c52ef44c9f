// A capture filter of libpcap (pcap-filter(7)) on packets of any link type.
#pragma once

#include <memory>
#include <string>

#include "replay/capture/packet_reader.h"

namespace rehearse::replay {

class Filter {
 public:
  // An empty expression accepts everything. Throws Error when the expression has no meaning for Ethernet.
  explicit Filter(const std::string& expression);
  ~Filter();
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  // Safe to be called from several threads. A link type for which the expression has no meaning accepts nothing.
  [[nodiscard]] bool accepts(const Packet& packet) const { return !programs_ || matches(packet); }

 private:
  struct Programs;
  [[nodiscard]] bool matches(const Packet& packet) const;
  std::unique_ptr<Programs> programs_;
};

}  // namespace rehearse::replay
