#include "properties/plans/drawing.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

#include "properties/plans/odd_values.h"
#include "properties/plans/operations.h"
#include "replay/planner.h"
#include "replay/values.h"

namespace rehearse::properties {
namespace {

using replay::Exchange;
using replay::Plan;
using replay::Step;

Exchange exchange(std::int64_t id, const std::string& method, const std::string& target, const std::string& body,
                  int status, const std::string& answer) {
  Exchange made;
  made.id = made.connection = id;
  made.request_ns = made.started_ns = id * 1'000'000'000;
  made.request_end_ns = made.request_ns + 1;
  made.response_ns = made.request_ns + 2;
  made.response_end_ns = made.request_ns + 3;
  made.request = {method, target, {{"Host", "shop"}, {"Content-Type", "application/json"}}, body};
  made.response = replay::Response{status, {{"Content-Type", "application/json"}}, answer};
  return made;
}

// A shop as it was captured: orders that are made, read, changed and deleted, and products under names that clients choose.
Plan captured() {
  replay::Traffic traffic;
  std::int64_t id = 0;
  const auto add = [&](const std::string& method, const std::string& target, const std::string& body, int status,
                       const std::string& answer) {
    traffic.exchanges.push_back(exchange(++id, method, target, body, status, answer));
  };
  for (int i = 0; i < 6; ++i) {
    const std::string order = std::to_string(7100 + i);
    add("POST", "/orders",
        R"({"note": "left at the door )" + std::to_string(i) + R"(", "status": "open", "sku": "SKU-0010)" +
            std::to_string(i) + R"("})",
        201, R"({"id": )" + order + "}");
    add("GET", "/orders/" + order, "", 200, R"({"id": )" + order + "}");
    add("PATCH", "/orders/" + order, R"({"status": "paid"})", 200, "{}");
    add("PUT", "/products/SKU-0010" + std::to_string(i),
        R"({"title": "Lamp for room )" + std::to_string(i) + R"(", "price": "12.50"})", 200, "{}");
    if (i % 2 == 0) add("DELETE", "/orders/" + order, "", 204, "");
  }
  return replay::plan_of(traffic);
}

Catalogue catalogue() {
  return operations_in(captured(), [](const Step&) { return true; });
}

TEST(Operations, AreTheRoutesWithWhatTheirAnswersMake) {
  const Catalogue mined = catalogue();
  std::vector<std::string> names;
  for (const auto& operation : mined.operations) names.push_back(operation.name);
  EXPECT_EQ(names, (std::vector<std::string>{"DELETE /orders/{}", "GET /orders/{}", "PATCH /orders/{}", "POST /orders",
                                             "PUT /products/{}"}));
  const Operation* create = mined.named("POST /orders");
  ASSERT_NE(create, nullptr);
  EXPECT_TRUE(create->accepted);
  ASSERT_TRUE(create->makes.contains("json:/id"));
  EXPECT_EQ(create->makes.at("json:/id"), "order");
  EXPECT_EQ(mined.makers("order"), (std::vector<const Operation*>{create}));
  EXPECT_TRUE(mined.values.at("order").reference);
  EXPECT_TRUE(mined.values.at("status").enumeration());
}

TEST(Operations, PlacesThatShareIdentifyingValuesAreOfOneSort) {
  const Catalogue mined = catalogue();
  const Operation* create = mined.named("POST /orders");
  const Operation* put = mined.named("PUT /products/{}");
  const auto sort_at = [](const Operation& operation, const std::string& at) {
    const auto& slots = operation.samples.front().slots;
    return std::find_if(slots.begin(), slots.end(), [&](const Slot& slot) { return slot.at == at; })->sort;
  };
  EXPECT_EQ(sort_at(*create, "json:/sku"), sort_at(*put, "path:1"));
}

