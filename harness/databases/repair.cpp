#include "harness/databases/repair.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/databases/reading.h"

namespace rehearse::harness {
namespace {

using Kind = properties::RowDifference::Kind;

std::string literal(const std::optional<std::string>& value) {
  if (!value) return "NULL";
  const bool escapes = value->find('\\') != std::string::npos;
  std::string text = escapes ? " E'" : "'";
  for (const char c : *value) {
    if (c == '\'' || c == '\\') text += c;
    text += c;
  }
  return text + "'";
}

class Statements {
 public:
  explicit Statements(const Entity& entity) : entity_(entity) {}

  std::string of(const RowFinding& finding) const {
    if (!is_table_name(entity_.new_))
      return fmt::format("-- {}/{}: the mapping reads it by a SELECT; repair it by hand\n", one_line(entity_.name),
                         one_line(finding.key));
    if (entity_.key.empty())
      return fmt::format("-- {}: a row without a key cannot be told from its copies; repair it by hand\n",
                         one_line(entity_.name));
    return finding.kind == Kind::changed     ? update(finding)
           : finding.kind == Kind::only_left ? insert(finding)
                                             : remove(finding);
  }

 private:
  static std::string one_line(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    return text;
  }

  // The new table's name of a column.
  std::string column(const std::string& word) const {
    const auto renamed = entity_.columns.find(word);
    return quoted_identifier(renamed == entity_.columns.end() ? word : renamed->second);
  }

  // As text, for not every type knows equality; the settings make it the text that was seen.
  std::string is(const std::string& word, const std::optional<std::string>& value) const {
    return fmt::format("{}::text IS NOT DISTINCT FROM {}", column(word), literal(value));
  }

  std::string key_is(const RowFinding& finding) const {
    std::vector<std::string> parts;
    for (std::size_t k = 0; k < entity_.key.size(); ++k) {
      const auto& value = finding.key_values[k];
      parts.push_back(value ? fmt::format("{} = {}", column(entity_.key[k]), literal(value))
                            : column(entity_.key[k]) + " IS NULL");
    }
    return fmt::format("{}", fmt::join(parts, " AND "));
  }

  std::string update(const RowFinding& finding) const {
    std::vector<std::string> set, guard;
    for (const auto& cell : finding.cells) {
      set.push_back(fmt::format("{} = {}", column(cell.column), literal(cell.left)));
      guard.push_back(is(cell.column, cell.right));
    }
    return fmt::format("UPDATE {} SET {} WHERE {} AND {};\n", entity_.new_, fmt::join(set, ", "), key_is(finding),
                       fmt::join(guard, " AND "));
  }

  std::string insert(const RowFinding& finding) const {
    std::vector<std::string> columns, values;
    for (const auto& cell : finding.cells) {
      columns.push_back(column(cell.column));
      values.push_back(literal(cell.left));
    }
    return fmt::format(
        "INSERT INTO {0} ({1}) OVERRIDING SYSTEM VALUE SELECT {2} WHERE NOT EXISTS (SELECT FROM {0} WHERE {3});\n",
        entity_.new_, fmt::join(columns, ", "), fmt::join(values, ", "), key_is(finding));
  }

  std::string remove(const RowFinding& finding) const {
    std::vector<std::string> guard;
    for (const auto& cell : finding.cells) guard.push_back(is(cell.column, cell.right));
    return fmt::format("DELETE FROM {} WHERE {} AND {};\n", entity_.new_, key_is(finding), fmt::join(guard, " AND "));
  }

  const Entity& entity_;
};

}  // namespace

std::string repair_header() {
  return "-- Makes the new database equal to the legacy one, row by row, where nothing has changed since they were "
         "compared.\n"
         "-- Read it before you run it.\n"
         "BEGIN;\n"
         "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'iso_8601';\n"
         "SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'; SET LOCAL lc_monetary = 'C';\n";
}

std::string repair_footer() { return "COMMIT;\n"; }

std::string repair_sql(const Entity& entity, const EntityComparison& comparison) {
  const Statements statements(entity);
  std::string sql;
  if (comparison.at_least) sql += fmt::format("-- {}: more rows differ than are told apart here\n", entity.name);
  for (const RowFinding& finding : comparison.findings) sql += statements.of(finding);
  return sql;
}

}  // namespace rehearse::harness
