#include "harness/databases/session.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <charconv>
#include <pqxx/pqxx>

#include "harness/databases/bulk_session.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

Options parsed(const std::string& dsn) {
  char* message = nullptr;
  Options options(PQconninfoParse(dsn.c_str(), &message), PQconninfoFree);
  const std::string problem = message ? one_line(message) : "out of memory";
  PQfreemem(message);
  if (!options)
    throw Error(fmt::format("a connection string cannot be read ({}); write it as postgresql://user@host:port/database",
                            problem.substr(0, problem.find('"'))));
  return options;
}

}  // namespace

struct Session::Connection {
  pqxx::connection connection;
  explicit Connection(const std::string& dsn) : connection(dsn) {}
};

Session::Session(const std::string& dsn, std::string what) : what_(std::move(what)) {
  try {
    static_cast<void>(parsed(dsn));  // libpq's own message would quote what it could not read
    connection_ = std::make_unique<Connection>(dsn);
    connection_->connection.set_client_encoding("UTF8");
    run("SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'iso_8601'; SET extra_float_digits = 3; "
        "SET bytea_output = 'hex'; SET application_name = 'rehearse'; SET client_min_messages = 'warning'");
  } catch (const pqxx::failure& problem) {
    throw Error(
        fmt::format("cannot connect to {}: {}; check its dsn in the configuration", what_, one_line(problem.what())));
  }
}

Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

Rows Session::run(const std::string& sql) {
  try {
    pqxx::nontransaction work(connection_->connection);
    const pqxx::result result = work.exec(sql);
    Rows rows;
    rows.affected = static_cast<std::int64_t>(result.affected_rows());
    for (pqxx::row::size_type c = 0; c < result.columns(); ++c) rows.columns.emplace_back(result.column_name(c));
    rows.rows.reserve(result.size());
    for (const auto& source : result) {
      Row row;
      row.reserve(rows.columns.size());
      for (const auto& cell : source)
        row.push_back(cell.is_null() ? std::nullopt : std::optional(std::string(cell.c_str(), cell.size())));
      rows.rows.push_back(std::move(row));
    }
    return rows;
  } catch (const pqxx::sql_error& problem) {
    const char* user = connection_->connection.username();
    throw Error(explained(what_, problem.sqlstate(), one_line(problem.what()), user == nullptr ? "" : user));
  } catch (const pqxx::failure& problem) {
    throw Error(fmt::format("{}: {}", what_, one_line(problem.what())));
  }
}

std::vector<Session::Origin> Session::origins(const std::string& query) {
  std::vector<std::pair<pqxx::oid, int>> places;
  try {
    pqxx::nontransaction work(connection_->connection);
    const pqxx::result result = work.exec(fmt::format("SELECT * FROM ({}) AS asked LIMIT 0", query));
    for (pqxx::row::size_type c = 0; c < result.columns(); ++c) {
      const pqxx::oid table = result.column_table(c);
      places.emplace_back(table, table == pqxx::oid_none ? 0 : static_cast<int>(result.table_column(c)) + 1);
    }
  } catch (const pqxx::failure& problem) {
    throw Error(fmt::format("{}: {}", what_, one_line(problem.what())));
  }
  std::vector<Origin> origins;
  for (const auto& [table, column] : places) {
    const Rows found =
        run(fmt::format("SELECT format('%I.%I', n.nspname, c.relname), a.attname FROM pg_attribute a JOIN pg_class c "
                        "ON c.oid = a.attrelid "
                        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE a.attrelid = {} AND a.attnum = {}",
                        table, column));
    origins.push_back(found.rows.empty() ? Origin{}
                                         : Origin{found.rows[0][0].value_or(""), found.rows[0][1].value_or("")});
  }
  return origins;
}

std::string Session::value(const std::string& sql) {
  const Rows rows = run(sql);
  return rows.rows.empty() || rows.rows[0].empty() ? std::string() : rows.rows[0][0].value_or("");
}

std::int64_t Session::number(const std::string& sql) {
  const std::string text = value(sql);
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string Session::quoted(const std::string& text) { return connection_->connection.quote(text); }
std::string Session::quoted_name(const std::string& name) { return connection_->connection.quote_name(name); }
int Session::process_id() const { return connection_->connection.backendpid(); }
int Session::server_version() const { return connection_->connection.server_version(); }

std::string with_database(const std::string& dsn, const std::string& database) {
  std::string out;
  const Options options = parsed(dsn);
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    const bool is_name = std::string_view(option->keyword) == "dbname";
    const std::string value = is_name ? database : option->val ? option->val : "";
    if (value.empty()) continue;
    std::string escaped;
    for (char c : value) escaped += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    out += fmt::format("{}='{}' ", option->keyword, escaped);
  }
  return out;
}

std::string database_in(const std::string& dsn) {
  const Options options = parsed(dsn);
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (std::string_view(option->keyword) == "dbname" && option->val != nullptr) return option->val;
  }
  throw Error("a connection string names no database; add dbname= or /database");
}

Session maintenance_session(const std::string& dsn, const std::string& what) {
  try {
    return Session(with_database(dsn, "postgres"), what);
  } catch (const Error&) {
    return Session(with_database(dsn, "template1"), what);
  }
}

}  // namespace rehearse::harness
