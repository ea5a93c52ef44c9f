// Watches a database and says whether it was written, from evidence and never from trust.
//
// A ladder, from what costs nothing to what reads every row; the first rung that proves silence ends the search, and none but the last
// two can prove a write:
//
//   1. the WAL position of the server: equal means that nothing at all was written, in any of its databases;
//   2. its snapshot: equal, with no transaction running or prepared at either end, means that no transaction has written;
//   3. the commit log (logical decoding): exact, with its rows; blind to sequences, large objects, unlogged tables and DDL;
//   4. a digest of every table's and large object's content: independent of WAL and log; blind to what was written and undone.
//
// Sequences are looked at on every rung: their cached numbers are in no log. Counters (pg_stat_database, pg_stat_user_tables) are no
// rung: a session that stays open publishes what it did as much as ten seconds later, and a crash sets them to 0. Where attempts
// without an effect matter, the server's own count of the time spent in statements is read from outside the database.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "harness/databases/commit_log.h"
#include "harness/databases/session.h"
#include "harness/databases/written_rows.h"
#include "properties/evidence.h"

namespace rehearse::harness {

using TableNames = std::set<std::string>;

// What a server says of itself that moves when anything is written.
struct Marks {
  std::string wal;        // its insert position
  std::int64_t next = 0;  // the number that the next transaction gets that writes
  bool running = true;    // some that have one are running, or prepared
};
[[nodiscard]] Marks marks_of(Session& session);
// How it is known that nothing was written between two marks; empty when it may have been. Equal numbers alone prove nothing: a
// transaction that had its number before may commit later without moving them.
[[nodiscard]] std::string silence_between(const Marks& before, const Marks& after);

class Watch {
 public:
  enum class Depth {
    log,      // to the commit log, or to the content where there is none: cheap, for laps
    content,  // all of it
  };

  // Begins to watch. `what` names the database in errors; `ignored` are tables that do not count, such as the migration's own.
  Watch(const std::string& dsn, const std::string& what, Depth depth, TableNames ignored,
        const CommitLogOptions& log_options = {});

  // What was written since the beginning or the last lap; `decided_by` names the rungs. A failure to look is `known = false`. So is a
  // server that was restarted, or ended our session, meanwhile, unless the content was looked at before.
  [[nodiscard]] properties::Changes lap();

  // From now on the rows that are written are kept, as far as `sources` say what they are.
  void follow(RowSources sources);
  // What was kept up to the last lap. Not known when a lap could not read the log.
  [[nodiscard]] properties::WriteLog take_writes();

  // True when the server permits logical decoding.
  [[nodiscard]] bool has_commit_log() const { return log_ != nullptr; }

 private:
  void open_log();
  void settle_marks();
  // Returns the number of our own transaction that marks the end of what was read.
  std::int64_t read_log(properties::Changes& changes);
  void climb(properties::Changes& changes);
  // Looks again from a session of its own when the one that watched is gone.
  void look_again(properties::Changes& changes);

  std::string dsn_, what_;
  Depth depth_;
  TableNames ignored_;
  CommitLogOptions log_options_;
  Session session_;
  Marks marks_;
  std::optional<RowSources> sources_;
  properties::WriteLog writes_;
  std::unique_ptr<CommitLog> log_;  // null when there is none
  std::string sequences_;
  std::string content_;
};

// What was written in two spans of time, taken together.
[[nodiscard]] properties::Changes joined(properties::Changes first, const properties::Changes& second);

// Watches for statements as well, with no connection into the database while it lasts. Ends the other sessions of the database
// at both ends, because a server publishes what a session did when it ends; so only for disposable databases.
class StatementWatch {
 public:
  StatementWatch(const std::string& dsn, const std::string& what, TableNames ignored);
  [[nodiscard]] properties::Changes finish();

 private:
  [[nodiscard]] double active_ms();

  std::string dsn_, what_;
  TableNames ignored_;
  Session maintenance_;
  std::string sequences_, content_;
  double active_ms_ = 0;
};

// Ends every other client session of the database, but for those of these processes, and waits until they are gone.
void end_sessions(Session& maintenance, const std::string& database, const std::vector<int>& spared = {});

// Waits until neither database has a client at work and nothing more is written. False when `bound` passes first.
// Asked from outside, through sessions of other databases of their servers, so that waiting is no statement in them.
[[nodiscard]] bool wait_for_rest(Session& legacy_server, const std::string& legacy, Session& new_server,
                                 const std::string& new_, std::chrono::milliseconds bound);

}  // namespace rehearse::harness
