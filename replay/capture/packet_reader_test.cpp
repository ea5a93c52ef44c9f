#include "replay/capture/packet_reader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "replay/capture/decode.h"
#include "replay/capture/limits.h"
#include "replay/capture/test_files.h"
#include "replay/capture/test_packets.h"
#include "replay/error.h"

namespace rehearse::replay {
namespace {

using testing::capture_of;
using testing::Conversation;
using ::testing::ElementsAre;
using testing::Format;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Link;
using testing::Wire;

class PacketReaderTest : public ::testing::Test {
 protected:
  struct Seen {
    std::int64_t time_ns;
    std::string source, destination, payload, class_;
  };

  void read(const std::string& bytes) {
    seen.clear();
    replay::PacketReader reader(open_bytes(folder.write("capture", bytes)), "capture");
    each_batch(reader, [&](const std::vector<Packet>& batch) {
      for (const Packet& packet : batch) {
        Segment tcp;
        if (const auto kind = decode(packet, tcp); kind != PacketKind::tcp) {
          seen.push_back({packet.time_ns, "", "", "", std::string(name_of(kind))});
          continue;
        }
        seen.push_back({packet.time_ns, text_of(tcp.source), text_of(tcp.destination),
                        std::string(tcp.payload.begin(), tcp.payload.end()), tcp.missing > 0 ? "cut" : ""});
      }
    });
    notes = reader.notes();
  }

