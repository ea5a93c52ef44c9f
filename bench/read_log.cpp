// How fast the commit log of a database is read: updates so many rows of the table `wide`, then reads what was logged.
//
//     read_log DSN CHANGES        prints {"changes": N, "seconds": S, "changes_a_second": R}
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <exception>

#include "harness/databases/watch.h"

int main(int argc, char** argv) {
  using namespace rehearse::harness;
  if (argc != 3) return std::fputs("usage: read_log DSN CHANGES\n", stderr), 3;
  try {
    Watch watch(argv[1], "the database", Watch::Depth::log, {});
    if (!watch.has_commit_log()) return std::fputs("the server permits no logical decoding\n", stderr), 3;
    const auto changes = std::atoll(argv[2]);
    Session(argv[1], "the database")
        .run(fmt::format("UPDATE wide SET amount = amount + 1 WHERE id IN (SELECT id FROM wide LIMIT {})", changes));
    const auto begun = std::chrono::steady_clock::now();
    const auto seen = watch.lap();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    if (!seen.known || seen.rows != changes) return fmt::print(stderr, "{} changes: {}\n", seen.rows, seen.problem), 1;
    fmt::print("{{\"changes\": {}, \"seconds\": {:.3f}, \"changes_a_second\": {:.0f}}}\n", seen.rows, seconds,
               static_cast<double>(seen.rows) / seconds);
    return 0;
  } catch (const std::exception& problem) {
    fmt::print(stderr, "{}\n", problem.what());
    return 3;
  }
}
