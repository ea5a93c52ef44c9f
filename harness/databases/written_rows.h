// Which rows of which entities the commit log of a database says were written.
//
// The log speaks of tables; an entity is a SELECT. PostgreSQL says from which column of which table each column of the SELECT comes
// when it comes from one as it is, and that is enough for the key of nearly every entity.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "harness/configuration.h"
#include "harness/databases/commit_log.h"
#include "harness/databases/session.h"
#include "properties/evidence.h"

namespace rehearse::harness {

// What a change of one table says of an entity.
struct RowSource {
  std::string entity;
  std::vector<std::string> key;  // columns of the table
  std::vector<std::pair<std::string, std::string>>
      image;  // the entity's columns that both databases have as they are → the table's
};
using RowSources = std::multimap<std::string, RowSource>;  // by the table, as the server quotes it

// What an entity reads of one database, as a SELECT that names its columns in the mapping's words.
[[nodiscard]] std::string select_of(const Entity& entity, bool legacy_schema, Session& session);

// Of the legacy and of the new database. Entities whose key is computed, or stands in two tables, are missing.
[[nodiscard]] std::pair<RowSources, RowSources> row_sources(const std::vector<Entity>& entities, Session& legacy,
                                                            Session& new_);

// More writes than this are counted and not kept: some hundred megabytes.
inline constexpr std::size_t max_kept_writes = 1'000'000;

// Adds what a change says. When and where it was committed comes later.
void add_writes(const LoggedChange& change, const RowSources& sources, properties::WriteLog& log);
void set_committed(const LoggedCommit& commit, properties::WriteLog& log);

}  // namespace rehearse::harness
