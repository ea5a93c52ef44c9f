#include "harness/databases/coverage.h"

#include <gmock/gmock.h>

#include "harness/databases/throw_away_postgres.h"

namespace rehearse::harness {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> words_of(const std::string& select) {
  std::vector<std::string> words;
  for (const ColumnWord& word : column_words(select))
    words.push_back(word.qualifier.empty() ? word.name : word.qualifier + "." + word.name);
  return words;
}

TEST(ColumnWords, AreTheNamesThatMayBeColumns) {
  EXPECT_THAT(words_of("c.id, \"Full Name\" AS name, upper(Email)"), ElementsAre("c.id", "Full Name", "email"));
  EXPECT_THAT(words_of("a::text, (b * 100)::int, 'c', \"x\"\"y\""), ElementsAre("a", "b", "x\"y"));
  EXPECT_THAT(words_of("select * , t.*, count(*), a * b"), ElementsAre("select", "*", "t.*", "a", "b"));
  EXPECT_THAT(words_of("a -- b\n/* c */ public.t.d"), ElementsAre("a", "t.d"));
}

// A column that stands in a string or a comment alone is not read.
TEST(ColumnWords, AreNoneInStringsAndComments) {
  EXPECT_THAT(words_of("a, 'note', 'it''s note', E'it\\'s note', U&'note', B'101', x'1F'"), ElementsAre("a"));
  EXPECT_THAT(words_of("a, $$ note $$, $x$ note $$ note $x$, b"), ElementsAre("a", "b"));
  EXPECT_THAT(words_of("a /* note /* note */ note */, b -- note"), ElementsAre("a", "b"));
  EXPECT_THAT(words_of("e, b, x, n, u"), ElementsAre("e", "b", "x", "n", "u"))
      << "columns that are called like prefixes";
}

class CoverageOfAMapping : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    session_.emplace(dsn_of("l"), "the legacy database");
    session_->run(
        "CREATE TABLE customer (id int PRIMARY KEY, name text, note text, shown text GENERATED ALWAYS AS (name) "
        "STORED); "
        "CREATE TABLE address (id int, customer_id int, city text, note text)");
  }
  Coverage coverage(const std::string& legacy, const Ignored& tables = {}, const Ignored& columns = {}) {
    return coverage_of({{"e", {"id"}, legacy, ""}}, true, tables, columns, *session_);
  }
  std::vector<std::string> unread(const std::string& legacy) { return coverage(legacy).unread_columns; }

  std::optional<Session> session_;
};

TEST_F(CoverageOfAMapping, NamesEachColumnThatNoEntityReads) {
  EXPECT_THAT(unread("SELECT id, name FROM customer"), ElementsAre("customer.note"));
  EXPECT_THAT(unread("SELECT * FROM customer"), IsEmpty());
  EXPECT_THAT(unread("customer"), IsEmpty());
  EXPECT_THAT(unread("SELECT id, upper(name) AS note FROM customer"), ElementsAre("customer.note"))
      << "the name that a column is given is no column";
  EXPECT_THAT(unread("SELECT id, name || ' note' /* note */ AS name FROM customer -- note"),
              ElementsAre("customer.note"));
  EXPECT_THAT(unread("SELECT c.id, c.name, c.note, a.city FROM customer c JOIN address a ON a.customer_id = c.id"),
              ElementsAre("address.id", "address.note"))
      << "a column of the same name in another table is another one";
  EXPECT_THAT(unread("SELECT c.*, a.* FROM customer c JOIN address a ON a.customer_id = c.id"), IsEmpty());
  EXPECT_THAT(unread("SELECT id, (SELECT count(*) FROM address WHERE customer_id = customer.id) AS note FROM customer"),
              ElementsAre("address.city", "address.note", "customer.name", "customer.note"));
}

TEST_F(CoverageOfAMapping, HoldsColumnsThatAreIgnoredForNamed) {
  const Coverage covered = coverage("SELECT id, name FROM customer", {{"address", "why"}}, {{"customer.note", "why"}});
  EXPECT_THAT(covered.unread_columns, IsEmpty());
  EXPECT_THAT(covered.unread_tables, IsEmpty());
  EXPECT_EQ(covered.columns, 2u);
  EXPECT_EQ(covered.ignored, 1u);
}

TEST_F(CoverageOfAMapping, NamesEachTableThatNoEntityReads) {
  session_->run(
      "CREATE TABLE forgotten (a int); CREATE TABLE skipped (a int); CREATE VIEW seen AS SELECT c.* FROM customer c; "
      "CREATE SCHEMA other; CREATE TABLE other.far (a int); DROP TABLE address");
  EXPECT_THAT(coverage("customer", {{"skipped", "why"}}).unread_tables, ElementsAre("far", "forgotten"));
  const Coverage view = coverage("seen", {{"skipped", ""}, {"far", ""}, {"forgotten", ""}});
  EXPECT_THAT(view.unread_tables, IsEmpty()) << "a view reads its tables";
  EXPECT_THAT(view.unread_columns, IsEmpty());
  EXPECT_THAT(coverage("SELECT id FROM seen").unread_tables, ElementsAre("far", "forgotten", "skipped"));
}

TEST_F(CoverageOfAMapping, ReadsATableOfPartitionsThroughThem) {
  session_->run(
      "CREATE TABLE event (id int) PARTITION BY RANGE (id); CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM "
      "(0) TO (9); CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM (9) TO (99); DROP TABLE address");
  EXPECT_THAT(coverage("customer").unread_tables, ElementsAre("event")) << "once, not for each of them";
  const Coverage both = coverage("SELECT e.id FROM event e JOIN customer c ON c.id = e.id");
  EXPECT_THAT(both.unread_tables, IsEmpty());
  EXPECT_THAT(both.unread_columns, ElementsAre("customer.name", "customer.note"));
}

TEST(CoverageInWords, SaysWhatIsLeftOverOnEachSide) {
  Coverage legacy, new_;
  EXPECT_EQ(said_of(legacy, new_), "");
  legacy.unread_tables = {"a", "b"};
  new_.unread_columns = {"t.c"};
  EXPECT_THAT(said_of(legacy, new_), HasSubstr("tables that no entity reads (legacy: a, b; new: none)"));
  EXPECT_THAT(said_of(legacy, new_), HasSubstr("columns that no entity reads (legacy: none; new: t.c)"));
}

}  // namespace
}  // namespace rehearse::harness
