#include "harness/databases/live_comparison.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "harness/databases/throw_away_postgres.h"

namespace rehearse::harness {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class LiveComparison : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    for (const char* database : {"l", "n"})
      sql(database,
          "CREATE TABLE t (id bigint PRIMARY KEY, v int); INSERT INTO t SELECT i, 0 FROM generate_series(1, 2000) i");
    options_.settling.window = 500ms;
    options_.settling.hot_after = 3;
    options_.limit = 20s;
  }
  ~LiveComparison() override {
    go_on_ = false;
    if (writer_.joinable()) writer_.join();
  }
  // Writes to one side and, a moment later, to the other, without pause.
  void write_both(std::int64_t first, std::int64_t last) {
    writer_ = std::thread([this, first, last] {
      Session legacy(dsn_of("l"), "the writer"), new_(dsn_of("n"), "the writer");
      for (std::int64_t i = 0; go_on_; ++i) {
        const std::string update =
            "UPDATE t SET v = v + 1 WHERE id = " + std::to_string(first + i % (last - first + 1));
        legacy.run(update);
        std::this_thread::sleep_for(3ms);
        new_.run(update);
        ++written_;
      }
    });
    while (written_ < 50) std::this_thread::yield();
  }
  EntityComparison compared() {
    PassOptions pass;
    DatabasePair pair({dsn_of("l"), "legacy database", true}, {dsn_of("n"), "new database", false}, pass);
    return compare_live(pair, {"t", {"id"}, "t", "t"}, options_);
  }

  LiveOptions options_;
  std::thread writer_;
  std::atomic<bool> go_on_{true};
  std::atomic<int> written_{0};
};

TEST_F(LiveComparison, CallsRowsEqualThatComeToAgreeAndTellsThoseThatNeverWill) {
  sql("n", "UPDATE t SET v = 7 WHERE id = 1500; DELETE FROM t WHERE id = 1501");
  write_both(1, 1000);
  const auto found = compared();
  EXPECT_EQ(found.problem, "");
  EXPECT_EQ(found.differences, 2);
  ASSERT_TRUE(found.live);
  EXPECT_EQ(found.live->diverged, 2u);
  EXPECT_EQ(found.live->hot + found.live->in_flight, 0u);
  EXPECT_EQ(found.live->settled, found.live->times.sorted.size());
}

TEST_F(LiveComparison, NeverCallsARowEqualThatIsWrittenWithoutPauseOnOneSide) {
  writer_ = std::thread([this] {
    Session legacy(dsn_of("l"), "the writer");
    while (go_on_) {
      legacy.run("UPDATE t SET v = v + 1 WHERE id = 5");
      ++written_;
    }
  });
  while (written_ < 5) std::this_thread::yield();
  const auto found = compared();
  EXPECT_EQ(found.differences, 0);
  ASSERT_TRUE(found.live);
  EXPECT_EQ(found.live->hot, 1u);
  EXPECT_THAT(found.problem, HasSubstr("1 rows were written too often to tell"));
}

}  // namespace
}  // namespace rehearse::harness
