#include "replay/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

namespace rehearse::replay {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

bool by_verb(std::string_view method, std::string_view) { return safe(method); }

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
    for (StepId cause : plan.steps[i].after) {
      over[i].insert(cause);
      const auto& earlier = over[static_cast<std::size_t>(cause) - 1];
      over[i].insert(earlier.begin(), earlier.end());
    }
  }
  return over;
}

RC_GTEST_PROP(Planner, OrdersEveryPairWithAWriteAndNoReadsOfDifferentConnectionsBetweenTheSameWrites, ()) {
  const Plan plan = plan_of(any_traffic(), by_verb);
  const auto over = over_before(plan);
  for (std::size_t later = 0; later < plan.steps.size(); ++later) {
    std::int64_t writes_between = 0;
    for (std::size_t earlier = later; earlier-- > 0;) {
      const Step &a = plan.steps[earlier], &b = plan.steps[later];
      const bool ordered = over[later].contains(a.id);
      if (!a.read || !b.read || a.lane == b.lane) {
        RC_ASSERT(ordered);
      } else if (writes_between == 0) {
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

RC_GTEST_PROP(Planner, EveryExchangeIsAStepOrIsCountedAsLeftOut, ()) {
  const Traffic traffic = any_traffic();
  const Plan plan = plan_of(traffic, by_verb);
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
  const Plan plan = plan_of(traffic, by_verb);
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
  const Plan early = plan_of(traffic, by_verb);
  EXPECT_THAT(early.steps[1].uses, IsEmpty()) << "the answer was not there yet when the request began";
  traffic.exchanges[1].request_ns = 12;
  const Plan late = plan_of(traffic, by_verb);
  EXPECT_THAT(late.steps[1].uses, ElementsAre(Use{"path:1", "30011", 1, "json:/id"}));
  EXPECT_THAT(late.steps[1].after, ElementsAre(1));
  EXPECT_EQ(late.steps[2].due_ns, 20);
  EXPECT_THAT(late.steps[2].uses, IsEmpty());
}

TEST(Planner, WhatReadsIsForTheCallerToSay) {
  Traffic traffic;
  traffic.exchanges = {exchange(1, 0, 1, {"POST", "/search?x=1", {}, ""}, {200, {}, ""})};
  const Plan plan = plan_of(traffic, [](std::string_view, std::string_view path) { return path == "/search"; });
  EXPECT_TRUE(plan.steps[0].read);
}

}  // namespace
}  // namespace rehearse::replay
