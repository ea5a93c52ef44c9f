#include "properties/plans/shrinking.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <random>

#include "properties/plans/drawing.h"
#include "properties/plans/signal.h"

namespace rehearse::properties {
namespace {

using replay::Plan;
using replay::Step;
using replay::StepId;

// A chain of requests and cues: what begins with "/" is a request, everything else a cue.
Plan chain(const std::vector<std::string>& words) {
  Plan plan;
  for (const std::string& word : words) {
    Step step;
    step.id = static_cast<StepId>(plan.steps.size()) + 1;
    if (!plan.steps.empty()) step.after.push_back({step.id - 1, replay::CauseKind::hand});
    if (word.starts_with("/")) {
      step.lane = 1;
      step.request = replay::Request{"PUT",
                                     word,
                                     {{"Host", "shop"}, {"Content-Type", "application/json"}, {"X-Trace", "1"}},
                                     R"({"name": "Ada Lovelace"})"};
    } else {
      step.cue = word;
    }
    plan.steps.push_back(step);
  }
  return plan;
}

std::vector<std::string> words_of(const Plan& plan) {
  std::vector<std::string> words;
  for (const Step& step : plan.steps) words.push_back(step.request.has_value() ? step.request.get()->target : step.cue);
  return words;
}

// True when the words stand in the plan in that order.
bool holds(const Plan& plan, const std::vector<std::string>& wanted) {
  const auto words = words_of(plan);
  auto at = words.begin();
  for (const std::string& word : wanted) {
    at = std::find(at, words.end(), word);
    if (at == words.end()) return false;
    ++at;
  }
  return true;
}

Attempt fails_with(std::vector<std::string> needed) {
  return [needed = std::move(needed)](const Plan& plan) {
    return holds(plan, needed) ? std::set<std::string>{"G5"} : std::set<std::string>{};
  };
}

TEST(Shrinking, LeavesTheStepsThatFail) {
  const Plan plan =
      chain({"world off", "/a", "/b", "break new-database hung", "/c", "mend", "/d", "flip read-only", "/e", "/f"});
  const Shrunk shrunk = shrink(plan, "G5", fails_with({"/b", "/e"}), {});
  EXPECT_EQ(words_of(shrunk.plan), (std::vector<std::string>{"world read-only", "/b", "/e"}));
  EXPECT_TRUE(shrunk.minimal);
  EXPECT_EQ(shrunk.needs, (std::vector<std::string>{"a sequence of requests"}));
}

TEST(Shrinking, SaysWhatAFailureNeeds) {
  const Plan plan = chain({"world shadow", "/a", "break new-database hung", "/b", "mend", "flip live", "/c", "/d"});
  const Shrunk shrunk = shrink(plan, "G5", fails_with({"break new-database hung", "/b", "flip live", "/c"}), {});
  EXPECT_EQ(words_of(shrunk.plan),
            (std::vector<std::string>{"world shadow", "break new-database hung", "/b", "flip live", "/c"}));
  EXPECT_EQ(shrunk.needs, (std::vector<std::string>{"a sequence of requests", "a flip", "a fault"}));
}

TEST(Shrinking, AnotherInvariantIsAnotherFailure) {
  const Attempt attempt = [](const Plan& plan) {
    if (holds(plan, {"/a", "/b"})) return std::set<std::string>{"G5"};
    return std::set<std::string>{"G1"};  // everything else is broken, too
  };
  EXPECT_EQ(words_of(shrink(chain({"world live", "/a", "/x", "/b"}), "G5", attempt, {}).plan),
            (std::vector<std::string>{"world live", "/a", "/b"}));
}

TEST(Shrinking, TakesAwayLanesAndSaysConcurrencyOnlyWhereItIsNeeded) {
  Plan plan = chain({"world shadow", "/a", "/b"});
  plan.steps[2].lane = 2;
  plan.steps[2].after = {{1, replay::CauseKind::hand}};
  ASSERT_TRUE(concurrent(plan));
  const Shrunk serial = shrink(plan, "G5", fails_with({"/a", "/b"}), {});
  EXPECT_FALSE(concurrent(serial.plan));
  const Attempt race = [](const Plan& candidate) {
    return concurrent(candidate) && holds(candidate, {"/a", "/b"}) ? std::set<std::string>{"G5"}
                                                                   : std::set<std::string>{};
  };
  const Shrunk raced = shrink(plan, "G5", race, {});
  EXPECT_TRUE(concurrent(raced.plan));
  EXPECT_EQ(raced.needs.back(), "concurrency");
}

TEST(Shrinking, DropsFieldsThatDoNotMatterAndValuesThatNobodyMakes) {
  Plan plan = chain({"world off", "/orders", "/orders/7?page=2"});
  plan.steps[2].uses.push_back({"path:1", "7", 2, "json:/id"});
  const Shrunk shrunk = shrink(plan, "G5", fails_with({"/orders/7"}), {});
  // "/orders/7" is met by the target without its query.
  ASSERT_EQ(words_of(shrunk.plan), (std::vector<std::string>{"world off", "/orders/7"}));
  EXPECT_TRUE(shrunk.plan.steps[1].uses.empty());
  EXPECT_FALSE(replay::field(shrunk.plan.steps[1].request.get()->headers, "X-Trace").has_value());
  EXPECT_EQ(shrunk.plan.steps[1].request.get()->body, R"({"name": "a"})");
}

TEST(Shrinking, StopsWhenItsTimeIsOverAndSaysSo) {
  auto now = std::chrono::steady_clock::time_point{};
  ShrinkOptions options;
  options.budget = std::chrono::seconds(10);
  options.now = [&] { return now; };
  const Attempt slow = [&](const Plan& plan) {
    now += std::chrono::seconds(4);
    return holds(plan, {"/a"}) ? std::set<std::string>{"G5"} : std::set<std::string>{};
  };
  const Plan plan = chain({"world off", "/x", "/y", "/a", "/z", "/u", "/v"});
  const Shrunk shrunk = shrink(plan, "G5", slow, options);
  EXPECT_FALSE(shrunk.minimal);
  EXPECT_LE(shrunk.attempts, 3);
  EXPECT_TRUE(holds(shrunk.plan, {"/a"}));
}

TEST(Shrinking, ARaceIsTriedAsOftenAsItsRateDemands) {
  EXPECT_EQ(tries_for(10, 10), 1);
  EXPECT_EQ(tries_for(5, 10), 5);
  EXPECT_EQ(tries_for(2, 10), 14);
  EXPECT_EQ(tries_for(1, 20), 59);
  EXPECT_EQ(tries_for(0, 10), 60);
  std::mt19937 random(7);
  const Attempt sometimes = [&](const Plan& plan) {
    return random() % 2 == 0 && holds(plan, {"/a", "/b"}) ? std::set<std::string>{"G5"} : std::set<std::string>{};
  };
  ShrinkOptions options;
  options.tries = 12;
  EXPECT_EQ(words_of(shrink(chain({"world off", "/x", "/a", "/y", "/b", "/z"}), "G5", sometimes, options).plan),
            (std::vector<std::string>{"world off", "/a", "/b"}));
}

// Whatever subset of a chain is what fails: exactly that is left.
RC_GTEST_PROP(Shrinking, EndsWithExactlyWhatIsNeeded, (std::vector<bool> needed)) {
  std::vector<std::string> words{"world shadow"}, wanted;
  for (std::size_t i = 0; i < std::min<std::size_t>(needed.size(), 12); ++i) {
    words.push_back("/" + std::string(1, static_cast<char>('a' + i)));
    if (needed[i]) wanted.push_back(words.back());
  }
  RC_PRE(!wanted.empty());
  const auto left = words_of(shrink(chain(words), "G5", fails_with(wanted), {}).plan);
  wanted.insert(wanted.begin(), "world shadow");
  RC_ASSERT(left == wanted);
}

TEST(Shrinking, TheLengthOfAPlanIsWithoutItsWorld) { EXPECT_EQ(length_of(chain({"world off", "/a", "copy"})), 2U); }

}  // namespace
}  // namespace rehearse::properties
