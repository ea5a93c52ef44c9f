#include "harness/databases/session.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "harness/databases/throw_away_postgres.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

class Sessions : public TwoDatabases {};

TEST_F(Sessions, PrintTheSameWhateverTheServerIsSetTo) {
  sql("postgres",
      "ALTER DATABASE l SET TimeZone = 'Asia/Tokyo'; ALTER DATABASE l SET DateStyle = 'German'; ALTER DATABASE l SET "
      "IntervalStyle = 'sql_standard'; "
      "ALTER DATABASE l SET extra_float_digits = -15; ALTER DATABASE l SET bytea_output = 'escape'; ALTER DATABASE l "
      "SET client_encoding = 'latin1'");
  Session session(dsn_of("l"), "the legacy database");
  const Rows rows = session.run(
      "SELECT timestamptz '2026-02-01 00:00:00.000001+09' AS at, date '2026-02-01', interval '1 day 2 h', 0.1::float8 "
      "+ 0.2::float8, '\\x61ff'::bytea, chr(228), NULL, ''");
  ASSERT_EQ(rows.columns.front(), "at");
  std::vector<std::string> printed;
  for (const auto& cell : rows.rows.at(0)) printed.push_back(cell.value_or("NULL"));
  EXPECT_THAT(printed, ElementsAre("2026-01-31 15:00:00.000001+00", "2026-02-01", "P1DT2H", "0.30000000000000004",
                                   "\\x61ff", "\u00e4", "NULL", ""));
}

TEST_F(Sessions, GiveValuesNumbersAndCounts) {
  Session session(dsn_of("l"), "the legacy database");
  session.run("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2), (3)");
  EXPECT_EQ(session.run("UPDATE t SET a = a").affected, 3);
  EXPECT_EQ(session.number("SELECT sum(a) FROM t"), 6);
  EXPECT_EQ(session.value("SELECT a FROM t WHERE a > 9"), "");
  EXPECT_EQ(session.quoted("it's"), "'it''s'");
  EXPECT_EQ(session.quoted_name("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(session.process_id(), session.number("SELECT pg_backend_pid()"));
}

TEST_F(Sessions, TellWhatTheServerRefused) {
  Session session(dsn_of("l"), "the legacy database");
  EXPECT_THAT([&] { session.run("SELECT * FROM none"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("the legacy database: "), HasSubstr("\"none\" does not exist"),
                                         Not(HasSubstr("\n")))));
  EXPECT_EQ(session.number("SELECT 1"), 1) << "the session goes on";
}

TEST_F(Sessions, NeverPrintThePasswordThatDidNotHelp) {
  const std::string good = dsn_of("l");
  for (const std::string& dsn :
       {good + " password=hunter2 dbname=none", good + " password=hunter2 port=1",
        std::string("host=nowhere.invalid password=hunter2"), std::string("host=127.0.0.1 password=hun hunter2"),
        std::string("host=127.0.0.1 password='hunter2"), std::string("hunter2"),
        std::string("password = hunter2 nonsense=1"), std::string("postgresql://me:hunter2@127.0.0.1:1/l"),
        std::string("postgresql://me:hunter2@[::1/l"),
        std::string("postgresql://me:hunter2@127.0.0.1:1/l?nonsense=hunter2"),
        std::string("postgresql://me:%zzhunter2@127.0.0.1/l")}) {
    EXPECT_THAT([&] { Session session(dsn, "the legacy database"); },
                ThrowsMessage<Error>(AllOf(Not(HasSubstr("hunter2")), Not(HasSubstr("\n")))))
        << dsn;
    try {
      static_cast<void>(with_database(dsn, "x"));
      static_cast<void>(database_in(dsn));
    } catch (const Error& problem) {
      EXPECT_THAT(problem.what(), Not(HasSubstr("hunter2"))) << dsn;
    }
  }
}

TEST_F(Sessions, MayGoToAnotherDatabaseOfTheServer) {
  EXPECT_EQ(database_in("host=a dbname=orders"), "orders");
  EXPECT_EQ(database_in("postgresql://me@a:5433/orders?application_name=x"), "orders");
  EXPECT_THAT([] { static_cast<void>(database_in("host=a")); }, ThrowsMessage<Error>(HasSubstr("names no database")));
  EXPECT_EQ(database_in(with_database("host=a dbname=orders", "it's \\ odd")), "it's \\ odd");

  const std::string from_uri = with_database("postgresql://me:p%40ss@a:5433/orders?connect_timeout=3", "other");
  for (const char* part :
       {"user='me'", "password='p@ss'", "host='a'", "port='5433'", "dbname='other'", "connect_timeout='3'"})
    EXPECT_THAT(from_uri, HasSubstr(part));
  EXPECT_EQ(Session(with_database(dsn_of("l"), "n"), "it").value("SELECT current_database()"), "n");
  EXPECT_EQ(maintenance_session(dsn_of("l"), "it").value("SELECT current_database()"), "postgres");
}

}  // namespace
}  // namespace rehearse::harness
