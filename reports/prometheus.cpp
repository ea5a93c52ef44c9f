#include "reports/prometheus.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "reports/escape.h"

namespace rehearse::reports {
namespace {

using properties::Verdict;
using Labels = std::initializer_list<std::pair<std::string_view, std::string>>;

constexpr std::array verdicts{Verdict::pass, Verdict::unknown, Verdict::fail};

// What stands between the quotes of a label: \ " and line ends are escaped there, and nothing else may be.
std::string label(std::string_view text) {
  std::string out;
  for (const char c : valid_utf8(text)) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? "\\n" : std::string(1, c);
  }
  return out;
}

class Metrics {
 public:
  void family(std::string_view name, std::string_view help) {
    out_ += fmt::format("# HELP {0} {1}\n# TYPE {0} gauge\n", name, help);
    name_ = name;
    seen_.clear();
  }
  void sample(Labels labels, double value) {
    std::string named;
    for (const auto& [key, text] : labels)
      named += fmt::format("{}{}=\"{}\"", named.empty() ? "" : ",", key, label(text));
    // A series may stand only once.
    if (!seen_.insert(named).second) return;
    out_ += named.empty() ? fmt::format("{} {:.15g}\n", name_, value)
                          : fmt::format("{}{{{}}} {:.15g}\n", name_, named, std::isfinite(value) ? value : 0);
  }
  [[nodiscard]] std::string text() && { return std::move(out_); }

 private:
  std::string out_, name_;
  std::set<std::string> seen_;
};

// Seconds since the epoch of "2026-03-01T08:00:00Z"; 0 when it is none.
double moment(const std::string& text) {
  int year = 0;
  unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (std::sscanf(text.c_str(), "%4d-%2u-%2uT%2u:%2u:%2uZ", &year, &month, &day, &hour, &minute, &second) != 6)
    return 0;
  // Days since 1970-01-01 of a date of the Gregorian calendar, years beginning in March.
  const int shifted = year - (month <= 2 ? 1 : 0);
  const int era = (shifted >= 0 ? shifted : shifted - 399) / 400;
  const auto of_era = static_cast<unsigned>(shifted - era * 400);
  const unsigned of_year = (153 * (month + (month > 2 ? -3U : 9U)) + 2) / 5 + day - 1;
  const unsigned days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
  return (era * 146097.0 + days - 719468.0) * 86400 + hour * 3600.0 + minute * 60.0 + second;
}

// The sections by name, in their order.
std::vector<Section> by_name(const Report& report) {
  std::vector<Section> sections;
  std::map<std::string, std::size_t> at;
  for (const Section& section : report.sections) {
    const auto [known, fresh] = at.try_emplace(section.name, sections.size());
    if (fresh) {
      sections.push_back(section);
      continue;
    }
    Section& first = sections[known->second];
    first.verdict = properties::worst(first.verdict, section.verdict);
    first.answered += section.answered;
    first.refused += section.refused;
    first.lost += section.lost;
    first.differed += section.differed;
    first.findings += section.findings;
    first.seconds += section.seconds;
  }
  return sections;
}

void write_sections(const Report& report, Metrics& metrics) {
  const auto sections = by_name(report);
  metrics.family("rehearse_section_verdict", "1 for the verdict of a stage or edge, 0 for the other two.");
  for (const Section& section : sections) {
    for (const Verdict verdict : verdicts)
      metrics.sample({{"section", section.name}, {"kind", section.kind}, {"verdict", std::string(name_of(verdict))}},
                     section.verdict == verdict ? 1 : 0);
  }
  metrics.family("rehearse_section_requests", "Requests that were sent in a stage or edge, by what became of them.");
  for (const Section& section : sections) {
    for (const auto& [outcome, count] : {std::pair("answered", section.answered), std::pair("refused", section.refused),
                                         std::pair("lost", section.lost)})
      metrics.sample({{"section", section.name}, {"outcome", outcome}}, static_cast<double>(count));
  }
  metrics.family("rehearse_section_answers_differed", "Answers that differ from the oracle's.");
  for (const Section& section : sections)
    metrics.sample({{"section", section.name}}, static_cast<double>(section.differed));
  metrics.family("rehearse_section_findings", "Violations of invariants in a stage or edge.");
  for (const Section& section : sections)
    metrics.sample({{"section", section.name}}, static_cast<double>(section.findings));
  metrics.family("rehearse_section_service_seconds", "Service time of requests, by quantile.");
  for (const Section& section : sections) {
    if (section.p50_ms <= 0) continue;
    metrics.sample({{"section", section.name}, {"quantile", "0.5"}}, section.p50_ms / 1000);
    metrics.sample({{"section", section.name}, {"quantile", "0.99"}}, section.p99_ms / 1000);
  }
}

void write_latencies(const Report& report, Metrics& metrics) {
  metrics.family("rehearse_route_service_seconds", "Service time of a route, legacy and new in pairs, by quantile.");
  for (const RouteLatency& route : report.latencies) {
    for (const LatencyPoint& point : route.spectrum) {
      for (const auto& [side, ms] : {std::pair("legacy", point.legacy_ms), std::pair("new", point.candidate_ms)})
        metrics.sample({{"section", route.section},
                        {"route", route.route},
                        {"side", side},
                        {"quantile", fmt::format("{:.6g}", point.quantile)}},
                       ms / 1000);
    }
  }
  metrics.family("rehearse_budget_verdict", "1 for the verdict of a budget, 0 for the other two.");
  for (const BudgetResult& budget : report.budgets) {
    for (const Verdict verdict : verdicts)
      metrics.sample({{"section", budget.section},
                      {"route", budget.route},
                      {"metric", budget.metric},
                      {"verdict", std::string(name_of(verdict))}},
                     budget.verdict == verdict ? 1 : 0);
  }
  metrics.family("rehearse_budget_estimate", "What was measured of a budget, in the unit that the label names.");
  for (const BudgetResult& budget : report.budgets)
    metrics.sample(
        {{"section", budget.section}, {"route", budget.route}, {"metric", budget.metric}, {"unit", budget.unit}},
        budget.estimate);
}

}  // namespace

