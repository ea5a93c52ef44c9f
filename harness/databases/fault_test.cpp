#include "harness/databases/fault.h"

#include <gmock/gmock.h>

#include "harness/databases/throw_away_postgres.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;
using How = BrokenDatabase::How;

constexpr const char* new_name = "the new database";

class Breaking : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    sql("n",
        "CREATE TABLE t (a int); INSERT INTO t VALUES (1); CREATE SCHEMA other; CREATE TABLE other.\"T 2\" (a int)");
  }
  // What a client gets for a statement in a session of its own: its value, or the server's words.
  static std::string answer(const std::string& statement) {
    try {
      const Rows rows = sql("n", "SET statement_timeout = 200; " + statement);
      return rows.rows.empty() ? "done" : rows.rows[0][0].value_or("NULL");
    } catch (const Error& problem) {
      return problem.what();
    }
  }
  static bool works() {
    return answer("INSERT INTO t VALUES (2)") == "done" && answer("SELECT a FROM other.\"T 2\"") == "done";
  }
};

TEST_F(Breaking, StoppedRefusesConnectionsAndEndsOpenOnes) {
  Session open(dsn_of("n"), "a pool");
  {
    const BrokenDatabase broken(disposable("n"), new_name, How::stopped);
    EXPECT_THAT(answer("SELECT 1"), HasSubstr("not currently accepting connections"));
    EXPECT_THROW(open.run("SELECT 1"), Error);
    EXPECT_EQ(sql("l", "SELECT 1").rows.size(), 1u) << "the other database goes on";
  }
  EXPECT_TRUE(works());
}

TEST_F(Breaking, ReadOnlyReadsAndRefusesWrites) {
  Session open(dsn_of("n"), "a pool");
  {
    const BrokenDatabase broken(disposable("n"), new_name, How::read_only);
    EXPECT_EQ(answer("SELECT a FROM t"), "1");
    EXPECT_THAT(answer("INSERT INTO t VALUES (2)"), HasSubstr("read-only transaction"));
    EXPECT_THROW(open.run("INSERT INTO t VALUES (2)"), Error);
  }
  EXPECT_TRUE(works());
}

TEST_F(Breaking, SessionsOfTheReadOnlyTimeEndWithIt) {
  auto broken = std::make_unique<BrokenDatabase>(disposable("n"), new_name, How::read_only);
  Session pooled(dsn_of("n"), "a pool");
  broken.reset();
  EXPECT_THROW(pooled.run("INSERT INTO t VALUES (2)"), Error) << "it would keep the old setting";
  EXPECT_TRUE(works());
}

TEST_F(Breaking, HungLetsClientsInAndAnswersNothing) {
  {
    const BrokenDatabase broken(disposable("n"), new_name, How::hung);
    EXPECT_EQ(answer("SELECT 1"), "1");
    EXPECT_THAT(answer("SELECT a FROM t"), HasSubstr("statement timeout"));
    EXPECT_THAT(answer("INSERT INTO t VALUES (2)"), HasSubstr("statement timeout"));
    EXPECT_THAT(answer("SELECT a FROM other.\"T 2\""), HasSubstr("statement timeout"));
  }
  EXPECT_TRUE(works());
}

TEST_F(Breaking, IsMendedOnceWhenAsked) {
  for (const How how : {How::stopped, How::read_only, How::hung}) {
    BrokenDatabase broken(disposable("n"), new_name, how);
    broken.mend();
    EXPECT_TRUE(works());
    broken.mend();
  }
}

TEST_F(Breaking, IsMendedWhenAnExceptionPasses) {
  try {
    const BrokenDatabase broken(disposable("n"), new_name, How::stopped);
    throw Error("something else");
  } catch (const Error&) {
  }
  EXPECT_TRUE(works());
}

TEST_F(Breaking, EmptyDatabaseHangsWithoutTables) {
  EXPECT_NO_THROW(BrokenDatabase(disposable("l"), "the legacy database", How::hung));
}

TEST_F(Breaking, IsRefusedUnlessTheDatabaseIsDisposable) {
  DatabaseSettings precious = disposable("n");
  precious.disposable = false;
  for (const How how : {How::stopped, How::read_only, How::hung}) {
    EXPECT_THAT([&] { BrokenDatabase(precious, new_name, how); },
                ThrowsMessage<Error>(
                    AllOf(HasSubstr("the new database may not be broken on purpose"), HasSubstr("disposable: true"))));
  }
  EXPECT_TRUE(works());
}

TEST_F(Breaking, HalfDoneByARoleThatMayNotEndSessionsIsUndone) {
  sql("postgres", "CREATE ROLE owner LOGIN");
  sql("postgres", "ALTER DATABASE n OWNER TO owner");
  DatabaseSettings owned = disposable("n");
  owned.dsn += " user=owner";
  {
    Session open(dsn_of("n"), "a superuser's shell");  // which the owner may not end
    for (const How how : {How::stopped, How::read_only}) {
      EXPECT_THAT([&] { BrokenDatabase(owned, new_name, how); }, ThrowsMessage<Error>(HasSubstr("superuser")));
      EXPECT_TRUE(works());
    }
  }
  sql("postgres", "ALTER DATABASE n OWNER TO CURRENT_USER");
  sql("postgres", "DROP ROLE owner");
}

}  // namespace
}  // namespace rehearse::harness
