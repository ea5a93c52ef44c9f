#include "harness/databases/watch.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <thread>
#include <utility>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

using properties::Changes;
using namespace std::chrono_literals;

// Enough of a log to see what was written; all rows are counted.
constexpr std::size_t max_shown_changes = 20;
constexpr std::size_t max_shown_bytes = 300;

// Sequences that a column of an ignored table owns are ignored with it.
std::string sequences_of(Session& session, const TableNames& ignored) {
  const Rows sequences = session.run(
      "SELECT s.relname, format('%I.%I', n.nspname, s.relname), t.relname FROM pg_class s JOIN pg_namespace n ON n.oid "
      "= s.relnamespace "
      "LEFT JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass "
      "AND d.deptype IN ('a', 'i') AND d.refclassid = 'pg_class'::regclass LEFT JOIN pg_class t ON t.oid = d.refobjid "
      "WHERE s.relkind = 'S' AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 2");
  // Asked one by one: pg_sequences says nothing of a value that is set and not used yet.
  std::string all;
  for (const Row& row : sequences.rows) {
    const std::string sequence = row[0].value_or("");
    if (ignored.contains(row[2].value_or("")) || ignored.contains(sequence.substr(sequence.find('.') + 1))) continue;
    const std::string name = row[1].value_or("");
    all += fmt::format("{}SELECT {} || '=' || last_value || CASE WHEN is_called THEN '' ELSE ' unused' END FROM {}",
                       all.empty() ? "" : " UNION ALL ", session.quoted(name), name);
  }
  std::string text;
  if (all.empty()) return text;
  for (const Row& row : session.run(all).rows) text += row[0].value_or("") + "\n";
  return text;
}

// Large objects are in no table that one sees, and in no commit log. Without the right to read them all, which are there.
std::string large_objects_of(Session& session) {
  const bool readable = session.value("SELECT has_table_privilege('pg_largeobject', 'SELECT')") == "t";
  return session.value(
      readable
          ? "SELECT count(*) || ':' || coalesce(sum(hashtextextended(format('%s %s %s', loid, pageno, encode(data, "
            "'hex')), 0)), 0) FROM pg_largeobject"
          : "SELECT count(*) || ':' || coalesce(sum(oid::bigint), 0) FROM pg_largeobject_metadata");
}

// Count and sum of row hashes of every table, with the file each table lives in (TRUNCATE and rewrites give it a new one).
std::string content_of(Session& session, const TableNames& ignored) {
  const Rows tables = session.run(
      "SELECT format('%I.%I', n.nspname, c.relname), c.relfilenode, c.relname FROM pg_class c JOIN pg_namespace n ON "
      "n.oid = c.relnamespace "
      "WHERE c.relkind IN ('r', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 1");
  std::string text;
  for (const Row& table : tables.rows) {
    if (ignored.contains(table[2].value_or(""))) continue;
    const std::string name = table[0].value_or("");
    text +=
        fmt::format("{} {} {}\n", name, table[1].value_or(""),
                    session.value(fmt::format(
                        "SELECT count(*) || ':' || coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {} t", name)));
  }
  return text + "large objects " + large_objects_of(session) + "\n";
}

// Of `public.orders`, `public."Own State"`, or of a TRUNCATE `public.a, public.b`.
bool all_ignored(std::string_view tables, const TableNames& ignored) {
  for (std::size_t at = 0; at < tables.size();) {
    const auto end = std::min(tables.find(", ", at), tables.size());
    std::string_view name = tables.substr(at, end - at);
    name.remove_prefix(name.find('.') + 1);
    if (name.size() > 1 && name.front() == '"') name = name.substr(1, name.size() - 2);
    if (!ignored.contains(std::string(name))) return false;
    at = end + 2;
  }
  return true;
}

void add_moved_sequences(const std::string& before, const std::string& after, Changes& changes) {
  for (std::size_t at = 0; at < after.size();) {
    const auto eol = after.find('\n', at);
    const std::string line = after.substr(at, eol - at);
    if (("\n" + before).find("\n" + line + "\n") == std::string::npos)
      changes.sequences.push_back(line.substr(0, line.find('=')));
    at = eol + 1;
  }
}

}  // namespace

