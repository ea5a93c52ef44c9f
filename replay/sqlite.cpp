#include "replay/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <filesystem>

#include "replay/error.h"

namespace rehearse::replay {
namespace {

[[noreturn]] void fail(Database& database) {
  throw Error(fmt::format("{}: {}; check the file, its rights and the space on the disk", database.path(),
                          sqlite3_errmsg(database.handle())));
}

// A log that stays beside the file would have to be copied with it; a reader that may not write could not even open it.
int close_as_one_file(sqlite3* handle) {
  if (sqlite3_db_readonly(handle, "main") == 0)
    sqlite3_exec(handle, "PRAGMA journal_mode = DELETE", nullptr, nullptr, nullptr);
  return sqlite3_close(handle);
}

sqlite3* opened(const std::string& path, Database::Mode mode, std::string_view what) {
  if (mode == Database::Mode::create) {
    Database::expect_replaceable(path, what);
    std::error_code ignored;  // a file that cannot be removed cannot be opened either, and then says why
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path + suffix, ignored);
  }
  const int flags = mode == Database::Mode::read ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  sqlite3* handle = nullptr;
  if (sqlite3_open_v2(path.c_str(), &handle, flags, nullptr) != SQLITE_OK) {
    const std::string reason = handle ? sqlite3_errmsg(handle) : "out of memory";
    sqlite3_close(handle);
    throw Error(fmt::format("cannot open the {} file {}: {}; check the path", what, path, reason));
  }
  return handle;
}

}  // namespace

Database::Database(const std::string& path, Mode mode, int version, std::string_view what)
    : path_(path), handle_(opened(path, mode, what), close_as_one_file) {
  std::int64_t found = 0;
  try {
    Statement pragma(*this, "PRAGMA user_version");
    found = pragma.step() ? pragma.integer(0) : 0;
  } catch (const Error&) {
    throw Error(fmt::format("{} is no {} file; see `rehearse --help` for the commands that write one", path, what));
  }
  const bool fresh = mode != Mode::read && found == 0;
  if (fresh) run(fmt::format("PRAGMA user_version = {}", version));
  if (!fresh && found != version) {
    throw Error(fmt::format("{} is no {} file of version {} (it says {}); write it again with this rehearse", path,
                            what, version, found));
  }
  if (mode != Mode::read) run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
}

bool Database::holds_table(const std::string& path, const std::string& table) {
  sqlite3* handle = nullptr;
  bool found = false;
  if (sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK) {
    sqlite3_stmt* statement = nullptr;
    const std::string sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '" + table + "'";
    found = sqlite3_prepare_v2(handle, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK &&
            sqlite3_step(statement) == SQLITE_ROW;
    sqlite3_finalize(statement);
  }
  sqlite3_close(handle);
  return found;
}

// What is written over is lost: only an older file of the same kind may be, never an input, a device or somebody's notes.
void Database::expect_replaceable(const std::string& path, std::string_view what) {
  if (path == "-")
    throw Error(fmt::format("a {} file is a database and cannot go to standard output; name a file", what));
  std::error_code error;
  const auto status = std::filesystem::symlink_status(path, error);
  if (!std::filesystem::exists(status)) return;
  const bool regular = std::filesystem::is_regular_file(status);
  if (regular && std::filesystem::file_size(path, error) == 0) return;
  if (regular && holds_table(path, what == "traffic" ? "exchange" : "record")) return;
  throw Error(fmt::format("{} is there already and is no {} file; move it away or name another file", path, what));
}

void Database::run(std::string_view sql) {
  if (sqlite3_exec(handle_.get(), std::string(sql).c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail(*this);
}

void Database::expect_table(std::string_view table, std::string_view what) {
  Statement found(*this, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?");
  found.bind_text(1, table);
  if (!found.step())
    throw Error(fmt::format("{} is no {} file; see `rehearse --help` for the commands that write one", path_, what));
}

Statement::Statement(Database& database, std::string_view sql)
    : database_(database), statement_(nullptr, sqlite3_finalize) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database.handle(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr) != SQLITE_OK)
    fail(database);
  statement_.reset(statement);
}

void Statement::bind(int index, std::int64_t value) { sqlite3_bind_int64(statement_.get(), index, value); }

void Statement::bind(int index, std::string_view value) {
  sqlite3_bind_blob64(statement_.get(), index, value.data() ? value.data() : "", value.size(), SQLITE_TRANSIENT);
}

void Statement::bind_text(int index, std::string_view value) {
  sqlite3_bind_text64(statement_.get(), index, value.data() ? value.data() : "", value.size(), SQLITE_TRANSIENT,
                      SQLITE_UTF8);
}

void Statement::bind_null(int index) { sqlite3_bind_null(statement_.get(), index); }

bool Statement::step() {
  const int status = sqlite3_step(statement_.get());
  if (status != SQLITE_ROW && status != SQLITE_DONE) fail(database_);
  return status == SQLITE_ROW;
}

void Statement::run() {
  step();
  sqlite3_reset(statement_.get());
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

bool Statement::is_null(int column) const { return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }

std::string Statement::bytes(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  return data ? std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)))
              : std::string();
}

}  // namespace rehearse::replay
