#include "harness/databases/database_pair.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <type_traits>

#include "harness/databases/bucket_pass.h"
#include "harness/databases/row_lookup.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using Kind = properties::RowDifference::Kind;

struct Sides {
  std::array<const FoundRows*, 2> rows;
  std::array<std::string, 2> labels;
};

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

// What of a row's difference does not count, as the oracle's two runs or the mapping say.
struct Masks {
  const VolatileCells* volatile_cells = nullptr;
  const std::map<std::string, std::string>* declared = nullptr;  // column → reason
};

void compare_rows(const std::set<KeyWords>& keys, const Sides& sides, const EntityColumns& columns, const Masks& masks,
                  EntityComparison& result) {
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
    if (differs && masks.volatile_cells != nullptr) mask(result.entity, *masks.volatile_cells, finding, result.masked);
    if (differs && masks.declared != nullptr) mask(*masks.declared, finding, result.masked);
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

// Takes columns out of what is compared.
void leave_out(const std::map<std::string, std::string>& masked, std::array<Reading, 2>& readings,
               EntityColumns& columns) {
  std::vector<std::size_t> kept;
  for (std::size_t c = 0; c < columns.names.size(); ++c) {
    if (!masked.contains(columns.names[c])) kept.push_back(c);
  }
  const auto keep = [&](auto& list) {
    std::remove_reference_t<decltype(list)> fewer;
    for (const std::size_t c : kept) fewer.push_back(std::move(list[c]));
    list = std::move(fewer);
  };
  for (std::size_t s = 0; s < 2; ++s) {
    Reading& reading = readings[s];
    std::vector<std::string> list;
    for (const std::size_t c : kept) list.push_back("s." + quoted_identifier(columns.names[c]));
    reading.around.first = fmt::format("SELECT {} FROM (", fmt::join(list, ", "));
    reading.around.second = ") s";
    for (std::size_t& key : reading.key)
      key = static_cast<std::size_t>(std::find(kept.begin(), kept.end(), key) - kept.begin());
    columns.sides[s].key = reading.key;
    keep(reading.columns);
    keep(columns.sides[s].forms);
    keep(columns.sides[s].identifies);
  }
  keep(columns.names);
}

}  // namespace

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
    restart();
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return result;
}

// A statement that failed ended the transactions; the next entity begins with new ones.
void DatabasePair::restart() noexcept {
  for (SideReader* side : {&left_, &right_}) {
    try {
      side->restart();
    } catch (const Error&) {  // whoever reads next is told
    }
  }
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
  const auto& names = prepared.columns.names;
  for (const auto& [column, reason] : entity.masked) {
    if (std::find(names.begin(), names.end(), column) == names.end())
      throw Error(fmt::format("entity {}: it masks {}, which is none of its columns ({})", entity.name, column,
                              fmt::join(names, ", ")));
  }
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

std::optional<EntityComparison> DatabasePair::compare_changed(const Entity& entity, const ChangedRows& rows) {
  const auto begun = std::chrono::steady_clock::now();
  EntityComparison result;
  result.entity = entity.name;
  result.strategy = "rows that changed";
  try {
    for (SideReader* reader : {&left_, &right_}) reader->renew();
    if (!prepared_.contains(entity.name)) prepared_[entity.name] = prepare(entity);
    const Prepared& prepared = prepared_[entity.name];
    const RowHasher hasher(options_.seed);
    std::map<KeyWords, KeyValues> wanted;
    for (const KeyWords& key : rows.known) wanted[key];
    for (std::size_t s = 0; s < 2; ++s) {
      for (const KeyValues& key : rows.keys[s]) {
        const auto element = key_element_of(prepared.columns.sides[s], hasher, key);
        if (!element) return std::nullopt;
        wanted[element->key] = key;
      }
    }
    look_at_changed(entity, prepared, wanted, result);
  } catch (const Error& problem) {
    result.problem = problem.what();
    restart();
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return result;
}

void DatabasePair::look_at_changed(const Entity& entity, const Prepared& prepared,
                                   const std::map<KeyWords, KeyValues>& wanted, EntityComparison& result) {
  const std::array<SideReader*, 2> readers{&left_, &right_};
  const RowHasher hasher(options_.seed);
  result.columns = prepared.columns.names;
  std::set<RowElement> elements;
  for (const auto& [key, values] : wanted) elements.insert({key, {}});
  std::array<std::multimap<KeyWords, RowElement>, 2> seen;
  for (std::size_t s = 0; s < 2; ++s) {
    seen[s] = RowLookup(prepared.readings[s], prepared.columns.sides[s], hasher, *readers[s], options_.stop)
                  .elements(elements, &wanted);
    result.rows[s] = static_cast<std::int64_t>(seen[s].size());
  }
  // Most are equal; only of the others everything is asked for.
  std::set<KeyWords> keys;
  std::erase_if(elements, [&](const RowElement& element) {
    const auto [left, left_end] = seen[0].equal_range(element.key);
    const auto [right, right_end] = seen[1].equal_range(element.key);
    const bool equal =
        std::distance(left, left_end) < 2 &&
        std::equal(left, left_end, right, right_end, [](const auto& a, const auto& b) { return a.second == b.second; });
    if (!equal) keys.insert(element.key);
    return equal;
  });
  std::array<FoundRows, 2> rows;
  for (std::size_t s = 0; s < 2 && !elements.empty(); ++s)
    rows[s] = RowLookup(prepared.readings[s], prepared.columns.sides[s], hasher, *readers[s], options_.stop)
                  .rows(elements, &wanted);
  const Sides both{{&rows[0], &rows[1]}, {left_.side().label, right_.side().label}};
  compare_rows(keys, both, prepared.columns, {nullptr, &entity.masked}, result);
  result.settled = 0;  // equal rows are nothing that had differed
}

void DatabasePair::look(const Entity& entity, const VolatileCells* masked, EntityComparison& result) {
  const std::array<SideReader*, 2> readers{&left_, &right_};
  const std::array<const Side*, 2> sides{&left_.side(), &right_.side()};
  for (SideReader* reader : readers) reader->renew_when_old();
  Prepared prepared = prepare(entity);
  prepared_[entity.name] = prepared;
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
  EntityPass pass = pass_over(entity, columns, readings, readers, options_);
  result.strategy = pass.strategy;
  if (!pass.difference.complete && !entity.masked.empty()) {
    // Masked columns may differ in every row: then the rest is compared without them, and of them it is known that they differ.
    const std::int64_t rows_that_differ = pass.difference.at_least / 2;
    leave_out(entity.masked, prepared.readings, prepared.columns);
    pass = pass_over(entity, columns, readings, readers, options_);
    for (const auto& [column, reason] : entity.masked) result.masked[column] = rows_that_differ;
    result.masked_at_least = true;
  }
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
      compare_rows(keys, both, columns, {masked, &entity.masked}, result);
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

}  // namespace rehearse::harness
