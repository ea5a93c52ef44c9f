#include "harness/databases/changed_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <utility>

#include "harness/databases/written_rows.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

namespace json = boost::json;

// Nodes that give a row of their outer side for a row of it, or none, or several: none that counts, orders out or merges rows.
const std::set<std::string, std::less<>> passing_nodes{"Seq Scan",
                                                       "Index Scan",
                                                       "Index Only Scan",
                                                       "Bitmap Heap Scan",
                                                       "Bitmap Index Scan",
                                                       "BitmapAnd",
                                                       "BitmapOr",
                                                       "Tid Scan",
                                                       "Tid Range Scan",
                                                       "Subquery Scan",
                                                       "Nested Loop",
                                                       "Hash Join",
                                                       "Merge Join",
                                                       "Hash",
                                                       "Sort",
                                                       "Incremental Sort",
                                                       "Materialize",
                                                       "Memoize",
                                                       "Append",
                                                       "Merge Append",
                                                       "Gather",
                                                       "Gather Merge",
                                                       "Result"};

struct Plan {
  std::vector<std::string> relations;  // quoted; one that is read twice stands twice
  std::string other_node;              // one that is none of the above
};

void walk(const json::value& node, Session& session, Plan& plan) {
  if (const auto* array = node.if_array()) {
    for (const auto& item : *array) walk(item, session, plan);
  } else if (const auto* object = node.if_object()) {
    const auto text = [&](const char* name) {
      const auto* value = object->if_contains(name);
      return value == nullptr || !value->is_string() ? std::string() : std::string(value->as_string());
    };
    if (const std::string type = text("Node Type"); !type.empty() && !passing_nodes.contains(type))
      plan.other_node = type;
    if (const std::string relation = text("Relation Name"); !relation.empty())
      plan.relations.push_back(session.quoted_name(text("Schema")) + "." + session.quoted_name(relation));
    for (const auto& member : *object) walk(member.value(), session, plan);
  }
}

struct Table {
  std::string name;  // as the log calls it
  bool logged = false;
  std::set<std::string> identity;  // columns that the log tells of a row that was there before
};

// The table with its partitions and those that inherit from it.
std::vector<Table> family_of(const std::string& table, Session& session) {
  std::vector<Table> family;
  for (const Row& row : session
                            .run(fmt::format(R"(
  WITH RECURSIVE part(oid) AS (SELECT {}::regclass::oid
                               UNION SELECT i.inhrelid FROM pg_inherits i JOIN part ON i.inhparent = part.oid)
  SELECT format('%I.%I', n.nspname, c.relname), c.relkind IN ('r', 'p') AND c.relpersistence = 'p', a.attname
  FROM part JOIN pg_class c ON c.oid = part.oid JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_index i ON i.indrelid = c.oid AND (CASE c.relreplident WHEN 'd' THEN i.indisprimary
                                                                      WHEN 'i' THEN i.indisreplident ELSE false END)
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                              AND (c.relreplident = 'f' OR a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
  ORDER BY 1)",
                                             session.quoted(table)))
                            .rows) {
    if (family.empty() || family.back().name != row[0].value_or("")) family.push_back({*row[0], row[1] == "t", {}});
    if (row[2]) family.back().identity.insert(*row[2]);
  }
  return family;
}

// A function that may read what no plan shows: every one that is not the server's own, and those of its own that are volatile.
std::optional<std::string> reading_function(const std::string& plan, Session& session) {
  const Rows functions = session.run(
      "SELECT DISTINCT proname FROM pg_proc WHERE prokind = 'f' AND (pronamespace <> 'pg_catalog'::regnamespace OR "
      "provolatile = 'v')");
  for (const Row& row : functions.rows) {
    const std::string call = session.quoted_name(row[0].value_or("")), bare = row[0].value_or("");
    for (const std::string& name : {bare, call}) {
      for (auto at = plan.find(name + "("); at != std::string::npos; at = plan.find(name + "(", at + 1)) {
        const char before = at == 0 ? ' ' : plan[at - 1];
        if (std::isalnum(static_cast<unsigned char>(before)) == 0 && before != '_') return bare;
      }
    }
  }
  return std::nullopt;
}

