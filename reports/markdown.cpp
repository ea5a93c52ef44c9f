#include "reports/markdown.h"

#include <fmt/format.h>

#include <algorithm>

#include "reports/escape.h"
#include "reports/phrases.h"

namespace rehearse::reports {
namespace {

using properties::Finding;
using properties::Result;
using properties::Verdict;

constexpr std::size_t fact_limit = 1500;     // code points of one fact
constexpr std::size_t request_limit = 2500;  // of a curl line
constexpr std::size_t findings_a_result = 3;
constexpr std::size_t volatile_values_shown = 10;
constexpr std::size_t rows_shown = 10;
constexpr std::size_t changes_shown = 20;
constexpr std::size_t differences_shown = 5;
constexpr std::size_t body_lines_shown = 30;
constexpr std::size_t rules_shown = 30;
constexpr std::size_t value_limit = 200;    // code points of one value that differs
constexpr std::size_t sections_shown = 60;  // five stages and eight edges, walked a few times
constexpr std::size_t closing_room = 9000;  // kept for what stands behind the findings and the reasons

std::string cell(std::string_view text, std::size_t limit) { return markdown_escape(excerpt(text, limit)); }

std::string mark_of(Verdict verdict) {
  return verdict == Verdict::pass ? "✅ pass" : verdict == Verdict::fail ? "❌ fail" : "❔ unknown";
}

std::string header(const Report& report) {
  std::string out = fmt::format("## {} {}\n\n", mark_of(report.verdict).substr(0, mark_of(report.verdict).find(' ')),
                                fmt::format("{}: {}", shout(report.verdict), advice(report)));
  out += fmt::format("{} · traffic {} · {} · {}{} · rehearse {}\n\n", cell(report.title, 200),
                     cell(report.traffic, 200), cell(report.started, 40), duration(report.seconds),
                     prefixed(" · ", seed_of(report)), cell(report.tool_version, 40));
  return out;
}

std::string table(const Report& report) {
  if (report.sections.empty()) return "";
  std::string out =
      "| | verdict | sent | answered | refused | lost | matched | masked | ignored | undecided | differed | p50 | p99 "
      "| findings |\n"
      "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";
  for (std::size_t i = 0; i < report.sections.size() && i < sections_shown; ++i) {
    const Section& s = report.sections[i];
    out += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", cell(s.name, 60),
                       mark_of(s.verdict), grouped(s.sent), grouped(s.answered), grouped(s.refused), grouped(s.lost),
                       grouped(s.matched), grouped(s.masked), grouped(s.ignored), grouped(s.undecided),
                       grouped(s.differed), milliseconds(s.p50_ms), milliseconds(s.p99_ms), grouped(s.findings));
  }
  if (report.sections.size() > sections_shown) {
    out += fmt::format("\nand {} more rows\n", report.sections.size() - sections_shown);
  }
  return out + "\n";
}

std::string finding_of(const Finding& finding) {
  std::string out = "expected\n" + markdown_block(excerpt(finding.expected, fact_limit), "text") + "observed\n" +
                    markdown_block(excerpt(finding.observed, fact_limit), "text");
  if (!finding.request.empty()) out += markdown_block(excerpt(finding.request, request_limit), "sh");
  if (const auto place = place_of(finding); !place.empty()) out += "in " + cell(place, 300) + "\n";
  return out + "\n";
}

std::string failure_of(const Result& result) {
  std::string out = fmt::format("### {} in {}: {}\n\n{}\n\n", cell(result.invariant, 20), cell(result.scope, 60),
                                counted(result.violations, "violation"), cell(result.title, 300));
  for (std::size_t i = 0; i < result.findings.size() && i < findings_a_result; ++i) {
    out += finding_of(result.findings[i]);
  }
  const std::uint64_t shown = std::min(result.findings.size(), findings_a_result);
  if (result.violations > shown) {
    out += fmt::format("and {} more\n\n", grouped(result.violations - shown));
  }
  return out;
}

std::string reason_of(const Result& result) {
  return fmt::format("- **{}** in {}: {}\n", cell(result.invariant, 20), cell(result.scope, 60),
                     cell(result.reason.empty() ? "no reason was given" : result.reason, 400));
}

// Appends each part while the whole stays below the limit; says how many parts did not fit.
template <class Render>
void append_while_it_fits(std::string& out, const std::vector<const Result*>& results, std::string_view what,
                          Render render) {
  for (std::size_t i = 0; i < results.size(); ++i) {
    const std::string part = render(*results[i]);
    if (out.size() + part.size() + closing_room > markdown_limit) {
      out += fmt::format("\n{} more {} did not fit here; the report files hold them.\n\n", results.size() - i, what);
      return;
    }
    out += part;
  }
}

// As a patch: what only the oracle has, what only the candidate has.
std::string patch_of(const std::vector<BodyLine>& lines) {
  std::string text;
  for (std::size_t i = 0; i < std::min(lines.size(), body_lines_shown); ++i) {
    const BodyLine& line = lines[i];
    if (!line.differs) {
      text += "  " + line.expected + "\n";
      continue;
    }
    if (!line.expected.empty()) text += "- " + line.expected + "\n";
    if (!line.observed.empty()) text += "+ " + line.observed + "\n";
  }
  if (lines.size() > body_lines_shown) text += "  ...\n";
  return text.empty() ? "" : markdown_block(text, "diff");
}

std::string difference_of(const Difference& difference) {
  const auto value = [](const std::string& text) { return text.empty() ? "nothing" : cell(text, value_limit); };
  std::string out =
      fmt::format("- **{}** {}: {}, {}\n\n", cell(difference.route, 200), cell(difference.path, value_limit),
                  cell(difference.kind, 40), cell(extent_of(difference), 400));
  const auto example = [&](std::string_view which, const Example& shown) {
    out += fmt::format("{}: {} against {} in {}\n\n", which, value(shown.expected), value(shown.observed),
                       cell(place_of(shown), 300));
  };
  example("first", difference.first);
  if (!same_place(difference.first, difference.smallest)) example("smallest", difference.smallest);
  return out + markdown_block(excerpt(difference.smallest.request, request_limit), "sh") +
         patch_of(difference.smallest.bodies) + "\n";
}

std::string differences_of(const Report& report, std::size_t room) {
  if (report.differences.empty()) return "";
  std::string out = fmt::format("\n### Answers differ in {}\n\n",
                                counted(report.differences.size() + report.more_differences, "way"));
  std::size_t shown = 0;
  for (; shown < std::min(report.differences.size(), differences_shown); ++shown) {
    const std::string part = difference_of(report.differences[shown]);
    if (out.size() + part.size() + closing_room > room) break;
    out += part;
  }
  const auto more = report.differences.size() - shown + report.more_differences;
  return more > 0 ? out + fmt::format("and {} more: see the report files\n\n", grouped(more)) : out;
}

std::string rules_of(const Report& report) {
  if (report.rules.empty()) return "";
  std::string out = "\n### Rules about answers\n\n";
  for (std::size_t i = 0; i < std::min(report.rules.size(), rules_shown); ++i) {
    const RuleUse& rule = report.rules[i];
    out += fmt::format("- {}: {}\n", cell(rule.rule, 200), cell(use_of(rule), 300));
    for (std::size_t k = 0; k < std::min<std::size_t>(rule.remarks.size(), 3); ++k)
      out += fmt::format("  - look again: {}\n", cell(rule.remarks[k], 300));
  }
  if (report.rules.size() > rules_shown) out += fmt::format("- and {} more\n", report.rules.size() - rules_shown);
  return out;
}

// A row is told by where it is and what differs; its values stand in the report files.
std::string rows_of(const Report& report) {
  const std::size_t unexplained = unexplained_rows(report);  // they stand first
  if (unexplained == 0) return "";
  std::string out = fmt::format("\n### Databases differ in {} that no alert names\n\n", counted(unexplained, "row"));
  const std::size_t shown = std::min(unexplained, rows_shown);
  for (std::size_t i = 0; i < shown; ++i) {
    const DifferingRow& row = report.rows[i];
    std::string columns;
    for (const RowColumn& column : row.columns) columns += (columns.empty() ? "" : ", ") + column.column;
    if (!row.only_in.empty()) columns = "only in the " + row.only_in;
    out += fmt::format("- **{}** in {}: {}\n", cell(row.entity + "/" + row.key, 120), cell(row.section, 60),
                       cell(columns, 200));
  }
  const auto more = unexplained - shown + report.more_rows;
  return more > 0 ? out + fmt::format("- and {} more\n", grouped(more)) : out;
}

std::string since_of(const Report& report) {
  if (!report.since) return "";
  const Since& since = *report.since;
  std::string out = fmt::format("### Since the rehearsal of {}: {}\n\n", cell(since.started, 40), summary_of(since));
  std::string rows;
  std::size_t shown = 0, more = 0;
  for (const ChangedFinding& finding : since.findings) {
    if (finding.state == "still there") continue;
    if (shown++ >= changes_shown) {
      ++more;
      continue;
    }
    rows += fmt::format("| {} | {} | {} | {} | {} |\n", cell(finding.state, 20), cell(finding.what, 80),
                        cell(finding.text, 160), grouped(finding.before), grouped(finding.now));
  }
  if (!rows.empty()) out += "| state | what | observed | then | now |\n|---|---|---|--:|--:|\n" + rows + "\n";
  if (more > 0) out += fmt::format("and {} more\n\n", more);
  shown = 0;
  for (const ChangedVerdict& verdict : since.verdicts) {
    const auto said = [](const std::string& text) { return text.empty() ? "not rehearsed" : text; };
    if (verdict.before != verdict.now && shown++ < changes_shown)
      out += fmt::format("- {}: {} then, {} now\n", cell(verdict.section, 60), cell(said(verdict.before), 20),
                         cell(said(verdict.now), 20));
  }
  for (const ChangedNumber* number : slowest(since))
    out += fmt::format("- {}: {} then, {} now ({})\n", cell(number->name, 60), milliseconds(number->before),
                       milliseconds(number->now), change_of(*number));
  return out + "\n";
}

std::string closing(const Report& report) {
  std::string out;
  if (!report.volatiles.empty()) {
    out += fmt::format(
        "\n<details><summary>Not compared, because the legacy service itself changes them: {}</summary>\n\n",
        counted(report.volatiles.size(), "value"));
    for (std::size_t i = 0; i < report.volatiles.size() && i < volatile_values_shown; ++i) {
      out += fmt::format("- {} ({})\n", cell(report.volatiles[i].where, 60), cell(counts_of(report.volatiles[i]), 120));
    }
    if (report.volatiles.size() > volatile_values_shown) {
      out += fmt::format("- and {} more\n", report.volatiles.size() - volatile_values_shown);
    }
    out += "\n</details>\n";
  }
  if (!report.repeat.empty()) out += "\nAgain:\n\n" + markdown_block(excerpt(report.repeat, 500), "sh");
  return out;
}

}  // namespace

std::string render_markdown(const Report& report) {
  std::string out = header(report) + table(report);
  if (!report.conservation.empty()) {
    out += excerpt(conservation_line(report, markdown_escape), 2000) + "\n\n";
  }
  out += since_of(report);
  append_while_it_fits(out, results_with(report, Verdict::fail), "broken invariants", failure_of);
  if (const auto unknown = results_with(report, Verdict::unknown); !unknown.empty()) {
    out += "### Not proved\n\n";
    append_while_it_fits(out, unknown, "reasons", reason_of);
  }
  if (out.size() + closing_room < markdown_limit) out += differences_of(report, markdown_limit - out.size());
  if (const std::string rows = rows_of(report); out.size() + rows.size() + closing_room < markdown_limit) out += rows;
  if (const std::string rules = rules_of(report); out.size() + rules.size() + closing_room < markdown_limit)
    out += rules;
  const std::string end = closing(report);
  if (out.size() + end.size() <= markdown_limit) out += end;
  return out;
}

}  // namespace rehearse::reports
