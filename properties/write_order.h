// The order in which two databases committed the writes of one row.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "properties/evidence.h"

namespace rehearse::properties {

// Legacy committed `first` before `second`, the new database the other way round.
struct Inversion {
  const LoggedWrite* first = nullptr;  // of the legacy database
  const LoggedWrite* second = nullptr;
};

struct WriteOrder {
  std::int64_t rows = 0;  // that both databases wrote
  std::vector<Inversion> inversions;  // at most one a row
};

// Writes are the same when they left the row the same. A row that came to look the same twice is no witness for these looks, and one
// whose looks are not known to the log is none at all: what is left cannot be told apart from a different order by anything else.
[[nodiscard]] WriteOrder write_order(const WriteLog& legacy, const WriteLog& new_);

// The last write of a row in that log; nothing when there is none.
[[nodiscard]] const LoggedWrite* last_write(const WriteLog& log, const std::string& entity, const std::string& key);

}  // namespace rehearse::properties