// Numbers of two entities that are alike by chance do not make them one; names that clients choose need not look like identifiers.
TEST(Operations, AlikeNumbersAreNotOneSortAndEveryNameInAPathIsASlot) {
  replay::Traffic traffic;
  std::int64_t id = 0;
  for (int i = 0; i < 4; ++i) {
    const std::string number = std::to_string(50590 + i);
    traffic.exchanges.push_back(exchange(++id, "GET", "/orders/" + number, "", 200, "{}"));
    traffic.exchanges.push_back(exchange(++id, "GET", "/customers/" + number, "", 200, "{}"));
    traffic.exchanges.push_back(exchange(++id, "PATCH", "/v1/products/BULK-" + std::to_string(i), "{}", 200, "{}"));
  }
  const Catalogue mined = operations_in(replay::plan_of(traffic), [](const Step&) { return true; });
  const auto sorts = sorts_of_entities(mined);
  EXPECT_EQ(sorts.at("order"), "order");
  EXPECT_EQ(sorts.at("customer"), "customer");
  for (const Operation& operation : mined.operations)
    for (const auto& sample : operation.samples) EXPECT_EQ(sample.slots.size(), 1U) << sample.request->target;
}

// What the world holds of an entity takes the place of what was captured, under whatever name the sort has.
TEST(Operations, AnEntityHasTheSortThatPathsNameItBy) {
  const Catalogue mined = catalogue();
  const auto sorts = sorts_of_entities(mined);
  ASSERT_TRUE(sorts.contains("product") && sorts.contains("order"));
  EXPECT_EQ(sorts.at("order"), "order");
  EXPECT_TRUE(mined.values.at(sorts.at("product")).reference);
  const auto& slots = mined.named("PUT /products/{}")->samples.front().slots;
  const auto path = std::find_if(slots.begin(), slots.end(), [](const Slot& slot) { return slot.at == "path:1"; });
  EXPECT_EQ(sorts.at("product"), path->sort);
}

DrawingOptions everything() {
  DrawingOptions options;
  options.fault_cues = {{"break new-database stopped", "mend"}, {"stop legacy", "start legacy"}};
  return options;
}

RC_GTEST_PROP(Drawing, ThePlanDependsOnItsArgumentsAlone, (std::uint64_t seed)) {
  static const Catalogue mined = catalogue();
  RC_ASSERT(draw_plan(mined, everything(), {}, seed).steps == draw_plan(mined, everything(), {}, seed).steps);
}

RC_GTEST_PROP(Drawing, EveryPlanIsOneThatCanBePlayedAndWrittenToAFile, (std::uint64_t seed)) {
  static const Catalogue mined = catalogue();
  const Plan plan = draw_plan(mined, everything(), {}, seed);
  const Plan again = replay::plan_from_json(replay::to_json(plan));
  RC_ASSERT(again.steps.size() == plan.steps.size());
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const Step &a = again.steps[i], &b = plan.steps[i];
    RC_ASSERT(a.id == b.id && a.after == b.after && a.request == b.request && a.cue == b.cue && a.uses == b.uses &&
              a.read == b.read);
    RC_ASSERT(a.lane == b.lane || !a.cue.empty());
  }
  std::set<replay::StepId> seen;
  bool requests = false;
  for (const Step& step : plan.steps) {
    RC_ASSERT(seen.insert(step.id).second);
    for (const auto& cause : step.after) RC_ASSERT(seen.contains(cause.step));
    for (const auto& use : step.uses) {
      RC_ASSERT(seen.contains(use.from) && use.from != step.id);
      RC_ASSERT(replay::value_at(*step.request.get(), use.at) == use.value);
    }
    requests |= step.request.has_value();
    if (!step.cue.empty()) static_cast<void>(signal_in(step.cue));  // throws when it is none
  }
  RC_ASSERT(requests);
}

RC_GTEST_PROP(Drawing, TheWayGoesOverLegalEdgesAlone, (std::uint64_t seed)) {
  static const Catalogue mined = catalogue();
  const auto stages = stages_of(draw_plan(mined, everything(), {}, seed));
  for (std::size_t i = 1; i < stages.size(); ++i) RC_ASSERT(legal(stages[i - 1], stages[i]));
}

RC_GTEST_PROP(Drawing, WhatIsBrokenIsMended, (std::uint64_t seed)) {
  static const Catalogue mined = catalogue();
  int broken = 0;
  for (const Step& step : draw_plan(mined, everything(), {}, seed).steps) {
    if (step.cue == "break new-database stopped" || step.cue == "stop legacy") ++broken;
    if (step.cue == "mend" || step.cue == "start legacy") --broken;
  }
  RC_ASSERT(broken == 0);
}

