// Makes the seeds of tls_fuzz and http2_fuzz of captures with one connection each: `protocols_corpus FOLDER FILE...`; the keys of
// x.pcap are in x.keys. Those without keys are HTTP/2.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "replay/capture/byte_source.h"
#include "replay/capture/decode.h"
#include "replay/capture/packet_reader.h"
#include "replay/fuzz/streams.h"

namespace {

using namespace rehearse::replay;

// `upgraded` is set when the streams begin with HTTP/1.1, which is left out.
std::string calls_in(const std::string& path, bool& upgraded) {
  PacketReader reader(open_bytes(path), path);
  std::string calls;
  std::optional<Endpoint> client;
  each_batch(reader, [&](const std::vector<Packet>& packets) {
    for (const Packet& packet : packets) {
      Segment segment;
      if (decode(packet, segment, nullptr) != PacketKind::tcp) continue;
      if (!client) client = segment.source;
      if (segment.payload.empty()) continue;
      const Side from = segment.source == *client ? Side::a : Side::b;
      std::string_view bytes(reinterpret_cast<const char*>(segment.payload.data()), segment.payload.size());
      if (bytes.starts_with("GET ") || bytes.starts_with("HTTP/1.1 ")) {
        upgraded = true;
        bytes.remove_prefix(bytes.find("\r\n\r\n") + 4);
      }
      for (; !bytes.empty(); bytes.remove_prefix(std::min<std::size_t>(60'000, bytes.size())))
        calls += fuzz::input_of({from, false, false, std::string(bytes.substr(0, 60'000))});
    }
  });
  return calls;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "Give the folder of the corpora and captures.\n");
    return 3;
  }
  for (int i = 2; i < argc; ++i) {
    const std::filesystem::path capture = argv[i];
    const std::filesystem::path key_log = std::filesystem::path(capture).replace_extension(".keys");
    std::string input(1, '\0');
    const bool has_keys = std::filesystem::exists(key_log);
    if (has_keys) {
      std::ifstream file(key_log, std::ios::binary);
      const std::string keys{std::istreambuf_iterator<char>(file), {}};
      input += static_cast<char>(keys.size());
      input += static_cast<char>(keys.size() >> 8);
      input += keys;
    }
    bool upgraded = false;
    const std::string calls = calls_in(capture, upgraded);
    if (upgraded) input[0] = 1;
    const auto folder = std::filesystem::path(argv[1]) / (has_keys ? "tls" : "http2");
    std::filesystem::create_directories(folder);
    std::ofstream(folder / capture.stem(), std::ios::binary) << input << calls;
  }
  return 0;
}
