// One unordered pass over an entity of both databases, which gives exactly the rows that differ.
//
// Both sides stream their rows at the same time; each row becomes a hash that is added to a difference table, with +1 on the left and
// -1 on the right. What is left in the table is the difference. Memory depends on the bound on differences alone, and nothing is
// ordered, indexed or bisected. Each pass proves that it can see: a few rows of the stream are altered in a copy of the
// table, and must come out of it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "harness/databases/difference_table.h"
#include "harness/databases/row_codec.h"
#include "harness/databases/side_reader.h"

namespace rehearse::harness {

// How rows travel: each as it is, or as hashes that the servers compute (bucket_pass.h).
enum class Strategy { full, hashes, automatic };

struct PassOptions {
  Strategy strategy = Strategy::full;
  std::size_t connections = 1;           // to each side
  std::size_t max_differences = 10'000;  // rows of an entity; more are "at least"
  std::chrono::milliseconds snapshot_limit{60'000};
  bool cost = false;  // measure the servers' CPU time, and that of count(*)
  std::uint64_t seed = 1;
  Now now = std::chrono::steady_clock::now;
  const std::atomic<bool>* stop = nullptr;  // ends with ReadingStopped
  // Rows read so far of both sides, from the thread of the caller and of others; must not block.
  std::function<void(const std::string& entity, std::int64_t rows, double expected)> on_progress;
};

// The sides' columns, compared in pairs.
struct EntityColumns {
  std::vector<std::string> names;
  std::array<SideColumns, 2> sides;
};

// Throws Error for columns that are not the same on both sides or cannot be compared.
[[nodiscard]] EntityColumns paired_columns(const Entity& entity, const std::array<const Reading*, 2>& readings,
                                           const std::array<const Side*, 2>& sides);

struct EntityPass {
  std::array<std::int64_t, 2> rows{};
  std::array<std::int64_t, 2> bytes{};
  DifferenceTable::Difference difference;
  int planted = 0, planted_found = 0;  // rows altered in a copy of the stream, and those that came back
  std::string strategy;                // how the rows travelled, and why so
};

[[nodiscard]] EntityPass full_pass(const Entity& entity, const EntityColumns& columns,
                                   const std::array<const Reading*, 2>& readings,
                                   const std::array<SideReader*, 2>& sides, const PassOptions& options,
                                   SideReader::Begins begins = SideReader::Begins::anew);

}  // namespace rehearse::harness
