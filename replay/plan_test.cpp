#include "replay/plan.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "replay/error.h"

namespace rehearse::replay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string problem_of(const std::string& text) {
  try {
    static_cast<void>(plan_from_json(text));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string plan_of_steps(const std::string& steps) { return R"({"schema_version": 1, "steps": [)" + steps + "]}"; }

std::string name() { return *rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::inRange('a', 'z'))); }

// Header values are whatever bytes a client sent but line ends; a target ends at a space.
std::string sent_bytes() {
  std::string bytes = *rc::gen::arbitrary<std::string>();
  std::erase_if(bytes, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
  return bytes;
}

std::string sent_target() {
  std::string target = sent_bytes();
  std::erase_if(target, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; });
  return target;
}

Plan any_plan() {
  Plan plan;
  const auto size = *rc::gen::inRange(0, 6);
  StepId id = 0;
  for (int i = 0; i < size; ++i) {
    Step step;
    std::vector<StepId> before;
    for (const Step& s : plan.steps) before.push_back(s.id);
    step.id = id += *rc::gen::inRange(1, 5);
    if (*rc::gen::inRange(0, 4) == 0) {
      step.cue = name();
      step.due_ns = *rc::gen::element<std::int64_t>(0, 700'000'000);
      step.lane = 1;
    } else {
      step.lane = *rc::gen::inRange(0, 9);
      step.due_ns = *rc::gen::inRange<std::int64_t>(0, 90'000'000'000'000);
      Request request{name(), "/" + sent_target(), {}, *rc::gen::arbitrary<std::string>()};
      for (int h = *rc::gen::inRange(0, 3); h > 0; --h) request.headers.push_back({name(), sent_bytes()});
      step.request = std::move(request);
      step.http2 = *rc::gen::arbitrary<bool>();
      step.read = *rc::gen::arbitrary<bool>();
      step.exchange = *rc::gen::inRange(0, 99);
    }
    if (!before.empty()) {
      for (int n = *rc::gen::inRange(0, 3); n > 0; --n)
        step.after.push_back({*rc::gen::elementOf(before), static_cast<CauseKind>(*rc::gen::inRange(0, 6))});
      if (step.request && *rc::gen::arbitrary<bool>()) {
        step.uses.push_back({"query:" + sent_bytes(), *rc::gen::arbitrary<std::string>(), *rc::gen::elementOf(before),
                             "json:/" + name()});
      }
    }
    plan.steps.push_back(step);
  }
  plan.left_out["not replayable: gap"] = *rc::gen::inRange(0, 9);
  return plan;
}

TEST(Plan, NamesAMemberThatItDoesNotKnow) {
  const auto plan = [](const std::string& step) { return R"({"schema_version": 1, "steps": [)" + step + "]}"; };
  EXPECT_THAT(
      [&] { static_cast<void>(plan_from_json(plan(R"({"id": 1, "ovrelaps": true, "request": {"target": "/a"}})"))); },
      ::testing::ThrowsMessage<Error>(::testing::HasSubstr("\"ovrelaps\" is no member here")));
  EXPECT_THAT([&] { static_cast<void>(plan_from_json(plan(R"({"id": 1, "request": {"path": "/a"}})"))); },
              ::testing::ThrowsMessage<Error>(::testing::HasSubstr("\"path\" is no member here")));
}

RC_GTEST_PROP(Plan, ComesBackFromItsJson, ()) {
  const Plan plan = any_plan();
  const Plan back = plan_from_json(to_json(plan));
  RC_ASSERT(back.steps == plan.steps);
  RC_ASSERT(back.left_out == plan.left_out);
}

