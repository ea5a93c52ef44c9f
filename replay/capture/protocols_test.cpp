// Captures of real clients and servers in TLS and HTTP/2 (fixtures/captures/protocols), whole, cut short and with holes.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "replay/capture/byte_source.h"
#include "replay/capture/import.h"
#include "replay/capture/limits.h"
#include "replay/capture/test_packets.h"
#include "replay/error.h"

namespace rehearse::replay {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::expect_conservation;
using testing::Folder;
using ::testing::HasSubstr;
using testing::in_a_line;
using ::testing::IsEmpty;
using ::testing::Key;
using testing::lines_of;
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

std::vector<std::string> all() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".pcap") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Three exchanges of curl with nginx, whatever carries them.
class Shop : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Shop, IsReadWithItsKeys) {
  const auto [name, remark] = GetParam();
  const Traffic traffic = imported(name);
  expect_conservation(traffic, name);
  EXPECT_THAT(lines_of(traffic), ElementsAre("GET /items -> 200 {\"items\":[1,2,3]}", "GET /manual.txt -> 200 (5000)",
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
  EXPECT_THAT(traffic.certificate.bytes, Not(Contains(Key("in tls records that were decrypted"))));
  EXPECT_THAT(traffic.certificate.bytes, Contains(Key("encrypted")));
  EXPECT_THAT(traffic.certificate.remarks, Contains(Pair("connections in TLS without keys", 1)));
  EXPECT_THAT(traffic.certificate.notes, ElementsAre(HasSubstr("set SSLKEYLOGFILE")));
}

INSTANTIATE_TEST_SUITE_P(Every, Shop,
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

TEST(ProtocolCaptures, ACipherThatIsNotReadIsNamed) {
  const Traffic traffic = imported("tls12-cbc");
  EXPECT_THAT(traffic.exchanges, IsEmpty());
  EXPECT_EQ(traffic.certificate.bytes.at("encrypted"), traffic.certificate.bytes.at("captured"));
  EXPECT_THAT(
      traffic.certificate.remarks,
      Contains(Pair("connections in TLS with a cipher that is not read: TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", 1)));
  EXPECT_THAT(traffic.certificate.notes,
              ElementsAre(HasSubstr("let the server allow only AES-GCM and ChaCha20-Poly1305")));
}

TEST(ProtocolCaptures, AHandshakeWithARetryIsRead) {
  EXPECT_THAT(lines_of(imported("tls13-retry-http1")), ElementsAre("GET /items -> 200 {\"items\":[1,2,3]}"));
}

TEST(ProtocolCaptures, KeysMayChangeWithinAConnection) {
  EXPECT_THAT(lines_of(imported("tls13-new-keys-http1")), ElementsAre("GET /items?before -> 200 {\"items\":[1,2,3]}",
                                                                      "GET /items?after -> 200 {\"items\":[1,2,3]}"));
}

TEST(ProtocolCaptures, EarlyDataIsCountedAndItsAnswerIsNobodyElses) {
  const Traffic traffic = imported("tls13-early-data-http1");
  EXPECT_THAT(lines_of(traffic),
              ElementsAre("GET /items?first -> 200 {\"items\":[1,2,3]}", "  -> 200 {\"items\":[1,2,3]} [no request]",
                          "GET /items?later -> 200 {\"items\":[1,2,3]} [resynchronised]"));
  EXPECT_THAT(traffic.certificate.remarks, Contains(Pair("connections in TLS with early data, which is not read", 1)));
  EXPECT_GT(traffic.certificate.bytes.at("encrypted"), 0);
}

TEST(ProtocolCaptures, EarlyDataThatTheServerRefusedLeavesNoGap) {
  const Traffic traffic = imported("tls13-early-refused-http1");
  EXPECT_THAT(lines_of(traffic), ElementsAre("GET /items?later -> 200 {\"items\":[1,2,3]}"));
  EXPECT_GT(traffic.certificate.bytes.at("encrypted"), 0);
}

TEST(ProtocolCaptures, TheKeysOfAnotherConnectionOpenNothing) {
  const Folder place;
  std::string keys = contents(keys_of("tls13-aes256-http1"));
  const auto secret = keys.find("SERVER_HANDSHAKE_TRAFFIC_SECRET") + 32 + 64 + 1;
  keys[secret] = keys[secret] == '0' ? '1' : '0';
  ImportOptions options;
  options.key_log = place.write("keys", keys);
  const Traffic traffic = import_captures({folder + "tls13-aes256-http1.pcap"}, options);
  EXPECT_THAT(traffic.exchanges, IsEmpty());
  EXPECT_THAT(traffic.certificate.remarks, Contains(Pair("connections in TLS whose keys do not fit", 1)));
  EXPECT_THAT(traffic.certificate.notes, ElementsAre(HasSubstr("give the key log that was written while")));
}

TEST(ProtocolCaptures, AKeyLogThatCannotBeReadIsAnError) {
  ImportOptions options;
  options.key_log = "/nowhere/keys";
  EXPECT_THROW(static_cast<void>(import_captures({folder + "tls12-cbc.pcap"}, options)), Error);
}

TEST(ProtocolCaptures, LinesThatAreNoneOfAKeyLogAreCounted) {
  const Folder place;
  ImportOptions options;
  options.key_log = place.write("keys", "something\nelse\n" + contents(keys_of("tls13-retry-http1")));
  const Traffic traffic = import_captures({folder + "tls13-retry-http1.pcap"}, options);
  EXPECT_EQ(traffic.exchanges.size(), 1u);
  EXPECT_THAT(traffic.certificate.remarks, Contains(Pair("lines of a key log that are none", 2)));
}

TEST(ProtocolCaptures, HttpTwoIsReadWithoutTls) {
  const Traffic traffic = imported("h2c-prior-knowledge");
  EXPECT_THAT(lines_of(traffic), ElementsAre("POST /manual.txt {\"item\":1} -> 200 (5000)",
                                             "POST /order.json {\"item\":1} -> 200 {\"item\":1}"));
  EXPECT_EQ(traffic.certificate.bytes.at("in exchanges"), traffic.certificate.bytes.at("captured"));
  for (const Exchange& exchange : traffic.exchanges) {
    EXPECT_EQ(exchange.request.headers.at(0), (Header{"host", "127.0.0.1:81"}));
    EXPECT_THAT(exchange.request.trailers, ElementsAre(Header{"x-end", "yes"}));
    EXPECT_THAT(exchange.response->trailers, ElementsAre(Header{"x-sum", "12"}));
  }
}

TEST(ProtocolCaptures, APushedAnswerComesWithTheRequestThatWasPromised) {
  const Traffic traffic = imported("h2c-push");
  EXPECT_THAT(lines_of(traffic), ElementsAre("GET /index.html -> 200 <p>hello</p>", "GET /manual.txt -> 200 (5000)",
                                             "GET /order.json -> 200 {\"item\":1}"));
  EXPECT_THAT(traffic.certificate.remarks, Contains(Pair("answers that the server pushed", 1)));
}

TEST(ProtocolCaptures, ARequestThatAskedForAnUpgradeIsOneExchangeWithItsAnswerInTheOtherProtocol) {
  const Traffic traffic = imported("h2c-upgrade");
  EXPECT_THAT(lines_of(traffic), ElementsAre("GET /manual.txt -> 200 (5000)", "GET /order.json -> 200 {\"item\":1}"));
  ASSERT_EQ(traffic.exchanges.at(0).interim.size(), 1u);
  EXPECT_EQ(traffic.exchanges.at(0).interim[0].status, 101);
  EXPECT_EQ(traffic.exchanges.at(0).index, 0);
  EXPECT_EQ(traffic.exchanges.at(1).index, 1);
  const Headers& carried = traffic.exchanges.at(0).request.headers;
  EXPECT_TRUE(field(carried, "User-Agent"));
  EXPECT_FALSE(field(carried, "Upgrade"));
  EXPECT_FALSE(field(carried, "HTTP2-Settings"));
}

TEST(ProtocolCaptures, SeveralAtATimeAreReadByAnyNumberOfThreads) {
  std::vector<std::string> paths;
  std::string keys;
  for (const std::string& name : all()) {
    paths.push_back(folder + name + ".pcap");
    if (!keys_of(name).empty()) keys += contents(keys_of(name));
  }
  const Folder place;
  ImportOptions options;
  options.key_log = place.write("keys", keys);
  const Traffic one = import_captures(paths, options);
  options.threads = 3;
  const Traffic three = import_captures(paths, options);
  expect_conservation(one, "all");
  EXPECT_EQ(lines_of(three), lines_of(one));
  EXPECT_EQ(three.certificate.notes, one.certificate.notes);
  EXPECT_EQ(three.certificate.remarks, one.certificate.remarks);
  EXPECT_EQ(three.certificate.bytes, one.certificate.bytes);
  EXPECT_GT(one.exchanges.size(), 25u);
}

// A capture's file header and its records.
struct File {
  std::string header;
  std::vector<std::string> packets;

  explicit File(const std::string& name) {
    const std::string bytes = contents(folder + name + ".pcap");
    header = bytes.substr(0, 24);
    for (std::size_t at = 24; at < bytes.size(); at += packets.back().size()) {
      std::uint32_t length = 0;
      for (std::size_t i = 0; i < 4; ++i)
        length |= std::uint32_t{static_cast<unsigned char>(bytes[at + 8 + i])} << 8 * i;
      packets.push_back(bytes.substr(at, 16 + length));
    }
  }

  // Reads the packets that are `wanted`.
  template <typename Wanted>
  Traffic imported(const Folder& place, const std::string& keys, Wanted wanted) const {
    std::string bytes = header;
    for (std::size_t i = 0; i < packets.size(); ++i) {
      if (wanted(i)) bytes += packets[i];
    }
    ImportOptions options;
    options.key_log = keys;
    return import_captures({place.write("part.pcap", bytes)}, options);
  }
};

class EveryCapture : public ::testing::TestWithParam<std::string> {
 protected:
  // What is whole in a part is as it was in the whole; what was lost has left its mark.
  void expect_no_silent_loss(const Traffic& part, const std::string& what) {
    expect_conservation(part, what);
    std::vector<std::string> known = whole_;
    for (const Exchange& exchange : part.exchanges) {
      if (!exchange.complete()) continue;
      const auto found = std::find(known.begin(), known.end(), in_a_line_without_flags(exchange));
      EXPECT_NE(found, known.end()) << what << ": " << in_a_line(exchange);
      if (found != known.end()) known.erase(found);
    }
  }
  static std::string in_a_line_without_flags(Exchange exchange) {
    exchange.flags.clear();
    return in_a_line(exchange);
  }
  void SetUp() override {
    for (const Exchange& exchange : imported(GetParam()).exchanges) whole_.push_back(in_a_line_without_flags(exchange));
  }
  std::vector<std::string> whole_;
};

TEST_P(EveryCapture, KeepsItsBytesAndItsPairsHoweverEarlyItEnds) {
  const Folder place;
  const File file(GetParam());
  std::size_t exchanges = 0;
  for (std::size_t size = 0; size <= file.packets.size(); ++size) {
    const Traffic part = file.imported(place, keys_of(GetParam()), [&](std::size_t i) { return i < size; });
    expect_no_silent_loss(part, fmt::format("the first {} packets", size));
    EXPECT_GE(part.exchanges.size(), exchanges) << size;
    exchanges = part.exchanges.size();
  }
  EXPECT_EQ(exchanges, whole_.size());
}

TEST_P(EveryCapture, KeepsItsBytesAndItsPairsHoweverLateItBegins) {
  const Folder place;
  const File file(GetParam());
  for (std::size_t begin = 1; begin < file.packets.size(); ++begin) {
    const Traffic part = file.imported(place, keys_of(GetParam()), [&](std::size_t i) { return i >= begin; });
    expect_no_silent_loss(part, fmt::format("without the first {} packets", begin));
  }
}

TEST_P(EveryCapture, LosesNothingInSilenceWhenAnyPacketIsMissing) {
  const Folder place;
  const File file(GetParam());
  for (std::size_t lost = 0; lost < file.packets.size(); ++lost) {
    const std::string what = fmt::format("without packet {}", lost + 1);
    const Traffic part = file.imported(place, keys_of(GetParam()), [&](std::size_t i) { return i != lost; });
    expect_no_silent_loss(part, what);
    const auto whole = std::count_if(part.exchanges.begin(), part.exchanges.end(),
                                     [](const Exchange& exchange) { return exchange.complete(); });
    std::int64_t unread = part.certificate.bytes.at("missing (gaps)");
    for (const auto& [name, count] : part.certificate.bytes) {
      const bool read = name == "captured" || name == "missing (gaps)" || name == "read from files" ||
                        name == "duplicate" || name == "in exchanges" || name == "in tls records that were decrypted";
      if (!read) unread += count;
    }
    const bool flagged = static_cast<std::size_t>(whole) < part.exchanges.size();
    EXPECT_TRUE(static_cast<std::size_t>(whole) >= whole_.size() || unread > 0 || flagged) << what;
  }
}

TEST_P(EveryCapture, IsTheSameWhenEveryPacketIsCapturedTwice) {
  const Folder place;
  File file(GetParam());
  std::vector<std::string> twice;
  for (const std::string& packet : file.packets) twice.insert(twice.end(), {packet, packet});
  const Traffic once = imported(GetParam());
  file.packets = twice;
  const Traffic traffic = file.imported(place, keys_of(GetParam()), [](std::size_t) { return true; });
  EXPECT_EQ(lines_of(traffic), lines_of(once));
}

INSTANTIATE_TEST_SUITE_P(Protocol, EveryCapture, ::testing::ValuesIn(all()), [](const auto& each) {
  std::string name = each.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(HttpTwo, IsRecognisedWhenTheServerSpeaksFirst) {
  const std::string settings("\0\0\0\4\0\0\0\0\0", 9);
  const std::string request("\0\0\3\1\5\0\0\0\1\x82\x86\x84", 12), answer("\0\0\1\1\5\0\0\0\1\x88", 10);
  testing::Conversation talk;
  talk.open().server(settings + settings + settings + settings);
  talk.client("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + request).server(answer).close();
  const Folder place;
  EXPECT_THAT(lines_of(import_captures({place.write("first.pcap", testing::capture_of(talk.wires))})),
              ElementsAre("GET / -> 200 "));
}

TEST(Tunnels, AreReadUntilTheyAreTooManyWithinEachOther) {
  testing::Conversation talk;
  talk.open();
  for (int i = 0; i < 1000; ++i)
    talk.client("CONNECT shop:80 HTTP/1.1\r\nHost: shop\r\n\r\n").server("HTTP/1.1 200 OK\r\n\r\n");
  const Folder place;
  const Traffic traffic = import_captures({place.write("tunnels.pcap", testing::capture_of(talk.wires))});
  expect_conservation(traffic, "tunnels");
  EXPECT_EQ(traffic.exchanges.size(), static_cast<std::size_t>(limits::nesting) + 1);
  EXPECT_THAT(traffic.certificate.remarks, Contains(Pair("tunnels in too many tunnels", 1)));
  EXPECT_GT(traffic.certificate.bytes.at("evicted"), 0);
}

std::string u32(std::size_t value) {
  std::string out;
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift);
  return out;
}
std::string block(std::size_t type, std::string body) {
  body.resize((body.size() + 3) / 4 * 4);
  const std::string length = u32(body.size() + 12);
  return u32(type) + length + body + length;
}

TEST(ProtocolCaptures, APcapngFileMayBringItsKeys) {
  const Folder place;
  const File file("tls13-aes128-h2");
  const std::string keys = contents(keys_of("tls13-aes128-h2"));
  const std::string secrets = block(10, u32(0x544c534b) + u32(keys.size()) + keys);
  const std::string section = block(0x0a0d0d0a, u32(0x1a2b3c4d) + u32(1) + std::string(8, '\xff'));
  const std::string interface = block(1, file.header.substr(20, 4) + u32(0));
  std::string packets;
  for (const std::string& packet : file.packets) packets += block(6, u32(0) + u32(0) + u32(0) + packet.substr(8));
  EXPECT_THAT(lines_of(import_captures({place.write("with.pcapng", section + interface + secrets + packets)})),
              ElementsAre("GET /items -> 200 {\"items\":[1,2,3]}", "GET /manual.txt -> 200 (5000)",
                          "POST /orders {\"item\":1} -> 201 {\"order\":17}"));
  EXPECT_THAT(import_captures({place.write("without.pcapng", section + interface + packets)}).exchanges, IsEmpty());
}

TEST(ProtocolCaptures, RefusedEarlyDataLeavesNoDoubtBeforeTheConnectionIsClosed) {
  const Folder place;
  const std::string name = "tls13-early-refused-http1";
  const File file(name);
  std::size_t answered = 0;
  for (std::size_t size = 0; size < file.packets.size(); ++size) {
    for (const auto& line : lines_of(file.imported(place, keys_of(name), [&](std::size_t i) { return i < size; }))) {
      if (line.find("-> 200") == std::string::npos) continue;
      EXPECT_EQ(line, "GET /items?later -> 200 {\"items\":[1,2,3]}") << size;
      ++answered;
    }
  }
  EXPECT_GT(answered, 0u);
}

// Packets that come after the import has begun, with what the client wrote into its key log meanwhile.
class Live final : public PacketSource {
 public:
  Live(const std::string& name, std::string key_log)
      : name_(name), key_log_(std::move(key_log)), reader_(open_bytes(folder + name + ".pcap"), name) {}
  void fetch(Block& block) override {
    std::ofstream(key_log_, std::ios::app | std::ios::binary) << std::exchange(keys_, "");
    reader_.fetch(block);
  }
  Found find(Block& block, std::vector<Packet>& batch, Quota& quota) override {
    return reader_.find(block, batch, quota);
  }
  void finish(Certificate&) const override {}

 private:
  std::string name_, key_log_, keys_ = contents(keys_of(name_));
  PacketReader reader_;
};

TEST(ProtocolCaptures, AKeyLogMayBeWrittenWhilePacketsCome) {
  const Folder place;
  ImportOptions options;
  options.key_log = place.write("keys", "# nothing yet\n");
  std::size_t exchanges = 0;
  static_cast<void>(import_packets(std::make_unique<Live>("tls13-aes128-h2", options.key_log), options,
                                   [&](Exchange&&) { ++exchanges; }));
  EXPECT_EQ(exchanges, 3u);
}

TEST(ProtocolCaptures, ATlsConnectionThatWasJoinedInTheMiddleSaysSo) {
  const Folder place;
  const File file("tls13-aes128-h2");
  const Traffic part =
      file.imported(place, keys_of("tls13-aes128-h2"), [&](std::size_t i) { return i >= file.packets.size() / 2; });
  EXPECT_THAT(part.exchanges, IsEmpty());
  EXPECT_THAT(part.certificate.remarks, Contains(Pair("connections in TLS that the capture joined in the middle", 1)));
  EXPECT_THAT(part.certificate.notes, ElementsAre(HasSubstr("begin it before the clients connect")));
}

TEST(ProtocolCaptures, AnHttpTwoConnectionThatWasJoinedInTheMiddleSaysSo) {
  const Folder place;
  const File file("h2c-prior-knowledge");
  // The handshake and the packets with the preface are missing: the first that is left holds frames.
  std::size_t said = 0;
  for (std::size_t begin = 4; begin < file.packets.size(); ++begin) {
    const Traffic part = file.imported(place, "", [&](std::size_t i) { return i >= begin; });
    said += part.certificate.remarks.contains("connections in HTTP/2 that the capture joined in the middle");
  }
  EXPECT_GT(said, 0u);
}

}  // namespace
}  // namespace rehearse::replay
