// A connection that reads much: rows as binary COPY streams them, within one transaction that reads one snapshot.
//
// It sets what changes how values are printed for its transaction alone, and refuses a connection on which that does not last
// (a pooler that deals statements out among servers). Nothing that it runs can write: its transactions are READ ONLY.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/databases/binary_copy.h"

namespace rehearse::harness {

// Reading was ended from outside. No Error: whoever asked for it knows.
struct ReadingStopped {};

class BulkSession {
 public:
  // When reading is to end early. Both are looked at while the server is waited for.
  struct Limits {
    const std::atomic<bool>* stop = nullptr;  // throws ReadingStopped when either is true
    const std::atomic<bool>* halt = nullptr;
    std::optional<std::chrono::steady_clock::time_point> until;  // throws Error behind it
  };
  struct Column {
    std::string name;
    std::uint32_t type = 0;  // the server's OID
  };
  using OnRow = std::function<void(const BinaryRow&)>;

  // Connects. Throws Error that names `what` and never the connection string.
  BulkSession(const std::string& dsn, std::string what);
  ~BulkSession();
  BulkSession(BulkSession&&) noexcept;
  BulkSession& operator=(BulkSession&&) noexcept;

  // Begins a transaction with a snapshot of its own, or with that of another session: its id.
  void begin(const std::string& snapshot = {});
  [[nodiscard]] std::string export_snapshot();
  void end();

  // Streams what the query gives; the number of rows. Throws Error unless the server said that all of it was sent.
  std::int64_t copy(const std::string& query, std::size_t columns, const OnRow& on_row, const Limits& limits);
  // The columns of the query, without running it.
  [[nodiscard]] std::vector<Column> columns_of(const std::string& query);
  // A statement's rows as text; `parameters` are its $1, $2, ...
  [[nodiscard]] std::vector<std::vector<std::optional<std::string>>> text(
      const std::string& sql, const std::vector<std::string>& parameters = {});
  // ... in the binary format, one by one.
  std::int64_t binary(const std::string& sql, const std::vector<std::string>& parameters, const OnRow& on_row);
  [[nodiscard]] std::string value(const std::string& sql, const std::vector<std::string>& parameters = {});

  [[nodiscard]] int process_id() const;
  [[nodiscard]] int server_version() const;  // 150018
  // Asks the server to end what runs; from any thread.
  void cancel() noexcept;

 private:
  struct Connection;
  std::unique_ptr<Connection> connection_;
};

// What a PostgreSQL error means to whoever has to act on it: one sentence with the GRANT or the setting where one helps.
[[nodiscard]] std::string explained(const std::string& what, const std::string& sqlstate, const std::string& message,
                                    const std::string& role);

}  // namespace rehearse::harness