TEST(Plan, ReadsTheExampleOfItsHeader) {
  const Plan plan = plan_from_json(R"({"schema_version": 1, "steps": [
     {"id": 1, "lane": 1, "request": {"method": "POST", "target": "/orders", "headers": [["Content-Type", "application/json"]],
                                      "body": "{\"customer_id\": 7}"}},
     {"id": 2, "cue": "flip shadow", "after": [1]},
     {"id": 3, "lane": 1, "after": [2], "request": {"method": "GET", "target": "/orders/41"},
      "uses": [{"at": "path:1", "value": "41", "from": 1, "source": "json:/id"}]}]})");
  ASSERT_EQ(plan.steps.size(), 3u);
  EXPECT_EQ((*plan.steps[0].request).body, "{\"customer_id\": 7}");
  EXPECT_FALSE(plan.steps[0].read);
  EXPECT_EQ(plan.steps[1].cue, "flip shadow");
  EXPECT_TRUE(plan.steps[2].read) << "a GET is believed to be a read unless the plan says otherwise";
  EXPECT_THAT(plan.steps[2].uses, ElementsAre(Use{"path:1", "41", 1, "json:/id"}));
}

TEST(Plan, SaysInOneSentenceWhatIsWrong) {
  EXPECT_THAT(problem_of("{"), HasSubstr("this is no plan: "));
  EXPECT_THAT(problem_of("[]"), HasSubstr("this is no plan: "));
  EXPECT_THAT(problem_of(R"({"steps": []})"), HasSubstr("this is no plan: its outermost object lacks a member"));
  for (const char* broken : {"{", "[]", R"({"steps": 3, "schema_version": 1})",
                             R"({"schema_version": 1, "steps": [7]})", R"({"schema_version": "1", "steps": []})"})
    EXPECT_THAT(problem_of(broken), ::testing::Not(::testing::AnyOf(HasSubstr("boost"), HasSubstr("[")))) << broken;
  EXPECT_THAT(problem_of(plan_of_steps(R"({"id": 1, "cue": "x"}, {"id": "2", "cue": "x"})")),
              HasSubstr("entry 2 of its steps lacks a member or holds one of another type"));
  for (const char* member : {R"("body_base64": "!!!")", R"("body_base64": "YWJj!")", R"("body_base64": "YQ")",
                             R"("headers": [["A", {"base64": "?"}]])"})
    EXPECT_THAT(problem_of(plan_of_steps(fmt::format(R"({{"id": 1, "request": {{"target": "/", {}}}}})", member))),
                HasSubstr("which is no base64 of RFC 4648"))
        << member;
  EXPECT_THAT(problem_of(R"({"schema_version": 2, "steps": []})"),
              HasSubstr("the plan has schema_version 2; this rehearse reads 1"));
  EXPECT_THAT(problem_of(plan_of_steps(R"({"id": 1})")),
              HasSubstr("step 1 of the plan needs either a \"request\" or a \"cue\""));
  EXPECT_THAT(problem_of(plan_of_steps(R"({"id": 1, "cue": "x", "request": {"target": "/"}})")),
              HasSubstr("needs either"));
  EXPECT_THAT(problem_of(plan_of_steps(R"({"id": 1, "request": {"method": "GET"}})")),
              HasSubstr("step 1 of the plan has no \"target\""));
  EXPECT_THAT(
      problem_of(plan_of_steps(R"({"id": 2, "request": {"target": "/"}}, {"id": 1, "request": {"target": "/"}})")),
      HasSubstr("step 1 of the plan stands behind step 2"));
  EXPECT_THAT(problem_of(plan_of_steps(R"({"id": 2, "cue": "x"}, {"id": 2, "request": {"target": "/"}})")),
              HasSubstr("step 2 stands twice in the plan"));
  EXPECT_THAT(problem_of(plan_of_steps(R"({"id": 0, "cue": "x"})")), HasSubstr("ids must ascend from 1"));
  EXPECT_THAT(problem_of(plan_of_steps(R"({"id": 1, "cue": "x", "after": [1]})")),
              HasSubstr("step 1 of the plan is after step 1, which does not come before it"));
  EXPECT_THAT(
      problem_of(plan_of_steps(
          R"({"id": 1, "request": {"target": "/"}, "uses": [{"at": "path:0", "value": "1", "from": 9, "source": "json:/id"}]})")),
      HasSubstr("uses a value of step 9"));
  EXPECT_THAT(problem_of(plan_of_steps(R"({"id": 1, "lane": -1, "request": {"target": "/"}})")),
              HasSubstr("step 1 of the plan is in lane -1"));
  EXPECT_THAT(problem_of(plan_of_steps(R"({"id": 1, "request": {"target": "/", "headers": [["A", "1\r\nB: 2"]]}})")),
              HasSubstr("step 1 of the plan holds a line end"));
  EXPECT_THAT(problem_of(plan_of_steps(R"({"id": 1, "request": {"target": "/ HTTP/1.1\r\nB: 2\r\n\r\n"}})")),
              HasSubstr("step 1 of the plan holds a line end"));
  EXPECT_THAT(problem_of(plan_of_steps(R"({"id": 1, "request": {"target": "/a b"}})")),
              HasSubstr("step 1 of the plan holds a space or a control character in its target"));
  for (const char* method : {"", "GET /x", "G:T"}) {
    EXPECT_THAT(
        problem_of(plan_of_steps(fmt::format(R"({{"id": 1, "request": {{"method": "{}", "target": "/"}}}})", method))),
        HasSubstr("step 1 of the plan holds a method that is none"));
  }
  for (const char* name : {"", "A B", "A:"}) {
    EXPECT_THAT(problem_of(plan_of_steps(
                    fmt::format(R"({{"id": 1, "request": {{"target": "/", "headers": [["{}", "1"]]}}}})", name))),
                HasSubstr("step 1 of the plan holds a header without a proper name"));
  }
}

