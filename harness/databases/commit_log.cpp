#include "harness/databases/commit_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

// So many lines are fetched at once, and the rest of the transaction that they end in.
constexpr int lines_a_read = 20'000;

std::int64_t number_in(std::string_view text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// "2026-11-22 10:00:00.204815+00)", as sessions here print times.
std::int64_t wall_ns(std::string_view text) {
  const auto part = [&](std::size_t at, std::size_t size) {
    return number_in(text.substr(std::min(at, text.size()), size));
  };
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(part(0, 4))),
                                         std::chrono::month(static_cast<unsigned>(part(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(part(8, 2)))};
  std::int64_t ns = 0, unit = 100'000'000;
  if (text.size() > 19 && text[19] == '.') {
    for (std::size_t at = 20; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10)
      ns += (text[at] - '0') * unit;
  }
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return (((days * 24 + part(11, 2)) * 60 + part(14, 2)) * 60 + part(17, 2)) * 1'000'000'000 + ns;
}

// Takes `text` apart from its front; every function returns false when what it wants is not there.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : left_(text) {}

  [[nodiscard]] bool empty() const { return left_.empty(); }
  [[nodiscard]] bool begins_with(char c) const { return left_.starts_with(c); }
  bool skip(std::string_view expected) {
    if (!left_.starts_with(expected)) return false;
    left_.remove_prefix(expected.size());
    return true;
  }
  // What stands between two of the mark, which is doubled within.
  bool quoted(char mark, std::string& out) {
    if (!left_.starts_with(mark)) return false;
    for (std::size_t at = 1; at < left_.size(); ++at) {
      if (left_[at] != mark) {
        out += left_[at];
      } else if (at + 1 < left_.size() && left_[at + 1] == mark) {
        out += left_[++at];
      } else {
        left_.remove_prefix(at + 1);
        return true;
      }
    }
    return false;
  }
  bool until(char mark, std::string& out) {
    const auto end = left_.find(mark);
    if (end == std::string_view::npos) return false;
    out = left_.substr(0, end);
    left_.remove_prefix(end);
    return true;
  }
  std::string word() {
    const auto end = std::min(left_.find(' '), left_.size());
    std::string text(left_.substr(0, end));
    left_.remove_prefix(end);
    return text;
  }
  // "[character varying]:", "[integer[]]:"
  bool type() {
    int depth = 0;
    for (std::size_t at = 0; at < left_.size(); ++at) {
      depth += (left_[at] == '[') - (left_[at] == ']');
      if (depth > 0) continue;
      left_.remove_prefix(at + 1);
      return at > 0 && skip(":");
    }
    return false;
  }

 private:
  std::string_view left_;
};

bool take_column(Scanner& scanner, LoggedColumn& column) {
  if (!scanner.quoted('"', column.name) && !scanner.until('[', column.name)) return false;
  if (!scanner.type()) return false;
  std::string value;
  scanner.skip("B");  // of bits
  if (scanner.begins_with('\'')) {
    const bool closed = scanner.quoted('\'', value);
    column.value = std::move(value);
    return closed;
  }
  value = scanner.word();
  column.unchanged = value == "unchanged-toast-datum";
  if (value != "null" && !column.unchanged) column.value = std::move(value);
  return true;
}

// Behind "table public.t: "; a name that is quoted may hold anything.
std::string_view table_in(std::string_view line) {
  bool quoted = false;
  for (std::size_t at = 6; at < line.size(); ++at) {
    if (line[at] == '"') quoted = !quoted;
    if (!quoted && line[at] == ':') return line.substr(6, at - 6);
  }
  return {};
}

std::optional<LoggedChange::Kind> kind_in(std::string_view behind_table) {
  using Kind = LoggedChange::Kind;
  for (const auto& [name, kind] : {std::pair(": INSERT:", Kind::insert), std::pair(": UPDATE:", Kind::update),
                                   std::pair(": DELETE:", Kind::remove), std::pair(": TRUNCATE:", Kind::truncate)}) {
    if (behind_table.starts_with(name)) return kind;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::vector<LoggedColumn>> columns_in(std::string_view line) {
  if (!line.starts_with("table ")) return std::nullopt;
  const std::string_view behind = line.substr(6 + table_in(line).size());
  const auto kind = kind_in(behind);
  if (!kind || *kind == LoggedChange::Kind::truncate) return std::nullopt;
  std::vector<LoggedColumn> columns;
  Scanner scanner(behind.substr(std::string_view(": INSERT:").size()));
  if (scanner.skip(" (no-tuple-data)")) return columns;
  if (scanner.skip(" old-key:")) {
    while (!scanner.skip(" new-tuple:")) {
      LoggedColumn old;
      if (!scanner.skip(" ") || !take_column(scanner, old)) return std::nullopt;
    }
  }
  while (!scanner.empty()) {
    if (!scanner.skip(" ") || !take_column(scanner, columns.emplace_back())) return std::nullopt;
  }
  return columns;
}

CommitLog::CommitLog(Session& session) : session_(session) {
  const std::string name = fmt::format("rehearse_{}", session_.process_id());
  // It waits for the transactions that are running to end, which somebody may have forgotten to do.
  session_.run("SET statement_timeout = '5s'");
  try {
    session_.run(fmt::format("SELECT pg_create_logical_replication_slot('{}', 'test_decoding', true)", name));
  } catch (const Error&) {
    session_.run("RESET statement_timeout");
    throw;
  }
  session_.run("RESET statement_timeout");
  slot_ = name;
}

CommitLog::~CommitLog() {
  try {  // the server would drop it some time after the session, and refuse to drop the database until then
    session_.run(fmt::format("SELECT pg_drop_replication_slot('{}')", slot_));
  } catch (const Error&) {
  }
}

std::int64_t CommitLog::read(const Reader& reader) {
  // Decoding reads flushed WAL only: everything that was committed before this transaction is flushed with it.
  session_.run("SET synchronous_commit = on");
  const std::int64_t barrier =
      session_.number("SELECT pg_current_xact_id() FROM pg_logical_emit_message(true, 'rehearse', 'barrier')");
  const std::string query = fmt::format(
      "SELECT data FROM pg_logical_slot_get_changes('{}', NULL, {}, 'include-xids', '1', 'include-timestamp', '1', "
      "'skip-empty-xacts', '0')",
      slot_, lines_a_read);
  LoggedChange change;
  bool whole = false;
  while (!whole) {
    const Rows lines = session_.run(query);
    if (lines.rows.empty()) throw Error("the commit log ended before what was written last; it is not whole");
    for (const Row& row : lines.rows) {
      const std::string_view line = *row[0];
      if (line.starts_with("BEGIN ")) {
        change.transaction = number_in(line.substr(6));
      } else if (line.starts_with("COMMIT ")) {
        // The low 32 bits are what the log knows of a transaction's number.
        whole |=
            change.transaction == (barrier & 0xffffffff);  // what came behind it is shown, too: the log gives it once
        const auto at = line.find("(at ");
        if (reader.committed && at != std::string_view::npos)
          reader.committed(change.transaction, wall_ns(line.substr(at + 4)));
      } else if (line.starts_with("table ")) {
        change.line = line;
        change.table = table_in(line);
        const auto kind = kind_in(line.substr(6 + change.table.size()));
        if (!kind) throw Error(fmt::format("the commit log holds a line that is not understood: {:.100}", line));
        change.kind = *kind;
        if (reader.change) reader.change(change);
      }
    }
  }
  return barrier;
}

}  // namespace rehearse::harness
