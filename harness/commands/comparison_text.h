// What `rehearse compare` found, for people and for machines.
#pragma once

#include <string>
#include <vector>

#include "harness/databases/comparison.h"
#include "properties/evidence.h"

namespace rehearse::harness {

// The verdict over two databases and all that it rests on.
struct DatabaseVerdict {
  std::vector<EntityComparison> entities;
  struct SequenceState {
    std::string entity, rule, problem;  // `problem` is empty when the rule holds
    std::int64_t legacy_next = 0, new_next = 0, legacy_max = 0, new_max = 0;
  };
  std::vector<SequenceState> sequences;
  properties::Constraints constraints;  // of the new database
  std::string unmapped;                 // tables and columns that nobody mapped
  std::vector<std::string> problems;    // why something is not proved
  std::vector<std::string> notes;       // what is not said, and why
  std::uint64_t seed = 0;
  std::size_t ignored_columns = 0;
  bool interrupted = false;
  double seconds = 0;

  [[nodiscard]] std::int64_t rows(std::size_t side) const;
  [[nodiscard]] std::int64_t differences() const;
  [[nodiscard]] bool at_least() const;
  // 0 equal, 1 different, 2 not proved, 130 interrupted. A difference outweighs what is not proved.
  [[nodiscard]] int status() const;
};

[[nodiscard]] std::string as_text(const DatabaseVerdict& verdict);
[[nodiscard]] std::string as_json(const DatabaseVerdict& verdict);

}  // namespace rehearse::harness
