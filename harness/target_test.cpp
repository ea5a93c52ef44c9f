#include "harness/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

using replay::Plan;
using replay::Request;
using replay::Step;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Step with_credential(replay::StepId id, const std::string& value) {
  Step step;
  step.id = id;
  step.request = Request{"GET", "/a", {{"Authorization", value}, {"X-Tenant", "7"}}, ""};
  return step;
}

// What is sent of the plan's steps.
std::vector<std::string> credentials_sent(const TargetSettings& settings, const Plan& plan) {
  const Target target(settings, plan);
  replay::PlayOptions options;
  target.apply(options);
  std::vector<std::string> sent;
  for (const Step& step : plan.steps) {
    Request request = *step.request;
    if (options.adapt) options.adapt(step, request);
    sent.emplace_back(replay::field(request.headers, "Authorization").value_or("none"));
  }
  return sent;
}

std::string problem_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Target, MintsACredentialForEachCapturedOne) {
  TargetSettings settings;
  settings.credentials = "echo noise >&2; echo \"new of $REHEARSE_CREDENTIAL\"; echo more";
  Plan plan;
  plan.steps = {with_credential(1, "Bearer it's a"), with_credential(2, "Bearer b"),
                with_credential(3, "Bearer it's a")};
  EXPECT_THAT(credentials_sent(settings, plan),
              ElementsAre("new of Bearer it's a", "new of Bearer b", "new of Bearer it's a"));
}

TEST(Target, WhatWasRefusedInTheCaptureIsRefusedAgain) {
  TargetSettings settings;
  settings.credentials = "echo minted";
  settings.headers = {{"Authorization", "Bearer ours"}, {"X-Tenant", "8"}};
  Plan plan;
  plan.steps = {with_credential(1, "Bearer wrong"), with_credential(2, "Bearer right")};
  plan.steps[0].keep_credentials = true;
  EXPECT_THAT(credentials_sent(settings, plan), ElementsAre("Bearer wrong", "Bearer ours"));
}

TEST(Target, WhatTheTargetGaveInThisPlayStays) {
  TargetSettings settings;
  settings.credentials = "echo minted";
  Plan plan;
  plan.steps = {with_credential(2, "Bearer given-by-the-login")};
  plan.steps[0].uses = {{"credential:Authorization", "given-by-the-login", 1, "json:/token"}};
  EXPECT_THAT(credentials_sent(settings, plan), ElementsAre("Bearer given-by-the-login"));
}

TEST(Target, SetsFieldsAndTakesThemOut) {
  TargetSettings settings;
  settings.headers = {header_rule("X-Tenant:"), header_rule("X-New: a b")};
  Plan plan;
  plan.steps = {with_credential(1, "Bearer a")};
  const Target target(settings, plan);
  replay::PlayOptions options;
  target.apply(options);
  Request request = *plan.steps[0].request;
  options.adapt(plan.steps[0], request);
  EXPECT_EQ(request.headers, (replay::Headers{{"Authorization", "Bearer a"}, {"X-New", "a b"}}));
}

TEST(Target, ACommandThatGivesNoCredentialIsAnError) {
  Plan plan;
  plan.steps = {with_credential(1, "Bearer a")};
  TargetSettings settings;
  settings.credentials = "echo secret; exit 3";
  const std::string failed = problem_of([&] { Target(settings, plan); });
  EXPECT_THAT(failed, HasSubstr("ended with 3"));
  EXPECT_THAT(failed, ::testing::Not(HasSubstr("secret")));
  settings.credentials = "true";
  EXPECT_THAT(problem_of([&] { Target(settings, plan); }), HasSubstr("printed nothing"));
}

TEST(HeaderRule, IsOneFieldOfARequest) {
  setenv("REHEARSE_TEST_TOKEN", "abc", 1);
  EXPECT_EQ(header_rule("Authorization: Bearer ${REHEARSE_TEST_TOKEN}"),
            (replay::Header{"Authorization", "Bearer abc"}));
  unsetenv("REHEARSE_TEST_TOKEN");
  EXPECT_THAT(problem_of([] { static_cast<void>(header_rule("Authorization: Bearer ${REHEARSE_TEST_TOKEN}")); }),
              HasSubstr("REHEARSE_TEST_TOKEN is not set"));
  for (const char* text :
       {"", "X", "X Y: 1", "X: 1\r\nY: 2", ": 1", "Content-Length: 5", "Host: a", "Connection: close"})
    EXPECT_NE(problem_of([&] { static_cast<void>(header_rule(text)); }), "") << text;
}

}  // namespace
}  // namespace rehearse::harness
