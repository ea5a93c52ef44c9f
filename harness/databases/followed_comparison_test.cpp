#include "harness/databases/followed_comparison.h"

#include <gmock/gmock.h>

#include <random>

#include "harness/databases/throw_away_postgres.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using properties::Comparison;
using testing::AllOf;
using testing::HasSubstr;

class Following : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    both(
        "CREATE TABLE orders (id int PRIMARY KEY, status text, total numeric); CREATE TABLE notes (name varchar(60) "
        "PRIMARY KEY, "
        "body text); CREATE TABLE log (a int)");
    both(
        "INSERT INTO orders SELECT g, 'open', g FROM generate_series(1, 2000) g; INSERT INTO notes SELECT repeat('n', "
        "40) || g FROM "
        "generate_series(1, 50) g; INSERT INTO log VALUES (1)");
    entities_ = {{"orders", {"id"}, "orders", "orders"}, {"notes", {"name"}, "notes", "notes"}};
  }
  static void both(const std::string& statements) {
    sql("l", statements);
    sql("n", statements);
  }
  static Side left() { return {dsn_of("l"), "legacy database", true}; }
  static Side right() { return {dsn_of("n"), "new database", false}; }
  FollowedComparison followed() { return {entities_, left(), right()}; }

  static std::set<std::string> rows_of(const Comparison& comparison) {
    std::set<std::string> rows;
    for (const auto& row : comparison.rows)
      rows.insert(row.entity + "/" + row.key + " " + row.column + " " + row.left + "|" + row.right);
    return rows;
  }

  std::vector<Entity> entities_;
};

TEST_F(Following, SaysOfAnUntouchedPairWhatItSaidBefore) {
  sql("n", "UPDATE orders SET status = 'paid' WHERE id = 7");
  auto followed = this->followed();
  const Comparison whole = followed.whole();
  EXPECT_EQ(whole.differences, 1);
  EXPECT_EQ(whole.decided_by, "every row");
  const Comparison again = followed.changed();
  EXPECT_EQ(again.problem, "");
  EXPECT_EQ(rows_of(again), rows_of(whole));
  EXPECT_EQ(again.rows_left, whole.rows_left);
  EXPECT_THAT(again.decided_by, HasSubstr("1 keys that changed or differed before"));
}

TEST_F(Following, FindsEveryKindOfChangeOnEitherSide) {
  auto followed = this->followed();
  EXPECT_EQ(followed.whole().differences, 0);
  sql("l", "DELETE FROM orders WHERE id = 1; UPDATE orders SET id = 5001 WHERE id = 2");
  sql("n",
      "UPDATE orders SET total = -total WHERE id = 3; INSERT INTO orders VALUES (5000); UPDATE notes SET body = 'x' "
      "WHERE name "
      "LIKE '%n7'");
  const Comparison comparison = followed.changed();
  EXPECT_EQ(comparison.problem, "");
  EXPECT_EQ(rows_of(comparison),
            (std::set<std::string>{"orders/1  |", "orders/2  |", "orders/5001  |", "orders/3 total 3|-3",
                                   "orders/5000  |", "notes/" + std::string(40, 'n') + "7 body NULL|x"}));
  EXPECT_THAT(comparison.decided_by, HasSubstr("6 keys that changed"));
  both("DELETE FROM orders WHERE id IN (1, 2, 3, 5000, 5001); UPDATE notes SET body = NULL");
  EXPECT_EQ(followed.changed().differences, 0) << "what differed is looked at again";
}

// What a comparison of every row says is what this says, whatever was written.
TEST_F(Following, SaysWhatAComparisonOfEveryRowSays) {
  auto followed = this->followed();
  static_cast<void>(followed.whole());
  std::mt19937 random(20261123);
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 6; ++i) {
      const int id = static_cast<int>(random() % 40);
      const char* const database = random() % 3 == 0 ? "l" : "n";
      const std::string statement =
          random() % 4 == 0   ? "DELETE FROM orders WHERE id = " + std::to_string(id)
          : random() % 3 == 0 ? "UPDATE orders SET id = id + 20 WHERE id = " + std::to_string(id) +
                                    " AND NOT EXISTS (SELECT FROM orders WHERE id = " + std::to_string(id + 20) + ")"
          : random() % 3 == 0
              ? "INSERT INTO orders VALUES (" + std::to_string(id) + ") ON CONFLICT DO NOTHING"
              : "UPDATE orders SET status = 's" + std::to_string(random() % 3) + "' WHERE id = " + std::to_string(id);
      random() % 3 == 0 ? both(statement) : static_cast<void>(sql(database, statement));
    }
    const Comparison changed = followed.changed();
    EXPECT_EQ(changed.problem, "");
    EXPECT_EQ(rows_of(changed), rows_of(compare(entities_, left(), right()))) << "round " << round;
  }
}

TEST_F(Following, ReadsAnEntityWholeWhenItMust) {
  entities_.push_back({"log", {}, "log", "log"});
  auto followed = this->followed();
  static_cast<void>(followed.whole());
  sql("n", "INSERT INTO log VALUES (2)");
  const Comparison comparison = followed.changed();
  EXPECT_EQ(comparison.differences, 1);
  EXPECT_THAT(comparison.decided_by, HasSubstr("every row of 1 of 3 entities (log: its rows have no key)"));
}

TEST_F(Following, SeesARowThatATruncateTookAway) {
  auto followed = this->followed();
  static_cast<void>(followed.whole());
  sql("n", "TRUNCATE orders");
  EXPECT_EQ(followed.changed().differences, 2000);
}

// What is held between two plays would keep a copy, or a migration's DDL, waiting for ever.
TEST_F(Following, HoldsNoSnapshotAndNoLockBetweenTwoLooks) {
  auto followed = this->followed();
  const auto held = [] {
    return *sql("postgres",
                "SELECT count(*) FROM pg_stat_activity WHERE datname IN ('l', 'n') AND (backend_xmin IS NOT NULL OR "
                "state LIKE 'idle "
                "in%')")
                .rows[0][0];
  };
  EXPECT_EQ(held(), "0");
  static_cast<void>(followed.whole());
  EXPECT_EQ(held(), "0");
  both("SET lock_timeout = '1s'; ALTER TABLE orders ADD COLUMN more int");
  EXPECT_EQ(followed.changed().problem, "");
  EXPECT_EQ(held(), "0");
  both("SET lock_timeout = '1s'; TRUNCATE notes");
  EXPECT_EQ(followed.changed().differences, 0);
}

TEST_F(Following, LeavesNothingBehind) {
  {
    auto followed = this->followed();
    static_cast<void>(followed.whole());
    EXPECT_EQ(*sql("postgres", "SELECT count(*) FROM pg_replication_slots").rows[0][0], "2");
  }
  EXPECT_EQ(*sql("postgres", "SELECT count(*) FROM pg_replication_slots").rows[0][0], "0");
  sql("postgres", "DROP DATABASE n");
}

TEST_F(Following, IsRefusedWhereTheServerPermitsNoLog) {
  sql("l", "CREATE ROLE plain LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain");
  Side side = left();
  side.dsn += " user=plain";
  EXPECT_THROW(FollowedComparison(entities_, side, right()), Error);
  sql("l", "DROP OWNED BY plain; DROP ROLE plain");
}

}  // namespace
}  // namespace rehearse::harness
