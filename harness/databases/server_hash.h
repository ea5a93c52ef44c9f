// SQL with which a server hashes rows, strictly: rows that differ to us have different hashes.
//
// PostgreSQL's own typed hashes are not strict (they hold 5 and -5, [] and {}, 1 and 2^32 equal), so each value is hashed as its text under
// fixed settings, by its bytes, each column with the hash of the columns before it as its seed, and NULLs apart. The text may be finer than what
// we call equal (1.0 and 1.00 within jsonb), never coarser: what hashes alike is equal, and what does not is looked at row by row.
//
// The function behind it, hashtextextended, is what hash partitions rest on; nobody promises that two versions or architectures agree on
// it. So both servers hash the same planted values before any row, and must say the same.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/databases/bulk_session.h"
#include "harness/databases/full_pass.h"
#include "harness/databases/reading.h"

namespace rehearse::harness {

struct HashSql {
  std::string key;  // of the key's columns, or of the whole row where there is no key
  std::string row;
};

// Expressions over a row called s. `without` is a column that is hashed as if it were NULL; none when it is out of range.
[[nodiscard]] HashSql hash_sql(const Reading& reading, const SideColumns& columns, std::uint64_t seed,
                               std::size_t without = SIZE_MAX);

// What this server makes of values of every kind. Two servers that say the same may be compared by their hashes.
[[nodiscard]] std::string hashes_of_planted_values(BulkSession& session, std::uint64_t seed);

}  // namespace rehearse::harness
