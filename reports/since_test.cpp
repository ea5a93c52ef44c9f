#include "reports/since.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/identity.h"
#include "reports/phrases.h"
#include "reports/samples.h"

namespace rehearse::reports {
namespace {

using properties::Verdict;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Identity, IsTheSameInAnotherRunOfTheSameThing) {
  properties::Result result;
  result.invariant = "G5";
  result.scope = "shadow";
  const properties::Finding now{"POST /orders (step 346) was answered 200",
                                "orders/1481.total is 12.00 in the legacy database and NULL in the new database (and 5 "
                                "more of its columns); last written by transaction 812",
                                "curl -i -X POST 'http://127.0.0.1:36465/orders/1481/payments'", "shadow", 346};
  properties::Finding later = now;
  later.expected = "POST /orders (step 12) was answered 200";
  later.observed = "orders/7.total is 5.10 in the legacy database and NULL in the new database";
  later.request = "curl -i -X POST 'http://127.0.0.1:4711/orders/7/payments'";
  later.step = 12;
  EXPECT_EQ(identity_of(result, now), identity_of(result, later));
  EXPECT_TRUE(identity_of(result, now).starts_with("G5-shadow-"));
}

TEST(Identity, IsAnotherOneForAnotherColumnRouteInvariantOrSection) {
  properties::Result result;
  result.invariant = "G5";
  result.scope = "shadow";
  const properties::Finding finding{"", "orders/7.total is 5 here and 6 there", "curl -i 'http://h/orders/7'", "", -1};
  const std::string one = identity_of(result, finding);
  properties::Finding other = finding;
  other.observed = "orders/7.status is 5 here and 6 there";
  EXPECT_NE(identity_of(result, other), one);
  other = finding;
  other.request = "curl -i -X DELETE 'http://h/orders/7'";
  EXPECT_NE(identity_of(result, other), one);
  result.scope = "live";
  EXPECT_NE(identity_of(result, finding), one);
  result.scope = "shadow";
  result.invariant = "S1";
  EXPECT_NE(identity_of(result, finding), one);
}

TEST(Identity, OfHostileTextIsAFragmentAsItStands) {
  const Report report = report_that_says(hostile_text());
  for (const properties::Result& result : report.results)
    EXPECT_THAT(identity_of(result), ::testing::MatchesRegex("[A-Za-z0-9-]+"));
  for (const Section& section : report.sections)
    EXPECT_THAT(identity_of(section), ::testing::MatchesRegex("[A-Za-z0-9-]+"));
}

TEST(Identity, NumbersTimesAndIdsAreLeftOut) {
  EXPECT_EQ(without_numbers("orders/1481 is in neither database at 12:00:09.118"),
            "orders/# is in neither database at #");
  EXPECT_EQ(without_numbers("at 2026-03-01T08:00:00Z, 1,234 rows, 5.00"), "at #, # rows, #");
  EXPECT_EQ(without_numbers("carts/7f3a90bc-11d2-4e5f-8a9b-0c1d2e3f4a5b and deadbeef1 differ"), "carts/# and # differ");
  EXPECT_EQ(without_numbers("a decade of facades"), "a decade of facades") << "words are no ids";
}

std::vector<std::string> states_of(const Since& since) {
  std::vector<std::string> states;
  for (const ChangedFinding& finding : since.findings) states.push_back(finding.state);
  return states;
}

TEST(SinceTest, TheSameReportHoldsNothingNewAndNothingGone) {
  const Since same = since(failing_report(), failing_report());
  EXPECT_THAT(states_of(same), ::testing::Each("still there"));
  EXPECT_FALSE(same.findings.empty());
  EXPECT_THAT(same.counts, IsEmpty());
  for (const ChangedVerdict& verdict : same.verdicts) EXPECT_EQ(verdict.before, verdict.now);
}

TEST(SinceTest, WhatWasMendedIsGoneAndWhatBrokeIsNew) {
  EXPECT_THAT(states_of(since(passing_report(), failing_report())), ::testing::Each("new"));
  EXPECT_THAT(states_of(since(failing_report(), passing_report())), ::testing::Each("gone"));
  Report mended = failing_report();
  mended.results[4].verdict = Verdict::pass;  // C2
  const Since changed = since(failing_report(), mended);
  std::vector<std::string> gone;
  for (const ChangedFinding& finding : changed.findings) {
    if (finding.state == "gone") gone.push_back(finding.what);
  }
  EXPECT_THAT(gone, ElementsAre("C2 in completed"));
}

TEST(SinceTest, MoreOfTheSameIsNotNewAndIsCounted) {
  Report worse = failing_report();
  worse.differences[0].answers = 900;
  const Since changed = since(failing_report(), worse);
  EXPECT_THAT(states_of(changed), ::testing::Each("still there"));
  const auto found = std::find_if(changed.findings.begin(), changed.findings.end(),
                                  [](const ChangedFinding& f) { return f.what == "GET /orders/{} $.total"; });
  ASSERT_NE(found, changed.findings.end());
  EXPECT_EQ(found->before, 812U);
  EXPECT_EQ(found->now, 900U);
}

TEST(SinceTest, ASectionThatOneOfThemDidNotRehearseSaysSo) {
  Report partial = passing_report();
  partial.sections.erase(partial.sections.begin() + 5);  // live
  const auto verdict_of_live = [](const Since& changed) {
    for (const ChangedVerdict& verdict : changed.verdicts) {
      if (verdict.section == "live") return verdict.before + ">" + verdict.now;
    }
    return std::string("not there");
  };
  EXPECT_EQ(verdict_of_live(since(partial, passing_report())), ">pass");
  EXPECT_EQ(verdict_of_live(since(passing_report(), partial)), "pass>");
}

TEST(SinceTest, CountsAndLatenciesStandThenAndNow) {
  Report slower = passing_report();
  slower.sections[4].p50_ms = 3.68;
  slower.conservation[1].second = 2980;
  const Since changed = since(passing_report(), slower);
  ASSERT_EQ(changed.counts.size(), 1U);
  EXPECT_EQ(changed.counts[0].name, "sent");
  EXPECT_EQ(change_of(changed.counts[0]), "-10");
  const auto shadow = std::find_if(changed.latencies.begin(), changed.latencies.end(),
                                   [](const ChangedNumber& n) { return n.name == "shadow: p50"; });
  ASSERT_NE(shadow, changed.latencies.end());
  EXPECT_EQ(change_of(*shadow), "+100.0%");
}

}  // namespace
}  // namespace rehearse::reports
