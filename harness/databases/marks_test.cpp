#include "harness/databases/marks.h"

#include <gmock/gmock.h>

#include <thread>

#include "harness/databases/throw_away_postgres.h"
#include "harness/databases/watch.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Each test is one action and what the signals say of it.
class MarksOfAServer : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    sql("l",
        "CREATE TABLE t (id int PRIMARY KEY, a text); CREATE UNLOGGED TABLE u (a int); CREATE SEQUENCE s; INSERT INTO "
        "t "
        "VALUES (1, 'seed'); SELECT nextval('s')");
    observer_.emplace(dsn_of("l"), "the observer");
  }

  // A session that has left has published what it counted.
  void come_to_rest() {
    while (observer_->number("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'") > sessions_)
      std::this_thread::yield();
  }
  ServerMark mark() { return mark_of(*observer_, sequences_of(*observer_, {})); }

  // The signals that moved, and the rung that proves that nothing was written.
  std::vector<std::string> after(const std::string& action, const std::string& database = "l") {
    come_to_rest();
    const ServerMark before = mark();
    try {
      sql(database, action);
    } catch (const Error&) {  // some actions are to fail
    }
    come_to_rest();
    const ServerMark now = mark();
    std::vector<std::string> moved;
    if (before.server != now.server) moved.emplace_back("server");
    if (before.wal_position != now.wal_position) moved.emplace_back("wal");
    if (before.snapshot != now.snapshot) moved.emplace_back("transactions");
    if (before.counters != now.counters) moved.emplace_back("counters");
    if (before.sequences != now.sequences) moved.emplace_back("sequences");
    const auto rung = proves_untouched(before, now);
    moved.emplace_back(rung ? "untouched by " + std::string(name_of(*rung)) : "open");
    return moved;
  }

  std::optional<Session> observer_;
  int sessions_ = 1;  // that stay: the observer's
};

TEST_F(MarksOfAServer, StandStillWhileNobodyWrites) {
  EXPECT_THAT(after("SELECT * FROM t"), ElementsAre("untouched by WAL position"));
  EXPECT_THAT(after("UPDATE t SET a = 'x' WHERE id > 99"), ElementsAre("untouched by WAL position"));
  EXPECT_THAT(after("INSERT INTO t VALUES (1, 'x') ON CONFLICT DO NOTHING"), ElementsAre("untouched by WAL position"));
}

TEST_F(MarksOfAServer, MoveWithEachWriteAlsoOneThatIsUndone) {
  EXPECT_THAT(after("INSERT INTO t VALUES (2, 'x')"), ElementsAre("wal", "transactions", "counters", "open"));
  EXPECT_THAT(after("UPDATE t SET a = a"), ElementsAre("wal", "transactions", "counters", "open"));
  EXPECT_THAT(after("BEGIN; INSERT INTO t VALUES (3, 'x'); ROLLBACK"),
              ElementsAre("wal", "transactions", "counters", "open"));
  EXPECT_THAT(after("INSERT INTO t VALUES (1, 'again')"), ElementsAre("wal", "transactions", "counters", "open"))
      << "a unique violation";
  EXPECT_THAT(after("INSERT INTO u VALUES (1)"), ElementsAre("wal", "transactions", "counters", "open")) << "unlogged";
  EXPECT_THAT(after("SELECT lo_from_bytea(0, 'x')"), AllOf(Contains("counters"), Contains("open")));
  EXPECT_THAT(after("TRUNCATE t"), AllOf(Contains("counters"), Contains("open")));
  EXPECT_THAT(after("ALTER TABLE t ADD COLUMN b int"), AllOf(Contains("counters"), Contains("open")));
}

TEST_F(MarksOfAServer, OfSequencesAreAskedApart) {
  EXPECT_THAT(after("SELECT nextval('s')"), ElementsAre("sequences", "open")) << "a number that was set aside";
  EXPECT_THAT(after("SELECT setval('s', 40)"), AllOf(Contains("sequences"), Contains("open")));
}

