#include "harness/databases/changed_keys.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "harness/databases/throw_away_postgres.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class WhatChanged : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    sql("l",
        "CREATE TABLE orders (id int PRIMARY KEY, status text, customer int); CREATE TABLE customers (id int PRIMARY "
        "KEY, name "
        "text); CREATE TABLE other (a int); INSERT INTO orders VALUES (1, 'open', 1), (2, 'open', 1); INSERT INTO "
        "customers VALUES (1, 'Ada')");
    map({"id"}, "orders");
  }
  void map(std::vector<std::string> key, const std::string& source) { entity_ = {"e", std::move(key), source, source}; }

  // "1", "2,x", or "whole: why"; nothing when nothing changed.
  std::vector<std::string> behind(const std::string& statements) {
    ChangedKeys changes(dsn_of("l"), "the legacy database", true, {entity_});
    return behind(statements, changes);
  }
  std::vector<std::string> behind(const std::string& statements, ChangedKeys& changes) {
    sql("l", statements);
    const auto taken = changes.take();
    proved_by_ = taken.proved_by;
    std::vector<std::string> words;
    for (const auto& [entity, change] : taken.entities) {
      if (change.whole) words.push_back("whole: " + change.why);
      for (const KeyValues& key : change.keys) words.push_back(key_text(key));
    }
    return words;
  }

  Entity entity_;
  std::string proved_by_;
};

TEST_F(WhatChanged, IsNamedByTheKeysOfItsRows) {
  EXPECT_THAT(
      behind("INSERT INTO orders VALUES (3); UPDATE orders SET status = 'paid' WHERE id = 1; DELETE FROM orders "
             "WHERE id = 2; INSERT INTO other VALUES (1)"),
      UnorderedElementsAre("1", "2", "3"));
  EXPECT_EQ(proved_by_, "commit log");
}

TEST_F(WhatChanged, IsNothingWhereTheWalOrTheSnapshotStoodStill) {
  ChangedKeys changes(dsn_of("l"), "the legacy database", true, {entity_});
  static_cast<void>(changes.take());
  EXPECT_THAT(behind("SELECT * FROM orders", changes), IsEmpty());
  EXPECT_THAT(behind("CHECKPOINT", changes), IsEmpty());
  EXPECT_THAT(proved_by_, testing::AnyOf("snapshot", "WAL position"));
  EXPECT_THAT(behind("UPDATE orders SET status = 'x' WHERE id = 2", changes), ElementsAre("2"));
  EXPECT_THAT(behind("SELECT 1", changes), IsEmpty()) << "each change is told once";
}

// A transaction that began before and commits behind moves no snapshot when it does.
TEST_F(WhatChanged, HoldsWhatATransactionWroteThatWasOpenAtTheBeginning) {
  ChangedKeys changes(dsn_of("l"), "the legacy database", true, {entity_});
  Session writer(dsn_of("l"), "a writer");
  writer.run("BEGIN; UPDATE orders SET status = 'late' WHERE id = 1");
  static_cast<void>(changes.take());
  writer.run("COMMIT");
  EXPECT_THAT(behind("SELECT 1", changes), ElementsAre("1"));
}

TEST_F(WhatChanged, IsBothKeysWhereOneWasGivenUpForAnother) {
  EXPECT_THAT(behind("UPDATE orders SET id = 9 WHERE id = 1"), UnorderedElementsAre("1", "9"));
}

TEST_F(WhatChanged, IsNoneOfWhatWasRolledBack) {
  EXPECT_THAT(behind("BEGIN; DELETE FROM orders; ROLLBACK"), IsEmpty());
}

TEST_F(WhatChanged, OfAJoinIsTheRowsOfItsKeysTableAndElseAllOfIt) {
  map({"id"}, "SELECT o.id, o.status, c.name FROM orders o JOIN customers c ON c.id = o.customer");
  EXPECT_THAT(behind("UPDATE orders SET status = 'paid' WHERE id = 1"), ElementsAre("1"));
  EXPECT_THAT(behind("UPDATE customers SET name = 'Eve'"), ElementsAre(HasSubstr("whole: public.customers changed")));
  EXPECT_THAT(behind("INSERT INTO other VALUES (1)"), IsEmpty());
}

