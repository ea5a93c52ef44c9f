// Statements that would make the new database equal to the legacy one. They are written down and never run.
//
// Each is guarded by what was seen: it changes a row only while the row is as it was compared, inserts one only while the key is
// free, deletes one only while it is as it was. So they may be run twice, and a row that moved since stays as it is.
#pragma once

#include <string>

#include "harness/configuration.h"
#include "harness/databases/comparison.h"

namespace rehearse::harness {

// For the findings of one entity; a comment where the mapping reads the new side by a SELECT, which cannot be written to.
[[nodiscard]] std::string repair_sql(const Entity& entity, const EntityComparison& comparison);

// What the statements stand between: one transaction, and the settings under which the values were printed.
[[nodiscard]] std::string repair_header();
[[nodiscard]] std::string repair_footer();

}  // namespace rehearse::harness
