// Capture files to traffic: packets, segments, streams, exchanges, with a certificate of what is missing.
//
// Threads take blocks of packets in turns, and follow each other through the connections in the order of the capture. After a fixed
// number of packets the limits on the whole process are looked after and finished exchanges are put in order. So the same files
// give the same exchanges for any number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "replay/capture/packet_reader.h"
#include "replay/exchange.h"

namespace rehearse::replay {

struct ImportOptions {
  unsigned threads = 1;
  std::string filter;   // of libpcap (pcap-filter(7)), applied to captured packets; empty takes all
  std::string key_log;  // a file of TLS secrets in the NSS key log format (SSLKEYLOGFILE); empty when there is none
  bool verify_checksums = false;  // count segments whose TCP checksum is wrong; they are kept all the same
};

// Reads the captures, several merged by the time of their packets, and hands over their exchanges. They come numbered from 1, in
// the order of `request_ns`; one that lasted so long that `limits::ordering_bytes` of later ones had to wait for it comes when it
// is finished. Throws Error when a file cannot be read or is no capture.
[[nodiscard]] Certificate import_captures(const std::vector<std::string>& paths, const ImportOptions& options,
                                          const std::function<void(Exchange&&)>& take);

// The same of packets from anywhere else, for instance from an interface.
[[nodiscard]] Certificate import_packets(std::unique_ptr<PacketSource> source, const ImportOptions& options,
                                         const std::function<void(Exchange&&)>& take);

// The same into memory.
[[nodiscard]] Traffic import_captures(const std::vector<std::string>& paths, const ImportOptions& options = {});

}  // namespace rehearse::replay
