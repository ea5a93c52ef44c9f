// The traffic file: exchanges and their certificate in SQLite, one row an exchange, so that people can curate with SQL.
// traffic_file.md describes the schema with worked queries.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "replay/exchange.h"

namespace rehearse::replay {

inline constexpr int traffic_file_version = 2;

// Writes a traffic file while the exchanges come. The file appears under its name when `finish` has run; before that, and when
// it never runs, nothing is left of it. All throw Error when the file cannot be written.
// The file that a TrafficWriter is writing, for a signal handler that ends the program to remove; empty when there is none.
[[nodiscard]] const char* unfinished_traffic_file();

class TrafficWriter {
 public:
  explicit TrafficWriter(const std::string& path);
  ~TrafficWriter();
  TrafficWriter(const TrafficWriter&) = delete;
  TrafficWriter& operator=(const TrafficWriter&) = delete;

  void add(const Exchange& exchange);
  void finish(const Certificate& certificate);

 private:
  struct File;
  std::string path_;
  std::string part_;  // the file until it is whole; its own for each process
  std::unique_ptr<File> file_;
};

// Throw Error when the file cannot be read or written.
void save(const Traffic& traffic, const std::string& path);
[[nodiscard]] Traffic load_traffic(const std::string& path);
// Hands over the exchanges one by one, in the order of their ids.
[[nodiscard]] Certificate load_traffic(const std::string& path, const std::function<void(Exchange&&)>& take);

// Its certificate alone.
[[nodiscard]] Certificate load_certificate(const std::string& path);

// True when the SQLite file holds exchanges rather than histories.
[[nodiscard]] bool holds_traffic(const std::string& path);

// True when the file begins as SQLite files do: a traffic or history file rather than a capture.
[[nodiscard]] bool is_sqlite(const std::string& path);

}  // namespace rehearse::replay
