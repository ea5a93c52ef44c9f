// What happened while it was rehearsed, the rows in which the databases differ, and how to do it again.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "reports/escape.h"
#include "reports/page/parts.h"
#include "reports/phrases.h"

namespace rehearse::reports::page {
namespace {

using properties::Verdict;

std::string columns_of(const Context& page, const DifferingRow& row) {
  if (!row.only_in.empty()) return fmt::format("<p>It stands in the {} alone.</p>\n", page.shown(row.only_in));
  std::string out = fmt::format(
      "<div class=scroll><table class=bodies><thead><tr><th scope=col>column<th scope=col>{}<th scope=col>{}</thead>"
      "<tbody>\n",
      page.shown(row.left), page.shown(row.right));
  const std::size_t shown = std::min(row.columns.size(), page.limits.body_lines);
  for (std::size_t i = 0; i < shown; ++i) {
    out += fmt::format("<tr><td>{}<td>{}<td>{}\n", page.shown(row.columns[i].column), page.shown(row.columns[i].left),
                       page.shown(row.columns[i].right));
  }
  return out + "</tbody></table></div>\n" + left_out(row.columns.size() - shown, "column");
}

std::string write_of(const RowWrite& write) {
  return fmt::format("transaction {} of the {}, committed at {}{}{}", write.transaction, write.database,
                     write.committed, write.lsn.empty() ? "" : ", LSN " + write.lsn,
                     write.deleted ? ", which deleted it" : "");
}

std::string row_of(const Context& page, const DifferingRow& row) {
  const std::string& name = page.names.of(&row);
  std::string writes;
  for (const RowWrite& write : row.writes) writes += (writes.empty() ? "" : "\n") + write_of(write);
  const std::string place = row.history.empty() ? ""
                            : row.step < 0      ? row.history
                                                : fmt::format("{}, step {}", row.history, row.step);
  return fmt::format(
             "<details id=\"{}\" data-item data-verdict={} data-section=\"{}\"><summary><h3><span class={}>{}</span> "
             "{}/{}</h3> <span class=soft>{}{}</span></summary>\n{}",
             name, row.alerted ? "pass" : "fail", html_escape(row.section), row.alerted ? "soft" : "fail",
             row.alerted ? "!" : "✗", page.shown(row.entity), page.shown(row.key), page.shown(row.section),
             row.alerted ? " · an open alert names it" : "", link_to(name)) +
         columns_of(page, row) + "<dl>\n" + term(page, "written by", writes) + term(page, "request", row.request) +
         term(page, "where", place) + "</dl></details>\n";
}

std::string_view name_of_kind(std::string_view kind) {
  for (const std::string_view known : {"section", "flip", "fault", "copy"}) {
    if (kind == known) return known;
  }
  return "error";
}

}  // namespace

std::string rows_of(const Context& page) {
  const Report& report = page.report;
  if (report.rows.empty()) return "";
  const std::size_t unexplained = unexplained_rows(report), alerted = report.rows.size() - unexplained;
  std::string out = fmt::format(
      "<section id=databases aria-labelledby=databases-title data-group>\n<h2 id=databases-title>{}</h2>\n",
      unexplained > 0 ? fmt::format("Databases differ in {} that no alert names", counted(unexplained, "row"))
                      : "The databases differ where alerts say so, and nowhere else");
  const std::size_t shown = std::min(report.rows.size(), page.limits.items);
  for (std::size_t i = 0; i < shown; ++i) {
    if (i == unexplained) {
      out += fmt::format(
          "<details data-group><summary>{} that open alerts name, as they must while a database is broken on "
          "purpose</summary>\n",
          counted(alerted, "row"));
    }
    out += row_of(page, report.rows[i]);
  }
  if (shown > unexplained) out += "</details>\n";
  return out + left_out(report.rows.size() - shown, "row") + unlisted(report.more_rows, "row") + "</section>\n";
}

std::string timeline_of(const Context& page) {
  const Report& report = page.report;
  if (report.timeline.empty()) return "";
  double end = report.seconds;
  for (const TimelineMark& mark : report.timeline) end = std::max(end, mark.at_seconds);
  std::string out = fmt::format(
      "<section id=timeline aria-labelledby=timeline-title>\n<h2 id=timeline-title>The run</h2>\n"
      "<figure data-chart=timeline data-end=\"{:.6g}\"><figcaption>Sections one after the other, with flips of the "
      "flag, "
      "faults, copies and errors</figcaption>\n"
      "<div class=scroll><details class=figures-as-table open><summary>As a table</summary><table class=names><thead>"
      "<tr><th scope=col>after<th scope=col>what<th scope=col class=text>section<th scope=col class=text>event</thead>"
      "<tbody>\n",
      end);
  const std::size_t shown = std::min(report.timeline.size(), page.limits.items);
  for (std::size_t i = 0; i < shown; ++i) {
    const TimelineMark& mark = report.timeline[i];
    const std::string_view kind = name_of_kind(mark.kind);
    const Section* section = kind == "section" ? section_named(report, mark.text) : nullptr;
    out += fmt::format("<tr data-kind={}", kind);
    if (section != nullptr)
      out += fmt::format(" data-verdict={} data-target=\"{}\"", name_of(section->verdict), page.names.of(section));
    out += fmt::format(">{}<td class={}>{}<td class=text>{}<td class=text>{}\n",
                       number_cell(mark.at_seconds, fmt::format("{:.1f} s", mark.at_seconds)),
                       kind == "error" ? "fail" : "soft", kind, page.shown(mark.section), page.shown(mark.text));
  }
  return out + "</tbody></table>\n" + left_out(report.timeline.size() - shown, "event") +
         "</details></div></figure>\n</section>\n";
}

std::string repeat_of(const Context& page) {
  const Report& report = page.report;
  std::string terms = term(page, "again", report.repeat) +
                      term(page, "seed", report.seed == 0 ? "" : std::to_string(report.seed)) +
                      term(page, "traffic", report.traffic) + term(page, "history", report.history);
  if (!report.history.empty()) terms += term(page, "judge again", fmt::format("rehearse report {}", report.history));
  if (terms.empty()) return "";
  return "<section id=repeat aria-labelledby=repeat-title>\n<h2 id=repeat-title>How to repeat it</h2>\n<dl>\n" + terms +
         "</dl></section>\n";
}

}  // namespace rehearse::reports::page
