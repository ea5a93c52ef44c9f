#include "replay/capture/import.h"

#include <fmt/format.h>

#include <algorithm>

#include "replay/capture/frame.h"
#include "replay/capture/http_assembly.h"
#include "replay/capture/packet_reader.h"
#include "replay/capture/reassembly.h"

namespace rehearse::replay {

Traffic import_captures(const std::vector<std::string>& paths) {
  Traffic traffic;
  Certificate& certificate = traffic.certificate;
  Reassembler reassembler;
  for (const std::string& path : paths) {
    const auto notes = read_packets(path, [&](const Packet& packet) {
      certificate.packets["read"] += 1;
      const auto segment = segment_of(packet);
      if (const auto* reason = std::get_if<std::string_view>(&segment)) {
        certificate.packets[std::string(*reason)] += 1;
        return;
      }
      certificate.packets["tcp"] += 1;
      const auto& tcp = std::get<Segment>(segment);
      if (tcp.cut) certificate.packets["tcp cut by the snap length"] += 1;
      certificate.bytes["captured"] += static_cast<std::int64_t>(tcp.payload.size());
      reassembler.take(tcp);
    });
    for (const std::string& note : notes) certificate.notes.push_back(fmt::format("{}: {}", path, note));
  }
  if (reassembler.duplicate_bytes() > 0) certificate.bytes["duplicate"] += reassembler.duplicate_bytes();
  for (Connection& connection : reassembler.finish()) {
    auto exchanges = exchanges_of(std::move(connection), certificate);
    if (exchanges.empty()) continue;
    ++certificate.connections;
    for (Exchange& exchange : exchanges) {
      exchange.connection = certificate.connections;
      certificate.exchanges[exchange.complete() ? "complete" : exchange.flags.front()] += 1;
      traffic.exchanges.push_back(std::move(exchange));
    }
  }
  std::stable_sort(traffic.exchanges.begin(), traffic.exchanges.end(), [](const Exchange& a, const Exchange& b) {
    return std::tie(a.request_ns, a.connection, a.index) < std::tie(b.request_ns, b.connection, b.index);
  });
  std::int64_t id = 0;
  for (Exchange& exchange : traffic.exchanges) exchange.id = ++id;
  return traffic;
}

}  // namespace rehearse::replay
