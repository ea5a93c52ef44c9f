// Which rows of which entities may have changed in a database since it was asked last: what is to be compared again, and no more.
//
// It rests on the rungs of the watch that prove something (watch.h). Where the WAL position or the snapshot did not move, nothing
// changed. Else the commit log names the rows of tables that changed, deleted ones and keys that were given up among them, and the
// plan of an entity's SELECT says what they mean for it: where the table of its key is read once and its rows pass through scans and
// joins alone, a row of that table is a row of the entity. Any other change of what the entity reads makes it *whole*: all of its rows may
// have changed. So do TRUNCATE, DDL, tables that are in no log (unlogged, foreign, materialized views), and functions that may read what
// no plan shows.
//
// Two cheaper-looking ways are not taken. Counters of rows are published late (see watch.h). A scan for rows with a young xmin sees no
// deleted row, and costs two to a dozen times what the log costs, whatever was written.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "harness/configuration.h"
#include "harness/databases/commit_log.h"
#include "harness/databases/row_codec.h"
#include "harness/databases/session.h"
#include "harness/databases/watch.h"

namespace rehearse::harness {

// More keys than this are read no faster than the whole entity.
inline constexpr std::size_t max_changed_keys = 100'000;

struct EntityChange {
  bool whole = false;
  std::string why;           // it is whole
  std::set<KeyValues> keys;  // as the database prints them, in the order of the entity's key
};

class ChangedKeys {
 public:
  // Begins. Throws Error when the server permits no commit log, or a SELECT cannot be planned.
  ChangedKeys(const std::string& dsn, const std::string& what, bool legacy_schema, std::vector<Entity> entities);

  struct Taken {
    std::map<std::string, EntityChange> entities;  // those that may have changed
    std::string proved_by;                         // "WAL position", "snapshot", "commit log"
  };
  // Since the beginning or the last call. Throws Error when it cannot be told; nothing that comes later can be told then either.
  [[nodiscard]] Taken take();

 private:
  // What a change of a table means for one entity.
  struct Reading {
    std::string entity, whole;     // why every change of what it reads makes it whole; empty when rows tell
    bool anything = false;         // it may read what its plan does not name
    std::set<std::string> tables;  // as the log calls them
    std::set<std::string> keyed;   // those whose rows name the entity's
    std::vector<std::string> key;  // columns of these
  };
  [[nodiscard]] Reading reading_of(const Entity& entity);
  void learn();
  void add(const LoggedChange& change, Taken& taken) const;
  [[nodiscard]] std::string catalogue();

  bool legacy_schema_;
  std::vector<Entity> entities_;
  Session session_;
  CommitLog log_;  // older than all that follows
  Marks marks_;
  std::string catalogue_;
  std::vector<Reading> readings_;
};

}  // namespace rehearse::harness
