#include "harness/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rehearse::harness {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class Told : public ::testing::Test {
 protected:
  ProgressDisplay display(bool terminal, int columns = 120) {
    return {terminal, columns, [this](std::string_view text) { printed_.emplace_back(text); }, [this] { return now_; }};
  }
  double now_ = 100;
  std::vector<std::string> printed_;
};

TEST_F(Told, SectionStepRateFindingsAndTimeLeft) {
  Progress progress(display(true));
  progress.expect({{"oracle", 2000}, {"off", 2000}, {"shadow", 2000}});
  progress.begin("oracle");
  EXPECT_THAT(printed_.back(), HasSubstr("1 of 3  oracle  0 findings"));
  progress.end("oracle", 0);
  now_ += 10;
  progress.begin("off");
  now_ += 1;
  progress.step(500, 2000);
  now_ += 1;
  progress.step(1000, 2000);
  progress.end("off", 2);
  now_ += 1;
  progress.begin("shadow");
  EXPECT_THAT(printed_.back(), StartsWith("\r\033[K"));
  EXPECT_THAT(printed_.back(), HasSubstr("3 of 3  shadow"));
  EXPECT_THAT(printed_.back(), HasSubstr("2 findings"));
  now_ += 1;
  progress.step(1000, 2000);
  EXPECT_THAT(printed_.back(), HasSubstr("1,000 of 2,000 exchanges"));
  EXPECT_THAT(printed_.back(), HasSubstr("/s"));
  EXPECT_THAT(printed_.back(), HasSubstr("about 4 s left")) << "7,000 of 9,000 took 14 s";
}

TEST_F(Told, NoTimeLeftIsToldBeforeAnythingIsKnown) {
  Progress progress(display(true));
  progress.expect({{"oracle", 2000}, {"off", 2000}});
  progress.begin("oracle");
  now_ += 1;
  progress.step(10, 2000);
  EXPECT_THAT(printed_.back(), Not(HasSubstr("left")));
}

TEST_F(Told, ATerminalGetsAtMostTenLinesASecondAndIsLeftClean) {
  {
    Progress progress(display(true));
    progress.begin("off");
    for (std::size_t i = 1; i <= 1000; ++i) {
      now_ += 0.001;
      progress.step(i, 1000);
    }
    EXPECT_LE(printed_.size(), 11U);
    for (const std::string& line : printed_) EXPECT_THAT(line, Not(HasSubstr("\n")));
  }
  EXPECT_EQ(printed_.back(), "\r\033[K");
}

TEST_F(Told, APipeGetsALineForEachSectionAndNoControl) {
  {
    Progress progress(display(false));
    progress.expect({{"off", 300}, {"shadow", 300}});
    for (const char* section : {"off", "shadow"}) {
      progress.begin(section);
      now_ += 2;
      progress.step(300, 300);
      progress.end(section, 1);
    }
  }
  ASSERT_EQ(printed_.size(), 2U);
  EXPECT_EQ(printed_[0], "rehearse: 1 of 2, off: 300 exchanges in 2.0 s, 1 finding so far, about 2 s left\n");
  EXPECT_EQ(printed_[1], "rehearse: 2 of 2, shadow: 300 exchanges in 2.0 s, 2 findings so far\n");
}

TEST_F(Told, SeveralPlaysOfASectionAreCountedTogether) {
  Progress progress(display(false));
  progress.begin("oracle");
  for (int play = 0; play < 2; ++play) {
    for (std::size_t i = 1; i <= 50; ++i) progress.step(i, 50);
  }
  progress.end("oracle", 0);
  EXPECT_THAT(printed_.back(), HasSubstr("100 exchanges"));
}

TEST_F(Told, ANarrowTerminalGetsWhatFitsAndAHostileNameControlsNothing) {
  Progress progress(display(true, 30));
  progress.begin("a section\x1b[2J with a name that is longer than the terminal is wide");
  EXPECT_LE(printed_.back().size(), 4 + 29U);
  EXPECT_THAT(printed_.back().substr(4), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace rehearse::harness
