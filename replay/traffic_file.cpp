#include "replay/traffic_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>

#include "replay/error.h"
#include "replay/header_text.h"
#include "replay/sqlite.h"

namespace rehearse::replay {
namespace {

constexpr std::string_view schema = R"(
  CREATE TABLE exchange(id INTEGER PRIMARY KEY, connection INTEGER, idx INTEGER, client TEXT, server TEXT,
    started_ns INTEGER, request_ns INTEGER, request_end_ns INTEGER, response_ns INTEGER, response_end_ns INTEGER,
    method TEXT, target TEXT, request_headers TEXT, request_body BLOB, request_trailers TEXT,
    status INTEGER, response_headers TEXT, response_body BLOB, response_trailers TEXT, interim TEXT,
    complete INTEGER, flags TEXT, masked TEXT, protocol TEXT);
  CREATE TABLE certificate(class TEXT, name TEXT, count INTEGER);
  CREATE TABLE incomplete(connection INTEGER, client TEXT, server TEXT, flag TEXT, count INTEGER))";

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "\n") + line;
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

// "103", its headers and an empty line, for each interim answer.
std::string text_of(const std::vector<Response>& interim) {
  std::string text;
  for (const Response& response : interim)
    text += std::to_string(response.status) + "\n" + text_of(response.headers) + "\n";
  return text;
}