Marks marks_of(Session& session) {
  const Rows rows = session.run(
      "SELECT pg_current_wal_insert_lsn(), pg_snapshot_xmax(s), pg_snapshot_xmin(s) <> pg_snapshot_xmax(s) OR EXISTS "
      "(SELECT FROM pg_prepared_xacts) FROM pg_current_snapshot() s");
  const Row& row = rows.rows.at(0);
  return {row[0].value_or(""), std::stoll(row[1].value_or("0")), row[2] != "f"};
}

std::string silence_between(const Marks& before, const Marks& after) {
  if (before.wal == after.wal) return "WAL position";
  if (before.next == after.next && !before.running && !after.running) return "snapshot";
  return {};
}

Watch::Watch(const std::string& dsn, const std::string& what, Depth depth, TableNames ignored,
             const CommitLogOptions& log_options)
    : dsn_(dsn),
      what_(what),
      depth_(depth),
      ignored_(std::move(ignored)),
      log_options_(log_options),
      session_(dsn, what) {
  open_log();
  // The position first: whatever is written while the rest is looked at counts as written.
  marks_ = marks_of(session_);
  sequences_ = sequences_of(session_, ignored_);
  if (depth_ == Depth::content || !log_) content_ = content_of(session_, ignored_);
  settle_marks();
}

// To read pages for the first time may write of itself (hint bits, checksums). When that was all, the marks are those behind it.
void Watch::settle_marks() {
  const Marks now = marks_of(session_);
  if (!silence_between(marks_, now).empty()) marks_ = now;
}

void Watch::open_log() {
  try {
    log_ = std::make_unique<CommitLog>(dsn_, what_, log_options_);
  } catch (const Error&) {
    // wal_level, rights, an open transaction: the content decides instead, and the changes say so
  }
}

std::int64_t Watch::read_log(Changes& changes) {
  CommitLog::Reader reader;
  reader.change = [&](const LoggedChange& change) {
    if (all_ignored(change.table, ignored_)) return;
    ++changes.rows;
    ++changes.by_table[std::string(change.table)];
    if (changes.first.size() < max_shown_changes) changes.first.emplace_back(change.line.substr(0, max_shown_bytes));
    if (sources_) add_writes(change, *sources_, writes_);
  };
  reader.committed = [&](const LoggedCommit& commit) { set_committed(commit, writes_); };
  return log_->read(reader);
}

void Watch::follow(RowSources sources) {
  sources_ = std::move(sources);
  writes_ = properties::WriteLog();
  writes_.known = log_ != nullptr;
  if (!log_) writes_.problem = "the server permits no logical decoding (see `rehearse doctor`)";
}

properties::WriteLog Watch::take_writes() {
  properties::WriteLog taken;
  taken.known = writes_.known;
  taken.problem = writes_.problem;
  return std::exchange(writes_, std::move(taken));
}

Changes Watch::lap() {
  Changes changes;
  try {
    climb(changes);
    changes.known = true;
  } catch (const Error& problem) {
    changes = Changes();
    changes.problem = problem.what();
    writes_.known = false;
    writes_.problem = problem.what();
    look_again(changes);
  }
  return changes;
}

void Watch::climb(Changes& changes) {
  const Marks before = std::exchange(marks_, marks_of(session_));
  const std::string sequences = sequences_of(session_, ignored_);
  add_moved_sequences(sequences_, sequences, changes);
  sequences_ = sequences;
  if (const std::string silence = silence_between(before, marks_); !silence.empty()) {
    changes.decided_by = silence + ", sequences";
    return;
  }
  changes.decided_by = "sequences";
  if (log_) {
    const std::int64_t barrier = read_log(changes);
    changes.decided_by = "commit log, sequences";
    // The marks are older than what was read. From now on our own transaction belongs to them, unless another one came between.
    marks_.wal.clear();
    marks_.next = marks_.next == barrier ? barrier + 1 : 0;
  }
  if (depth_ == Depth::log && log_) return;
  const std::string content = content_of(session_, ignored_);
  changes.content_changed = content != content_;
  content_ = content;
  changes.decided_by += ", content digest";
  settle_marks();
}