TEST(Plan, ACueThatIsPutIntoItMayHaveAnyFreeNumber) {
  const std::string steps =
      R"({"id": 1, "request": {"target": "/"}}, {"id": 3, "cue": "copy", "after": [1]}, {"id": 2, "after": [3], "request": {"target": "/"}})";
  EXPECT_EQ(plan_from_json(plan_of_steps(steps)).steps.size(), 3u);
  EXPECT_THAT(
      problem_of(plan_of_steps(R"({"id": 2, "after": [3], "request": {"target": "/"}}, {"id": 3, "cue": "x"})")),
      HasSubstr("step 2 of the plan is after step 3, which does not come before it"));
}

TEST(Slice, KeepsTheCausesThatAreInside) {
  Plan plan;
  for (StepId id = 1; id <= 5; ++id) {
    Step step;
    step.id = id;
    step.cue = "c";
    for (StepId cause = 1; cause < id; ++cause) step.after.push_back({cause});
    plan.steps.push_back(step);
  }
  const Plan part = slice(plan, 1, 4);
  ASSERT_EQ(part.steps.size(), 3u);
  EXPECT_THAT(part.steps[0].after, IsEmpty());
  EXPECT_THAT(part.steps[1].after, ElementsAre(Cause{2}));
  EXPECT_THAT(part.steps[2].after, ElementsAre(Cause{2}, Cause{3}));
  EXPECT_EQ(slice(plan, 0, 99).steps.size(), 5u);
  EXPECT_THAT(slice(plan, 7, 9).steps, IsEmpty());
  EXPECT_THAT(slice(plan, 3, 2).steps, IsEmpty());
}

TEST(Filtered, WhatWaitedForAStepThatIsLeftOutWaitsForTheCausesOfThatOne) {
  Plan plan;
  for (StepId id = 1; id <= 4; ++id) {
    Step step;
    step.id = id;
    step.request = Request{"GET", "/" + std::to_string(id), {}, ""};
    if (id > 1) step.after.push_back({id - 1, CauseKind::entity});
    plan.steps.push_back(std::move(step));
  }
  plan.steps[3].after.push_back({1, CauseKind::session});
  plan.steps[3].uses = {{"path:0", "x", 3, "json:/id"}, {"path:0", "y", 1, "json:/id"}};
  const Plan part = filtered(plan, [](const Step& step) { return step.id == 1 || step.id == 4; });
  ASSERT_EQ(part.steps.size(), 2u);
  EXPECT_THAT(part.steps[1].after, ElementsAre(Cause{1, CauseKind::entity})) << "once, by the strongest reason";
  EXPECT_THAT(part.steps[1].uses, ElementsAre(Use{"path:0", "y", 1, "json:/id"}));
}

