#include "harness/databases/watch.h"

#include <gmock/gmock.h>

#include <atomic>
#include <csignal>
#include <ostream>
#include <thread>

#include "harness/databases/throw_away_postgres.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using namespace std::chrono_literals;
using properties::Changes;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

// What one action looks like to a watch that looks at everything, in the order of the class's own words: rows of the commit
// log, sequences that moved, content.
class Watching : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    sql("l",
        "CREATE TABLE t (id serial PRIMARY KEY, a text); CREATE UNLOGGED TABLE u (a int); CREATE SEQUENCE s; CREATE "
        "TABLE own (id serial, a text); INSERT INTO t (a) VALUES ('seed'); INSERT INTO own (a) VALUES ('x')");
  }

  Changes seen(const std::string& action, Watch::Depth depth = Watch::Depth::content, TableNames ignored = {}) {
    Watch watch(dsn_of("l"), "the legacy database", depth, std::move(ignored));
    EXPECT_TRUE(watch.has_commit_log());
    try {
      sql("l", action);
    } catch (const Error&) {  // some actions are to fail
    }
    Changes changes = watch.lap();
    EXPECT_TRUE(changes.known) << changes.problem;
    return changes;
  }
};

// What each rung sees of an action: W the WAL position, X the snapshot, S a sequence, L the commit log, C the content.
struct Action {
  const char* name;
  const char* sql;
  const char* seen;
  const char* before = "SELECT 1";  // what was done when the watch begins
};
void PrintTo(const Action& action, std::ostream* out) { *out << action.name; }

class Ladder : public Watching, public testing::WithParamInterface<Action> {};

TEST_P(Ladder, SeesWhatItsRungsSee) {
  sql("l", GetParam().before);
  Session server(dsn_of("l"), "the legacy database");
  Watch watch(dsn_of("l"), "the legacy database", Watch::Depth::content, {});
  const Marks before = marks_of(server);
  {
    Session writer(dsn_of("l"), "a writer");
    try {
      writer.run(GetParam().sql);
    } catch (const Error&) {  // some actions are to fail
    }
  }
  const Marks after = marks_of(server);
  const Changes changes = watch.lap();
  ASSERT_TRUE(changes.known) << changes.problem;
  std::string rungs;
  if (before.wal != after.wal) rungs += 'W';
  if (before.next != after.next) rungs += 'X';
  if (!changes.sequences.empty()) rungs += 'S';
  if (changes.rows > 0) rungs += 'L';
  if (changes.content_changed) rungs += 'C';
  EXPECT_EQ(rungs, GetParam().seen) << changes.decided_by;
  // The lowest rung that proves silence decides; none is asked behind it.
  const std::string decided = rungs.find('W') == std::string::npos   ? "WAL position, sequences"
                              : rungs.find('X') == std::string::npos ? "snapshot, sequences"
                                                                     : "commit log, sequences, content digest";
  EXPECT_EQ(changes.decided_by, decided);
}

