// Compares two databases that are being written: a full pass, and then the rows that differed again and again, until each has
// settled, diverged or proved too hot to tell (settling.h).
#pragma once

#include "harness/databases/comparison.h"
#include "harness/databases/settling.h"

namespace rehearse::harness {

struct LiveOptions {
  SettlingOptions settling;
  SettlingTime limit{60'000};  // of an entity; what is in flight then stays so
  const std::atomic<bool>* stop = nullptr;
};

// Like DatabasePair::compare. Rows that diverged are its findings; rows that are hot or in flight at the end are a problem: they
// are neither equal nor different.
[[nodiscard]] EntityComparison compare_live(DatabasePair& pair, const Entity& entity, const LiveOptions& options);

}  // namespace rehearse::harness
