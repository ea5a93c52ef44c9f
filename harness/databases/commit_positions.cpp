#include "harness/databases/commit_positions.h"

#include <fmt/format.h>

#include "harness/databases/server_version.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

// The oldest segment that is there, as a position: its name is the timeline and the position, in hexadecimal.
constexpr const char* beginning_query = R"(
  SELECT greatest((('x' || substr(min(name), 9, 8))::bit(32)::bigint::numeric * 4294967296
                   + ('x' || substr(min(name), 17, 8))::bit(32)::bigint::numeric * pg_size_bytes(current_setting('wal_segment_size'))),
                  pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0') - {})
  FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{{24}}$')";

}  // namespace

CommitPositions commit_positions(Session& session, const std::set<std::string>& transactions) {
  CommitPositions positions;
  if (transactions.empty()) return positions;
  try {
    if (!abilities_of(session.server_version()).tells_where_rows_committed) {
      positions.problem = "where rows were committed in the WAL is told by PostgreSQL 15 and later";
      return positions;
    }
    if (session.number("SELECT count(*) FROM pg_extension WHERE extname = 'pg_walinspect'") == 0) {
      positions.problem =
          "where rows were committed in the WAL is told by an extension: CREATE EXTENSION pg_walinspect; by a "
          "superuser";
      return positions;
    }
    const std::string schema = session.value(
        "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname "
        "= "
        "'pg_walinspect'");
    const std::string beginning = session.value(fmt::format(beginning_query, searched_wal_bytes));
    std::string list;
    for (const std::string& transaction : transactions) list += (list.empty() ? "" : ",") + session.quoted(transaction);
    // A transaction that was prepared commits under the number of its own record; the one that did it is named in the description.
    const Rows rows = session.run(fmt::format(
        "SELECT CASE WHEN record_type = 'COMMIT_PREPARED' THEN substring(description FROM '^([0-9]+):') ELSE "
        "xid::text END, end_lsn FROM {}.pg_get_wal_records_info('0/0'::pg_lsn + {}, "
        "pg_current_wal_flush_lsn()) WHERE resource_manager = 'Transaction' AND record_type LIKE 'COMMIT%' AND "
        "CASE WHEN record_type = 'COMMIT_PREPARED' THEN substring(description FROM '^([0-9]+):') ELSE xid::text "
        "END IN ({})",
        schema, beginning, list));
    for (const Row& row : rows.rows) positions.by_transaction[row[0].value_or("")] = row[1].value_or("");
  } catch (const Error& problem) {
    positions.problem = fmt::format("where rows were committed in the WAL is not known: {}", problem.what());
  }
  return positions;
}

}  // namespace rehearse::harness
