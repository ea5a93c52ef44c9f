#include "replay/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

#include "replay/error.h"

namespace rehearse::replay {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Exchange exchange(std::int64_t connection, std::int64_t begin_ns, std::int64_t end_ns, Request request,
                  Response response) {
  Exchange made;
  made.id = begin_ns + 1;
  made.connection = connection;
  made.request_ns = made.request_end_ns = begin_ns;
  made.response_ns = made.response_end_ns = end_ns;
  made.request = std::move(request);
  made.response = std::move(response);
  return made;
}

Traffic any_traffic() {
  Traffic traffic;
  const auto size = *rc::gen::inRange(0, 25);
  for (std::int64_t i = 0; i < size; ++i) {
    const auto* method =
        *rc::gen::elementOf(std::vector<const char*>{"GET", "GET", "HEAD", "POST", "DELETE", "CONNECT"});
    traffic.exchanges.push_back(exchange(*rc::gen::inRange(1, 4), i * 10, i * 10 + *rc::gen::inRange(1, 60),
                                         {method, "/a", {}, ""}, {200, {}, ""}));
    if (*rc::gen::inRange(0, 8) == 0) traffic.exchanges.back().flags = {"gap"};
    if (*rc::gen::inRange(0, 12) == 0) traffic.exchanges.back().response->status = 101;
    if (*rc::gen::inRange(0, 12) == 0) traffic.exchanges.back().response.reset();
  }
  return traffic;
}

// Which steps are surely over when a step begins: the slow, obviously right closure of `after`.
std::vector<std::set<StepId>> over_before(const Plan& plan) {
  std::vector<std::set<StepId>> over(plan.steps.size());
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    for (const Cause& cause : plan.steps[i].after) {
      over[i].insert(cause.step);
      const auto& earlier = over[static_cast<std::size_t>(cause.step) - 1];
      over[i].insert(earlier.begin(), earlier.end());
    }
  }
  return over;
}

RC_GTEST_PROP(Planner, OrdersEveryPairWithAWriteAndNoReadsOfDifferentConnectionsBetweenTheSameWrites, ()) {
  PlannerOptions options;
  options.one_write_at_a_time = true;
  options.causes.session = options.causes.entity = false;
  const Plan plan = plan_of(any_traffic(), options);
  const auto over = over_before(plan);
  for (std::size_t later = 0; later < plan.steps.size(); ++later) {
    std::int64_t writes_between = 0;
    for (std::size_t earlier = later; earlier-- > 0;) {
      const Step &a = plan.steps[earlier], &b = plan.steps[later];
      const bool ordered = over[later].contains(a.id);
      if (!a.read || !b.read) {
        RC_ASSERT(ordered);
      } else if (a.lane != b.lane && writes_between == 0) {
        // Two reads may still follow from one another through a third one of their connections.
        bool through_a_lane = false;
        for (std::size_t between = earlier + 1; between < later; ++between) {
          through_a_lane |= plan.steps[between].lane == a.lane || plan.steps[between].lane == b.lane;
        }
        if (!through_a_lane) RC_ASSERT(!ordered);
      }
      writes_between += !a.read;
    }
  }
}

RC_GTEST_PROP(Planner, RequestsThatLieOnDiskMakeTheSamePlan, ()) {
  const Traffic traffic = any_traffic();
  PlannerOptions options;
  const Plan plan = plan_of(traffic, options);
  options.bytes_in_memory = static_cast<std::size_t>(*rc::gen::inRange(0, 2000));
  const Plan spooled = plan_of(traffic, options);
  RC_ASSERT(spooled.steps == plan.steps);
  std::size_t in_memory = 0;
  for (const Step& step : spooled.steps) in_memory += step.request.in_memory() ? sizeof(Request) : 0;
  RC_ASSERT(in_memory <= options.bytes_in_memory);
}

