#include "harness/databases/bulk_session.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "harness/databases/session.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using namespace std::chrono_literals;
using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

std::string one_line(const char* text) {
  std::string line = text == nullptr ? "" : text;
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

// How long a wait for the server lasts before the limits are looked at again.
constexpr int look_ms = 50;
// Rows between two looks at the clock: a look costs as much as ten rows.
constexpr std::int64_t rows_between_looks = 1'024;

// Everything that a value's text or a query's plan may depend on. LOCAL: it ends with the transaction, whoever uses the
// connection next.
constexpr const char* settings =
    "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'iso_8601'; "
    "SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'; SET LOCAL lc_monetary = 'C'; SET LOCAL "
    "xmloption = 'content'; "
    "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off; SET LOCAL client_min_messages = 'warning'; "
    "SET LOCAL application_name = 'rehearse'; SET LOCAL idle_in_transaction_session_timeout = 0; "
    // Reading waits for nobody but who alters or locks a whole table; while it waits it cannot be told to stop.
    "SET LOCAL lock_timeout = '10s'";
constexpr const char* settings_hold =
    "SELECT current_setting('TimeZone') = 'UTC' AND current_setting('extra_float_digits') = '3' AND "
    "current_setting('IntervalStyle') = 'iso_8601' AND current_setting('client_encoding') = 'UTF8' AND "
    "current_setting('transaction_isolation') = 'repeatable read' AND current_setting('transaction_read_only') = 'on'";

}  // namespace

struct BulkSession::Connection {
  std::unique_ptr<PGconn, decltype(&PQfinish)> pq{nullptr, PQfinish};
  std::unique_ptr<PGcancel, decltype(&PQfreeCancel)> cancelling{nullptr, PQfreeCancel};
  std::string what;

  [[noreturn]] void fail(const PGresult* result) {
    const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char* primary = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const std::string message = one_line(primary != nullptr ? primary : PQerrorMessage(pq.get()));
    if (PQstatus(pq.get()) == CONNECTION_BAD)
      throw Error(fmt::format("{} went away while it was read: {}", what, message));
    throw Error(explained(what, state == nullptr ? "" : state, message, PQuser(pq.get())));
  }

  Result checked(PGresult* raw) {
    Result result(raw, PQclear);
    const auto status = PQresultStatus(raw);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) fail(raw);
    return result;
  }

  Result run(const std::string& sql, const std::vector<std::string>& parameters, int format) {
    std::vector<const char*> values;
    for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
    return checked(PQexecParams(pq.get(), sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr,
                                nullptr, format));
  }

  // Throws when a limit was reached; what runs is cancelled, so that the server does not go on for nobody.
  void look(const Limits& limits) {
    for (const auto* flag : {limits.stop, limits.halt}) {
      if (flag == nullptr || !flag->load(std::memory_order_relaxed)) continue;
      cancel();
      throw ReadingStopped{};
    }
    if (limits.until && std::chrono::steady_clock::now() > *limits.until) {
      cancel();
      throw Error(
          fmt::format("{} was read longer than a snapshot may be held; map the entity as a table, which is read in "
                      "parts, or allow more with --snapshot-limit",
                      what));
    }
  }

  void cancel() noexcept {
    char problem[256];
    if (cancelling) PQcancel(cancelling.get(), problem, sizeof problem);
  }

  // The next message of the stream; its size, or -1 at the end.
  int message(char*& buffer, const Limits& limits) {
    for (;;) {
      const int size = PQgetCopyData(pq.get(), &buffer, 1);
      if (size == -2) fail(nullptr);
      if (size != 0) return size;
      pollfd socket{PQsocket(pq.get()), POLLIN, 0};
      const int ready = poll(&socket, 1, look_ms);
      if (ready <= 0) look(limits);
      if (ready > 0 && PQconsumeInput(pq.get()) == 0) fail(nullptr);
    }
  }
};

