#include "harness/commands/comparison_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <numeric>

#include "harness/commands/commands.h"
#include "reports/escape.h"

namespace rehearse::harness {
namespace {

namespace json = boost::json;
using Kind = properties::RowDifference::Kind;

// Rows of an entity that are listed for a person; a machine gets all of them.
constexpr std::size_t listed = 50;

std::string shown(const std::optional<std::string>& value) {
  constexpr std::size_t enough = 200;
  if (!value) return "NULL";
  const std::string text = reports::terminal_escape(reports::valid_utf8(*value));
  return std::string(reports::first_columns(text, enough)) + (reports::columns_of(text) > enough ? "..." : "");
}

std::string written_by(const char* side, const RowFinding::Writer& writer) {
  if (writer.transaction.empty()) return "";
  return fmt::format("\n      {} row written by transaction {}{}{}{}", side, writer.transaction,
                     writer.committed_at.empty() ? "" : ", committed at " + writer.committed_at,
                     writer.lsn.empty() ? "" : ", LSN " + writer.lsn,
                     writer.request.empty() ? "" : "\n        by " + shown(writer.request));
}

std::string in_words(const std::string& entity, const RowFinding& finding) {
  const std::string name = fmt::format("{}/{}", entity, shown(finding.key));
  const std::string times = finding.times == 1 ? "" : fmt::format(" ({} times)", finding.times);
  std::string text;
  if (finding.kind == Kind::only_left) {
    text = fmt::format("    {} is in the legacy database only{}", name, times);
  } else if (finding.kind == Kind::only_right) {
    text = fmt::format("    {} is in the new database only{}", name, times);
  } else {
    for (const auto& cell : finding.cells)
      text += fmt::format("{}    {}.{}: legacy {}, new {}", text.empty() ? "" : "\n", name, cell.column,
                          shown(cell.left), shown(cell.right));
  }
  return text + written_by("legacy", finding.left) + written_by("new", finding.right) + "\n";
}

std::string cost_in_words(const EntityComparison& entity) {
  std::string text;
  for (std::size_t s = 0; s < 2; ++s) {
    const char* side = s == 0 ? "legacy" : "new";
    if (!entity.server_seconds[s]) continue;
    text += fmt::format("    {} server: {:.2f} s of CPU", side, *entity.server_seconds[s]);
    if (entity.count_seconds[s] && *entity.count_seconds[s] > 0)
      text += fmt::format(", {:.1f} times that of count(*)", *entity.server_seconds[s] / *entity.count_seconds[s]);
    text += '\n';
  }
  return text;
}

std::string in_words(const EntityComparison& entity) {
  std::string text = fmt::format("  {}: {} rows legacy, {} new, {}\n", entity.entity, entity.rows[0], entity.rows[1],
                                 !entity.problem.empty() ? "not proved"
                                 : entity.at_least       ? fmt::format("at least {} rows differ", entity.differences)
                                 : entity.rows[0] + entity.rows[1] == 0 ? std::string("nothing to compare")
                                 : entity.differences == 0              ? std::string("equal")
                                                           : fmt::format("{} rows differ", entity.differences));
  if (!entity.problem.empty()) text += fmt::format("    {}\n", reports::terminal_escape(entity.problem));
  for (std::size_t i = 0; i < std::min(listed, entity.findings.size()); ++i)
    text += in_words(entity.entity, entity.findings[i]);
  if (entity.findings.size() > listed)
    text += fmt::format("    ... and {} more; --json lists them\n", entity.findings.size() - listed);
  if (entity.live) {
    const auto& live = *entity.live;
    text += fmt::format("    {} rows that differed have settled, {} diverged, {} are hot, {} in flight\n", live.settled,
                        live.diverged, live.hot, live.in_flight);
    if (live.settled > 0)
      text +=
          fmt::format("    settled within {} ms (half), {} ms (99 of 100), {} ms (all)\n",
                      live.times.within(0.5)->count(), live.times.within(0.99)->count(), live.times.within(1)->count());
  }
  for (const auto& [column, count] : entity.masked)
    text += fmt::format("    {}: {}{} values differ and are masked\n", column,
                        entity.masked_at_least ? "at least " : "", count);
  for (const std::string& note : entity.notes) text += fmt::format("    {}\n", note);
  if (!entity.strategy.empty() && entity.strategy != "full") text += fmt::format("    strategy: {}\n", entity.strategy);
  return text + cost_in_words(entity);
}

json::value optional(const std::optional<std::string>& value) {
  return value ? json::value(reports::valid_utf8(*value)) : json::value(nullptr);
}

json::object of_writer(const RowFinding::Writer& writer) {
  return {{"transaction", writer.transaction},
          {"committed_at", writer.committed_at},
          {"lsn", writer.lsn},
          {"request", reports::valid_utf8(writer.request)}};
}

json::object of(const EntityComparison& entity, const RowFinding& finding) {
  json::object row{{"entity", entity.entity}, {"key", reports::valid_utf8(finding.key)}};
  row["kind"] = finding.kind == Kind::changed     ? "changed"
                : finding.kind == Kind::only_left ? "only legacy"
                                                  : "only new";
  row["times"] = finding.times;
  json::array columns;
  for (const auto& cell : finding.cells)
    columns.push_back(
        json::object{{"column", cell.column}, {"legacy", optional(cell.left)}, {"new", optional(cell.right)}});
  row["columns"] = std::move(columns);
  row["written_legacy"] = of_writer(finding.left);
  row["written_new"] = of_writer(finding.right);
  return row;
}

json::object of(const EntityComparison& entity) {
  json::object made{{"entity", entity.entity},
                    {"rows_legacy", entity.rows[0]},
                    {"rows_new", entity.rows[1]},
                    {"bytes_legacy", entity.bytes[0]},
                    {"bytes_new", entity.bytes[1]},
                    {"differences", entity.differences},
                    {"at_least", entity.at_least},
                    {"settled", entity.settled},
                    {"snapshots_legacy", entity.snapshots[0]},
                    {"snapshots_new", entity.snapshots[1]},
                    {"planted", entity.planted},
                    {"planted_found", entity.planted_found},
                    {"seconds", entity.seconds},
                    {"pass_seconds", entity.pass_seconds},
                    {"problem", entity.problem},
                    {"strategy", entity.strategy},
                    {"masked_at_least", entity.masked_at_least}};
  json::object masked;
  for (const auto& [column, count] : entity.masked) masked[column] = count;
  made["masked"] = std::move(masked);
  if (entity.live) {
    json::array times;
    for (const auto time : entity.live->times.sorted) times.push_back(time.count());
    made["live"] = json::object{{"settled", entity.live->settled},
                                {"diverged", entity.live->diverged},
                                {"hot", entity.live->hot},
                                {"in_flight", entity.live->in_flight},
                                {"settling_ms", std::move(times)}};
  }
  made["columns"] = json::array(entity.columns.begin(), entity.columns.end());
  made["notes"] = json::array(entity.notes.begin(), entity.notes.end());
  const char* const names[2][2] = {{"server_cpu_legacy", "count_cpu_legacy"}, {"server_cpu_new", "count_cpu_new"}};
  for (std::size_t s = 0; s < 2; ++s) {
    if (entity.server_seconds[s]) made[names[s][0]] = *entity.server_seconds[s];
    if (entity.count_seconds[s]) made[names[s][1]] = *entity.count_seconds[s];
  }
  return made;
}

}  // namespace

std::int64_t DatabaseVerdict::rows(std::size_t side) const {
  return std::accumulate(entities.begin(), entities.end(), std::int64_t{0},
                         [&](std::int64_t sum, const auto& entity) { return sum + entity.rows[side]; });
}

std::int64_t DatabaseVerdict::differences() const {
  return std::accumulate(entities.begin(), entities.end(), std::int64_t{0},
                         [](std::int64_t sum, const auto& entity) { return sum + entity.differences; });
}

bool DatabaseVerdict::at_least() const {
  return std::any_of(entities.begin(), entities.end(), [](const auto& entity) { return entity.at_least; });
}

int DatabaseVerdict::status() const {
  if (interrupted) return exit_interrupted;
  const bool numbered =
      std::all_of(sequences.begin(), sequences.end(), [](const auto& sequence) { return sequence.problem.empty(); });
  if (differences() > 0 || !numbered || !constraints.broken.empty()) return exit_fail;
  const bool proved = unmapped.empty() && problems.empty() && constraints.problem.empty() && rows(0) + rows(1) > 0 &&
                      std::all_of(entities.begin(), entities.end(),
                                  [](const auto& entity) { return entity.problem.empty() && !entity.at_least; });
  return proved ? exit_pass : exit_unknown;
}

std::string as_text(const DatabaseVerdict& verdict) {
  std::string text = fmt::format("seed {}\n", verdict.seed);
  for (const EntityComparison& entity : verdict.entities) text += in_words(entity);
  for (const auto& sequence : verdict.sequences)
    text += fmt::format("  sequence of {} ({}): next {} legacy, {} new; largest in use {} and {}{}\n", sequence.entity,
                        sequence.rule, sequence.legacy_next, sequence.new_next, sequence.legacy_max, sequence.new_max,
                        sequence.problem.empty() ? "" : ": " + sequence.problem);
  for (const auto& broken : verdict.constraints.broken)
    text += fmt::format("  {} rows of {} in the new database break {} ({})\n", broken.rows, broken.table, broken.name,
                        broken.definition);
  if (verdict.constraints.looked_at > 0 && verdict.constraints.broken.empty() && verdict.constraints.problem.empty())
    text += fmt::format("  {} constraints of the new database hold\n", verdict.constraints.looked_at);
  if (!verdict.unmapped.empty()) text += fmt::format("  not proved: {}\n", verdict.unmapped);
  if (!verdict.constraints.problem.empty()) text += fmt::format("  not proved: {}\n", verdict.constraints.problem);
  for (const std::string& problem : verdict.problems)
    text += fmt::format("  not proved: {}\n", reports::terminal_escape(problem));
  for (const std::string& note : verdict.notes) text += fmt::format("  {}\n", reports::terminal_escape(note));
  if (verdict.rows(0) + verdict.rows(1) == 0 && !verdict.interrupted)
    text += "  not proved: there are no rows on either side\n";
  const int status = verdict.status();
  text += fmt::format("{}: {} rows in the legacy database, {} in the new one, {}{} differ ({:.1f} s)\n",
                      status == exit_pass          ? "equal"
                      : status == exit_fail        ? "different"
                      : status == exit_interrupted ? "interrupted"
                                                   : "unknown",
                      verdict.rows(0), verdict.rows(1), verdict.at_least() ? "at least " : "", verdict.differences(),
                      verdict.seconds);
  return text;
}

std::string as_json(const DatabaseVerdict& verdict) {
  json::array entities, rows, sequences, broken;
  for (const EntityComparison& entity : verdict.entities) {
    entities.push_back(of(entity));
    for (const RowFinding& finding : entity.findings) rows.push_back(of(entity, finding));
  }
  for (const auto& sequence : verdict.sequences)
    sequences.push_back(json::object{{"entity", sequence.entity},
                                     {"rule", sequence.rule},
                                     {"legacy_next", sequence.legacy_next},
                                     {"new_next", sequence.new_next},
                                     {"legacy_max", sequence.legacy_max},
                                     {"new_max", sequence.new_max},
                                     {"problem", sequence.problem}});
  for (const auto& one : verdict.constraints.broken)
    broken.push_back(
        json::object{{"table", one.table}, {"name", one.name}, {"definition", one.definition}, {"rows", one.rows}});
  json::array problems(verdict.problems.begin(), verdict.problems.end());
  for (const std::string& problem : {verdict.unmapped, verdict.constraints.problem}) {
    if (!problem.empty()) problems.push_back(json::string(problem));
  }
  const int status = verdict.status();
  return json::serialize(json::object{{"verdict", status == exit_pass          ? "equal"
                                                  : status == exit_fail        ? "different"
                                                  : status == exit_interrupted ? "interrupted"
                                                                               : "unknown"},
                                      {"seed", verdict.seed},
                                      {"rows_legacy", verdict.rows(0)},
                                      {"rows_new", verdict.rows(1)},
                                      {"differences", verdict.differences()},
                                      {"at_least", verdict.at_least()},
                                      {"seconds", verdict.seconds},
                                      {"ignored_columns", verdict.ignored_columns},
                                      {"problems", std::move(problems)},
                                      {"notes", json::array(verdict.notes.begin(), verdict.notes.end())},
                                      {"entities", std::move(entities)},
                                      {"sequences", std::move(sequences)},
                                      {"constraints", verdict.constraints.looked_at},
                                      {"broken_constraints", std::move(broken)},
                                      {"rows", std::move(rows)}});
}

}  // namespace rehearse::harness
