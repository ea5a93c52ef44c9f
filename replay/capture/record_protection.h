// Opens the records of TLS 1.2 and 1.3 with the secrets of a key log: key schedules and ciphers, without any state of a connection
// but the number of the next record.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rehearse::replay {

enum class Aead : std::uint8_t { aes_128_gcm, aes_256_gcm, chacha20_poly1305 };

// What of a cipher suite matters for reading.
struct CipherSuite {
  Aead aead;
  bool sha384;  // the hash of the key schedule; SHA-256 otherwise
  bool tls13;
};

// Nothing for the suites that are not read (CBC, CCM, ...).
[[nodiscard]] std::optional<CipherSuite> cipher_suite(std::uint16_t code);
// "TLS_RSA_WITH_AES_128_CBC_SHA" for the usual ones that are not read; "another" for the rest.
[[nodiscard]] std::string_view name_of_unread_suite(std::uint16_t code);

// HKDF-Expand-Label with an empty context (RFC 8446, section 7.1). REQUIRES: length <= 255.
[[nodiscard]] std::string hkdf_expand_label(bool sha384, std::string_view secret, std::string_view label,
                                            std::size_t length);
// The pseudorandom function of TLS 1.2 (RFC 5246, section 5).
[[nodiscard]] std::string tls12_prf(bool sha384, std::string_view secret, std::string_view label, std::string_view seed,
                                    std::size_t length);

// One direction's keys.
class RecordProtection {
 public:
  // TLS 1.3: from a traffic secret (RFC 8446, section 7.3).
  RecordProtection(const CipherSuite& suite, std::string_view traffic_secret);
  // TLS 1.2: the client's or the server's part of the key block (RFC 5246, section 6.3).
  RecordProtection(const CipherSuite& suite, std::string_view master_secret, std::string_view client_random,
                   std::string_view server_random, bool of_client);
  ~RecordProtection();
  RecordProtection(RecordProtection&&) noexcept;
  RecordProtection& operator=(RecordProtection&&) noexcept;

  struct Plaintext {
    std::uint8_t type;       // of the content; in TLS 1.3 the one that was hidden
    std::string_view bytes;  // valid until the next call
  };
  // Opens the next record: its 5 bytes of header and what follows them. Nothing when the tag is not right; the number of the next
  // record is then the same.
  [[nodiscard]] std::optional<Plaintext> open(std::string_view header, std::string_view content);

  // The keys that follow a KeyUpdate (RFC 8446, section 7.2). REQUIRES: TLS 1.3.
  void update();

 private:
  struct Context;
  void set_keys(std::string_view key, std::string_view iv);
  CipherSuite suite_;
  std::string secret_;  // of TLS 1.3
  std::string iv_;
  std::uint64_t number_ = 0;
  std::string plaintext_;
  std::unique_ptr<Context> context_;
};

}  // namespace rehearse::replay
