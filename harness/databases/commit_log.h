// The commit log of a database, by logical decoding: which rows were changed by which transactions, in the order of their commits.
//
// Read from the text of test_decoding, which every server has (pgoutput needs a publication, which is a write into the database).
// It is blind to sequences, large objects, unlogged tables, DDL, and what was rolled back. Of a deleted row it knows the replica
// identity: the primary key, unless the table says otherwise.
//
// The server keeps its WAL from the moment that the log begins. A thread looks how much that is: past a bound the log is given up,
// for a disk that runs full harms more than an answer that is missing.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "harness/databases/bulk_session.h"

namespace rehearse::harness {

// A line of the log, to be looked at while it is shown.
struct LoggedChange {
  enum class Kind { insert, update, remove, truncate };
  Kind kind = Kind::insert;
  std::int64_t transaction = 0;
  std::string_view table;  // as the server quotes it: public.orders; of a truncate "public.a, public.b"
  std::string_view line;   // whole
};

struct LoggedColumn {
  std::string name;
  std::optional<std::string> value;  // as the session prints it; nothing for NULL
  bool unchanged = false;            // too large to be logged again (TOAST): the value is the one before
  friend bool operator==(const LoggedColumn&, const LoggedColumn&) = default;
};
struct LoggedRow {
  std::vector<LoggedColumn> columns;  // the row behind an insert or an update, what is known of a deleted one
  std::vector<LoggedColumn> old_key;  // of an update that changed the replica identity: what that was
};
// Nothing when the line is no such line.
[[nodiscard]] std::optional<LoggedRow> row_in(std::string_view line);
// Its columns alone.
[[nodiscard]] std::optional<std::vector<LoggedColumn>> columns_in(std::string_view line);

// Nanoseconds since the epoch of a time as sessions here print it: 2026-11-22 10:00:00.204815+00.
[[nodiscard]] std::int64_t wall_ns(std::string_view text);

struct LoggedCommit {
  std::int64_t transaction = 0;  // the low 32 bits of its number, as the log knows it
  std::int64_t at_ns = 0;        // since the epoch, by the server's clock
  std::string lsn;               // where its commit ends in the WAL: 0/16B3748
};

struct CommitLogOptions {
  std::int64_t max_retained_bytes = std::int64_t{1} << 30;  // of WAL that the server keeps for it
  std::chrono::milliseconds look_every{1'000};
};

class CommitLog {
 public:
  // Begins with the next transaction, in a session of its own. Throws Error when the server does not permit it, or a transaction that
  // is running does not end within 5 s. The server drops the log's slot with the session, however that ends.
  CommitLog(const std::string& dsn, const std::string& what, const CommitLogOptions& options = {});
  ~CommitLog();
  CommitLog(const CommitLog&) = delete;
  CommitLog& operator=(const CommitLog&) = delete;

  struct Reader {
    std::function<void(const LoggedChange&)> change;
    std::function<void(const LoggedCommit&)> committed;  // behind its changes
  };
  // Shows all that was committed since the last call, in the order of commits, and returns the number of our own transaction that marks
  // the end. Throws Error when the log ends before that, cannot be read, or was given up; then it cannot be read again.
  std::int64_t read(const Reader& reader);
  // Of the session that keeps the log.
  [[nodiscard]] int process_id() const { return session_.process_id(); }

 private:
  void watch_what_is_kept();
  void drop_slot() noexcept;

  const CommitLogOptions options_;
  const std::string what_;
  std::mutex guard_;  // of the session
  BulkSession session_;
  std::string slot_, given_up_;
  std::condition_variable over_changed_;
  bool over_ = false;
  std::thread watching_;
};

}  // namespace rehearse::harness
