// Puts a small disposable database back to an image of it, row by row: only what its commit log says was written since.
//
// The image is another database of the server, a copy made when it was taken. A restore from a template takes tens of milliseconds and
// ends every session; this takes a few, and the services keep theirs. Triggers and foreign keys rest while it writes
// (session_replication_role), which takes a superuser. What no commit log shows (unlogged tables, large objects, DDL) it cannot
// rewind: `verify` says whether content and image are still the same.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "harness/configuration.h"
#include "harness/databases/commit_log.h"
#include "harness/databases/session.h"

namespace rehearse::harness {

// A transaction that the database committed, with its changes as the log prints them.
struct Commit {
  std::int64_t transaction = 0;
  std::int64_t at_ns = 0;  // wall clock of the server
  struct Change {
    LoggedChange::Kind kind;
    std::string table, line;
  };
  std::vector<Change> changes;
};

class Rewinder {
 public:
  // Opens the database and the image. `what` names the database in errors. Throws Error when the server permits neither a commit log
  // nor what rewinding takes, with the setting or the right that is missing.
  Rewinder(const DatabaseSettings& database, std::string what, const std::string& image);

  // What was committed since the last call, our own rewinding left out, in the order of commits.
  [[nodiscard]] std::vector<Commit> committed();
  // Takes back all that `committed` has shown since the last rewind, and what it has not shown yet. False when that takes more than
  // rows can: a TRUNCATE, a table without a primary key.
  [[nodiscard]] bool rewind();
  // Whether every table and sequence holds what the image holds.
  [[nodiscard]] bool verify();

  // Of the sessions in the database.
  [[nodiscard]] std::vector<int> processes() const { return {session_.process_id(), log_->process_id()}; }

 private:
  struct Table {
    std::string name;                  // as the server quotes it
    std::vector<std::string> key;      // of the primary key; empty: none
    std::vector<std::string> columns;  // without generated ones
  };
  struct SequenceState {
    std::string last;
    bool called = false;
    friend bool operator==(const SequenceState&, const SequenceState&) = default;
  };
  [[nodiscard]] std::map<std::string, SequenceState> sequences(Session& session);
  [[nodiscard]] const Table& table(const std::string& name);
  void read_log();
  void put_back(const Table& table, const std::set<std::vector<std::string>>& keys);
  void put_sequences_back();

  std::string what_;
  Session session_, image_;
  std::unique_ptr<CommitLog> log_;
  std::map<std::string, Table> tables_;
  std::map<std::string, SequenceState> sequences_;                     // of the image
  std::string all_sequences_;                                          // the query for them
  std::vector<Commit> shown_;                                          // read from the log, not yet given out
  std::map<std::string, std::set<std::vector<std::string>>> touched_;  // table → keys since the last rewind
  bool beyond_rows_ = false;
  std::set<std::int64_t> ours_;
};

}  // namespace rehearse::harness
