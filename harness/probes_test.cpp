#include "harness/probes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rehearse::harness {
namespace {

using replay::History;
using replay::Outcome;
using replay::Plan;
using replay::Record;
using replay::Step;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

Record answered(const std::string& method, const std::string& target, int status, replay::Headers headers = {}) {
  Record record;
  record.outcome = Outcome::answered;
  record.read = replay::safe(method);
  record.request = {method, target, {}, ""};
  record.response = {status, std::move(headers), ""};
  return record;
}

History history_of(std::vector<Record> records) {
  History history;
  for (Record& record : records)
    record.step = static_cast<replay::StepId>(history.records.size()) + 1, history.records.push_back(std::move(record));
  return history;
}

Plan plan_of(const std::vector<std::pair<std::string, std::string>>& requests) {
  Plan plan;
  for (const auto& [method, target] : requests) {
    Step step;
    step.id = static_cast<replay::StepId>(plan.steps.size()) + 1;
    step.lane = 1;
    step.request = replay::Request{method, target, {}, "body"};
    step.read = replay::safe(method);
    plan.steps.push_back(std::move(step));
  }
  return plan;
}

std::vector<std::string> requests_of(const Plan& plan) {
  std::vector<std::string> requests;
  for (const Step& step : plan.steps) requests.push_back(step.request.get()->method + " " + step.request.get()->target);
  return requests;
}

TEST(ReadBack, ReadsWhatWasMadeChangedAndDeletedNewestFirst) {
  const History history = history_of({answered("POST", "/orders", 201, {{"Location", "/orders/41"}}),
                                      answered("PUT", "/orders/7?force=1", 200), answered("DELETE", "/orders/8", 204)});
  const Plan plan = read_back_of({&history});
  EXPECT_THAT(requests_of(plan), ElementsAre("GET /orders/8", "GET /orders/7", "GET /orders/41"));
  for (const Step& step : plan.steps) EXPECT_TRUE(step.read);
}

TEST(ReadBack, FollowsALocationWithAHost) {
  const History history =
      history_of({answered("POST", "/orders", 201, {{"Location", "http://elsewhere:8080/orders/41?x"}}),
                  answered("POST", "/orders", 201, {{"location", "http://elsewhere"}})});
  EXPECT_THAT(requests_of(read_back_of({&history})), ElementsAre("GET /orders/41"));
}

TEST(ReadBack, LeavesOutWhatWasNotAcknowledged) {
  History history = history_of(
      {answered("PUT", "/orders/1", 409), answered("PUT", "/orders/2", 500), answered("GET", "/orders/3", 200)});
  history.records.push_back(answered("PUT", "/orders/4", 200));
  history.records.back().outcome = Outcome::lost;
  EXPECT_THAT(requests_of(read_back_of({&history})), IsEmpty());
}

TEST(ReadBack, ReadsListsAgainAndNothingTwice) {
  const History first = history_of({answered("GET", "/orders?page=1", 200), answered("PUT", "/orders/1", 200),
                                    answered("GET", "/orders?page=9", 404)});
  const History second = history_of({answered("PUT", "/orders/1", 200), answered("GET", "/orders?page=1", 200)});
  EXPECT_THAT(requests_of(read_back_of({&first, &second})), ElementsAre("GET /orders/1", "GET /orders?page=1"));
}

TEST(ReadBack, IsBoundedAndKeepsRoomForLists) {
  std::vector<Record> records;
  for (int i = 0; i < 500; ++i)
    records.push_back(answered("PUT", "/orders/" + std::to_string(i), 200)),
        records.push_back(answered("GET", "/orders?after=" + std::to_string(i), 200));
  const History history = history_of(records);
  const Plan plan = read_back_of({&history});
  EXPECT_THAT(plan.steps, SizeIs(max_read_backs));
  EXPECT_THAT(requests_of(plan), Contains("GET /orders?after=0"));
  EXPECT_THAT(requests_of(plan), Contains("GET /orders/499"));
  EXPECT_THAT(requests_of(plan), Not(Contains("GET /orders/0")));
}

class OneOfEachRoute : public testing::Test {
 protected:
  Configuration configuration;
  void SetUp() override { configuration.not_business = {"/metrics"}; }
};

TEST_F(OneOfEachRoute, IsTakenWritesFirst) {
  const Plan plan = plan_of({{"GET", "/orders/1"},
                             {"GET", "/orders/2"},
                             {"POST", "/orders"},
                             {"POST", "/orders"},
                             {"DELETE", "/orders/3"},
                             {"GET", "/metrics"}});
  const Plan chosen = one_of_each_route(configuration, plan, {}, false);
  EXPECT_THAT(requests_of(chosen), ElementsAre("POST /orders", "DELETE /orders/3", "GET /orders/1"));
  EXPECT_EQ(chosen.steps[0].request.get()->body, "body");
  EXPECT_THAT(requests_of(one_of_each_route(configuration, plan, {}, true)),
              ElementsAre("POST /orders", "DELETE /orders/3"));
}

TEST_F(OneOfEachRoute, LeavesOutWhatIsNoOperation) {
  const Plan plan = plan_of({{"PUT", "/orders"}, {"PATCH", "/orders"}, {"POST", "/orders"}});
  const History oracle = history_of(
      {answered("PUT", "/orders", 405), answered("PATCH", "/orders", 501), answered("POST", "/orders", 422)});
  EXPECT_THAT(requests_of(one_of_each_route(configuration, plan, oracle, true)), ElementsAre("POST /orders"));
}

TEST_F(OneOfEachRoute, IsBounded) {
  std::vector<std::pair<std::string, std::string>> requests;
  for (int i = 0; i < 100; ++i)
    requests.emplace_back("POST",
                          "/" + std::string(static_cast<std::size_t>(i % 20 + 1), static_cast<char>('a' + i / 20)));
  EXPECT_THAT(one_of_each_route(configuration, plan_of(requests), {}, false).steps, SizeIs(max_direct_requests));
}

TEST(Refusals, AreWritesWithoutEffectOneOfEachRouteAndStatus) {
  History history = history_of(
      {answered("POST", "/orders", 201), answered("POST", "/orders", 422), answered("POST", "/orders", 422),
       answered("POST", "/orders", 409), answered("PUT", "/orders/1", 412), answered("PUT", "/orders/2", 412),
       answered("GET", "/orders/9", 404), answered("POST", "/orders", 503),
       answered("POST", "/orders", 503, {{"Retry-After", "1"}}), answered("PUT", "/orders/3", 500)});
  history.records.push_back(answered("PUT", "/orders/4", 404));
  history.records.back().outcome = Outcome::lost;
  Configuration configuration;
  configuration.contract.refusal = {503, {"Retry-After"}, ""};
  std::vector<std::string> found;
  for (const Record& record : refusals_of(configuration, history))
    found.push_back(record.request.method + " " + record.request.target + " " + std::to_string(record.response.status));
  EXPECT_THAT(found, ElementsAre("POST /orders 422", "POST /orders 409", "PUT /orders/1 412", "POST /orders 503"));
}

TEST(NotIdempotent, AreAcknowledgedWritesThatNeedNoEarlierAnswer) {
  Plan plan = plan_of({{"GET", "/a"},
                       {"POST", "/a"},
                       {"POST", "/a"},
                       {"PUT", "/a/1"},
                       {"PATCH", "/a/1"},
                       {"POST", "/refused"},
                       {"POST", "/a/7/uses"},
                       {"POST", "/healthz"}});
  plan.steps[6].uses = {{"path:1", "7", 2, "json:/id"}};
  Configuration configuration;
  configuration.not_business = {"/healthz"};
  History oracle =
      history_of({answered("GET", "/a", 200), answered("POST", "/a", 201), answered("POST", "/a", 201),
                  answered("PUT", "/a/1", 200), answered("PATCH", "/a/1", 200), answered("POST", "/refused", 422),
                  answered("POST", "/a/7/uses", 201), answered("POST", "/healthz", 200)});
  EXPECT_THAT(requests_of(not_idempotent_of(configuration, plan, oracle)), ElementsAre("POST /a", "PATCH /a/1"));
}

TEST(Refusals, AreBounded) {
  std::vector<Record> records;
  for (int i = 0; i < 90; ++i) records.push_back(answered("POST", "/orders", 400 + i));
  EXPECT_THAT(refusals_of(Configuration(), history_of(records)), SizeIs(max_traced_refusals));
}

TEST(ReadsOfAPlan, WaitForNoWriteAndUseNoValueOfOne) {
  Plan plan = plan_of({{"GET", "/orders"}, {"POST", "/orders"}, {"GET", "/orders/41"}});
  Step cue;
  cue.id = 4;
  cue.cue = "flip";
  plan.steps.push_back(cue);
  plan.steps[2].after = {{1}, {2}};
  plan.steps[2].uses = {{"path:1", "41", 2, "json:/id"}, {"query:x", "a", 1, "json:/x"}};
  const Plan reads = reads_of(plan);
  EXPECT_THAT(requests_of(reads), ElementsAre("GET /orders", "GET /orders/41"));
  EXPECT_EQ(reads.steps[1].id, 3) << "a step keeps its id, by which it is held against the oracle";
  EXPECT_THAT(reads.steps[1].after, ElementsAre(replay::Cause{1}));
  ASSERT_THAT(reads.steps[1].uses, SizeIs(1));
  EXPECT_EQ(reads.steps[1].uses[0].from, 1);
}

TEST(ACueAmidAPlan, HasRequestsBeforeItBesideItAndBehindIt) {
  const Plan plan = with_cue_amid(
      plan_of({{"GET", "/1"}, {"POST", "/2"}, {"GET", "/3"}, {"GET", "/4"}, {"POST", "/5"}, {"GET", "/6"}}), "copy");
  ASSERT_THAT(plan.steps, SizeIs(7));
  const Step& cue = plan.steps[2];
  EXPECT_EQ(cue.cue, "copy");
  EXPECT_THAT(cue.after, ElementsAre(replay::Cause{1}, replay::Cause{2})) << "all that comes before it has ended";
  const auto waits = [&](const Step& step) {
    return std::find(step.after.begin(), step.after.end(), replay::Cause{cue.id}) != step.after.end();
  };
  std::vector<std::string> beside, behind;
  for (const Step& step : plan.steps) {
    if (step.request && step.id > 2) (waits(step) ? behind : beside).push_back(step.request.get()->target);
  }
  EXPECT_THAT(beside, ElementsAre("/3", "/4"));
  EXPECT_THAT(behind, ElementsAre("/5", "/6"));
  EXPECT_THAT(replay::plan_from_json(to_json(plan)).steps, SizeIs(7)) << "it is a plan that can be saved and read";
}

}  // namespace
}  // namespace rehearse::harness
