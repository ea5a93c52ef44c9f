#include "replay/capture/record_protection.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <utility>

#include "replay/error.h"

namespace rehearse::replay {
namespace {

constexpr std::size_t tag_bytes = 16;
constexpr std::size_t nonce_bytes = 12;
constexpr std::size_t explicit_nonce_bytes = 8;  // AES-GCM in TLS 1.2 (RFC 5288, section 3)

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

// Looked up once: OpenSSL searches its providers at every fetch.
const EVP_CIPHER* cipher_of(Aead aead) {
  static const std::array<EVP_CIPHER*, 3> ciphers = {EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr),
                                                     EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr),
                                                     EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr)};
  return ciphers[static_cast<std::size_t>(aead)];
}

std::size_t key_length(Aead aead) { return aead == Aead::aes_128_gcm ? 16 : 32; }

std::string hmac(bool sha384, std::string_view key, std::string_view data) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int length = 0;
  ENSURE(HMAC(sha384 ? EVP_sha384() : EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(data),
              data.size(), bytes_of(digest), &length) != nullptr);
  digest.resize(length);
  return digest;
}

// A fixed IV with the record's number (RFC 8446, section 5.3; RFC 7905, section 2).
std::string numbered(std::string iv, std::uint64_t number) {
  for (std::size_t i = 0; i < 8; ++i)
    iv[iv.size() - 1 - i] = static_cast<char>(static_cast<unsigned char>(iv[iv.size() - 1 - i]) ^ (number >> (8 * i)));
  return iv;
}

}  // namespace

std::optional<CipherSuite> cipher_suite(std::uint16_t code) {
  if (code == 0x1301) return CipherSuite{Aead::aes_128_gcm, false, true};
  if (code == 0x1302) return CipherSuite{Aead::aes_256_gcm, true, true};
  if (code == 0x1303) return CipherSuite{Aead::chacha20_poly1305, false, true};
  // RFC 5288, 5289, 5487, 8442: the suite with AES-128 and, one above, the one with AES-256.
  constexpr std::array<std::uint16_t, 14> gcm = {0x009c, 0x009e, 0x00a0, 0x00a2, 0x00a4, 0x00a6, 0x00a8,
                                                 0x00aa, 0x00ac, 0xc02b, 0xc02d, 0xc02f, 0xc031, 0xd001};
  for (const std::uint16_t each : gcm) {
    if (code == each) return CipherSuite{Aead::aes_128_gcm, false, false};
    if (code == each + 1) return CipherSuite{Aead::aes_256_gcm, true, false};
  }
  if (code >= 0xcca8 && code <= 0xccae) return CipherSuite{Aead::chacha20_poly1305, false, false};  // RFC 7905
  return std::nullopt;
}

