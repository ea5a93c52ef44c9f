// Writes the seeds of decode_fuzz: `decode_corpus FOLDER`.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "replay/capture/test_frames.h"

namespace {

using namespace rehearse::replay::testing;

// As in decode_fuzz.cpp.
constexpr std::array<std::uint16_t, 17> link_types = {1,   0,   9,   12,  14,  50,  51,  101, 104,
                                                      105, 108, 113, 127, 228, 229, 239, 276};

void write(const std::filesystem::path& file, std::uint16_t link_type, const std::vector<std::string>& packets) {
  const auto index = std::find(link_types.begin(), link_types.end(), link_type) - link_types.begin();
  std::ofstream out(file, std::ios::binary);
  out << static_cast<char>(index);
  for (const std::string& packet : packets) {
    out << static_cast<char>(packet.size() & 0xff) << static_cast<char>(packet.size() >> 8) << packet;
  }
}

void write_all(const std::filesystem::path& folder) {
  for (const bool six : {false, true}) {
    const std::string version = six ? "6" : "4";
    const std::string packet = ip_of(segment_over(six));
    for (const Carrier& carrier : carriers()) {
      write(folder / (carrier.name + version), carrier.link_type, {carrier.wrap(packet)});
    }
    for (const Tunnel& tunnel : tunnels()) {
      write(folder / (tunnel.name + version), 101, {tunnel.wrap(packet)});
      write(folder / (tunnel.name + version + "_fragments"), 101, fragments_of(tunnel.wrap(packet), 64));
    }
    write(folder / ("fragments" + version), 101, fragments_of(packet, 16));
  }
  for (const Extension& extension : extensions()) {
    write(folder / extension.name, 101, {extension.wrap(segment_over(extension.six))});
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || !std::filesystem::is_directory(argv[1])) {
    fmt::print(stderr, "Give a folder to write the seeds into.\n");
    return 3;
  }
  write_all(argv[1]);
  return 0;
}
