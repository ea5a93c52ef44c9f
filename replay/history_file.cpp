#include "replay/history_file.h"

#include <fmt/format.h>

#include "replay/header_text.h"

namespace rehearse::replay {
namespace {

constexpr std::string_view schema = R"(
  CREATE TABLE IF NOT EXISTS history(name TEXT PRIMARY KEY, target TEXT, began_ns INTEGER, sent INTEGER, unbound INTEGER, interrupted INTEGER);
  CREATE TABLE IF NOT EXISTS record(history TEXT, step INTEGER, lane INTEGER, due_ns INTEGER, sent_ns INTEGER, done_ns INTEGER,
    outcome TEXT, problem TEXT, read INTEGER, method TEXT, target TEXT, request_headers TEXT, request_body BLOB,
    status INTEGER, response_headers TEXT, response_body BLOB, PRIMARY KEY (history, step)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS binding(history TEXT, step INTEGER, source TEXT, old TEXT, value TEXT);
  CREATE TABLE IF NOT EXISTS document(name TEXT PRIMARY KEY, body TEXT))";

Outcome outcome_named(std::string_view name) {
  for (Outcome outcome : {Outcome::answered, Outcome::refused}) {
    if (name_of(outcome) == name) return outcome;
  }
  return Outcome::lost;
}

void load_records(Database& database, History& history) {
  Statement rows(database, "SELECT * FROM record WHERE history = ? ORDER BY step");
  rows.bind_text(1, history.name);
  while (rows.step()) {
    Record record;
    record.step = rows.integer(1);
    record.lane = rows.integer(2);
    record.due_ns = rows.integer(3);
    record.sent_ns = rows.integer(4);
    record.done_ns = rows.integer(5);
    record.outcome = outcome_named(rows.bytes(6));
    record.problem = rows.bytes(7);
    record.read = rows.integer(8) != 0;
    record.request = {rows.bytes(9), rows.bytes(10), headers_of(rows.bytes(11)), rows.bytes(12)};
    record.response = {static_cast<int>(rows.integer(13)), headers_of(rows.bytes(14)), rows.bytes(15)};
    history.records.push_back(std::move(record));
  }
}

}  // namespace

HistoryWriter::HistoryWriter(const std::string& path)
    : database_(path, Database::Mode::create, history_file_version, "history") {
  database_.run(schema);
}

void HistoryWriter::add(const History& history) {
  database_.run("BEGIN");
  Statement head(database_, "INSERT INTO history VALUES (?,?,?,?,?,?)");
  head.bind_text(1, history.name);
  head.bind_text(2, history.target);
  head.bind(3, history.began_ns);
  head.bind(4, history.sent);
  head.bind(5, history.unbound);
  head.bind(6, std::int64_t{history.interrupted});
  head.run();
  Statement insert(database_, "INSERT INTO record VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  for (const Record& record : history.records) {
    insert.bind_text(1, history.name);
    insert.bind(2, record.step);
    insert.bind(3, record.lane);
    insert.bind(4, record.due_ns);
    insert.bind(5, record.sent_ns);
    insert.bind(6, record.done_ns);
    insert.bind_text(7, name_of(record.outcome));
    insert.bind_text(8, record.problem);
    insert.bind(9, std::int64_t{record.read});
    insert.bind_text(10, record.request.method);
    insert.bind_text(11, record.request.target);
    insert.bind_text(12, text_of(record.request.headers));
    insert.bind(13, std::string_view(record.request.body));
    insert.bind(14, std::int64_t{record.response.status});
    insert.bind_text(15, text_of(record.response.headers));
    insert.bind(16, std::string_view(record.response.body));
    insert.run();
  }
  Statement bound(database_, "INSERT INTO binding VALUES (?,?,?,?,?)");
  for (const Binding& binding : history.bindings) {
    bound.bind_text(1, history.name);
    bound.bind(2, binding.step);
    bound.bind_text(3, binding.source);
    bound.bind_text(4, binding.old);
    bound.bind_text(5, binding.value);
    bound.run();
  }
  database_.run("COMMIT");
}

void HistoryWriter::add_document(std::string_view name, std::string_view body) {
  Statement insert(database_, "INSERT OR REPLACE INTO document VALUES (?,?)");
  insert.bind_text(1, name);
  insert.bind_text(2, body);
  insert.run();
}

HistoryFile load_histories(const std::string& path) {
  Database database(path, Database::Mode::read, history_file_version, "history");
  database.expect_table("history", "history");
  HistoryFile file;
  Statement heads(database, "SELECT name, target, began_ns, sent, unbound, interrupted FROM history ORDER BY rowid");
  while (heads.step()) {
    History history;
    history.name = heads.bytes(0);
    history.target = heads.bytes(1);
    history.began_ns = heads.integer(2);
    history.sent = heads.integer(3);
    history.unbound = heads.integer(4);
    history.interrupted = heads.integer(5) != 0;
    load_records(database, history);
    Statement bound(database, "SELECT step, source, old, value FROM binding WHERE history = ? ORDER BY rowid");
    bound.bind_text(1, history.name);
    while (bound.step()) history.bindings.push_back({bound.integer(0), bound.bytes(1), bound.bytes(2), bound.bytes(3)});
    file.histories.push_back(std::move(history));
  }
  Statement documents(database, "SELECT name, body FROM document ORDER BY rowid");
  while (documents.step()) file.documents.emplace_back(documents.bytes(0), documents.bytes(1));
  return file;
}

}  // namespace rehearse::replay
