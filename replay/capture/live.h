// Packets from a network interface, through libpcap.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "replay/capture/packet_reader.h"

namespace rehearse::replay {

struct LiveOptions {
  std::string interface;                 // "eth0", "lo", "any"
  std::string filter;                    // of libpcap; given to the kernel
  std::size_t buffer_bytes = 64u << 20;  // in the kernel: half a second at 1 Gbit/s
  std::int64_t duration_ns = 0;          // 0 goes on until `stop`
  const std::atomic<bool>* stop = nullptr;
};

// Throws Error, with what to do, when the interface does not exist or may not be captured from.
[[nodiscard]] std::unique_ptr<PacketSource> open_interface(const LiveOptions& options);

}  // namespace rehearse::replay
