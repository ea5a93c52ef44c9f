#include "harness/databases/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "harness/databases/row_lookup.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using properties::Comparison;
using properties::RowDifference;
using Kind = RowDifference::Kind;

// A rehearsal masks what is volatile, which may be many rows: its tables grow up to this many before it gives up.
constexpr std::size_t most_differences = 1'000'000;

std::string in_print(const std::optional<std::string>& value) { return value.value_or("NULL"); }

// What a row without a key is called.
std::string row_text(const FoundRow& row) {
  std::string text;
  for (const auto& value : row.shown) text += (text.empty() ? "(" : ", ") + in_print(value);
  return text + ")";
}

struct Sides {
  std::array<const FoundRows*, 2> rows;
  std::array<std::string, 2> labels;
};

RowFinding::Writer writer_of(const FoundRow& row) { return {row.writer, row.written_at}; }

RowFinding only_on(std::size_t side, const FoundRow& row, const EntityColumns& columns) {
  RowFinding finding;
  finding.kind = side == 0 ? Kind::only_left : Kind::only_right;
  finding.key = row.key.empty() ? row_text(row) : key_text(row.key);
  finding.key_values = row.key;
  (side == 0 ? finding.left : finding.right) = writer_of(row);
  for (std::size_t c = 0; c < columns.names.size(); ++c) {
    finding.cells.push_back({columns.names[c], {}, {}});
    (side == 0 ? finding.cells.back().left : finding.cells.back().right) = row.shown[c];
  }
  return finding;
}

RowFinding changed(const FoundRow& left, const FoundRow& right, const EntityColumns& columns) {
  RowFinding finding;
  finding.key = key_text(left.key);
  finding.key_values = left.key;
  finding.left = writer_of(left);
  finding.right = writer_of(right);
  for (std::size_t c = 0; c < columns.names.size(); ++c) {
    if (left.values[c] != right.values[c]) finding.cells.push_back({columns.names[c], left.shown[c], right.shown[c]});
  }
  return finding;
}

// Takes the volatile values out of a change and counts them.
void mask(const std::string& entity, const VolatileCells& volatile_cells, RowFinding& finding,
          std::map<std::string, std::int64_t>& masked) {
  if (finding.kind != Kind::changed) return;
  std::erase_if(finding.cells, [&](const RowFinding::Cell& cell) {
    const bool known = cell.left && cell.right && volatile_cells.contains(cell_name(entity, finding.key, cell.column));
    if (known) ++masked[cell.column];
    return known;
  });
}

// Rows without a key: those that the one side holds more often.
void count_rows(const DifferenceTable::Difference& difference, const Sides& sides, const EntityColumns& columns,
                EntityComparison& result) {
  for (const auto& found : difference.found) {
    const std::size_t side = found.times > 0 ? 0 : 1;
    const auto& rows = *sides.rows[side];
    const auto row = std::find_if(rows.begin(), rows.end(),
                                  [&](const auto& entry) { return entry.second.element.hash == found.element.hash; });
    if (row == rows.end()) {
      result.problem = fmt::format("entity {}: a row of the {} that differs was gone when it was read again",
                                   result.entity, sides.labels[side]);
      continue;
    }
    RowFinding finding = only_on(side, row->second, columns);
    finding.times = std::abs(found.times);
    result.differences += finding.times;
    result.findings.push_back(std::move(finding));
  }
}

void compare_rows(const std::set<KeyWords>& keys, const Sides& sides, const EntityColumns& columns,
                  const VolatileCells* masked, EntityComparison& result) {
  for (const KeyWords& key : keys) {
    std::array<const FoundRow*, 2> rows{};
    bool twice = false;
    for (std::size_t s = 0; s < 2; ++s) {
      const auto [first, last] = sides.rows[s]->equal_range(key);
      if (first != last) rows[s] = &first->second;
      if (std::distance(first, last) > 1) {
        twice = true;
        result.problem =
            fmt::format("entity {}: the key {} stands in more than one row of the {}; name more columns in `key`",
                        result.entity, key_text(first->second.key), sides.labels[s]);
      }
    }
    if (twice) {
      ++result.differences;
      continue;
    }
    if (rows[0] == nullptr && rows[1] == nullptr) {
      ++result.settled;
      continue;
    }
    RowFinding finding = rows[0] == nullptr   ? only_on(1, *rows[1], columns)
                         : rows[1] == nullptr ? only_on(0, *rows[0], columns)
                                              : changed(*rows[0], *rows[1], columns);
    finding.key_words = key;
    const bool differs = !finding.cells.empty();
    if (differs && masked != nullptr) mask(result.entity, *masked, finding, result.masked);
    if (finding.cells.empty()) {
      result.settled += !differs;
      continue;
    }
    ++result.differences;
    result.findings.push_back(std::move(finding));
  }
}

