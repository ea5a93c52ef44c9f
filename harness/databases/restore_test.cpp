#include "harness/databases/restore.h"

#include <gmock/gmock.h>

#include "harness/databases/throw_away_postgres.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr const char* legacy_name = "the legacy database";

class Restoring : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    sql("l", "CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
    keep_as(settings_, legacy_name, "l_template", 60s);
    settings_.template_name = "l_template";
    sql("l", "UPDATE t SET a = 2; CREATE TABLE more (a int)");
  }
  static std::string a() { return *sql("l", "SELECT a FROM t").rows.at(0).at(0); }
  static bool exists(const std::string& name) {
    return !sql("postgres", "SELECT 1 FROM pg_database WHERE datname = '" + name + "'").rows.empty();
  }

  DatabaseSettings settings_ = disposable("l");
};

TEST_F(Restoring, BringsTheTemplateBack) {
  restore(settings_, legacy_name, 10s);
  EXPECT_EQ(a(), "1");
  EXPECT_TRUE(sql("l", "SELECT 1 FROM pg_class WHERE relname = 'more'").rows.empty());
}

TEST_F(Restoring, WorksWhileSessionsAreOpen) {
  Session pooled(dsn_of("l"), "a pool");
  Session of_template(dsn_of("l_template"), "a forgotten shell");
  restore(settings_, legacy_name, 10s);
  EXPECT_EQ(a(), "1");
  EXPECT_THROW(pooled.run("SELECT 1"), Error);
}

TEST_F(Restoring, MendsADatabaseThatWasLeftBroken) {
  sql("postgres", "ALTER DATABASE l SET default_transaction_read_only = on");
  sql("postgres", "ALTER DATABASE l WITH ALLOW_CONNECTIONS false");
  restore(settings_, legacy_name, 10s);
  sql("l", "INSERT INTO t VALUES (3)");
}

TEST_F(Restoring, RunsTheCommandWhenThereIsOne) {
  settings_.template_name.clear();
  settings_.restore = "true";
  restore(settings_, legacy_name, 10s);
  EXPECT_EQ(a(), "2") << "what the command does is the command's";
  settings_.restore = "echo no room; exit 9";
  EXPECT_THAT([&] { restore(settings_, legacy_name, 10s); },
              ThrowsMessage<Error>(HasSubstr("restoring the legacy database failed with status 9: no room")));
}

TEST_F(Restoring, IsRefusedUnlessTheDatabaseIsDisposable) {
  settings_.disposable = false;
  const auto refused =
      ThrowsMessage<Error>(AllOf(HasSubstr("the legacy database is not to be altered"), HasSubstr("disposable: true")));
  EXPECT_THAT([&] { restore(settings_, legacy_name, 10s); }, refused);
  EXPECT_THAT([&] { restore_from(settings_, legacy_name, "l_template", 60s); }, refused);
  EXPECT_THAT([&] { keep_as(settings_, legacy_name, "kept", 60s); }, refused);
  EXPECT_EQ(a(), "2");
  EXPECT_FALSE(exists("kept"));
}

TEST_F(Restoring, TemplateThatIsNotThereCostsNothing) {
  settings_.template_name = "typing_error";
  EXPECT_THAT([&] { restore(settings_, legacy_name, 10s); },
              ThrowsMessage<Error>(HasSubstr("there is no database typing_error to restore l from")));
  settings_.template_name = "l";
  EXPECT_THAT([&] { restore(settings_, legacy_name, 10s); },
              ThrowsMessage<Error>(HasSubstr("cannot be restored from itself")));
  settings_.template_name = "";
  EXPECT_THAT([&] { restore(settings_, legacy_name, 10s); },
              ThrowsMessage<Error>(HasSubstr("has no restore: name a template database or a command")));
  EXPECT_EQ(a(), "2");
}

TEST_F(Restoring, StatesAreKeptReplacedAndDropped) {
  keep_as(settings_, legacy_name, "Kept State", 60s);
  sql("l", "UPDATE t SET a = 3");
  restore_from(settings_, legacy_name, "Kept State", 60s);
  EXPECT_EQ(a(), "2");
  sql("l", "UPDATE t SET a = 4");
  keep_as(settings_, legacy_name, "Kept State", 60s);
  restore(settings_, legacy_name, 10s);
  restore_from(settings_, legacy_name, "Kept State", 60s);
  EXPECT_EQ(a(), "4");
  drop(settings_, legacy_name, "Kept State");
  EXPECT_FALSE(exists("Kept State"));
  drop(settings_, legacy_name, "Kept State");
}

TEST_F(Restoring, RoleThatMayNotSaysWhatItLacks) {
  sql("postgres", "CREATE ROLE limited LOGIN");
  settings_.dsn += " user=limited";
  EXPECT_THAT([&] { restore(settings_, legacy_name, 10s); },
              ThrowsMessage<Error>(AllOf(HasSubstr("the legacy database"), HasSubstr("must be owner"))));
  EXPECT_EQ(a(), "2");
  sql("postgres", "DROP ROLE limited");
}

}  // namespace
}  // namespace rehearse::harness