INSTANTIATE_TEST_SUITE_P(
    Watching, Ladder,
    testing::Values(
        Action{"Select", "SELECT * FROM t", ""}, Action{"Insert", "INSERT INTO t (a) VALUES ('new')", "WXSLC"},
        Action{"InsertOfAKnownId", "INSERT INTO t VALUES (50, 'new')", "WXLC"},
        Action{"RolledBackInsert", "BEGIN; INSERT INTO t VALUES (50, 'new'); ROLLBACK", "WX"},
        Action{"UniqueViolation", "INSERT INTO t VALUES (1, 'again')", "WX"},
        Action{"UpdateThatChangesNothing", "UPDATE t SET a = a", "WXL"},
        Action{"UpdateOfNoRow", "UPDATE t SET a = 'x' WHERE id > 99", ""},
        Action{"InsertOnConflictDoNothing", "INSERT INTO t VALUES (1, 'x') ON CONFLICT DO NOTHING", ""},
        Action{"SelectForUpdate", "BEGIN; SELECT * FROM t FOR UPDATE; COMMIT", "WX"},
        Action{"FirstNextval", "SELECT nextval('s')", "WXS"},
        Action{"NextvalOfACachedNumber", "SELECT nextval('s')", "S",
               "SELECT nextval('s'); CHECKPOINT; SELECT nextval('s')"},
        Action{"Setval", "SELECT setval('s', 40)", "WXS"},
        Action{"TemporaryTable", "CREATE TEMP TABLE x (a int)", "WX"},
        Action{"InsertIntoAnUnloggedTable", "INSERT INTO u VALUES (1)", "WXC"},
        Action{"Truncate", "TRUNCATE t", "WXLC"}, Action{"LargeObject", "SELECT lo_from_bytea(0, 'abc')", "WXC"},
        Action{"WriteIntoALargeObject", "SELECT lo_put(4711, 0, 'xyz')", "WXC", "SELECT lo_from_bytea(4711, 'abc')"},
        Action{"AddColumn", "ALTER TABLE t ADD COLUMN b text", "WXC"},
        Action{"RefreshOfAView", "REFRESH MATERIALIZED VIEW v", "WXC",
               "CREATE MATERIALIZED VIEW v AS SELECT count(*) FROM u; INSERT INTO u VALUES (1)"},
        Action{"Vacuum", "VACUUM t", "W"}, Action{"Checkpoint", "CHECKPOINT", "W"}, Action{"Notify", "NOTIFY x", "WX"}),
    [](const auto& tested) { return std::string(tested.param.name); });

// The slot is dropped before the server's disk is full, and what was written since is not known: never that nothing was.
TEST_F(Watching, LogThatWouldFillTheServersDiskIsGivenUpAndNothingIsProved) {
  CommitLogOptions options;
  options.max_retained_bytes = 1 << 20;
  options.look_every = 5ms;
  Watch watch(dsn_of("l"), "the legacy database", Watch::Depth::log, {}, options);
  sql("l", "INSERT INTO t (a) SELECT repeat('x', 1000) FROM generate_series(1, 5000)");
  Session server(dsn_of("postgres"), "the server");
  while (server.number("SELECT count(*) FROM pg_replication_slots") > 0) std::this_thread::yield();
  const Changes changes = watch.lap();
  EXPECT_FALSE(changes.known);
  EXPECT_FALSE(changes.written());
  EXPECT_THAT(changes.problem, AllOf(HasSubstr("the commit log of the legacy database was given up"),
                                     HasSubstr("MB of WAL"), HasSubstr("play less at a time")));
}

// A role that may read and no more: it has no commit log.
class WatchingAsAReader : public Watching {
 protected:
  void SetUp() override {
    Watching::SetUp();
    sql("l",
        "CREATE ROLE plain LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain; GRANT SELECT ON ALL SEQUENCES "
        "IN "
        "SCHEMA public TO plain");
  }
  void TearDown() override { sql("l", "DROP OWNED BY plain; DROP ROLE plain"); }
  static std::string reader() { return dsn_of("l") + " user=plain"; }
};

// A transaction that was open at the first mark has its number already: its commit moves no snapshot.
TEST_F(WatchingAsAReader, TransactionThatWasOpenAtTheBeginningIsSeen) {
  Session writer(dsn_of("l"), "a writer");
  writer.run("BEGIN; INSERT INTO t VALUES (50, 'late')");
  Watch watch(reader(), "the legacy database", Watch::Depth::content, {});
  writer.run("COMMIT");
  const Changes changes = watch.lap();
  EXPECT_TRUE(changes.content_changed) << changes.decided_by;
}

TEST_F(WatchingAsAReader, PreparedTransactionThatIsCommittedMeanwhileIsSeen) {
  sql("l", "BEGIN; INSERT INTO t VALUES (50, 'late'); PREPARE TRANSACTION 'later'");
  Watch watch(reader(), "the legacy database", Watch::Depth::content, {});
  sql("l", "COMMIT PREPARED 'later'");
  const Changes changes = watch.lap();
  EXPECT_TRUE(changes.content_changed) << changes.decided_by;
}