std::optional<KeyValues> key_in(const std::vector<LoggedColumn>& columns, const std::vector<std::string>& names) {
  KeyValues key;
  for (const std::string& name : names) {
    const auto column =
        std::find_if(columns.begin(), columns.end(), [&](const LoggedColumn& one) { return one.name == name; });
    if (column == columns.end() || column->unchanged) return std::nullopt;
    key.push_back(column->value);
  }
  return key;
}

}  // namespace

ChangedKeys::ChangedKeys(const std::string& dsn, const std::string& what, bool legacy_schema,
                         std::vector<Entity> entities)
    : legacy_schema_(legacy_schema), entities_(std::move(entities)), session_(dsn, what), log_(dsn, what) {
  marks_ = marks_of(session_);
  learn();
}

void ChangedKeys::learn() {
  catalogue_ = catalogue();
  readings_.clear();
  for (const Entity& entity : entities_) readings_.push_back(reading_of(entity));
}

// Everything that DDL leaves behind of what an entity can read. Temporary tables come and go with sessions, and nobody maps them.
std::string ChangedKeys::catalogue() {
  return session_.value(R"(
  WITH kept AS (SELECT oid FROM pg_class WHERE oid >= 16384 AND relpersistence <> 't' AND relkind IN ('r', 'p', 'v', 'm', 'f'))
  SELECT count(*) || ':' || coalesce(sum(hashtextextended(one, 0)), 0) FROM (
    SELECT format('c %s %s %s', c.oid, c.relfilenode, c.xmin) FROM pg_class c JOIN kept USING (oid)
    UNION ALL SELECT format('a %s %s %s', a.attrelid, a.attnum, a.xmin) FROM pg_attribute a JOIN kept ON kept.oid = a.attrelid
    UNION ALL SELECT format('r %s %s', r.oid, r.xmin) FROM pg_rewrite r JOIN kept ON kept.oid = r.ev_class
    UNION ALL SELECT format('i %s %s %s', i.inhrelid, i.inhparent, i.xmin) FROM pg_inherits i
    UNION ALL SELECT format('x %s %s', x.indexrelid, x.xmin) FROM pg_index x JOIN kept ON kept.oid = x.indrelid
    UNION ALL SELECT format('p %s %s', oid, xmin) FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT format('e %s %s', oid, xmin) FROM pg_enum
    UNION ALL SELECT format('t %s %s', oid, xmin) FROM pg_type WHERE oid >= 16384 AND typtype IN ('d', 'e')) catalogue (one))");
}

