#include "harness/databases/written_rows.h"

#include <gmock/gmock.h>

#include "harness/databases/throw_away_postgres.h"
#include "harness/databases/watch.h"

namespace rehearse::harness {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Orders with their total in cents in one database, in another table's column and another unit in the other.
class WrittenRows : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    sql("l", "CREATE TABLE orders (id int PRIMARY KEY, status text, note text, cents int, at timestamptz)");
    sql("n",
        "CREATE TYPE state AS ENUM ('open', 'paid'); CREATE TABLE \"Orders\" (number int PRIMARY KEY, state state, "
        "comment "
        "text, total numeric); CREATE TABLE addresses (order_number int, city text)");
    entities_ = {{"orders",
                  {"id"},
                  "SELECT id, status, note, cents::numeric / 100 AS total FROM orders",
                  "SELECT o.number AS id, o.state::text AS status, o.comment AS note, o.total FROM \"Orders\" o"}};
  }
  // "orders/7 note=x" for each write that the log of the database tells.
  std::vector<std::string> written(const std::string& database, const std::string& statements) {
    Session legacy(dsn_of("l"), "the legacy database"), new_(dsn_of("n"), "the new database");
    auto [in_legacy, in_new] = row_sources(entities_, legacy, new_);
    Watch watch(dsn_of(database), "a database", Watch::Depth::log, {});
    watch.follow(database == "l" ? in_legacy : in_new);
    sql(database, statements);
    EXPECT_TRUE(watch.lap().known);
    log_ = watch.take_writes();
    EXPECT_TRUE(log_.known) << log_.problem;
    std::vector<std::string> writes;
    for (const properties::LoggedWrite& write : log_.writes) {
      writes.push_back(write.entity + "/" + write.key + " " + write.image);
      EXPECT_GT(write.committed_ns, 1'700'000'000'000'000'000);
      EXPECT_GT(write.transaction, 0);
    }
    return writes;
  }
  std::vector<Entity> entities_;
  properties::WriteLog log_;
};

TEST_F(WrittenRows, AreNamedByTheirEntityWhateverTheirTablesAreCalled) {
  EXPECT_THAT(
      written("l",
              "INSERT INTO orders VALUES (7, 'open', 'x', 100); UPDATE orders SET note = NULL; DELETE FROM orders"),
      ElementsAre("orders/7 note=x", "orders/7 note=NULL", "orders/7 deleted"));
  EXPECT_THAT(written("n", "INSERT INTO \"Orders\" VALUES (7, 'open', 'x', 1); UPDATE \"Orders\" SET comment = NULL"),
              ElementsAre("orders/7 note=x", "orders/7 note=NULL"));
}

TEST_F(WrittenRows, OfTablesThatNoEntityReadsAreNotKept) {
  EXPECT_THAT(written("n", "INSERT INTO addresses VALUES (7, 'Oslo')"), IsEmpty());
}

TEST_F(WrittenRows, WhoseLookIsNotLoggedHaveNone) {
  sql("l",
      "ALTER TABLE orders ALTER note SET STORAGE EXTERNAL; INSERT INTO orders VALUES (7, 'open', repeat('x', 100000))");
  EXPECT_THAT(written("l", "UPDATE orders SET status = 'paid'"), ElementsAre("orders/7 "));
}

TEST_F(WrittenRows, WhoseKeyTheLogDoesNotTellAreCounted) {
  entities_[0].key = {"note"};
  EXPECT_THAT(written("l", "INSERT INTO orders VALUES (7, 'open', 'x', 100); DELETE FROM orders"),
              ElementsAre("orders/x id=7"));
  EXPECT_EQ(log_.not_kept, 1) << "of a deleted row the log knows the primary key";
}

TEST_F(WrittenRows, OfAnEntityWithAComputedKeyAreNotFollowed) {
  entities_[0].new_ =
      "SELECT o.number + 0 AS id, o.state::text AS status, o.comment AS note, o.total FROM \"Orders\" o";
  EXPECT_THAT(written("l", "INSERT INTO orders VALUES (7, 'open', 'x', 100)"), IsEmpty());
}

TEST_F(WrittenRows, AreNotKnownWhenTheLogCannotBeRead) {
  Watch watch(dsn_of("l"), "a database", Watch::Depth::log, {});
  watch.follow({});
  Session maintenance(dsn_of("postgres"), "the server");
  end_sessions(maintenance, "l");
  EXPECT_FALSE(watch.lap().known);
  EXPECT_FALSE(watch.take_writes().known);
}

TEST_F(WrittenRows, OfTablesFollowTheNamesOfTheirColumns) {
  sql("n", "CREATE TABLE renamed (number int PRIMARY KEY, comment text)");
  sql("l", "CREATE TABLE plain (id int PRIMARY KEY, note text)");
  entities_ = {{"orders", {"id"}, "plain", "renamed", {{"id", "number"}, {"note", "comment"}}}};
  EXPECT_THAT(written("n", "INSERT INTO renamed VALUES (7, 'x')"), ElementsAre("orders/7 note=x"));
  EXPECT_THAT(written("l", "INSERT INTO plain VALUES (7, 'x')"), ElementsAre("orders/7 note=x"));
}

}  // namespace
}  // namespace rehearse::harness
