#include "harness/databases/reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "harness/databases/server_version.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

// A type as its columns are read. What arrays and domains are made of is looked up as deep as their values go.
constexpr const char* types_query = R"(
  SELECT t.oid, coalesce(eb.typname, e.typname, t.typname), format_type(t.oid, -1), coalesce(eb.typtype, e.typtype, t.typtype),
         (e.oid IS NOT NULL)::int
  FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A' AND t.typlen = -1
  LEFT JOIN pg_type eb ON eb.oid = e.typbasetype AND e.typtype = 'd'
  WHERE t.oid = ANY ($1::oid[]))";

// The parts of a table that is partitioned or inherited from, with itself.
constexpr const char* blocks_query = R"(
  WITH RECURSIVE part(oid) AS (SELECT $1::regclass::oid
                               UNION SELECT i.inhrelid FROM pg_inherits i JOIN part ON i.inhparent = part.oid)
  SELECT max(pg_relation_size(part.oid) / current_setting('block_size')::int)::bigint,
         sum(greatest(c.reltuples, 0))::bigint, bool_or(c.reltuples > 0)
  FROM part JOIN pg_class c ON c.oid = part.oid)";

std::map<std::uint32_t, ValueType> types_of(const std::vector<std::uint32_t>& oids, BulkSession& session) {
  std::map<std::uint32_t, ValueType> types;
  for (const auto& row : session.text(types_query, {fmt::format("{{{}}}", fmt::join(oids, ","))})) {
    ValueType type{row[1].value_or(""), row[2].value_or(""), row[3].value_or("") == "e", row[4].value_or("") == "1"};
    types[static_cast<std::uint32_t>(std::stoul(row[0].value_or("0")))] = std::move(type);
  }
  return types;
}

bool has_form(const ValueType& type) {
  try {
    static_cast<void>(comparable(type, type, false));
    return true;
  } catch (const Error&) {
    return false;
  }
}

struct TableColumn {
  std::string name;
  std::uint32_t type = 0;
  bool generated = false;
};

std::vector<TableColumn> columns_of_table(const std::string& table, BulkSession& session) {
  std::vector<TableColumn> columns;
  for (const auto& row :
       session.text("SELECT attname, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, "
                    "(attgenerated <> '')::int FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
                    "WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped",
                    {table})) {
    columns.push_back({row[0].value_or(""), static_cast<std::uint32_t>(std::stoul(row[1].value_or("0"))),
                       row[2].value_or("") == "1"});
  }
  return columns;
}

// "customers" of "sales.customers" or "Customers".
std::string bare_name(const std::string& table, BulkSession& session) {
  return session.value("SELECT relname FROM pg_class WHERE oid = $1::regclass", {table});
}

void choose_table_columns(const Entity& entity, bool legacy_schema, const std::string& table,
                          const std::map<std::string, std::string>& ignored, BulkSession& session, Reading& reading) {
  std::map<std::string, std::string> words;  // this database's name → the mapping's
  for (const auto& [legacy, new_] : entity.columns) words[legacy_schema ? legacy : new_] = legacy;
  const std::string bare = bare_name(table, session);
  const auto all = columns_of_table(table, session);
  std::vector<std::uint32_t> oids;
  for (const TableColumn& column : all) oids.push_back(column.type);
  const auto types = types_of(oids, session);
  std::map<std::string, std::string> chosen;  // the mapping's word → expression
  for (const TableColumn& column : all) {
    const bool named = words.contains(column.name);
    if (ignored.contains(bare + "." + column.name)) continue;
    if (column.generated && !named) {
      reading.left_out.push_back(bare + "." + column.name);
      continue;
    }
    const std::string& word = named ? words.at(column.name) : column.name;
    const std::string name = quoted_identifier(column.name);
    // Text is a form that every type has; settings that it depends on are fixed.
    const auto type = types.find(column.type);
    const bool as_text = type == types.end() || !has_form(type->second);
    const bool taken =
        !chosen.emplace(word, name + (as_text ? "::text" : "") + " AS " + quoted_identifier(word)).second;
    if (taken)
      throw Error(
          fmt::format("entity {}: two columns of {} are called {}; mend its `columns`", entity.name, table, word));
  }
  for (const auto& [name, word] : words) {
    if (!chosen.contains(word))
      throw Error(fmt::format("entity {}: its `columns` name {}, which {} does not have or the mapping ignores",
                              entity.name, name, table));
  }
  std::vector<std::string> list;
  for (const auto& [word, expression] : chosen) list.push_back(expression);
  reading.query = fmt::format("SELECT {} FROM {}", fmt::join(list, ", "), table);
  reading.rows = fmt::format("SELECT {}, xmin FROM {}", fmt::join(list, ", "), table);
  reading.writer = "s.xmin";
}

