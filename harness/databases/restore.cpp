#include "harness/databases/restore.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "harness/databases/server_version.h"
#include "harness/databases/session.h"
#include "harness/databases/watch.h"
#include "harness/process.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using namespace std::chrono_literals;

void expect_disposable(const DatabaseSettings& database, const std::string& what) {
  if (!database.disposable) {
    throw Error(
        fmt::format("{} is not to be altered: only a database that may be lost can be restored; if it may, write "
                    "disposable: true beside its dsn",
                    what));
  }
}

void create_from(Session& maintenance, const std::string& name, const std::string& source,
                 std::chrono::milliseconds deadline) {
  const auto until = std::chrono::steady_clock::now() + deadline;
  maintenance.run(fmt::format("SET statement_timeout = {}", deadline.count()));
  // Before anything is dropped: a typing error in the configuration must not cost a database.
  if (source == name)
    throw Error(
        fmt::format("the database {} cannot be restored from itself; name a template that is kept apart", name));
  if (maintenance.number(
          fmt::format("SELECT count(*) FROM pg_database WHERE datname = {}", maintenance.quoted(source))) == 0) {
    throw Error(
        fmt::format("there is no database {} to restore {} from; CREATE DATABASE it from the state to start from, or "
                    "give restore.command",
                    source, name));
  }
  // CREATE DATABASE refuses a template that has sessions, and a pool may reconnect in between; DROP DATABASE refuses what a
  // session that just ended still holds.
  for (int attempt = 0;; ++attempt) {
    try {
      maintenance.run(fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", maintenance.quoted_name(name)));
      end_sessions(maintenance, source);
      // Copying files is the faster way for a small database; servers before 15 know no other.
      const bool may_choose = abilities_of(maintenance.server_version()).chooses_how_to_copy;
      maintenance.run(fmt::format("CREATE DATABASE {} TEMPLATE {}{}", maintenance.quoted_name(name),
                                  maintenance.quoted_name(source), may_choose ? " STRATEGY FILE_COPY" : ""));
      return;
    } catch (const Error&) {
      if (std::chrono::steady_clock::now() > until)
        throw Error(fmt::format("the database {} was not made from {} within {} s; raise command_deadline", name,
                                source, std::chrono::duration<double>(deadline).count()));
      if (attempt == 10) throw;
      std::this_thread::sleep_for(20ms);
    }
  }
}

}  // namespace

void restore(const DatabaseSettings& database, const std::string& what, std::chrono::milliseconds deadline) {
  expect_disposable(database, what);
  if (!database.restore.empty()) return run_or_throw(database.restore, deadline, "restoring " + what);
  if (database.template_name.empty())
    throw Error(fmt::format("{} has no restore: name a template database or a command in the configuration", what));
  restore_from(database, what, database.template_name, deadline);
}

void keep_as(const DatabaseSettings& database, const std::string& what, const std::string& name,
             std::chrono::milliseconds deadline) {
  expect_disposable(database, what);
  Session maintenance = maintenance_session(database.dsn, what);
  create_from(maintenance, name, database_in(database.dsn), deadline);
}

void restore_from(const DatabaseSettings& database, const std::string& what, const std::string& name,
                  std::chrono::milliseconds deadline) {
  expect_disposable(database, what);
  Session maintenance = maintenance_session(database.dsn, what);
  create_from(maintenance, database_in(database.dsn), name, deadline);
}

void drop(const DatabaseSettings& database, const std::string& what, const std::string& name) {
  Session maintenance = maintenance_session(database.dsn, what);
  maintenance.run(fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", maintenance.quoted_name(name)));
}

}  // namespace rehearse::harness
