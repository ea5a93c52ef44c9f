#include "harness/fuzz/rewinder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

// 'text' for every part of a row value.
std::string row_of(Session& session, const std::vector<std::string>& values) {
  std::vector<std::string> quoted;
  for (const std::string& value : values) quoted.push_back(session.quoted(value));
  return fmt::format("({})", fmt::join(quoted, ", "));
}

std::string as_text(const std::vector<std::string>& columns) {
  std::vector<std::string> texts;
  for (const std::string& column : columns) texts.push_back(column + "::text");
  return fmt::format("({})", fmt::join(texts, ", "));
}

// What an update says of the row as it was: its old key, or all of it under REPLICA IDENTITY FULL. The mark between old and new may
// stand in a value, too; then what is before it is no whole row.
std::optional<std::vector<LoggedColumn>> old_row_in(const std::string& line) {
  const auto kind = line.find(": UPDATE: old-key:");
  if (kind == std::string::npos) return std::nullopt;
  const auto begin = kind + std::string_view(": UPDATE: old-key:").size();
  for (auto end = line.find(" new-tuple:", begin); end != std::string::npos; end = line.find(" new-tuple:", end + 1)) {
    if (auto columns = columns_in(line.substr(0, kind) + ": DELETE:" + line.substr(begin, end - begin))) return columns;
  }
  return std::nullopt;
}

// Of the named columns, as far as they are known.
std::vector<std::string> values_of(const std::vector<std::string>& names, const std::vector<LoggedColumn>& columns,
                                   Session& session) {
  std::vector<std::string> values;
  for (const std::string& name : names) {
    const auto column = std::find_if(columns.begin(), columns.end(), [&](const LoggedColumn& c) {
      return c.name == name || session.quoted_name(c.name) == name;
    });
    if (column != columns.end() && column->value) values.push_back(*column->value);
  }
  return values;
}

}  // namespace

Rewinder::Rewinder(const DatabaseSettings& database, std::string what, const std::string& image)
    : what_(std::move(what)),
      session_(database.dsn, what_),
      image_(with_database(database.dsn, image), "the image of " + what_) {
  if (session_.value("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") != "t")
    throw Error(fmt::format(
        "{} is put back row by row, with its triggers at rest, and that takes a superuser: name one in its dsn",
        what_));
  log_ = std::make_unique<CommitLog>(database.dsn, what_);
  std::vector<std::string> parts;
  for (const Row& row :
       image_.run("SELECT quote_ident(schemaname) || '.' || quote_ident(sequencename) FROM pg_sequences ORDER BY 1")
           .rows) {
    const std::string name = row[0].value_or("");
    parts.push_back(fmt::format("SELECT {}, last_value::text, is_called::text FROM {}", session_.quoted(name), name));
  }
  all_sequences_ = fmt::format("{}", fmt::join(parts, " UNION ALL "));
  sequences_ = sequences(image_);
}

std::map<std::string, Rewinder::SequenceState> Rewinder::sequences(Session& session) {
  std::map<std::string, SequenceState> states;
  if (all_sequences_.empty()) return states;
  for (const Row& row : session.run(all_sequences_).rows)
    states[row[0].value_or("")] = {row[1].value_or(""), row[2] == "true"};
  return states;
}

const Rewinder::Table& Rewinder::table(const std::string& name) {
  auto [at, first] = tables_.try_emplace(name);
  if (!first) return at->second;
  at->second.name = name;
  const std::string oid = session_.quoted(name) + "::regclass";
  for (const Row& row :
       session_
           .run(fmt::format("SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = {} AND attnum > 0 "
                            "AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
                            oid))
           .rows)
    at->second.columns.push_back(row[0].value_or(""));
  for (const Row& row :
       session_
           .run(fmt::format("SELECT quote_ident(a.attname) FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(n, o), "
                            "pg_attribute a WHERE i.indrelid = {} AND i.indisprimary AND a.attrelid = i.indrelid AND "
                            "a.attnum = k.n ORDER BY k.o",
                            oid))
           .rows)
    at->second.key.push_back(row[0].value_or(""));
  return at->second;
}

