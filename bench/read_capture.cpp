// Reads a capture once and says how long it took, as one JSON object: `read_capture loop|memory|file CAPTURE [THREADS [OUTPUT]]`.
// `loop` is the peer that looks at nothing: pcap_next_ex over the file. bench/captures runs the rows in turns.
#include <fmt/format.h>
#include <pcap/pcap.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "replay/capture/import.h"
#include "replay/error.h"
#include "replay/traffic_file.h"

namespace {

using namespace rehearse;

std::int64_t loop(const char* path) {
  char problem[PCAP_ERRBUF_SIZE];
  pcap_t* file = pcap_open_offline(path, problem);
  if (!file) throw Error(problem);
  pcap_pkthdr* header = nullptr;
  const u_char* bytes = nullptr;
  std::int64_t packets = 0;
  while (pcap_next_ex(file, &header, &bytes) == 1) ++packets;
  pcap_close(file);
  return packets;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) {
    fmt::print(stderr, "read_capture loop|memory|file CAPTURE [THREADS [OUTPUT]]\n");
    return 3;
  }
  const std::string how = argv[1];
  replay::ImportOptions options;
  options.threads = argc > 3 ? static_cast<unsigned>(std::atoi(argv[3])) : 1;
  const auto begin = std::chrono::steady_clock::now();
  std::int64_t packets = 0;
  std::int64_t exchanges = 0;
  std::int64_t incomplete = 0;
  if (how == "loop") {
    packets = loop(argv[2]);
  } else {
    std::optional<replay::TrafficWriter> writer;
    if (how == "file") writer.emplace(argv[4]);
    const auto certificate = replay::import_captures({argv[2]}, options, [&](replay::Exchange&& exchange) {
      ++exchanges;
      incomplete += !exchange.complete();
      if (writer) writer->add(exchange);
    });
    if (writer) writer->finish(certificate);
    packets = certificate.packets.at("read");
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "{{\"wall_s\": {:.4f}, \"cpu_s\": {:.4f}, \"packets\": {}, \"exchanges\": {}, \"incomplete\": {}, "
      "\"peak_mb\": {:.1f}}}\n",
      wall.count(), seconds(usage.ru_utime) + seconds(usage.ru_stime), packets, exchanges, incomplete,
      static_cast<double>(usage.ru_maxrss) / 1024);
} catch (const std::exception& problem) {
  fmt::print(stderr, "read_capture: {}\n", problem.what());
  return 3;
}