TEST_F(WatchingAsAReader, LargeObjectsAreCountedAsFarAsTheyMayBeSeen) {
  Watch watch(reader(), "the legacy database", Watch::Depth::content, {});
  sql("l", "SELECT lo_from_bytea(4711, 'abc')");
  EXPECT_TRUE(watch.lap().content_changed);
}

// The commit log begins when no transaction runs that began before it: one that never ends must not stop us.
TEST_F(Watching, TransactionThatNeverEndsLeavesTheContentToDecide) {
  Session forgotten(dsn_of("l"), "somebody");
  forgotten.run("BEGIN; INSERT INTO u VALUES (50)");
  Watch watch(dsn_of("l"), "the legacy database", Watch::Depth::log, {});
  EXPECT_FALSE(watch.has_commit_log());
  sql("l", "UPDATE t SET a = 'changed'");
  EXPECT_TRUE(watch.lap().content_changed);
}

// Our own barrier in the log is a transaction, too: it hides no write of others, in whatever lap.
TEST_F(Watching, EveryLapSeesWhatWasWrittenInIt) {
  for (const Watch::Depth depth : {Watch::Depth::log, Watch::Depth::content}) {
    Watch watch(dsn_of("l"), "the legacy database", depth, {});
    for (int lap = 0; lap < 12; ++lap) {
      const bool writes = lap % 3 != 1;
      if (writes) sql("l", "SET synchronous_commit = off; UPDATE t SET a = a || 'x'");
      const Changes changes = watch.lap();
      EXPECT_EQ(changes.rows, writes ? 1 : 0) << lap << " " << changes.decided_by;
      if (!writes) {
        EXPECT_THAT(changes.decided_by, testing::Not(HasSubstr("log"))) << "there was nothing to read";
      }
    }
  }
}

// The server ends all sessions when one of its processes crashes, and forgets its counters and temporary slots.
TEST_F(Watching, CrashOfTheServerLeavesTheContentToDecide) {
  for (const bool writes : {false, true}) {
    Watch watch(dsn_of("l"), "the legacy database", Watch::Depth::content, {});
    Watch blind(dsn_of("l"), "the legacy database", Watch::Depth::log, {});
    if (writes) sql("l", "SET synchronous_commit = on; INSERT INTO t VALUES (50, 'x')");
    Session victim(dsn_of("l"), "a victim");
    ASSERT_EQ(kill(victim.process_id(), SIGKILL), 0);
    const auto until = std::chrono::steady_clock::now() + 30s;
    for (bool up = false; !up && std::chrono::steady_clock::now() < until;) {
      try {
        std::this_thread::sleep_for(20ms);
        sql("l", "SELECT 1");
        up = true;
      } catch (const Error&) {
      }
    }
    const Changes changes = watch.lap();
    EXPECT_TRUE(changes.known) << changes.problem;
    EXPECT_EQ(changes.content_changed, writes);
    EXPECT_THAT(changes.decided_by, HasSubstr("the server had ended the session"));
    EXPECT_FALSE(blind.lap().known) << "what stood in the log is lost";
    sql("l", "UPDATE t SET a = a || 'x'");
    EXPECT_GT(watch.lap().rows, 0) << "a new slot watches on";
  }
}

TEST_F(Watching, NothingIsSeenWhenNothingHappens) {
  const Changes changes = seen("SELECT * FROM t");
  EXPECT_FALSE(changes.written());
  EXPECT_EQ(changes.decided_by, "WAL position, sequences");
}

TEST(JoinedChanges, HoldWhatEitherSpanHeldAndAreKnownOnlyWhenBothAre) {
  Changes silent, loud;
  silent.known = loud.known = true;
  loud.rows = 2;
  loud.by_table["public.t"] = 2;
  loud.first = {"table public.t: INSERT"};
  loud.sequences = {"public.t_id_seq"};
  loud.content_changed = true;
  for (const Changes& changes : {joined(silent, loud), joined(loud, silent)}) {
    EXPECT_TRUE(changes.known);
    EXPECT_EQ(changes.rows, 2);
    EXPECT_THAT(changes.by_table, ElementsAre(Pair("public.t", 2)));
    EXPECT_THAT(changes.first, ElementsAre("table public.t: INSERT"));
    EXPECT_THAT(changes.sequences, ElementsAre("public.t_id_seq"));
    EXPECT_TRUE(changes.content_changed);
  }
  Changes blind;
  blind.problem = "no right";
  EXPECT_FALSE(joined(silent, blind).known);
  EXPECT_EQ(joined(blind, silent).problem, "no right");
}

