// The traffic file: exchanges and their certificate in SQLite, one row an exchange, so that people can curate with SQL.
//
//   exchange(id, connection, idx, client, server, request_ns, request_end_ns, response_ns, response_end_ns,
//            method, target, request_headers, request_body, status, response_headers, response_body, flags)
//   certificate(class, name, count)          class: 'packets', 'bytes', 'exchanges', 'connections', 'note'
//
// Headers are text, a "name: value" a line; bodies are blobs; times are nanoseconds since the epoch, of the capture; status is
// 0 without an answer; flags are separated by a line feed, empty when the exchange is complete. PRAGMA user_version is 1.
#pragma once

#include <string>

#include "replay/exchange.h"

namespace rehearse::replay {

inline constexpr int traffic_file_version = 1;

// Both throw Error when the file cannot be written or read.
void save(const Traffic& traffic, const std::string& path);
[[nodiscard]] Traffic load_traffic(const std::string& path);

// True when the file begins as SQLite files do: a traffic or history file rather than a capture.
[[nodiscard]] bool is_sqlite(const std::string& path);

}  // namespace rehearse::replay
