#include "reports/course_json.h"

#include "reports/members.h"

namespace rehearse::reports {
namespace {

json::value json_of(const DifferingRow& row) {
  json::array columns, writes;
  for (const RowColumn& column : row.columns)
    columns.push_back({{"column", text(column.column)}, {"left", text(column.left)}, {"right", text(column.right)}});
  for (const RowWrite& write : row.writes) {
    writes.push_back({{"database", text(write.database)},
                      {"transaction", write.transaction},
                      {"committed", text(write.committed)},
                      {"lsn", text(write.lsn)},
                      {"deleted", write.deleted}});
  }
  return {{"section", text(row.section)}, {"left", text(row.left)},        {"right", text(row.right)},
          {"entity", text(row.entity)},   {"key", text(row.key)},          {"only_in", text(row.only_in)},
          {"alerted", row.alerted},       {"columns", std::move(columns)}, {"writes", std::move(writes)},
          {"request", text(row.request)}, {"history", text(row.history)},  {"step", row.step}};
}

json::value json_of(const std::vector<ChangedNumber>& numbers) {
  json::array list;
  for (const ChangedNumber& number : numbers) {
    list.push_back({{"name", text(number.name)},
                    {"before", measured(number.before)},
                    {"now", measured(number.now)},
                    {"unit", text(number.unit)}});
  }
  return list;
}

std::vector<ChangedNumber> numbers_of(const json::array& list) {
  std::vector<ChangedNumber> numbers;
  for (const json::value& each : list) {
    const Members number(each, "a number that changed");
    numbers.push_back(
        {number.text("name"), number.number<double>("before"), number.number<double>("now"), number.text("unit")});
  }
  return numbers;
}

}  // namespace

json::value json_of(const std::vector<TimelineMark>& timeline) {
  json::array list;
  for (const TimelineMark& mark : timeline) {
    list.push_back({{"at_seconds", measured(mark.at_seconds)},
                    {"kind", text(mark.kind)},
                    {"text", text(mark.text)},
                    {"section", text(mark.section)}});
  }
  return list;
}

json::value json_of(const std::vector<DifferingRow>& rows) {
  json::array list;
  for (const DifferingRow& row : rows) list.push_back(json_of(row));
  return list;
}

json::value json_of(const std::optional<Since>& since) {
  if (!since) return nullptr;
  json::array findings, verdicts;
  for (const ChangedFinding& finding : since->findings) {
    findings.push_back({{"id", text(finding.id)},
                        {"state", text(finding.state)},
                        {"what", text(finding.what)},
                        {"text", text(finding.text)},
                        {"before", finding.before},
                        {"now", finding.now}});
  }
  for (const ChangedVerdict& verdict : since->verdicts) {
    verdicts.push_back(
        {{"section", text(verdict.section)}, {"before", text(verdict.before)}, {"now", text(verdict.now)}});
  }
  return {{"title", text(since->title)},
          {"started", text(since->started)},
          {"tool_version", text(since->tool_version)},
          {"verdict", name_of(since->verdict)},
          {"findings", std::move(findings)},
          {"verdicts", std::move(verdicts)},
          {"counts", json_of(since->counts)},
          {"latencies", json_of(since->latencies)}};
}

std::vector<TimelineMark> timeline_of(const json::array& list) {
  std::vector<TimelineMark> timeline;
  for (const json::value& each : list) {
    const Members mark(each, "a mark of the time line");
    timeline.push_back({mark.number<double>("at_seconds"), mark.text("kind"), mark.text("text"), mark.text("section")});
  }
  return timeline;
}

std::vector<DifferingRow> rows_of(const json::array& list) {
  std::vector<DifferingRow> rows;
  for (const json::value& each : list) {
    const Members members(each, "a row that differs");
    DifferingRow& row = rows.emplace_back();
    row.section = members.text("section");
    row.left = members.text("left");
    row.right = members.text("right");
    row.entity = members.text("entity");
    row.key = members.text("key");
    row.only_in = members.text("only_in");
    row.alerted = members.truth("alerted");
    for (const json::value& one : members.list("columns")) {
      const Members column(one, "a column that differs");
      row.columns.push_back({column.text("column"), column.text("left"), column.text("right")});
    }
    for (const json::value& one : members.list("writes")) {
      const Members write(one, "a write of a row");
      row.writes.push_back({write.text("database"), write.number<std::int64_t>("transaction"), write.text("committed"),
                            write.text("lsn"), write.truth("deleted")});
    }
    row.request = members.text("request");
    row.history = members.text("history");
    row.step = members.number<std::int64_t>("step");
  }
  return rows;
}

std::optional<Since> since_of(const json::value& value) {
  if (value.is_null()) return std::nullopt;
  const Members members(value, "what changed");
  Since since;
  since.title = members.text("title");
  since.started = members.text("started");
  since.tool_version = members.text("tool_version");
  since.verdict = members.verdict("verdict");
  for (const json::value& each : members.list("findings")) {
    const Members finding(each, "a finding that changed");
    since.findings.push_back({finding.text("id"), finding.text("state"), finding.text("what"), finding.text("text"),
                              finding.number<std::uint64_t>("before"), finding.number<std::uint64_t>("now")});
  }
  for (const json::value& each : members.list("verdicts")) {
    const Members verdict(each, "a verdict that changed");
    since.verdicts.push_back({verdict.text("section"), verdict.text("before"), verdict.text("now")});
  }
  since.counts = numbers_of(members.list("counts"));
  since.latencies = numbers_of(members.list("latencies"));
  return since;
}

}  // namespace rehearse::reports
