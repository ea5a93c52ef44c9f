#include "harness/databases/fault.h"

#include <fmt/format.h>

#include <utility>

#include "harness/databases/watch.h"
#include "replay/error.h"

namespace rehearse::harness {

BrokenDatabase::BrokenDatabase(const DatabaseSettings& database, const std::string& what, How how,
                               std::vector<int> spared)
    : name_(database_in(database.dsn)),
      how_(how),
      spared_(std::move(spared)),
      maintenance_(maintenance_session(database.dsn, what)) {
  if (!database.disposable)
    throw Error(fmt::format("{} may not be broken on purpose: write disposable: true beside its dsn if it may", what));
  try {
    break_it(database, what);
  } catch (const Error&) {
    try {
      mend();  // half of it may be done, and no destructor runs for what was never made
    } catch (const Error&) {
    }
    throw;
  }
}

void BrokenDatabase::break_it(const DatabaseSettings& database, const std::string& what) {
  const std::string quoted = maintenance_.quoted_name(name_);
  switch (how_) {
    case How::stopped:
      maintenance_.run(fmt::format("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", quoted));
      end_sessions(maintenance_, name_, spared_);
      return;
    case How::read_only:
      maintenance_.run(fmt::format("ALTER DATABASE {} SET default_transaction_read_only = on", quoted));
      end_sessions(maintenance_, name_, spared_);
      return;
    case How::hung:
      locker_ = std::make_unique<Session>(database.dsn, what);
      const std::string tables = locker_->value(
          "SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ') FROM pg_class c JOIN pg_namespace n ON n.oid "
          "= c.relnamespace "
          "WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'");
      locker_->run("SET lock_timeout = '10s'");  // a client that keeps a lock for longer would hang us, too
      locker_->run("BEGIN");
      if (!tables.empty()) locker_->run("LOCK TABLE " + tables + " IN ACCESS EXCLUSIVE MODE");
      return;
  }
}

void BrokenDatabase::mend() {
  if (!broken_) return;
  const std::string quoted = maintenance_.quoted_name(name_);
  switch (how_) {
    case How::stopped:
      maintenance_.run(fmt::format("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true", quoted));
      break;
    case How::read_only:
      maintenance_.run(fmt::format("ALTER DATABASE {} RESET default_transaction_read_only", quoted));
      end_sessions(maintenance_, name_, spared_);  // open sessions keep the old setting
      break;
    case How::hung:
      locker_.reset();  // the server rolls back what a session that ends has begun
      break;
  }
  broken_ = false;
}

BrokenDatabase::~BrokenDatabase() {
  try {
    mend();
  } catch (const Error&) {  // a destructor may not throw, and the next restore says what is wrong
  }
}

}  // namespace rehearse::harness