void Rewinder::read_log() {
  std::vector<Commit::Change> changes;
  CommitLog::Reader reader;
  reader.change = [&](const LoggedChange& change) {
    changes.push_back({change.kind, std::string(change.table), std::string(change.line)});
  };
  reader.committed = [&](const LoggedCommit& commit) {
    if (ours_.erase(commit.transaction) == 0 && !changes.empty())
      shown_.push_back({commit.transaction, commit.at_ns, std::move(changes)});
    changes.clear();
  };
  static_cast<void>(log_->read(reader));
}

std::vector<Commit> Rewinder::committed() {
  read_log();
  for (const Commit& commit : shown_) {
    for (const Commit::Change& change : commit.changes) {
      const auto columns = change.kind == LoggedChange::Kind::truncate ? std::nullopt : columns_in(change.line);
      const std::vector<std::string>& key = table(change.table).key;
      std::vector<std::string> values;
      if (columns) values = values_of(key, *columns, session_);
      if (key.empty() || values.size() != key.size())
        beyond_rows_ = true;
      else
        touched_[change.table].insert(std::move(values));
      // The row as it was has another key when that was changed.
      if (const auto old = old_row_in(change.line)) {
        std::vector<std::string> before = values_of(key, *old, session_);
        if (before.size() == key.size()) touched_[change.table].insert(std::move(before));
      }
    }
  }
  return std::exchange(shown_, {});
}

bool Rewinder::rewind() {
  auto unseen = committed();
  if (beyond_rows_) return false;
  if (!touched_.empty()) {
    // One snapshot of what to put back is not needed: nobody writes to an image.
    // A service that leaves a row locked would be waited for by us, too.
    session_.run("BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL lock_timeout = '10s'");
    for (const auto& [name, keys] : touched_) put_back(table(name), keys);
    // The low 32 bits are what the log knows of it.
    ours_.insert(session_.number("SELECT pg_current_xact_id()::text::bigint & 4294967295"));
    session_.run("COMMIT");
    touched_.clear();
  }
  put_sequences_back();
  return true;
}

void Rewinder::put_back(const Table& table, const std::set<std::vector<std::string>>& keys) {
  std::vector<std::string> rows;
  for (const auto& key : keys) rows.push_back(row_of(session_, key));
  const std::string which = fmt::format("{} IN ({})", as_text(table.key), fmt::join(rows, ", "));
  session_.run(fmt::format("DELETE FROM {} WHERE {}", table.name, which));
  const auto before = image_.run(fmt::format("SELECT t::text FROM {} t WHERE {}", table.name, which));
  if (before.rows.empty()) return;
  std::vector<std::string> values, columns;
  for (const Row& row : before.rows)
    values.push_back(fmt::format("({}::{})", session_.quoted(row[0].value_or("")), table.name));
  for (const std::string& column : table.columns) columns.push_back("(r)." + column);
  session_.run(fmt::format("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM (VALUES {}) v(r)", table.name,
                           fmt::join(table.columns, ", "), fmt::join(columns, ", "), fmt::join(values, ", ")));
}

void Rewinder::put_sequences_back() {
  std::string sql;
  for (const auto& [name, state] : sequences(session_)) {
    const auto& was = sequences_.at(name);
    if (state != was) sql += fmt::format("SELECT setval({}, {}, {});", session_.quoted(name), was.last, was.called);
  }
  if (!sql.empty()) session_.run(sql);
}

bool Rewinder::verify() {
  const std::string tables =
      "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables WHERE schemaname NOT IN "
      "('pg_catalog', 'information_schema') ORDER BY 1";
  const auto here = session_.run(tables).rows;
  if (here != image_.run(tables).rows) return false;
  for (const Row& row : here) {
    const std::string digest = fmt::format(
        "SELECT md5(coalesce(string_agg(t::text, ' ' ORDER BY t::text), '')) FROM {} t", row[0].value_or(""));
    if (session_.value(digest) != image_.value(digest)) return false;
  }
  return sequences(session_) == sequences(image_);
}

}  // namespace rehearse::harness
