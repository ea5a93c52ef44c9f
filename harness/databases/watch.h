// Watches a database and says whether it was written, from evidence and never from trust.
//
// Three things are looked at, because each misses something: the commit log (logical decoding: exact, but blind to sequences,
// unlogged tables and what was rolled back), the sequences, and a digest of every table's content (independent of WAL and
// statistics, but blind to what was written and undone). Before them come cheaper signals (marks.h), which can prove that
// nothing at all was written and then decide alone; `decided_by` says what did. Where client statements matter, the server's own count of the time
// spent in them is read from outside the database.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "harness/databases/bulk_session.h"
#include "harness/databases/marks.h"
#include "harness/databases/session.h"
#include "properties/evidence.h"

namespace rehearse::harness {

using TableNames = std::set<std::string>;

class Watch {
 public:
  enum class Depth {
    log,      // commit log and sequences, or content where there is no commit log: cheap, for laps
    content,  // and the content digest
  };

  // Begins to watch. `what` names the database in errors; `ignored` are tables that do not count, such as the migration's own.
  Watch(const std::string& dsn, const std::string& what, Depth depth, TableNames ignored);
  ~Watch();

  // What was written since the beginning or the last lap. A failure to look is `known = false`.
  [[nodiscard]] properties::Changes lap();

  // True when the server permits logical decoding.
  [[nodiscard]] bool has_commit_log() const { return !slot_.empty(); }

 private:
  void read_log(properties::Changes& changes);
  void set_mark();

  std::string what_;
  Depth depth_;
  TableNames ignored_;
  Session session_;
  std::optional<BulkSession> log_;
  std::string slot_;  // a temporary slot: the server drops it when the session ends, however it ends
  std::string sequences_;
  std::string content_;
  std::optional<ServerMark> mark_;  // nothing happened unseen since then; none when that cannot be said
  std::string behind_barrier_;      // the snapshot that proves it
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

// Ends every other client session of the database and waits until they are gone.
void end_sessions(Session& maintenance, const std::string& database);

// Waits until neither database has a client at work and nothing more is written. False when `bound` passes first.
// Asked from outside, through sessions of other databases of their servers, so that waiting is no statement in them.
[[nodiscard]] bool wait_for_rest(Session& legacy_server, const std::string& legacy, Session& new_server,
                                 const std::string& new_, std::chrono::milliseconds bound);

}  // namespace rehearse::harness