TEST(Planner, WhatOneAnswerMadeIsOneThingHoweverRequestsCallIt) {
  const std::string id = "8f14e45f-ceea-467a";
  Traffic traffic;
  traffic.exchanges = {exchange(1, 0, 10, {"POST", "/things", {}, ""},
                                {201, {{"Content-Type", "application/json"}}, R"({"ref":")" + id + R"("})"}),
                       exchange(2, 20, 30, {"DELETE", "/things?ref=" + id, {}, ""}, {204, {}, ""}),
                       exchange(3, 40, 50, {"GET", "/things/" + id, {}, ""}, {404, {}, ""})};
  const Plan plan = plan_of(traffic);
  ASSERT_EQ(plan.steps.size(), 3u);
  EXPECT_THAT(plan.steps[2].after, ElementsAre(Cause{2, CauseKind::entity}));
}

TEST(Planner, LeavesOutARequestThatWouldNotBeSentAsOne) {
  Traffic traffic;
  traffic.exchanges = {exchange(1, 0, 1, {"GET", "/a b", {}, ""}, {200, {}, ""}),
                       exchange(1, 2, 3, {"GET", "/a", {{"X", "1\r\nY: 2"}}, ""}, {200, {}, ""}),
                       exchange(1, 4, 5, {"GET", "/a", {}, ""}, {200, {}, ""})};
  const Plan plan = plan_of(traffic);
  EXPECT_EQ(plan.steps.size(), 1u);
  EXPECT_EQ(plan.left_out.size(), 2u);
  for (const auto& [reason, count] : plan.left_out)
    EXPECT_THAT(reason, ::testing::StartsWith("not replayable: the request holds"));
}

TEST(Planner, RefusesMoreStepsThanTheMachineShouldHold) {
  Traffic traffic;
  for (std::int64_t i = 0; i < 4; ++i)
    traffic.exchanges.push_back(exchange(1, 2 * i, 2 * i + 1, {"GET", "/a", {}, ""}, {200, {}, ""}));
  PlannerOptions options;
  options.max_steps = 4;
  EXPECT_EQ(plan_of(traffic, options).steps.size(), 4u);
  options.max_steps = 3;
  EXPECT_THAT([&] { static_cast<void>(plan_of(traffic, options)); },
              ::testing::ThrowsMessage<Error>(::testing::HasSubstr("more than 3 requests to plan; take a part")));
}

RC_GTEST_PROP(Planner, EveryExchangeIsAStepOrIsCountedAsLeftOut, ()) {
  const Traffic traffic = any_traffic();
  const Plan plan = plan_of(traffic);
  std::int64_t accounted = static_cast<std::int64_t>(plan.steps.size());
  for (const auto& [reason, count] : plan.left_out) accounted += count;
  RC_ASSERT(accounted == static_cast<std::int64_t>(traffic.exchanges.size()));
  RC_ASSERT(plan_from_json(to_json(plan)).steps == plan.steps);
}

TEST(Planner, NamesTheReasonOfWhatItLeavesOut) {
  Traffic traffic;
  traffic.exchanges = {exchange(1, 0, 1, {"GET", "/", {}, ""}, {200, {}, ""}),
                       exchange(1, 2, 3, {"CONNECT", "h:1", {}, ""}, {200, {}, ""}),
                       exchange(1, 4, 5, {"GET", "/", {}, ""}, {101, {}, ""})};
  traffic.exchanges[0].flags = {"gap", "truncated"};
  traffic.exchanges.push_back(traffic.exchanges[1]);
  traffic.exchanges.back().response.reset();
  const Plan plan = plan_of(traffic);
  EXPECT_THAT(plan.steps, IsEmpty());
  EXPECT_EQ(plan.left_out, (std::map<std::string, std::int64_t>{
                               {"not replayable: gap", 1},
                               {"not replayable: no response", 1},
                               {"not replayable: the connection left HTTP (CONNECT or upgrade)", 2}}));
}

