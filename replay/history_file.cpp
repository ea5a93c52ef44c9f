#include "replay/history_file.h"

#include <fmt/format.h>

#include "replay/error.h"
#include "replay/header_text.h"

namespace rehearse::replay {
namespace {

constexpr std::string_view schema = R"(
  CREATE TABLE IF NOT EXISTS history(name TEXT PRIMARY KEY, target TEXT, began_ns INTEGER, sent INTEGER, unbound INTEGER, interrupted INTEGER,
    scheduling TEXT, workers INTEGER, late_p50_ns INTEGER, late_p99_ns INTEGER, late_max_ns INTEGER, behind TEXT);
  CREATE TABLE IF NOT EXISTS record(history TEXT, step INTEGER, lane INTEGER, due_ns INTEGER, sent_ns INTEGER, done_ns INTEGER,
    outcome TEXT, problem TEXT, read INTEGER, method TEXT, target TEXT, request_headers TEXT, request_body BLOB,
    request_trailers TEXT, status INTEGER, response_headers TEXT, response_body BLOB, response_trailers TEXT, PRIMARY KEY (history, step)) WITHOUT ROWID;
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
    record.request = {rows.bytes(9), rows.bytes(10), headers_of(rows.bytes(11)), rows.bytes(12),
                      headers_of(rows.bytes(13))};
    record.response = {static_cast<int>(rows.integer(14)), headers_of(rows.bytes(15)), rows.bytes(16),
                       headers_of(rows.bytes(17))};
    history.records.push_back(std::move(record));
  }
}

}  // namespace

HistoryWriter::HistoryWriter(const std::string& path)
    : database_([&] {
        Database database(path, Database::Mode::create, history_file_version, "history");
        database.run(schema);
        return database;
      }()),
      insert_record_(database_, "INSERT INTO record VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)") {}

HistoryWriter::~HistoryWriter() {
  try {
    commit();               // of a history that was not ended
  } catch (const Error&) {  // there is nobody to tell
  }
}

void HistoryWriter::commit() {
  if (uncommitted_ >= 0) database_.run("COMMIT");
  uncommitted_ = -1;
}

void HistoryWriter::add(const History& history) {
  begin(history);
  for (const Record& record : history.records) add(history.name, record);
  end(history);
}

void HistoryWriter::begin(const History& history) {
  database_.run("BEGIN");
  uncommitted_ = 0;
  Statement head(database_, "INSERT INTO history VALUES (?,?,?,0,0,1,'',0,0,0,0,'')");
  head.bind_text(1, history.name);
  head.bind_text(2, history.target);
  head.bind(3, history.began_ns);
  head.run();
}

void HistoryWriter::add(const std::string& history, const Record& record) {
  constexpr int records_a_transaction = 1000;
  if (uncommitted_ < 0) {
    database_.run("BEGIN");
    uncommitted_ = 0;
  }
  Statement& insert = insert_record_;
  insert.bind_text(1, history);
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
  insert.bind_text(14, text_of(record.request.trailers));
  insert.bind(15, std::int64_t{record.response.status});
  insert.bind_text(16, text_of(record.response.headers));
  insert.bind(17, std::string_view(record.response.body));
  insert.bind_text(18, text_of(record.response.trailers));
  insert.run();
  if (++uncommitted_ >= records_a_transaction) commit();
}

void HistoryWriter::end(const History& history) {
  if (uncommitted_ < 0) database_.run("BEGIN");
  uncommitted_ = 0;
  Statement head(
      database_,
      "UPDATE history SET sent = ?, unbound = ?, interrupted = ?, scheduling = ?, workers = ?, late_p50_ns = ?, "
      "late_p99_ns = ?, late_max_ns = ?, behind = ?, began_ns = ? WHERE name = ?");
  head.bind(1, history.sent);
  head.bind(2, history.unbound);
  head.bind(3, std::int64_t{history.interrupted});
  head.bind_text(4, history.sender.scheduling);
  head.bind(5, std::int64_t{history.sender.workers});
  head.bind(6, history.sender.late_p50_ns);
  head.bind(7, history.sender.late_p99_ns);
  head.bind(8, history.sender.late_max_ns);
  head.bind_text(9, history.sender.behind);
  head.bind(10, history.began_ns);
  head.bind_text(11, history.name);
  head.run();
  Statement bound(database_, "INSERT INTO binding VALUES (?,?,?,?,?)");
  for (const Binding& binding : history.bindings) {
    bound.bind_text(1, history.name);
    bound.bind(2, binding.step);
    bound.bind_text(3, binding.source);
    bound.bind_text(4, binding.old);
    bound.bind_text(5, binding.value);
    bound.run();
  }
  commit();
}

void HistoryWriter::add_document(std::string_view name, std::string_view body) {
  Statement insert(database_, "INSERT OR REPLACE INTO document VALUES (?,?)");
  insert.bind_text(1, name);
  insert.bind_text(2, body);
  insert.run();
}

HistoryRecorder::HistoryRecorder(HistoryWriter& writer, const History& history) : writer_(writer), name_(history.name) {
  writer_.begin(history);
  writer_.flush();
  thread_ = std::thread([this] { write(); });
}

HistoryRecorder::~HistoryRecorder() { stop(); }

void HistoryRecorder::add(Record&& record) {
  const std::size_t bytes = sizeof record + record.request.body.size() + record.response.body.size();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return waiting_bytes_ <= max_waiting_bytes || problem_; });
  if (problem_) std::rethrow_exception(problem_);
  waiting_.push_back(std::move(record));
  waiting_bytes_ += bytes;
  if (waiting_.size() == 1) changed_.notify_all();
}

void HistoryRecorder::write() try {
  std::vector<Record> taken;
  while (true) {
    taken.clear();
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !waiting_.empty() || over_; });
      if (waiting_.empty()) return;
      taken.swap(waiting_);
      waiting_bytes_ = 0;
    }
    changed_.notify_all();
    for (const Record& record : taken) writer_.add(name_, record);
    writer_.flush();  // what the service got is on disk, whatever becomes of us
  }
} catch (...) {
  const std::lock_guard lock(mutex_);
  problem_ = std::current_exception();
  changed_.notify_all();
}

void HistoryRecorder::stop() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void HistoryRecorder::finish(const History& history) {
  stop();
  if (problem_) std::rethrow_exception(problem_);
  writer_.end(history);
}

HistoryFile load_histories(const std::string& path) {
  Database database(path, Database::Mode::read, history_file_version, "history");
  database.expect_table("history", "history");
  HistoryFile file;
  Statement heads(
      database,
      "SELECT name, target, began_ns, sent, unbound, interrupted, scheduling, workers, late_p50_ns, late_p99_ns, "
      "late_max_ns, behind FROM history ORDER BY rowid");
  while (heads.step()) {
    History history;
    history.name = heads.bytes(0);
    history.target = heads.bytes(1);
    history.began_ns = heads.integer(2);
    history.sent = heads.integer(3);
    history.unbound = heads.integer(4);
    history.interrupted = heads.integer(5) != 0;
    history.sender = {heads.bytes(6),    static_cast<unsigned>(heads.integer(7)),
                      heads.integer(8),  heads.integer(9),
                      heads.integer(10), heads.bytes(11)};
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
