// Captures of real clients and servers in TLS and HTTP/2 (fixtures/captures/protocols), whole, cut short and with holes.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "replay/capture/import.h"
#include "replay/capture/test_packets.h"
#include "replay/error.h"

namespace rehearse::replay {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::Folder;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

const std::string folder = REHEARSE_SOURCE_DIR "/fixtures/captures/protocols/";

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string keys_of(const std::string& name) {
  const std::string path = folder + name + ".keys";
  return std::filesystem::exists(path) ? path : "";
}

Traffic imported(const std::string& name, bool with_keys = true) {
  ImportOptions options;
  if (with_keys) options.key_log = keys_of(name);
  return import_captures({folder + name + ".pcap"}, options);
}

std::string in_a_line(const Exchange& exchange) {
  std::string line = exchange.request.method + " " + exchange.request.target;
  if (!exchange.request.body.empty()) line += " " + exchange.request.body;
  if (exchange.response) {
    const std::string& body = exchange.response->body;
    line += fmt::format(" -> {} {}", exchange.response->status, body.size() < 100 ? body : fmt::format("({})", body.size()));
  }
  for (const std::string& flag : exchange.flags) line += " [" + flag + "]";
  return line;
}

std::vector<std::string> lines_of(const Traffic& traffic) {
  std::vector<std::string> lines;
  for (const Exchange& exchange : traffic.exchanges) lines.push_back(in_a_line(exchange));
  return lines;
}

void expect_conservation(const Traffic& traffic, const std::string& what) {
  std::string text;
  for (const auto& [name, count] : traffic.certificate.bytes) text += fmt::format("{} {}, ", count, name);
  EXPECT_TRUE(traffic.certificate.conserves()) << what << ": " << text;
}

std::vector<std::string> all() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".pcap") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Protocols : public ::testing::TestWithParam<std::string> {};

// Three exchanges of curl with nginx, whatever carries them.
class Shop : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Shop, IsReadWithItsKeys) {
  const auto [name, remark] = GetParam();
  const Traffic traffic = imported(name);
  expect_conservation(traffic, name);
  EXPECT_THAT(lines_of(traffic), ElementsAre("GET /items -> 200 {\"items\":[1,2,3]}", "GET /manual.txt -> 200 (6000)",
                                             "POST /orders {\"item\":1} -> 201 {\"order\":17}"));
  EXPECT_THAT(traffic.certificate.remarks, Contains(Pair(remark, 1)));
  EXPECT_THAT(traffic.certificate.bytes, Not(Contains(Key("encrypted"))));
  EXPECT_THAT(traffic.certificate.bytes, Contains(Key("in tls records that were decrypted")));
  EXPECT_THAT(traffic.certificate.notes, IsEmpty());
  for (const Exchange& exchange : traffic.exchanges) {
    EXPECT_EQ(field(exchange.request.headers, "Host"), "shop.example");
    EXPECT_EQ(field(exchange.request.headers, "User-Agent"), "rehearse");
    EXPECT_LE(exchange.request_ns, exchange.response_ns);
    EXPECT_GT(exchange.request_ns, exchange.started_ns);
    EXPECT_EQ(exchange.index, exchange.id - 1);
  }
  EXPECT_EQ(field(traffic.exchanges.at(0).response->headers, "Set-Cookie"), "basket=7");
}

TEST_P(Shop, IsCountedAsEncryptedWithoutThem) {
  const Traffic traffic = imported(GetParam().first, false);
  expect_conservation(traffic, GetParam().first);
  EXPECT_THAT(traffic.exchanges, IsEmpty());
  EXPECT_EQ(traffic.certificate.bytes.at("encrypted"), traffic.certificate.bytes.at("captured"));
  EXPECT_THAT(traffic.certificate.remarks, Contains(Pair("connections in TLS without keys", 1)));
  EXPECT_THAT(traffic.certificate.notes, ElementsAre(HasSubstr("set SSLKEYLOGFILE")));
}

INSTANTIATE_TEST_SUITE_P(
    Every, Shop,
    ::testing::Values(std::pair("tls12-aes128-http1", "connections in TLS 1.2, decrypted"),
                      std::pair("tls12-aes256-h2", "connections in TLS 1.2, decrypted"),
                      std::pair("tls12-chacha20-http1", "connections in TLS 1.2, decrypted"),
                      std::pair("tls13-aes128-h2", "connections in TLS 1.3, decrypted"),
                      std::pair("tls13-aes256-http1", "connections in TLS 1.3, decrypted"),
                      std::pair("tls13-chacha20-h2", "connections in TLS 1.3, decrypted")),
    [](const auto& each) {
      std::string name = each.param.first;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

TEST(ProtocolCaptures, dump) {
  for (const std::string& name : all()) {
    const Traffic traffic = imported(name);
    fmt::print("== {}\n", name);
    for (const auto& line : lines_of(traffic)) fmt::print("{}\n", line);
    for (const auto& [n, c] : traffic.certificate.bytes) fmt::print("  {} {}\n", c, n);
    for (const auto& [n, c] : traffic.certificate.remarks) fmt::print("  * {} {}\n", c, n);
    for (const auto& n : traffic.certificate.notes) fmt::print("  - {}\n", n);
  }
}

}  // namespace
}  // namespace rehearse::replay
