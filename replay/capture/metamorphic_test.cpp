// The same conversation however it was carried and written down: in tags, tunnels and fragments, in every format of file, at
// other sequence numbers, captured twice, divided over files. The exchanges are the same.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <functional>

#include "replay/capture/import.h"
#include "replay/capture/test_files.h"
#include "replay/capture/test_frames.h"
#include "replay/capture/test_packets.h"

namespace rehearse::replay {
namespace {

using testing::Block;
using testing::Conversation;
using testing::Folder;
using testing::Frame;
using testing::Wire;

std::size_t draw(std::size_t least, std::size_t most) { return *rc::gen::inRange<std::size_t>(least, most + 1); }

struct Starts {
  std::uint32_t client = 1000, server = 5000;
};

// A conversation of any exchanges in any segments.
struct Script {
  std::vector<std::pair<bool, std::string>> said;  // by the client?
};

Script any_script() {
  Script script;
  const auto say = [&](bool client, const std::string& text) {
    const std::size_t size = draw(1, text.size());
    for (std::size_t at = 0; at < text.size(); at += size) script.said.emplace_back(client, text.substr(at, size));
  };
  for (std::size_t i = 0, n = draw(1, 5); i < n; ++i) {
    const std::string body(draw(0, 60), static_cast<char>('a' + i));
    say(true, i % 2 == 0 ? fmt::format("GET /{} HTTP/1.1\r\nHost: shop\r\n\r\n", i)
                         : fmt::format("POST /{} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{}", i, body.size(), body));
    say(false, fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body));
  }
  return script;
}

std::vector<Wire> wires_of(const Script& script, bool six = false, const Starts& starts = {}) {
  Conversation c(40'000, starts.client, starts.server);
  if (six) {
    c.client_address = "2001:db8::1";
    c.server_address = "2001:db8::2";
  }
  c.open();
  for (const auto& [client, text] : script.said) client ? c.client(text) : c.server(text);
  return c.close().wires;
}

std::string ip_of(const Wire& wire) {
  testing::TcpSegment tcp;
  tcp.source = wire.source;
  tcp.destination = wire.destination;
  tcp.source_port = wire.source_port;
  tcp.destination_port = wire.destination_port;
  tcp.sequence = wire.sequence;
  tcp.acknowledgement = wire.acknowledgement;
  tcp.flags = (wire.fin ? 1u : 0u) | (wire.syn ? 2u : 0u) | (wire.ack ? 16u : 0u);
  tcp.payload = wire.payload;
  return testing::ip_of(tcp);
}

// Each packet as one frame or several.
using Wrap = std::function<std::vector<std::string>(const std::string& ip)>;
std::vector<Frame> frames_of(const std::vector<Wire>& wires, std::uint16_t link_type, const Wrap& wrap) {
  std::vector<Frame> frames;
  for (const Wire& wire : wires) {
    for (std::string& bytes : wrap(ip_of(wire))) frames.push_back({wire.time_ns, link_type, std::move(bytes)});
  }
  return frames;
}
std::vector<Frame> plain_frames(const std::vector<Wire>& wires) {
  return frames_of(wires, 101, [](const std::string& ip) { return std::vector{ip}; });
}

// Everything but names and the numbers that depend on them. Times are in microseconds, which every format keeps.
std::string seen_in(const std::vector<std::string>& files, bool with_ends = true) {
  const Traffic traffic = import_captures(files);
  RC_ASSERT(traffic.certificate.conserves());
  std::string text;
  for (const Exchange& e : traffic.exchanges) {
    text += fmt::format("{} {}.{} {} {} {} {} {} {} {} -> {} {}", e.id, e.connection, e.index, e.request_ns / 1000,
                        e.request_end_ns / 1000, e.response_ns / 1000, e.response_end_ns / 1000, e.request.method,
                        e.request.target, e.request.body, e.response ? e.response->status : 0,
                        e.response ? e.response->body : "");
    if (with_ends) text += " " + e.client + " " + e.server;
    for (const std::string& flag : e.flags) text += " [" + flag + "]";
    text += "\n";
  }
  return text;
}

std::string seen_in_file(const std::string& bytes, bool with_ends = true) {
  const Folder folder;
  return seen_in({folder.write("capture", bytes)}, with_ends);
}

std::string expected_of(const Script& script, bool with_ends = true) {
  const std::string text = seen_in_file(testing::pcap_file(plain_frames(wires_of(script))), with_ends);
  RC_ASSERT(!text.empty());
  RC_ASSERT(text.find('[') == std::string::npos);
  return text;
}

RC_GTEST_PROP(Metamorphic, AnyCarrierAndTunnelGivesTheSame, ()) {
  const Script script = any_script();
  const auto& carrier = testing::carriers()[draw(0, testing::carriers().size() - 1)];
  const auto& tunnel = testing::tunnels()[draw(0, testing::tunnels().size() - 1)];
  const bool tunnelled = draw(0, 2) > 0;
  RC_LOG() << carrier.name << (tunnelled ? " " + tunnel.name : "") << "\n";
  const auto wrap = [&](const std::string& ip) { return std::vector{carrier.wrap(tunnelled ? tunnel.wrap(ip) : ip)}; };
  RC_ASSERT(seen_in_file(testing::pcap_file(frames_of(wires_of(script), carrier.link_type, wrap))) ==
            expected_of(script));
}

RC_GTEST_PROP(Metamorphic, FragmentsInAnyOrderGiveTheSame, ()) {
  const Script script = any_script();
  const bool six = draw(0, 1) == 1;
  unsigned id = 0;
  const auto cut = [&](const std::string& ip) {
    auto parts = testing::fragments_of(ip, 8 * draw(1, 8), ++id);
    for (std::size_t i = parts.size(); i > 1; --i) std::swap(parts[i - 1], parts[draw(0, i - 1)]);
    return parts;
  };
  RC_ASSERT(seen_in_file(testing::pcap_file(frames_of(wires_of(script, six), 101, cut)), false) ==
            expected_of(script, false));
}

RC_GTEST_PROP(Metamorphic, IpVersion6GivesTheSame, ()) {
  const Script script = any_script();
  RC_ASSERT(seen_in_file(testing::pcap_file(plain_frames(wires_of(script, true))), false) ==
            expected_of(script, false));
}

RC_GTEST_PROP(Metamorphic, AnySequenceNumbersGiveTheSame, ()) {
  const Script script = any_script();
  const auto near_the_wrap = [] { return static_cast<std::uint32_t>(0) - static_cast<std::uint32_t>(draw(0, 400)); };
  const Starts starts{near_the_wrap(), near_the_wrap()};
  RC_ASSERT(seen_in_file(testing::pcap_file(plain_frames(wires_of(script, false, starts)))) == expected_of(script));
}

RC_GTEST_PROP(Metamorphic, EachPacketTwiceGivesTheSame, ()) {
  const Script script = any_script();
  const auto twice = [](const std::string& ip) { return std::vector{ip, ip}; };
  RC_ASSERT(seen_in_file(testing::pcap_file(frames_of(wires_of(script), 101, twice))) == expected_of(script));
}

RC_GTEST_PROP(Metamorphic, AnyFormatOfPcapGivesTheSame, ()) {
  const Script script = any_script();
  const testing::PcapStyle style{draw(0, 1) == 1, draw(0, 1) == 1, draw(0, 1) == 1};
  RC_ASSERT(seen_in_file(testing::pcap_file(plain_frames(wires_of(script)), style)) == expected_of(script));
}

// Sections in both byte orders, each with interfaces of several link types and resolutions.
RC_GTEST_PROP(Metamorphic, PcapngWithManyInterfacesAndSectionsGivesTheSame, ()) {
  const Script script = any_script();
  const auto wires = wires_of(script);
  std::string file;
  for (std::size_t at = 0; at < wires.size();) {
    const bool big_endian = draw(0, 1) == 1;
    Block block(big_endian);
    file += block.section();
    struct Declared {
      std::uint16_t link_type;
      std::uint64_t per_second;
      std::string (*wrap)(std::string_view ip);
    };
    std::vector<Declared> interfaces;
    for (std::size_t i = 0, n = draw(1, 4); i < n; ++i) {
      const auto& carrier = testing::carriers()[draw(0, testing::carriers().size() - 1)];
      const bool fine = draw(0, 1) == 1;
      interfaces.push_back({carrier.link_type, fine ? 1'000'000'000u : 1'000'000u, carrier.wrap});
      file += block.interface(carrier.link_type, fine ? block.option(9, "\x09") : "");
    }
    for (const std::size_t end = std::min(wires.size(), at + draw(1, 6)); at < end; ++at) {
      const std::size_t id = draw(0, interfaces.size() - 1);
      const Declared& to = interfaces[id];
      const auto units = static_cast<std::uint64_t>(wires[at].time_ns) / (1'000'000'000u / to.per_second);
      file += block.packet(static_cast<std::uint32_t>(id), units, to.wrap(ip_of(wires[at])));
      if (draw(0, 3) == 0) file += block.of(0x0bad, "nobody reads this");
    }
  }
  RC_ASSERT(seen_in_file(file) == expected_of(script));
}

RC_GTEST_PROP(Metamorphic, CompressionGivesTheSame, ()) {
  const Script script = any_script();
  const std::string file = testing::pcap_file(plain_frames(wires_of(script)));
  const std::size_t middle = draw(1, file.size() - 1);
  const auto pack = draw(0, 1) == 1 ? testing::gzipped : testing::zstd_packed;
  RC_ASSERT(seen_in_file(pack(file.substr(0, middle)) + pack(file.substr(middle))) == expected_of(script));
}

RC_GTEST_PROP(Metamorphic, DividedOverFilesInAnyOrderGivesTheSame, ()) {
  const Script script = any_script();
  const std::size_t number = draw(2, 4);
  std::vector<std::vector<Frame>> parts(number);
  for (const Frame& frame : plain_frames(wires_of(script))) parts[draw(0, number - 1)].push_back(frame);
  const Folder folder;
  std::vector<std::string> paths;
  for (const auto& part : parts) paths.push_back(folder.write(std::to_string(paths.size()), testing::pcap_file(part)));
  RC_ASSERT(seen_in(paths) == expected_of(script));
}

TEST(Certificate, AFragmentWhoseDatagramNeverBecameWholeIsLost) {
  const auto wires = Conversation().open().client("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").close().wires;
  std::vector<Frame> frames;
  unsigned id = 0;
  for (const Wire& wire : wires) {
    auto parts = testing::fragments_of(ip_of(wire), 16, ++id);
    if (wire.payload.empty()) parts.pop_back();
    for (std::string& part : parts) frames.push_back({wire.time_ns, 101, std::move(part)});
  }
  const Folder folder;
  const Traffic traffic = import_captures({folder.write("capture", testing::pcap_file(frames))});
  EXPECT_TRUE(traffic.certificate.conserves());
  // Five segments without payload, 32 bytes long, in two fragments of which one came; one of 60 bytes in four.
  EXPECT_EQ(traffic.certificate.packets.at("fragment lost"), 5);
  EXPECT_EQ(traffic.certificate.packets.at("fragment"), 3);
  EXPECT_EQ(traffic.certificate.packets.at("tcp"), 1);
}

}  // namespace
}  // namespace rehearse::replay
