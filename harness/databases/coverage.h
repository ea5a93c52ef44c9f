// What the mapping says nothing about: tables and columns that no entity reads and nobody ignores with a reason.
//
// A table's name reads what `reading.h` says. What a SELECT reads is found in two steps: the planner names its tables and their
// aliases, and the SELECT's own words name their columns. It does not follow a column through a SELECT: one that is
// named in a condition alone counts as read.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "harness/configuration.h"
#include "harness/databases/session.h"

namespace rehearse::harness {

// Table or "table.column" → why it is not compared.
using Ignored = std::map<std::string, std::string>;

struct Coverage {
  std::vector<std::string> unread_tables;
  std::vector<std::string> unread_columns;  // "table.column", of tables that are read
  std::size_t columns = 0;                  // that are read
  std::size_t ignored = 0;                  // columns with a reason
};

// Throws Error when a SELECT of the mapping cannot be planned.
[[nodiscard]] Coverage coverage_of(const std::vector<Entity>& entities, bool legacy_schema, const Ignored& tables,
                                   const Ignored& columns, Session& session);

// True when a table that the SELECT reads holds a row: then a SELECT that gives none leaves them all out.
[[nodiscard]] bool tables_hold_rows(const std::string& source, Session& session);

// One sentence that names what is left over on either side, and what to do; empty when nothing is.
[[nodiscard]] std::string said_of(const Coverage& legacy, const Coverage& new_);

// Where a SELECT names columns: qualifier ("" where there is none) and name, in lower case where it stands without quotes.
struct ColumnWord {
  std::string qualifier, name;
  bool operator==(const ColumnWord&) const = default;
};
[[nodiscard]] std::vector<ColumnWord> column_words(const std::string& select);

}  // namespace rehearse::harness
