#include "harness/databases/bucket_pass.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>

#include "harness/databases/database_pair.h"
#include "harness/databases/throw_away_postgres.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class HashedOnServers : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    options_.strategy = Strategy::hashes;
  }
  static void both(const std::string& statements) {
    sql("l", statements);
    sql("n", statements);
  }
  static Side left() { return {dsn_of("l"), "legacy database", true}; }
  static Side right() { return {dsn_of("n"), "new database", false}; }
  EntityComparison compared() { return DatabasePair(left(), right(), options_).compare(entity_); }

  // A table t (id, v) of that type on each side with one row; "equal", "differ", "hashes alike but differs", or the problem. Equal hashes and
  // equal rows are asked for apart, so that a hash that is too coarse cannot hide behind the full pass.
  std::string verdict(const std::string& left_type, const std::string& left_value, const std::string& right_type,
                      const std::string& right_value) {
    sql("l", "DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, v " + left_type +
                 "); INSERT INTO t VALUES (1, " + left_value + ")");
    sql("n", "DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, v " + right_type +
                 "); INSERT INTO t VALUES (1, " + right_value + ")");
    options_.strategy = Strategy::hashes;
    const auto hashed = compared();
    options_.strategy = Strategy::full;
    const auto full = compared();
    if (hashed.planted != hashed.planted_found) return "blind";
    if (!hashed.problem.empty()) return hashed.problem;
    if (hashed.differences != full.differences) return "hashes alike but differs";
    return hashed.differences == 0 ? hashed.strategy.starts_with("hashes, 0 of") ? "equal" : "equal, read again"
                                   : "differ";
  }
  std::string verdict(const std::string& type, const std::string& left_value, const std::string& right_value) {
    return verdict(type, left_value, type, right_value);
  }

  Entity entity_{"t", {"id"}, "t", "t"};
  PassOptions options_;
};

// What PostgreSQL's own typed hashes hold equal.
TEST_F(HashedOnServers, AreNotFooledWhereTypedHashesAre) {
  EXPECT_EQ(verdict("numeric", "5", "-5"), "differ");
  EXPECT_EQ(verdict("jsonb", "'5'", "'-5'"), "differ");
  EXPECT_EQ(verdict("jsonb", "'[]'", "'{}'"), "differ");
  EXPECT_EQ(verdict("jsonb", "'1'", "'[1]'"), "differ");
  EXPECT_EQ(verdict("jsonb", "'[[]]'", "'[]'"), "differ");
  EXPECT_EQ(verdict("bigint", "1", "4294967296"), "differ");
  EXPECT_EQ(verdict("bigint", "-1", "4294967295"), "differ");
  EXPECT_EQ(verdict("timestamptz", "'2000-01-01 00:00:00.000001+00'", "'2000-01-01 01:11:34.967296+00'"), "differ");
  EXPECT_EQ(verdict("int[]", "ARRAY[1,2]", "ARRAY[[1,2]]"), "differ");
  EXPECT_EQ(verdict("interval", "'1 month'", "'30 days'"), "differ");
  EXPECT_EQ(verdict("interval", "'24 hours'", "'1 day'"), "differ");
  const auto swapped = [](int a, int b) {
    std::string list;
    for (int i = 0; i < 40; ++i) list += fmt::format("{}{}", list.empty() ? "" : ",", i == a ? b : i == b ? a : i);
    return list;
  };
  EXPECT_EQ(verdict("int[]", "'{" + swapped(0, 0) + "}'", "'{" + swapped(0, 32) + "}'"), "differ");
  EXPECT_EQ(verdict("jsonb", "'[" + swapped(0, 0) + "]'", "'[" + swapped(0, 32) + "]'"), "differ");
}

TEST_F(HashedOnServers, TellNullFromWhatLooksLikeIt) {
  EXPECT_EQ(verdict("text", "NULL", "''"), "differ");
  EXPECT_EQ(verdict("text", "NULL", "'NULL'"), "differ");
  EXPECT_EQ(verdict("text", "NULL", "NULL"), "equal");
}

TEST_F(HashedOnServers, HoldEqualWhatMeansTheSameInAnotherType) {
  EXPECT_EQ(verdict("numeric", "1.10", "1.1000"), "equal");
  EXPECT_EQ(verdict("int", "7", "bigint", "7"), "equal");
  EXPECT_EQ(verdict("int", "7", "numeric", "7.00"), "equal");
  EXPECT_EQ(verdict("real", "0.1", "double precision", "0.1"), "equal");
  EXPECT_EQ(verdict("timestamp", "'2024-01-01 12:00'", "timestamptz", "'2024-01-01 12:00+00'"), "equal");
  EXPECT_EQ(verdict("char(9)", "'ab'", "text", "'ab'"), "equal");
  EXPECT_EQ(verdict("json", "'{\"b\":1, \"a\":2}'", "jsonb", "'{\"a\":2,\"b\":1}'"), "equal");
  EXPECT_EQ(verdict("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"),
            "equal");
}

// Their text is finer than their meaning: the bucket is read again, and nothing differs.
TEST_F(HashedOnServers, LookAgainAtRowsThatHashDifferentlyAndAreEqual) {
  EXPECT_EQ(verdict("jsonb", "'1.0'", "'1.00'"), "equal, read again");
  EXPECT_EQ(verdict("float8", "'-0'", "0"), "equal, read again");
}

TEST_F(HashedOnServers, AskForEachByteOfAnExactColumn) {
  entity_.exact = {"v"};
  EXPECT_EQ(verdict("numeric", "1.10", "1.1000"), "differ");
  EXPECT_EQ(verdict("json", "'{\"a\": 1}'", "'{\"a\":1}'"), "differ");
  EXPECT_EQ(verdict("char(9)", "'ab'", "char(5)", "'ab'"), "differ");
}

