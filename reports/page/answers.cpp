// The answers that differ, by their causes, with both bodies side by side; and what was not compared.
#include <fmt/format.h>

#include <algorithm>

#include "reports/escape.h"
#include "reports/page/parts.h"
#include "reports/phrases.h"

namespace rehearse::reports::page {
namespace {

// Differing lines carry a mark besides their colour.
std::string bodies_of(const Context& page, const std::vector<BodyLine>& lines) {
  if (lines.empty()) return "";
  std::string out =
      "<div class=scroll role=region tabindex=0 aria-label=\"Both bodies side by side\"><table class=bodies><thead><tr>"
      "<th scope=col>the oracle<th scope=col>the candidate</thead><tbody>\n";
  const std::size_t shown = std::min(lines.size(), page.limits.body_lines);
  for (std::size_t i = 0; i < shown; ++i) {
    const BodyLine& line = lines[i];
    out += fmt::format("<tr{0}><td>{1}{2}<td>{1}{3}\n", line.differs ? " class=differs" : "",
                       line.differs ? "▸ " : "  ", page.shown(line.expected), page.shown(line.observed));
  }
  return out + "</tbody></table></div>\n" + left_out(lines.size() - shown, "line");
}

std::string example_of(const Context& page, std::string_view which, const Example& example) {
  return "<dl>\n" + term(page, which, place_of(example)) +
         term(page, "the oracle", example.expected.empty() ? "nothing" : example.expected) +
         term(page, "the candidate", example.observed.empty() ? "nothing" : example.observed) +
         term(page, "request", example.request) + "</dl>\n" + bodies_of(page, example.bodies);
}

std::string difference_of(const Context& page, const Difference& difference) {
  std::string sections;
  for (const std::string& section : difference.sections) sections += (sections.empty() ? "" : "\n") + section;
  const std::string& name = page.names.of(&difference);
  std::string out = fmt::format(
      "<details id=\"{}\" data-item data-verdict=fail data-section=\"{}\"><summary><h3><span class=fail>✗</span> {} "
      "<code>{}</code></h3> {} <span class=soft>{}</span></summary>\n{}",
      name, html_escape(sections), page.shown(difference.route), page.shown(difference.path),
      page.shown(difference.kind), page.shown(extent_of(difference)), link_to(name));
  const bool one = same_place(difference.first, difference.smallest);
  out += example_of(page, one ? "first and smallest" : "first", difference.first);
  if (!one) out += example_of(page, "smallest", difference.smallest);
  return out + "</details>\n";
}

std::string volatiles_of(const Context& page) {
  const auto& volatiles = page.report.volatiles;
  if (volatiles.empty()) return "";
  std::string out = fmt::format(
      "<p class=soft>The legacy service alone, asked twice, gave different values in {}.</p>\n"
      "<details><summary>Values that were not compared</summary>\n<ul>\n",
      counted(volatiles.size(), "place"));
  const std::size_t shown = std::min(volatiles.size(), page.limits.items);
  for (std::size_t i = 0; i < shown; ++i)
    out += fmt::format("<li>{} <span class=soft>{}</span>\n", page.shown(volatiles[i].where),
                       page.shown(counts_of(volatiles[i])));
  return out + "</ul>\n" + left_out(volatiles.size() - shown, "value") + "</details>\n";
}

std::string rules_of(const Context& page) {
  const auto& rules = page.report.rules;
  if (rules.empty()) return "";
  std::string out = "<h3>Rules about answers</h3>\n<ul>\n";
  const std::size_t shown = std::min(rules.size(), page.limits.items);
  for (std::size_t i = 0; i < shown; ++i) {
    const RuleUse& rule = rules[i];
    out += fmt::format("<li>{} <span class=soft>{}</span>\n", page.shown(rule.rule), page.shown(use_of(rule)));
    for (std::size_t k = 0; k < std::min(rule.remarks.size(), page.limits.items); ++k)
      out += fmt::format("<br><b class=unknown>look again:</b> {}\n", page.shown(rule.remarks[k]));
  }
  return out + "</ul>\n" + left_out(rules.size() - shown, "rule");
}

}  // namespace

std::string differences_of(const Context& page) {
  const Report& report = page.report;
  if (report.differences.empty()) return "";
  std::string out = fmt::format(
      "<section id=answers aria-labelledby=answers-title data-group>\n<h2 id=answers-title>Answers differ in {}</h2>\n",
      counted(report.differences.size() + report.more_differences, "way"));
  const std::size_t shown = std::min(report.differences.size(), page.limits.items);
  for (std::size_t i = 0; i < shown; ++i) out += difference_of(page, report.differences[i]);
  return out + left_out(report.differences.size() - shown, "cause") + unlisted(report.more_differences, "cause") +
         "</section>\n";
}

std::string not_compared_of(const Context& page) {
  const std::string parts = volatiles_of(page) + rules_of(page);
  if (parts.empty()) return "";
  return "<section id=not-compared aria-labelledby=not-compared-title>\n"
         "<h2 id=not-compared-title>Not compared</h2>\n" +
         parts + "</section>\n";
}

}  // namespace rehearse::reports::page