TEST(Filtered, ManyStepsOfOneEntityStayAFewCausesEach) {
  Plan plan;
  for (StepId id = 1; id <= 4000; ++id) {
    Step step;
    step.id = id;
    step.request = Request{id % 2 == 0 ? "PUT" : "GET", "/", {}, ""};
    for (StepId cause = std::max<StepId>(1, id - 3); cause < id; ++cause)
      step.after.push_back({cause, CauseKind::entity});
    plan.steps.push_back(std::move(step));
  }
  std::size_t causes = 0;
  for (const Step& step : filtered(plan, [](const Step& each) { return each.id % 2 == 1; }).steps)
    causes += step.after.size();
  EXPECT_LT(causes, 2100u);
}

TEST(PlanFile, RefusesPlacesThatAreNone) {
  const auto with = [](const std::string& at, const std::string& source) {
    return plan_of_steps(R"({"id": 1, "request": {"target": "/"}}, {"id": 2, "after": [1], "request": {"target": "/a"},
                            "uses": [{"from": 1, "value": "a", "at": ")" +
                         at + R"(", "source": ")" + source + R"("}]})");
  };
  for (const char* at :
       {"header:X: 1\\r\\n\\r\\nPOST /smuggled HTTP/1.1", "header:A B", "header:", "header:Connection",
        "path:", "path:x", "path:-1", "path:99999999999999999999", "magic:x", "", "json:id", "cookie", "location:1"})
    EXPECT_THAT(problem_of(with(at, "json:/id")), HasSubstr("which is no such place")) << at;
  for (const char* source : {"path:1", "query:x", "set-cookie", "location:x"})
    EXPECT_THAT(problem_of(with("path:0", source)), HasSubstr("which is no such place")) << source;
  EXPECT_EQ(plan_from_json(with("header:If-Match", "set-cookie:sid")).steps.size(), 2u);
}

TEST(PlanFile, RefusesTimesThatAreNone) {
  for (const char* due : {"-1", "1e300", "1e999"})
    EXPECT_THAT(
        problem_of(plan_of_steps(std::string(R"({"id": 1, "request": {"target": "/"}, "due_ms": )") + due + "}")),
        HasSubstr("is due at"))
        << due;
}

TEST(PlanFile, NamesTheReasonOfACauseThatWasFound) {
  const Plan plan = plan_from_json(plan_of_steps(
      R"({"id": 1, "request": {"target": "/"}}, {"id": 2, "after": [{"step": 1, "cause": "value"}], "request": {"target": "/"}})"));
  EXPECT_THAT(plan.steps[1].after, ElementsAre(Cause{1, CauseKind::value}));
  EXPECT_THAT(problem_of(plan_of_steps(
                  R"({"id": 1, "cue": "x"}, {"id": 2, "after": [{"step": 1, "cause": "magic"}], "cue": "y"})")),
              HasSubstr("the plan holds the cause \"magic\"; the causes are by hand, value, entity"));
}

TEST(RouteOf, NamesRequestsOfTheSameKind) {
  EXPECT_EQ(route_of("GET", "/orders/41/items?x=1"), "GET /orders/{}/items");
  EXPECT_EQ(route_of("GET", "/orders"), "GET /orders");
  EXPECT_EQ(route_of("GET", "/"), "GET /");
  EXPECT_EQ(route_of("GET", "/" + std::string(24, 'a')), "GET /" + std::string(24, 'a'));
  EXPECT_EQ(route_of("GET", "/" + std::string(25, 'a')), "GET /{}");
  EXPECT_EQ(route_of("GET", "/orders/"), "GET /orders/");
}

}  // namespace
}  // namespace rehearse::replay
