// What needs no keys: beginnings, limits and hostile records. Connections that are opened are in protocols_test.cpp.
#include "replay/capture/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "replay/capture/key_log.h"
#include "replay/capture/limits.h"

namespace rehearse::replay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

std::string number(std::size_t value, int bytes) {
  std::string out;
  while (bytes-- > 0) out += static_cast<char>(value >> 8 * bytes);
  return out;
}
std::string record(int type, const std::string& content) {
  return static_cast<char>(type) + std::string("\3\3") + number(content.size(), 2) + content;
}
std::string message(int type, const std::string& body) {
  return static_cast<char>(type) + number(body.size(), 3) + body;
}
std::string extension(int type, const std::string& content) {
  return number(static_cast<std::size_t>(type), 2) + number(content.size(), 2) + content;
}
std::string client_hello(const std::string& extensions = "") {
  return message(1, "\3\3" + std::string(32, 'c') + std::string(1, '\0') + number(2, 2) + "\x13\x01" + "\1" +
                        std::string(1, '\0') + number(extensions.size(), 2) + extensions);
}
std::string server_hello(int suite, const std::string& extensions = "", int version = 0x0303) {
  return message(2, number(static_cast<std::size_t>(version), 2) + std::string(32, 's') + std::string(1, '\0') +
                        number(static_cast<std::size_t>(suite), 2) + std::string(1, '\0') +
                        number(extensions.size(), 2) + extensions);
}
const std::string tls13 = extension(43, "\3\4");
const std::string early_data = extension(42, "");
const std::string sealed = record(23, std::string(40, 'x'));
const std::string change_cipher_spec = record(20, "\1");

class Talk {
 public:
  explicit Talk(bool from_start = true, std::size_t piece = SIZE_MAX) : piece_(piece) {
    Origin origin;
    origin.connection = std::make_shared<Identity>();
    origin.from_start = from_start;
    origin.findings = &findings;
    origin.keys = &keys;
    reader_ = tls_reader(origin);
  }
  Talk& client(const std::string& bytes) { return say(Side::b, bytes); }
  Talk& server(const std::string& bytes) { return say(Side::a, bytes); }
  Talk& lose(Side from) {
    reader_->gap(from, 0, 1, 1);
    return *this;
  }
  // The remark about the connection; every byte of it is counted once.
  std::string end() {
    reader_->end(Side::a, End::finished, 9);
    reader_->end(Side::b, End::finished, 9);
    EXPECT_EQ(std::accumulate(findings.bytes.begin(), findings.bytes.end(), std::int64_t{0}), said_);
    EXPECT_EQ(findings.bytes[static_cast<std::size_t>(ByteKind::tls)], 0);
    EXPECT_EQ(reader_->held_bytes(), 0u);
    EXPECT_EQ(findings.remarks.size(), 1u);
    return findings.remarks.empty() ? "" : findings.remarks.begin()->first;
  }
  ProtocolReader& reader() { return *reader_; }

  Findings findings;
  KeyLog keys;

 private:
  Talk& say(Side from, const std::string& bytes) {
    for (std::size_t at = 0; at < bytes.size(); at += std::min(piece_, bytes.size() - at)) {
      Piece piece;
      piece.from = from;
      piece.bytes = std::string_view(bytes).substr(at, piece_);
      reader_->take(piece);
    }
    said_ += static_cast<std::int64_t>(bytes.size());
    return *this;
  }
  std::size_t piece_;
  std::int64_t said_ = 0;
  std::unique_ptr<ProtocolReader> reader_;
};

constexpr auto no_keys = "connections in TLS without keys";
constexpr auto malformed = "connections in TLS with malformed records";
constexpr auto joined = "connections in TLS that the capture joined in the middle";

