#include "replay/capture/record_protection.h"

#include <gtest/gtest.h>

namespace rehearse::replay {
namespace {

std::string bytes(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i < hex.size();) {
    if (hex[i] == ' ') {
      ++i;
      continue;
    }
    out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    i += 2;
  }
  return out;
}

constexpr CipherSuite aes_128 = {Aead::aes_128_gcm, false, true};

// RFC 8448, section 3.
const std::string client_traffic = bytes("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5");
const std::string client_record = bytes(
    "17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac ea 42 f9 14 aa 66 bc ab 3f 2b 98 19 a8 a5 b4 "
    "6b "
    "39 5b d5 4a 9a 20 44 1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6 3a ee bb 21 69 49 15 e4");

TEST(KeySchedule, MakesTheKeysThatRfc8448Publishes) {
  const std::string server_handshake = bytes("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38");
  EXPECT_EQ(hkdf_expand_label(false, server_handshake, "key", 16), bytes("3fce516009c21727d0f2e4e86ee403bc"));
  EXPECT_EQ(hkdf_expand_label(false, server_handshake, "iv", 12), bytes("5d313eb2671276ee13000b30"));
  EXPECT_EQ(hkdf_expand_label(false, client_traffic, "key", 16), bytes("17422dda596ed5d9acd890e3c63f5051"));
  EXPECT_EQ(hkdf_expand_label(false, client_traffic, "iv", 12), bytes("5b78923dee08579033e523d9"));
}

// Of two blocks of output, to see that they are chained; the values are the published ones of the working group's list.
TEST(KeySchedule, ExpandsSecretsAsTls12Does) {
  EXPECT_EQ(
      tls12_prf(false, bytes("9bbe436ba940f017b17652849a71db35"), "test label",
                bytes("a0ba9f936cda311827a6f796ffd5198c"), 100),
      bytes("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa0"
            "22f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66"));
}

TEST(RecordProtection, OpensTheRecordThatRfc8448Publishes) {
  RecordProtection keys(aes_128, client_traffic);
  const auto plaintext = keys.open(client_record.substr(0, 5), client_record.substr(5));
  ASSERT_TRUE(plaintext);
  EXPECT_EQ(plaintext->type, 23);
  std::string counted;
  for (char each = 0; each < 50; ++each) counted += each;
  EXPECT_EQ(plaintext->bytes, counted);
}

TEST(RecordProtection, OpensNothingWhenAnyByteWasChanged) {
  for (std::size_t at = 0; at < client_record.size(); ++at) {
    std::string changed = client_record;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    RecordProtection keys(aes_128, client_traffic);
    EXPECT_FALSE(keys.open(changed.substr(0, 5), changed.substr(5))) << at;
  }
}

TEST(RecordProtection, CountsOnlyTheRecordsThatItOpened) {
  RecordProtection keys(aes_128, client_traffic);
  EXPECT_FALSE(keys.open(client_record.substr(0, 5), std::string(60, 'x')));
  EXPECT_TRUE(keys.open(client_record.substr(0, 5), client_record.substr(5)));
  EXPECT_FALSE(keys.open(client_record.substr(0, 5), client_record.substr(5)));  // it is number 0
}

TEST(RecordProtection, OpensNothingShorterThanItsTag) {
  const CipherSuite tls12 = {Aead::aes_128_gcm, false, false};
  for (std::size_t size = 0; size < 24; ++size) {
    RecordProtection newer(aes_128, client_traffic);
    RecordProtection older(tls12, std::string(48, 'm'), std::string(32, 'c'), std::string(32, 's'), true);
    EXPECT_FALSE(newer.open(client_record.substr(0, 5), std::string(size, 'x')));
    EXPECT_FALSE(older.open(client_record.substr(0, 5), std::string(size, 'x')));
  }
}

TEST(CipherSuites, OnlyThoseWithACipherThatIsReadAreKnown) {
  EXPECT_TRUE(cipher_suite(0x1301)->tls13);
  EXPECT_TRUE(cipher_suite(0xc030)->sha384);
  EXPECT_EQ(cipher_suite(0xcca9)->aead, Aead::chacha20_poly1305);
  EXPECT_FALSE(cipher_suite(0x1304));
  EXPECT_FALSE(cipher_suite(0x002f));
  EXPECT_EQ(name_of_unread_suite(0x002f), "TLS_RSA_WITH_AES_128_CBC_SHA");
  for (unsigned code = 0; code < 0x10000; ++code) {
    const bool read = cipher_suite(static_cast<std::uint16_t>(code)).has_value();
    EXPECT_FALSE(read && name_of_unread_suite(static_cast<std::uint16_t>(code)) != "another") << code;
  }
}

}  // namespace
}  // namespace rehearse::replay
