// Compares two databases row by row under the declared mapping.
//
// Each entity's SELECT runs on either side; rows are joined by key and compared column by column as PostgreSQL prints them,
// with everything fixed that changes the print. What it leaves out: it holds one entity of both sides in memory.
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "harness/configuration.h"
#include "harness/databases/session.h"
#include "properties/correspondence.h"
#include "properties/evidence.h"

namespace rehearse::harness {

struct Side {
  Session* session;
  std::string label;   // "legacy database"
  bool legacy_schema;  // which SELECT of an entity speaks its words
  // Identifiers that the server made in this database → those that stand for them on the other side; applied to keys and to
  // columns that are named as identifiers.
  const properties::Correspondence* pairs = nullptr;
};

// Cells that the oracle's two runs filled differently: not compared against the oracle.
using VolatileCells = std::unordered_set<std::string>;
[[nodiscard]] std::string cell_name(const std::string& entity, const std::string& key, const std::string& column);

// Never throws for what the databases hold or refuse: that is `problem` in the result.
[[nodiscard]] properties::Comparison compare(const std::vector<Entity>& entities, const Side& left, const Side& right,
                                             const VolatileCells* masked = nullptr);

// The cells that differ between two databases of the legacy schema.
[[nodiscard]] VolatileCells differing_cells(const std::vector<Entity>& entities, const Side& left, const Side& right);

// Tables of the database that no entity reads and the configuration does not ignore: what is not compared must be said.
[[nodiscard]] std::vector<std::string> unmapped_tables(const std::vector<Entity>& entities, const Side& side,
                                                       const std::map<std::string, std::string>& ignored);

[[nodiscard]] std::vector<properties::IdSpace> id_spaces(const Configuration& configuration, Session& legacy,
                                                         Session& new_);

}  // namespace rehearse::harness
