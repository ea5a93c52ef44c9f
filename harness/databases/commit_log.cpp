#include "harness/databases/commit_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

std::int64_t number_in(std::string_view text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// As the server prints eight bytes of a position.
std::string lsn_in(std::string_view bytes) {
  std::uint64_t lsn = 0;
  for (const char c : bytes) lsn = lsn << 8 | static_cast<unsigned char>(c);
  return fmt::format("{:X}/{:X}", lsn >> 32, lsn & 0xffffffff);
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

std::optional<LoggedRow> row_in(std::string_view line) {
  if (!line.starts_with("table ")) return std::nullopt;
  const std::string_view behind = line.substr(6 + table_in(line).size());
  const auto kind = kind_in(behind);
  if (!kind || *kind == LoggedChange::Kind::truncate) return std::nullopt;
  LoggedRow row;
  Scanner scanner(behind.substr(std::string_view(": INSERT:").size()));
  if (scanner.skip(" (no-tuple-data)")) return row;
  if (scanner.skip(" old-key:")) {
    while (!scanner.skip(" new-tuple:")) {
      if (!scanner.skip(" ") || !take_column(scanner, row.old_key.emplace_back())) return std::nullopt;
    }
  }
  while (!scanner.empty()) {
    if (!scanner.skip(" ") || !take_column(scanner, row.columns.emplace_back())) return std::nullopt;
  }
  return row;
}

std::optional<std::vector<LoggedColumn>> columns_in(std::string_view line) {
  auto row = row_in(line);
  return row ? std::optional(std::move(row->columns)) : std::nullopt;
}

CommitLog::CommitLog(const std::string& dsn, const std::string& what, const CommitLogOptions& options)
    : options_(options), what_(what), session_(dsn, what) {
  const std::string name = fmt::format("rehearse_{}", session_.process_id());
  static_cast<void>(session_.text("SET client_min_messages = 'error'"));
  // It waits for the transactions that are running to end, which somebody may have forgotten to do.
  static_cast<void>(session_.text("SET statement_timeout = '5s'"));
  static_cast<void>(session_.text("SELECT pg_create_logical_replication_slot($1, 'test_decoding', true)", {name}));
  slot_ = name;
  static_cast<void>(session_.text("RESET statement_timeout"));
  watching_ = std::thread([this] { watch_what_is_kept(); });
}

CommitLog::~CommitLog() {
  {
    const std::lock_guard lock(guard_);
    over_ = true;
  }
  over_changed_.notify_all();
  watching_.join();
  drop_slot();
}

// The server would drop it some time after the session, and refuse to drop the database until then.
void CommitLog::drop_slot() noexcept {
  try {
    static_cast<void>(session_.text("ROLLBACK"));  // of a read that failed
    static_cast<void>(session_.text("SELECT pg_drop_replication_slot($1)", {slot_}));
  } catch (const Error&) {
  }
}

void CommitLog::watch_what_is_kept() {
  std::unique_lock lock(guard_);
  while (!over_changed_.wait_for(lock, options_.look_every, [this] { return over_; })) {
    if (!given_up_.empty()) return;
    try {
      const std::string kept = session_.value(
          "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint FROM pg_replication_slots WHERE slot_name "
          "= $1",
          {slot_});
      if (number_in(kept) <= options_.max_retained_bytes) continue;
      drop_slot();
      given_up_ = fmt::format(
          "the commit log of {} was given up: the server kept {} MB of WAL for it, and {} MB is the bound; play less "
          "at "
          "a time",
          what_, number_in(kept) >> 20, options_.max_retained_bytes >> 20);
    } catch (const Error&) {
      return;  // the session is gone, and the slot with it; whoever reads is told
    }
  }
}

std::int64_t CommitLog::read(const Reader& reader) {
  const std::lock_guard lock(guard_);
  if (!given_up_.empty()) throw Error(given_up_);
  // Decoding reads flushed WAL only: everything that was committed before this transaction is flushed with it.
  static_cast<void>(session_.text("SET synchronous_commit = on"));
  const std::int64_t barrier = number_in(
      session_.value("SELECT pg_current_xact_id() FROM pg_logical_emit_message(true, 'rehearse', 'barrier')"));
  LoggedChange change;
  LoggedCommit commit;
  bool whole = false;
  const auto take = [&](const BinaryRow& row) {
    const std::string_view line = row[1].value();
    if (line.starts_with("table ")) {
      change.line = line;
      change.table = table_in(line);
      const auto kind = kind_in(line.substr(6 + change.table.size()));
      if (!kind) throw Error(fmt::format("the commit log holds a line that is not understood: {:.100}", line));
      change.kind = *kind;
      if (reader.change) reader.change(change);
    } else if (line.starts_with("BEGIN ")) {
      change.transaction = number_in(line.substr(6));
    } else if (line.starts_with("COMMIT ")) {
      whole |=
          change.transaction == (barrier & 0xffffffff);  // what came behind it is shown, too: the log gives it once
      const auto at = line.find("(at ");
      if (!reader.committed || at == std::string_view::npos) return;
      commit.transaction = change.transaction;
      commit.at_ns = wall_ns(line.substr(at + 4));
      commit.lsn = lsn_in(row[0].value());
      reader.committed(commit);
    }
  };
  // One statement for all of it: each begins to decode where the oldest transaction began that was open, and would do so again.
  session_.begin();
  session_.copy(fmt::format("SELECT lsn, data FROM pg_logical_slot_get_changes('{}', NULL, NULL, 'include-xids', '1', "
                            "'include-timestamp', '1', 'skip-empty-xacts', '0')",
                            slot_),
                2, take, {});
  session_.end();
  if (!whole) throw Error("the commit log ended before what was written last; it is not whole");
  return barrier;
}

}  // namespace rehearse::harness