TEST(Drawing, AThousandPlansTakeEveryEdgeAndStraddleIt) {
  const Catalogue mined = catalogue();
  MetSoFar met;
  std::set<std::string> straddled;
  int concurrent_plans = 0, with_faults = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const Plan plan = draw_plan(mined, everything(), met, seed);
    met.expect(plan);
    concurrent_plans += concurrent(plan);
    Stage now = begins_in(plan);
    for (const Step& step : plan.steps) {
      if (step.cue.empty()) continue;
      const Signal signal = signal_in(step.cue);
      with_faults += signal.kind == Signal::Kind::break_database;
      if (signal.kind == Signal::Kind::set) straddled.insert(edge_name({now, signal.stage}));
      if (signal.moves_the_flag()) now = signal.stage;
    }
  }
  for (const Stage from : all_stages)
    for (const Stage to : all_stages)
      if (legal(from, to)) {
        EXPECT_GT(met.times[edge_name({from, to})], 20) << edge_name({from, to});
        EXPECT_TRUE(straddled.contains(edge_name({from, to}))) << edge_name({from, to});
      }
  EXPECT_GT(concurrent_plans, 200);
  EXPECT_GT(with_faults, 50);
}

// Where in the plan the cue that begins so stands; its size when it does not.
std::size_t position(const Plan& plan, const std::string& begin, std::size_t from = 0) {
  return static_cast<std::size_t>(std::find_if(plan.steps.begin() + static_cast<std::ptrdiff_t>(from), plan.steps.end(),
                                               [&](const Step& step) { return step.cue.starts_with(begin); }) -
                                  plan.steps.begin());
}

TEST(Drawing, AGateHoldsOneWriteUntilAnotherOfTheSameThingWasAnswered) {
  const Catalogue mined = catalogue();
  DrawingOptions options = everything();
  options.fault_cues.clear();
  options.wires = {"new-database", "legacy"};
  int beside_writes = 0, beside_flips = 0;
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    const Plan plan = draw_plan(mined, options, {}, seed);
    const auto held_at = [&](const std::string& wire) { return position(plan, "wire " + wire + ": hold write \"~"); };
    const auto hold = std::min(held_at("new-database"), held_at("legacy"));
    if (hold == plan.steps.size()) continue;
    const Step& held = plan.steps[hold + 1];
    const std::string& cue = plan.steps[hold].cue;
    const auto mark = cue.substr(cue.find('~'), cue.rfind('~') + 1 - cue.find('~'));
    ASSERT_TRUE(held.request.has_value());
    EXPECT_NE(held.request.get()->body.find(mark), std::string::npos) << cue;
    EXPECT_LT(position(plan, "mend"), plan.steps.size());
    // Another gate may have come before it.
    const auto await = position(plan, cue.substr(0, cue.find(':')) + ": await", hold);
    const auto release = position(plan, cue.substr(0, cue.find(':')) + ": release", hold);
    ASSERT_LT(await, release);
    ASSERT_LT(release, plan.steps.size());
    // What happens while it is held waits for that, and the release for what happens.
    EXPECT_EQ(plan.steps[await + 1].after.front().step, plan.steps[await].id);
    EXPECT_EQ(plan.steps[release].after.front().step, plan.steps[release - 1].id);
    if (plan.steps[await + 1].cue.empty()) {
      ++beside_writes;
      EXPECT_EQ(plan.steps[await + 1].request.get()->target, held.request.get()->target);
      EXPECT_NE(plan.steps[await + 1].request.get()->body, held.request.get()->body);
    } else {
      ++beside_flips;
      EXPECT_TRUE(plan.steps[await + 1].cue.starts_with("set "));
    }
  }
  EXPECT_GT(beside_writes, 10);
  EXPECT_GT(beside_flips, 10);
}

