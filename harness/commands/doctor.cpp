#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>

#include "harness/commands/commands.h"
#include "harness/databases/coverage.h"
#include "harness/databases/server_version.h"
#include "harness/databases/session.h"
#include "harness/services.h"
#include "replay/capture/import.h"
#include "replay/error.h"
#include "replay/traffic_file.h"

namespace rehearse::harness {
namespace {

// Says what works, what is missing and what to type; remembers the worst.
class Examination {
 public:
  void good(const std::string& what) { fmt::print("  ok       {}\n", what); }
  // A proof that is not possible: the gate would say unknown.
  void missing(const std::string& what, const std::string& remedy) {
    fmt::print("  missing  {}\n           {}\n", what, remedy);
    status_ = std::max(status_, exit_unknown);
  }
  // Nothing that a proof needs, and worth having.
  static void possible(const std::string& what, const std::string& how) {
    fmt::print("  could    {}\n           {}\n", what, how);
  }
  // Nothing can be rehearsed before this is mended.
  void broken(const std::string& what) {
    fmt::print("  BROKEN   {}\n", what);
    status_ = exit_error;
  }
  void attempt(const std::function<void()>& look) {
    try {
      look();
    } catch (const Error& problem) {
      broken(problem.what());
    }
  }
  [[nodiscard]] int status() const { return status_; }

