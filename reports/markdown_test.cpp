#include "reports/markdown.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/escape.h"
#include "reports/samples.h"

namespace rehearse::reports {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(Markdown, IsAsWritten) {
  expect_golden("failing.md", render_markdown(failing_report()));
  expect_golden("passing.md", render_markdown(passing_report()));
}

TEST(Markdown, BeginsWithTheVerdict) {
  EXPECT_THAT(render_markdown(failing_report()), StartsWith("## ❌ FAIL: do not cut over: 3 invariants broken\n"));
}

TEST(Markdown, FitsAPullRequestHoweverMuchIsBroken) {
  Report report = report_that_says(std::string(5000, '<'));
  const Report once = report;
  for (int i = 0; i < 60; ++i) {
    report.results.insert(report.results.end(), once.results.begin(), once.results.end());
    report.sections.insert(report.sections.end(), once.sections.begin(), once.sections.end());
  }
  report.volatiles.assign(500, report.volatiles[0]);
  const std::string text = render_markdown(report);
  EXPECT_LE(text.size(), markdown_limit);
  EXPECT_THAT(text, HasSubstr("did not fit here"));
  EXPECT_THAT(text, HasSubstr("Not compared"));
}

TEST(Markdown, HostileTextIsNoMarkup) {
  const std::string text = render_markdown(report_that_says(hostile_text()));
  EXPECT_EQ(valid_utf8(text), text);
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  // Outside of fenced blocks nothing is HTML, a link, a mention or a row of the table.
  std::string outside;
  std::string fence;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    const auto ticks = line.find_first_not_of('`');
    const std::size_t run = ticks == std::string::npos ? line.size() : ticks;
    if (fence.empty() && run >= 3) {
      fence = line.substr(0, run);
    } else if (!fence.empty() && line == fence) {
      fence.clear();
    } else if (fence.empty()) {
      outside += line + "\n";
    }
  }
  EXPECT_TRUE(fence.empty()) << "a block is left open";
  EXPECT_THAT(outside, Not(HasSubstr("<script")));
  EXPECT_THAT(outside, Not(HasSubstr("<img")));
  EXPECT_THAT(outside, Not(HasSubstr("[link](")));
  EXPECT_THAT(outside, Not(HasSubstr("@everyone")));
  EXPECT_THAT(outside, Not(HasSubstr("https://")));
  EXPECT_THAT(outside, Not(HasSubstr("| a |")));
}

}  // namespace
}  // namespace rehearse::reports
