// The commit log of a database, by logical decoding: which rows were changed by which transactions, in the order of their commits.
//
// Read from the text of test_decoding, which every server has. It is blind to sequences, large objects, unlogged tables, DDL, and what
// was rolled back. Of a deleted row it knows the replica identity: the primary key, unless the table says otherwise.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/databases/session.h"

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
// The row behind an insert or an update, what is known of a deleted one; nothing when the line is no such line.
[[nodiscard]] std::optional<std::vector<LoggedColumn>> columns_in(std::string_view line);

class CommitLog {
 public:
  // Begins with the next transaction. Throws Error when the server does not permit it, or a transaction that is running does not end
  // within 5 s. The session must outlive it; the server drops the log's slot with the session, however that ends.
  explicit CommitLog(Session& session);
  ~CommitLog();
  CommitLog(const CommitLog&) = delete;
  CommitLog& operator=(const CommitLog&) = delete;

  struct Reader {
    std::function<void(const LoggedChange&)> change;
    std::function<void(std::int64_t transaction, std::int64_t at_ns)> committed;  // behind its changes; since the epoch
  };
  // Shows all that was committed since the last call, in the order of commits, and returns the number of our own transaction that marks
  // the end. Throws Error when the log ends before that, or cannot be read.
  std::int64_t read(const Reader& reader);

 private:
  Session& session_;
  std::string slot_;
};

}  // namespace rehearse::harness