TEST_F(HashedOnServers, DoNotAskACollationWhatIsEqual) {
  both("CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level1', deterministic = false)");
  EXPECT_EQ(verdict("text COLLATE blind", "'abc'", "'ABC'"), "differ");
}

TEST_F(HashedOnServers, CompareTheNamesOfEnumsAndNotTheirNumbers) {
  sql("l", "CREATE TYPE mood AS ENUM ('good', 'bad')");
  sql("n", "CREATE TYPE pad AS ENUM ('x'); CREATE TYPE mood AS ENUM ('bad', 'good')");
  EXPECT_EQ(verdict("mood", "'good'", "'good'"), "equal");
  EXPECT_EQ(verdict("mood", "'good'", "'bad'"), "differ");
}

TEST_F(HashedOnServers, SeeValuesThatMoveBetweenColumnsAndRows) {
  both("CREATE TABLE t (id int PRIMARY KEY, a text, b text)");
  sql("l", "INSERT INTO t VALUES (1, 'x0', 'y'), (2, 'p', 'q'), (3, NULL, 'z'), (4, 'm', 'k')");
  sql("n", "INSERT INTO t VALUES (1, 'x', '0y'), (2, 'p', 'k'), (3, 'z', NULL), (4, 'm', 'q')");
  const auto found = compared();
  EXPECT_EQ(found.problem, "");
  EXPECT_EQ(found.differences, 4);
}

TEST_F(HashedOnServers, FindExactlyTheRowsThatDifferAndReadFewOthers) {
  both("CREATE TABLE t (id int PRIMARY KEY, a text, b numeric)");
  both("INSERT INTO t SELECT g, 'name ' || g, g / 7.0 FROM generate_series(1, 60000) g; ANALYZE t");
  EXPECT_EQ(compared().strategy, "hashes, 0 of 64 buckets differ");
  sql("n", "UPDATE t SET b = -b WHERE id = 7; DELETE FROM t WHERE id = 800; INSERT INTO t VALUES (70000)");
  for (const std::size_t connections : {1U, 3U}) {
    options_.connections = connections;
    const auto found = compared();
    EXPECT_EQ(found.problem, "");
    EXPECT_EQ(found.differences, 3);
    EXPECT_EQ(found.rows[0], 60000);
    EXPECT_THAT(found.strategy, testing::MatchesRegex("hashes, [1-3] of 64 buckets differ"));
    EXPECT_LT(found.bytes[0], 60000 * 20 / 8);
    EXPECT_EQ(found.planted, found.planted_found);
    EXPECT_GT(found.planted, 8);
  }
}

// Two equal rows must not take each other out of a sum.
TEST_F(HashedOnServers, CountRowsWithoutAKey) {
  both("CREATE TABLE t (id int, a text)");
  sql("l", "INSERT INTO t VALUES (1, 'x'), (1, 'x'), (2, 'y')");
  sql("n", "INSERT INTO t VALUES (3, 'z'), (3, 'z'), (2, 'y')");
  entity_.key = {};
  const auto found = compared();
  EXPECT_EQ(found.problem, "");
  EXPECT_EQ(found.differences, 4);
}

TEST_F(HashedOnServers, TakeMoreColumnsThanANumberHasBits) {
  std::string columns;
  for (int i = 0; i < 90; ++i) columns += fmt::format(", c{} int", i);
  both("CREATE TABLE t (id int PRIMARY KEY" + columns + "); INSERT INTO t (id) VALUES (1)");
  EXPECT_EQ(compared().differences, 0);
  for (const int c : {0, 29, 30, 31, 62, 89}) {
    sql("n", fmt::format("UPDATE t SET c{} = 0", c));
    EXPECT_EQ(compared().differences, 1) << c;
    sql("n", fmt::format("UPDATE t SET c{} = NULL", c));
  }
}

TEST_F(HashedOnServers, AreRefusedWhereTheServersDoNotAgree) {
  sql("postgres", "DROP DATABASE n");
  sql("postgres", "CREATE DATABASE n ENCODING 'LATIN9' LOCALE 'C' TEMPLATE template0");
  both("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'plain')");
  EXPECT_THAT(compared().problem, AllOf(HasSubstr("hash the same values differently"), HasSubstr("--strategy full")));
  options_.strategy = Strategy::full;
  EXPECT_EQ(compared().problem, "");
}

TEST_F(HashedOnServers, ArePreferredByMeasurementAlone) {
  EXPECT_EQ(chosen({40'000, 900ms, 100ms}), Strategy::hashes);
  EXPECT_EQ(chosen({40'000, 100ms, 100ms}), Strategy::full);
  EXPECT_EQ(chosen({40'000, 110ms, 100ms}), Strategy::full) << "not clearly faster";
  EXPECT_EQ(chosen({0, 100ms, 1ms}), Strategy::full) << "nothing was tried";
}

TEST_F(HashedOnServers, AreTriedAndTheChoiceIsSaid) {
  both("CREATE TABLE t (id int PRIMARY KEY, v text)");
  both("INSERT INTO t SELECT g, 'x' FROM generate_series(1, 120000) g; ANALYZE t");
  options_.strategy = Strategy::automatic;
  const auto found = compared();
  EXPECT_EQ(found.problem, "");
  EXPECT_EQ(found.differences, 0);
  EXPECT_THAT(found.strategy, AllOf(HasSubstr("40000 rows took"), HasSubstr("ms as rows and"), HasSubstr("as hashes")));
  both("DELETE FROM t WHERE id > 100; ANALYZE t");
  EXPECT_EQ(compared().strategy, "full, for it is small");
}

}  // namespace
}  // namespace rehearse::harness
