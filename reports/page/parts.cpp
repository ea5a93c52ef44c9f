#include "reports/page/parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/escape.h"
#include "reports/identity.h"
#include "reports/phrases.h"

namespace rehearse::reports::page {

using properties::Verdict;

Names::Names(const Report& report) {
  std::unordered_map<std::string, int> given;
  const auto name = [&](const void* object, std::string identity) {
    const int times = ++given[identity];
    names_[object] = times == 1 ? std::move(identity) : fmt::format("{}-{}", identity, times);
  };
  for (const Section& section : report.sections) name(&section, identity_of(section));
  for (const properties::Result& result : report.results) {
    name(&result, identity_of(result));
    for (const properties::Finding& finding : result.findings) name(&finding, identity_of(result, finding));
  }
  for (const Difference& difference : report.differences) name(&difference, identity_of(difference));
  for (const DifferingRow& row : report.rows) name(&row, identity_of(row));
  for (const BudgetResult& budget : report.budgets) name(&budget, identity_of(budget));
}

std::string Context::shown(std::string_view text) const { return html_escape(excerpt(text, limits.text)); }

std::string_view mark_of(Verdict verdict) {
  return verdict == Verdict::pass ? "✓" : verdict == Verdict::fail ? "✗" : "?";
}

std::string verdict_word(Verdict verdict) {
  return fmt::format("<b class={0}>{1} {0}</b>", name_of(verdict), mark_of(verdict));
}

std::string link_to(std::string_view name) {
  return fmt::format("<a class=link href=\"#{}\" title=\"Link to this\" aria-label=\"Link to this\">#</a>", name);
}

std::string term(const Context& page, std::string_view name, std::string_view text) {
  return text.empty() ? "" : fmt::format("<dt>{}<dd><pre>{}</pre>\n", name, page.shown(text));
}

std::string number_cell(double value, std::string_view text) {
  return fmt::format("<td data-v=\"{:.6g}\">{}", std::isfinite(value) ? value : 0, html_escape(text));
}

std::string left_out(std::uint64_t count, std::string_view noun) {
  return count == 0 ? ""
                    : fmt::format("<p class=soft>and {} that the page has no room for: see the JSON document</p>\n",
                                  counted(count, fmt::format("more {}", noun)));
}

std::string unlisted(std::uint64_t count, std::string_view noun) {
  return count == 0 ? ""
                    : fmt::format("<p class=soft>and {} that the report counts and does not list</p>\n",
                                  counted(count, fmt::format("more {}", noun)));
}

const Section* section_named(const Report& report, std::string_view name) {
  const auto found = std::find_if(report.sections.begin(), report.sections.end(),
                                  [&](const Section& section) { return section.name == name; });
  return found == report.sections.end() ? nullptr : &*found;
}

}  // namespace rehearse::reports::page
