#include "replay/capture/crew.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace rehearse::replay {
namespace {

using ::testing::Each;

TEST(Crew, DoesEachPieceOnceAndNoTwoWithOneThreadAtATime) {
  for (const unsigned threads : {1u, 2u, 3u, 8u}) {
    SCOPED_TRACE(threads);
    Crew crew(threads);
    EXPECT_EQ(crew.size(), threads);
    for (int time = 0; time < 50; ++time) {
      std::vector<int> done(200);
      std::vector<int> of_thread(threads);
      crew.run([&](std::uint64_t piece, unsigned thread) {
        ++of_thread.at(thread);
        if (piece >= done.size()) return false;
        ++done[piece];
        return true;
      });
      EXPECT_THAT(done, Each(1));
    }
  }
}

TEST(Crew, PiecesFollowEachOtherThroughTheirTurns) {
  constexpr std::size_t pieces = 3000, places = 4;
  for (const unsigned threads : {1u, 2u, 3u, 8u}) {
    SCOPED_TRACE(threads);
    Crew crew(threads);
    std::deque<Turn> turns;
    for (std::size_t i = 0; i < places; ++i) turns.emplace_back(crew);
    std::vector<std::vector<std::uint64_t>> seen(places);
    crew.run([&](std::uint64_t piece, unsigned) {
      if (piece >= pieces) return false;
      for (std::size_t i = 0; i < places; ++i) {
        turns[i].await(piece, piece);
        seen[i].push_back(piece);
        turns[i].pass();
      }
      return true;
    });
    for (const auto& each : seen) {
      ASSERT_EQ(each.size(), pieces);
      for (std::size_t i = 0; i < pieces; ++i) ASSERT_EQ(each[i], i);
    }
  }
}

TEST(Crew, AnErrorEndsWhatIsBehindItAndNothingThatIsBefore) {
  for (const unsigned threads : {1u, 2u, 4u, 8u}) {
    for (int time = 0; time < 100; ++time) {
      Crew crew(threads);
      Turn first(crew), last(crew);
      std::vector<std::uint64_t> done;
      try {
        crew.run([&](std::uint64_t piece, unsigned) {
          if (piece == 12) throw std::runtime_error("12");  // perhaps before the other one
          first.await(piece, piece);
          first.pass();
          if (piece == 10) throw std::runtime_error("10");
          last.await(piece, piece);
          done.push_back(piece);
          last.pass();
          return true;
        });
        FAIL() << "nothing was thrown";
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "10");
      }
      EXPECT_EQ(done.size(), 10u) << threads;
    }
  }
}

// The first error to come is not that of the first piece, and a piece between the two waits already.
TEST(Crew, TheErrorOfTheFirstPieceEndsThoseThatAnotherErrorLeftWaiting) {
  for (int time = 0; time < 100; ++time) {
    Crew crew(3);
    Turn turn(crew);
    std::atomic<bool> thrown = false;
    EXPECT_THROW(crew.run([&](std::uint64_t piece, unsigned) -> bool {
      if (piece == 2) {
        thrown = true;
        throw std::runtime_error("2");
      }
      if (piece == 0) {
        while (!thrown) std::this_thread::yield();
        throw std::logic_error("0");
      }
      turn.await(1, piece);
      return true;
    }),
                 std::logic_error);
  }
}

}  // namespace
}  // namespace rehearse::replay
