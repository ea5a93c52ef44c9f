// The limits that hold for all connections together, and those of capture time: packets are made one by one, so that they can be
// many and long.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "replay/capture/import.h"
#include "replay/capture/limits.h"
#include "replay/capture/test_frames.h"

namespace rehearse::replay {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Key;
using ::testing::Not;

constexpr std::int64_t start_ns = 1'700'000'000'000'000'000;

// One packet a batch, unless they are to be many; behind each batch limits are looked after and exchanges are handed over.
class Packets final : public PacketSource {
 public:
  struct Made {
    std::int64_t time_ns;
    std::string ip;
  };
  using Make = std::function<std::optional<Made>()>;
  Packets(Make make, std::size_t batch) : make_(std::move(make)), batch_(batch) {}
  void fetch(Block& block) override { block.held.clear(); }
  Found find(Block& block, std::vector<Packet>& batch, Quota& quota) override {
    batch.clear();
    const auto made_now = std::make_shared<std::vector<Made>>();
    block.held.push_back(made_now);
    auto& now = *made_now;
    quota.packets = 0;
    now.reserve(batch_);
    for (std::size_t i = 0; i < batch_; ++i) {
      auto made = make_();
      if (!made) break;
      now.push_back(std::move(*made));
      const std::string& ip = now.back().ip;
      batch.push_back({now.back().time_ns,
                       101,
                       {reinterpret_cast<const unsigned char*>(ip.data()), ip.size()},
                       static_cast<std::uint32_t>(ip.size())});
    }
    return batch.empty() ? Found::end : Found::all;
  }
  void finish(Certificate&) const override {}

 private:
  Make make_;
  std::size_t batch_;
};

Traffic imported(Packets::Make make, std::size_t batch = 1) {
  Traffic traffic;
  traffic.certificate = import_packets(std::make_unique<Packets>(std::move(make), batch), {},
                                       [&](Exchange&& exchange) { traffic.exchanges.push_back(std::move(exchange)); });
  EXPECT_TRUE(traffic.certificate.conserves());
  return traffic;
}

constexpr unsigned fin = 1, syn = 2, ack = 16;

// What is said on several connections, each of a client with a number.
class Talks {
 public:
  Talks& say(unsigned client, bool by_client, std::string bytes, unsigned flags = ack) {
    Ends& ends = ends_[client];
    testing::TcpSegment tcp;
    tcp.source = fmt::format("10.{}.{}.{}", client >> 16 & 0xff, client >> 8 & 0xff, client & 0xff);
    tcp.source_port = 40'000;
    tcp.destination = "192.168.0.1";
    if (!by_client) {
      std::swap(tcp.source, tcp.destination);
      std::swap(tcp.source_port, tcp.destination_port);
    }
    tcp.sequence = ends.next[by_client ? 0 : 1];
    tcp.acknowledgement = ends.next[by_client ? 1 : 0];
    tcp.flags = flags;
    tcp.payload = std::move(bytes);
    ends.next[by_client ? 0 : 1] +=
        static_cast<std::uint32_t>(tcp.payload.size()) + ((flags & (syn | fin)) != 0 ? 1 : 0);
    made_.push_back({now_ns += 1000, testing::ip_of(tcp)});
    return *this;
  }
  Talks& open(unsigned client) {
    return say(client, true, "", syn).say(client, false, "", syn | ack).say(client, true, "");
  }
  Talks& get(unsigned client) { return say(client, true, "GET /" + std::to_string(client) + " HTTP/1.1\r\n\r\n"); }
  Talks& ok(unsigned client, const std::string& body = "ok") {
    return say(client, false, fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body));
  }
  Talks& close(unsigned client) {
    return say(client, false, "", fin | ack).say(client, true, "", fin | ack).say(client, false, "");
  }
  // The packet that is `back` from the end again, later.
  Talks& again(std::int64_t later_ns, std::size_t back = 1, const std::function<void(std::string&)>& change = {}) {
    Packets::Made made = made_.at(made_.size() - back);
    made.time_ns = now_ns += later_ns;
    if (change) change(made.ip);
    made_.push_back(std::move(made));
    return *this;
  }
  Talks& later(std::int64_t ns) {
    now_ns += ns;
    return *this;
  }
  [[nodiscard]] Traffic imported(std::size_t batch = 1) {
    std::size_t next = 0;
    return rehearse::replay::imported(
        [&]() -> std::optional<Packets::Made> {
          return next < made_.size() ? std::optional(made_[next++]) : std::nullopt;
        },
        batch);
  }
  std::int64_t now_ns = start_ns;

 private:
  struct Ends {
    std::array<std::uint32_t, 2> next{1000, 5000};
  };
  std::map<unsigned, Ends> ends_;
  std::vector<Packets::Made> made_;
};

std::vector<std::string> lines_of(const Traffic& traffic) {
  std::vector<std::string> lines;
  for (const Exchange& e : traffic.exchanges) {
    std::string line = e.request.target;
    for (const std::string& flag : e.flags) line += " [" + flag + "]";
    lines.push_back(std::move(line));
  }
  return lines;
}