TEST(Planner, AStepWaitsForTheAnswerWhoseValueItUses) {
  const Headers json{{"Content-Type", "application/json"}};
  Traffic traffic;
  traffic.exchanges = {exchange(1, 0, 10, {"POST", "/orders", {}, ""}, {201, json, R"({"id": 30011})"}),
                       exchange(2, 5, 15, {"GET", "/orders/30011", {}, ""}, {404, {}, ""}),
                       exchange(3, 20, 25, {"GET", "/orders/40022", {}, ""}, {200, {}, ""})};
  const Plan early = plan_of(traffic);
  EXPECT_THAT(early.steps[1].uses, IsEmpty()) << "the answer was not there yet when the request began";
  traffic.exchanges[1].request_ns = 12;
  const Plan late = plan_of(traffic);
  EXPECT_THAT(late.steps[1].uses, ElementsAre(Use{"path:1", "30011", 1, "json:/id"}));
  EXPECT_THAT(late.steps[1].after, ElementsAre(Cause{1, CauseKind::value}));
  EXPECT_EQ(late.steps[2].due_ns, 20);
  EXPECT_THAT(late.steps[2].uses, IsEmpty());
}

TEST(Planner, AnErrorGivesNoValuesAndMakesNothing) {
  const Headers json{{"Content-Type", "application/json"}};
  Traffic traffic;
  traffic.exchanges = {exchange(1, 0, 10, {"POST", "/orders", {}, ""}, {422, json, R"({"id": 30011})"}),
                       exchange(2, 20, 25, {"DELETE", "/orders/30011", {}, ""}, {404, {}, ""})};
  const Plan plan = plan_of(traffic);
  EXPECT_THAT(plan.steps[1].uses, IsEmpty());
  EXPECT_THAT(plan.steps[1].after, IsEmpty());
  traffic.exchanges[0].response->status = 201;
  EXPECT_THAT(plan_of(traffic).steps[1].after, ElementsAre(Cause{1, CauseKind::value}));
}

// Two orders whose answers hold `word` as their `name`, and then a request with it.
Traffic two_orders(const std::string& name, std::int64_t second_connection, const std::string& second_target,
                   const std::string& second_id, const std::string& second_body = "{}") {
  const Headers json{{"Content-Type", "application/json"}};
  const auto made = [&](const std::string& id) {
    return Response{201, json, R"({"id": )" + id + R"(, ")" + name + R"(": "EUR-2024"})"};
  };
  Traffic traffic;
  traffic.exchanges = {exchange(1, 0, 10, {"POST", "/orders", json, "{}"}, made("30011")),
                       exchange(1, 20, 30, {"GET", "/rates/EUR-2024", {}, ""}, {200, {}, ""}),
                       exchange(second_connection, 40, 50, {"POST", second_target, json, second_body}, made(second_id)),
                       exchange(1, 60, 70, {"GET", "/rates/EUR-2024", {}, ""}, {200, {}, ""})};
  return traffic;
}

TEST(Planner, AWordThatAnswersOfDifferentEntitiesHoldIsAConstant) {
  const auto uses = [](const Traffic& traffic) {
    const Plan plan = plan_of(traffic);
    return plan.steps[1].uses.size() + plan.steps[3].uses.size();
  };
  EXPECT_EQ(uses(two_orders("tariff", 2, "/orders", "30012")), 0u);
  EXPECT_EQ(uses(two_orders("tariff_id", 2, "/orders", "30012")), 2u) << "its name says what it is";
  EXPECT_EQ(uses(two_orders("tariff", 1, "/orders", "30012")), 2u) << "one client's own, such as a basket";
  EXPECT_EQ(uses(two_orders("tariff", 2, "/orders/30011/bill", "9")), 2u) << "about the same order";
  EXPECT_EQ(uses(two_orders("tariff", 2, "/orders", "30012", R"({"tariff": "EUR-2024"})")), 2u) << "the client said it";
}

// Traffic of a shop: connections, sessions and orders at random, and requests that overlap.
Traffic shop() {
  Traffic traffic;
  const auto size = *rc::gen::inRange(0, 40);
  std::int64_t now = 0;
  std::map<std::int64_t, std::int64_t> free_at;  // of each connection
  for (int i = 0; i < size; ++i) {
    now += *rc::gen::inRange(0, 20);
    const std::int64_t connection = *rc::gen::inRange(1, 5);
    now = std::max(now, free_at[connection]);
    const std::int64_t end = now + *rc::gen::inRange(1, 60);
    free_at[connection] = end;
    Request request{*rc::gen::elementOf(std::vector<std::string>{"GET", "GET", "PUT", "DELETE"}),
                    "/orders/" + std::to_string(*rc::gen::inRange(1, 4)),
                    {},
                    ""};
    if (*rc::gen::inRange(0, 2) == 1)
      request.headers.push_back({"Cookie", "theme=dark; sid=session-" + std::to_string(*rc::gen::inRange(1, 4))});
    traffic.exchanges.push_back(exchange(connection, now, end, std::move(request), {200, {}, ""}));
    traffic.exchanges.back().id = i + 1;
    ++now;
  }
  return traffic;
}

