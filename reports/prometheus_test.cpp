#include "reports/prometheus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "reports/samples.h"

namespace rehearse::reports {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// What the parser of Prometheus' own client library says.
bool parsed(const std::string& text) {
  const auto file = std::filesystem::temp_directory_path() / ("prometheus_test." + std::to_string(getpid()));
  std::ofstream(file, std::ios::binary) << text;
  const int status = std::system(
      ("/usr/bin/python3 '" REHEARSE_SOURCE_DIR "/reports/prometheus_check.py' '" + file.string() + "'").c_str());
  std::filesystem::remove(file);
  return status == 0;
}

TEST(Prometheus, IsAsWritten) { expect_golden("failing.prom", render_prometheus(failing_report())); }

TEST(Prometheus, IsWhatItsOwnParserReads) {
  for (const Report& report : {passing_report(), failing_report(), unknown_report(), Report{}})
    EXPECT_TRUE(parsed(render_prometheus(report)));
  EXPECT_TRUE(parsed(render_prometheus(report_that_says(hostile_text()))));
}

TEST(Prometheus, TheParserNoticesWhatIsWrong) {
  const std::string text = render_prometheus(failing_report());
  EXPECT_FALSE(parsed(text + "rehearse_verdict{verdict=\"pass\" 1\n"));
  EXPECT_FALSE(parsed(text + text)) << "each series stands once";
}

TEST(Prometheus, SaysTheVerdictAsASeriesEach) {
  const std::string text = render_prometheus(unknown_report());
  EXPECT_THAT(text, HasSubstr("rehearse_verdict{verdict=\"unknown\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("rehearse_verdict{verdict=\"pass\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("rehearse_started_timestamp_seconds 1772352000\n"));
}

TEST(Prometheus, HostileTextMakesNoLine) {
  EXPECT_THAT(render_prometheus(report_that_says("a\nrehearse_verdict{verdict=\"pass\"} 1\n")),
              Not(HasSubstr("\nrehearse_verdict{verdict=\"pass\"} 1")));
}

}  // namespace
}  // namespace rehearse::reports
