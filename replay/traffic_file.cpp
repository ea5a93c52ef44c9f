#include "replay/traffic_file.h"

#include <algorithm>
#include <fstream>

#include "replay/header_text.h"
#include "replay/sqlite.h"

namespace rehearse::replay {
namespace {

constexpr std::string_view schema = R"(
  CREATE TABLE exchange(id INTEGER PRIMARY KEY, connection INTEGER, idx INTEGER, client TEXT, server TEXT,
    request_ns INTEGER, request_end_ns INTEGER, response_ns INTEGER, response_end_ns INTEGER,
    method TEXT, target TEXT, request_headers TEXT, request_body BLOB,
    status INTEGER, response_headers TEXT, response_body BLOB, flags TEXT);
  CREATE TABLE certificate(class TEXT, name TEXT, count INTEGER))";

std::string joined(const std::vector<std::string>& flags) {
  std::string text;
  for (const std::string& flag : flags) text += (text.empty() ? "" : "\n") + flag;
  return text;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto eol = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, eol));
    text.remove_prefix(std::min(eol + 1, text.size()));
  }
  return lines;
}

void save_certificate(Database& database, const Certificate& certificate) {
  Statement insert(database, "INSERT INTO certificate VALUES (?,?,?)");
  const auto put = [&](std::string_view kind, std::string_view name, std::int64_t count) {
    insert.bind_text(1, kind);
    insert.bind_text(2, name);
    insert.bind(3, count);
    insert.run();
  };
  for (const auto& [name, count] : certificate.packets) put("packets", name, count);
  for (const auto& [name, count] : certificate.bytes) put("bytes", name, count);
  for (const auto& [name, count] : certificate.exchanges) put("exchanges", name, count);
  put("connections", "", certificate.connections);
  for (const std::string& note : certificate.notes) put("note", note, 1);
}

Certificate load_certificate(Database& database) {
  Certificate certificate;
  Statement rows(database, "SELECT class, name, count FROM certificate ORDER BY rowid");
  while (rows.step()) {
    const std::string kind = rows.bytes(0);
    if (kind == "packets") certificate.packets[rows.bytes(1)] = rows.integer(2);
    if (kind == "bytes") certificate.bytes[rows.bytes(1)] = rows.integer(2);
    if (kind == "exchanges") certificate.exchanges[rows.bytes(1)] = rows.integer(2);
    if (kind == "connections") certificate.connections = rows.integer(2);
    if (kind == "note") certificate.notes.push_back(rows.bytes(1));
  }
  return certificate;
}

}  // namespace

void save(const Traffic& traffic, const std::string& path) {
  Database database(path, Database::Mode::create, traffic_file_version, "traffic");
  database.run(schema);
  database.run("BEGIN");
  Statement insert(database, "INSERT INTO exchange VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  for (const Exchange& exchange : traffic.exchanges) {
    insert.bind(1, exchange.id);
    insert.bind(2, exchange.connection);
    insert.bind(3, exchange.index);
    insert.bind_text(4, exchange.client);
    insert.bind_text(5, exchange.server);
    insert.bind(6, exchange.request_ns);
    insert.bind(7, exchange.request_end_ns);
    insert.bind(8, exchange.response_ns);
    insert.bind(9, exchange.response_end_ns);
    insert.bind_text(10, exchange.request.method);
    insert.bind_text(11, exchange.request.target);
    insert.bind_text(12, text_of(exchange.request.headers));
    insert.bind(13, std::string_view(exchange.request.body));
    const Response response = exchange.response.value_or(Response{});
    insert.bind(14, std::int64_t{response.status});
    insert.bind_text(15, text_of(response.headers));
    insert.bind(16, std::string_view(response.body));
    insert.bind_text(17, joined(exchange.flags));
    insert.run();
  }
  save_certificate(database, traffic.certificate);
  database.run("COMMIT");
}

Traffic load_traffic(const std::string& path) {
  Database database(path, Database::Mode::read, traffic_file_version, "traffic");
  database.expect_table("exchange", "traffic");
  Traffic traffic;
  Statement rows(database, "SELECT * FROM exchange ORDER BY id");
  while (rows.step()) {
    Exchange exchange;
    exchange.id = rows.integer(0);
    exchange.connection = rows.integer(1);
    exchange.index = rows.integer(2);
    exchange.client = rows.bytes(3);
    exchange.server = rows.bytes(4);
    exchange.request_ns = rows.integer(5);
    exchange.request_end_ns = rows.integer(6);
    exchange.response_ns = rows.integer(7);
    exchange.response_end_ns = rows.integer(8);
    exchange.request = {rows.bytes(9), rows.bytes(10), headers_of(rows.bytes(11)), rows.bytes(12)};
    if (rows.integer(13) != 0) {
      exchange.response = Response{static_cast<int>(rows.integer(13)), headers_of(rows.bytes(14)), rows.bytes(15)};
    }
    exchange.flags = lines_of(rows.bytes(16));
    traffic.exchanges.push_back(std::move(exchange));
  }
  traffic.certificate = load_certificate(database);
  return traffic;
}

bool is_sqlite(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string magic(15, '\0');
  return file.read(magic.data(), 15) && magic == "SQLite format 3";
}

}  // namespace rehearse::replay