RC_GTEST_PROP(Planner, OrdersExactlyWhatTheCaptureProves, ()) {
  const Traffic traffic = shop();
  const Plan plan = plan_of(traffic);
  RC_ASSERT(plan.steps.size() == traffic.exchanges.size());
  const auto over = over_before(plan);
  const auto session_of = [](const Exchange& e) { return field(e.request.headers, "Cookie").value_or(""); };
  // What has to be ordered, closed over steps between.
  std::vector<std::set<StepId>> expected(plan.steps.size());
  for (std::size_t later = 0; later < plan.steps.size(); ++later) {
    const Exchange& b = traffic.exchanges[later];
    for (std::size_t earlier = 0; earlier < later; ++earlier) {
      const Exchange& a = traffic.exchanges[earlier];
      const bool conflict =
          a.request.target == b.request.target && (!plan.steps[earlier].read || !plan.steps[later].read);
      const bool session = !session_of(a).empty() && session_of(a) == session_of(b);
      if (a.response_end_ns > b.request_ns || !(conflict || session || a.connection == b.connection)) continue;
      expected[later].insert(plan.steps[earlier].id);
      expected[later].insert(expected[earlier].begin(), expected[earlier].end());
    }
    RC_ASSERT(over[later] == expected[later]);
    for (const Cause& cause : plan.steps[later].after)
      RC_ASSERT(traffic.exchanges[static_cast<std::size_t>(cause.step) - 1].response_end_ns <= b.request_ns);
  }
}

RC_GTEST_PROP(Planner, NoCauseFollowsFromTheOthers, ()) {
  PlannerOptions options;
  options.one_write_at_a_time = *rc::gen::arbitrary<bool>();
  const Plan plan = plan_of(shop(), options);
  const auto over = over_before(plan);
  for (const Step& step : plan.steps) {
    for (const Cause& cause : step.after) {
      for (const Cause& other : step.after) {
        if (other.step != cause.step) RC_ASSERT(!over[static_cast<std::size_t>(other.step) - 1].contains(cause.step));
      }
    }
  }
}

TEST(Planner, CountsCausesByTheirStrongestReason) {
  const Headers session{{"Cookie", "sid=a1b2c3d4"}};
  Traffic traffic;
  traffic.exchanges = {exchange(1, 0, 10, {"POST", "/orders", session, ""}, {201, {{"Location", "/orders/30011"}}, ""}),
                       exchange(1, 20, 30, {"GET", "/orders/30011", session, ""}, {200, {}, ""}),
                       exchange(2, 40, 50, {"DELETE", "/orders/30011", session, ""}, {204, {}, ""}),
                       exchange(3, 60, 70, {"DELETE", "/orders/30011", {}, ""}, {404, {}, ""}),
                       exchange(2, 80, 90, {"GET", "/products", {}, ""}, {200, {}, ""})};
  const Plan plan = plan_of(traffic);
  EXPECT_THAT(plan.steps[1].after, ElementsAre(Cause{1, CauseKind::value}));
  EXPECT_THAT(plan.steps[2].after, ElementsAre(Cause{2, CauseKind::entity})) << "1 was over when 2 began";
  EXPECT_THAT(plan.steps[3].after, ElementsAre(Cause{3, CauseKind::entity})) << "204, then 404, over two connections";
  EXPECT_THAT(plan.steps[4].after, ElementsAre(Cause{3, CauseKind::connection}));
  EXPECT_EQ(plan.causes_found, (std::map<std::string, std::int64_t>{{"value", 3}, {"entity", 2}, {"connection", 1}}));
}