TEST_F(Watching, InsertIsSeenByEverything) {
  const Changes changes = seen("INSERT INTO t (a) VALUES ('new')");
  EXPECT_EQ(changes.rows, 1);
  EXPECT_THAT(changes.by_table, ElementsAre(Pair("public.t", 1)));
  EXPECT_THAT(changes.first, ElementsAre(AllOf(HasSubstr("table public.t: INSERT"), HasSubstr("'new'"))));
  EXPECT_THAT(changes.sequences, ElementsAre("public.t_id_seq"));
  EXPECT_TRUE(changes.content_changed);
}

TEST_F(Watching, InsertThatWasRolledBackIsNoWriteOfRows) {
  const Changes changes = seen("BEGIN; INSERT INTO t (a) VALUES ('new'); ROLLBACK");
  EXPECT_EQ(changes.rows, 0);
  EXPECT_FALSE(changes.content_changed);
  EXPECT_THAT(changes.sequences, ElementsAre("public.t_id_seq")) << "sequences do not roll back";
}

TEST_F(Watching, InsertThatBrokeAConstraintIsNoWrite) {
  EXPECT_FALSE(seen("INSERT INTO t VALUES (1, 'again')").written());
}

TEST_F(Watching, UpdateThatChangesNoValueIsAWriteAllTheSame) {
  const Changes changes = seen("UPDATE t SET a = a");
  EXPECT_EQ(changes.rows, 1);
  EXPECT_FALSE(changes.content_changed);
}

TEST_F(Watching, UpdateOfNoRowIsNoWrite) {
  EXPECT_FALSE(seen("UPDATE t SET a = 'x' WHERE id > 99").written());
  EXPECT_FALSE(seen("INSERT INTO t VALUES (1, 'x') ON CONFLICT DO NOTHING").written());
  EXPECT_FALSE(seen("BEGIN; SELECT * FROM t FOR UPDATE; COMMIT").written());
}

TEST_F(Watching, WriteAndItsUndoingAreInTheLog) {
  const Changes changes = seen("INSERT INTO t VALUES (50, 'x'); DELETE FROM t WHERE id = 50");
  EXPECT_EQ(changes.rows, 2);
  EXPECT_FALSE(changes.content_changed);
}

TEST_F(Watching, MovedSequenceIsNamed) {
  EXPECT_THAT(seen("SELECT nextval('s')").sequences, ElementsAre("public.s"));
  EXPECT_THAT(seen("SELECT nextval('s')").sequences, ElementsAre("public.s")) << "the cached numbers, too";
  EXPECT_THAT(seen("SELECT setval('s', 40)").sequences, ElementsAre("public.s"));
  EXPECT_THAT(seen("SELECT setval('s', 40)").sequences, IsEmpty());
  EXPECT_THAT(seen("SELECT setval('s', 40, false)").sequences, ElementsAre("public.s"));
  EXPECT_THAT(seen("SELECT setval('s', 41, false)").sequences, ElementsAre("public.s")) << "set and not used yet";
  EXPECT_EQ(seen("SELECT nextval('s')").rows, 0);
}

TEST_F(Watching, TruncateIsSeen) {
  const Changes changes = seen("TRUNCATE t");
  EXPECT_EQ(changes.rows, 1) << "one entry of the log, however many rows";
  EXPECT_TRUE(changes.content_changed);
}

TEST_F(Watching, ColumnThatWasAddedChangesTheContent) {
  const Changes changes = seen("ALTER TABLE t ADD COLUMN b text");
  EXPECT_EQ(changes.rows, 0) << "the commit log speaks of rows only";
  EXPECT_TRUE(changes.content_changed);
  EXPECT_TRUE(seen("CREATE TABLE more (a int)").content_changed);
  EXPECT_TRUE(seen("DROP TABLE more").content_changed);
}

