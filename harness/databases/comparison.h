// Compares two databases row by row under the declared mapping.
//
// Each entity is one full pass (`full_pass.h`); the rows that differ, and only they, are then read and held against each other
// column by column. What cannot be told is a problem of its entity, never an Error: the other entities are compared all the same.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "harness/configuration.h"
#include "harness/databases/full_pass.h"
#include "harness/databases/session.h"
#include "harness/databases/settling.h"
#include "harness/databases/side_reader.h"
#include "properties/evidence.h"

namespace rehearse::harness {

// Cells that the oracle's two runs filled differently: not compared against the oracle.
using VolatileCells = std::unordered_set<std::string>;
[[nodiscard]] std::string cell_name(const std::string& entity, const std::string& key, const std::string& column);

// One row that differs.
struct RowFinding {
  struct Cell {
    std::string column;
    std::optional<std::string> left, right;
  };
  struct Writer {
    std::string transaction, committed_at;  // empty when they are not known
  };
  properties::RowDifference::Kind kind = properties::RowDifference::Kind::changed;
  std::string key;
  std::vector<std::optional<std::string>> key_values;
  std::int64_t times = 1;   // of rows without a key: how many more there are on that side
  std::vector<Cell> cells;  // of a change: those that differ; else all of the row's
  Writer left, right;
  KeyWords key_words{};  // how a lookup finds it
};

// What became of rows that differed while both sides were written.
struct LiveOutcome {
  std::size_t settled = 0, diverged = 0, hot = 0, in_flight = 0;
  SettlingTimes times;
};

struct EntityComparison {
  std::string entity;
  std::vector<std::string> columns;
  std::array<std::int64_t, 2> rows{}, bytes{};
  std::int64_t differences = 0;                // rows that differ
  bool at_least = false;                       // there are more
  std::vector<RowFinding> findings;            // of `differences`, in the order of their keys
  std::map<std::string, std::int64_t> masked;  // column → values that differ and are not counted
  std::int64_t settled = 0;                    // rows that were written while they were read, and are equal
  std::array<int, 2> snapshots{};
  std::array<std::optional<double>, 2> server_seconds,
      count_seconds;  // CPU of this pass and of count(*); see PassOptions
  int planted = 0, planted_found = 0;
  std::optional<LiveOutcome> live;       // of a comparison that followed rows until they settled
  std::vector<std::string> notes;        // what the mapping leaves out by itself
  std::string problem;                   // why it is not proved; empty when it is
  double seconds = 0, pass_seconds = 0;  // of all of it, and of reading both sides
};

// Both sides, connected and ready to read one entity after the other.
class DatabasePair {
 public:
  // Throws Error when one of them cannot be reached.
  DatabasePair(const Side& left, const Side& right, const PassOptions& options);

  // Never throws Error; ReadingStopped when the options' `stop` turns true.
  [[nodiscard]] EntityComparison compare(const Entity& entity, const VolatileCells* masked = nullptr);
  // The rows of these keys, under new snapshots. Throws Error.
  struct SecondLook {
    std::optional<RowFinding> finding;  // nothing when both sides are equal
    std::optional<std::chrono::milliseconds>
        age;                  // of the younger side; nothing where it is not known or a row is missing
    std::uint64_t image = 0;  // of both rows
  };
  [[nodiscard]] std::map<KeyWords, SecondLook> look_again(const Entity& entity, const std::set<KeyWords>& keys);
  [[nodiscard]] SideReader& left() { return left_; }
  [[nodiscard]] SideReader& right() { return right_; }

 private:
  struct Prepared {
    std::array<Reading, 2> readings;
    EntityColumns columns;
  };
  [[nodiscard]] Prepared prepare(const Entity& entity);
  void look(const Entity& entity, const VolatileCells* masked, EntityComparison& result);

  SideReader left_, right_;
  PassOptions options_;
};

// All entities, as evidence. Never throws for what the databases hold or refuse: that is `problem` in the result.
[[nodiscard]] properties::Comparison compare(const std::vector<Entity>& entities, const Side& left, const Side& right,
                                             const VolatileCells* masked = nullptr);

// The cells that differ between two databases of the legacy schema.
[[nodiscard]] VolatileCells differing_cells(const std::vector<Entity>& entities, const Side& left, const Side& right);

[[nodiscard]] std::vector<properties::IdSpace> id_spaces(const Configuration& configuration, Session& legacy,
                                                         Session& new_);

}  // namespace rehearse::harness
