#include "reports/console.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <vector>

#include "reports/escape.h"
#include "reports/samples.h"

namespace rehearse::reports {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

ConsoleOptions with_files() {
  ConsoleOptions options;
  options.files = {{"HTML", "rehearsal/report.html"}, {"JUnit", "rehearsal/junit.xml"}};
  return options;
}

TEST(Console, IsAsWritten) {
  expect_golden("passing.txt", render_console(passing_report(), with_files()));
  expect_golden("failing.txt", render_console(failing_report(), with_files()));
  expect_golden("unknown.txt", render_console(unknown_report(), with_files()));
}

TEST(Console, SaysTheVerdictFirstAndLast) {
  const auto lines = lines_of(render_console(failing_report()));
  EXPECT_EQ(lines.front(), "FAIL  do not cut over: 3 invariants broken");
  EXPECT_EQ(lines.back(), lines.front());
}

TEST(Console, ColoursOnlyWhereAskedTo) {
  ConsoleOptions options;
  EXPECT_THAT(render_console(failing_report(), options), Not(HasSubstr("\x1b")));
  options.color = true;
  EXPECT_THAT(render_console(failing_report(), options), HasSubstr("\x1b[1;31mFAIL\x1b[0m"));
}

TEST(Console, WrapsWhatIsLongAtTheWidth) {
  ConsoleOptions options;
  options.width = 80;
  for (const std::string& line : lines_of(render_console(failing_report(), options))) {
    const bool table = line.find("  ·") != std::string::npos || line.find("answered  refused") != std::string::npos;
    if (line.starts_with("  request") || table) continue;
    EXPECT_LE(columns_of(line), 80U) << line;
  }
}

TEST(Console, CutsAFactThatNobodyWouldReadToItsEnd) {
  EXPECT_THAT(render_console(failing_report()), HasSubstr("… (309 more"));
}

TEST(Console, ANarrowTerminalIsNoReasonToHang) {
  ConsoleOptions options;
  for (const int width : {-1, 0, 1, 20, 60}) {
    options.width = width;
    EXPECT_THAT(render_console(failing_report(), options), HasSubstr("FAIL"));
  }
}

TEST(Console, HostileTextControlsNothingAndForgesNoLine) {
  const std::string text = render_console(report_that_says(hostile_text()));
  EXPECT_EQ(valid_utf8(text), text);
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, Not(HasSubstr("\r")));
  EXPECT_THAT(text, Not(HasSubstr("\xC2\x9B")));
  EXPECT_THAT(text, Not(HasSubstr("\u202E")));
  EXPECT_EQ(text.find('\0'), std::string::npos);
  for (const std::string& line : lines_of(text)) EXPECT_FALSE(line.starts_with("PASS")) << line;
}

}  // namespace
}  // namespace rehearse::reports