TEST_F(Watching, UnloggedInsertIsSeenInTheContentAlone) {
  const Changes changes = seen("INSERT INTO u VALUES (1)");
  EXPECT_EQ(changes.rows, 0);
  EXPECT_TRUE(changes.content_changed);
  EXPECT_FALSE(seen("INSERT INTO u VALUES (2)", Watch::Depth::log).written())
      << "a lap that looks at the log alone is blind to it";
}

TEST_F(Watching, AsynchronousCommitIsSeen) {
  EXPECT_EQ(seen("SET synchronous_commit = off; INSERT INTO t SELECT g, 'x' FROM generate_series(100, 1099) g",
                 Watch::Depth::log)
                .rows,
            1000);
}

TEST_F(Watching, OtherDatabaseOfTheServerIsNotOurs) {
  Watch watch(dsn_of("l"), "the legacy database", Watch::Depth::content, {});
  sql("n", "CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
  EXPECT_FALSE(watch.lap().written());
}

TEST_F(Watching, HousekeepingIsNoWrite) {
  EXPECT_FALSE(seen("VACUUM t").written());
  EXPECT_FALSE(seen("ANALYZE t").written());
  EXPECT_FALSE(seen("CHECKPOINT").written());
  EXPECT_FALSE(seen("NOTIFY something").written());
  EXPECT_FALSE(seen("CREATE TEMP TABLE x AS SELECT * FROM t").written());
}

TEST_F(Watching, IgnoredTablesDoNotCountNorTheirSequences) {
  EXPECT_TRUE(seen("INSERT INTO own (a) VALUES ('y')").written());
  const Changes changes = seen("INSERT INTO own (a) VALUES ('y'); TRUNCATE own; ALTER TABLE own ADD COLUMN b int",
                               Watch::Depth::content, {"own"});
  EXPECT_FALSE(changes.written()) << changes.rows << " rows, " << changes.sequences.size() << " sequences, content "
                                  << changes.content_changed;
  EXPECT_EQ(
      seen("INSERT INTO own (a) VALUES ('y'); INSERT INTO t (a) VALUES ('y')", Watch::Depth::content, {"own"}).rows, 1);
}

TEST_F(Watching, IgnoredTableMayHaveANameThatNeedsQuotes) {
  sql("l", "CREATE TABLE \"Own State\" (a int)");
  EXPECT_FALSE(seen("INSERT INTO \"Own State\" VALUES (1)", Watch::Depth::content, {"Own State"}).written());
}

TEST_F(Watching, EachLapBeginsWhereTheLastEnded) {
  Watch watch(dsn_of("l"), "the legacy database", Watch::Depth::content, {});
  sql("l", "INSERT INTO t (a) VALUES ('one')");
  EXPECT_EQ(watch.lap().rows, 1);
  EXPECT_FALSE(watch.lap().written());
  sql("l", "DELETE FROM t");
  EXPECT_EQ(watch.lap().rows, 2);
}

TEST_F(Watching, ManyChangesAreCountedAndAFewShown) {
  const Changes changes = seen("INSERT INTO t SELECT g, repeat('x', 9999) FROM generate_series(100, 599) g");
  EXPECT_EQ(changes.rows, 500);
  EXPECT_LE(changes.first.size(), 20u);
  EXPECT_LE(changes.first.front().size(), 300u);
}

TEST_F(WatchingAsAReader, WithoutTheRightToTheLogTheContentDecides) {
  Watch watch(reader(), "the legacy database", Watch::Depth::log, {});
  EXPECT_FALSE(watch.has_commit_log());
  EXPECT_FALSE(watch.lap().written());
  sql("l", "UPDATE t SET a = 'changed'");
  const Changes changes = watch.lap();
  EXPECT_TRUE(changes.known);
  EXPECT_TRUE(changes.content_changed);
  EXPECT_EQ(changes.decided_by, "sequences, content digest");
}

TEST_F(Watching, DatabaseThatGoesAwayIsNotKnownAndNotClean) {
  Watch watch(dsn_of("l"), "the legacy database", Watch::Depth::log, {});
  Session maintenance(dsn_of("postgres"), "the server");
  end_sessions(maintenance, "l");
  const Changes changes = watch.lap();
  EXPECT_FALSE(changes.known);
  EXPECT_THAT(changes.problem, HasSubstr("the legacy database"));
}

TEST_F(Watching, LeavesNothingBehind) {
  { Watch watch(dsn_of("l"), "the legacy database", Watch::Depth::log, {}); }
  Session maintenance(dsn_of("postgres"), "the server");
  end_sessions(maintenance, "l");
  EXPECT_EQ(maintenance.number("SELECT count(*) FROM pg_replication_slots"), 0);
}

class WatchingStatements : public Watching {};

TEST_F(WatchingStatements, ReadIsSeen) {
  StatementWatch watch(dsn_of("l"), "the legacy database", {});
  sql("l", "SELECT count(*) FROM t");
  const Changes changes = watch.finish();
  EXPECT_TRUE(changes.known);
  EXPECT_GT(changes.statement_ms, 0);
  EXPECT_FALSE(changes.written());
}

TEST_F(WatchingStatements, SessionThatStaysOpenIsSeenAndEnded) {
  std::optional<StatementWatch> watch;
  watch.emplace(dsn_of("l"), "the legacy database", TableNames{});
  Session pooled(dsn_of("l"), "a pool");
  pooled.run("SELECT count(*) FROM t");
  EXPECT_GT(watch->finish().statement_ms, 0);
  EXPECT_THROW(pooled.run("SELECT 1"), Error);
}

TEST_F(WatchingStatements, NothingIsSeenWhenNobodySpeaks) {
  Session earlier(dsn_of("l"), "a pool");
  earlier.run("SELECT count(*) FROM t");
  for (int i = 0; i < 5; ++i) {
    StatementWatch watch(dsn_of("l"), "the legacy database", {});
    sql("n", "SELECT 1");
    const Changes changes = watch.finish();
    EXPECT_EQ(changes.statement_ms, 0);
    EXPECT_FALSE(changes.written());
    EXPECT_TRUE(changes.known) << changes.problem;
  }
}

TEST_F(WatchingStatements, WritesAreSeenAsWrites) {
  StatementWatch watch(dsn_of("l"), "the legacy database", {"own"});
  sql("l", "INSERT INTO t (a) VALUES ('new'); INSERT INTO own (a) VALUES ('y')");
  const Changes changes = watch.finish();
  EXPECT_TRUE(changes.content_changed);
  EXPECT_THAT(changes.sequences, ElementsAre("public.t_id_seq"));
  EXPECT_GT(changes.statement_ms, 0);
}

class Rest : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    legacy_.emplace(dsn_of("l"), "the legacy database");
    new_.emplace(dsn_of("n"), "the new database");
  }
  bool comes(std::chrono::milliseconds bound) {
    const std::string name = "SELECT current_database()";
    return wait_for_rest(*legacy_, legacy_->value(name), *new_, new_->value(name), bound);
  }
  std::optional<Session> legacy_, new_;
};

TEST_F(Rest, ComesWhenNobodyIsAtWork) { EXPECT_TRUE(comes(5s)); }

TEST_F(Rest, DoesNotComeWhileATransactionIsOpen) {
  Session other(dsn_of("n"), "somebody");
  other.run("BEGIN");
  EXPECT_FALSE(comes(300ms));
  other.run("COMMIT");
  EXPECT_TRUE(comes(5s));
}

TEST_F(Rest, IsWaitedForWhileSomethingIsWritten) {
  legacy_->run("CREATE TABLE t (a int)");
  std::atomic<bool> go_on{true};
  std::thread writer([&] {
    Session other(dsn_of("l"), "somebody");
    while (go_on) other.run("INSERT INTO t VALUES (1)");
  });
  EXPECT_FALSE(comes(300ms));
  go_on = false;
  writer.join();
  EXPECT_TRUE(comes(5s));
}

}  // namespace
}  // namespace rehearse::harness
