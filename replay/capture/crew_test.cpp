#include "replay/capture/crew.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>

namespace rehearse::replay {
namespace {

TEST(Crew, DoesEachTaskOnceInEachRoundAndSeesWhatWasWrittenBefore) {
  for (const unsigned threads : {1u, 2u, 3u, 8u}) {
    SCOPED_TRACE(threads);
    Crew crew(threads);
    EXPECT_EQ(crew.size(), threads);
    std::vector<int> written(23), sums(23);
    for (int round = 1; round <= 2000; ++round) {
      const std::size_t tasks = static_cast<std::size_t>(round) % written.size() + 1;
      std::fill(sums.begin(), sums.end(), 0);
      crew.run(tasks, [&](std::size_t task) { sums[task] += ++written[task]; });
      for (std::size_t task = 0; task < written.size(); ++task)
        ASSERT_EQ(sums[task], task < tasks ? written[task] : 0) << "round " << round << ", task " << task;
    }
    EXPECT_EQ(written[0], 2000);
  }
}

TEST(Crew, DoesNothingWithoutTasks) {
  Crew crew(3);
  crew.run(0, [](std::size_t) { ADD_FAILURE(); });
}

TEST(Crew, ThrowsTheErrorOfTheFirstTaskThatThrewAndGoesOn) {
  Crew crew(3);
  for (int round = 0; round < 100; ++round) {
    std::vector<int> done(10);
    try {
      crew.run(done.size(), [&](std::size_t task) {
        done[task] = 1;
        if (task == 4 || task == 7) throw std::runtime_error(std::to_string(task));
      });
      FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "4");
    }
    EXPECT_EQ(std::accumulate(done.begin(), done.end(), 0), 10);
  }
}

}  // namespace
}  // namespace rehearse::replay
