// A first mapping of two databases, guessed from both catalogues, for a person to correct.
//
// Tables belong together that have one name, else those whose columns agree best; columns that have one name, else names that
// share a word and types that can be compared. What is guessed says so, and what has no counterpart stands there as a comment:
// until somebody decides, the comparison names it and is unknown. A wrong guess shows as differences, never as equality.
#pragma once

#include <string>
#include <vector>

#include "harness/databases/canonical.h"
#include "harness/databases/session.h"

namespace rehearse::harness {

struct CatalogueTable {
  struct Column {
    std::string name;
    ValueType type;
    std::string sequence;  // that numbers it; empty when none does
  };
  std::string name;  // as SQL writes it
  std::vector<Column> columns;
  std::vector<std::string> key;
};
[[nodiscard]] std::vector<CatalogueTable> catalogue_of(Session& session);

struct MappingProposal {
  std::string entities;   // lines of YAML below `entities:`
  std::string sequences;  // the value of `sequences:`
};
[[nodiscard]] MappingProposal proposed_mapping(const std::vector<CatalogueTable>& legacy,
                                               const std::vector<CatalogueTable>& new_);

}  // namespace rehearse::harness
