// A pass over an entity for links that are slow: the servers hash the rows and send a sum for each bucket of keys, and only buckets that
// differ are then read row by row.
//
// A full pass costs the servers less and the link more. What is better is measured (`--strategy auto`): the same few rows of this entity,
// over this link, in both ways.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

#include "harness/databases/full_pass.h"

namespace rehearse::harness {

// Reads the entity as the options' strategy says. Throws Error, also when hashes are asked for and the two servers do not agree on them.
[[nodiscard]] EntityPass pass_over(const Entity& entity, const EntityColumns& columns,
                                   const std::array<const Reading*, 2>& readings,
                                   const std::array<SideReader*, 2>& sides, const PassOptions& options);

// How long the same rows took in each way.
struct StrategyTrial {
  std::int64_t rows = 0;
  std::chrono::duration<double> as_rows{0}, as_hashes{0};
};
// The strategy that the trial speaks for: hashes only where they are clearly faster, for rows are the simpler proof.
[[nodiscard]] Strategy chosen(const StrategyTrial& trial);

}  // namespace rehearse::harness
