#include "replay/capture/packet_reader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "replay/capture/decode.h"
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
    std::vector<Packet> batch;
    for (reader.read(batch); !batch.empty(); reader.read(batch)) {
      for (const Packet& packet : batch) {
        Segment tcp;
        if (const auto kind = decode(packet, tcp); kind != PacketKind::tcp) {
          seen.push_back({packet.time_ns, "", "", "", std::string(name_of(kind))});
          continue;
        }
        seen.push_back({packet.time_ns, text_of(tcp.source), text_of(tcp.destination),
                        std::string(tcp.payload.begin(), tcp.payload.end()), tcp.missing > 0 ? "cut" : ""});
      }
    }
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

}  // namespace
}  // namespace rehearse::replay
