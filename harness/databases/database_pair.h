// Two databases, connected, whose entities are compared row by row under the declared mapping.
//
// Each entity is one pass (`full_pass.h`, or `bucket_pass.h` where the link is slow); the rows that differ, and only they, are then
// read and held against each other column by column. What cannot be told is a problem of its entity, never an Error: the other entities
// are compared all the same.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/configuration.h"
#include "harness/databases/full_pass.h"
#include "harness/databases/row_finding.h"
#include "harness/databases/settling.h"
#include "harness/databases/side_reader.h"

namespace rehearse::harness {

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
  bool masked_at_least = false;                // there are more of these
  std::string strategy;                        // how the rows were compared, and why so
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
  // The rows of these keys alone, under new snapshots; `rows` of the result are those that were read. Nothing when keys cannot be asked
  // for as the databases print them. What the entity reads must be what it was when `compare` looked last.
  struct ChangedRows {
    std::array<std::set<KeyValues>, 2> keys;  // as each side prints them
    std::set<KeyWords> known;
  };
  [[nodiscard]] std::optional<EntityComparison> compare_changed(const Entity& entity, const ChangedRows& rows);
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
  void look_at_changed(const Entity& entity, const Prepared& prepared, const std::map<KeyWords, KeyValues>& wanted,
                       EntityComparison& result);
  void restart() noexcept;

  SideReader left_, right_;
  PassOptions options_;
  std::map<std::string, Prepared> prepared_;  // by entity
};

}  // namespace rehearse::harness
