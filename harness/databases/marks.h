// What a server says of itself at one moment, and what two such moments prove: the cheap rungs of "this database was not written".
//
// Each signal misses something, so they are asked in an order, and the first that is conclusive decides:
//
//   rung                sees                                            misses
//   WAL position        everything durable, of every database           numbers that a sequence had set aside (asked apart)
//   transactions        every transaction that wrote and ended, of       nothing that is committed; vacuum and checkpoints do
//                       every database                                  not disturb it
//   counters            rows of this database, committed or not,        what sessions have not published yet, so it counts only
//                       and its catalogue                               when none may have something to publish
//
// None of them says what was written: for that there are the commit log and the content (watch.h). None holds across a restart,
// which sets counters back, so a mark names the server's start.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "harness/databases/session.h"

namespace rehearse::harness {

struct ServerMark {
  std::string server;        // when it started, its timeline, when its counters were set back
  std::string wal_position;  // empty where it cannot be asked: a standby
  std::string snapshot;      // xmin:xmax:in progress
  std::string
      counters;  // of this database: rows inserted, updated, deleted, of its catalogue too, and truncations by file
  bool published = false;  // no other session of this database may hold counts back
  std::string sequences;   // a line each: name=value
};

// Takes a mark without writing anything. `sequences` is what sequences_of() gave at the same moment.
[[nodiscard]] ServerMark mark_of(Session& session, std::string sequences);

// A line a sequence, "schema.name=value", without those that are ignored, or that an ignored table owns.
[[nodiscard]] std::string sequences_of(Session& session, const std::set<std::string>& ignored);

enum class Rung { wal_position, transactions, counters };
[[nodiscard]] std::string_view name_of(Rung rung);

// The first rung that proves that nothing was written to this database between two marks; nothing when none does, which
// does not mean that something was written.
[[nodiscard]] std::optional<Rung> proves_untouched(const ServerMark& before, const ServerMark& after);

}  // namespace rehearse::harness
