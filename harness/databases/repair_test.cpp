#include "harness/databases/repair.h"

#include <gmock/gmock.h>

#include "harness/databases/throw_away_postgres.h"

namespace rehearse::harness {
namespace {

using testing::HasSubstr;

class Repairing : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    for (const char* database : {"l", "n"})
      sql(database,
          "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text, at timestamptz, bytes bytea, "
          "doc json, "
          "many int[]); INSERT INTO t (note, at, bytes, doc, many) SELECT 'note ' || i, '2024-01-01 00:00+00', "
          "'\\x00ff', "
          "'{\"a\": 1}', ARRAY[i, NULL] FROM generate_series(1, 20) i");
    sql("n", "ALTER TABLE t RENAME note TO comment");
    entity_.columns = {{"note", "comment"}};
  }
  EntityComparison compared() {
    return DatabasePair({dsn_of("l"), "legacy database", true}, {dsn_of("n"), "new database", false}, {})
        .compare(entity_);
  }
  std::string statements() { return repair_header() + repair_sql(entity_, compared()) + repair_footer(); }

  Entity entity_{"t", {"id"}, "t", "t"};
};

TEST_F(Repairing, MakesTheNewDatabaseEqualAndMayBeRunTwice) {
  sql("l",
      "UPDATE t SET note = 'it''s \\ \"new\"' || chr(10) WHERE id = 3; UPDATE t SET note = NULL, at = 'infinity' WHERE "
      "id = 4");
  sql("n",
      "DELETE FROM t WHERE id IN (5, 6); UPDATE t SET bytes = NULL, doc = NULL, many = '{}' WHERE id = 7; INSERT INTO "
      "t (comment) "
      "VALUES ('one too many')");
  ASSERT_EQ(compared().differences, 6);
  const std::string repair = statements();
  sql("n", repair);
  EXPECT_EQ(compared().problem, "");
  EXPECT_EQ(compared().differences, 0) << repair;
  sql("n", repair);
  EXPECT_EQ(compared().differences, 0) << "run again, it changes nothing";
}

TEST_F(Repairing, LeavesRowsAloneThatMovedSinceTheyWereCompared) {
  sql("n",
      "UPDATE t SET comment = 'seen' WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t (comment) VALUES "
      "('extra')");
  const std::string repair = statements();
  sql("n",
      "UPDATE t SET comment = 'moved' WHERE id = 1; INSERT INTO t (id, comment) OVERRIDING SYSTEM VALUE VALUES (2, "
      "'there'); "
      "UPDATE t SET comment = 'wanted' WHERE id = 21");
  sql("n", repair);
  EXPECT_EQ(sql("n", "SELECT string_agg(comment, ' ' ORDER BY id) FROM t WHERE id IN (1, 2, 21)").rows[0][0],
            "moved there wanted");
}

TEST_F(Repairing, SaysWhatItCannotRepair) {
  sql("n", "DELETE FROM t WHERE id = 5");
  entity_.columns.clear();
  entity_.new_ = "SELECT at, bytes, doc, id, many, comment AS note FROM t";
  entity_.legacy = "SELECT at, bytes, doc, id, many, note FROM t";
  EXPECT_THAT(statements(), HasSubstr("-- t/5: the mapping reads it by a SELECT; repair it by hand\n"));
}

}  // namespace
}  // namespace rehearse::harness
