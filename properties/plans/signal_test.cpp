#include "properties/plans/signal.h"

#include <gtest/gtest.h>

#include "replay/error.h"

namespace rehearse::properties {
namespace {

TEST(Signals, SayInTheirWordsWhatTheyAre) {
  for (const char* cue : {"world shadow",
                          "flip live",
                          "set read-only",
                          "settle",
                          "wait 20ms",
                          "ready",
                          "copy",
                          "copy back",
                          "break new-database hung",
                          "break legacy-database read-only",
                          "mend",
                          "stop legacy",
                          "start legacy",
                          "kill new",
                          "pause new",
                          "resume new",
                          "flag gone",
                          "flag garbage",
                          "flag back",
                          "wire new-database: hold \"~3~\"",
                          "relate M1 live",
                          "relate M5 read-only",
                          "relate M6 new",
                          "relate M8 LAMP-1 -> LAMP-2",
                          "relate M10",
                          "relate end"})
    EXPECT_EQ(cue_of(signal_in(cue)), cue);
}

TEST(Signals, ACueThatIsNoneSaysWhichThereAre) {
  for (const char* cue : {"",
                          "flip",
                          "flip sideways",
                          "flip live now",
                          "wait",
                          "wait 5",
                          "wait -1ms",
                          "wait 99999999ms",
                          "relate",
                          "relate M1",
                          "relate M1 sideways",
                          "relate M3 live",
                          "relate M6",
                          "relate M8 LAMP-1 ->",
                          "relate M11",
                          "break new-database",
                          "break everything stopped",
                          "kill database",
                          "flag",
                          "wire : hold",
                          "wire x:",
                          "Copy"}) {
    try {
      static_cast<void>(signal_in(cue));
      ADD_FAILURE() << cue << " was understood";
    } catch (const Error& problem) {
      EXPECT_NE(std::string(problem.what()).find("the cues are world STAGE"), std::string::npos);
    }
  }
}

TEST(Signals, TheWayOfAPlanIsItsWorldAndItsFlips) {
  replay::Plan plan;
  for (const char* cue : {"world shadow", "copy", "set live", "flip live", "flip completed"}) {
    replay::Step step;
    step.id = static_cast<replay::StepId>(plan.steps.size()) + 1;
    step.cue = cue;
    plan.steps.push_back(step);
  }
  EXPECT_EQ(begins_in(plan), Stage::shadow);
  EXPECT_EQ(stages_of(plan), (std::vector{Stage::shadow, Stage::live, Stage::completed}));
  EXPECT_EQ(begins_in(replay::Plan{}), Stage::off);
}

}  // namespace
}  // namespace rehearse::properties
