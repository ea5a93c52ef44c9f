#include "reports/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <vector>

#include "reports/console.h"
#include "reports/escape.h"
#include "reports/html.h"
#include "reports/markdown.h"
#include "reports/phrases.h"
#include "reports/samples.h"
#include "reports/since.h"

namespace rehearse::reports {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

std::string complaint_about(const std::string& text) {
  try {
    (void)from_json(text);
  } catch (const std::invalid_argument& complaint) {
    return complaint.what();
  }
  return "no complaint";
}

std::string with(std::string text, const std::string& before, const std::string& after) {
  const auto at = text.find(before);
  return at == std::string::npos ? "the text has no " + before : text.replace(at, before.size(), after);
}

TEST(ReportJson, ComesBackAsItWent) {
  for (const Report& report : {passing_report(), failing_report(), unknown_report(), Report{}}) {
    EXPECT_EQ(to_json(from_json(to_json(report))), to_json(report));
  }
  const Report back = from_json(to_json(failing_report()));
  ASSERT_EQ(back.results.size(), 8U);
  ASSERT_EQ(back.results[3].findings.size(), 2U);
  EXPECT_EQ(back.results[3].findings[0].step, 481);
  EXPECT_EQ(back.results[3].violations, 22U);
  EXPECT_EQ(back.sections[6].lost, 7U);
  EXPECT_EQ(back.conservation[2].first, "filtered: health checks");
  EXPECT_EQ(back.seed, 42U);
  ASSERT_EQ(back.differences.size(), 2U);
  EXPECT_EQ(back.differences[0].smallest.bodies[2].observed, "  \"total\": 12.50");
  EXPECT_EQ(back.rules[1].remarks, std::vector<std::string>{"matched nothing"});
  ASSERT_EQ(back.latencies.size(), 1U);
  EXPECT_EQ(back.latencies[0].spectrum[1].candidate_ms, 3.9);
  ASSERT_EQ(back.budgets.size(), 3U);
  EXPECT_TRUE(back.budgets[0].confirmed);
  EXPECT_EQ(back.budgets[0].blocks[2].log_ratio, 0.25);
  EXPECT_EQ(back.environment->scheduling, "SCHED_FIFO 1");
  EXPECT_FALSE(from_json(to_json(Report{})).environment);
  ASSERT_EQ(back.rows.size(), 2U);
  EXPECT_EQ(back.rows[0].columns[1].right, "NULL");
  EXPECT_EQ(back.rows[0].writes[0].transaction, 812);
  EXPECT_TRUE(back.rows[1].alerted);
  EXPECT_EQ(back.more_rows, 3U);
  EXPECT_EQ(back.timeline.back().kind, "error");
  EXPECT_FALSE(back.since);
  Report changed = failing_report();
  changed.since = since(passing_report(), changed);
  EXPECT_EQ(to_json(from_json(to_json(changed))), to_json(changed));
  EXPECT_EQ(from_json(to_json(changed)).since->findings.size(), changed.since->findings.size());
}

TEST(ReportJson, KeepsTheLargestSeed) {
  Report report = passing_report();
  report.seed = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(from_json(to_json(report)).seed, report.seed);
}

TEST(ReportJson, IsAsWritten) {
  expect_golden("failing.json", to_json(failing_report()));
  expect_golden("passing.json", to_json(passing_report()));
  expect_golden("unknown.json", to_json(unknown_report()));
}

TEST(ReportJson, CarriesHostileTextUnchangedWhereItIsUtf8) {
  const Report back = from_json(to_json(report_that_says(hostile_text())));
  EXPECT_EQ(back.title, valid_utf8(hostile_text()));
}

TEST(ReportJson, AMeasurementThatIsNoNumberIsZero) {
  Report report = passing_report();
  report.sections[0].p99_ms = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(from_json(to_json(report)).sections[0].p99_ms, 0);
}

TEST(ReportJson, SaysWhatIsWrongWithTheText) {
  const std::string whole = to_json(passing_report());
  EXPECT_THAT(complaint_about("not json"), HasSubstr("it is not JSON"));
  EXPECT_THAT(complaint_about("[]"), HasSubstr("it has no schema_version"));
  EXPECT_THAT(complaint_about(with(whole, "\"schema_version\": 3", "\"schema_version\": 2")),
              HasSubstr("schema version 2; this program reads version 3"));
  EXPECT_THAT(complaint_about(with(whole, "\"seed\": 42", "\"seed\": -1")), HasSubstr("\"seed\" of the report"));
  EXPECT_THAT(complaint_about(with(whole, "\"verdict\": \"pass\"", "\"verdict\": \"fine\"")),
              HasSubstr("\"verdict\" of the report is no verdict"));
  EXPECT_THAT(complaint_about(with(whole, "\"p50_ms\"", "\"p51_ms\"")),
              HasSubstr("\"p50_ms\" of a section is missing"));
  for (std::size_t end = 0; end + 2 < whole.size(); end += 97) {
    EXPECT_NE(complaint_about(whole.substr(0, end)), "no complaint") << "cut at " << end;
  }
}

// `gate` writes it behind the capture that was played.
TEST(Renderers, SayThatNothingWasMaskedAndWhy) {
  Report report = passing_report();
  const auto rendered = [&] {
    return std::vector{render_console(report), render_html(report), render_markdown(report)};
  };
  EXPECT_THAT(rendered(), Each(Not(HasSubstr("redaction"))));
  report.traffic += ", redaction off: the tokens are invented";
  EXPECT_THAT(rendered(), Each(HasSubstr("redaction off: the tokens are invented")));
}

TEST(Advice, SaysWhatToDo) {
  EXPECT_EQ(advice(passing_report()), "safe to take every stage rehearsed");
  EXPECT_EQ(advice(failing_report()), "do not cut over: 3 invariants broken");
  EXPECT_EQ(advice(unknown_report()), "nothing proves 1 of 3 checks: do not cut over on this evidence");
  EXPECT_EQ(advice(Report{}), "nothing was checked: do not cut over on this evidence");
  Report pairs = passing_report();
  pairs.sections = {{"live pairs", "pairs", properties::Verdict::pass}};
  EXPECT_EQ(advice(pairs), "both services answer these reads alike; no stage was rehearsed");
}

TEST(Advice, CountsAnInvariantOnceHoweverManyStagesBreakIt) {
  Report report = failing_report();
  report.results.push_back(report.results[3]);
  report.results.back().scope = "live";
  EXPECT_EQ(advice(report), "do not cut over: 3 invariants broken");
}

TEST(Phrases, NumbersReadLikeNumbers) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(milliseconds(0.843), "0.84 ms");
  EXPECT_EQ(milliseconds(1534), "1.53 s");
  EXPECT_EQ(milliseconds(0), "–");
  EXPECT_EQ(duration(61.2), "1 min 1 s");
  EXPECT_EQ(counted(1, "violation"), "1 violation");
}

TEST(Phrases, AnExcerptSaysHowMuchIsMissing) {
  EXPECT_EQ(excerpt("abcdef", 6), "abcdef");
  EXPECT_EQ(excerpt("äbcdef", 2), "äb… (4 more characters)");
}

}  // namespace
}  // namespace rehearse::reports
