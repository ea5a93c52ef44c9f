#include "harness/databases/full_pass.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include "harness/databases/comparison.h"
#include "harness/databases/throw_away_postgres.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using Kind = properties::RowDifference::Kind;

// "3.name: a | b", "only left 4", "only right 5 twice".
std::vector<std::string> in_words(const EntityComparison& found) {
  std::vector<std::string> words;
  for (const RowFinding& finding : found.findings) {
    if (finding.kind == Kind::changed) {
      for (const auto& cell : finding.cells)
        words.push_back(fmt::format("{}.{}: {} | {}", finding.key, cell.column, cell.left.value_or("NULL"),
                                    cell.right.value_or("NULL")));
    } else {
      words.push_back(fmt::format("only {} {}{}", finding.kind == Kind::only_left ? "left" : "right", finding.key,
                                  finding.times == 1 ? "" : fmt::format(" {} times", finding.times)));
    }
  }
  return words;
}

class FullPass : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    both("CREATE TABLE t (id bigint PRIMARY KEY, name text, cents numeric, payload jsonb)");
    both("INSERT INTO t SELECT i, 'name ' || i, i / 7.0, jsonb_build_object('i', i) FROM generate_series(1, 5000) i");
  }
  static void both(const std::string& statements) {
    sql("l", statements);
    sql("n", statements);
  }
  static Side left() { return {dsn_of("l"), "legacy database", true}; }
  static Side right() { return {dsn_of("n"), "new database", false}; }

  EntityComparison compared() { return DatabasePair(left(), right(), options_).compare(entity_); }

  Entity entity_{"t", {"id"}, "t", "t"};
  PassOptions options_;
};

TEST_F(FullPass, OfEqualTablesFindsNothingAndWasAbleToFindSomething) {
  const auto found = compared();
  EXPECT_EQ(found.problem, "");
  EXPECT_EQ(found.differences, 0);
  EXPECT_THAT(found.rows, ElementsAre(5000, 5000));
  EXPECT_GT(found.bytes[0], 5000 * 20);
  EXPECT_EQ(found.planted, 8);
  EXPECT_EQ(found.planted_found, 8);
}

TEST_F(FullPass, FindsExactlyTheRowsThatDiffer) {
  sql("l", "DELETE FROM t WHERE id = 17; UPDATE t SET name = NULL WHERE id = 4000");
  sql("n",
      "DELETE FROM t WHERE id = 3; UPDATE t SET cents = -cents WHERE id = 5; INSERT INTO t VALUES (9000, 'new'); "
      "UPDATE t SET payload = payload || '{\"x\": 1}', name = 'both' WHERE id = 6");
  EXPECT_THAT(in_words(compared()),
              ElementsAre("only left 3", "5.cents: 0.71428571428571428571 | -0.71428571428571428571",
                          "6.name: name 6 | both", "6.payload: {\"i\": 6} | {\"i\": 6, \"x\": 1}", "only right 17",
                          "4000.name: NULL | name 4000", "only right 9000"));
  EXPECT_EQ(compared().differences, 6);
}

TEST_F(FullPass, FindsElevenHundredDifferencesWithSeveralConnections) {
  sql("n",
      "UPDATE t SET cents = -cents WHERE id <= 1000 AND cents <> 0; DELETE FROM t WHERE id > 4950; INSERT INTO t "
      "SELECT i, 'x' "
      "FROM generate_series(6001, 6050) i");
  for (const std::size_t connections : {1U, 2U, 5U}) {
    options_.connections = connections;
    const auto found = compared();
    EXPECT_EQ(found.problem, "");
    EXPECT_FALSE(found.at_least);
    EXPECT_EQ(found.differences, 1100);
    EXPECT_EQ(found.findings.size(), 1100u);
  }
}

