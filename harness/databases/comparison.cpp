#include "harness/databases/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "replay/error.h"
#include "replay/values.h"

namespace rehearse::harness {
namespace {

using properties::Comparison;
using properties::RowDifference;
using Table = std::unordered_map<std::string, const Row*>;

std::string select_of(const Entity& entity, bool legacy_schema) {
  const std::string& text = legacy_schema ? entity.legacy : entity.new_;
  return text.find(' ') == std::string::npos ? "SELECT * FROM " + text : text;
}

std::vector<std::size_t> key_columns(const Entity& entity, const Rows& rows, const std::string& label) {
  std::vector<std::size_t> indices;
  for (const std::string& name : entity.key) {
    const auto found = std::find(rows.columns.begin(), rows.columns.end(), name);
    if (found == rows.columns.end())
      throw Error(fmt::format("entity {}: its SELECT on the {} gives no column {}", entity.name, label, name));
    indices.push_back(static_cast<std::size_t>(found - rows.columns.begin()));
  }
  return indices;
}

// The key as reports print it. A comma or backslash in a value of a key of several columns is escaped: no two keys print alike.
std::string key_of(const Row& row, const std::vector<std::size_t>& columns) {
  if (columns.size() == 1) return row[columns[0]].value_or("NULL");
  std::string key;
  for (std::size_t column : columns) {
    if (column != columns.front()) key += ',';
    for (const char c : row[column].value_or("NULL"))
      key += c == ',' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  }
  return key;
}

Table by_key(const Entity& entity, const Rows& rows, const std::string& label) {
  Table table;
  table.reserve(rows.rows.size());
  const auto columns = key_columns(entity, rows, label);
  for (const Row& row : rows.rows) {
    if (!table.emplace(key_of(row, columns), &row).second) {
      throw Error(fmt::format("entity {}: the key {} stands in more than one row of the {}", entity.name,
                              key_of(row, columns), label));
    }
  }
  return table;
}

using Visit = std::function<void(RowDifference)>;

// The side's rows, its identifiers in the other side's words.
Rows rows_of(const Entity& entity, const Side& side) {
  Rows rows = side.session->run(select_of(entity, side.legacy_schema));
  if (side.pairs == nullptr || side.pairs->empty()) return rows;
  const auto keys = key_columns(entity, rows, side.label);
  for (std::size_t c = 0; c < rows.columns.size(); ++c) {
    const std::string& column = rows.columns[c];
    const bool key = std::find(keys.begin(), keys.end(), c) != keys.end();
    if (!properties::names_an_identifier(column) && !key) continue;
    std::string of = replay::entity_name(column);
    if (of.empty()) of = replay::entity_name(entity.name);  // "id" is the entity's own
    for (Row& row : rows.rows) {
      if (!row[c]) continue;
      if (const std::string* expected = side.pairs->identifier_for(of, *row[c])) row[c] = *expected;
    }
  }
  return rows;
}

// Calls `visit` for each difference of one entity; returns the row counts of both sides.
std::pair<std::int64_t, std::int64_t> compare_entity(const Entity& entity, const Side& left, const Side& right,
                                                     const Visit& visit) {
  const Rows left_rows = rows_of(entity, left);
  const Rows right_rows = rows_of(entity, right);
  if (left_rows.columns != right_rows.columns) {
    throw Error(fmt::format("entity {}: its SELECTs give different columns ({} in the {}, {} in the {})", entity.name,
                            fmt::join(left_rows.columns, ", "), left.label, fmt::join(right_rows.columns, ", "),
                            right.label));
  }
  const Table left_table = by_key(entity, left_rows, left.label);
  const Table right_table = by_key(entity, right_rows, right.label);
  const auto left_columns = key_columns(entity, left_rows, left.label);
  for (const Row& row : left_rows.rows) {  // in the server's order, so that a report is the same every time
    const std::string key = key_of(row, left_columns);
    const auto found = right_table.find(key);
    if (found == right_table.end()) {
      visit({RowDifference::Kind::only_left, entity.name, key, "", "", ""});
      continue;
    }
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (row[c] == (*found->second)[c]) continue;
      visit({RowDifference::Kind::changed, entity.name, key, left_rows.columns[c], row[c].value_or("NULL"),
             (*found->second)[c].value_or("NULL")});
    }
  }
  const auto right_columns = key_columns(entity, right_rows, right.label);
  for (const Row& row : right_rows.rows) {
    const std::string key = key_of(row, right_columns);
    if (!left_table.contains(key)) visit({RowDifference::Kind::only_right, entity.name, key, "", "", ""});
  }
  return {static_cast<std::int64_t>(left_rows.rows.size()), static_cast<std::int64_t>(right_rows.rows.size())};
}

// The names of the tables that a SELECT reads, from the planner itself.
void add_tables_of(const std::string& select, Session& session, std::set<std::string>& tables) {
  const Rows plan = session.run("EXPLAIN (VERBOSE, FORMAT JSON) " + select);
  const std::string text = plan.rows.at(0).at(0).value_or("");
  constexpr std::string_view label = "\"Relation Name\": \"";
  for (auto at = text.find(label); at != std::string::npos; at = text.find(label, at + 1)) {
    const auto begin = at + label.size();
    tables.insert(text.substr(begin, text.find('"', begin) - begin));
  }
}

}  // namespace

