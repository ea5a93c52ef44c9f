#include "properties/bound_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "properties/checks/rehearsed.h"

namespace rehearse::properties {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Step 1 makes order 30011, which step 2 reads; both as captured.
class BoundValues : public ::testing::Test {
 protected:
  BoundValues() { use(2, "path:1", 200); }
  void use(replay::StepId id, const replay::Place& at, int captured_status) {
    replay::Step step;
    step.id = id;
    step.request = testing::get("/orders/30011");
    step.uses = {{at, "30011", 1, "json:/id"}};
    step.after = {{1, replay::CauseKind::value}};
    step.captured_status = captured_status;
    plan.steps.push_back(step);
  }
  // What a run gave, and how it answered steps 2, 3, ...
  static replay::History run(const std::string& given, const std::vector<int>& statuses) {
    replay::History history;
    history.bindings = {{1, "json:/id", "30011", given}};
    for (const int status : statuses)
      history.records.push_back(testing::answered(static_cast<replay::StepId>(history.records.size()) + 2,
                                                  testing::get("/orders/" + given), testing::json(status, "{}")));
    return history;
  }
  Belief belief(const replay::History& first, const replay::History& second) const {
    const auto values = bound_values(plan, first, second);
    EXPECT_THAT(values, SizeIs(1));
    return values.at(0).belief;
  }
  replay::Plan plan;
};

TEST_F(BoundValues, AreConfirmedWhereAnotherValueGetsTheCapturedKindOfAnswer) {
  EXPECT_EQ(belief(run("501", {200}), run("502", {200})), Belief::confirmed);
  EXPECT_EQ(belief(run("501", {304}), run("501", {200})), Belief::confirmed) << "other than captured is enough";
  EXPECT_EQ(belief(run("501", {200}), run("502", {404})), Belief::unconfirmed) << "the runs do not agree";
}

TEST_F(BoundValues, AreUnconfirmedWhereNothingIsReplaced) {
  EXPECT_EQ(belief(run("30011", {200}), run("30011", {200})), Belief::unconfirmed);
  EXPECT_EQ(belief(run("30011", {404}), run("30011", {404})), Belief::unconfirmed) << "it is not the value's fault";
  EXPECT_EQ(belief(run("501", {200}), run("30011", {200})), Belief::unconfirmed);
  EXPECT_EQ(belief({}, {}), Belief::unconfirmed);
}

TEST_F(BoundValues, AreRefutedWhereAnotherValueGetsAnotherKindOfAnswer) {
  EXPECT_EQ(belief(run("501", {404}), run("502", {404})), Belief::refuted);
  EXPECT_EQ(belief(run("501", {500}), run("502", {500})), Belief::unconfirmed) << "a failure says nothing of a value";
  EXPECT_EQ(belief(run("501", {401}), run("502", {401})), Belief::unconfirmed) << "nor who may ask";
  plan.steps[0].captured_status = 404;
  EXPECT_EQ(belief(run("501", {200}), run("502", {200})), Belief::refuted);
  plan.steps[0].captured_status = 0;
  EXPECT_EQ(belief(run("501", {404}), run("502", {404})), Belief::unconfirmed) << "nobody knows what was captured";
}

TEST_F(BoundValues, OfACredentialARefusalOfWhoAsksSpeaksAgainstIt) {
  plan.steps[0].uses[0].at = "credential:Authorization";
  EXPECT_EQ(belief(run("501", {401}), run("502", {401})), Belief::refuted);
}

TEST_F(BoundValues, OneRequestThatSpeaksForItIsEnough) {
  use(3, "path:1", 200);
  EXPECT_EQ(belief(run("501", {404, 200}), run("502", {404, 200})), Belief::confirmed);
}

TEST_F(BoundValues, RefutedOnesAreDroppedAndTheOrderStays) {
  const auto values = bound_values(plan, run("501", {404}), run("502", {404}));
  const replay::Plan rest = without_refuted(plan, values);
  EXPECT_THAT(rest.steps[0].uses, IsEmpty());
  EXPECT_EQ(rest.steps[0].after, plan.steps[0].after);
  EXPECT_EQ(without_refuted(plan, bound_values(plan, run("501", {200}), run("502", {200}))).steps, plan.steps);
}

}  // namespace
}  // namespace rehearse::properties
