// One connection to one database, with everything fixed that changes how PostgreSQL prints a value.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rehearse::harness {

using Row = std::vector<std::optional<std::string>>;  // text; nothing for NULL

struct Rows {
  std::vector<std::string> columns;
  std::vector<Row> rows;
  std::int64_t affected = 0;
};

class Session {
 public:
  // Connects. Throws Error that names `what` ("the legacy database") and never the connection string.
  Session(const std::string& dsn, std::string what);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  // Runs statements, each in a transaction of its own unless BEGIN was run. Throws Error with the server's message.
  Rows run(const std::string& sql);
  // Where the columns of a query come from; an expression comes from nowhere.
  struct Origin {
    std::string table;  // as the server quotes it: public.orders
    std::string column;
  };
  [[nodiscard]] std::vector<Origin> origins(const std::string& query);
  // The first value of the first row; empty when there is none.
  [[nodiscard]] std::string value(const std::string& sql);
  [[nodiscard]] std::int64_t number(const std::string& sql);
  [[nodiscard]] std::string quoted(const std::string& text);       // 'text'
  [[nodiscard]] std::string quoted_name(const std::string& name);  // "name"
  [[nodiscard]] int process_id() const;
  [[nodiscard]] int server_version() const;  // 150018

 private:
  struct Connection;
  std::unique_ptr<Connection> connection_;
  std::string what_;
};

// The connection string with another database in it, for what cannot be done from within a database.
[[nodiscard]] std::string with_database(const std::string& dsn, const std::string& database);
[[nodiscard]] std::string database_in(const std::string& dsn);

// A maintenance connection: to "postgres" on the same server, or to "template1" when there is none.
[[nodiscard]] Session maintenance_session(const std::string& dsn, const std::string& what);

}  // namespace rehearse::harness
