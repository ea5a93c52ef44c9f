#include "harness/stores.h"

#include <fmt/format.h>

#include "harness/databases/constraints.h"
#include "harness/databases/coverage.h"
#include "harness/databases/restore.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

TableNames names_of(const std::map<std::string, std::string>& tables) {
  TableNames names;
  for (const auto& [name, reason] : tables) names.insert(name);
  return names;
}

// PostgreSQL cuts longer names, and two that are cut alike would be one.
constexpr std::size_t max_name_bytes = 63;

std::string kept_name(const std::string& dsn, const std::string& suffix) {
  return database_in(dsn).substr(0, max_name_bytes - suffix.size()) + suffix;
}

}  // namespace

std::string Stores::kept_oracle(int run) const {
  return kept_name(config_.legacy_database.dsn, fmt::format("_rehearse_oracle_{}", run));
}
std::string Stores::kept_copy() const { return kept_name(config_.new_database.dsn, "_rehearse_copied"); }

std::string Stores::kept_alone() const { return kept_name(config_.fuzz.oracle_database.dsn, "_rehearse_seeded"); }

Side Stores::legacy_side() const {
  return {config_.legacy_database.dsn, "legacy database", true, &config_.ignored_legacy_columns};
}
Side Stores::new_side() const {
  return {config_.new_database.dsn, "new database", false, &config_.ignored_new_columns};
}
Side Stores::oracle_side(int run, const std::string& label) const {
  return {with_database(config_.legacy_database.dsn, kept_oracle(run)), label, true, &config_.ignored_legacy_columns};
}

Stores::Sessions& Stores::sessions() {
  if (!sessions_)
    sessions_.emplace(
        Sessions{Session(config_.legacy_database.dsn, legacy_name), Session(config_.new_database.dsn, new_name)});
  return *sessions_;
}

void Stores::restore_seeded() {
  let_go();
  restore(config_.legacy_database, legacy_name, config_.command_deadline);
  restore(config_.new_database, new_name, config_.command_deadline);
}

void Stores::restore_copied() {
  let_go();
  restore(config_.legacy_database, legacy_name, config_.command_deadline);
  restore_from(config_.new_database, new_name, kept_copy(), config_.command_deadline);
}

void Stores::empty_new() {
  let_go();
  restore(config_.new_database, new_name, config_.command_deadline);
}

void Stores::restore_oracle() {
  if (alone_kept_) {
    restore_from(config_.fuzz.oracle_database, oracle_name, kept_alone(), config_.command_deadline);
  } else {
    keep_as(config_.fuzz.oracle_database, oracle_name, kept_alone(), config_.command_deadline);
    alone_kept_ = true;
  }
}

void Stores::keep_copy() {
  let_go();
  keep_as(config_.new_database, new_name, kept_copy(), config_.command_deadline);
  copy_kept_ = true;
}

void Stores::keep_oracle(int run) {
  let_go();
  keep_as(config_.legacy_database, legacy_name, kept_oracle(run), config_.command_deadline);
}

void Stores::learn_volatile_cells(const properties::Correspondence& pairs) {
  Side second = oracle_side(2, "oracle's second database");
  second.pairs = &pairs;
  volatile_cells_ = differing_cells(config_.entities, oracle_side(1, "oracle's database"), second);
}

void Stores::drop_kept() {
  for (int run : {1, 2}) drop(config_.legacy_database, legacy_name, kept_oracle(run));
  drop(config_.new_database, new_name, kept_copy());
  copy_kept_ = false;
  if (alone_kept_) {
    restore_oracle();
    drop(config_.fuzz.oracle_database, oracle_name, kept_alone());
    alone_kept_ = false;
  }
}

properties::Comparison Stores::compare() { return harness::compare(config_.entities, legacy_side(), new_side()); }

properties::Comparison Stores::compare_and_follow() {
  followed_.reset();
  try {
    followed_ = std::make_unique<FollowedComparison>(config_.entities, legacy_side(), new_side());
    return followed_->whole();
  } catch (const Error&) {  // no commit log: the next comparison is of every row again
    followed_.reset();
    return compare();
  }
}

properties::Comparison Stores::compare_changed() {
  try {
    if (followed_) return followed_->changed();
  } catch (const Error&) {  // a session of ours was ended, or its log given up
  }
  followed_.reset();
  return compare();
}

properties::Comparison Stores::compare_with_oracle(bool new_store, const properties::Correspondence& pairs) {
  Side store = new_store ? new_side() : legacy_side();
  store.pairs = &pairs;
  return harness::compare(config_.entities, store, oracle_side(1, "oracle"), &volatile_cells_);
}

std::vector<properties::IdSpace> Stores::ids() { return id_spaces(config_, sessions().legacy, sessions().new_); }

std::string Stores::unmapped() {
  const Coverage legacy = coverage_of(config_.entities, true, config_.ignored_legacy_tables,
                                      config_.ignored_legacy_columns, sessions().legacy);
  const Coverage new_ =
      coverage_of(config_.entities, false, config_.ignored_new_tables, config_.ignored_new_columns, sessions().new_);
  return said_of(legacy, new_);
}

properties::Constraints Stores::constraints_of_new() { return constraints_of(sessions().new_); }

bool Stores::come_to_rest() {
  Session legacy = maintenance_session(config_.legacy_database.dsn, legacy_name);
  Session new_ = maintenance_session(config_.new_database.dsn, new_name);
  return wait_for_rest(legacy, database_in(config_.legacy_database.dsn), new_, database_in(config_.new_database.dsn),
                       config_.quiet);
}

Watch Stores::watch_legacy(Watch::Depth depth) const {
  return {config_.legacy_database.dsn, legacy_name, depth, names_of(config_.ignored_legacy_tables)};
}

Watch Stores::watch_new(Watch::Depth depth) const {
  return {config_.new_database.dsn, new_name, depth, names_of(config_.ignored_new_tables)};
}

void Stores::follow_writes(Watch& legacy, Watch& new_) {
  auto [in_legacy, in_new] = row_sources(config_.entities, sessions().legacy, sessions().new_);
  legacy.follow(std::move(in_legacy));
  new_.follow(std::move(in_new));
}

StatementWatch Stores::watch_legacy_statements() const {
  return {config_.legacy_database.dsn, legacy_name, names_of(config_.ignored_legacy_tables)};
}

StatementWatch Stores::watch_new_statements() const {
  return {config_.new_database.dsn, new_name, names_of(config_.ignored_new_tables)};
}

BrokenDatabase Stores::break_legacy(BrokenDatabase::How how) {
  let_go();
  return {config_.legacy_database, legacy_name, how};
}

BrokenDatabase Stores::break_new(BrokenDatabase::How how) {
  let_go();
  return {config_.new_database, new_name, how};
}

}  // namespace rehearse::harness