TEST(Tls, SaysWhyAConnectionIsNotRead) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, SIZE_MAX}) {
    const auto answered = [&](const std::string& answer) {
      return Talk(true, piece).client(record(22, client_hello())).server(answer).end();
    };
    EXPECT_EQ(answered(record(22, server_hello(0x1301, tls13)) + sealed), no_keys);
    EXPECT_EQ(answered(record(22, server_hello(0xc02f)) + change_cipher_spec + sealed), no_keys);
    EXPECT_EQ(answered(record(22, server_hello(0x002f)) + change_cipher_spec + sealed),
              "connections in TLS with a cipher that is not read: TLS_RSA_WITH_AES_128_CBC_SHA");
    EXPECT_EQ(answered(record(22, server_hello(0x1304, tls13)) + sealed),
              "connections in TLS with a cipher that is not read: TLS_AES_128_CCM_SHA256");
    EXPECT_EQ(answered(record(22, server_hello(0x1301)) + change_cipher_spec + sealed),
              "connections in TLS with a cipher that is not read: another");
    EXPECT_EQ(answered(record(22, server_hello(0xc02f, "", 0x0302)) + change_cipher_spec + sealed),
              "connections in TLS 1.1 or older, which is not read");
    EXPECT_EQ(answered(record(21, "\2\x28")), "connections in TLS that ended within the handshake");
    EXPECT_EQ(Talk(true, piece).client(record(22, client_hello())).lose(Side::b).server(sealed).end(),
              "connections in TLS broken by a gap");
    EXPECT_EQ(Talk(false, piece).client(sealed).server(sealed).end(), joined);
    EXPECT_EQ(Talk(false, piece).client(record(22, std::string(40, 'x'))).end(), joined);
    EXPECT_EQ(Talk(false, piece).server(record(22, server_hello(0x1301))).end(), joined);
  }
}

TEST(Tls, EveryReasonHasItsAdvice) {
  for (const std::string& bytes : {sealed, record(22, server_hello(0x1301)), std::string("\x16\3\3\xff\xff")}) {
    Talk talk(false);
    talk.client(bytes).end();
    EXPECT_THAT(talk.findings.notes, ElementsAre(HasSubstr(": ")));
  }
}

TEST(Tls, MessagesMaySpanRecordsAndShareThem) {
  const std::string hello = client_hello();
  Talk talk;
  for (const char byte : hello) talk.client(record(22, std::string(1, byte)));
  talk.server(record(22, server_hello(0xc02f) + message(11, "certificate") + message(14, "")))
      .server(change_cipher_spec + sealed);
  EXPECT_EQ(talk.end(), no_keys);
}

TEST(Tls, RecordsThatBreakTheProtocolEndTheReading) {
  for (const std::string& bytes :
       {std::string("\x16\2\0\0\1x"), std::string("\x19\3\3\0\1x"), std::string("\x16\3\3\xff\xff"),
        record(22, message(11, "first")), record(22, message(1, "short")), record(22, client_hello("\1")),
        record(22, client_hello(extension(43, "x") + "x")), record(22, client_hello()) + sealed}) {
    EXPECT_EQ(Talk().client(bytes + sealed).end(), malformed) << ::testing::PrintToString(bytes);
  }
  EXPECT_EQ(Talk().client(record(22, client_hello())).server(record(22, client_hello())).end(), malformed);
}

TEST(Tls, EarlyDataIsPassedOver) {
  Talk talk;
  talk.client(record(22, client_hello(early_data)) + sealed + sealed).server(record(22, server_hello(0x1301, tls13)));
  talk.reader().end(Side::b, End::finished, 1);
  EXPECT_THAT(talk.findings.remarks, ElementsAre(Pair("connections in TLS with early data, which is not read", 1)));
  EXPECT_EQ(talk.findings.bytes[static_cast<std::size_t>(ByteKind::encrypted)],
            2 * static_cast<std::int64_t>(sealed.size()));
}

TEST(TlsLimits, Records) {
  const std::size_t rest = limits::record_bytes - client_hello().size() - message(11, "").size();
  const std::string longest = record(22, client_hello() + message(11, std::string(rest, 'x')));
  ASSERT_EQ(longest.size(), 5 + limits::record_bytes);
  EXPECT_EQ(Talk().client(longest).end(), "connections in TLS that ended within the handshake");
  EXPECT_EQ(Talk().client(record(22, std::string(limits::record_bytes + 1, '\1'))).end(), malformed);
}

TEST(TlsLimits, HandshakeMessages) {
  const auto certificate = [](std::size_t size) {
    const std::string whole = client_hello() + message(11, std::string(size, 'x'));
    std::string records;
    for (std::size_t at = 0; at < whole.size(); at += 10'000) records += record(22, whole.substr(at, 10'000));
    return Talk().client(records).end();
  };
  EXPECT_EQ(certificate(limits::handshake_bytes), "connections in TLS that ended within the handshake");
  EXPECT_EQ(certificate(limits::handshake_bytes + 1), malformed);
}

TEST(TlsLimits, WhatIsHeldIsReported) {
  Talk talk;
  talk.client(record(22, client_hello() + "\x0b" + number(5000, 3) + std::string(1000, 'x')));
  EXPECT_GE(talk.reader().held_bytes(), 1000u);
  talk.client(record(22, std::string(2000, 'x')).substr(0, 600));
  EXPECT_GE(talk.reader().held_bytes(), 1600u);
  talk.end();
}

}  // namespace
}  // namespace rehearse::replay
