#include "harness/databases/commit_log.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <chrono>
#include <thread>

#include "harness/databases/throw_away_postgres.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Kind = LoggedChange::Kind;

// What was read of a log: its changes in order, those of a transaction with the time of its commit.
struct Read {
  struct Change {
    Kind kind;
    std::int64_t transaction;
    std::string table;
    LoggedRow row;
  };
  std::vector<Change> changes;
  std::vector<LoggedCommit> commits;
};

Read read_of(CommitLog& log) {
  Read read;
  CommitLog::Reader reader;
  reader.change = [&](const LoggedChange& change) {
    read.changes.push_back(
        {change.kind, change.transaction, std::string(change.table), row_in(change.line).value_or(LoggedRow())});
  };
  reader.committed = [&](const LoggedCommit& commit) { read.commits.push_back(commit); };
  log.read(reader);
  return read;
}

class CommitLogs : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    sql("l", "CREATE TABLE t (id int PRIMARY KEY, a text, n numeric)");
    session_.emplace(dsn_of("l"), "the legacy database");
    log_.emplace(dsn_of("l"), "the legacy database");
  }
  void TearDown() override { log_.reset(), session_.reset(); }
  std::optional<Session> session_;
  std::optional<CommitLog> log_;
};

TEST_F(CommitLogs, ShowTransactionsInTheOrderOfTheirCommits) {
  Session first(dsn_of("l"), "first"), second(dsn_of("l"), "second");
  first.run("BEGIN; INSERT INTO t VALUES (1, 'first')");
  second.run("INSERT INTO t VALUES (2, 'second')");
  first.run("UPDATE t SET a = 'again' WHERE id = 1; DELETE FROM t WHERE id = 1; COMMIT");
  const Read read = read_of(*log_);
  ASSERT_THAT(read.changes, SizeIs(4));
  EXPECT_EQ(read.changes[0].row.columns,
            (std::vector<LoggedColumn>{{"id", "2"}, {"a", "second"}, {"n", std::nullopt}}));
  EXPECT_EQ(read.changes[1].kind, Kind::insert);
  EXPECT_EQ(read.changes[2].kind, Kind::update);
  EXPECT_EQ(read.changes[3].kind, Kind::remove);
  EXPECT_EQ(read.changes[3].row.columns, (std::vector<LoggedColumn>{{"id", "1"}})) << "the key is what is known";
  EXPECT_LT(read.changes[1].transaction, read.changes[0].transaction) << "it began first and committed last";
  EXPECT_THAT(read_of(*log_).changes, IsEmpty()) << "each change is shown once";
}

TEST_F(CommitLogs, SayWhenATransactionCommitted) {
  const auto now = [&] {
    return session_->number("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint") * 1000;
  };
  const std::int64_t before = now();
  sql("l", "INSERT INTO t VALUES (1)");
  const std::int64_t after = now();
  const Read read = read_of(*log_);
  ASSERT_FALSE(read.commits.empty());
  EXPECT_EQ(read.commits[0].transaction, read.changes.at(0).transaction);
  EXPECT_GE(read.commits[0].at_ns, before);
  EXPECT_LE(read.commits[0].at_ns, after);
}

TEST_F(CommitLogs, SayWhereATransactionStandsInTheWal) {
  const std::string before = session_->value("SELECT pg_current_wal_insert_lsn()");
  sql("l", "INSERT INTO t VALUES (1)");
  const std::string after = session_->value("SELECT pg_current_wal_insert_lsn()");
  const Read read = read_of(*log_);
  ASSERT_FALSE(read.commits.empty());
  EXPECT_EQ(session_->value(fmt::format("SELECT pg_lsn '{0}' < '{1}' AND '{1}' <= pg_lsn '{2}'", before,
                                        read.commits[0].lsn, after)),
            "t")
      << read.commits[0].lsn;
}

