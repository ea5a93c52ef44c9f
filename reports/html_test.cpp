#include "reports/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "reports/escape.h"
#include "reports/samples.h"
#include "reports/since.h"

namespace rehearse::reports {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t found = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

// The page without what the build put into it, which has tests of its own.
std::string written(std::string page) {
  for (const auto& [begin, end] : {std::pair("<style>", "</style>"), std::pair("<script>", "</script>")}) {
    const auto from = page.find(begin) + std::string_view(begin).size();
    page.replace(from, page.find(end) - from, "...");
  }
  for (auto at = page.find("'sha256-"); at != std::string::npos; at = page.find("'sha256-", at + 1))
    page.replace(at + 8, page.find('\'', at + 1) - at - 8, "...");
  return page;
}

TEST(Html, IsAsWritten) { expect_golden("failing.html", written(render_html(failing_report()))); }

TEST(Html, LoadsNothingAndRunsNothingButItsOwnScript) {
  const std::string page = render_html(failing_report());
  EXPECT_THAT(page, HasSubstr("content=\"default-src 'none'; style-src 'sha256-"));
  EXPECT_THAT(page, Not(HasSubstr("unsafe-inline")));
  EXPECT_EQ(count(page, "<script"), 1U);
  const std::string rest = written(page);
  for (const char* tag :
       {"<link", "<img", "<iframe", "<object", "@import", "url(", " src=", " style=", "http-equiv=refresh"}) {
    EXPECT_THAT(rest, Not(HasSubstr(tag)));
  }
  EXPECT_EQ(count(rest, "href="), count(rest, "href=#") + count(rest, "href=\"#")) << "links lead into the page";
}

TEST(Html, DrawsTheWholePathWithWhatWasNotRehearsed) {
  const std::string page = render_html(passing_report());
  EXPECT_THAT(page, HasSubstr("<b>shadow</b><span class=\"said pass\">✓ pass</span>"));
  EXPECT_THAT(page, HasSubstr("title=\"shadow → read-only\">not taken</span>"));
  EXPECT_THAT(page, HasSubstr("aria-label=\"completed → live: pass\">✓ pass</a>"));
}

TEST(Html, AGuardThatHeldDoesNotMakeAnEdgeGreenAndOneThatDidNotMakesItRed) {
  Report report = passing_report();
  Section guard = report.sections[6];
  guard.name = "live → shadow with an open alert";
  report.sections.push_back(guard);
  EXPECT_THAT(render_html(report), HasSubstr("title=\"live → shadow\">not taken</span>"));
  report.sections.back().verdict = properties::Verdict::fail;
  EXPECT_THAT(render_html(report), HasSubstr("aria-label=\"live → shadow: fail\""));
}

TEST(Html, AStageIsAsBadAsTheWorstOfItsFaults) {
  Report report = passing_report();
  Section hung = report.sections[4];
  hung.name = "shadow, new database hung";
  hung.verdict = properties::Verdict::fail;
  report.sections.push_back(hung);
  EXPECT_THAT(render_html(report), HasSubstr("<b>shadow</b><span class=\"said fail\">✗ fail</span>"));
}

std::vector<std::string> all_after(const std::string& page, const std::string& before, char end) {
  std::vector<std::string> found;
  for (auto at = page.find(before); at != std::string::npos; at = page.find(before, at + 1)) {
    const auto from = at + before.size();
    found.push_back(page.substr(from, page.find(end, from) - from));
  }
  return found;
}

TEST(Html, EveryLinkLeadsSomewhereAndNoNameIsGivenTwice) {
  Report report = failing_report();
  report.since = since(passing_report(), report);
  const std::string page = written(render_html(report));
  auto ids = all_after(page, " id=\"", '"');
  std::set<std::string> names(ids.begin(), ids.end());
  EXPECT_EQ(names.size(), ids.size());
  const auto links = all_after(page, "href=\"#", '"');
  EXPECT_GT(links.size(), 20U);
  for (const std::string& link : links) EXPECT_TRUE(names.contains(link)) << link;
}

TEST(Html, ANumberThatAChartDrawsStandsInATable) {
  const std::string page = render_html(failing_report());
  EXPECT_THAT(page, HasSubstr("<td data-v=\"0.99\">p99<td data-v=\"3.6\">3.60 ms<td data-v=\"3.9\">3.90 ms<td>+8.3%"));
  EXPECT_THAT(page, HasSubstr("<td data-v=\"2.5\">2.5 s<td data-v=\"0.233678\">+23.4%"));
  EXPECT_THAT(page, HasSubstr("<td data-v=\"40.9\">40.9 s<td class=fail>error<td class=text>live → completed"));
}

// As large as a judgement of ours can make it, and then larger.
Report enormous_report() {
  Report report = failing_report();
  const std::string text(9'000, '<');
  properties::Result lost = report.results[3];
  for (std::size_t i = 0; i < 20; ++i) lost.findings.push_back({text, text, text, text, 7});
  report.results.resize(report.results.size() + 20, lost);
  report.differences[0].first.bodies.assign(500, {text.substr(0, 500), text.substr(0, 400), true});
  report.differences.resize(100, report.differences[0]);
  report.rows.resize(200, report.rows[0]);
  for (DifferingRow& row : report.rows) row.columns.assign(5, {text, text, text});
  report.timeline.resize(8'000, report.timeline.back());
  report.volatiles.resize(8'000, {text.substr(0, 300), 1, "", 0, 0, 0});
  report.sections.resize(1'000, report.sections.back());
  report.latencies.resize(500, report.latencies[0]);
  return report;
}

TEST(Html, ThePageIsNeverLargerThanAViewerTakes) {
  const std::string page = render_html(enormous_report());
  EXPECT_LE(page.size(), page_limit);
  EXPECT_THAT(page, HasSubstr("that the page has no room for"));
  EXPECT_THAT(page, HasSubstr("do not cut over"));
}

TEST(Html, HostileTextChangesNoTag) {
  const std::string page = render_html(report_that_says(hostile_text()));
  const std::string tame = render_html(report_that_says("tame"));
  EXPECT_EQ(valid_utf8(page), page);
  EXPECT_EQ(count(page, "<"), count(tame, "<"));
  EXPECT_EQ(count(page, ">"), count(tame, ">"));
  EXPECT_EQ(count(page, "\""), count(tame, "\""));
  EXPECT_EQ(page.find('\0'), std::string::npos);
  EXPECT_THAT(page, Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace rehearse::reports