std::string render_prometheus(const Report& report) {
  Metrics metrics;
  metrics.family("rehearse_info", "What was rehearsed, and by which version.");
  metrics.sample({{"title", report.title}, {"version", report.tool_version}}, 1);
  metrics.family("rehearse_verdict", "1 for the verdict of the rehearsal, 0 for the other two.");
  for (const Verdict verdict : verdicts)
    metrics.sample({{"verdict", std::string(name_of(verdict))}}, report.verdict == verdict ? 1 : 0);
  metrics.family("rehearse_started_timestamp_seconds", "When it began, since the epoch; 0 when it is not known.");
  metrics.sample({}, moment(report.started));
  metrics.family("rehearse_duration_seconds", "How long it took.");
  metrics.sample({}, std::isfinite(report.seconds) ? report.seconds : 0);
  metrics.family("rehearse_checks", "Invariants in their stages and edges, by what they came to.");
  for (const Verdict verdict : verdicts) {
    double count = 0;
    for (const properties::Result& result : report.results) count += result.verdict == verdict ? 1 : 0;
    metrics.sample({{"verdict", std::string(name_of(verdict))}}, count);
  }
  metrics.family("rehearse_violations", "Violations of an invariant in a stage or edge, where there are any.");
  for (const properties::Result& result : report.results) {
    if (result.violations > 0)
      metrics.sample({{"invariant", result.invariant}, {"section", result.scope}},
                     static_cast<double>(result.violations));
  }
  metrics.family("rehearse_differences", "Ways in which answers differ.");
  metrics.sample({}, static_cast<double>(report.differences.size() + report.more_differences));
  metrics.family("rehearse_rows_differing", "Rows that are not the same in two databases and that no alert names.");
  double rows = static_cast<double>(report.more_rows);
  for (const DifferingRow& row : report.rows) rows += row.alerted ? 0 : 1;
  metrics.sample({}, rows);
  write_sections(report, metrics);
  write_latencies(report, metrics);
  return std::move(metrics).text();
}

}  // namespace rehearse::reports
