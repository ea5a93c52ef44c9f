// What becomes of rows that differ while both databases are written: whether they come to agree, and how long that takes.
//
// Two databases that are written one after the other have no moment in common: a row that differs may be on its way. It is read
// again, soon and then less often. It has *settled* when both sides are seen equal. It has *diverged* when it differs and
// neither side was written for longer than a write ever needs to arrive (`window`); nothing is tried again then. While it is
// written without pause it stays *in flight*, and after a bound it is *hot*: nobody can tell, and nobody calls it equal.
//
// Time is a parameter; nothing here waits or reads.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rehearse::harness {

using SettlingTime = std::chrono::milliseconds;  // since any beginning

enum class SettlingState { in_flight, settled, diverged, hot };

struct SettlingOptions {
  SettlingTime window{5'000};   // no write takes longer from one database to the other
  SettlingTime first_wait{50};  // until the second look; then twice as long each time, up to the window
  int hot_after = 6;            // windows
  std::size_t max_rows = 10'000;
};

// What one look at a row found.
struct SettlingLook {
  bool equal = false;
  // The age of the younger side's last commit; nothing where the servers do not say. Then a row counts as written when it changed
  // between two looks.
  std::optional<SettlingTime> age;
  std::uint64_t image = 0;  // of both sides, to see a change
};

// How long rows took to settle, since they were first seen to differ.
struct SettlingTimes {
  std::vector<SettlingTime> sorted;
  // The least time within which that share of them settled; nothing when none did.
  [[nodiscard]] std::optional<SettlingTime> within(double share) const;
};

class Settling {
 public:
  explicit Settling(const SettlingOptions& options) : options_(options) {}

  // A row was seen to differ. False when there is no room: too many are in flight to say anything of the rest.
  bool add(const std::string& key, const SettlingLook& look, SettlingTime now);
  // The rows to look at again by now, those that wait longest first, at most so many.
  [[nodiscard]] std::vector<std::string> due(SettlingTime now, std::size_t most) const;
  // When the next row is due; nothing when none is in flight.
  [[nodiscard]] std::optional<SettlingTime> next() const;
  // REQUIRES: the key is in flight.
  void look(const std::string& key, const SettlingLook& look, SettlingTime now);

  [[nodiscard]] std::size_t count(SettlingState state) const;
  [[nodiscard]] std::vector<std::string> keys(SettlingState state) const;
  [[nodiscard]] SettlingTimes times() const;

 private:
  struct Row {
    SettlingState state = SettlingState::in_flight;
    SettlingTime seen{0}, changed{0}, due{0}, wait{0}, settled{0};
    std::uint64_t image = 0;
  };
  void judge(Row& row, const SettlingLook& look, SettlingTime now) const;

  SettlingOptions options_;
  std::map<std::string, Row> rows_;
};

}  // namespace rehearse::harness
