#include "harness/databases/watch.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <thread>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

using properties::Changes;
using namespace std::chrono_literals;

// Enough of a log to see what was written; all rows are counted.
constexpr std::size_t max_shown_changes = 20;
constexpr int shown_bytes = 300;

// Count and sum of row hashes of every table, with the file each table lives in (TRUNCATE and rewrites give it a new one).
std::string content_of(Session& session, const TableNames& ignored) {
  const Rows tables = session.run(
      "SELECT format('%I.%I', n.nspname, c.relname), c.relfilenode, c.relname FROM pg_class c JOIN pg_namespace n ON "
      "n.oid = c.relnamespace "
      "WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 1");
  std::string text;
  for (const Row& table : tables.rows) {
    if (ignored.contains(table[2].value_or(""))) continue;
    const std::string name = table[0].value_or("");
    text +=
        fmt::format("{} {} {}\n", name, table[1].value_or(""),
                    session.value(fmt::format(
                        "SELECT count(*) || ':' || coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {} t", name)));
  }
  return text;
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

Watch::Watch(const std::string& dsn, const std::string& what, Depth depth, TableNames ignored)
    : what_(what), depth_(depth), ignored_(std::move(ignored)), session_(dsn, what) {
  try {
    log_.emplace(dsn, what);
    const std::string name = fmt::format("rehearse_{}", log_->process_id());
    static_cast<void>(log_->value("SELECT pg_create_logical_replication_slot($1, 'test_decoding', true)", {name}));
    slot_ = name;
  } catch (const Error&) {
    log_.reset();  // wal_level or rights: the content digest decides instead, and the changes say so
  }
  sequences_ = sequences_of(session_, ignored_);
  // Behind the making of the slot, which writes WAL, and before all that is looked at slowly.
  mark_ = mark_of(session_, sequences_);
  if (depth_ == Depth::content || slot_.empty()) content_ = content_of(session_, ignored_);
}

Watch::~Watch() {
  if (slot_.empty()) return;
  try {  // the server would drop it some time after the session, and refuse to drop the database until then
    static_cast<void>(log_->value("SELECT pg_drop_replication_slot($1)", {slot_}));
  } catch (const Error&) {
  }
}

void Watch::read_log(Changes& changes) {
  // Decoding reads flushed WAL only: the barrier message makes sure that everything committed before it is flushed.
  session_.run("SET synchronous_commit = on; BEGIN");
  const std::string transaction = session_.value("SELECT pg_current_xact_id()");
  const std::string snapshot = session_.value("SELECT pg_current_snapshot()");
  const std::string barrier = fmt::format("barrier {}", transaction);
  session_.run(fmt::format("SELECT pg_logical_emit_message(true, 'rehearse', '{}'); COMMIT", barrier));
  // Nobody else was at work at the barrier: what is written behind it needs a later transaction.
  if (snapshot == fmt::format("{0}:{0}:", transaction))
    behind_barrier_ = fmt::format("{0}:{0}:", std::stoull(transaction) + 1);
  bool arrived = false;
  // As a stream: a log may be longer than memory. The beginning of a line is all that is looked at.
  const std::string lines = fmt::format(
      "SELECT left(data, {}) FROM pg_logical_slot_get_changes('{}', NULL, NULL, 'include-xids', '0', "
      "'skip-empty-xacts', '1')",
      shown_bytes, slot_);
  const auto take = [&](const BinaryRow& row) {
    const std::string_view line = row[0].value();
    if (line.starts_with("message: ") && line.ends_with(barrier)) arrived = true;
    if (!line.starts_with("table ")) return;
    const std::string table(line.substr(6, line.find(": ", 6) - 6));
    if (all_ignored(table, ignored_)) return;
    ++changes.rows;
    ++changes.by_table[table];
    if (changes.first.size() < max_shown_changes) changes.first.emplace_back(line);
  };
  static_cast<void>(log_->copy(lines, 1, take, {}));
  if (!arrived) throw Error(fmt::format("{}: its commit log ends before what was committed", what_));
}

// The next lap may begin with the cheap rungs only when its first mark leaves no gap behind what was read here.
void Watch::set_mark() {
  mark_.reset();
  const ServerMark now = mark_of(session_, sequences_);
  if (!slot_.empty() && now.snapshot == behind_barrier_) mark_ = now;
}

Changes Watch::lap() {
  Changes changes;
  try {
    if (mark_) {
      const ServerMark now = mark_of(session_, sequences_of(session_, ignored_));
      if (const auto rung = proves_untouched(*mark_, now)) {
        changes.decided_by = name_of(*rung);
        changes.known = true;
        mark_ = now;
        return changes;
      }
    }
    behind_barrier_.clear();
    if (!slot_.empty()) read_log(changes);
    const std::string sequences = sequences_of(session_, ignored_);
    add_moved_sequences(sequences_, sequences, changes);
    sequences_ = sequences;
    const bool look_at_content = depth_ == Depth::content || slot_.empty();
    if (look_at_content) {
      const std::string content = content_of(session_, ignored_);
      changes.content_changed = content != content_;
      content_ = content;
    }
    changes.decided_by =
        fmt::format("{}sequences{}", slot_.empty() ? "" : "commit log, ", look_at_content ? ", content digest" : "");
    changes.known = true;
    set_mark();
  } catch (const Error& problem) {
    changes.known = false;
    changes.problem = problem.what();
  }
  return changes;
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

void end_sessions(Session& maintenance, const std::string& database) {
  // Of sessions of other roles an ordinary role sees the role alone; ending them is then refused, which is better than overlooking them.
  const std::string others = fmt::format(
      "FROM pg_stat_activity WHERE datname = {} AND (backend_type = 'client backend' OR backend_type IS NULL AND "
      "usesysid IS NOT NULL) "
      "AND pid <> pg_backend_pid()",
      maintenance.quoted(database));
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