TEST_F(FullPass, ReadsEachRowInExactlyOneOfManyParts) {
  both("CREATE TABLE wide (id int, filler text); ALTER TABLE wide ALTER filler SET STORAGE PLAIN");
  both("INSERT INTO wide SELECT i, repeat('x', 7000) FROM generate_series(1, 20000) i");
  both("DELETE FROM wide WHERE id % 3 = 0");
  entity_ = {"wide", {"id"}, "wide", "wide"};
  options_.connections = 3;
  auto found = compared();
  EXPECT_EQ(found.problem, "");
  EXPECT_THAT(found.rows, ElementsAre(13334, 13334)) << "three parts";
  EXPECT_EQ(found.differences, 0);
  sql("n", "INSERT INTO wide VALUES (20001, 'behind the end that was measured')");
  EXPECT_THAT(in_words(compared()), ElementsAre("only right 20001"));
}

TEST_F(FullPass, SaysAtLeastWhenMoreDiffersThanItMayTellApart) {
  sql("n", "UPDATE t SET name = 'x'");
  options_.max_differences = 100;
  const auto found = compared();
  EXPECT_TRUE(found.at_least);
  EXPECT_GE(found.differences, 100);
  EXPECT_LE(found.differences, 5000) << "never more than there are";
  options_.max_differences = 10'000;
  EXPECT_EQ(compared().differences, 5000);
}

TEST_F(FullPass, OfRowsWithoutAKeyCountsThem) {
  both("CREATE TABLE log (a int, b text)");
  sql("l", "INSERT INTO log VALUES (1, 'x'), (1, 'x'), (1, 'x'), (2, NULL), (3, 'z')");
  sql("n", "INSERT INTO log VALUES (1, 'x'), (2, NULL), (2, NULL), (3, 'z')");
  entity_ = {"log", {}, "log", "log"};
  const auto found = compared();
  EXPECT_EQ(found.problem, "");
  EXPECT_EQ(found.differences, 3);
  EXPECT_THAT(in_words(found), testing::UnorderedElementsAre("only left (1, x) 2 times", "only right (2, NULL)"));
}