BulkSession::BulkSession(const std::string& dsn, std::string what) : connection_(std::make_unique<Connection>()) {
  connection_->what = std::move(what);
  static_cast<void>(with_database(dsn, ""));  // a string that cannot be read is named without being quoted
  // Its name also where no transaction sets it; one that the string gives stays.
  const char* const keywords[] = {"dbname", "fallback_application_name", nullptr};
  const char* const values[] = {dsn.c_str(), "rehearse", nullptr};
  connection_->pq.reset(PQconnectdbParams(keywords, values, 1));
  PGconn* pq = connection_->pq.get();
  if (PQstatus(pq) != CONNECTION_OK)
    throw Error(fmt::format("cannot connect to {}: {}; check its dsn in the configuration", connection_->what,
                            one_line(PQerrorMessage(pq))));
  if (PQsetClientEncoding(pq, "UTF8") != 0)
    throw Error(fmt::format("{} cannot give its text as UTF-8: {}", connection_->what, one_line(PQerrorMessage(pq))));
  connection_->cancelling.reset(PQgetCancel(pq));
}

BulkSession::~BulkSession() = default;
BulkSession::BulkSession(BulkSession&&) noexcept = default;
BulkSession& BulkSession::operator=(BulkSession&&) noexcept = default;

void BulkSession::begin(const std::string& snapshot) {
  PGconn* pq = connection_->pq.get();
  connection_->checked(PQexec(pq, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  if (!snapshot.empty()) {
    std::unique_ptr<char, decltype(&PQfreemem)> quoted(PQescapeLiteral(pq, snapshot.data(), snapshot.size()),
                                                       PQfreemem);
    connection_->checked(PQexec(pq, fmt::format("SET TRANSACTION SNAPSHOT {}", quoted.get()).c_str()));
  }
  connection_->checked(PQexec(pq, settings));
  if (value(settings_hold) != "t")
    throw Error(fmt::format(
        "{} does not keep the settings of a session; connect to the server itself, or to a pooler in session mode",
        connection_->what));
}

std::string BulkSession::export_snapshot() { return value("SELECT pg_export_snapshot()"); }

void BulkSession::end() { connection_->checked(PQexec(connection_->pq.get(), "COMMIT")); }

std::int64_t BulkSession::copy(const std::string& query, std::size_t columns, const OnRow& on_row,
                               const Limits& limits) {
  PGconn* pq = connection_->pq.get();
  const std::string statement = fmt::format("COPY ({}) TO STDOUT (FORMAT binary)", query);
  {
    const Result started(PQexec(pq, statement.c_str()), PQclear);
    if (PQresultStatus(started.get()) != PGRES_COPY_OUT) connection_->fail(started.get());
  }
  BinaryCopy stream(columns);
  std::int64_t rows = 0;
  for (;;) {
    char* buffer = nullptr;
    const int size = connection_->message(buffer, limits);
    if (size == -1) break;
    const std::unique_ptr<char, decltype(&PQfreemem)> owned(buffer, PQfreemem);
    stream.take({buffer, static_cast<std::size_t>(size)});
    while (const BinaryRow* row = stream.next()) {
      if (++rows % rows_between_looks == 0) connection_->look(limits);
      on_row(*row);
    }
  }
  // The end of the stream is what the server says last, never what the stream looks like.
  for (bool first = true;; first = false) {
    const Result last(PQgetResult(pq), PQclear);
    if (!last && !first) break;
    if (!last || PQresultStatus(last.get()) != PGRES_COMMAND_OK) connection_->fail(last.get());
  }
  if (!stream.ended())
    throw Error(fmt::format("{} ended a stream before its end mark; what it sent is not whole", connection_->what));
  return rows;
}

std::vector<BulkSession::Column> BulkSession::columns_of(const std::string& query) {
  PGconn* pq = connection_->pq.get();
  static_cast<void>(connection_->checked(PQprepare(pq, "", query.c_str(), 0, nullptr)));
  const Result described = connection_->checked(PQdescribePrepared(pq, ""));
  std::vector<Column> columns;
  for (int c = 0; c < PQnfields(described.get()); ++c)
    columns.push_back({PQfname(described.get(), c), PQftype(described.get(), c)});
  return columns;
}

std::vector<std::vector<std::optional<std::string>>> BulkSession::text(const std::string& sql,
                                                                       const std::vector<std::string>& parameters) {
  const Result result = connection_->run(sql, parameters, 0);
  std::vector<std::vector<std::optional<std::string>>> rows;
  for (int r = 0; r < PQntuples(result.get()); ++r) {
    auto& row = rows.emplace_back();
    for (int c = 0; c < PQnfields(result.get()); ++c) {
      const bool null = PQgetisnull(result.get(), r, c) == 1;
      row.push_back(null ? std::nullopt
                         : std::optional(std::string(PQgetvalue(result.get(), r, c),
                                                     static_cast<std::size_t>(PQgetlength(result.get(), r, c)))));
    }
  }
  return rows;
}

std::int64_t BulkSession::binary(const std::string& sql, const std::vector<std::string>& parameters,
                                 const OnRow& on_row) {
  const Result result = connection_->run(sql, parameters, 1);
  BinaryRow row(static_cast<std::size_t>(PQnfields(result.get())));
  for (int r = 0; r < PQntuples(result.get()); ++r) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      const int column = static_cast<int>(c);
      const bool null = PQgetisnull(result.get(), r, column) == 1;
      row[c] =
          null ? BinaryField{} : BinaryField{PQgetvalue(result.get(), r, column), PQgetlength(result.get(), r, column)};
    }
    on_row(row);
  }
  return PQntuples(result.get());
}