// Somebody wrote more than the server may keep: a slot that stays would fill its disk.
TEST_F(CommitLogs, AreGivenUpWhenTheServerKeepsTooMuchForThem) {
  CommitLogOptions options;
  options.max_retained_bytes = 1 << 20;
  options.look_every = std::chrono::milliseconds(5);
  CommitLog small(dsn_of("l"), "the legacy database", options);
  sql("l", "INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 10000) g");
  // The other log's slot stays.
  while (session_->number("SELECT count(*) FROM pg_replication_slots") > 1) std::this_thread::yield();
  EXPECT_THAT([&] { static_cast<void>(read_of(small)); },
              testing::ThrowsMessage<Error>(testing::AllOf(
                  HasSubstr("the commit log of the legacy database was given up"), HasSubstr("1 MB is the bound"))));
  EXPECT_EQ(read_of(*log_).changes.size(), 10'000u) << "a larger bound was not reached";
}

TEST_F(CommitLogs, KeepNoSlotBehindThem) {
  log_.reset();
  EXPECT_EQ(session_->number("SELECT count(*) FROM pg_replication_slots"), 0);
}

TEST_F(CommitLogs, AreReadToTheEndHoweverLongTheyAre) {
  for (int i = 0; i < 3; ++i) sql("l", "INSERT INTO t SELECT g FROM generate_series(1, 30000) g; DELETE FROM t");
  sql("l", "SET synchronous_commit = off; INSERT INTO t VALUES (7)");
  const Read read = read_of(*log_);
  EXPECT_EQ(read.changes.size(), 180'001u);
  EXPECT_EQ(read.changes.back().row.columns.at(0).value, "7");
}

TEST_F(CommitLogs, NameTablesAsTheServerQuotesThem) {
  sql("l",
      "CREATE SCHEMA \"My: schema\"; CREATE TABLE \"My: schema\".\"T\"\"1\" (\"a [b]: c\" int[] PRIMARY KEY); INSERT "
      "INTO "
      "\"My: schema\".\"T\"\"1\" VALUES ('{1,2}'); TRUNCATE t, \"My: schema\".\"T\"\"1\"");
  const Read read = read_of(*log_);
  ASSERT_THAT(read.changes, SizeIs(2));
  EXPECT_EQ(read.changes[0].table, "\"My: schema\".\"T\"\"1\"");
  EXPECT_EQ(read.changes[0].row.columns, (std::vector<LoggedColumn>{{"a [b]: c", "{1,2}"}}));
  EXPECT_EQ(read.changes[1].kind, Kind::truncate);
  EXPECT_THAT(read.changes[1].table, HasSubstr("public.t"));
}

TEST_F(CommitLogs, SayOfALargeValueThatStaysThatItIsUnchanged) {
  sql("l", "ALTER TABLE t ALTER a SET STORAGE EXTERNAL; INSERT INTO t VALUES (1, repeat('x', 100000), 1)");
  sql("l", "UPDATE t SET n = 2");
  const Read read = read_of(*log_);
  ASSERT_THAT(read.changes, SizeIs(2));
  EXPECT_EQ(read.changes[0].row.columns[1].value->size(), 100'000u);
  EXPECT_TRUE(read.changes[1].row.columns[1].unchanged);
  EXPECT_FALSE(read.changes[1].row.columns[1].value);
  EXPECT_EQ(read.changes[1].row.columns[2].value, "2");
}

TEST_F(CommitLogs, ShowBothKeysOfAnUpdateThatChangesTheKey) {
  sql("l", "INSERT INTO t VALUES (1, 'a', 1); UPDATE t SET id = 2; UPDATE t SET a = 'b'");
  const Read read = read_of(*log_);
  ASSERT_THAT(read.changes, SizeIs(3));
  EXPECT_EQ(read.changes[1].row.old_key, (std::vector<LoggedColumn>{{"id", "1"}}));
  EXPECT_EQ(read.changes[1].row.columns[0], (LoggedColumn{"id", "2"}));
  EXPECT_THAT(read.changes[2].row.old_key, IsEmpty()) << "the key stayed";
}

TEST_F(CommitLogs, ShowTheNewRowOfAnUpdateThatChangesTheKey) {
  sql("l", "ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t VALUES (1, 'a', 1); UPDATE t SET id = 2; DELETE FROM t");
  const Read read = read_of(*log_);
  ASSERT_THAT(read.changes, SizeIs(3));
  EXPECT_EQ(read.changes[1].row.columns, (std::vector<LoggedColumn>{{"id", "2"}, {"a", "a"}, {"n", "1"}}));
  EXPECT_EQ(read.changes[2].row.columns, (std::vector<LoggedColumn>{{"id", "2"}, {"a", "a"}, {"n", "1"}}));
}

TEST_F(CommitLogs, OfWhatWasRolledBackShowNothing) {
  sql("l", "BEGIN; INSERT INTO t VALUES (1); ROLLBACK; NOTIFY x");
  EXPECT_THAT(read_of(*log_).changes, IsEmpty());
}

TEST_F(CommitLogs, ThatSomebodyElseTookIsAnErrorAndNotSilence) {
  session_->run("SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots");
  EXPECT_THROW(static_cast<void>(read_of(*log_)), Error);
}

// Whatever stands in a row comes back as the row's own SELECT gives it.
RC_GTEST_FIXTURE_PROP(CommitLogs, GiveBackEveryValue, ()) {
  std::string text = *rc::gen::container<std::string>(rc::gen::inRange(1, 127));
  if (*rc::gen::arbitrary<bool>()) text += "' \"]: [x]:'null' new-tuple: \xc3\xa9\xf0\x9f\x98\x80\\";
  const auto number = *rc::gen::arbitrary<int>();
  session_->run(
      "DROP TABLE IF EXISTS r; CREATE TABLE r (id int PRIMARY KEY, \"odd \"\"name\" text, b bytea, d double "
      "precision[], "
      "j jsonb, v varbit, c char(7), f boolean, s timestamptz)");
  session_->run(fmt::format(
      "INSERT INTO r VALUES ({0}, {1}, convert_to({1}, 'UTF8'), array[{0} / 3.0, null], to_jsonb({1}::text), B'101', "
      "'ab', {0} > 0, to_timestamp({0}))",
      number, "convert_from('\\x" + [&] {
        std::string hex;
        for (const unsigned char c : text) hex += fmt::format("{:02x}", c);
        return hex;
      }() + "', 'UTF8')"));
  const Rows row = session_->run("SELECT * FROM r");
  const Read read = read_of(*log_);
  RC_ASSERT(read.changes.size() == 1u);
  std::vector<LoggedColumn> expected;
  for (std::size_t i = 0; i < row.columns.size(); ++i) {
    expected.push_back({row.columns[i], row.rows.at(0)[i]});
    if (row.columns[i] == "f") expected.back().value = *row.rows[0][i] == "t" ? "true" : "false";
  }
  RC_ASSERT(read.changes[0].row.columns == expected);
}

TEST(LoggedLines, ThatAreNoneAreNotGuessedAt) {
  for (const char* line : {"", "BEGIN 7", "table public.t", "table public.t: INSERT", "table public.t: INSERT: id",
                           "table public.t: INSERT: id[integer]", "table public.t: INSERT: id[integer:1",
                           "table public.t: INSERT: a[text]:'x", "table public.t: UPDATE: old-key: id[integer]:1",
                           "table \"public.t: INSERT: id[integer]:1"})
    EXPECT_FALSE(row_in(line)) << line;
  EXPECT_THAT(row_in("table public.t: DELETE: (no-tuple-data)")->columns, IsEmpty());
}

}  // namespace
}  // namespace rehearse::harness
