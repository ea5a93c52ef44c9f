// The same capture gives the same exchanges and the same certificate, however many threads look at it and however it comes.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <functional>
#include <optional>
#include <thread>

#include "replay/capture/import.h"
#include "replay/capture/limits.h"
#include "replay/capture/test_packets.h"
#include "replay/error.h"

namespace rehearse::replay {
namespace {

using testing::Conversation;
using testing::Folder;
using testing::Wire;

// Connections that overlap, that wait for longer than one may be silent, and of which packets are missing.
std::vector<Wire> many_clients() {
  std::vector<Wire> wires;
  for (int client = 0; client < 60; ++client) {
    Conversation talk(static_cast<std::uint16_t>(40'000 + client), 1000u * static_cast<unsigned>(client));
    talk.now_ns += client * 700'000ll;
    talk.open();
    for (int i = 0; i < 60; ++i) {
      if (i % 25 == client % 25) talk.now_ns += limits::idle_ns + client * 10'000'000ll;
      const std::string body(static_cast<std::size_t>(i * 97 + client), 'x');
      talk.client(fmt::format("GET /{}/{} HTTP/1.1\r\nHost: shop\r\n\r\n", client, i));
      talk.server(fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body));
    }
    if (client % 3 != 0) talk.close();
    if (client % 7 == 0) talk.wires.erase(talk.wires.begin() + 50 + client);
    wires.insert(wires.end(), talk.wires.begin(), talk.wires.end());
  }
  std::stable_sort(wires.begin(), wires.end(), [](const Wire& a, const Wire& b) { return a.time_ns < b.time_ns; });
  return wires;
}

std::string all_of(const Traffic& traffic) {
  std::string text;
  for (const Exchange& e : traffic.exchanges) {
    text += fmt::format("{} {} {} {} {} {} {} {} {} {} {}", e.id, e.connection, e.index, e.client, e.started_ns,
                        e.request_ns, e.request_end_ns, e.response_ns, e.response_end_ns, e.request.target,
                        e.response ? e.response->body.size() : 0);
    for (const std::string& flag : e.flags) text += " [" + flag + "]";
    text += "\n";
  }
  for (const auto* counts : {&traffic.certificate.packets, &traffic.certificate.bytes, &traffic.certificate.exchanges,
                             &traffic.certificate.remarks}) {
    for (const auto& [name, count] : *counts) text += fmt::format("{}: {}\n", name, count);
  }
  for (const std::string& note : traffic.certificate.notes) text += note + "\n";
  return text;
}

Traffic imported(const std::vector<std::string>& paths, unsigned threads) {
  ImportOptions options;
  options.threads = threads;
  return import_captures(paths, options);
}

TEST(ImportThreads, AnyNumberOfThemGivesTheSame) {
  const Folder folder;
  const auto wires = many_clients();
  ASSERT_GT(wires.size(), 3 * limits::settled_packets);
  const std::string path = folder.write("capture.pcap", testing::capture_of(wires));
  const Traffic one = imported({path}, 1);
  EXPECT_TRUE(one.certificate.conserves());
  EXPECT_GT(one.certificate.exchanges.at("complete"), 3000);
  EXPECT_GT(one.certificate.exchanges.size(), 1u) << "some are not complete";
  for (const unsigned threads : {2u, 3u, 8u}) {
    for (int time = 0; time < 5; ++time) EXPECT_EQ(all_of(imported({path}, threads)), all_of(one)) << threads;
  }
}

TEST(ImportThreads, APipeGivesTheSameAsAFileHoweverFewBytesItGivesAtOnce) {
  const Folder folder;
  const std::string bytes = testing::capture_of(many_clients());
  const std::string file = all_of(imported({folder.write("capture", bytes)}, 1));
  for (const std::size_t piece : {1'000u, 65'000u}) {
    for (const unsigned threads : {1u, 3u}) {
      const std::string pipe = folder.path(fmt::format("pipe-{}-{}", piece, threads));
      ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
      std::jthread writer([&] {
        std::ofstream into(pipe, std::ios::binary);
        for (std::size_t at = 0; at < bytes.size(); at += piece)
          into.write(bytes.data() + at, static_cast<std::streamsize>(std::min(piece, bytes.size() - at))).flush();
      });
      EXPECT_EQ(all_of(imported({pipe}, threads)), file) << piece << " bytes at once, " << threads << " threads";
    }
  }
}

// What takes the exchanges throws, as a full disk does.
TEST(ImportThreads, AnErrorOfTheOneThatTakesTheExchangesEndsTheImport) {
  const Folder folder;
  const std::string path = folder.write("capture.pcap", testing::capture_of(many_clients()));
  for (const unsigned threads : {1u, 4u}) {
    ImportOptions options;
    options.threads = threads;
    int taken = 0;
    EXPECT_THROW(static_cast<void>(import_captures({path}, options,
                                                   [&](Exchange&&) {
                                                     if (++taken == 500) throw Error("the disk is full");
                                                   })),
                 Error);
    EXPECT_EQ(taken, 500);
  }
}

// The packets of a file, one block after the other; what happens behind them is to be said.
class Then final : public PacketSource {
 public:
  Then(const std::string& path, std::function<bool()> goes_on)
      : reader_(open_bytes(path), path), goes_on_(std::move(goes_on)) {}
  void fetch(Block& block) override {
    reader_.fetch(block);
    if (block.last) block.last = !goes_on_();
  }
  Found find(Block& block, std::vector<Packet>& batch, Quota& quota) override {
    if (block.size > 0) return reader_.find(block, batch, quota);
    batch.clear();
    return block.last ? Found::end : Found::nothing;
  }
  void finish(Certificate&) const override {}

 private:
  PacketReader reader_;
  std::function<bool()> goes_on_;
};

TEST(ImportThreads, AnErrorOfTheSourceComesBehindWhatWasReadBefore) {
  const Folder folder;
  const std::string path = folder.write("capture.pcap", testing::capture_of(many_clients()));
  std::optional<std::int64_t> taken_by_one;
  for (const unsigned threads : {1u, 2u, 3u, 8u}) {
    ImportOptions options;
    options.threads = threads;
    std::int64_t taken = 0;
    auto source = std::make_unique<Then>(path, []() -> bool { throw Error("the disk is broken"); });
    EXPECT_THROW(static_cast<void>(import_packets(std::move(source), options,
                                                  [&](const Exchange& exchange) { EXPECT_EQ(exchange.id, ++taken); })),
                 Error);
    if (!taken_by_one) taken_by_one = taken;
    EXPECT_GT(taken, 1000);
    EXPECT_EQ(taken, *taken_by_one) << threads << " threads";
  }
}

// A live capture on which nothing comes for a while, until something else has come of what did.
TEST(ImportThreads, WhatIsFinishedIsHandedOverWhileNothingComes) {
  const Folder folder;
  Conversation early(40'000), late(40'001);
  early.open();
  early.client("GET /early HTTP/1.1\r\nHost: shop\r\n\r\n");
  early.server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  late.now_ns = early.now_ns + limits::settle_ns;
  late.open();
  auto wires = early.wires;
  wires.insert(wires.end(), late.wires.begin(), late.wires.end());
  const std::string path = folder.write("capture.pcap", testing::capture_of(wires));
  for (const unsigned threads : {1u, 2u, 3u}) {
    ImportOptions options;
    options.threads = threads;
    std::atomic<int> taken = 0;
    int times = 0;
    auto source = std::make_unique<Then>(path, [&] {
      std::this_thread::yield();
      return taken == 0 && ++times < 10'000'000;
    });
    static_cast<void>(import_packets(std::move(source), options, [&](Exchange&&) { ++taken; }));
    EXPECT_LT(times, 10'000'000) << threads << " threads";
  }
}

}  // namespace
}  // namespace rehearse::replay
