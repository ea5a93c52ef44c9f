// How one entity is read from one database: the query, its columns and their types.
//
// A SELECT of the mapping is taken as it is. A table's name stands for all of its columns that are neither ignored nor generated,
// in the order of their names in the words of the mapping, which are the legacy database's; and only a table can be read in parts.
// A column called xmin is not compared: it names the transaction that wrote the row (a table's own is always known).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "harness/configuration.h"
#include "harness/databases/bulk_session.h"
#include "harness/databases/canonical.h"

namespace rehearse::harness {

struct Reading {
  struct Column {
    std::string name;  // in the words of the mapping
    ValueType type;
  };
  std::string query;  // gives `columns` in their order, and what else the mapping's SELECT gives behind them
  std::pair<std::string, std::string> around;  // what stands before and behind the query of each part
  std::vector<Column> columns;                 // compared
  std::vector<std::size_t> key;                // among them; empty: rows without a key
  std::string table;                           // as SQL writes it, when it can be read in parts; else empty
  std::string writer;         // the expression of the writing transaction in `rows`; empty when the rows do not tell
  std::string rows;           // like `query`, with what `writer` needs
  std::int64_t blocks = 0;    // of the table's largest part
  double expected_rows = -1;  // by the server's statistics; less than 0 when it has none
  std::vector<std::string> left_out;  // generated columns, which follow from others

  // The part of the table in these blocks; `end` < 0: to wherever the table ends. All of it where there is no table.
  [[nodiscard]] std::string part(std::int64_t begin, std::int64_t end) const;
};

// The name of a SELECT's column in double quotes.
[[nodiscard]] std::string quoted_identifier(const std::string& name);

// REQUIRES: `session` is in a transaction. `ignored` are columns of this database as "table.column". Throws Error,
// which calls the database `label`.
[[nodiscard]] Reading reading_of(const Entity& entity, bool legacy_schema,
                                 const std::map<std::string, std::string>& ignored, const std::string& label,
                                 BulkSession& session);

// The mapping's word for it; a table's name has no space in it.
[[nodiscard]] bool is_table_name(const std::string& source);

}  // namespace rehearse::harness
