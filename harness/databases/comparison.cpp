#include "harness/databases/comparison.h"

#include <fmt/format.h>

#include <algorithm>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

using properties::Comparison;
using properties::RowDifference;
using Kind = RowDifference::Kind;

// A rehearsal masks what is volatile, which may be many rows: its tables grow up to this many before it gives up.
constexpr std::size_t most_differences = 1'000'000;

std::string in_print(const std::optional<std::string>& value) { return value.value_or("NULL"); }

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

}  // namespace

RoomyPair::RoomyPair(const Side& left, const Side& right) : left_(left), right_(right) {
  pair_.emplace(left, right, options_);
}

EntityComparison RoomyPair::compare(const Entity& entity, const VolatileCells* masked) {
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

void add(const EntityComparison& found, Comparison& comparison) {
  if (comparison.problem.empty()) comparison.problem = found.problem;
  comparison.rows_left += found.rows[0];
  comparison.rows_right += found.rows[1];
  for (const auto& [column, count] : found.masked) {
    comparison.masked += count;
    comparison.masked_columns[found.entity + "." + column] += count;
  }
  for (RowDifference& row : as_evidence(found)) {
    ++comparison.differences;
    if (comparison.rows.size() < properties::max_row_differences) comparison.rows.push_back(std::move(row));
  }
}

Comparison compare(const std::vector<Entity>& entities, const Side& left, const Side& right,
                   const VolatileCells* masked) {
  Comparison comparison;
  comparison.left = left.label;
  comparison.right = right.label;
  comparison.decided_by = "every row";
  if (entities.empty()) comparison.problem = "the configuration maps no entities";
  try {
    RoomyPair pair(left, right);
    for (const Entity& entity : entities) {
      add(pair.compare(entity, masked), comparison);
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
