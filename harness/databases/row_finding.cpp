#include "harness/databases/row_finding.h"

namespace rehearse::harness {
namespace {

using Kind = properties::RowDifference::Kind;

// What a row without a key is called.
std::string row_text(const FoundRow& row) {
  std::string text;
  for (const auto& value : row.shown) text += (text.empty() ? "(" : ", ") + value.value_or("NULL");
  return text + ")";
}

RowFinding::Writer writer_of(const FoundRow& row) { return {row.writer, row.written_at, "", ""}; }

}  // namespace

std::string cell_name(const std::string& entity, const std::string& key, const std::string& column) {
  return entity + "\x1f" + key + "\x1f" + column;
}

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

void mask(const std::string& entity, const VolatileCells& volatile_cells, RowFinding& finding,
          std::map<std::string, std::int64_t>& masked) {
  if (finding.kind != Kind::changed) return;
  std::erase_if(finding.cells, [&](const RowFinding::Cell& cell) {
    const bool known = cell.left && cell.right && volatile_cells.contains(cell_name(entity, finding.key, cell.column));
    if (known) ++masked[cell.column];
    return known;
  });
}

void mask(const std::map<std::string, std::string>& columns, RowFinding& finding,
          std::map<std::string, std::int64_t>& masked) {
  if (finding.kind != Kind::changed) return;
  std::erase_if(finding.cells, [&](const RowFinding::Cell& cell) {
    const bool known = columns.contains(cell.column);
    if (known) ++masked[cell.column];
    return known;
  });
}

}  // namespace rehearse::harness
