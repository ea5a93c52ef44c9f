#include "replay/capture/byte_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "replay/capture/import.h"
#include "replay/capture/test_files.h"
#include "replay/capture/test_packets.h"
#include "replay/error.h"

namespace rehearse::replay {
namespace {

using testing::Folder;
using testing::gzipped;
using ::testing::HasSubstr;
using testing::zstd_packed;

struct Read {
  std::string bytes;
  std::string problem;
};
Read read_all(const std::string& path, std::size_t piece = 1000) {
  const auto source = open_bytes(path);
  Read read;
  std::vector<unsigned char> into(piece);
  while (const std::size_t got = source->read(into))
    read.bytes.append(into.begin(), into.begin() + static_cast<std::ptrdiff_t>(got));
  read.problem = source->problem().value_or("");
  return read;
}

std::string refusal_of(const std::string& path) {
  try {
    static_cast<void>(open_bytes(path));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// Longer than what is read at once, and not compressible to nothing.
std::string long_text() {
  std::string text;
  for (std::uint32_t i = 0, x = 1; i < 1'000'000; ++i, x = x * 1'664'525 + 1'013'904'223)
    text += static_cast<char>(x >> 24);
  return text;
}

TEST(ByteSource, GivesTheSameBytesHoweverTheyArePacked) {
  const Folder folder;
  const std::string text = long_text();
  for (const std::string& packed : {text, gzipped(text), zstd_packed(text)}) {
    const std::string path = folder.write("file", packed);
    for (const std::size_t piece : {std::size_t{7}, std::size_t{1} << 20}) {
      const Read read = read_all(path, piece);
      EXPECT_TRUE(read.bytes == text);
      EXPECT_EQ(read.problem, "");
    }
  }
}

TEST(ByteSource, SeveralMembersAreOneFile) {
  const Folder folder;
  for (const auto pack : {gzipped, zstd_packed}) {
    const Read read = read_all(folder.write("file", pack("one ") + pack("") + pack("two ") + pack("three")));
    EXPECT_EQ(read.bytes, "one two three");
    EXPECT_EQ(read.problem, "");
  }
}

TEST(ByteSource, KeepsWhatCameBeforeTheEndOfACutFile) {
  const Folder folder;
  const std::string text = long_text();
  for (const auto pack : {gzipped, zstd_packed}) {
    const std::string packed = pack(text);
    const Read half = read_all(folder.write("file", packed.substr(0, packed.size() / 2)));
    EXPECT_GT(half.bytes.size(), text.size() / 4);
    EXPECT_TRUE(text.starts_with(half.bytes));
    EXPECT_THAT(half.problem, HasSubstr("ends too early; what came before it was kept"));
  }
}

TEST(ByteSource, AFileThatIsCutAnywhereSaysSoUnlessAMemberEndsThere) {
  const Folder folder;
  for (const auto pack : {gzipped, zstd_packed}) {
    const std::string first = pack("the first"), whole = first + pack("the second");
    for (std::size_t size = 4; size < whole.size(); ++size) {
      const Read read = read_all(folder.write("file", whole.substr(0, size)));
      EXPECT_TRUE(std::string("the firstthe second").starts_with(read.bytes));
      EXPECT_EQ(read.problem.empty(), size == first.size()) << size << " of " << whole.size();
    }
  }
}

TEST(ByteSource, KeepsWhatCameBeforeDamage) {
  const Folder folder;
  for (const auto pack : {gzipped, zstd_packed}) {
    const Read read = read_all(folder.write("file", pack("the first") + "what is this" + pack("never read")));
    EXPECT_EQ(read.bytes, "the first");
    EXPECT_THAT(read.problem, HasSubstr("is damaged; what came before it was kept"));
  }
}

TEST(ByteSource, DamageIsANoteOfTheImport) {
  const Folder folder;
  const std::string capture = testing::capture_of(testing::Conversation().open().client("hello").wires);
  const Traffic traffic = import_captures({folder.write("a.pcap.gz", gzipped(capture) + "what is this")});
  EXPECT_EQ(traffic.certificate.packets.at("read"), 4);
  ASSERT_EQ(traffic.certificate.notes.size(), 1u);
  EXPECT_THAT(traffic.certificate.notes[0], HasSubstr("a.pcap.gz: the gzip data is damaged"));
}

TEST(ByteSource, ShowsItsFirstBytesBeforeAndAfterTheyWereRead) {
  const Folder folder;
  const std::string text = "sixteen bytes and more";
  for (const std::string& packed : {text, gzipped(text), zstd_packed(text)}) {
    const auto source = open_bytes(folder.write("file", packed));
    EXPECT_EQ(source->beginning(), "sixteen bytes an");
    std::vector<unsigned char> into(5);
    EXPECT_EQ(source->read(into), 5u);
    EXPECT_EQ(source->beginning(), "sixteen bytes an");
  }
  EXPECT_EQ(open_bytes(folder.write("file", "abc"))->beginning(), "abc");
}

TEST(ByteSource, ReadsAPipeThatGivesALittleAtATime) {
  const Folder folder;
  const std::string text = testing::capture_of(testing::Conversation().open().client("hello").wires);
  for (const std::string& packed : {text, gzipped(text), zstd_packed(text)}) {
    const std::string path = folder.path("pipe" + std::to_string(packed.size()));
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    std::thread writer([&] {
      std::ofstream pipe(path, std::ios::binary);
      for (const char byte : packed) pipe << byte << std::flush;
    });
    const Traffic traffic = import_captures({path});
    writer.join();
    EXPECT_EQ(traffic.certificate.packets.at("read"), 4);
    EXPECT_EQ(traffic.certificate.packets.at("tcp"), 4);
    EXPECT_EQ(traffic.certificate.notes.size(), 0u);
  }
}

TEST(ByteSource, SaysWhatCannotBeOpened) {
  const Folder folder;
  EXPECT_THAT(refusal_of(folder.path("missing")), HasSubstr("No such file or directory; check the path"));
  EXPECT_THAT(refusal_of(folder.path(".")), HasSubstr("is a directory; give a capture file"));
}

}  // namespace
}  // namespace rehearse::replay
