#include "reports/annotations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <vector>

#include "reports/escape.h"
#include "reports/samples.h"

namespace rehearse::reports {
namespace {

using properties::Verdict;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(Annotations, AreAsWritten) { expect_golden("failing.annotations", render_annotations(failing_report())); }

TEST(Annotations, EscapeAsTheRunnerReadsThem) {
  EXPECT_EQ(annotation_text("100%\r\na:b,c"), "100%25%0D%0Aa:b,c");
  EXPECT_EQ(annotation_property("100%\r\na:b,c"), "100%25%0D%0Aa%3Ab%2Cc");
}

TEST(Annotations, CapturedTextBeginsNoCommandOfItsOwn) {
  for (const std::string& text : {std::string("x\n::error::forged\n::set-output name=a::b"), hostile_text(),
                                  std::string("a,file=b::c"), std::string("::stop-commands::x")}) {
    for (const std::string& line : lines_of(render_annotations(report_that_says(text)))) {
      EXPECT_THAT(line, ::testing::AnyOf(StartsWith("::error title="), StartsWith("::warning title=")));
      const std::string title = line.substr(line.find('=') + 1, line.find("::", 2) - line.find('=') - 1);
      EXPECT_THAT(title, Not(HasSubstr(",")));
      EXPECT_THAT(line, Not(HasSubstr("\x1b")));
    }
  }
}

TEST(Annotations, TellWhatGitHubWouldDrop) {
  Report report = failing_report();
  for (int i = 0; i < 30; ++i) report.results.push_back(report.results[3]);
  const auto lines = lines_of(render_annotations(report));
  std::vector<std::string> errors;
  for (const std::string& line : lines) {
    if (line.starts_with("::error")) errors.push_back(line);
  }
  ASSERT_EQ(errors.size(), annotations_of_a_kind);
  EXPECT_EQ(errors.back(), "::error title=rehearse::and 24 more: see the report files");
}

TEST(Annotations, APassIsANoticeAndNothingCheckedIsAWarning) {
  EXPECT_EQ(render_annotations(passing_report()), "::notice title=rehearse::safe to take every stage rehearsed\n");
  EXPECT_THAT(render_annotations(Report{}), StartsWith("::warning title=rehearse::nothing was checked"));
}

}  // namespace
}  // namespace rehearse::reports
