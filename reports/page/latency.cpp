// Service times of legacy and of the new service, route by route, with the budgets that they were held against.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/escape.h"
#include "reports/page/parts.h"
#include "reports/phrases.h"

namespace rehearse::reports::page {
namespace {

using properties::Verdict;

// The number as its unit is read: 0.102 ratio → "+10.2%", 20 ms → "20.0 ms".
std::string in_unit(double value, const BudgetResult& budget) {
  if (budget.unit == "ms") return value == 0 ? "0 ms" : milliseconds(value);
  if (budget.unit == "ratio")
    return budget.metric.starts_with("overhead") ? fmt::format("{:+.1f}%", value * 100)
                                                 : fmt::format("{:.2f}%", value * 100);
  return fmt::format("{:.4g} {}", value, budget.unit);
}

std::string percentile_name(double quantile) { return quantile >= 1 ? "max" : fmt::format("p{:.6g}", quantile * 100); }

// The key of a chart: colour, line and shape, for one of them is enough for nobody.
std::string key(std::string_view side, std::string_view shape, std::string_view name) {
  return fmt::format(
      "<span class=key><svg width=34 height=12 aria-hidden=true><path class=\"series {0}\" d=\"M0 6H34\"/>{1}</svg>{2}"
      "</span>",
      side, shape, name);
}

std::string legend() {
  return key("legacy", "<circle class=\"dot legacy\" cx=17 cy=6 r=3.5 />", "legacy") +
         key("new", "<rect class=\"dot new\" x=14 y=3 width=6 height=6 />", "new");
}

std::string spectrum_of(const Context& page, const RouteLatency& route) {
  std::string out = fmt::format(
      "<figure data-chart=spectrum><figcaption>Service times of {} in {}: {} of requests{}<br>{}</figcaption>\n"
      "<div class=scroll><details class=figures-as-table open><summary>As a table</summary><table><thead><tr>"
      "<th scope=col>percentile<th scope=col>legacy<th scope=col>new<th scope=col>new over legacy</thead><tbody>\n",
      page.shown(route.route), page.shown(route.section), counted(route.pairs, "pair"),
      route.errors > 0 ? fmt::format(", and {} that failed on one side", grouped(route.errors)) : "", legend());
  for (const LatencyPoint& point : route.spectrum) {
    const bool both = point.legacy_ms > 0 && point.candidate_ms > 0;
    out += "<tr>" + number_cell(point.quantile, percentile_name(point.quantile)) +
           number_cell(point.legacy_ms, milliseconds(point.legacy_ms)) +
           number_cell(point.candidate_ms, milliseconds(point.candidate_ms)) +
           (both ? fmt::format("<td>{:+.1f}%\n", (point.candidate_ms / point.legacy_ms - 1) * 100) : "<td>–\n");
  }
  return out + "</tbody></table></details></div></figure>\n";
}

std::string strip_of(const Context& page, const BudgetResult& budget) {
  if (budget.blocks.empty()) return "";
  std::string out = fmt::format(
      "<figure data-chart=blocks data-limit=\"{:.6g}\" data-low=\"{:.6g}\" data-high=\"{:.6g}\" "
      "data-estimate=\"{:.6g}\" "
      "data-name=\"{}\"><figcaption>{} of {} in {}, block by block, with the interval of its median and the "
      "budget</figcaption>\n<div class=scroll><details class=figures-as-table open><summary>As a table</summary><table>"
      "<thead><tr><th scope=col>at<th scope=col>new over legacy</thead><tbody>\n",
      budget.limit_value, budget.low, budget.high, budget.estimate, page.shown(budget.limit), page.shown(budget.metric),
      page.shown(budget.route), page.shown(budget.section));
  const std::size_t shown = std::min(budget.blocks.size(), page.limits.body_lines);
  for (std::size_t i = 0; i < shown; ++i) {
    const LatencyBlock& block = budget.blocks[i];
    const double ratio = std::expm1(block.log_ratio);
    out += "<tr>" + number_cell(block.at_seconds, fmt::format("{:.1f} s", block.at_seconds)) +
           number_cell(ratio, fmt::format("{:+.1f}%", ratio * 100)) + "\n";
  }
  return out + "</tbody></table></details></div></figure>\n";
}

std::string budget_of(const Context& page, const BudgetResult& budget) {
  const std::string& name = page.names.of(&budget);
  const bool measured = budget.estimate != 0 || budget.low != 0 || budget.high != 0;
  std::string out = fmt::format(
      "<details id=\"{}\" data-item data-verdict={} data-section=\"{}\"{}><summary><h3>{} {} of {}</h3> <span "
      "class=soft>in {}, budget {}{}</span></summary>\n{}<p>{}</p>\n<dl>\n",
      name, name_of(budget.verdict), html_escape(budget.section), budget.verdict == Verdict::pass ? "" : " open",
      verdict_word(budget.verdict), page.shown(budget.metric), page.shown(budget.route), page.shown(budget.section),
      page.shown(budget.limit), measured ? ", is " + html_escape(in_unit(budget.estimate, budget)) : "", link_to(name),
      page.shown(budget.reason.empty() ? "no reason was given" : budget.reason));
  if (measured) {
    out += term(page, "measured",
                fmt::format("{}, with an interval from {} to {}", in_unit(budget.estimate, budget),
                            in_unit(budget.low, budget), in_unit(budget.high, budget)));
  }
  if (budget.resolvable > 0)
    out += term(page, "resolution",
                fmt::format("the smallest that could be told here: {}", in_unit(budget.resolvable, budget)));
  if (budget.looks > 0)
    out +=
        term(page, "looks", fmt::format("{}{}", budget.looks, budget.confirmed ? ", and measured a second time" : ""));
  return out + "</dl>\n" + strip_of(page, budget) + "</details>\n";
}

std::string environment_of(const Context& page) {
  if (!page.report.environment) return "";
  const Environment& environment = *page.report.environment;
  const auto line = [&](std::string_view name, const std::string& text) { return term(page, name, text); };
  return "<h3>Where and how well it was measured</h3>\n<dl class=wide>\n" + line("machine", environment.machine) +
         line("load of the last minute", fmt::format("{:.2f}", environment.load)) +
         line("taken by the hypervisor", fmt::format("{:.1f}%", environment.steal_percent)) +
         line("send error", fmt::format("p50 {}, p99 {}", milliseconds(environment.send_error_p50_ms),
                                        milliseconds(environment.send_error_p99_ms))) +
         line("null probe",
              fmt::format("p50 {}, p99 {}: an endpoint that does nothing, asked in the same way",
                          milliseconds(environment.null_probe_p50_ms), milliseconds(environment.null_probe_p99_ms))) +
         line("rate", fmt::format("{:.1f} requests/s of {:.1f} that were planned", environment.achieved_rate,
                                  environment.planned_rate)) +
         line("scheduling", environment.scheduling) + "</dl>\n";
}

}  // namespace

std::string latency_of(const Context& page) {
  const Report& report = page.report;
  if (report.latencies.empty() && report.budgets.empty() && !report.environment) return "";
  std::string out = "<section id=latency aria-labelledby=latency-title>\n<h2 id=latency-title>Latency</h2>\n";
  const std::size_t budgets = std::min(report.budgets.size(), page.limits.items);
  out += "<div data-group>\n";
  for (const Verdict verdict : {Verdict::fail, Verdict::unknown, Verdict::pass}) {
    for (std::size_t i = 0; i < budgets; ++i) {
      if (report.budgets[i].verdict == verdict) out += budget_of(page, report.budgets[i]);
    }
  }
  out += "</div>\n" + left_out(report.budgets.size() - budgets, "budget");
  const std::size_t routes = std::min(report.latencies.size(), page.limits.items);
  for (std::size_t i = 0; i < routes; ++i) {
    const RouteLatency& route = report.latencies[i];
    // A person looks at the first; the others are there for whoever asks.
    const std::string left_out = route.not_measured.empty() ? "" : "<p>" + page.shown(route.not_measured) + "\n";
    out += fmt::format("<details{}><summary><h3>{}</h3> <span class=soft>in {}</span></summary>\n{}{}</details>\n",
                       i == 0 ? " open" : "", page.shown(route.route), page.shown(route.section),
                       spectrum_of(page, route), left_out);
  }
  return out + left_out(report.latencies.size() - routes, "route") + environment_of(page) + "</section>\n";
}

}  // namespace rehearse::reports::page
