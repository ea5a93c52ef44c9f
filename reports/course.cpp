#include "reports/course.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <iterator>
#include <map>

#include "properties/checks/facts.h"
#include "properties/write_order.h"

namespace rehearse::reports {
namespace {

using properties::Comparison;
using properties::Evidence;
using properties::Mark;
using replay::History;
using replay::Outcome;
using replay::Record;

std::string_view name_of(Mark::Kind kind) {
  switch (kind) {
    case Mark::Kind::section:
      return "section";
    case Mark::Kind::flip:
      return "flip";
    case Mark::Kind::fault:
      return "fault";
    case Mark::Kind::copy:
      return "copy";
    case Mark::Kind::error:
      break;
  }
  return "error";
}

constexpr std::int64_t second_ns = 1'000'000'000;

// Requests of one play that got no answer for the same reason.
struct Unanswered {
  std::int64_t first_ns = 0, last_ns = 0;  // wall clock
  std::uint64_t requests = 0;
  std::string what;  // "lost: no answer within 10000 ms"
};

std::vector<Unanswered> unanswered_of(const History& history) {
  std::vector<const Record*> records;
  for (const Record& record : history.records) {
    if (record.outcome != Outcome::answered) records.push_back(&record);
  }
  std::sort(records.begin(), records.end(), [](const auto* a, const auto* b) { return a->done_ns < b->done_ns; });
  std::vector<Unanswered> all;
  std::map<std::string, std::size_t> open;  // the last one for each reason
  for (const Record* record : records) {
    const std::string what = fmt::format("{}: {}", replay::name_of(record->outcome), record->problem);
    const std::int64_t at = history.began_ns + record->done_ns;
    const auto last = open.find(what);
    if (last != open.end() && at - all[last->second].last_ns <= second_ns) {
      all[last->second].last_ns = at;
      ++all[last->second].requests;
    } else {
      open[what] = all.size();
      all.push_back({at, at, 1, what});
    }
  }
  return all;
}

std::string moment(std::int64_t ns) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(ns / second_ns)),
                     ns / 1'000'000 % 1'000);
}

std::vector<RowWrite> writes_of(const properties::Section& section, const Comparison& comparison,
                                const properties::RowDifference& row) {
  std::vector<RowWrite> writes;
  for (const auto& [store, database] : {std::pair("legacy", "legacy database"), std::pair("new", "new database")}) {
    const auto log = section.logs.find(store);
    if (log == section.logs.end() || !log->second.known) continue;
    if (comparison.left != database && comparison.right != database) continue;
    if (const auto* write = properties::last_write(log->second, row.entity, row.key))
      writes.push_back(
          {database, write->transaction, moment(write->committed_ns), write->lsn, write->image == "deleted"});
  }
  return writes;
}

DifferingRow row_of(const Evidence& evidence, const properties::Section& section, const Comparison& comparison,
                    const properties::RowDifference& first) {
  DifferingRow row;
  row.section = section.name;
  row.left = comparison.left;
  row.right = comparison.right;
  row.entity = first.entity;
  row.key = first.key;
  if (first.kind == properties::RowDifference::Kind::only_left) row.only_in = comparison.left;
  if (first.kind == properties::RowDifference::Kind::only_right) row.only_in = comparison.right;
  row.alerted = properties::named_by_alert(evidence, section, first);
  row.writes = writes_of(section, comparison, first);
  const History* history = evidence.history(section.played);
  if (const Record* writer = properties::writer_of(section, history, first)) {
    row.request = replay::curl_line(*writer, history->target);
    row.history = history->name;
    row.step = writer->step;
  }
  return row;
}

}  // namespace

void tell_time_line(const Evidence& evidence, Report& report) {
  if (evidence.began_ns == 0) return;
  const auto since_start = [&](std::int64_t ns) {
    return static_cast<double>(std::max<std::int64_t>(0, ns - evidence.began_ns)) / 1e9;
  };
  for (const Mark& mark : evidence.timeline)
    report.timeline.push_back({since_start(mark.at_ns), std::string(name_of(mark.kind)), mark.text, mark.section});
  const auto section_at = [&](std::int64_t ns) {
    std::string section;
    for (const Mark& mark : evidence.timeline) {
      if (mark.kind == Mark::Kind::section && mark.at_ns <= ns) section = mark.text;
    }
    return section;
  };
  for (const auto& [name, history] : evidence.histories) {
    for (const Unanswered& run : unanswered_of(history)) {
      report.timeline.push_back({since_start(run.first_ns), "error",
                                 fmt::format("{} request{} {}", run.requests, run.requests == 1 ? "" : "s", run.what),
                                 section_at(run.first_ns)});
    }
  }
  std::stable_sort(report.timeline.begin(), report.timeline.end(),
                   [](const TimelineMark& a, const TimelineMark& b) { return a.at_seconds < b.at_seconds; });
}

double end_of(const Report& report) {
  double end = 0;
  for (const TimelineMark& mark : report.timeline) {
    end = std::max(end, mark.at_seconds);
    if (mark.kind != "section") continue;
    for (const Section& section : report.sections) {
      if (section.name == mark.text) end = std::max(end, mark.at_seconds + section.seconds);
    }
  }
  return end;
}

void list_rows(const Evidence& evidence, Report& report) {
  std::vector<DifferingRow> rows, alerted;
  for (const properties::Section& section : evidence.sections) {
    for (const auto& [name, comparison] : section.comparisons) {
      const std::size_t listed = rows.size() + alerted.size();
      for (std::size_t i = 0; i < comparison.rows.size();) {
        const properties::RowDifference& first = comparison.rows[i];
        const std::size_t begin = i;
        // The columns of a row stand together.
        while (i < comparison.rows.size() && comparison.rows[i].kind == first.kind &&
               comparison.rows[i].entity == first.entity && comparison.rows[i].key == first.key)
          ++i;
        // Looking for the writer reads bodies; rows that nobody will see need none.
        if (rows.size() + alerted.size() - listed >= max_rows) {
          ++report.more_rows;
          continue;
        }
        DifferingRow row = row_of(evidence, section, comparison, first);
        if (row.only_in.empty()) {
          for (std::size_t k = begin; k < i; ++k)
            row.columns.push_back({comparison.rows[k].column, comparison.rows[k].left, comparison.rows[k].right});
        }
        (row.alerted ? alerted : rows).push_back(std::move(row));
      }
    }
  }
  std::move(alerted.begin(), alerted.end(), std::back_inserter(rows));
  if (rows.size() > max_rows) {
    report.more_rows += rows.size() - max_rows;
    rows.resize(max_rows);
  }
  report.rows = std::move(rows);
}

}  // namespace rehearse::reports