// What keeps an answer finds out that it is old when the thing is changed between two reads of it.
TEST(Drawing, AThingIsReadChangedAndReadAgain) {
  const Catalogue mined = catalogue();
  int seen = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Plan plan = draw_plan(mined, everything(), {}, seed);
    for (std::size_t i = 0; i + 2 < plan.steps.size(); ++i) {
      const Step &read = plan.steps[i], &change = plan.steps[i + 1], &again = plan.steps[i + 2];
      if (!read.read || change.read || !change.request || !(read.request == again.request)) continue;
      if (change.after.size() != 1 || again.after.size() != 1) continue;
      seen += change.after.front().step == read.id && again.after.front().step == change.id &&
              change.request.get()->target.starts_with(read.request.get()->target);
    }
  }
  EXPECT_GT(seen, 50);
}

// What is written under a name stands in lists, too.
TEST(Drawing, EndsWithTheListsOfWhatWasWritten) {
  replay::Plan traffic = captured();
  Step list;
  list.id = traffic.steps.back().id + 1;
  list.read = true;
  list.request = replay::Request{"GET", "/orders?sort=note", {{"Host", "shop"}}, ""};
  list.captured_status = 200;
  traffic.steps.push_back(list);
  const Catalogue mined = operations_in(traffic, [](const Step&) { return true; });
  ASSERT_NE(mined.named("GET /orders"), nullptr);
  int written = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Plan plan = draw_plan(mined, everything(), {}, seed);
    const auto of_orders = [](const Step& step) {
      return step.request && !step.read && step.request.get()->target.starts_with("/orders");
    };
    if (std::none_of(plan.steps.begin(), plan.steps.end(), of_orders)) continue;
    ++written;
    EXPECT_TRUE(plan.steps.back().read && plan.steps.back().request.get()->target == "/orders?sort=note") << seed;
  }
  EXPECT_GT(written, 30);
}

TEST(Drawing, ARuleForAWireIsDrawnWhereAWriteComesOverIt) {
  const Catalogue mined = catalogue();
  DrawingOptions options = everything();
  options.longest_way = 0;
  options.fault_cues = {{"wire new-database: reset write", "mend"}, {"wire legacy: reset write", "mend"}};
  int drawn = 0;
  for (const Stage stage : all_stages) {
    options.begins = {stage};
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      const Plan plan = draw_plan(mined, options, {}, seed);
      const bool of_new = position(plan, "wire new-database") < plan.steps.size();
      const bool of_legacy = position(plan, "wire legacy") < plan.steps.size();
      drawn += of_new || of_legacy;
      EXPECT_FALSE(of_new && (stage == Stage::off || stage == Stage::read_only));
      EXPECT_FALSE(of_legacy && (stage == Stage::completed || stage == Stage::read_only));
    }
  }
  EXPECT_GT(drawn, 50);
}

TEST(Drawing, WithoutFlipsLanesAndFaultsThereAreNone) {
  const Catalogue mined = catalogue();
  DrawingOptions options = everything();
  options.longest_way = 0;
  options.lanes = 1;
  options.faults = false;
  options.begins = {Stage::shadow};
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Plan plan = draw_plan(mined, options, {}, seed);
    EXPECT_FALSE(concurrent(plan));
    for (const Step& step : plan.steps) EXPECT_TRUE(step.cue.empty() || step.cue == "world shadow");
  }
}

TEST(OddValues, HaveTheShapeOfWhatTheyStandFor) {
  for (const Shape shape :
       {Shape::integer, Shape::decimal, Shape::date, Shape::moment, Shape::uuid, Shape::email, Shape::boolean})
    for (const auto& kind : odd_values(shape))
      for (const std::string& value : kind) EXPECT_EQ(shape_of(value), shape) << value;
}

TEST(OddValues, AFreshValueIsLikeTheOldOneAndLikeNoOther) {
  std::set<std::string> seen;
  for (int i = 1; i <= 50; ++i) {
    for (const char* old : {"SKU-00353", "a@b.com", "Ada Lovelace", "4c7e2b1a-0000-4000-8000-000000000001"}) {
      const std::string fresh = fresh_like(old, i);
      EXPECT_EQ(shape_of(fresh), shape_of(old)) << fresh;
      EXPECT_TRUE(seen.insert(fresh).second) << fresh;
    }
  }
  EXPECT_EQ(fresh_like("17", 3), "17");
}

}  // namespace
}  // namespace rehearse::properties
