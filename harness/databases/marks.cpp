#include "harness/databases/marks.h"

#include <fmt/format.h>

#include <utility>

namespace rehearse::harness {
namespace {

// A session publishes its counts when a second has passed since the last time, else when it has been idle for ten; one that has
// left the list of sessions has published them. Before 15 they travelled by datagrams, of which nothing can be said.
constexpr int seconds_until_published = 12;

// Asked before the counters: what is published between the two questions is in the counters.
const std::string published_query = fmt::format(R"(
  SELECT current_setting('track_counts') = 'on' AND current_setting('server_version_num')::int >= 150000 AND NOT EXISTS (
    SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type IS DISTINCT FROM 'autovacuum worker'
    AND (state_change IS NULL OR state <> 'idle' OR state_change > now() - interval '{} s')))",
                                                seconds_until_published);

// A standby has no insert position.
constexpr const char* mark_query = R"(
  SELECT concat_ws(' ', pg_postmaster_start_time(), (SELECT timeline_id FROM pg_control_checkpoint()),
                   (SELECT system_identifier FROM pg_control_system()), d.stats_reset),
         CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_insert_lsn() END,
         pg_current_snapshot(),
         concat_ws(' ', d.tup_inserted, d.tup_updated, d.tup_deleted,
                   (SELECT sum(hashtextextended(concat_ws(' ', oid, relfilenode, relnatts), 0)) FROM pg_class WHERE relpersistence <> 't'))
  FROM pg_stat_database d WHERE d.datname = current_database())";

}  // namespace

std::string sequences_of(Session& session, const std::set<std::string>& ignored) {
  const Rows sequences = session.run(
      "SELECT s.relname, format('%I.%I', n.nspname, s.relname), t.relname FROM pg_class s JOIN pg_namespace n ON n.oid "
      "= s.relnamespace "
      "LEFT JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass "
      "AND d.deptype IN ('a', 'i') AND d.refclassid = 'pg_class'::regclass LEFT JOIN pg_class t ON t.oid = d.refobjid "
      "WHERE s.relkind = 'S' AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 2");
  // Asked one by one: pg_sequences says nothing of a value that is set and not used yet.
  std::string all;
  for (const Row& row : sequences.rows) {
    const std::string sequence = row[0].value_or("");
    if (ignored.contains(row[2].value_or("")) || ignored.contains(sequence)) continue;
    const std::string name = row[1].value_or("");
    all += fmt::format("{}SELECT {} || '=' || last_value || CASE WHEN is_called THEN '' ELSE ' unused' END FROM {}",
                       all.empty() ? "" : " UNION ALL ", session.quoted(name), name);
  }
  std::string text;
  if (all.empty()) return text;
  for (const Row& row : session.run(all).rows) text += row[0].value_or("") + "\n";
  return text;
}

ServerMark mark_of(Session& session, std::string sequences) {
  ServerMark mark;
  mark.published = session.value(published_query) == "t";
  const Row row = session.run(mark_query).rows.at(0);
  mark.server = row[0].value_or("");
  mark.wal_position = row[1].value_or("");
  mark.snapshot = row[2].value_or("");
  mark.counters = row[3].value_or("");
  mark.sequences = std::move(sequences);
  return mark;
}

std::string_view name_of(Rung rung) {
  switch (rung) {
    case Rung::wal_position:
      return "WAL position";
    case Rung::transactions:
      return "transactions";
    case Rung::counters:
      return "counters";
  }
  return "";
}

std::optional<Rung> proves_untouched(const ServerMark& before, const ServerMark& after) {
  if (before.server != after.server || before.sequences != after.sequences) return std::nullopt;
  if (!before.wal_position.empty() && before.wal_position == after.wal_position) return Rung::wal_position;
  // A transaction that ends leaves the list of those at work, or moves the end: equal snapshots have seen none end.
  if (before.snapshot == after.snapshot) return Rung::transactions;
  if (before.published && after.published && before.counters == after.counters) return Rung::counters;
  return std::nullopt;
}

}  // namespace rehearse::harness
