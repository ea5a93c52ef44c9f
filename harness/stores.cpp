#include "harness/stores.h"

#include <fmt/format.h>

#include "harness/databases/constraints.h"
#include "harness/databases/restore.h"

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
  restore_from(config_.new_database, new_name, kept_copy());
}

void Stores::empty_new() {
  let_go();
  restore(config_.new_database, new_name, config_.command_deadline);
}

void Stores::keep_copy() {
  let_go();
  keep_as(config_.new_database, new_name, kept_copy());
  copy_kept_ = true;
}

void Stores::keep_oracle(int run) {
  let_go();
  keep_as(config_.legacy_database, legacy_name, kept_oracle(run));
}

void Stores::learn_volatile_cells(const properties::Correspondence& pairs) {
  Session first(with_database(config_.legacy_database.dsn, kept_oracle(1)), "the oracle's database");
  Session second(with_database(config_.legacy_database.dsn, kept_oracle(2)), "the oracle's second database");
  volatile_cells_ =
      differing_cells(config_.entities, {&first, "oracle", true}, {&second, "oracle's second run", true, &pairs});
}

void Stores::drop_kept() {
  for (int run : {1, 2}) drop(config_.legacy_database, legacy_name, kept_oracle(run));
  drop(config_.new_database, new_name, kept_copy());
  copy_kept_ = false;
}

properties::Comparison Stores::compare() {
  return harness::compare(config_.entities, {&sessions().legacy, "legacy database", true},
                          {&sessions().new_, "new database", false});
}

properties::Comparison Stores::compare_with_oracle(bool new_store, const properties::Correspondence& pairs) {
  Session oracle(with_database(config_.legacy_database.dsn, kept_oracle(1)), "the oracle's database");
  const Side store = new_store ? Side{&sessions().new_, "new database", false, &pairs}
                               : Side{&sessions().legacy, "legacy database", true, &pairs};
  return harness::compare(config_.entities, store, {&oracle, "oracle", true}, &volatile_cells_);
}

std::vector<properties::IdSpace> Stores::ids() { return id_spaces(config_, sessions().legacy, sessions().new_); }

std::string Stores::unmapped() {
  const auto legacy =
      unmapped_tables(config_.entities, {&sessions().legacy, "legacy database", true}, config_.ignored_legacy_tables);
  const auto new_ =
      unmapped_tables(config_.entities, {&sessions().new_, "new database", false}, config_.ignored_new_tables);
  if (legacy.empty() && new_.empty()) return "";
  const auto listed = [](const std::vector<std::string>& tables) {
    return tables.empty() ? std::string("none") : fmt::format("{}", fmt::join(tables, ", "));
  };
  return fmt::format(
      "tables that no entity reads (legacy: {}; new: {}); map them, or name them in ignored_tables with a reason",
      listed(legacy), listed(new_));
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
