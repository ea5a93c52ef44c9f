// A thin face of SQLite for the traffic and history files: opened, migrated, written in one transaction, read in order.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace rehearse::replay {

class Database;

// A prepared statement. Parameters count from 1, columns from 0.
class Statement {
 public:
  Statement(Database& database, std::string_view sql);
  void bind(int index, std::int64_t value);
  void bind(int index, std::string_view value);  // stored as a blob, so that any bytes survive
  void bind_text(int index, std::string_view value);
  void bind_null(int index);
  // Runs to the next row; false at the end. Throws Error.
  bool step();
  // Runs a statement without rows and makes it ready to be bound again.
  void run();
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string bytes(int column) const;
  [[nodiscard]] bool is_null(int column) const;

 private:
  Database& database_;
  std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement_;
};

class Database {
 public:
  enum class Mode { create, update, read };
  // `create` replaces a file that is there; `update` makes it when it is not. `version` is held against PRAGMA user_version.
  // Throws Error when the file cannot be opened, is no such file, or has another version.
  Database(const std::string& path, Mode mode, int version, std::string_view what);
  void run(std::string_view sql);
  // True when the file is a database with a table of that name.
  [[nodiscard]] static bool holds_table(const std::string& path, const std::string& table);
  // Throws Error when `path` is anything but nothing, an empty file or an older file of the same kind.
  static void expect_replaceable(const std::string& path, std::string_view what);
  // Throws Error unless the file holds that table, which tells the kinds of files apart.
  void expect_table(std::string_view table, std::string_view what);
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] sqlite3* handle() { return handle_.get(); }

 private:
  std::string path_;
  std::unique_ptr<sqlite3, int (*)(sqlite3*)> handle_;
};

}  // namespace rehearse::replay
