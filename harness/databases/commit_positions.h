// Where transactions committed in the WAL, found when they are over: by pg_walinspect, where the server has it (PostgreSQL 15 and later) and
// still keeps that WAL.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "harness/databases/session.h"

namespace rehearse::harness {

struct CommitPositions {
  std::map<std::string, std::string> by_transaction;  // its 32-bit number → where its commit ends: 0/16B3748
  std::string problem;  // why there are none, and what would help; empty when there may be
};

// Of WAL the last so many bytes are looked through; it takes seconds a gigabyte. Never throws for what the server refuses.
inline constexpr std::int64_t searched_wal_bytes = std::int64_t{256} << 20;
[[nodiscard]] CommitPositions commit_positions(Session& session, const std::set<std::string>& transactions);

}  // namespace rehearse::harness
