#include "harness/databases/causing_request.h"

#include <gtest/gtest.h>

namespace rehearse::harness {
namespace {

using replay::History;
using replay::Record;

constexpr std::int64_t second = 1'000'000'000;
// 2026-11-22 10:00:00 UTC
constexpr std::int64_t ten_o_clock = 1'795'341'600 * second;

// POST /orders/KEY, or GET, answered 200, under way from and to so many seconds behind ten.
Record sent(const std::string& method, const std::string& key, std::int64_t from, std::int64_t to) {
  Record record;
  record.step = static_cast<replay::StepId>(from) + 1;
  record.sent_ns = from * second;
  record.done_ns = to * second;
  record.outcome = replay::Outcome::answered;
  record.read = method == "GET";
  record.request.method = method;
  record.request.target = "/orders/" + key;
  record.response.status = 200;
  return record;
}

History shadow(std::vector<Record> records) {
  History history;
  history.name = "shadow";
  history.began_ns = ten_o_clock;
  history.records = std::move(records);
  return history;
}

TEST(CausingRequest, IsTheOnlyWriteThatWasUnderWay) {
  const auto history = shadow({sent("POST", "1", 0, 2), sent("GET", "2", 3, 9), sent("POST", "3", 4, 6)});
  EXPECT_EQ(causing_request({history}, "2026-11-22 10:00:05.5+00", "7"),
            "POST /orders/3 (step 5 of shadow), the only write under way when it was committed");
}

TEST(CausingRequest, OfSeveralUnderWayIsTheOneThatNamesTheRow) {
  const auto history = shadow({sent("POST", "1", 0, 5), sent("POST", "2", 1, 5), sent("POST", "3", 2, 5)});
  EXPECT_EQ(
      causing_request({history}, "2026-11-22 10:00:03+00", "2"),
      "POST /orders/2 (step 2 of shadow), of 3 writes under way when it was committed the one that names the row");
  EXPECT_EQ(causing_request({history}, "2026-11-22 10:00:03+00", "8"),
            "one of 3 writes that were under way when it was committed");
}

TEST(CausingRequest, IsNoneWhenNothingWasUnderWayAmidThePlay) {
  const auto history = shadow({sent("POST", "1", 0, 2), sent("POST", "2", 6, 8)});
  EXPECT_EQ(causing_request({history}, "2026-11-22 10:00:04+00", "1"),
            "none: no write of the history was under way when it was committed");
  EXPECT_EQ(causing_request({history}, "2026-11-22 09:00:00+00", "1"), "")
      << "before the play: by what the history knows not";
}

TEST(CausingRequest, WithoutATimeIsTheLastAcknowledgedWriteThatNamesTheRow) {
  auto refused = sent("POST", "1", 8, 9);
  refused.response.status = 409;
  const auto history = shadow({sent("POST", "1", 0, 2), sent("POST", "1", 3, 4), sent("POST", "2", 5, 6), refused});
  EXPECT_EQ(causing_request({history}, "", "1"),
            "POST /orders/1 (step 4 of shadow), the last acknowledged write that names the row");
  EXPECT_EQ(causing_request({history}, "", "9"), "");
}

}  // namespace
}  // namespace rehearse::harness