std::vector<Response> interim_of(std::string_view text) {
  std::vector<Response> interim;
  while (text.size() >= 4) {
    Response& response = interim.emplace_back();
    std::from_chars(text.data(), text.data() + 3, response.status);
    text.remove_prefix(4);
    const auto end = text.starts_with('\n') ? 0 : std::min(text.find("\n\n"), text.size() - 1) + 1;
    response.headers = headers_of(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return interim;
}

// HTTP/2 writes its fields small (RFC 9113, section 8.2.1), and the import puts the host in front of them.
bool spelt_as_http2(const Headers& headers) {
  const bool small = std::all_of(headers.begin(), headers.end(), [](const Header& header) {
    return std::none_of(header.name.begin(), header.name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  });
  return small && !headers.empty() && headers.front().name == "host";
}

// The certificate's maps and what they are called in the file.
template <typename Certificate_>
auto classes_of(Certificate_& certificate) {
  return std::array{std::pair("packets", &certificate.packets), std::pair("bytes", &certificate.bytes),
                    std::pair("exchanges", &certificate.exchanges), std::pair("remarks", &certificate.remarks)};
}

void save_certificate(Database& database, const Certificate& certificate) {
  Statement insert(database, "INSERT INTO certificate VALUES (?,?,?)");
  const auto put = [&](std::string_view kind, std::string_view name, std::int64_t count) {
    insert.bind_text(1, kind);
    insert.bind_text(2, name);
    insert.bind(3, count);
    insert.run();
  };
  for (const auto& [kind, counts] : classes_of(certificate)) {
    for (const auto& [name, count] : *counts) put(kind, name, count);
  }
  put("connections", "", certificate.connections);
  put("incomplete unlisted", "", certificate.incomplete_unlisted);
  for (const std::string& note : certificate.notes) put("note", note, 1);
  Statement incomplete(database, "INSERT INTO incomplete VALUES (?,?,?,?,?)");
  for (const auto& [connection, entry] : certificate.incomplete) {
    for (const auto& [name, count] : entry.flags) {
      incomplete.bind(1, connection);
      incomplete.bind_text(2, entry.client);
      incomplete.bind_text(3, entry.server);
      incomplete.bind_text(4, name);
      incomplete.bind(5, count);
      incomplete.run();
    }
  }
}

Certificate load_certificate(Database& database) {
  Certificate certificate;
  Statement rows(database, "SELECT class, name, count FROM certificate ORDER BY rowid");
  while (rows.step()) {
    const std::string kind = rows.bytes(0);
    for (const auto& [name, counts] : classes_of(certificate)) {
      if (kind == name) (*counts)[rows.bytes(1)] = rows.integer(2);
    }
    if (kind == "connections") certificate.connections = rows.integer(2);
    if (kind == "incomplete unlisted") certificate.incomplete_unlisted = rows.integer(2);
    if (kind == "note") certificate.notes.push_back(rows.bytes(1));
  }
  Statement incomplete(database, "SELECT connection, client, server, flag, count FROM incomplete ORDER BY rowid");
  while (incomplete.step()) {
    auto& entry = certificate.incomplete[incomplete.integer(0)];
    entry.client = incomplete.bytes(1);
    entry.server = incomplete.bytes(2);
    entry.flags[incomplete.bytes(3)] = incomplete.integer(4);
  }
  return certificate;
}

}  // namespace

namespace {
// Read by a signal handler: the first character is written last and cleared first.
char unfinished[4096] = "";

void remember_unfinished(const std::string& path) {
  if (path.size() >= sizeof unfinished) return;
  std::copy(path.begin() + 1, path.end(), unfinished + 1);
  unfinished[path.size()] = '\0';
  unfinished[0] = path[0];
}
}  // namespace

const char* unfinished_traffic_file() { return unfinished; }

struct TrafficWriter::File {
  explicit File(const std::string& path) : database(path, Database::Mode::create, traffic_file_version, "traffic") {
    // The file is not there until it is whole: nothing has to survive a crash before that.
    database.run("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE");
    database.run(schema);
    database.run("BEGIN");
    insert.emplace(database, "INSERT INTO exchange VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  }
  Database database;
  std::optional<Statement> insert;
};

TrafficWriter::TrafficWriter(const std::string& path) : path_(path), part_(fmt::format("{}.{}.part", path, getpid())) {
  Database::expect_replaceable(path, "traffic");
  remember_unfinished(part_);  // before it is there: a signal may come at any time
  file_ = std::make_unique<File>(part_);
}

TrafficWriter::~TrafficWriter() {
  if (!file_) return;
  file_.reset();
  unfinished[0] = '\0';
  std::error_code ignored;
  std::filesystem::remove(part_, ignored);
}

void TrafficWriter::add(const Exchange& exchange) {
  Statement& insert = *file_->insert;
  int column = 0;
  const auto number = [&](std::int64_t value) { insert.bind(++column, value); };
  const auto text = [&](std::string_view value) { insert.bind_text(++column, value); };
  const auto blob = [&](std::string_view value) { insert.bind(++column, value); };
  number(exchange.id);
  number(exchange.connection);
  number(exchange.index);
  text(exchange.client);
  text(exchange.server);
  number(exchange.started_ns);
  number(exchange.request_ns);
  number(exchange.request_end_ns);
  number(exchange.response_ns);
  number(exchange.response_end_ns);
  text(exchange.request.method);
  text(exchange.request.target);
  text(text_of(exchange.request.headers));
  blob(exchange.request.body);
  text(text_of(exchange.request.trailers));
  if (const auto& response = exchange.response) {
    number(response->status);
    text(text_of(response->headers));
    blob(response->body);
    text(text_of(response->trailers));
  } else {
    for (int i = 0; i < 4; ++i) insert.bind_null(++column);
  }
  text(text_of(exchange.interim));
  number(exchange.complete() ? 1 : 0);
  text(joined(exchange.flags));
  text(joined(exchange.masked));
  text(exchange.http2 ? "HTTP/2" : "HTTP/1");
  insert.run();
}

void TrafficWriter::finish(const Certificate& certificate) {
  save_certificate(file_->database, certificate);
  file_->database.run("COMMIT");
  file_.reset();
  unfinished[0] = '\0';
  std::error_code error;
  std::filesystem::rename(part_, path_, error);
  if (error) throw Error(fmt::format("cannot write {}: {}", path_, error.message()));
}

void save(const Traffic& traffic, const std::string& path) {
  TrafficWriter writer(path);
  for (const Exchange& exchange : traffic.exchanges) writer.add(exchange);
  writer.finish(traffic.certificate);
}

Certificate load_traffic(const std::string& path, const std::function<void(Exchange&&)>& take) {
  Database database(path, Database::Mode::read, traffic_file_version, "traffic");
  database.expect_table("exchange", "traffic");
  // Files of this version that were written before these were recorded lack the columns.
  const auto column_or_nothing = [&](const std::string& name) {
    Statement columns(database, "SELECT 1 FROM pragma_table_info('exchange') WHERE name = ?");
    columns.bind_text(1, name);
    return columns.step() ? name : "''";
  };
  Statement rows(database,
                 "SELECT id, connection, idx, client, server, started_ns, request_ns, request_end_ns, response_ns, "
                 "response_end_ns, method, target, request_headers, request_body, request_trailers, status, "
                 "response_headers, response_body, response_trailers, interim, flags, " +
                     column_or_nothing("masked") + ", " + column_or_nothing("protocol") +
                     ", complete FROM exchange ORDER BY id");
  while (rows.step()) {
    Exchange exchange;
    int column = 0;
    const auto number = [&] { return rows.integer(column++); };
    const auto text = [&] { return rows.bytes(column++); };
    exchange.id = number();
    exchange.connection = number();
    exchange.index = number();
    exchange.client = text();
    exchange.server = text();
    exchange.started_ns = number();
    exchange.request_ns = number();
    exchange.request_end_ns = number();
    exchange.response_ns = number();
    exchange.response_end_ns = number();
    exchange.request.method = text();
    exchange.request.target = text();
    exchange.request.headers = headers_of(text());
    exchange.request.body = text();
    exchange.request.trailers = headers_of(text());
    if (rows.is_null(column)) {
      column += 4;
    } else {
      Response& response = exchange.response.emplace();
      response.status = static_cast<int>(number());
      response.headers = headers_of(text());
      response.body = text();
      response.trailers = headers_of(text());
    }
    exchange.interim = interim_of(text());
    exchange.flags = lines_of(text());
    exchange.masked = lines_of(text());
    const std::string protocol = text();
    exchange.http2 = protocol.empty() ? spelt_as_http2(exchange.request.headers) : protocol == "HTTP/2";
    if (number() == 0 && exchange.complete()) exchange.add_flag(flag::excluded);
    constexpr std::int64_t year_2200_ns = 7'258'118'400'000'000'000;
    const bool timed = exchange.request_ns >= 0 && exchange.request_ns <= exchange.response_end_ns &&
                       exchange.response_end_ns < year_2200_ns;
    const bool read = exchange.response && exchange.response->status >= 100 && exchange.response->status <= 999;
    if (exchange.complete() && !(timed && read)) exchange.add_flag(flag::malformed);
    // The file can be edited by anyone.
    if (exchange.complete() && !unsendable(exchange.request).empty()) exchange.add_flag(flag::malformed);
    take(std::move(exchange));
  }
  return load_certificate(database);
}

Traffic load_traffic(const std::string& path) {
  Traffic traffic;
  traffic.certificate =
      load_traffic(path, [&](Exchange&& exchange) { traffic.exchanges.push_back(std::move(exchange)); });
  return traffic;
}

Certificate load_certificate(const std::string& path) {
  Database database(path, Database::Mode::read, traffic_file_version, "traffic");
  database.expect_table("exchange", "traffic");
  return load_certificate(database);
}

bool holds_traffic(const std::string& path) { return Database::holds_table(path, "exchange"); }

bool is_sqlite(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string magic(15, '\0');
  return file.read(magic.data(), 15) && magic == "SQLite format 3";
}

}  // namespace rehearse::replay
