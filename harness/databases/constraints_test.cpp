#include "harness/databases/constraints.h"

#include <gmock/gmock.h>

#include "harness/databases/throw_away_postgres.h"

namespace rehearse::harness {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class ConstraintsOfADatabase : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    sql("n",
        "CREATE TABLE owners (a int, \"B b\" int, PRIMARY KEY (a, \"B b\")); CREATE TABLE things (id int PRIMARY KEY, "
        "owner_a int, owner_b int, price int CHECK (price >= 0), FOREIGN KEY (owner_a, owner_b) REFERENCES owners); "
        "INSERT INTO owners VALUES (1, 2); INSERT INTO things VALUES (1, 1, 2, 5), (2, 1, NULL, NULL)");
  }
  static properties::Constraints look() {
    Session session(dsn_of("n"), "the new database");
    return constraints_of(session);
  }
};

TEST_F(ConstraintsOfADatabase, HoldWhenTheServerWatchedEveryRow) {
  const auto found = look();
  EXPECT_EQ(found.looked_at, 4) << "two primary keys, a CHECK and a foreign key";
  EXPECT_THAT(found.broken, IsEmpty());
  EXPECT_EQ(found.problem, "");
}

TEST_F(ConstraintsOfADatabase, ARowThatWasWrittenBehindTheTriggersBreaksAForeignKeyThatTheCatalogueCallsValid) {
  sql("n", "SET session_replication_role = replica; INSERT INTO things VALUES (3, 1, 9, 5), (4, 8, 2, 5)");
  const auto found = look();
  ASSERT_EQ(found.broken.size(), 1u);
  EXPECT_EQ(found.broken[0].table, "things");
  EXPECT_EQ(found.broken[0].rows, 2);
  EXPECT_THAT(found.broken[0].definition, HasSubstr("FOREIGN KEY (owner_a, owner_b) REFERENCES owners"));
}

TEST_F(ConstraintsOfADatabase, ARowOlderThanItsCheckBreaksIt) {
  sql("n",
      "INSERT INTO things VALUES (3, NULL, NULL, 7); ALTER TABLE things ADD CONSTRAINT cheap CHECK (price < 6) NOT "
      "VALID");
  const auto found = look();
  ASSERT_EQ(found.broken.size(), 1u);
  EXPECT_EQ(found.broken[0].name, "cheap");
  EXPECT_EQ(found.broken[0].rows, 1);
}

TEST_F(ConstraintsOfADatabase, WhatMayNotBeReadIsAProblemAndNoPass) {
  sql("n", "DROP ROLE IF EXISTS nobody_reads; CREATE ROLE nobody_reads LOGIN");
  Session session(dsn_of("n") + " user=nobody_reads", "the new database");
  EXPECT_THAT(constraints_of(session).problem, HasSubstr("permission denied"));
}

}  // namespace
}  // namespace rehearse::harness
