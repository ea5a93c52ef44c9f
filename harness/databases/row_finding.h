// One row that differs: what each side says of it, and who wrote it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "harness/databases/row_lookup.h"
#include "properties/evidence.h"

namespace rehearse::harness {

// Cells that the oracle's two runs filled differently: not compared against the oracle.
using VolatileCells = std::unordered_set<std::string>;
[[nodiscard]] std::string cell_name(const std::string& entity, const std::string& key, const std::string& column);

struct RowFinding {
  struct Cell {
    std::string column;
    std::optional<std::string> left, right;
  };
  struct Writer {
    std::string transaction, committed_at;  // empty when they are not known
    std::string lsn;                        // where that commit stands in the WAL; empty when it is not known
    std::string request;                    // that caused it, and how that is known; empty when it is not
  };
  properties::RowDifference::Kind kind = properties::RowDifference::Kind::changed;
  std::string key;
  std::vector<std::optional<std::string>> key_values;
  std::int64_t times = 1;   // of rows without a key: how many more there are on that side
  std::vector<Cell> cells;  // of a change: those that differ; else all of the row's
  Writer left, right;
  KeyWords key_words{};  // how a lookup finds it
};

// A row that one side has alone; `side` 0 is the left one.
[[nodiscard]] RowFinding only_on(std::size_t side, const FoundRow& row, const EntityColumns& columns);
// Two rows of one key; without cells when they are equal.
[[nodiscard]] RowFinding changed(const FoundRow& left, const FoundRow& right, const EntityColumns& columns);

// Takes the volatile values out of a change and counts them by column.
void mask(const std::string& entity, const VolatileCells& volatile_cells, RowFinding& finding,
          std::map<std::string, std::int64_t>& masked);

// The same for columns that the mapping masks, with their reasons.
void mask(const std::map<std::string, std::string>& columns, RowFinding& finding,
          std::map<std::string, std::int64_t>& masked);

}  // namespace rehearse::harness
