#include "reports/html.h"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "reports/escape.h"
#include "reports/phrases.h"

namespace rehearse::reports {
namespace {

using properties::Finding;
using properties::Result;
using properties::Verdict;

// The way of the flag, as sections name it (properties/stage.h).
constexpr std::array<std::string_view, 5> stages{"off", "read-only", "shadow", "live", "completed"};

constexpr std::size_t fact_limit = 20'000;  // code points; a page with larger texts becomes slow to open

// Verdicts are told by word and mark as well as by colour.
constexpr std::string_view style = R"(
:root{color-scheme:light dark;--bg:#fff;--ink:#1c2024;--soft:#5b6570;--line:#d9dee3;--panel:#f5f7f9;
--pass:#0f6b3a;--pass-bg:#e3f5ea;--fail:#a3161f;--fail-bg:#fde8e8;--unknown:#7a5200;--unknown-bg:#fdf1d6}
@media(prefers-color-scheme:dark){:root{--bg:#14171a;--ink:#e6e9ec;--soft:#9aa5b0;--line:#333a41;--panel:#1d2126;
--pass:#6fd69a;--pass-bg:#12301f;--fail:#ff8d8d;--fail-bg:#3d1719;--unknown:#f0c060;--unknown-bg:#35290f}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:1.25rem;background:var(--bg);color:var(--ink);
font:16px/1.5 system-ui,"DejaVu Sans",sans-serif;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.25;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .7rem}
.verdict{padding:1.1rem 1.25rem;border-radius:.6rem;border-left:.5rem solid}
.verdict p{margin:.35rem 0 0;color:var(--soft);font-size:.9rem}
.pass{color:var(--pass)}.fail{color:var(--fail)}.unknown{color:var(--unknown)}.none{color:var(--soft)}
.verdict.pass,.stage.pass{background:var(--pass-bg);border-color:var(--pass)}
.verdict.fail,.stage.fail{background:var(--fail-bg);border-color:var(--fail)}
.verdict.unknown,.stage.unknown{background:var(--unknown-bg);border-color:var(--unknown)}
.path{display:flex;list-style:none;padding:0;margin:1.4rem 0 0;align-items:stretch}
.path li{display:flex;flex-direction:column;justify-content:center;text-align:center;font-size:.9rem}
.stage{flex:3;border:1px solid var(--line);border-radius:.5rem;padding:.6rem .3rem;min-width:0}
.stage b{display:block;color:var(--ink)}
.stage.none{background:var(--panel)}
.edge{flex:2;padding:0 .3rem;font-size:.8rem!important;white-space:nowrap}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.88rem;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th{color:var(--soft);font-weight:600}th:first-child,td:first-child,td:nth-child(2),th:nth-child(2){text-align:left}
.soft{color:var(--soft);font-size:.9rem}
details{border:1px solid var(--line);border-radius:.5rem;margin:.6rem 0;padding:.1rem .9rem}
summary{cursor:pointer;padding:.5rem 0;font-weight:600}
dl{display:grid;grid-template-columns:6rem 1fr;gap:.35rem .8rem;margin:.4rem 0 1rem;padding-top:.6rem;border-top:1px solid var(--line)}
dt{color:var(--soft);font-size:.88rem}dd{margin:0;min-width:0}
pre{margin:0;white-space:pre-wrap;background:var(--panel);padding:.5rem .7rem;border-radius:.4rem;
font:13px/1.45 ui-monospace,"DejaVu Sans Mono",monospace;max-height:24rem;overflow:auto}
@media(max-width:46rem){body{padding:.8rem}h1{font-size:1.3rem}.path{flex-direction:column}.edge{padding:.3rem}
dl{grid-template-columns:1fr;gap:.15rem}dd{margin-bottom:.4rem}}
.bodies{table-layout:fixed;margin:.3rem 0 1rem}.bodies td,.bodies th{text-align:left;white-space:pre-wrap;
font:13px/1.4 ui-monospace,"DejaVu Sans Mono",monospace;padding:.1rem .5rem;vertical-align:top}
.bodies .differs td{background:var(--fail-bg);font-weight:600}
@media print{pre{max-height:none}}
)";

std::string_view mark_of(Verdict verdict) {
  return verdict == Verdict::pass ? "✓" : verdict == Verdict::fail ? "✗" : "?";
}

std::string shown(std::string_view text) { return html_escape(excerpt(text, fact_limit)); }

// The worst verdict of the sections of that name: a stage is visited on the way up and on the way back.
std::optional<Verdict> verdict_of(const Report& report, std::string_view section) {
  std::optional<Verdict> verdict;
  for (const Section& each : report.sections) {
    if (each.name == section) verdict = verdict ? properties::worst(*verdict, each.verdict) : each.verdict;
  }
  return verdict;
}

std::string edge_of(const Report& report, std::string_view from, std::string_view to, std::string_view arrow) {
  const auto verdict = verdict_of(report, fmt::format("{} → {}", from, to));
  if (!verdict) return fmt::format("<span class=none>{} not taken</span>", arrow);
  return fmt::format("<span class={0}>{1} {2} {0}</span>", name_of(*verdict), arrow, mark_of(*verdict));
}

std::string path_of(const Report& report) {
  std::string out = "<ol class=path aria-label=\"The stages and the way between them\">\n";
  for (std::size_t i = 0; i < stages.size(); ++i) {
    if (i > 0) {
      out += fmt::format("<li class=edge>{}{}</li>\n", edge_of(report, stages[i - 1], stages[i], "→"),
                         edge_of(report, stages[i], stages[i - 1], "←"));
    }
    const auto verdict = verdict_of(report, stages[i]);
    out += verdict ? fmt::format("<li class=\"stage {0}\"><b>{1}</b>{2} {0}</li>\n", name_of(*verdict), stages[i],
                                 mark_of(*verdict))
                   : fmt::format("<li class=\"stage none\"><b>{}</b>not rehearsed</li>\n", stages[i]);
  }
  return out + "</ol>\n";
}

std::string table_of(const Report& report) {
  if (report.sections.empty()) return "";
  std::string out =
      "<h2>Stages and edges</h2>\n<div class=scroll "
      "tabindex=0><table><thead><tr><th>section<th>verdict<th>sent<th>answered"
      "<th>refused<th>lost<th>matched<th>masked<th>ignored<th>undecided<th>differed<th>p50<th>p99<th>findings</"
      "thead><tbody>\n";
  for (const Section& s : report.sections) {
    out += fmt::format("<tr><td>{0}<td class={1}>{2} {1}", html_escape(s.name), name_of(s.verdict), mark_of(s.verdict));
    for (const auto count :
         {s.sent, s.answered, s.refused, s.lost, s.matched, s.masked, s.ignored, s.undecided, s.differed}) {
      out += "<td>" + grouped(count);
    }
    out += fmt::format("<td>{}<td>{}<td>{}\n", milliseconds(s.p50_ms), milliseconds(s.p99_ms), grouped(s.findings));
  }
  out += "</tbody></table></div>\n";
  if (!report.conservation.empty()) out += "<p class=soft>" + conservation_line(report, html_escape) + "</p>\n";
  return out;
}

void row(std::string& out, std::string_view term, std::string_view text) {
  if (!text.empty()) out += fmt::format("<dt>{}<dd><pre>{}</pre>\n", term, shown(text));
}

std::string finding_of(const Finding& finding) {
  std::string out = "<dl>\n";
  row(out, "expected", finding.expected);
  row(out, "observed", finding.observed);
  row(out, "request", finding.request);
  row(out, "where", place_of(finding));
  return out + "</dl>\n";
}

std::string failures_of(const Report& report) {
  const auto failures = results_with(report, Verdict::fail);
  if (failures.empty()) return "";
  std::string out = "<h2>Broken</h2>\n";
  for (const Result* result : failures) {
    out += fmt::format("<details open><summary><span class=fail>{} ✗</span> in {}: {} ({})</summary>\n",
                       html_escape(result->invariant), html_escape(result->scope), html_escape(result->title),
                       counted(result->violations, "violation"));
    for (std::size_t i = 0; i < result->findings.size(); ++i) {
      if (i == 1) out += fmt::format("<details><summary>{} more</summary>\n", result->findings.size() - 1);
      out += finding_of(result->findings[i]);
    }
    if (result->findings.size() > 1) out += "</details>\n";
    if (result->violations > result->findings.size()) {
      out += fmt::format("<p class=soft>{} shown of {}; the history holds the rest.</p>\n", result->findings.size(),
                         counted(result->violations, "violation"));
    }
    out += "</details>\n";
  }
  return out;
}

// Differing lines carry a mark besides their colour.
std::string bodies_of(const std::vector<BodyLine>& lines) {
  if (lines.empty()) return "";
  std::string out = "<table class=bodies><thead><tr><th>the oracle<th>the candidate</thead><tbody>\n";
  for (const BodyLine& line : lines) {
    out += fmt::format("<tr{0}><td>{1}{2}<td>{1}{3}\n", line.differs ? " class=differs" : "",
                       line.differs ? "▸ " : "  ", shown(line.expected), shown(line.observed));
  }
  return out + "</tbody></table>\n";
}

std::string example_of(std::string_view which, const Example& example) {
  std::string out = "<dl>\n";
  row(out, which, place_of(example));
  row(out, "the oracle", example.expected.empty() ? "nothing" : example.expected);
  row(out, "the candidate", example.observed.empty() ? "nothing" : example.observed);
  row(out, "request", example.request);
  return out + "</dl>\n" + bodies_of(example.bodies);
}

std::string differences_of(const Report& report) {
  if (report.differences.empty()) return "";
  std::string out = fmt::format("<h2>Answers differ in {}</h2>\n",
                                counted(report.differences.size() + report.more_differences, "way"));
  for (const Difference& difference : report.differences) {
    out +=
        fmt::format("<details><summary>{} {}: {} <span class=soft>{}</span></summary>\n", html_escape(difference.route),
                    html_escape(difference.path), html_escape(difference.kind), html_escape(extent_of(difference)));
    const bool one = same_place(difference.first, difference.smallest);
    out += example_of(one ? "first and smallest" : "first", difference.first);
    if (!one) out += example_of("smallest", difference.smallest);
    out += "</details>\n";
  }
  if (report.more_differences > 0)
    out += fmt::format("<p class=soft>and {} more</p>\n", grouped(report.more_differences));
  return out;
}

std::string rules_of(const Report& report) {
  if (report.rules.empty()) return "";
  std::string out = "<h2>Rules about answers</h2>\n<ul>\n";
  for (const RuleUse& rule : report.rules) {
    out += fmt::format("<li>{} <span class=soft>{}</span>\n", shown(rule.rule), shown(use_of(rule)));
    for (const std::string& remark : rule.remarks)
      out += fmt::format("<br><b class=unknown>look again:</b> {}\n", shown(remark));
  }
  return out + "</ul>\n";
}

// What was not proved stands open; what was proved is folded, with what was looked at.
std::string results_of(const Report& report, Verdict verdict, std::string_view title, bool folded) {
  const auto results = results_with(report, verdict);
  if (results.empty()) return "";
  std::string out = fmt::format("<h2>{}</h2>\n", title);
  if (folded) out += fmt::format("<details><summary>{}</summary>\n", counted(results.size(), "check"));
  for (const Result* result : results) {
    const std::string_view reason = result->reason.empty() && verdict == Verdict::unknown
                                        ? "no reason was given"
                                        : std::string_view(result->reason);
    out += fmt::format("<p><b class={}>{} {}</b> {} <span class=soft>in {} · {} looked at</span><br>{}</p>\n",
                       name_of(verdict), html_escape(result->invariant), mark_of(verdict), html_escape(result->title),
                       html_escape(result->scope), grouped(result->checked), shown(reason));
  }
  return out + (folded ? "</details>\n" : "");
}

std::string volatiles_of(const Report& report) {
  if (report.volatiles.empty()) return "";
  std::string out = fmt::format(
      "<h2>Not compared</h2>\n<p class=soft>The legacy service alone, asked twice, gave different values here.</p>\n"
      "<details><summary>{}</summary>\n<ul>\n",
      counted(report.volatiles.size(), "value"));
  for (const VolatileValue& value : report.volatiles) {
    out += fmt::format("<li>{} <span class=soft>{}</span>\n", shown(value.where), shown(counts_of(value)));
  }
  return out + "</ul></details>\n";
}

std::string repeat_of(const Report& report) {
  std::string out;
  row(out, "again", report.repeat);
  row(out, "history", report.history);
  row(out, "traffic", report.traffic);
  return out.empty() ? "" : "<h2>How to repeat it</h2>\n<dl>\n" + out + "</dl>\n";
}

std::string head_of(const Report& report) {
  return fmt::format(
      "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
      "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri "
      "'none'; "
      "form-action 'none'\">\n<meta name=referrer content=no-referrer>\n"
      "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n<title>{}: {}</title>\n<style>{}</style>\n"
      "</head>\n",
      shout(report.verdict), html_escape(report.title), style);
}

}  // namespace

std::string render_html(const Report& report) {
  std::string out = head_of(report);
  out += fmt::format(
      "<body>\n<header class=\"verdict {}\"><h1>{} {}: {}</h1>\n<p>{} · {} · {}{} · rehearse "
      "{}</p></header>\n<main>\n",
      name_of(report.verdict), mark_of(report.verdict), shout(report.verdict), advice(report),
      html_escape(report.title), html_escape(report.started), duration(report.seconds),
      prefixed(" · ", seed_of(report)), html_escape(report.tool_version));
  out += path_of(report) + table_of(report) + failures_of(report) + differences_of(report);
  out += results_of(report, Verdict::unknown, "Not proved", false) + volatiles_of(report) + rules_of(report);
  out += results_of(report, Verdict::pass, "Proved", true) + repeat_of(report);
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace rehearse::reports