void Watch::look_again(Changes& changes) {
  if (content_.empty()) return;
  try {
    log_.reset();
    session_ = Session(dsn_, what_);
    marks_ = marks_of(session_);
    const std::string content = content_of(session_, ignored_), sequences = sequences_of(session_, ignored_);
    add_moved_sequences(sequences_, sequences, changes);
    changes.content_changed = content != content_;
    sequences_ = sequences;
    content_ = content;
    changes.decided_by = "sequences, content digest; the server had ended the session that watched";
    changes.problem.clear();
    changes.known = true;
    open_log();
    settle_marks();
  } catch (const Error& problem) {
    changes = Changes();
    changes.problem = problem.what();
  }
}

Changes joined(Changes first, const Changes& second) {
  first.known = first.known && second.known;
  first.rows += second.rows;
  for (const auto& [table, rows] : second.by_table) first.by_table[table] += rows;
  first.first.insert(first.first.end(), second.first.begin(), second.first.end());
  first.sequences.insert(first.sequences.end(), second.sequences.begin(), second.sequences.end());
  first.content_changed = first.content_changed || second.content_changed;
  first.decided_by = second.decided_by;
  if (first.problem.empty()) first.problem = second.problem;
  return first;
}

StatementWatch::StatementWatch(const std::string& dsn, const std::string& what, TableNames ignored)
    : dsn_(dsn), what_(what), ignored_(std::move(ignored)), maintenance_(maintenance_session(dsn, what)) {
  {
    Session session(dsn_, what_);
    sequences_ = sequences_of(session, ignored_);
    content_ = content_of(session, ignored_);
  }
  end_sessions(maintenance_, database_in(dsn_));
  active_ms_ = active_ms();
}

double StatementWatch::active_ms() {
  return std::strtod(maintenance_
                         .value(fmt::format("SELECT active_time FROM pg_stat_database WHERE datname = {}",
                                            maintenance_.quoted(database_in(dsn_))))
                         .c_str(),
                     nullptr);
}

Changes StatementWatch::finish() {
  Changes changes;
  try {
    end_sessions(maintenance_, database_in(dsn_));
    changes.statement_ms = std::llround(std::ceil(active_ms() - active_ms_));
    Session session(dsn_, what_);
    add_moved_sequences(sequences_, sequences_of(session, ignored_), changes);
    changes.content_changed = content_of(session, ignored_) != content_;
    changes.decided_by = "statement time, sequences, content digest";
    changes.known = true;
  } catch (const Error& problem) {
    changes.problem = problem.what();
  }
  return changes;
}

void end_sessions(Session& maintenance, const std::string& database, const std::vector<int>& spared) {
  // Of sessions of other roles an ordinary role sees the role alone; ending them is then refused, which is better than overlooking them.
  const std::string others = fmt::format(
      "FROM pg_stat_activity WHERE datname = {} AND (backend_type = 'client backend' OR backend_type IS NULL AND "
      "usesysid IS NOT NULL) "
      "AND pid <> pg_backend_pid() AND pid <> ALL ('{{{}}}'::int[])",
      maintenance.quoted(database), fmt::join(spared, ","));
  for (int i = 0; i < 200; ++i) {
    if (maintenance.number("SELECT count(pg_terminate_backend(pid)) " + others) == 0) return;
    std::this_thread::sleep_for(5ms);
  }
  throw Error(
      fmt::format("the sessions of the database {} do not end; is something reconnecting without pause?", database));
}

bool wait_for_rest(Session& legacy_server, const std::string& legacy, Session& new_server, const std::string& new_,
                   std::chrono::milliseconds bound) {
  const auto until = std::chrono::steady_clock::now() + bound;
  const auto busy = [](Session& server, const std::string& database) {
    return server.number(
        fmt::format("SELECT count(*) FROM pg_stat_activity WHERE datname = {} AND backend_type = 'client backend' "
                    "AND pid <> pg_backend_pid() AND state <> 'idle'",
                    server.quoted(database)));
  };
  const std::string written = "SELECT pg_current_wal_insert_lsn()";
  // A write that is sent on behind the answer may take a moment to arrive: rest is several equal looks, not one.
  constexpr int equal_looks = 4;
  std::string last;
  int equal = 0;
  do {
    const std::string now = legacy_server.value(written) + " " + new_server.value(written);
    const bool still = now == last && busy(legacy_server, legacy) == 0 && busy(new_server, new_) == 0;
    equal = still ? equal + 1 : 0;
    if (equal == equal_looks) return true;
    last = now;
    std::this_thread::sleep_for(30ms);
  } while (std::chrono::steady_clock::now() < until);
  return false;
}

}  // namespace rehearse::harness