// The keys of rows that were written since the first of several snapshots: a row that moved from a part that was not read yet
// into one that had been read was seen by nobody.
void add_written_since(const SideReader& reader, const Reading& reading, const SideColumns& columns,
                       const RowHasher& hasher, BulkSession& session, std::size_t limit, std::set<RowElement>& wanted) {
  if (reader.snapshots() < 2) return;
  if (columns.key.empty())
    throw Error("rows without a key cannot be compared while they are written for longer than a snapshot is held");
  std::vector<std::string> names;
  for (const std::size_t c : columns.key) names.push_back("s." + quoted_identifier(reading.columns[c].name));
  const std::uint32_t since = static_cast<std::uint32_t>(std::stoull(reader.first_xmin()));
  RowCodec codec(columns, hasher);
  session.copy(fmt::format("SELECT {} FROM ({}) s WHERE age({}) <= age('{}'::xid)", fmt::join(names, ", "),
                           reading.rows, reading.writer, since),
               names.size(),
               [&](const BinaryRow& row) {
                 wanted.insert(codec.key_element(row));
                 if (wanted.size() > limit)
                   throw Error(
                       fmt::format("more than {} rows were written while the table was read; compare when less is "
                                   "written, or allow longer snapshots",
                                   limit));
               },
               {});
}

std::vector<RowDifference> as_evidence(const EntityComparison& entity) {
  std::vector<RowDifference> rows;
  for (const RowFinding& finding : entity.findings) {
    if (finding.kind != Kind::changed) {
      for (std::int64_t i = 0; i < finding.times; ++i)
        rows.push_back({finding.kind, entity.entity, finding.key, "", "", ""});
      continue;
    }
    for (const auto& cell : finding.cells)
      rows.push_back(
          {finding.kind, entity.entity, finding.key, cell.column, in_print(cell.left), in_print(cell.right)});
  }
  return rows;
}

// Compares entity by entity, with more room where more differs: what is volatile may differ in every row of a play.
class RoomyPair {
 public:
  RoomyPair(const Side& left, const Side& right) : left_(left), right_(right) { pair_.emplace(left, right, options_); }

  EntityComparison compare(const Entity& entity, const VolatileCells* masked) {
    EntityComparison result = pair_->compare(entity, masked);
    while (result.at_least && options_.max_differences < most_differences) {
      options_.max_differences *= 10;
      pair_.emplace(left_, right_, options_);
      result = pair_->compare(entity, masked);
    }
    if (result.at_least && result.problem.empty())
      result.problem =
          fmt::format("entity {}: at least {} rows differ, too many to be told apart", entity.name, result.differences);
    return result;
  }

 private:
  Side left_, right_;
  PassOptions options_;
  std::optional<DatabasePair> pair_;
};

}  // namespace

std::string cell_name(const std::string& entity, const std::string& key, const std::string& column) {
  return entity + "\x1f" + key + "\x1f" + column;
}

DatabasePair::DatabasePair(const Side& left, const Side& right, const PassOptions& options)
    : left_(left, options.connections, options.snapshot_limit, options.now),
      right_(right, options.connections, options.snapshot_limit, options.now),
      options_(options) {}

