#include "reports/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/escape.h"
#include "reports/samples.h"

namespace rehearse::reports {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t found = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

TEST(Html, IsAsWritten) { expect_golden("failing.html", render_html(failing_report())); }

TEST(Html, LoadsNothingAndRunsNothing) {
  const std::string page = render_html(failing_report());
  EXPECT_THAT(page, HasSubstr("content=\"default-src 'none'; style-src 'unsafe-inline';"));
  for (const char* tag : {"<script", "<link", "<img", "<iframe", "<object", "@import", "url(", " src=", " href="}) {
    EXPECT_THAT(page, Not(HasSubstr(tag)));
  }
}

TEST(Html, DrawsTheWholePathWithWhatWasNotRehearsed) {
  const std::string page = render_html(passing_report());
  EXPECT_THAT(page, HasSubstr("<b>shadow</b>✓ pass"));
  EXPECT_THAT(page, HasSubstr("← not taken"));
  EXPECT_THAT(page, HasSubstr("<span class=pass>← ✓ pass</span>"));
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
