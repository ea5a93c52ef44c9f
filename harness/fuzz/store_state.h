// All rows of all entities of one side, in a form that can be held against another side or another time. For small worlds: everything
// is in memory.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/configuration.h"
#include "harness/databases/full_pass.h"
#include "harness/databases/side_reader.h"
#include "properties/correspondence.h"
#include "properties/evidence.h"

namespace rehearse::harness {

struct StoreState {
  struct Cell {
    std::optional<std::string> canonical;  // what is compared; nothing for NULL
    std::optional<std::string> shown;      // in print
  };
  using Rows = std::multimap<std::string, std::vector<Cell>>;  // by the key in print
  std::string label;
  std::map<std::string, Rows> entities;
};

// Reads the sides of a world: legacy, new, and a legacy database that takes no part. Their values are canonical in one form.
class StoreStates {
 public:
  // Throws Error when the sides cannot be read or their columns cannot be compared. A world of more than `most_rows` is refused.
  StoreStates(const std::vector<Entity>& entities, const Side& legacy, const Side& new_,
              const std::optional<Side>& oracle);

  static constexpr std::int64_t most_rows = 200'000;

  [[nodiscard]] StoreState legacy();
  [[nodiscard]] StoreState new_();
  [[nodiscard]] StoreState oracle();

  // Of the sessions that read.
  [[nodiscard]] std::vector<int> processes() const;

  // "orders.updated_at": columns that two runs of legacy fill differently. They are held against the oracle for NULL alone.
  using VolatileColumns = std::set<std::string>;
  // `pairs`: the right side's identifiers (observed) stand for the left side's (expected); null where both have the same ones.
  [[nodiscard]] properties::Comparison compare(const StoreState& left, const StoreState& right,
                                               const properties::Correspondence* pairs = nullptr,
                                               const VolatileColumns& volatile_ = {}) const;

 private:
  struct EntityReading {
    Entity entity;
    std::array<Reading, 2> readings;
    EntityColumns columns;
    std::unique_ptr<RowCodec> codecs[2];
  };
  StoreState read(BulkSession& session, std::size_t form, const std::string& label);

  std::vector<EntityReading> entities_;
  RowHasher hasher_{1};
  BulkSession legacy_, new__;
  std::optional<BulkSession> oracle_;
  std::string labels_[3];
};

}  // namespace rehearse::harness
