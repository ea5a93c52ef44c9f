// The secrets of TLS connections, from key logs in the format that browsers, curl and OpenSSL write (SSLKEYLOGFILE).
//
// It is filled between two batches of packets and then read by several threads; nothing may be appended while one reads. What is in
// it is never printed or stored.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace rehearse::replay {

// The lines of a log that are of use; the others (exporters, early data, ...) are passed over.
enum class SecretLabel : std::uint8_t {
  master,            // CLIENT_RANDOM, up to TLS 1.2
  client_handshake,  // CLIENT_HANDSHAKE_TRAFFIC_SECRET, TLS 1.3
  server_handshake,  // SERVER_HANDSHAKE_TRAFFIC_SECRET
  client_traffic,    // CLIENT_TRAFFIC_SECRET_0
  server_traffic,    // SERVER_TRAFFIC_SECRET_0
};

class KeyLog {
 public:
  KeyLog();
  ~KeyLog();
  KeyLog(const KeyLog&) = delete;
  KeyLog& operator=(const KeyLog&) = delete;

  // Reads what was appended to a log. A line that is cut at the end of `text` is read when its rest comes, see `finish`.
  void append(std::string_view text);
  // Nothing follows the last line.
  void finish();

  // The secret of the connection whose ClientHello holds `client_random`; empty when it is not known. Valid until `append`.
  [[nodiscard]] std::string_view find(SecretLabel label, std::string_view client_random) const;

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::int64_t bad_lines() const { return bad_lines_; }
  // Secrets that came when there were `limits::secrets` already.
  [[nodiscard]] std::int64_t left_out() const { return left_out_; }

 private:
  void read_line(std::string_view line);
  struct Table;
  std::unique_ptr<Table> table_;
  std::string rest_;  // of a line that is cut
  bool long_line_ = false;
  std::int64_t bad_lines_ = 0, left_out_ = 0;
};

}  // namespace rehearse::replay
