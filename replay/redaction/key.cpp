#include "replay/redaction/key.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "replay/error.h"

namespace rehearse::replay {
namespace {

namespace fs = std::filesystem;

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) != 1)
    throw Error("the system's random source gives nothing; give a key with --redaction-key FILE");
  return bytes;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

RedactionKey key_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file) throw Error(fmt::format("the redaction key {} cannot be read; check the path and its permissions", path));
  while (bytes.ends_with('\n') || bytes.ends_with('\r')) bytes.pop_back();
  return RedactionKey(bytes, path);
}

fs::path default_path() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  if (config != nullptr && *config == '/') return fs::path(config) / "rehearse" / "redaction.key";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return fs::path(home) / ".config" / "rehearse" / "redaction.key";
  throw Error(
      "there is no place for a redaction key (HOME is not set); give --redaction-key FILE or REHEARSE_REDACTION_KEY");
}

// False when somebody else made it meanwhile. It appears whole: two runs that begin together must end with one key.
bool make(const fs::path& path) {
  std::error_code ignored;
  fs::create_directories(path.parent_path(), ignored);
  const std::string draft = fmt::format("{}.{}", path.string(), getpid());
  const int file = open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const std::string text = hex(random_bytes(32)) + "\n";
  const bool written =
      file >= 0 && write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(file) == 0;
  int problem = errno;
  if (file >= 0) close(file);
  const bool linked = written && link(draft.c_str(), path.c_str()) == 0;
  if (written && !linked) problem = errno;
  if (file >= 0) unlink(draft.c_str());
  if (linked) return true;
  if (problem == EEXIST && fs::exists(path, ignored)) return false;
  throw Error(
      fmt::format("the redaction key {} cannot be made ({}); give --redaction-key FILE or REHEARSE_REDACTION_KEY",
                  path.string(), std::strerror(problem)));
}

}  // namespace

struct RedactionKey::Context {
  explicit Context(std::string_view bytes) {
    EVP_MAC* hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    state = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac);
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                     OSSL_PARAM_construct_end()};
    ENSURE(state != nullptr);
    ENSURE(EVP_MAC_init(state, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), parameters) == 1);
  }
  ~Context() { EVP_MAC_CTX_free(state); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  EVP_MAC_CTX* state;
};

RedactionKey::RedactionKey(std::string_view bytes, std::string_view origin) {
  if (bytes.size() < shortest) {
    throw Error(fmt::format("the redaction key of {} has {} bytes; give it at least {}, such as `openssl rand -hex 32`",
                            origin, bytes.size(), shortest));
  }
  context_ = std::make_shared<const Context>(bytes);
}

std::array<unsigned char, 32> RedactionKey::mac(std::string_view label, std::string_view value) const {
  const auto size = static_cast<std::uint32_t>(label.size());
  const std::array<unsigned char, 4> length{static_cast<unsigned char>(size >> 24),
                                            static_cast<unsigned char>(size >> 16),
                                            static_cast<unsigned char>(size >> 8), static_cast<unsigned char>(size)};
  const auto bytes = [](std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); };
  std::array<unsigned char, 32> out{};
  EVP_MAC_CTX* state = EVP_MAC_CTX_dup(context_->state);
  std::size_t written = 0;
  const bool good = state != nullptr && EVP_MAC_update(state, length.data(), length.size()) == 1 &&
                    EVP_MAC_update(state, bytes(label), label.size()) == 1 &&
                    EVP_MAC_update(state, bytes(value), value.size()) == 1 &&
                    EVP_MAC_final(state, out.data(), &written, out.size()) == 1;
  EVP_MAC_CTX_free(state);
  ENSURE(good && written == out.size());
  return out;
}

std::string RedactionKey::fingerprint() const {
  const auto digest = mac("fingerprint", "");
  return fmt::format("{:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3]);
}

RedactionKey passing_key() { return RedactionKey(random_bytes(32), "the system's random source"); }

RedactionKey redaction_key(const std::string& path, std::string& made) {
  if (!path.empty()) return key_in(path);
  if (const char* value = std::getenv("REHEARSE_REDACTION_KEY"); value != nullptr && *value != '\0')
    return RedactionKey(value, "REHEARSE_REDACTION_KEY");
  const fs::path standard = default_path();
  std::error_code ignored;
  if (!fs::exists(standard, ignored) && make(standard)) made = standard.string();
  return key_in(standard.string());
}

}  // namespace rehearse::replay
