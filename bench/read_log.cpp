// How fast the commit log of a database is read: updates so many rows of the table `wide`, then reads what was logged.
//
//     read_log DSN CHANGES        prints {"changes": N, "seconds": S, "changes_a_second": R, "server_cpu": S, "client_cpu": S}
//
// The CPU seconds of the server are those of its sessions of this program; they count where it runs on this machine.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <string>

#include "harness/databases/server_cost.h"
#include "harness/databases/watch.h"

namespace {

// Of all sessions of the database but this one.
double server_seconds(rehearse::harness::Session& session) {
  double sum = 0;
  for (const auto& row : session
                             .run("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND "
                                  "application_name = 'rehearse' AND pid <> pg_backend_pid()")
                             .rows)
    sum += rehearse::harness::cpu_seconds_of_backend(std::stoi(*row[0])).value_or(0);
  return sum;
}

double client_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

int main(int argc, char** argv) {
  using namespace rehearse::harness;
  if (argc != 3) return std::fputs("usage: read_log DSN CHANGES\n", stderr), 3;
  try {
    Watch watch(argv[1], "the database", Watch::Depth::log, {});
    if (!watch.has_commit_log()) return std::fputs("the server permits no logical decoding\n", stderr), 3;
    const auto changes = std::atoll(argv[2]);
    Session(argv[1], "the database")
        .run(fmt::format("UPDATE wide SET amount = amount + 1 WHERE id IN (SELECT id FROM wide LIMIT {})", changes));
    Session outside(argv[1], "the database");
    const double server_before = server_seconds(outside), client_before = client_seconds();
    const auto begun = std::chrono::steady_clock::now();
    const auto seen = watch.lap();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    const double server = server_seconds(outside) - server_before, client = client_seconds() - client_before;
    if (!seen.known || seen.rows != changes) return fmt::print(stderr, "{} changes: {}\n", seen.rows, seen.problem), 1;
    fmt::print(
        "{{\"changes\": {}, \"seconds\": {:.3f}, \"changes_a_second\": {:.0f}, \"server_cpu\": {:.3f}, \"client_cpu\": "
        "{:.3f}}}\n",
        seen.rows, seconds, static_cast<double>(seen.rows) / seconds, server, client);
    return 0;
  } catch (const std::exception& problem) {
    fmt::print(stderr, "{}\n", problem.what());
    return 3;
  }
}
