#include "reports/junit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "reports/escape.h"
#include "reports/samples.h"

namespace rehearse::reports {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// What an XML parser that is not ours says, by the schema of Jenkins' xUnit plugin, the strictest of those that read the format.
bool valid(const std::string& xml) {
  const auto file = std::filesystem::temp_directory_path() / ("junit_test." + std::to_string(getpid()) + ".xml");
  std::ofstream(file, std::ios::binary) << xml;
  const int status = std::system(
      ("xmllint --noout --schema '" REHEARSE_SOURCE_DIR "/reports/junit-10.xsd' '" + file.string() + "'").c_str());
  std::filesystem::remove(file);
  return status == 0;
}

TEST(JUnit, IsAsWritten) { expect_golden("failing.xml", render_junit(failing_report())); }

TEST(JUnit, IsValidUnderTheSchemaThatServersRead) {
  EXPECT_TRUE(valid(render_junit(passing_report())));
  EXPECT_TRUE(valid(render_junit(failing_report())));
  EXPECT_TRUE(valid(render_junit(unknown_report())));
  EXPECT_TRUE(valid(render_junit(Report{})));
  Report slow = passing_report();
  slow.seconds = 123'456.7;
  slow.sections[4].seconds = 5'000;
  EXPECT_TRUE(valid(render_junit(slow)));
  EXPECT_FALSE(valid("<testsuites skipped=\"1\"/>")) << "the schema can tell";
}

TEST(JUnit, UnknownIsSkippedWithItsReason) {
  EXPECT_THAT(render_junit(unknown_report()),
              HasSubstr("<skipped message=\"the capture holds no write that reached shadow\"/>"));
}

TEST(JUnit, AReportThatCheckedNothingIsAnError) {
  EXPECT_THAT(render_junit(Report{}), HasSubstr("<error message=\"Nothing was checked, so nothing is proved.\"/>"));
}

TEST(JUnit, CountsAreThoseOfTheCases) {
  EXPECT_THAT(render_junit(failing_report()), HasSubstr("tests=\"8\" failures=\"3\" errors=\"0\" time="));
}

TEST(JUnit, CarriesTheCausesOfWhatDiffersEachOnce) {
  const std::string xml = render_junit(failing_report());
  const auto suite_of = [&](const std::string& text) {
    const auto at = xml.find(text);
    EXPECT_EQ(xml.find(text, at + 1), std::string::npos) << text;
    const auto begin = xml.rfind("<testsuite name=", at);
    return at == std::string::npos ? "nowhere" : xml.substr(begin, xml.find(" tests=", begin) - begin);
  };
  EXPECT_EQ(suite_of("GET /orders/{}: $.total (value), in 812 answers: live, completed\n"),
            "<testsuite name=\"completed\"");
  EXPECT_EQ(suite_of("DELETE /orders/{}: answer (failure), in 2 answers: live\n"), "<testsuite name=\"off\"")
      << "no suite is of live";
  EXPECT_EQ(suite_of("1 more cause not listed"), "<testsuite name=\"off\"");
  EXPECT_THAT(render_junit(passing_report()), Not(HasSubstr("system-out")));
}

TEST(JUnit, HostileTextStaysText) {
  const std::string xml = render_junit(report_that_says(hostile_text()));
  EXPECT_TRUE(valid(xml));
  EXPECT_EQ(valid_utf8(xml), xml);
  EXPECT_THAT(xml, Not(HasSubstr("<script")));
  EXPECT_THAT(xml, Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace rehearse::reports