TEST(Planner, RecognisesARequestThatAClientSentAgain) {
  const Headers key{{"Idempotency-Key", "k-1"}}, other{{"Idempotency-Key", "k-2"}};
  Traffic traffic;
  traffic.exchanges = {exchange(1, 0, 10, {"POST", "/orders", key, ""}, {503, {}, ""}),
                       exchange(2, 20, 30, {"POST", "/orders", key, ""}, {201, {}, ""}),
                       exchange(2, 40, 50, {"POST", "/orders", other, ""}, {201, {}, ""}),
                       exchange(2, 60, 70, {"POST", "/payments", key, ""}, {201, {}, ""})};
  const Plan plan = plan_of(traffic);
  EXPECT_EQ(plan.steps[1].retry_of, 1);
  EXPECT_THAT(plan.steps[1].after, ElementsAre(Cause{1, CauseKind::entity}));
  for (const std::size_t i : {0u, 2u, 3u}) EXPECT_EQ(plan.steps[i].retry_of, 0) << i;
  EXPECT_EQ(plan_from_json(to_json(plan)).steps, plan.steps);
}

TEST(Planner, WhatWasRefusedForItsCredentialsIsRefusedAgain) {
  const Headers json{{"Content-Type", "application/json"}};
  const Headers token{{"Authorization", "Bearer made-0123456789"}};
  Traffic traffic;
  traffic.exchanges = {
      exchange(1, 0, 10, {"POST", "/users", {}, ""}, {201, json, R"({"id": 30011, "token": "made-0123456789"})"}),
      exchange(1, 20, 30, {"GET", "/users/30011", token, ""}, {401, {}, ""}),
      exchange(1, 40, 50, {"GET", "/users/30011", token, ""}, {403, {}, ""}),
      exchange(1, 60, 70, {"GET", "/users/30011", token, ""}, {200, {}, ""}),
      exchange(1, 80, 90, {"GET", "/users/30011", token, ""}, {403, {}, ""})};
  const Plan plan = plan_of(traffic);
  const Use id{"path:1", "30011", 1, "json:/id"};
  const Use credential{"credential:Authorization", "made-0123456789", 1, "json:/token"};
  EXPECT_THAT(plan.steps[1].uses, ElementsAre(id)) << "the token had expired; the one of a play has not";
  EXPECT_THAT(plan.steps[2].uses, ElementsAre(id, credential)) << "accepted later: who asked was known";
  EXPECT_THAT(plan.steps[3].uses, ElementsAre(id, credential));
  EXPECT_THAT(plan.steps[4].uses, ElementsAre(id)) << "never accepted again: it may have been revoked";
  const std::vector<bool> keep{false, true, true, false, true};
  for (std::size_t i = 0; i < keep.size(); ++i) EXPECT_EQ(plan.steps[i].keep_credentials, keep[i]) << i;
  EXPECT_EQ(plan_from_json(to_json(plan)).steps, plan.steps);
}

TEST(Planner, ConnectionsOnlyOrdersNothingElse) {
  const Headers session{{"Authorization", "Bearer a1b2c3d4"}};
  Traffic traffic;
  traffic.exchanges = {exchange(1, 0, 10, {"POST", "/orders", session, ""}, {201, {{"Location", "/orders/30011"}}, ""}),
                       exchange(2, 20, 30, {"DELETE", "/orders/30011", session, ""}, {204, {}, ""}),
                       exchange(1, 40, 50, {"GET", "/orders", session, ""}, {200, {}, ""})};
  PlannerOptions options;
  options.bindings = options.causes.entity = options.causes.session = false;
  const Plan plan = plan_of(traffic, options);
  EXPECT_THAT(plan.steps[1].after, IsEmpty());
  EXPECT_THAT(plan.steps[2].after, ElementsAre(Cause{1, CauseKind::connection}));
}

TEST(Planner, WhatReadsIsForTheCallerToSay) {
  Traffic traffic;
  traffic.exchanges = {exchange(1, 0, 1, {"POST", "/search?x=1", {}, ""}, {200, {}, ""})};
  PlannerOptions options;
  options.is_read = [](std::string_view, std::string_view path) { return path == "/search"; };
  const Plan plan = plan_of(traffic, options);
  EXPECT_TRUE(plan.steps[0].read);
}

}  // namespace
}  // namespace rehearse::replay