TEST(ImportLimits, ConnectionsAtATime) {
  const auto flood = [](std::size_t connections) {
    std::size_t made = 0;
    testing::TcpSegment tcp;
    tcp.flags = syn;
    tcp.options.clear();
    tcp.payload.clear();
    return imported(
        [=]() mutable -> std::optional<Packets::Made> {
          if (made == connections) return std::nullopt;
          tcp.source = fmt::format("10.0.{}.{}", made / 60'000, 1);
          tcp.source_port = static_cast<std::uint16_t>(1 + made % 60'000);
          ++made;
          return Packets::Made{start_ns, testing::ip_of(tcp)};
        },
        limits::settled_packets);
  };
  EXPECT_THAT(flood(limits::connections).certificate.remarks, Not(Contains(Key("connections ended by a limit"))));
  EXPECT_EQ(flood(limits::connections + 7).certificate.remarks.at("connections ended by a limit"), 7);
}

TEST(ImportLimits, BytesThatAllConnectionsHold) {
  // Bodies that are never finished, 15 MiB each, of eleven connections: those of five or more have to go.
  constexpr unsigned connections = 11;
  constexpr std::size_t segments = 256, segment = 15u << 12;
  Talks talks;
  for (unsigned i = 0; i < connections; ++i) {
    talks.open(i).get(i).say(i, false,
                             fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 2 * segments * segment));
  }
  const std::string bytes(segment, 'x');
  for (std::size_t sent = 0; sent < segments; ++sent) {
    for (unsigned i = 0; i < connections; ++i) talks.say(i, false, bytes);
  }
  const Traffic traffic = talks.imported(64);
  const std::int64_t ended = traffic.certificate.remarks.at("connections ended by a limit");
  EXPECT_GE(ended, 5);
  EXPECT_LT(ended, connections);
  EXPECT_EQ(traffic.certificate.exchanges.at("evicted"), ended);
  EXPECT_THAT(traffic.certificate.bytes, Not(Contains(Key("not http")))) << "what follows is the rest of an answer";
  EXPECT_GT(traffic.certificate.bytes.at("evicted"), 0);

  // Their next exchanges are found again.
  for (unsigned i = 0; i < connections; ++i) talks.get(i).ok(i);
  const Traffic longer = talks.imported(64);
  EXPECT_THAT(longer.certificate.bytes, Not(Contains(Key("not http"))));
  EXPECT_THAT(longer.certificate.bytes, Not(Contains(Key("joined in the middle of a message"))));
  EXPECT_GE(std::count_if(longer.exchanges.begin(), longer.exchanges.end(),
                          [](const Exchange& e) { return e.response && e.response->body == "ok"; }),
            longer.certificate.remarks.at("connections ended by a limit"));
}

TEST(ImportLimits, BytesOfExchangesThatWaitForAnEarlierOne) {
  const std::string body(60'000, 'x');
  const auto with = [&](unsigned exchanges) {
    Talks talks;
    talks.open(0).get(0);
    for (unsigned i = 1; i <= exchanges; ++i) talks.open(i).get(i).ok(i, body);
    talks.later(limits::settle_ns).ok(0);
    return lines_of(talks.imported(64)).front();
  };
  const auto fitting = static_cast<unsigned>(limits::ordering_bytes / (body.size() + 1024));
  EXPECT_EQ(with(fitting), "/0");
  EXPECT_EQ(with(fitting + 2), "/1") << "later, but it could not wait";
}

TEST(ImportLimits, TimeThatAnExchangeWaitsForAnotherVersion) {
  const auto forge = [](std::string& ip) { ip.back() = '!'; };
  const Traffic soon = Talks().open(1).get(1).ok(1).again(limits::settle_ns - 1000, 1, forge).imported();
  EXPECT_THAT(lines_of(soon), ElementsAre("/1 [conflicting retransmission]"));
  // Whatever comes lets the exchange go; the other version comes after that.
  const Traffic late = Talks().open(1).get(1).ok(1).later(limits::settle_ns).open(2).again(1000, 4, forge).imported();
  EXPECT_THAT(lines_of(late), ElementsAre("/1"));
  EXPECT_EQ(late.certificate.remarks.at("conflicting retransmissions of an exchange that was written before"), 1);
}

TEST(ImportLimits, TimeWithoutAPacketThatEndsAConnection) {
  const auto after = [](std::int64_t rest_ns) {
    Talks talks;
    talks.open(1).get(1);
    talks.now_ns += rest_ns - 1000;
    return lines_of(talks.say(2, true, "", syn).ok(1).imported());
  };
  EXPECT_THAT(after(limits::idle_ns), ElementsAre("/1"));
  EXPECT_THAT(after(limits::idle_ns + 1), ElementsAre("/1 [no response] [unfinished]", " [no request]"));
}

TEST(ImportLimits, TimeThatAClosedConnectionWaitsForDuplicates) {
  const auto after = [](std::int64_t rest_ns) {
    Talks talks;
    talks.open(1).get(1).ok(1).close(1);
    talks.now_ns += rest_ns - 1000;
    return talks.say(2, true, "", syn).again(0, 5).imported().certificate;
  };
  EXPECT_EQ(after(limits::closed_ns).bytes.at("duplicate"), 40);
  EXPECT_THAT(after(limits::closed_ns + 1).bytes, Not(Contains(Key("duplicate"))));
}

TEST(ImportLimits, ConnectionsThatAreListedOneByOne) {
  const auto incomplete = [](unsigned connections) {
    Talks talks;
    for (unsigned i = 0; i < connections; ++i) talks.open(i).get(i);
    return talks.imported(64).certificate;
  };
  const Certificate most = incomplete(limits::listed_connections);
  EXPECT_EQ(most.incomplete.size(), limits::listed_connections);
  EXPECT_EQ(most.incomplete_unlisted, 0);
  const Certificate more = incomplete(limits::listed_connections + 3);
  EXPECT_EQ(more.incomplete.size(), limits::listed_connections);
  EXPECT_EQ(more.incomplete_unlisted, 3);
}

}  // namespace
}  // namespace rehearse::replay