std::string BulkSession::value(const std::string& sql, const std::vector<std::string>& parameters) {
  const auto rows = text(sql, parameters);
  return rows.empty() || rows[0].empty() ? std::string() : rows[0][0].value_or("");
}

int BulkSession::process_id() const { return PQbackendPID(connection_->pq.get()); }
int BulkSession::server_version() const { return PQserverVersion(connection_->pq.get()); }
void BulkSession::cancel() noexcept { connection_->cancel(); }

std::string explained(const std::string& what, const std::string& sqlstate, const std::string& message,
                      const std::string& role) {
  const auto with = [&](const std::string& advice) { return fmt::format("{}: {}; {}", what, message, advice); };
  // PostgreSQL names the object behind its kind: "permission denied for table orders".
  constexpr std::string_view denied = "permission denied for ";
  const auto at = message.find(denied);
  const std::string refused = at == std::string::npos ? "" : " " + message.substr(at + denied.size());
  const auto kind_end = std::min(refused.find(' ', 1), refused.size());
  const std::string object = refused.substr(kind_end, refused.find(' ', kind_end + 1) - kind_end);
  if (sqlstate == "42501") {
    if (refused.starts_with(" schema ")) return with(fmt::format("GRANT USAGE ON SCHEMA{} TO {}", object, role));
    if (refused.starts_with(" function ")) return with(fmt::format("GRANT EXECUTE ON FUNCTION{} TO {}", object, role));
    if (refused.starts_with(" large object "))
      return with(fmt::format("GRANT SELECT ON LARGE OBJECT{} TO {}", refused.substr(refused.rfind(' ')), role));
    if (refused.starts_with(" sequence ")) return with(fmt::format("GRANT SELECT ON SEQUENCE{} TO {}", object, role));
    if (!object.empty()) return with(fmt::format("GRANT SELECT ON{} TO {}", object, role));
  }
  if (sqlstate == "57014" && message.find("statement timeout") != std::string::npos)
    return with(fmt::format("a whole table is read in one statement: ALTER ROLE {} SET statement_timeout = 0", role));
  if (sqlstate == "42P01" || sqlstate == "42703")
    return with("it was there when the mapping was written, or a name in the mapping is misspelt");
  if (sqlstate == "55P03")
    return with(
        "a session alters or locks a table that is read: pg_locks and pg_stat_activity name it; try again behind it");
  if (sqlstate == "53300") return with("give fewer --connections");
  return fmt::format("{}: {}", what, message);
}

}  // namespace rehearse::harness
