#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "harness/commands/commands.h"
#include "harness/databases/comparison.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using properties::Comparison;
using properties::RowDifference;

std::string in_words(const RowDifference& row) {
  const std::string name = fmt::format("{}/{}", row.entity, row.key);
  if (row.kind == RowDifference::Kind::only_left) return name + " is in the legacy database only";
  if (row.kind == RowDifference::Kind::only_right) return name + " is in the new database only";
  return fmt::format("{}.{}: legacy {}, new {}", name, row.column, row.left, row.right);
}

std::string as_json(const Comparison& comparison) {
  namespace json = boost::json;
  json::array rows;
  for (const RowDifference& row : comparison.rows) {
    rows.push_back(json::object{{"entity", row.entity},
                                {"key", row.key},
                                {"column", row.column},
                                {"legacy", row.left},
                                {"new", row.right},
                                {"kind", row.kind == RowDifference::Kind::changed     ? "changed"
                                         : row.kind == RowDifference::Kind::only_left ? "only legacy"
                                                                                      : "only new"}});
  }
  return json::serialize(json::object{{"rows_legacy", comparison.rows_left},
                                      {"rows_new", comparison.rows_right},
                                      {"differences", comparison.differences},
                                      {"problem", comparison.problem},
                                      {"rows", std::move(rows)}});
}

}  // namespace

int compare_databases(const std::string& config, bool json) {
  const Configuration configuration = load_configuration(config);
  const Comparison comparison =
      compare(configuration.entities,
              {configuration.legacy_database.dsn, "legacy database", true, &configuration.ignored_legacy_columns},
              {configuration.new_database.dsn, "new database", false, &configuration.ignored_new_columns});
  if (json) {
    fmt::print("{}\n", as_json(comparison));
  } else {
    constexpr std::size_t enough = 50;
    for (std::size_t i = 0; i < std::min(enough, comparison.rows.size()); ++i)
      fmt::print("{}\n", in_words(comparison.rows[i]));
    if (comparison.differences > static_cast<std::int64_t>(enough))
      fmt::print("... and {} more\n", comparison.differences - static_cast<std::int64_t>(enough));
    fmt::print("{} rows in the legacy database, {} in the new one, {} differences\n", comparison.rows_left,
               comparison.rows_right, comparison.differences);
  }
  if (!comparison.problem.empty()) {
    fmt::print(stderr, "not whole: {}\n", comparison.problem);
    return exit_unknown;
  }
  if (comparison.differences > 0) return exit_fail;
  if (comparison.rows_left + comparison.rows_right > 0) return exit_pass;
  fmt::print(stderr, "no rows on either side: that proves nothing\n");
  return exit_unknown;
}

}  // namespace rehearse::harness
