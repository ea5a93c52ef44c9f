// A comparison of two databases that is kept: made of every row once, and then again of what both have changed since.
//
// What it gives then holds for the moment at which the changes were asked for: rows that neither database wrote are as equal as they were,
// rows that differed are looked at again, and an entity of which it cannot be told is compared whole. It shortens the way between two
// plays; a decision rests on every row.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "harness/configuration.h"
#include "harness/databases/changed_keys.h"
#include "harness/databases/comparison.h"
#include "harness/databases/side_reader.h"
#include "properties/evidence.h"

namespace rehearse::harness {

class FollowedComparison {
 public:
  // Begins to follow both; they must not be restored while it lives. Throws Error when a server permits no commit log.
  FollowedComparison(std::vector<Entity> entities, const Side& left, const Side& right);

  // Of every row. Never throws for what the databases hold or refuse: that is `problem` in the result.
  [[nodiscard]] properties::Comparison whole();
  // Of the rows that changed since the last call of either, and whole where that cannot be told. REQUIRES: `whole` was called. Throws Error
  // when the changes are lost: then nothing but a new one helps.
  [[nodiscard]] properties::Comparison changed();

 private:
  // What is known of an entity since it was looked at last.
  struct Standing {
    bool known = false;
    std::set<KeyWords> differing;
    std::array<std::int64_t, 2> rows{};
  };
  EntityComparison look_at_all(const Entity& entity);
  void let_go();

  std::vector<Entity> entities_;
  Side left_, right_;
  ChangedKeys left_changes_, right_changes_;  // older than the first look at a row
  RoomyPair pair_;
  std::map<std::string, Standing> standing_;
};

}  // namespace rehearse::harness
