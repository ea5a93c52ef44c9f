// The history file: what was played, and what the probes saw, in SQLite; written before anything is judged.
//
//   history(name, target, began_ns, sent, unbound, interrupted, scheduling, workers, late_p50_ns, late_p99_ns, late_max_ns, behind)
//   record(history, step, lane, due_ns, sent_ns, done_ns, outcome, problem, read,
//          method, target, request_headers, request_body, request_trailers,
//          status, response_headers, response_body, response_trailers)
//   binding(history, step, source, old, value)
//   document(name, body)        what the probes saw and how the rehearsal was configured, as JSON
//
// PRAGMA user_version is 3.
#pragma once

#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "replay/history.h"
#include "replay/sqlite.h"

namespace rehearse::replay {

inline constexpr int history_file_version = 3;

// Writes a history file. Throws Error.
class HistoryWriter {
 public:
  explicit HistoryWriter(const std::string& path);
  ~HistoryWriter();
  HistoryWriter(const HistoryWriter&) = delete;
  HistoryWriter& operator=(const HistoryWriter&) = delete;

  // On disk when it returns.
  void add(const History& history);
  void add_document(std::string_view name, std::string_view body);

  // A history as it comes. Until `end` it stands there as interrupted. Records are on disk a thousand at a time, and with `flush`.
  void begin(const History& history);
  void add(const std::string& history, const Record& record);
  void flush() { commit(); }
  void end(const History& history);

 private:
  void commit();

  Database database_;
  Statement insert_record_;
  int uncommitted_ = -1;  // records; -1 outside of a transaction
};

// Writes the records of a play on a thread of its own, so that the disk does not keep requests from leaving. When more than
// `max_waiting_bytes` of records wait, whoever brings another one waits too: memory is bounded, and the play says that it was late.
class HistoryRecorder {
 public:
  static constexpr std::size_t max_waiting_bytes = 64u << 20;

  // `history` without records: its name, its target, its beginning.
  HistoryRecorder(HistoryWriter& writer, const History& history);
  ~HistoryRecorder();
  HistoryRecorder(const HistoryRecorder&) = delete;
  HistoryRecorder& operator=(const HistoryRecorder&) = delete;

  // Throws what the writing has thrown.
  void add(Record&& record);
  // All is written when it returns. `history` as the play gave it.
  void finish(const History& history);

 private:
  void write();
  void stop();

  HistoryWriter& writer_;
  const std::string name_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Record> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool over_ = false;
  std::exception_ptr problem_;
  std::thread thread_;
};

struct HistoryFile {
  std::vector<History> histories;
  std::vector<std::pair<std::string, std::string>> documents;
};

[[nodiscard]] HistoryFile load_histories(const std::string& path);

}  // namespace rehearse::replay