ChangedKeys::Reading ChangedKeys::reading_of(const Entity& entity) {
  Reading reading;
  reading.entity = entity.name;
  const std::string select = select_of(entity, legacy_schema_, session_);
  const std::string text = session_.value("EXPLAIN (VERBOSE, FORMAT JSON) " + select);
  Plan plan;
  walk(json::parse(text), session_, plan);
  std::map<std::string, int> times;
  for (const std::string& relation : plan.relations) {
    const auto family = family_of(relation, session_);
    const auto self = std::find_if(family.begin(), family.end(), [&](const Table& table) {
      return session_.value("SELECT " + session_.quoted(table.name) + "::regclass = " + session_.quoted(relation) +
                            "::regclass") == "t";
    });
    if (self == family.end())
      throw Error(fmt::format("entity {}: its plan names {}, which is gone", entity.name, relation));
    if (!self->logged) reading.whole = fmt::format("{} is in no commit log", self->name);
    reading.tables.insert(self->name);
    ++times[self->name];
  }
  if (const auto function = reading_function(text, session_)) {
    reading.anything = true;
    reading.whole = fmt::format("it calls {}, which may read anything", *function);
  }
  // A table that is in no log changes without a word.
  if (!plan.other_node.empty() && reading.whole.empty())
    reading.whole = fmt::format("its plan has a node {}, in which rows lose themselves", plan.other_node);
  if (!reading.whole.empty()) return reading;

  const auto rows = session_.run("SELECT * FROM (" + select + ") AS asked LIMIT 0");
  const auto origins = session_.origins(select);
  std::string table;
  for (const std::string& name : entity.key) {
    const auto at =
        static_cast<std::size_t>(std::find(rows.columns.begin(), rows.columns.end(), name) - rows.columns.begin());
    if (at >= origins.size() || origins[at].table.empty() || (!table.empty() && table != origins[at].table)) {
      reading.whole = "its key is not made of columns of one table";
      return reading;
    }
    table = origins[at].table;
    reading.key.push_back(origins[at].column);
  }
  if (table.empty()) {
    reading.whole = "its rows have no key";
    return reading;
  }
  for (const Table& member : family_of(table, session_)) {
    if (!member.logged) reading.whole = fmt::format("{} is in no commit log", member.name);
    if (times[member.name] > 1) reading.whole = fmt::format("it reads {} more than once", member.name);
    for (const std::string& column : reading.key) {
      if (!member.identity.contains(column))
        reading.whole = fmt::format("the replica identity of {} does not hold {}", member.name, column);
    }
    reading.keyed.insert(member.name);
    reading.tables.insert(member.name);
  }
  if (!reading.whole.empty()) reading.keyed.clear();
  return reading;
}

ChangedKeys::Taken ChangedKeys::take() {
  Taken taken;
  const Marks before = std::exchange(marks_, marks_of(session_));
  if (taken.proved_by = silence_between(before, marks_); !taken.proved_by.empty()) return taken;
  taken.proved_by = "commit log";
  CommitLog::Reader reader;
  reader.change = [&](const LoggedChange& change) { add(change, taken); };
  const std::int64_t barrier = log_.read(reader);
  // As a watch does: what came behind the marks is looked at again, but for our own transaction.
  marks_.wal.clear();
  marks_.next = marks_.next == barrier ? barrier + 1 : 0;
  const auto make_whole = [&](const Reading& reading, const std::string& why) {
    EntityChange& change = taken.entities[reading.entity];
    change = {true, why, {}};
  };
  for (const Reading& reading : readings_) {
    // No log has it, so that only silence proves that nothing changed.
    if (reading.whole.ends_with("in no commit log")) make_whole(reading, reading.whole);
  }
  if (catalogue() != catalogue_) {
    learn();
    for (const Reading& reading : readings_) make_whole(reading, "the catalogue changed");
  }
  return taken;
}

void ChangedKeys::add(const LoggedChange& change, Taken& taken) const {
  std::optional<LoggedRow> row;
  for (const Reading& reading : readings_) {
    const std::string table(change.table);
    const bool truncated = change.kind == LoggedChange::Kind::truncate;
    if (!truncated && !reading.anything && !reading.tables.contains(table)) continue;
    EntityChange& entity = taken.entities[reading.entity];
    if (entity.whole) continue;
    const auto make_whole = [&](std::string why) { entity = {true, std::move(why), {}}; };
    if (truncated) {
      make_whole("a table was truncated");
    } else if (!reading.keyed.contains(table)) {
      make_whole(reading.whole.empty() ? fmt::format("{} changed, whose rows do not tell which of its rows did", table)
                                       : reading.whole);
    } else {
      if (!row) row = row_in(change.line);
      if (!row) throw Error("the commit log holds a row that is not understood");
      const auto key = key_in(row->columns, reading.key);
      const auto old = row->old_key.empty() ? key : key_in(row->old_key, reading.key);
      if (!key || !old) {
        make_whole(fmt::format("the log does not hold the key of a row of {}", table));
        continue;
      }
      entity.keys.insert(*key);
      entity.keys.insert(*old);
      if (entity.keys.size() > max_changed_keys)
        make_whole(fmt::format("more than {} of its rows changed", max_changed_keys));
    }
  }
}

}  // namespace rehearse::harness