TEST_F(FullPass, TakesKeysOfAnyTypeAndNumber) {
  const auto differs_in = [&](const std::string& columns, const std::vector<std::string>& key,
                              const std::string& values, const std::string& other) {
    both("DROP TABLE IF EXISTS k; CREATE TABLE k (" + columns + ", v int)");
    both("INSERT INTO k VALUES (" + values + ", 1), (" + other + ", 2)");
    sql("n", "UPDATE k SET v = 3 WHERE v = 2");
    entity_ = {"k", key, "k", "k"};
    return in_words(compared());
  };
  EXPECT_THAT(differs_in("k text", {"k"}, "'short'", "'it''s, \\ \"é\"'"), ElementsAre("it's, \\ \"é\".v: 2 | 3"));
  const std::string long_text(100, 'k');
  EXPECT_THAT(differs_in("k text", {"k"}, "'" + long_text + "'", "'" + long_text + "2'"),
              ElementsAre(long_text + "2.v: 2 | 3"));
  EXPECT_THAT(
      differs_in("k uuid", {"k"}, "'00000000-9c0b-4ef8-bb6d-6bb9bd380a11'", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"),
      ElementsAre("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11.v: 2 | 3"));
  EXPECT_THAT(differs_in("a int, b text, c bigint", {"c", "a", "b"}, "1, 'x', 2", "1, 'y,z', -2"),
              ElementsAre("-2,1,y\\,z.v: 2 | 3"));
  EXPECT_THAT(differs_in("k numeric", {"k"}, "1", "2.50"), ElementsAre("2.50.v: 2 | 3"));
  EXPECT_THAT(differs_in("k timestamptz", {"k"}, "'2024-01-01 00:00+00'", "'2024-01-02 00:00+00'"),
              ElementsAre("2024-01-02 00:00:00+00.v: 2 | 3"));
  EXPECT_THAT(differs_in("k bytea, i inet", {"k", "i"}, "'\\x00', '10.0.0.1'", "'\\x01', '10.0.0.1'"),
              ElementsAre("\\\\x01,10.0.0.1/32.v: 2 | 3"));
  EXPECT_THAT(differs_in("a int, b text", {"a", "b"}, "1, NULL", "NULL, NULL"), ElementsAre("NULL,NULL.v: 2 | 3"))
      << "a NULL in a key is a value like others";
  EXPECT_THAT(differs_in("k char(5)", {"k"}, "'a'", "'b'"), ElementsAre("b.v: 2 | 3"));
}

TEST_F(FullPass, NamesAKeyThatStandsTwice) {
  both("ALTER TABLE t DROP CONSTRAINT t_pkey");
  sql("n", "INSERT INTO t SELECT * FROM t WHERE id = 7");
  EXPECT_THAT(compared().problem, HasSubstr("the key 7 stands in more than one row of the new database"));
}

TEST_F(FullPass, FollowsColumnsThatAreCalledDifferently) {
  sql("n", "ALTER TABLE t RENAME name TO title; ALTER TABLE t RENAME TO renamed");
  entity_.new_ = "renamed";
  EXPECT_THAT(compared().problem, AllOf(HasSubstr("different columns"), HasSubstr("name"), HasSubstr("title")));
  entity_.columns = {{"name", "title"}};
  EXPECT_EQ(compared().problem, "");
  EXPECT_EQ(compared().differences, 0);
  entity_.columns = {{"name", "titel"}};
  EXPECT_THAT(compared().problem, HasSubstr("titel"));
}

TEST_F(FullPass, LeavesOutGeneratedAndIgnoredColumns) {
  sql("n",
      "ALTER TABLE t ADD COLUMN double numeric GENERATED ALWAYS AS (cents * 2) STORED; ALTER TABLE t ADD COLUMN own "
      "int");
  const std::map<std::string, std::string> ignored{{"t.own", "not migrated"}};
  Side side = right();
  side.ignored_columns = &ignored;
  const auto found = DatabasePair(left(), side, options_).compare(entity_);
  EXPECT_EQ(found.problem, "");
  EXPECT_EQ(found.differences, 0);
  EXPECT_THAT(found.notes, ElementsAre("t.double of the new database is generated and not compared"));
}

TEST_F(FullPass, CountsWhatAMaskHidesAndHidesNothingElse) {
  sql("n",
      "UPDATE t SET name = 'x' WHERE id <= 3; UPDATE t SET cents = -cents WHERE id = 3; DELETE FROM t WHERE id = 9");
  entity_.masked = {{"name", "each service writes it in its own way"}};
  const auto found = compared();
  EXPECT_EQ(found.problem, "");
  EXPECT_THAT(in_words(found), ElementsAre("3.cents: 0.42857142857142857143 | -0.42857142857142857143", "only left 9"));
  EXPECT_EQ(found.masked.at("name"), 3);
  EXPECT_FALSE(found.masked_at_least);
}

// A time that each service takes from its own clock differs in every row.
TEST_F(FullPass, FindsWhatDiffersBesidesAMaskedColumnThatDiffersEverywhere) {
  sql("n", "UPDATE t SET name = 'x'; UPDATE t SET cents = -cents WHERE id = 3; DELETE FROM t WHERE id = 9");
  entity_.masked = {{"name", "each service writes it in its own way"}};
  options_.max_differences = 100;
  const auto found = compared();
  EXPECT_EQ(found.problem, "");
  EXPECT_FALSE(found.at_least);
  EXPECT_THAT(in_words(found), ElementsAre("3.cents: 0.42857142857142857143 | -0.42857142857142857143", "only left 9"));
  EXPECT_TRUE(found.masked_at_least);
  EXPECT_GE(found.masked.at("name"), 100);
  EXPECT_LE(found.masked.at("name"), 5000);
  EXPECT_EQ(found.planted, found.planted_found);
}

TEST_F(FullPass, RefusesAMaskOfAColumnThatThereIsNot) {
  entity_.masked = {{"nmae", "why"}};
  EXPECT_THAT(compared().problem, HasSubstr("it masks nmae, which is none of its columns"));
}

TEST_F(FullPass, ReadsTablesOfPartitionsAndTheirChildren) {
  sql("n",
      "CREATE TABLE parts (LIKE t) PARTITION BY RANGE (id); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM "
      "(0) TO "
      "(2000); CREATE TABLE parts_2 PARTITION OF parts DEFAULT; INSERT INTO parts SELECT * FROM t; DROP TABLE t");
  entity_.new_ = "parts";
  auto found = compared();
  EXPECT_EQ(found.problem, "");
  EXPECT_EQ(found.differences, 0);
  sql("n", "DELETE FROM parts WHERE id = 4999");
  EXPECT_THAT(in_words(compared()), ElementsAre("only left 4999"));
}

TEST_F(FullPass, NamesTheTransactionThatWroteARowAndWhenItCommitted) {
  sql("n", "UPDATE t SET name = 'x' WHERE id = 9");
  const std::string writer =
      *sql("n", "SELECT xmin, pg_xact_commit_timestamp(xmin)::text FROM t WHERE id = 9").rows[0][0];
  auto found = compared();
  ASSERT_EQ(found.findings.size(), 1u);
  EXPECT_EQ(found.findings[0].right.transaction, writer);
  EXPECT_THAT(found.findings[0].right.committed_at, HasSubstr("20"));
  EXPECT_NE(found.findings[0].left.transaction, "");
  entity_.legacy = entity_.new_ = "SELECT id, name, cents FROM t";
  EXPECT_EQ(compared().findings.at(0).right.transaction, "") << "a SELECT does not tell";
  entity_.legacy = "SELECT id, name, cents FROM t";
  entity_.new_ = "SELECT id, xmin, name, cents FROM t";
  found = compared();
  EXPECT_EQ(found.problem, "");
  ASSERT_EQ(found.findings.size(), 1u);
  EXPECT_EQ(found.findings[0].right.transaction, writer) << "unless it gives xmin";
}

TEST_F(FullPass, SaysWhatARoleMayNotReadAndTheGrant) {
  sql("n", "CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA public TO reader");
  Side side = right();
  side.dsn += " user=reader";
  EXPECT_THAT(DatabasePair(left(), side, options_).compare(entity_).problem,
              HasSubstr("the new database: permission denied for table t; GRANT SELECT ON t TO reader"));
  sql("n", "GRANT SELECT ON t TO reader");
  EXPECT_EQ(DatabasePair(left(), side, options_).compare(entity_).problem, "");
  sql("n", "DROP OWNED BY reader; DROP ROLE reader");
}

TEST_F(FullPass, OfASideThatGoesAwayIsNeverAShortTable) {
  both("INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(10001, 60000) i");
  std::once_flag ended;
  options_.on_progress = [&](const std::string&, std::int64_t, double) {
    std::call_once(ended, [] {
      sql("postgres",
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'n' AND backend_type = 'client "
          "backend'");
    });
  };
  const auto found = compared();
  EXPECT_THAT(found.problem, HasSubstr("the new database"));
  EXPECT_EQ(found.differences, 0) << "what was not read is no difference";
}

TEST_F(FullPass, OfATableThatVanishesIsAProblemThatNamesIt) {
  DatabasePair pair(left(), right(), options_);
  EXPECT_EQ(pair.compare(entity_).problem, "");
  entity_.new_ = "gone";
  EXPECT_THAT(pair.compare(entity_).problem, AllOf(HasSubstr("the new database"), HasSubstr("gone")));
  entity_.new_ = "t";
  EXPECT_EQ(pair.compare(entity_).problem, "") << "the next entity is compared all the same";
}

TEST_F(FullPass, StopsWhenItIsToldTo) {
  both("INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(10001, 60000) i");
  std::atomic<bool> stop{false};
  options_.stop = &stop;
  options_.on_progress = [&](const std::string&, std::int64_t, double) { stop = true; };
  EXPECT_THROW(static_cast<void>(compared()), ReadingStopped);
  EXPECT_EQ(
      *sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE datname = 'n' AND state = 'active'").rows[0][0],
      "0");
}

TEST_F(FullPass, SaysWhenAStatementTimeoutEndsIt) {
  both("INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(10001, 60000) i");
  sql("postgres", "ALTER DATABASE n SET statement_timeout = '1ms'");
  EXPECT_THAT(compared().problem, AllOf(HasSubstr("statement timeout"), HasSubstr("ALTER ROLE")));
}

TEST_F(FullPass, DoesNotWaitForEverForATableThatSomebodyLocked) {
  Session locker(dsn_of("n"), "somebody");
  locker.run("BEGIN; LOCK TABLE t");
  EXPECT_THAT(compared().problem,
              AllOf(HasSubstr("the new database"), HasSubstr("lock timeout"), HasSubstr("pg_locks")));
}

TEST_F(FullPass, RefusesASnapshotThatIsHeldTooLong) {
  entity_.legacy =
      "SELECT id, name, cents, payload FROM t, LATERAL (SELECT pg_sleep(0.001 + 0 * id) AS slept OFFSET 0) s";
  entity_.new_ = "SELECT id, name, cents, payload FROM t";
  options_.snapshot_limit = std::chrono::milliseconds(300);
  EXPECT_THAT(compared().problem, HasSubstr("longer than a snapshot may be held"));
}

// Rows of a page each, so that a table of them has several parts; each part is read under a snapshot of its own. A part reads the same
// blocks of every partition: a row of another value of v moves to the first block of its partition, wherever it stood.
class SeveralSnapshots : public FullPass {
 protected:
  void SetUp() override {
    FullPass::SetUp();
    both(
        "CREATE TABLE wide (id int, v int, filler text) PARTITION BY LIST (v); ALTER TABLE wide ALTER filler SET "
        "STORAGE "
        "PLAIN; CREATE TABLE wide_1 PARTITION OF wide FOR VALUES IN (1); CREATE TABLE wide_2 PARTITION OF wide "
        "DEFAULT");
    both("INSERT INTO wide SELECT i, 1, repeat('x', 7000) FROM generate_series(1, 20000) i");
    entity_ = {"wide", {"id"}, "wide", "wide"};
    options_.now = [this] { return std::chrono::steady_clock::now() + passed_.load(); };
    options_.on_progress = [this](const std::string&, std::int64_t, double) {
      std::call_once(once_, [this] {
        passed_ = std::chrono::seconds(40);
        amid_();
      });
    };
  }

  std::function<void()> amid_;
  std::once_flag once_;
  std::atomic<std::chrono::seconds> passed_{std::chrono::seconds(0)};
};

TEST_F(SeveralSnapshots, ReadAgainWhatWasWrittenBetweenThem) {
  amid_ = [] { both("UPDATE wide SET v = 2 WHERE id IN (3, 19999)"); };
  const auto found = compared();
  EXPECT_EQ(found.problem, "");
  EXPECT_GT(found.snapshots[0] + found.snapshots[1], 2);
  EXPECT_EQ(found.differences, 0);
  EXPECT_GE(found.settled, 1);
}

TEST_F(SeveralSnapshots, DoNotLoseARowThatMovedIntoWhatWasRead) {
  amid_ = [] {
    sql("l", "UPDATE wide SET v = 2 WHERE id = 19999");
    sql("n", "UPDATE wide SET v = 3 WHERE id = 19999");
    EXPECT_EQ(*sql("n", "SELECT ctid::text FROM wide WHERE id = 19999").rows[0][0], "(0,1)");
  };
  const auto found = compared();
  EXPECT_EQ(found.problem, "");
  ASSERT_EQ(found.findings.size(), 1u) << "whether the left side was read before or behind its own update";
  EXPECT_EQ(found.findings[0].key, "19999");
}

}  // namespace
}  // namespace rehearse::harness
