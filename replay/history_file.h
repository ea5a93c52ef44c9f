// The history file: what was played, and what the probes saw, in SQLite; written before anything is judged.
//
//   history(name, target, began_ns, sent, unbound, interrupted)
//   record(history, step, lane, due_ns, sent_ns, done_ns, outcome, problem, read,
//          method, target, request_headers, request_body, status, response_headers, response_body)
//   binding(history, step, source, old, value)
//   document(name, body)        what the probes saw and how the rehearsal was configured, as JSON
//
// PRAGMA user_version is 2.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "replay/history.h"
#include "replay/sqlite.h"

namespace rehearse::replay {

inline constexpr int history_file_version = 2;

// Appends to a history file. Every call is on disk when it returns. Throws Error.
class HistoryWriter {
 public:
  explicit HistoryWriter(const std::string& path);
  void add(const History& history);
  void add_document(std::string_view name, std::string_view body);

 private:
  Database database_;
};

struct HistoryFile {
  std::vector<History> histories;
  std::vector<std::pair<std::string, std::string>> documents;
};

[[nodiscard]] HistoryFile load_histories(const std::string& path);

}  // namespace rehearse::replay