std::string_view name_of_unread_suite(std::uint16_t code) {
  constexpr std::array<std::pair<std::uint16_t, std::string_view>, 26> names = {{
      {0x0005, "TLS_RSA_WITH_RC4_128_SHA"},
      {0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"},
      {0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA"},
      {0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"},
      {0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA"},
      {0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"},
      {0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256"},
      {0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256"},
      {0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256"},
      {0x006b, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256"},
      {0x1304, "TLS_AES_128_CCM_SHA256"},
      {0x1305, "TLS_AES_128_CCM_8_SHA256"},
      {0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"},
      {0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"},
      {0xc012, "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"},
      {0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"},
      {0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"},
      {0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"},
      {0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"},
      {0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"},
      {0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"},
      {0xc09c, "TLS_RSA_WITH_AES_128_CCM"},
      {0xc0ac, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM"},
      {0xc0ad, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM"},
      {0xc0ae, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8"},
      {0xc0af, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8"},
  }};
  const auto* found = std::find_if(names.begin(), names.end(), [&](const auto& each) { return each.first == code; });
  return found == names.end() ? "another" : found->second;
}

std::string hkdf_expand_label(bool sha384, std::string_view secret, std::string_view label, std::size_t length) {
  std::string info;
  info += static_cast<char>(length >> 8);
  info += static_cast<char>(length);
  info += static_cast<char>(6 + label.size());
  info.append("tls13 ").append(label);
  info += '\0';
  // HKDF-Expand (RFC 5869, section 2.3).
  std::string out, block;
  for (char counter = 1; out.size() < length; ++counter) {
    block = hmac(sha384, secret, block + info + counter);
    out += block;
  }
  out.resize(length);
  return out;
}

std::string tls12_prf(bool sha384, std::string_view secret, std::string_view label, std::string_view seed,
                      std::size_t length) {
  const std::string labelled = std::string(label).append(seed);
  std::string out, round = labelled;
  while (out.size() < length) {
    round = hmac(sha384, secret, round);
    out += hmac(sha384, secret, round + labelled);
  }
  out.resize(length);
  return out;
}

struct RecordProtection::Context {
  EVP_CIPHER_CTX* of_openssl = EVP_CIPHER_CTX_new();
  Context() = default;
  ~Context() { EVP_CIPHER_CTX_free(of_openssl); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
};

RecordProtection::RecordProtection(const CipherSuite& suite, std::string_view traffic_secret)
    : suite_(suite), secret_(traffic_secret) {
  set_keys(hkdf_expand_label(suite.sha384, secret_, "key", key_length(suite.aead)),
           hkdf_expand_label(suite.sha384, secret_, "iv", nonce_bytes));
}

RecordProtection::RecordProtection(const CipherSuite& suite, std::string_view master_secret,
                                   std::string_view client_random, std::string_view server_random, bool of_client)
    : suite_(suite) {
  const std::size_t key = key_length(suite.aead);
  const std::size_t iv = suite.aead == Aead::chacha20_poly1305 ? nonce_bytes : nonce_bytes - explicit_nonce_bytes;
  const std::string seed = std::string(server_random).append(client_random);
  const std::string block = tls12_prf(suite.sha384, master_secret, "key expansion", seed, 2 * (key + iv));
  const std::string_view all = block;
  set_keys(all.substr(of_client ? 0 : key, key), all.substr(2 * key + (of_client ? 0 : iv), iv));
}

RecordProtection::~RecordProtection() = default;
RecordProtection::RecordProtection(RecordProtection&&) noexcept = default;
RecordProtection& RecordProtection::operator=(RecordProtection&&) noexcept = default;

void RecordProtection::set_keys(std::string_view key, std::string_view iv) {
  context_ = std::make_unique<Context>();
  iv_ = iv;
  number_ = 0;
  ENSURE(EVP_DecryptInit_ex(context_->of_openssl, cipher_of(suite_.aead), nullptr, bytes_of(key), nullptr) == 1);
}

void RecordProtection::update() {
  secret_ = hkdf_expand_label(suite_.sha384, secret_, "traffic upd", suite_.sha384 ? 48 : 32);
  set_keys(hkdf_expand_label(suite_.sha384, secret_, "key", key_length(suite_.aead)),
           hkdf_expand_label(suite_.sha384, secret_, "iv", nonce_bytes));
}

std::optional<RecordProtection::Plaintext> RecordProtection::open(std::string_view header, std::string_view content) {
  const bool has_nonce = !suite_.tls13 && suite_.aead != Aead::chacha20_poly1305;
  const std::size_t before = has_nonce ? explicit_nonce_bytes : 0;
  if (content.size() < before + tag_bytes) return std::nullopt;
  const std::string nonce =
      has_nonce ? iv_ + std::string(content.substr(0, explicit_nonce_bytes)) : numbered(iv_, number_);
  const std::string_view ciphertext = content.substr(before, content.size() - before - tag_bytes);
  std::string tag(content.substr(content.size() - tag_bytes));
  std::string authenticated(header);
  if (!suite_.tls13) {  // the number, and the length of the plaintext (RFC 5246, section 6.2.3.3)
    authenticated.insert(0, numbered(std::string(8, '\0'), number_));
    authenticated[11] = static_cast<char>(ciphertext.size() >> 8);
    authenticated[12] = static_cast<char>(ciphertext.size());
  }
  plaintext_.resize(ciphertext.size() + tag_bytes);
  int length = 0;
  EVP_CIPHER_CTX* context = context_->of_openssl;
  const bool opened =
      EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, bytes_of(nonce)) == 1 &&
      EVP_DecryptUpdate(context, nullptr, &length, bytes_of(authenticated), static_cast<int>(authenticated.size())) ==
          1 &&
      EVP_DecryptUpdate(context, bytes_of(plaintext_), &length, bytes_of(ciphertext),
                        static_cast<int>(ciphertext.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag_bytes), tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context, bytes_of(plaintext_) + ciphertext.size(), &length) == 1;
  if (!opened) return std::nullopt;
  ++number_;
  plaintext_.resize(ciphertext.size());
  if (!suite_.tls13) return Plaintext{static_cast<std::uint8_t>(header[0]), plaintext_};
  // The type stands behind the content, before any number of zeros (RFC 8446, section 5.2).
  const auto type = plaintext_.find_last_not_of('\0');
  if (type == std::string::npos) return Plaintext{0, {}};
  return Plaintext{static_cast<std::uint8_t>(plaintext_[type]), std::string_view(plaintext_).substr(0, type)};
}

}  // namespace rehearse::replay