std::string cell_name(const std::string& entity, const std::string& key, const std::string& column) {
  return entity + "\x1f" + key + "\x1f" + column;
}

Comparison compare(const std::vector<Entity>& entities, const Side& left, const Side& right,
                   const VolatileCells* masked) {
  Comparison comparison;
  comparison.left = left.label;
  comparison.right = right.label;
  if (entities.empty()) comparison.problem = "the configuration maps no entities";
  try {
    for (const Entity& entity : entities) {
      const auto [rows_left, rows_right] = compare_entity(entity, left, right, [&](RowDifference difference) {
        const bool known = masked != nullptr && difference.kind == RowDifference::Kind::changed &&
                           difference.left != "NULL" && difference.right != "NULL" &&
                           masked->contains(cell_name(entity.name, difference.key, difference.column));
        if (known) {
          ++comparison.masked;
          ++comparison.masked_columns[entity.name + "." + difference.column];
          return;
        }
        ++comparison.differences;
        if (comparison.rows.size() < properties::max_row_differences) comparison.rows.push_back(std::move(difference));
      });
      comparison.rows_left += rows_left;
      comparison.rows_right += rows_right;
    }
  } catch (const Error& problem) {
    comparison.problem = problem.what();
  }
  return comparison;
}

VolatileCells differing_cells(const std::vector<Entity>& entities, const Side& left, const Side& right) {
  VolatileCells cells;
  for (const Entity& entity : entities) {
    compare_entity(entity, left, right, [&](const RowDifference& difference) {
      if (difference.kind == RowDifference::Kind::changed)
        cells.insert(cell_name(entity.name, difference.key, difference.column));
    });
  }
  return cells;
}

std::vector<std::string> unmapped_tables(const std::vector<Entity>& entities, const Side& side,
                                         const std::map<std::string, std::string>& ignored) {
  std::set<std::string> mapped;
  for (const Entity& entity : entities) add_tables_of(select_of(entity, side.legacy_schema), *side.session, mapped);
  std::vector<std::string> left_over;
  // The planner names the partitions that it reads, never the table that they are parts of.
  const Rows tables = side.session->run(
      "SELECT c.relname, part.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
      "LEFT JOIN LATERAL pg_partition_tree(c.oid) tree ON c.relkind = 'p' LEFT JOIN pg_class part ON part.oid = "
      "tree.relid "
      "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition "
      "AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 1");
  for (const Row& row : tables.rows) {
    if (mapped.contains(row[1].value_or(""))) mapped.insert(row[0].value_or(""));
  }
  for (const Row& row : tables.rows) {
    const std::string name = row[0].value_or("");
    if (mapped.contains(name) || ignored.contains(name)) continue;
    if (left_over.empty() || left_over.back() != name) left_over.push_back(name);
  }
  return left_over;
}

std::vector<properties::IdSpace> id_spaces(const Configuration& configuration, Session& legacy, Session& new_) {
  std::vector<properties::IdSpace> spaces;
  for (const Sequence& sequence : configuration.sequences) {
    const auto entity = std::find_if(configuration.entities.begin(), configuration.entities.end(),
                                     [&](const Entity& e) { return e.name == sequence.entity; });
    const auto next = [](Session& session, const std::string& name) {
      return session.number("SELECT last_value + CASE WHEN is_called THEN 1 ELSE 0 END FROM " + name);
    };
    const auto top = [&](Session& session, bool legacy_schema) {
      return session.number(fmt::format("SELECT coalesce(max({}), 0) FROM ({}) entity",
                                        session.quoted_name(sequence.column), select_of(*entity, legacy_schema)));
    };
    spaces.push_back({sequence.entity, next(legacy, sequence.legacy), next(new_, sequence.new_), top(legacy, true),
                      top(new_, false)});
  }
  return spaces;
}

}  // namespace rehearse::harness