  std::string refusal_of(const std::string& bytes) {
    try {
      read(bytes);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  static std::vector<Wire> hello() { return Conversation().open().client("hello").wires; }

  testing::Folder folder;
  std::vector<Seen> seen;
  std::vector<std::string> notes;
};

TEST_F(PacketReaderTest, ReadsEveryFormatByteOrderResolutionAndLinkLayer) {
  for (bool pcapng : {false, true}) {
    for (bool big_endian : {false, true}) {
      for (bool nanoseconds : {false, true}) {
        for (Link link :
             {Link::ethernet, Link::vlan, Link::two_vlans, Link::raw, Link::linux_sll, Link::linux_sll2, Link::null}) {
          SCOPED_TRACE(fmt::format("pcapng {} big endian {} nanoseconds {} link {}", pcapng, big_endian, nanoseconds,
                                   static_cast<int>(link)));
          auto wires = hello();
          wires.back().time_ns += 123'456'789;
          read(capture_of(wires, {pcapng, big_endian, nanoseconds, link}));
          EXPECT_THAT(notes, IsEmpty());
          ASSERT_EQ(seen.size(), 4u);
          EXPECT_EQ(seen[3].source, "10.0.0.1:40000");
          EXPECT_EQ(seen[3].destination, "10.0.0.2:80");
          EXPECT_EQ(seen[3].payload, "hello");
          EXPECT_EQ(seen[0].payload, "") << "padding is no payload";
          EXPECT_EQ(seen[3].time_ns, nanoseconds ? wires[3].time_ns : wires[3].time_ns / 1000 * 1000);
        }
      }
    }
  }
}

TEST_F(PacketReaderTest, ReadsIpVersion6OnEveryLinkLayer) {
  for (Link link : {Link::ethernet, Link::vlan, Link::raw, Link::linux_sll, Link::linux_sll2, Link::null}) {
    Conversation six;
    six.client_address = "::1";
    six.server_address = "2001:db8::2";
    read(capture_of(six.open().client("hello").wires, {false, false, false, link}));
    ASSERT_EQ(seen.size(), 4u);
    EXPECT_EQ(seen[3].source, "[::1]:40000");
    EXPECT_EQ(seen[3].destination, "[2001:db8::2]:80");
    EXPECT_EQ(seen[3].payload, "hello");
  }
}

TEST_F(PacketReaderTest, KeepsWhatCameBeforeATruncatedLastRecord) {
  for (bool pcapng : {false, true}) {
    const std::string whole = capture_of(hello(), {pcapng, false, false, Link::ethernet});
    for (std::size_t missing = 1; missing <= 20; ++missing) {
      read(whole.substr(0, whole.size() - missing));
      EXPECT_EQ(seen.size(), 3u) << missing << " bytes missing";
      ASSERT_EQ(notes.size(), 1u);
      EXPECT_THAT(notes[0], HasSubstr("truncated"));
    }
  }
}

TEST_F(PacketReaderTest, SurvivesEveryPrefixOfAFile) {
  for (bool pcapng : {false, true}) {
    const std::string whole = capture_of(hello(), {pcapng, true, true, Link::vlan});
    for (std::size_t size = 4; size < whole.size(); ++size) {
      if (!pcapng && size < 24) {
        EXPECT_THAT(refusal_of(whole.substr(0, size)), HasSubstr("ends within its header"));
        continue;
      }
      read(whole.substr(0, size));
      EXPECT_LE(seen.size(), 4u);
    }
  }
}

TEST_F(PacketReaderTest, StopsAtALengthThatNoPacketHas) {
  std::string file = capture_of(hello());
  file.replace(24 + 8, 4, "\xff\xff\xff\x7f");
  read(file);
  EXPECT_THAT(seen, IsEmpty());
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_THAT(notes[0], HasSubstr("damaged"));
}

TEST_F(PacketReaderTest, CountsASnapLengthThatCutThePayload) {
  auto wires = hello();
  wires.back().snap_length = 14 + 20 + 32 + 2;
  read(capture_of(wires));
  EXPECT_EQ(seen.back().payload, "he");
  EXPECT_EQ(seen.back().class_, "cut");
}

TEST_F(PacketReaderTest, CountsACutAlsoWhenTheDriverLeftTheIpLengthOpen) {
  auto wires = hello();
  wires.back().length_unknown = true;
  read(capture_of(wires));
  EXPECT_EQ(seen.back().payload, "hello");
  EXPECT_EQ(seen.back().class_, "");
  wires.back().snap_length = 14 + 20 + 32 + 2;
  read(capture_of(wires));
  EXPECT_EQ(seen.back().payload, "he");
  EXPECT_EQ(seen.back().class_, "cut");
}

TEST_F(PacketReaderTest, SaysWhatIsNoCapture) {
  EXPECT_THAT(refusal_of(""), HasSubstr("is empty; give a pcap or pcapng file"));
  EXPECT_THAT(refusal_of("GET / HTTP/1.1\r\n\r\n"), HasSubstr("is no capture; give a pcap or pcapng file"));
  EXPECT_THROW(static_cast<void>(open_bytes(folder.path("missing"))), Error);
}

TEST_F(PacketReaderTest, ReadsTheObsoletePacketBlockToo) {
  // draft-ietf-opsawg-pcapng, appendix A: like the enhanced one, but interface and drop count are 16 bits each.
  std::string file = capture_of(hello(), {true, false, false, Link::ethernet});
  for (std::size_t at = 0; at + 8 < file.size();) {
    std::uint32_t type, length;
    std::memcpy(&type, file.data() + at, 4);
    std::memcpy(&length, file.data() + at + 4, 4);
    if (type == 6) {
      file[at] = 2;
      file[at + 8 + 2] = 9;  // nine packets were dropped before
    }
    at += length;
  }
  read(file);
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_EQ(seen[3].payload, "hello");
}

// -- blocks and headers of all kinds -----------------------------------------------------------------------------------

class Blocks : public ::testing::Test {
 protected:
  void read(const std::string& bytes) {
    reader = std::make_unique<PacketReader>(open_bytes(folder.write("capture", bytes)), "capture");
    seen.clear();
    each_batch(*reader, [&](const std::vector<Packet>& batch) {
      EXPECT_LE(batch.size(), limits::settled_packets);
      for (const Packet& p : batch)
        seen.push_back(fmt::format("{} {} {} of {}", p.time_ns, p.link_type,
                                   std::string(p.bytes.begin(), p.bytes.end()), p.wire_length));
    });
  }
  testing::Folder folder;
  std::unique_ptr<PacketReader> reader;
  std::vector<std::string> seen;
};

TEST_F(Blocks, KuznetzovsPcapHasLongerRecords) {
  for (const bool big_endian : {false, true}) {
    testing::PcapStyle style;
    style.big_endian = big_endian;
    style.kuznetzov = true;
    read(testing::pcap_file({{5'000'001'000, 1, "one"}, {6'000'002'000, 1, "two"}}, style));
    EXPECT_THAT(seen, ElementsAre("5000001000 1 one of 3", "6000002000 1 two of 3"));
  }
}

TEST_F(Blocks, TheFrameCheckSequenceThatAFileDeclaresIsCutOff) {
  std::string file = testing::pcap_file({{0, 1, "frame1234"}});
  file[23] = '\x24';  // two units of 16 bits, and the bit that says so
  read(file);
  EXPECT_THAT(seen, ElementsAre("0 1 frame of 5"));
  const testing::Block b;
  read(b.section() + b.interface(1, b.option(13, "\x04")) + b.packet(0, 0, "frame1234"));
  EXPECT_THAT(seen, ElementsAre("0 1 frame of 5"));
}

TEST_F(Blocks, TimesHaveTheResolutionAndTheOffsetOfTheirInterface) {
  for (const bool big_endian : {false, true}) {
    const testing::Block b(big_endian);
    read(b.section() + b.interface(1) + b.interface(2, b.option(9, "\x09") + b.option(14, b.u64(100))) +
         b.interface(3, b.option(9, "\x8a")) + b.interface(4, b.option(9, "\x03") + b.option(14, b.u64(0))) +
         b.packet(0, 1'000'001, "us") + b.packet(1, 1'000'000'001, "ns") + b.packet(2, 1536, "2^-10") +
         b.packet(3, 1500, "ms"));
    EXPECT_THAT(seen, ElementsAre("1000001000 1 us of 2", "101000000001 2 ns of 2", "1500000000 3 2^-10 of 5",
                                  "1500000000 4 ms of 2"));
  }
}

TEST_F(Blocks, TimesThatNoClockShowsAreSomeTime) {
  const testing::Block b;
  const std::uint64_t most = UINT64_MAX;
  std::string file = b.section();
  std::uint32_t interfaces = 0;
  for (const char* resolution : {"\x01", "\x06", "\x13", "\x7f", "\x80", "\xff"}) {
    for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{1} << 63, most}) {
      file += b.interface(1, b.option(9, resolution) + b.option(14, b.u64(offset)));
      file += b.packet(interfaces, most, "x") + b.packet(interfaces, 0, "x");
      ++interfaces;
    }
  }
  reader = std::make_unique<PacketReader>(open_bytes(folder.write("capture", file)), "capture");
  std::size_t packets = 0;
  each_batch(*reader, [&](const std::vector<Packet>& batch) {
    packets += batch.size();
    for (const Packet& packet : batch) {
      EXPECT_GE(packet.time_ns, 0);
      EXPECT_LT(packet.time_ns, std::int64_t{1} << 62) << "so that differences and sums are numbers";
    }
  });
  EXPECT_EQ(packets, 2 * interfaces);
}

TEST_F(Blocks, ASimplePacketHasTheTimeOfTheOneBefore) {
  const testing::Block b;
  read(b.section() + b.interface(1, "", 4) + b.packet(0, 5, "with a time") + b.of(3, b.u32(9) + "cut off\0"));
  EXPECT_THAT(seen, ElementsAre("5000 1 with a time of 11", "5000 1 cut  of 9"));
}

TEST_F(Blocks, DropsOfEachInterfaceAreThoseOfItsLastStatistics) {
  const testing::Block b;
  const auto statistics = [&](std::uint32_t id, std::uint64_t by_interface, std::uint64_t by_system) {
    return b.of(5, b.u32(id) + b.u32(0) + b.u32(0) + b.option(5, b.u64(by_interface)) + b.option(7, b.u64(by_system)));
  };
  read(b.section() + b.interface(1) + b.interface(1) + statistics(0, 1, 2) + statistics(1, 10, 0) +
       statistics(0, 2, 3) + statistics(0, 1, 0) + statistics(7, 1000, 0));
  EXPECT_EQ(reader->dropped(), 15u);
}

TEST_F(Blocks, UnknownBlocksArePassedOver) {
  const testing::Block b;
  read(b.section() + b.of(0x0bad, "") + b.interface(1) + b.of(4, "names") + b.packet(0, 0, "x") +
       b.of(0x40000bad, "y"));
  EXPECT_THAT(seen, ElementsAre("0 1 x of 1"));
  EXPECT_THAT(reader->notes(), IsEmpty());
}

TEST_F(Blocks, SecretsAreThoseOfATlsKeyLog) {
  const testing::Block b(true);
  const auto secrets = [&](std::uint32_t kind, const std::string& text) {
    return b.of(10, b.u32(kind) + b.u32(text.size()) + text);
  };
  read(b.section() + secrets(0x544c534b, "one\n") + secrets(0x57474b4c, "of WireGuard") + secrets(0x544c534b, "two") +
       b.of(10, b.u32(0x544c534b) + b.u32(1000) + "more"));
  EXPECT_EQ(reader->secrets(), "one\n\ntwo\nmore\n");
}

TEST_F(Blocks, APacketOfNoInterfaceIsSkippedAndSaid) {
  const testing::Block b;
  read(b.section() + b.packet(0, 0, "x") + b.interface(1) + b.packet(1, 0, "x") +
       b.of(6, b.u32(0) + b.u32(0) + b.u32(0) + b.u32(1000) + b.u32(1000) + "x") + b.packet(0, 0, "y"));
  EXPECT_THAT(seen, ElementsAre("0 1 y of 1"));
  EXPECT_EQ(reader->notes().size(), 1u);
  EXPECT_EQ(reader->skipped(), 3u);
}

TEST_F(Blocks, InterfacesAreThoseOfTheirSection) {
  const testing::Block b;
  read(b.section() + b.interface(1) + b.section() + b.packet(0, 0, "x"));
  EXPECT_THAT(seen, IsEmpty());
}

TEST_F(Blocks, OfASectionThereIsALimitedNumberOfInterfaces) {
  const testing::Block b;
  std::string file = b.section();
  for (std::size_t i = 0; i < limits::interfaces; ++i) file += b.interface(1);
  file += b.packet(limits::interfaces - 1, 0, "x");
  read(file);
  EXPECT_THAT(reader->notes(), IsEmpty());
  for (std::size_t i = 0; i < 2 * limits::notes; ++i) file += b.interface(1) + b.packet(limits::interfaces, 0, "x");
  read(file);
  EXPECT_EQ(seen.size(), 1u);
  EXPECT_EQ(reader->notes().size(), 2u);
  EXPECT_THAT(reader->notes()[0], HasSubstr("more than 4096 interfaces"));
  EXPECT_EQ(reader->skipped(), 2 * limits::notes);
}

TEST_F(Blocks, ABlockIsNoLongerThanItsLimit) {
  const testing::Block b;
  const std::string before = b.section() + b.interface(1) + b.packet(0, 0, "x");
  read(before + b.of(0x0bad, std::string(limits::block_bytes - 12, 'x')) + b.packet(0, 0, "y"));
  EXPECT_EQ(seen.size(), 2u);
  read(before + b.of(0x0bad, std::string(limits::block_bytes - 8, 'x')) + b.packet(0, 0, "y"));
  EXPECT_EQ(seen.size(), 1u);
  ASSERT_EQ(reader->notes().size(), 1u);
  EXPECT_THAT(reader->notes()[0], HasSubstr("damaged from here on"));
}

TEST_F(Blocks, ABatchHasALimitedNumberOfPackets) {
  read(testing::pcap_file(std::vector<testing::Frame>(2 * limits::settled_packets + 1)));
  EXPECT_EQ(seen.size(), 2 * limits::settled_packets + 1);
}

}  // namespace
}  // namespace rehearse::replay