// Each of these would hide a change if a changed row stood for one row of the entity.
TEST_F(WhatChanged, IsAllOfItWhereARowDoesNotTellWhichRows) {
  const std::string change = "UPDATE orders SET customer = 2 WHERE id = 1";
  for (const char* source :
       {"SELECT customer AS id, count(*) AS n FROM orders GROUP BY customer",
        "SELECT id, status, row_number() OVER (ORDER BY id) AS n FROM orders",
        "SELECT id, status FROM orders ORDER BY status LIMIT 1", "SELECT DISTINCT id, status FROM orders",
        "SELECT a.id, b.status FROM orders a JOIN orders b ON a.id = b.customer",
        "SELECT id * 2 AS id, status FROM orders",
        "SELECT id, (SELECT max(o.customer) FROM orders o) AS top FROM orders"}) {
    map({"id"}, source);
    EXPECT_THAT(behind(change), ElementsAre(HasSubstr("whole: "))) << source;
  }
  map({"status"}, "orders");
  EXPECT_THAT(behind(change), ElementsAre("whole: the replica identity of public.orders does not hold status"))
      << "an update that changes it would not tell what it was";
  map({}, "orders");
  EXPECT_THAT(behind(change), ElementsAre("whole: its rows have no key"));
}

TEST_F(WhatChanged, IsAllOfItWhereAFunctionMayReadAnything) {
  sql("l",
      "CREATE FUNCTION peek() RETURNS bigint STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM other); "
      "END $$");
  map({"id"}, "SELECT id, peek() AS n FROM orders");
  EXPECT_THAT(behind("INSERT INTO other VALUES (1)"), ElementsAre("whole: it calls peek, which may read anything"));
}

TEST_F(WhatChanged, IsAllOfItBehindTruncateAndDdl) {
  EXPECT_THAT(behind("TRUNCATE orders"), ElementsAre(HasSubstr("whole: ")));
  for (const char* ddl : {"ALTER TABLE orders ADD COLUMN b int DEFAULT 7", "DROP TABLE other",
                          "CREATE VIEW v AS SELECT 1 AS one", "CREATE TYPE mood AS ENUM ('good')"}) {
    EXPECT_THAT(behind(ddl), ElementsAre("whole: the catalogue changed")) << ddl;
  }
  EXPECT_THAT(behind("CREATE TEMP TABLE x (a int)"), IsEmpty()) << "a temporary table is no change";
}

TEST_F(WhatChanged, OfATableThatIsInNoLogIsAllOfItUnlessNothingWasWrittenAtAll) {
  sql("l", "ALTER TABLE orders SET UNLOGGED");
  ChangedKeys changes(dsn_of("l"), "the legacy database", true, {entity_});
  EXPECT_THAT(behind("UPDATE orders SET status = 'unseen'", changes),
              ElementsAre("whole: public.orders is in no commit log"));
  static_cast<void>(changes.take());
  EXPECT_THAT(behind("SELECT 1", changes), IsEmpty());
}

TEST_F(WhatChanged, OfPartitionsIsNamedWhicheverTheyStandIn) {
  sql("l",
      "CREATE TABLE p (id int PRIMARY KEY, a text) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES "
      "FROM "
      "(0) TO (10); CREATE TABLE p2 PARTITION OF p DEFAULT; INSERT INTO p VALUES (1), (50)");
  map({"id"}, "p");
  EXPECT_THAT(behind("UPDATE p SET a = 'x'"), UnorderedElementsAre("1", "50"));
  EXPECT_THAT(behind("UPDATE p SET id = 60 WHERE id = 1"), UnorderedElementsAre("1", "60"))
      << "it moved to another part";
  EXPECT_THAT(behind("CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (100) TO (200)"),
              ElementsAre("whole: the catalogue changed"));
}

TEST_F(WhatChanged, IsLostWhenTheSessionIsEnded) {
  ChangedKeys changes(dsn_of("l"), "the legacy database", true, {entity_});
  sql("postgres", "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots");
  sql("l", "UPDATE orders SET status = 'unseen'");
  EXPECT_THROW(static_cast<void>(changes.take()), Error);
}

TEST_F(WhatChanged, IsCountedUpToABoundAndThenAllOfIt) {
  EXPECT_THAT(behind(fmt::format("INSERT INTO orders SELECT g FROM generate_series(10, {}) g", max_changed_keys + 20)),
              ElementsAre(HasSubstr("whole: more than 100000 of its rows changed")));
}

}  // namespace
}  // namespace rehearse::harness
