#include "harness/fuzz/rewinder.h"

#include <gmock/gmock.h>

#include "harness/databases/restore.h"
#include "harness/databases/throw_away_postgres.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::ThrowsMessage;

class Rewinding : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    sql("l", R"(
      CREATE TABLE customers (id bigserial PRIMARY KEY, name text NOT NULL, "Odd Name" numeric(9, 2),
                              shouted text GENERATED ALWAYS AS (upper(name)) STORED);
      CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer bigint NOT NULL REFERENCES customers, at timestamptz);
      CREATE TABLE lines (order_id int REFERENCES orders ON DELETE CASCADE, line int, tags text[], body jsonb, raw bytea,
                          PRIMARY KEY (order_id, line));
      CREATE TABLE marks (what text);
      CREATE FUNCTION no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never'; END $$;
      INSERT INTO customers (name, "Odd Name") VALUES ('Ada', 1.50), ('O''Hara, "quoted" (x)', NULL), (E'tab\tand\\', -0.01);
      INSERT INTO orders (customer, at) SELECT 1, '2024-03-31 02:30:00+01' FROM generate_series(1, 5);
      INSERT INTO lines SELECT id, n, ARRAY['a,b', NULL, ''], '{"k": [1, "2"]}', '\xff00' FROM orders, generate_series(1, 2) n;
    )");
    keep_as(disposable("l"), "the legacy database", "l_image", 60s);
  }
  static void TearDownTestSuite() { sql("postgres", "DROP DATABASE IF EXISTS l_image"); }
};

TEST_F(Rewinding, TakesBackWhatAPlanWrote) {
  auto rewinder = std::make_unique<Rewinder>(disposable("l"), "the legacy database", "l_image");
  EXPECT_TRUE(rewinder->verify());
  for (const char* written : {
           "UPDATE customers SET name = 'Bob' WHERE id = 1",
           "INSERT INTO customers (name) VALUES ('new'); INSERT INTO orders (customer) VALUES (4)",
           "DELETE FROM orders WHERE id = 2",
           "UPDATE customers SET id = 77 WHERE id = 3",
           "UPDATE lines SET tags = NULL, body = '[]', raw = '' WHERE line = 1",
           "DELETE FROM lines; DELETE FROM orders; DELETE FROM customers",
           "SELECT nextval('customers_id_seq'); SELECT setval('orders_id_seq', 400)",
           "BEGIN; INSERT INTO customers (name) VALUES ('gone'); ROLLBACK",
       }) {
    sql("l", written);
    EXPECT_TRUE(rewinder->rewind()) << written;
    EXPECT_TRUE(rewinder->verify()) << written;
  }
}

TEST_F(Rewinding, ShowsWhatWasCommittedAndNotWhatItDidItself) {
  Rewinder rewinder(disposable("l"), "the legacy database", "l_image");
  sql("l", "UPDATE customers SET name = 'Bob' WHERE id = 1");
  sql("l", "DELETE FROM lines WHERE order_id = 1");
  const auto commits = rewinder.committed();
  ASSERT_EQ(commits.size(), 2U);
  EXPECT_EQ(commits[0].changes.size(), 1U);
  EXPECT_EQ(commits[0].changes[0].table, "public.customers");
  EXPECT_EQ(commits[1].changes.size(), 2U);
  EXPECT_GT(commits[0].at_ns, 0);
  EXPECT_TRUE(rewinder.rewind());
  EXPECT_TRUE(rewinder.committed().empty());
}

TEST_F(Rewinding, KnowsTheOldKeyUnderAnyReplicaIdentity) {
  sql("l", "ALTER TABLE customers REPLICA IDENTITY FULL");
  drop(disposable("l"), "the legacy database", "l_image");
  keep_as(disposable("l"), "the legacy database", "l_image", 60s);
  Rewinder rewinder(disposable("l"), "the legacy database", "l_image");
  sql("l", "UPDATE customers SET id = 78, name = 'x new-tuple: id[bigint]:5' WHERE id = 3");
  EXPECT_TRUE(rewinder.rewind());
  EXPECT_TRUE(rewinder.verify());
}

TEST_F(Rewinding, SaysWhatIsBeyondRows) {
  for (const char* written : {"TRUNCATE lines", "INSERT INTO marks VALUES ('no key')"}) {
    TwoDatabases::SetUp();
    SetUp();
    Rewinder rewinder(disposable("l"), "the legacy database", "l_image");
    sql("l", written);
    EXPECT_FALSE(rewinder.rewind()) << written;
  }
}

TEST_F(Rewinding, SeesWhatNoLogShows) {
  Rewinder rewinder(disposable("l"), "the legacy database", "l_image");
  sql("l", "CREATE TABLE unnoticed (a int)");
  EXPECT_TRUE(rewinder.rewind());
  EXPECT_FALSE(rewinder.verify());
}

TEST_F(Rewinding, TakesASuperuser) {
  sql("l",
      "DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN REPLICATION; GRANT ALL ON ALL TABLES IN SCHEMA public TO "
      "plain");
  DatabaseSettings settings = disposable("l");
  settings.dsn += " user=plain";
  EXPECT_THAT([&] { Rewinder(settings, "the legacy database", "l_image"); },
              ThrowsMessage<Error>(HasSubstr("takes a superuser")));
  sql("l", "DROP OWNED BY plain; DROP ROLE plain");
}

}  // namespace
}  // namespace rehearse::harness
