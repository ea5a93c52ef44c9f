// Compares two databases as evidence for the checks of a rehearsal.
#pragma once

#include <string>
#include <vector>

#include "harness/configuration.h"
#include "harness/databases/database_pair.h"
#include "harness/databases/session.h"
#include "properties/evidence.h"

namespace rehearse::harness {

// Compares entity by entity, with more room where more differs: what is volatile may differ in every row of a play.
class RoomyPair {
 public:
  // Throws Error when one of them cannot be reached.
  RoomyPair(const Side& left, const Side& right);

  // Like DatabasePair's. What is too much even for a large table is a problem.
  [[nodiscard]] EntityComparison compare(const Entity& entity, const VolatileCells* masked);
  [[nodiscard]] DatabasePair& pair() { return *pair_; }

 private:
  Side left_, right_;
  PassOptions options_;
  std::optional<DatabasePair> pair_;
};

// Adds what was found of an entity.
void add(const EntityComparison& found, properties::Comparison& comparison);

// All entities, as evidence. Never throws for what the databases hold or refuse: that is `problem` in the result.
[[nodiscard]] properties::Comparison compare(const std::vector<Entity>& entities, const Side& left, const Side& right,
                                             const VolatileCells* masked = nullptr);

// The cells that differ between two databases of the legacy schema.
[[nodiscard]] VolatileCells differing_cells(const std::vector<Entity>& entities, const Side& left, const Side& right);

[[nodiscard]] std::vector<properties::IdSpace> id_spaces(const Configuration& configuration, Session& legacy,
                                                         Session& new_);

}  // namespace rehearse::harness
