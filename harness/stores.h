// The two databases of a rehearsal: restored, kept for later, compared and watched.
//
// What it keeps are databases of its own on the same servers, named after the rehearsed one; `drop_kept` removes them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/configuration.h"
#include "harness/databases/comparison.h"
#include "harness/databases/fault.h"
#include "harness/databases/followed_comparison.h"
#include "harness/databases/session.h"
#include "harness/databases/watch.h"
#include "properties/correspondence.h"
#include "properties/evidence.h"

namespace rehearse::harness {

class Stores {
 public:
  // How the two are called in errors.
  static constexpr const char* legacy_name = "the legacy database";
  static constexpr const char* new_name = "the new database";
  static constexpr const char* oracle_name = "the oracle's database";

  explicit Stores(const Configuration& configuration) : config_(configuration) {}

  // Both as they were before the migration.
  void restore_seeded();
  // Both as they were right behind the copy. REQUIRES: keep_copy was called.
  void restore_copied();
  // The new database as before the migration.
  void empty_new();
  // The database of the legacy service that has no part in the migration as it was when this was called first.
  void restore_oracle();
  void keep_copy();
  [[nodiscard]] bool copy_kept() const { return copy_kept_; }
  // Keeps the legacy database as it is now as the final state of the oracle's first or second run.
  void keep_oracle(int run);
  // Learns which cells the two runs filled differently; `pairs` are the second run's identifiers in the first one's words.
  void learn_volatile_cells(const properties::Correspondence& pairs);
  void drop_kept();

  // Every row of both: what a decision rests on.
  [[nodiscard]] properties::Comparison compare();
  // The same, and from now on both are followed, until one of them is restored or broken.
  [[nodiscard]] properties::Comparison compare_and_follow();
  // What changed since; every row where nobody followed, or the changes are lost.
  [[nodiscard]] properties::Comparison compare_changed();
  // One store against the oracle's final state; `pairs` are its identifiers in the oracle's words.
  [[nodiscard]] properties::Comparison compare_with_oracle(bool new_store, const properties::Correspondence& pairs);
  [[nodiscard]] std::vector<properties::IdSpace> ids();
  // Why the comparison leaves something out: tables and columns that nobody mapped. Empty when each is mapped or ignored.
  [[nodiscard]] std::string unmapped();
  [[nodiscard]] properties::Constraints constraints_of_new();
  // False when the databases are still written after the configured bound.
  [[nodiscard]] bool come_to_rest();

  [[nodiscard]] Watch watch_legacy(Watch::Depth depth) const;
  [[nodiscard]] Watch watch_new(Watch::Depth depth) const;
  // Both keep the rows that are written from now on.
  void follow_writes(Watch& legacy, Watch& new_);
  [[nodiscard]] StatementWatch watch_legacy_statements() const;
  [[nodiscard]] StatementWatch watch_new_statements() const;

  // Breaks one of them until the result is mended or destroyed; our own sessions are let go first.
  [[nodiscard]] BrokenDatabase break_legacy(BrokenDatabase::How how);
  [[nodiscard]] BrokenDatabase break_new(BrokenDatabase::How how);

 private:
  struct Sessions {
    Session legacy;
    Session new_;
  };
  Sessions& sessions();
  void let_go() {
    sessions_.reset();
    followed_.reset();
  }
  [[nodiscard]] Side legacy_side() const;
  [[nodiscard]] Side new_side() const;
  [[nodiscard]] Side oracle_side(int run, const std::string& label) const;
  [[nodiscard]] std::string kept_oracle(int run) const;
  [[nodiscard]] std::string kept_copy() const;
  [[nodiscard]] std::string kept_alone() const;

  const Configuration& config_;
  std::optional<Sessions> sessions_;
  std::unique_ptr<FollowedComparison> followed_;
  VolatileCells volatile_cells_;
  bool copy_kept_ = false;
  bool alone_kept_ = false;
};

}  // namespace rehearse::harness
