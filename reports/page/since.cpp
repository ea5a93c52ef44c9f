// What changed since an earlier rehearsal.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/escape.h"
#include "reports/page/parts.h"
#include "reports/phrases.h"

namespace rehearse::reports::page {
namespace {

std::string said(std::string_view verdict) {
  for (const auto each : {properties::Verdict::pass, properties::Verdict::unknown, properties::Verdict::fail}) {
    if (name_of(each) == verdict) return verdict_word(each);
  }
  return "<span class=none>not rehearsed</span>";
}

std::string findings_of(const Context& page, const Since& since) {
  if (since.findings.empty()) return "<p>Nothing was found then, and nothing now.</p>\n";
  std::string out =
      "<div class=scroll role=region tabindex=0 aria-label=\"Findings, then and now\"><table class=names><thead><tr>"
      "<th scope=col>state<th scope=col>what<th scope=col class=text>observed<th scope=col>then<th "
      "scope=col>now</thead>"
      "<tbody>\n";
  const std::size_t shown = std::min(since.findings.size(), page.limits.items);
  for (std::size_t i = 0; i < shown; ++i) {
    const ChangedFinding& finding = since.findings[i];
    const std::string_view kind = finding.state == "new" ? "fail" : finding.state == "gone" ? "pass" : "unknown";
    const std::string what =
        finding.now > 0 ? fmt::format("<a href=\"#{}\">{}</a>", html_escape(finding.id), page.shown(finding.what))
                        : page.shown(finding.what);
    out += fmt::format("<tr><td class=\"state {}\">{} {}<td class=text>{}<td class=text>{}<td>{}<td>{}\n", kind,
                       finding.state == "new"    ? "+"
                       : finding.state == "gone" ? "−"
                                                 : "=",
                       page.shown(finding.state), what,
                       html_escape(excerpt(finding.text, std::min<std::size_t>(page.limits.text, 400))),
                       grouped(finding.before), grouped(finding.now));
  }
  return out + "</tbody></table></div>\n" + left_out(since.findings.size() - shown, "finding");
}

std::string verdicts_of(const Context& page, const Since& since) {
  std::string rows;
  std::size_t same = 0;
  for (std::size_t i = 0; i < std::min(since.verdicts.size(), page.limits.items); ++i) {
    const ChangedVerdict& verdict = since.verdicts[i];
    if (verdict.before == verdict.now) {
      ++same;
      continue;
    }
    rows += fmt::format("<tr><td>{}<td class=text>{}<td class=text>{}\n", page.shown(verdict.section),
                        said(verdict.before), said(verdict.now));
  }
  if (rows.empty())
    return fmt::format("<p class=soft>The verdicts of all {} are the same.</p>\n", counted(same, "section"));
  return "<h3>Verdicts that are not the same</h3>\n<div class=scroll><table class=names><thead><tr><th "
         "scope=col>section"
         "<th scope=col>then<th scope=col class=text>now</thead><tbody>\n" +
         rows +
         fmt::format("</tbody></table></div>\n<p class=soft>Those of {} are the same.</p>\n", counted(same, "section"));
}

std::string numbers_of(const Context& page, const std::vector<ChangedNumber>& numbers, std::string_view title) {
  if (numbers.empty()) return "";
  std::string out = fmt::format(
      "<details><summary>{}</summary><div class=scroll><table class=names><thead><tr><th scope=col>what<th "
      "scope=col>then"
      "<th scope=col>now<th scope=col>change</thead><tbody>\n",
      title);
  const std::size_t shown = std::min(numbers.size(), page.limits.items);
  for (std::size_t i = 0; i < shown; ++i) {
    const ChangedNumber& number = numbers[i];
    const auto say = [&](double value) {
      return number.unit == "ms" ? milliseconds(value) : fmt::format("{}", std::llround(value));
    };
    out += fmt::format("<tr><td>{}<td>{}<td>{}<td>{}\n", page.shown(number.name), say(number.before), say(number.now),
                       change_of(number));
  }
  return out + "</tbody></table></div>\n" + left_out(numbers.size() - shown, "number") + "</details>\n";
}

}  // namespace

std::string since_of(const Context& page) {
  if (!page.report.since) return "";
  const Since& since = *page.report.since;
  return fmt::format(
             "<section id=since aria-labelledby=since-title>\n<h2 id=since-title>Since the rehearsal of {}</h2>\n"
             "<p>{} <span class=soft>It was {}.</span></p>\n",
             page.shown(since.started), html_escape(summary_of(since)), said(name_of(since.verdict))) +
         findings_of(page, since) + verdicts_of(page, since) +
         numbers_of(page, since.counts, "Counts that are not the same") +
         numbers_of(page, since.latencies, "Latencies") + "</section>\n";
}

}  // namespace rehearse::reports::page