// Of a table only, for a view has no blocks. Servers before 14 read the whole table for each part of it.
void find_blocks(const std::string& table, BulkSession& session, Reading& reading) {
  const auto rows = session.text(blocks_query, {table});
  const auto& row = rows.at(0);
  if (row[2].value_or("f") == "t") reading.expected_rows = std::stod(row[1].value_or("0"));
  if (!abilities_of(session.server_version()).reads_parts_of_tables) return;
  reading.table = table;
  reading.blocks = std::stoll(row[0].value_or("0"));
}

}  // namespace

std::string quoted_identifier(const std::string& name) {
  std::string quoted = "\"";
  for (const char c : name) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

bool is_table_name(const std::string& source) {
  return source.find_first_of(" \t\n(") == std::string::npos || source.front() == '"';
}

std::string Reading::part(std::int64_t begin, std::int64_t end) const {
  std::string text = around.first + query;
  if (begin > 0 || end >= 0) text += fmt::format(" WHERE ctid >= '({},0)'", begin);
  if (end >= 0) text += fmt::format(" AND ctid < '({},0)'", end);
  return text + around.second;
}

Reading reading_of(const Entity& entity, bool legacy_schema, const std::map<std::string, std::string>& ignored,
                   const std::string& label, BulkSession& session) {
  const std::string& source = legacy_schema ? entity.legacy : entity.new_;
  Reading reading;
  if (is_table_name(source)) {
    const std::string kind = session.value("SELECT relkind FROM pg_class WHERE oid = $1::regclass", {source});
    if (kind == "r" || kind == "p" || kind == "m") {
      choose_table_columns(entity, legacy_schema, source, ignored, session, reading);
      find_blocks(source, session, reading);
    } else {
      reading.query = "SELECT * FROM " + source;
    }
  } else {
    reading.query = source;
  }
  if (reading.rows.empty()) reading.rows = reading.query;
  std::vector<std::uint32_t> oids;
  auto given = session.columns_of(reading.query);
  std::vector<std::string> names;
  for (const auto& column : given) oids.push_back(column.type);
  const auto types = types_of(oids, session);
  for (const auto& column : given) {
    if (column.name == "xmin") {
      reading.writer = "s.xmin";
      continue;
    }
    if (std::find(names.begin(), names.end(), column.name) != names.end())
      throw Error(fmt::format("entity {}: its SELECT gives two columns called {}", entity.name, column.name));
    names.push_back(column.name);
    const auto type = types.find(column.type);
    reading.columns.push_back(
        {column.name, type == types.end() ? ValueType{"unknown", "unknown", false, false} : type->second});
  }
  if (names.size() != given.size()) {  // the writer is read for the rows that differ, and not with all of them
    std::vector<std::string> list;
    for (const std::string& name : names) list.push_back("s." + quoted_identifier(name));
    reading.query = fmt::format("SELECT {} FROM ({}) s", fmt::join(list, ", "), reading.query);
  }
  for (const std::string& name : entity.key) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end())
      throw Error(fmt::format("entity {}: its SELECT on the {} gives no column {}", entity.name, label, name));
    reading.key.push_back(static_cast<std::size_t>(found - names.begin()));
  }
  return reading;
}

}  // namespace rehearse::harness
