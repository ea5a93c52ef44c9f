// Beginnings, ends, limits and hostile records. Connections of real programs are in protocols_test.cpp.
#include "replay/capture/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <numeric>

#include "replay/capture/key_log.h"
#include "replay/capture/limits.h"
#include "replay/capture/record_protection.h"

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

// Seals records with TLS_AES_128_GCM_SHA256 as one end does whose secret is 32 times `letter`.
class Sealer {
 public:
  explicit Sealer(char letter)
      : key_(hkdf_expand_label(false, std::string(32, letter), "key", 16)),
        iv_(hkdf_expand_label(false, std::string(32, letter), "iv", 12)) {}

  std::string seal(int type, const std::string& content) {
    const std::string inner = content + static_cast<char>(type);
    const std::string header = std::string("\x17\3\3") + number(inner.size() + 16, 2);
    std::string nonce = iv_, out(inner.size() + 16, '\0');
    nonce[11] = static_cast<char>(nonce[11] ^ number_++);
    const auto bytes = [](const std::string& text) { return reinterpret_cast<const unsigned char*>(text.data()); };
    auto* sealed_bytes = reinterpret_cast<unsigned char*>(out.data());
    int length = 0;
    EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
    EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), nullptr, bytes(key_), bytes(nonce));
    EVP_EncryptUpdate(context, nullptr, &length, bytes(header), 5);
    EVP_EncryptUpdate(context, sealed_bytes, &length, bytes(inner), static_cast<int>(inner.size()));
    EVP_EncryptFinal_ex(context, sealed_bytes + inner.size(), &length);
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, sealed_bytes + inner.size());
    EVP_CIPHER_CTX_free(context);
    return header + out;
  }

 private:
  std::string key_, iv_;
  char number_ = 0;
};

// A connection in TLS 1.3 whose secrets are known, up to the first byte of its content.
class OpenedTls : public ::testing::Test {
 protected:
  OpenedTls() {
    const std::string random = [] {
      std::string hex;
      for (int i = 0; i < 32; ++i) hex += "63";
      return hex;
    }();
    const auto line = [&](const std::string& label, const std::string& byte) {
      std::string hex;
      for (int i = 0; i < 32; ++i) hex += byte;
      talk.keys.append(label + " " + random + " " + hex + "\n");
    };
    line("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "61");
    line("SERVER_HANDSHAKE_TRAFFIC_SECRET", "62");
    line("CLIENT_TRAFFIC_SECRET_0", "63");
    line("SERVER_TRAFFIC_SECRET_0", "64");
    talk.client(record(22, client_hello())).server(record(22, server_hello(0x1301, tls13)));
  }
  void shake_hands() {
    talk.server(Sealer('b').seal(22, message(8, number(0, 2)) + message(20, "verify")));
    talk.client(Sealer('a').seal(22, message(20, "verify")));
  }
  // The flags of the only exchange, when the streams end so.
  std::vector<std::string> flags_after(End how) {
    talk.reader().end(Side::b, how, 9);
    talk.reader().end(Side::a, how, 9);
    EXPECT_EQ(talk.findings.exchanges.size(), 1u);
    if (talk.findings.exchanges.empty()) return {"none"};
    EXPECT_EQ(talk.findings.exchanges[0]->exchange.response->body, "until the end");
    return talk.findings.exchanges[0]->exchange.flags;
  }
  void exchange_until_close() {
    shake_hands();
    talk.client(client.seal(23, "GET / HTTP/1.1\r\n\r\n"))
        .server(server.seal(23, "HTTP/1.1 200 OK\r\n\r\nuntil the end"));
  }
  Talk talk;
  Sealer client{'c'}, server{'d'};
};

TEST_F(OpenedTls, ACloseNotifyEndsAStreamWhateverFollows) {
  exchange_until_close();
  talk.server(server.seal(21, std::string("\1\0", 2))).client(client.seal(21, std::string("\1\0", 2)));
  EXPECT_THAT(flags_after(End::unfinished), IsEmpty());
}

TEST_F(OpenedTls, WithoutACloseNotifyTheStreamEndsAsItsConnection) {
  exchange_until_close();
  EXPECT_THAT(flags_after(End::reset), ElementsAre(flag::reset));
}

TEST_F(OpenedTls, AStreamThatEndsWithinARecordIsNotFinished) {
  exchange_until_close();
  talk.server(server.seal(23, "more").substr(0, 10));
  EXPECT_THAT(flags_after(End::finished), ElementsAre(flag::unfinished));
}

TEST_F(OpenedTls, AWrongTagEndsTheReadingOfBothSides) {
  exchange_until_close();
  talk.server(sealed).client(client.seal(23, "GET /unread HTTP/1.1\r\n\r\n"));
  EXPECT_THAT(flags_after(End::finished), ElementsAre(flag::unfinished));
  EXPECT_THAT(talk.findings.remarks, ::testing::Contains(Pair("connections in TLS whose keys do not fit", 1)));
}

TEST_F(OpenedTls, NothingMayFollowWhatChangesTheKeys) {
  talk.server(Sealer('b').seal(22, message(20, "verify") + message(4, "ticket")));
  talk.reader().end(Side::a, End::finished, 9);
  EXPECT_THAT(talk.findings.remarks, ::testing::Contains(Pair(malformed, 1)));
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