TEST_F(MarksOfAServer, OfTransactionsDoNotMindVacuum) {
  EXPECT_THAT(after("CHECKPOINT"), ElementsAre("wal", "untouched by transactions"));
  sql("l", "INSERT INTO t SELECT i, 'x' FROM generate_series(100, 999) i; DELETE FROM t WHERE id > 100");
  EXPECT_THAT(after("VACUUM t"), AllOf(Contains("wal"), testing::Not(Contains("sequences"))));
}

TEST_F(MarksOfAServer, OfCountersTellAnotherDatabaseFromOurs) {
  EXPECT_THAT(after("CREATE TABLE t (a int); INSERT INTO t VALUES (1)", "n"),
              ElementsAre("wal", "transactions", "untouched by counters"));
  EXPECT_THAT(after("BEGIN; SELECT * FROM t FOR UPDATE; COMMIT"),
              ElementsAre("wal", "transactions", "untouched by counters"))
      << "a lock is no write";
}

TEST_F(MarksOfAServer, OfCountersDecideNothingWhileASessionMayHoldSomeBack) {
  Session other(dsn_of("l"), "somebody");
  other.run("SELECT 1");
  sessions_ = 2;
  EXPECT_THAT(after("CREATE TABLE t (a int)", "n"), ElementsAre("wal", "transactions", "open"));
}

TEST_F(MarksOfAServer, MoveWhenATransactionEndsThatWasAtWork) {
  Session other(dsn_of("n"), "somebody");
  other.run("CREATE TABLE t (a int); BEGIN");
  other.run("INSERT INTO t VALUES (1)");
  const ServerMark before = mark();
  sql("l", "CHECKPOINT");
  EXPECT_EQ(proves_untouched(before, mark()), Rung::transactions) << "nobody sees yet what it wrote";
  other.run("COMMIT");
  EXPECT_EQ(proves_untouched(before, mark()), Rung::counters) << "the transactions moved; they were another database's";
  other.run("BEGIN");
  other.run("INSERT INTO t VALUES (1)");
  sql("n", "INSERT INTO t VALUES (2)");
  const ServerMark later = mark();
  other.run("COMMIT");
  EXPECT_EQ(proves_untouched(later, mark()), Rung::counters) << "also when a later transaction had ended before it";
}

TEST_F(MarksOfAServer, HoldAcrossNoRestart) {
  ServerMark before = mark();
  const ServerMark now = before;
  before.server += " earlier";
  EXPECT_EQ(proves_untouched(before, now), std::nullopt);
  ServerMark standby = now;
  standby.wal_position.clear();
  EXPECT_EQ(proves_untouched(standby, standby), Rung::transactions) << "an empty position is no equal one";
}

// A write between what a lap read and where the next one begins belongs to the next one.
TEST_F(MarksOfAServer, LeaveNoGapBetweenTwoLaps) {
  Watch watch(dsn_of("l"), "the legacy database", Watch::Depth::log, {});
  EXPECT_EQ(watch.lap().decided_by, "WAL position");
  sql("l", "INSERT INTO t VALUES (5, 'x')");
  const auto changes = watch.lap();
  EXPECT_EQ(changes.rows, 1);
  EXPECT_EQ(changes.decided_by, "commit log, sequences");
  EXPECT_EQ(watch.lap().decided_by, "WAL position");
  Session open(dsn_of("l"), "somebody");
  open.run("BEGIN; INSERT INTO t VALUES (6, 'x')");
  sql("l", "INSERT INTO t VALUES (7, 'x')");
  EXPECT_EQ(watch.lap().rows, 1);
  open.run("COMMIT");
  EXPECT_EQ(watch.lap().rows, 1) << "at work when the lap before was read, and committed since";
  sql("n", "CREATE TABLE t (a int)");
  EXPECT_FALSE(watch.lap().written());
}

}  // namespace
}  // namespace rehearse::harness
