// What it costs to compare again what changed, beside comparing every row: two databases with the entities of bench/databases.
//
//     probe_changes LEGACY_DSN NEW_DSN WRITES TABLE...        prints a line of JSON for each table
//
// A play writes WRITES rows of a table in both databases, a transaction a hundred rows, the same on both sides. The CPU seconds are those
// of all of this program's sessions in the servers; they count where these run on this machine.
#include <fmt/format.h>

#include <cstdlib>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include "harness/databases/followed_comparison.h"
#include "harness/databases/server_cost.h"
#include "replay/error.h"

namespace {

using namespace rehearse;
using namespace rehearse::harness;

using Seconds = std::map<int, double>;  // by process

Seconds server_seconds(const std::vector<std::string>& dsns) {
  Seconds seconds;
  for (const std::string& dsn : dsns) {
    Session session(dsn, "a database");
    for (const Row& row : session
                              .run("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND "
                                   "application_name = 'rehearse' AND pid <> pg_backend_pid()")
                              .rows) {
      const int process = std::stoi(*row[0]);
      seconds[process] = cpu_seconds_of_backend(process).value_or(0);
    }
  }
  return seconds;
}

double between(const Seconds& before, const Seconds& after) {
  double sum = 0;
  for (const auto& [process, seconds] : after) sum += seconds - (before.contains(process) ? before.at(process) : 0);
  return sum;
}

void play(const std::string& dsn, const std::string& table, std::int64_t writes) {
  Session session(dsn, "a database");
  constexpr int rows_a_transaction = 100;
  session.run("CREATE TEMP TABLE written AS SELECT id, row_number() OVER () AS n FROM (SELECT id FROM " + table +
              " ORDER BY md5(id::text) LIMIT " + std::to_string(writes) + ") s");
  for (std::int64_t at = 0; at < writes; at += rows_a_transaction)
    session.run(
        fmt::format("UPDATE {} SET amount = amount + 1 WHERE id IN (SELECT id FROM written WHERE n > {} AND n <= {})",
                    table, at, at + rows_a_transaction));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return std::fputs("usage: probe_changes LEGACY_DSN NEW_DSN WRITES TABLE...\n", stderr), 3;
  try {
    const std::vector<std::string> dsns{argv[1], argv[2]};
    for (int i = 4; i < argc; ++i) {
      const std::string table = argv[i];
      FollowedComparison followed({{table, {"id"}, table, table}}, {dsns[0], "legacy database", true},
                                  {dsns[1], "new database", false});
      const Seconds beginning = server_seconds(dsns);
      const auto whole = followed.whole();
      const Seconds before_play = server_seconds(dsns);
      for (const std::string& dsn : dsns) play(dsn, table, std::atoll(argv[3]));
      const Seconds before = server_seconds(dsns);
      const auto changed = followed.changed();
      const Seconds after = server_seconds(dsns);
      static_cast<void>(followed.changed());
      const Seconds behind_nothing = server_seconds(dsns);
      for (const auto* comparison : {&whole, &changed}) {
        if (!comparison->problem.empty() || comparison->differences != 0)
          throw Error("not equal: " + comparison->problem);
      }
      fmt::print(
          "{{\"table\": \"{}\", \"rows\": {}, \"every_row_cpu\": {:.4f}, \"changed_cpu\": {:.4f}, \"unchanged_cpu\": "
          "{:.4f}, "
          "\"decided_by\": \"{}\"}}\n",
          table, whole.rows_left, between(beginning, before_play), between(before, after),
          between(after, behind_nothing), changed.decided_by);
    }
    return 0;
  } catch (const std::exception& problem) {
    fmt::print(stderr, "{}\n", problem.what());
    return 3;
  }
}
