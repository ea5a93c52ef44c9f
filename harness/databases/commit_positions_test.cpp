#include "harness/databases/commit_positions.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "harness/databases/throw_away_postgres.h"

namespace rehearse::harness {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class CommitPositionsInTheWal : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    session_.emplace(dsn_of("l"), "the legacy database");
    session_->run("CREATE TABLE t (a int)");
  }
  void TearDown() override { session_.reset(); }
  // The number of the transaction of these statements.
  std::string transaction_of(const std::string& statements) {
    session_->run("BEGIN; " + statements);
    std::string number = session_->value("SELECT pg_current_xact_id()");
    session_->run("COMMIT");
    return number;
  }
  std::optional<Session> session_;
};

TEST_F(CommitPositionsInTheWal, AreThoseBetweenWhichTheTransactionCommitted) {
  session_->run("CREATE EXTENSION pg_walinspect; SET synchronous_commit = on");
  const std::string begin = session_->value("SELECT pg_current_wal_insert_lsn()");
  const std::string number = transaction_of("INSERT INTO t VALUES (1)");
  const std::string end = session_->value("SELECT pg_current_wal_insert_lsn()");
  const std::string other = transaction_of("INSERT INTO t VALUES (2)");
  session_->run("BEGIN; INSERT INTO t VALUES (3); PREPARE TRANSACTION 'p'");
  session_->run("COMMIT PREPARED 'p'");
  const std::string prepared = session_->value("SELECT xmin FROM t WHERE a = 3");
  const auto found = commit_positions(*session_, {number, prepared});
  EXPECT_EQ(found.problem, "");
  ASSERT_THAT(found.by_transaction, SizeIs(2)) << "and none of " << other;
  EXPECT_EQ(session_->value(fmt::format("SELECT pg_lsn '{0}' < '{1}' AND '{1}' <= pg_lsn '{2}'", begin,
                                        found.by_transaction.at(number), end)),
            "t");
}

TEST_F(CommitPositionsInTheWal, NameTheExtensionThatWouldTell) {
  const auto found = commit_positions(*session_, {transaction_of("INSERT INTO t VALUES (1)")});
  EXPECT_THAT(found.by_transaction, IsEmpty());
  EXPECT_THAT(found.problem, HasSubstr("CREATE EXTENSION pg_walinspect"));
  session_->run("CREATE EXTENSION pg_walinspect; CREATE ROLE plain LOGIN");
  Session plain(dsn_of("l") + " user=plain", "the legacy database");
  EXPECT_THAT(commit_positions(plain, {"3"}).problem, HasSubstr("permission denied"));
  session_->run("DROP ROLE plain");
}

}  // namespace
}  // namespace rehearse::harness