EntityComparison DatabasePair::compare(const Entity& entity, const VolatileCells* masked) {
  EntityComparison result;
  result.entity = entity.name;
  const auto begun = std::chrono::steady_clock::now();
  try {
    look(entity, masked, result);
  } catch (const Error& problem) {
    result.problem = problem.what();
    try {  // a statement that failed ended the transactions; the next entity begins with new ones
      for (SideReader* side : {&left_, &right_}) side->restart();
    } catch (const Error&) {
    }
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return result;
}

DatabasePair::Prepared DatabasePair::prepare(const Entity& entity) {
  const std::array<SideReader*, 2> readers{&left_, &right_};
  const std::array<const Side*, 2> sides{&left_.side(), &right_.side()};
  static const std::map<std::string, std::string> none;
  Prepared prepared;
  for (std::size_t s = 0; s < 2; ++s)
    prepared.readings[s] =
        reading_of(entity, sides[s]->legacy_schema, sides[s]->ignored_columns ? *sides[s]->ignored_columns : none,
                   sides[s]->label, readers[s]->leader());
  prepared.columns = paired_columns(entity, {&prepared.readings[0], &prepared.readings[1]}, sides);
  return prepared;
}

std::map<KeyWords, DatabasePair::SecondLook> DatabasePair::look_again(const Entity& entity,
                                                                      const std::set<KeyWords>& keys) {
  const std::array<SideReader*, 2> readers{&left_, &right_};
  for (SideReader* reader : readers) reader->renew();
  const Prepared prepared = prepare(entity);
  const RowHasher hasher(options_.seed);
  std::set<RowElement> wanted;
  for (const KeyWords& key : keys) wanted.insert({key, {}});
  std::array<FoundRows, 2> rows;
  for (std::size_t s = 0; s < 2; ++s)
    rows[s] =
        RowLookup(prepared.readings[s], prepared.columns.sides[s], hasher, *readers[s], options_.stop).rows(wanted);
  std::map<KeyWords, SecondLook> looks;
  for (const KeyWords& key : keys) {
    SecondLook& look = looks[key];
    std::array<const FoundRow*, 2> found{};
    for (std::size_t s = 0; s < 2; ++s) {
      const auto [first, last] = rows[s].equal_range(key);
      if (std::distance(first, last) > 1)
        throw Error(
            fmt::format("entity {}: the key {} stands in more than one row", entity.name, key_text(first->second.key)));
      if (first != last) found[s] = &first->second;
      if (found[s] != nullptr) look.image = look.image * 31 + found[s]->element.hash[0];
    }
    if (found[0] != nullptr && found[1] != nullptr) {
      RowFinding finding = changed(*found[0], *found[1], prepared.columns);
      if (!finding.cells.empty()) look.finding = std::move(finding);
      if (found[0]->age && found[1]->age) look.age = std::min(*found[0]->age, *found[1]->age);
    } else if (found[0] != nullptr || found[1] != nullptr) {
      look.finding =
          only_on(found[0] != nullptr ? 0 : 1, found[0] != nullptr ? *found[0] : *found[1], prepared.columns);
    }
    if (look.finding) look.finding->key_words = key;
  }
  return looks;
}

void DatabasePair::look(const Entity& entity, const VolatileCells* masked, EntityComparison& result) {
  const std::array<SideReader*, 2> readers{&left_, &right_};
  const std::array<const Side*, 2> sides{&left_.side(), &right_.side()};
  for (SideReader* reader : readers) reader->renew_when_old();
  const Prepared prepared = prepare(entity);
  const auto& [held, columns] = prepared;
  const std::array<const Reading*, 2> readings{&held[0], &held[1]};
  for (std::size_t s = 0; s < 2; ++s) {
    for (const std::string& column : held[s].left_out)
      result.notes.push_back(fmt::format("{} of the {} is generated and not compared", column, sides[s]->label));
  }
  result.columns = columns.names;
  std::array<std::optional<double>, 2> before;
  for (std::size_t s = 0; s < 2 && options_.cost; ++s) {
    const auto begun = readers[s]->server_seconds();
    static_cast<void>(readers[s]->leader().value(
        fmt::format("SELECT count(*) FROM {}", held[s].table.empty() ? "(" + held[s].query + ") s" : held[s].table)));
    before[s] = readers[s]->server_seconds();
    if (begun && before[s]) result.count_seconds[s] = *before[s] - *begun;
  }
  const auto begun = std::chrono::steady_clock::now();
  const EntityPass pass = full_pass(entity, columns, readings, readers, options_);
  result.pass_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  result.rows = pass.rows;
  result.bytes = pass.bytes;
  result.planted = pass.planted;
  result.planted_found = pass.planted_found;
  result.at_least = !pass.difference.complete;

  const RowHasher hasher(options_.seed);
  std::set<RowElement> wanted;
  for (const auto& found : pass.difference.found) wanted.insert(found.element);
  for (std::size_t s = 0; s < 2; ++s) {
    result.snapshots[s] = readers[s]->snapshots();
    add_written_since(*readers[s], held[s], columns.sides[s], hasher, readers[s]->leader(),
                      2 * options_.max_differences, wanted);
  }
  if (!wanted.empty()) {
    std::array<FoundRows, 2> rows;
    for (std::size_t s = 0; s < 2; ++s)
      rows[s] = RowLookup(held[s], columns.sides[s], hasher, *readers[s], options_.stop).rows(wanted);
    const Sides both{{&rows[0], &rows[1]}, {sides[0]->label, sides[1]->label}};
    if (columns.sides[0].key.empty()) {
      count_rows(pass.difference, both, columns, result);
    } else {
      std::set<KeyWords> keys;
      for (const RowElement& element : wanted) keys.insert(element.key);
      compare_rows(keys, both, columns, masked, result);
    }
  }
  for (std::size_t s = 0; s < 2 && options_.cost; ++s) {
    const auto after = readers[s]->server_seconds();
    if (before[s] && after) result.server_seconds[s] = *after - *before[s];
  }
  if (result.at_least) {
    // A changed row is two elements of the table.
    const std::int64_t certain = std::max((pass.difference.at_least + 1) / 2, std::abs(pass.rows[0] - pass.rows[1]));
    result.differences = std::max(result.differences, certain);
  } else if (result.planted_found != result.planted && result.problem.empty()) {
    result.problem = fmt::format("entity {}: the comparison did not find {} of {} rows that it had altered itself",
                                 entity.name, result.planted - result.planted_found, result.planted);
  }
}

Comparison compare(const std::vector<Entity>& entities, const Side& left, const Side& right,
                   const VolatileCells* masked) {
  Comparison comparison;
  comparison.left = left.label;
  comparison.right = right.label;
  if (entities.empty()) comparison.problem = "the configuration maps no entities";
  try {
    RoomyPair pair(left, right);
    for (const Entity& entity : entities) {
      const EntityComparison found = pair.compare(entity, masked);
      if (comparison.problem.empty()) comparison.problem = found.problem;
      comparison.rows_left += found.rows[0];
      comparison.rows_right += found.rows[1];
      for (const auto& [column, count] : found.masked) {
        comparison.masked += count;
        comparison.masked_columns[entity.name + "." + column] += count;
      }
      for (RowDifference& row : as_evidence(found)) {
        ++comparison.differences;
        if (comparison.rows.size() < properties::max_row_differences) comparison.rows.push_back(std::move(row));
      }
    }
  } catch (const Error& problem) {
    comparison.problem = problem.what();
  }
  return comparison;
}

VolatileCells differing_cells(const std::vector<Entity>& entities, const Side& left, const Side& right) {
  VolatileCells cells;
  RoomyPair pair(left, right);
  for (const Entity& entity : entities) {
    const EntityComparison found = pair.compare(entity, nullptr);
    if (!found.problem.empty()) throw Error(found.problem);
    for (const RowFinding& finding : found.findings) {
      if (finding.kind != Kind::changed) continue;
      for (const auto& cell : finding.cells) cells.insert(cell_name(entity.name, finding.key, cell.column));
    }
  }
  return cells;
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
      const std::string& source = legacy_schema ? entity->legacy : entity->new_;
      const bool renamed = is_table_name(source) && !legacy_schema && entity->columns.contains(sequence.column);
      return session.number(
          fmt::format("SELECT coalesce(max({}), 0) FROM {} entity",
                      session.quoted_name(renamed ? entity->columns.at(sequence.column) : sequence.column),
                      is_table_name(source) ? source : "(" + source + ")"));
    };
    spaces.push_back({sequence.entity, next(legacy, sequence.legacy), next(new_, sequence.new_), top(legacy, true),
                      top(new_, false)});
  }
  return spaces;
}

}  // namespace rehearse::harness
