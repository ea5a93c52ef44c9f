// Holds the rows of a database against its own constraints, by asking for rows that break them.
//
// A constraint that the catalogue calls valid was checked when it was made or when a row was written; a copy that switches
// triggers off (session_replication_role, DISABLE TRIGGER) writes rows that nobody held against it.
#pragma once

#include "harness/databases/session.h"
#include "properties/evidence.h"

namespace rehearse::harness {

// Looks at every foreign key, CHECK and unique index. Never throws for what the database holds or refuses: that is `problem`.
// A foreign key with a NULL in it refers to nothing, also under MATCH FULL.
[[nodiscard]] properties::Constraints constraints_of(Session& session);

}  // namespace rehearse::harness