 private:
  int status_ = exit_pass;
};

void examine_services(const Configuration& config, Examination& examination) {
  fmt::print("services\n");
  const auto polls = poll_stages(config);
  for (const auto& poll : polls) {
    if (poll.value == "nothing") {
      examination.broken(fmt::format(
          "the {} service does not say its stage at {} ({}); start it, or mend `stage` in the configuration",
          poll.service, config.stage.path,
          config.stage.header.empty() ? "pointer " + config.stage.json : "header " + config.stage.header));
    } else if (!config.contract.stage_values.contains(poll.value)) {
      examination.broken(
          fmt::format("the {} service serves {:?}, which is none of flag.values", poll.service, poll.value));
    } else if (poll.value != polls.front().value) {
      examination.broken(
          fmt::format("the {} service serves {} and the legacy service {}: they do not read the same flag",
                      poll.service, poll.value, polls.front().value));
    } else {
      examination.good(fmt::format("the {} service answers and serves {}", poll.service, poll.value));
    }
  }
  const auto writes = [&](const ServiceSettings& service, const char* name) {
    if (!service.writes_allowed)
      examination.broken(fmt::format(
          "writes to the {} service are not allowed; write services.{}.writes: allowed if it is not production", name,
          name));
  };
  writes(config.legacy, "legacy");
  writes(config.new_, "new");
  if (config.legacy.stop.empty()) {
    examination.missing("the legacy service cannot be stopped: C3, S4 and V3 stay unknown",
                        "give services.legacy.stop and services.legacy.start");
  } else {
    examination.good("the legacy service can be stopped and started (C3, S4, V3)");
  }
  if (metric_sum(config, config.new_.urls.front(), config.alerts.path, config.alerts.metric, nullptr)) {
    examination.good(fmt::format("alerts are counted by {}", config.alerts.metric));
  } else {
    bool read = false;
    static_cast<void>(metric_sum(config, config.new_.urls.front(), config.alerts.path, config.alerts.metric, &read));
    if (read) {
      examination.good(
          fmt::format("{} is readable; {} has not been raised yet", config.alerts.path, config.alerts.metric));
    } else {
      examination.missing("the alert metric cannot be read: G11 and S3 stay unknown",
                          "mend alerts.path and alerts.metric");
    }
  }
}

// What proves that a database was not written, beside its commit log; see harness/databases/watch.h.
void examine_rungs(Session& session, const std::string& user, Examination& examination) {
  examination.good("that nothing is written shows in the WAL position and the snapshot");
  const Rows unreadable = session.run(
      "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
      "WHERE "
      "c.relkind IN ('r', 'm', 'S') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND NOT "
      "has_table_privilege(c.oid, 'SELECT') ORDER BY 1");
  std::vector<std::string> names;
  for (const Row& row : unreadable.rows) names.push_back(row[0].value_or(""));
  if (names.empty())
    examination.good("the content of every table is readable");
  else
    examination.missing(fmt::format("tables or sequences that may not be read: {}: what is written there is not seen",
                                    fmt::join(names, ", ")),
                        fmt::format("GRANT SELECT ON {} TO {};", fmt::join(names, ", "), user));
  if (session.number(
          "SELECT (EXISTS (SELECT FROM pg_largeobject_metadata) AND NOT has_table_privilege('pg_largeobject', "
          "'SELECT'))::int") == 1)
    examination.missing("large objects are counted, and what stands in them is not seen",
                        "GRANT SELECT ON pg_largeobject TO " + user + ";");
  session.value("SHOW track_commit_timestamp") == "on"
      ? examination.good("rows tell when they were committed")
      : examination.missing("rows do not tell when they were committed: compare names their transactions alone",
                            "ALTER SYSTEM SET track_commit_timestamp = on; and restart the server");
}

void examine_positions(Session& session, const std::string& user, Examination& examination) {
  if (!abilities_of(session.server_version()).tells_where_rows_committed) return;
  if (session.number("SELECT count(*) FROM pg_extension WHERE extname = 'pg_walinspect'") == 0) {
    Examination::possible("rows that differ may tell where in the WAL they were committed",
                          "CREATE EXTENSION pg_walinspect; by a superuser");
  } else if (session.number("SELECT (pg_has_role('pg_read_server_files', 'USAGE') AND pg_has_role('pg_monitor', "
                            "'USAGE'))::int") == 0) {
    Examination::possible("rows that differ may tell where in the WAL they were committed",
                          "GRANT pg_read_server_files, pg_monitor TO " + user + ";");
  } else {
    examination.good("rows that differ tell where in the WAL they were committed");
  }
}

void examine_database(const DatabaseSettings& database, const std::string& name, bool legacy_schema,
                      const Configuration& config, Examination& examination) {
  fmt::print("{} database\n", name);
  examination.attempt([&] {
    Session session(database.dsn, "the " + name + " database");
    examination.good(fmt::format("connected to PostgreSQL {} as {}", session.value("SHOW server_version"),
                                 session.value("SELECT current_user")));
    const std::string user = session.quoted_name(session.value("SELECT current_user"));
    if (session.server_version() < oldest_supported_server || session.server_version() > newest_supported_server)
      examination.missing("the server is none of PostgreSQL 13 to 17, for which the SQL that is used is written",
                          "use one of these");
    if (!abilities_of(session.server_version()).times_statements)
      examination.missing("the server is older than 14: statements cannot be timed (O1, C1)",
                          "use PostgreSQL 14 or later");
    if (session.value("SHOW wal_level") != "logical") {
      examination.missing("no commit log: the content digest alone says what was written, and O4 stays unknown",
                          "ALTER SYSTEM SET wal_level = logical; and restart the server");
    } else if (session.number(
                   "SELECT count(*) FROM pg_roles WHERE rolname = current_user AND (rolreplication OR rolsuper)") ==
               0) {
      examination.missing("no right to read the commit log", "ALTER ROLE " + user + " REPLICATION;");
    } else if (session.number(
                   "SELECT current_setting('max_replication_slots')::int - count(*) FROM pg_replication_slots") < 1) {
      examination.missing(
          "no replication slot is free: no commit log",
          "drop one that nobody reads (pg_replication_slots), or ALTER SYSTEM SET max_replication_slots = "
          "20; and restart the server");
    } else {
      examination.good("the commit log is readable");
    }
    examine_rungs(session, user, examination);
    examine_positions(session, user, examination);
    if (!database.disposable)
      return examination.broken("disposable: true is missing: a rehearsal restores and breaks this database");
    if (session.number("SELECT count(*) FROM pg_roles WHERE rolname = current_user AND (rolcreatedb OR rolsuper)") ==
        0) {
      examination.broken("no right to create databases; ALTER ROLE " + user + " CREATEDB;");
    }
    if (session.number(
            "SELECT (pg_has_role('pg_read_all_stats', 'USAGE') AND pg_has_role('pg_signal_backend', 'USAGE'))::int") ==
        0) {
      examination.missing(
          "no right to see and to end the sessions of other roles: restores and faults fail while the services use "
          "other roles",
          "GRANT pg_read_all_stats, pg_signal_backend TO " + user + ";");
    }
    if (database.restore.empty()) {
      const bool there = !database.template_name.empty() &&
                         session.number(fmt::format("SELECT count(*) FROM pg_database WHERE datname = {}",
                                                    session.quoted(database.template_name))) == 1;
      there ? examination.good(fmt::format("is restored from the template {}", database.template_name))
            : examination.broken(fmt::format("the template {:?} does not exist; CREATE DATABASE it from the state to "
                                             "start from, or give restore.command",
                                             database.template_name));
    }
    const Coverage coverage = coverage_of(
        config.entities, legacy_schema, legacy_schema ? config.ignored_legacy_tables : config.ignored_new_tables,
        legacy_schema ? config.ignored_legacy_columns : config.ignored_new_columns, session);
    if (coverage.unread_tables.empty() && coverage.unread_columns.empty())
      examination.good("every table and column is mapped or ignored with a reason");
    if (!coverage.unread_tables.empty())
      examination.missing(
          fmt::format("tables that no entity reads: {}: R5 stays unknown", fmt::join(coverage.unread_tables, ", ")),
          "map them under entities, or name them in ignored_tables with a reason");
    if (!coverage.unread_columns.empty())
      examination.missing(
          fmt::format("columns that no entity reads: {}: R5 stays unknown", fmt::join(coverage.unread_columns, ", ")),
          "map them under entities, or name them in ignored_columns with a reason");
  });
}

void examine_rest(const Configuration& config, Examination& examination) {
  fmt::print("rehearsal\n");
  const auto given = [&](const std::string& text, const char* key, const char* what) {
    text.empty() ? examination.missing(fmt::format("{} is not given: {}", key, what),
                                       fmt::format("give {} in the configuration", key))
                 : examination.good(fmt::format("{} is given", key));
  };
  config.copy_forward.empty() ? examination.broken("copy.forward is not given: read-only and all that follows need it")
                              : examination.good("copy.forward is given");
  given(config.copy_backward, "copy.backward", "completed cannot go back to live");
  given(config.poison_new, "poison.new", "S2 stays unknown");
  given(config.poison_legacy, "poison.legacy", "V1 stays unknown");
  if (config.entities.empty()) examination.broken("no entities are mapped: the databases cannot be compared");
  config.sequences.empty()
      ? examination.missing("no sequences are mapped: G9 stays unknown", "name the sequences that number the entities")
      : examination.good("sequences are mapped");
  examination.attempt([&] {
    const auto traffic = replay::is_sqlite(config.traffic) ? replay::load_traffic(config.traffic)
                                                           : replay::import_captures({config.traffic});
    const auto complete = std::count_if(traffic.exchanges.begin(), traffic.exchanges.end(),
                                        [](const auto& exchange) { return exchange.complete(); });
    if (complete == 0) throw Error(fmt::format("the traffic {} holds no complete HTTP exchange", config.traffic));
    examination.good(
        fmt::format("the traffic holds {} exchanges, {} of them complete", traffic.exchanges.size(), complete));
  });
}

}  // namespace

int doctor(const std::string& path) {
  const Configuration config = load_configuration(path);
  Examination examination;
  examination.attempt([&] { examine_services(config, examination); });
  examine_database(config.legacy_database, "legacy", true, config, examination);
  examine_database(config.new_database, "new", false, config, examination);
  examine_rest(config, examination);
  fmt::print("\n{}\n", examination.status() == exit_pass ? "All is there: rehearse gate"
                       : examination.status() == exit_unknown
                           ? "A rehearsal can run; what is missing will be unknown, and unknown does not open the gate."
                           : "Mend what is broken first.");
  return examination.status();
}

}  // namespace rehearse::harness
