#include "harness/databases/comparison.h"

#include <gmock/gmock.h>

#include "harness/databases/throw_away_postgres.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using properties::Comparison;
using properties::RowDifference;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// "changed customers/1.name: left → right", in the order of the report.
std::vector<std::string> in_words(const Comparison& comparison) {
  std::vector<std::string> words;
  for (const RowDifference& row : comparison.rows) {
    words.push_back(row.kind == RowDifference::Kind::only_left ? "only left " + row.key
                    : row.kind == RowDifference::Kind::only_right
                        ? "only right " + row.key
                        : row.key + "." + row.column + ": " + row.left + " | " + row.right);
  }
  return words;
}

class Comparing : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    legacy_.emplace(dsn_of("l"), "the legacy database");
    new_.emplace(dsn_of("n"), "the new database");
    legacy_->run("CREATE TABLE customer (id int, name text, cents int)");
    new_->run("CREATE TABLE customers (number int, title text, price numeric(9, 2))");
  }
  void legacy(const std::string& rows) { legacy_->run("INSERT INTO customer VALUES " + rows); }
  void renewed(const std::string& rows) { new_->run("INSERT INTO customers VALUES " + rows); }

  [[nodiscard]] static Side left() { return {dsn_of("l"), "legacy database", true}; }
  [[nodiscard]] static Side right() { return {dsn_of("n"), "new database", false}; }
  [[nodiscard]] Comparison compared(const VolatileCells* masked = nullptr) {
    return compare(entities_, left(), right(), masked);
  }

  std::vector<Entity> entities_{
      {"customers",
       {"id"},
       "SELECT id, name, cents FROM customer ORDER BY id",
       "SELECT number AS id, title AS name, (price * 100)::int AS cents FROM customers ORDER BY number"}};
  std::optional<Session> legacy_, new_;
};

TEST_F(Comparing, EqualUnderTheMappingIsEqual) {
  legacy("(1, 'Ada', 1050), (2, 'Bo', 3)");
  renewed("(2, 'Bo', 0.03), (1, 'Ada', 10.50)");
  const Comparison comparison = compared();
  EXPECT_EQ(comparison.differences, 0);
  EXPECT_EQ(comparison.rows_left, 2);
  EXPECT_EQ(comparison.rows_right, 2);
  EXPECT_EQ(comparison.problem, "");
  EXPECT_EQ(comparison.left + ", " + comparison.right, "legacy database, new database");
}

TEST_F(Comparing, EachKindOfDifferenceIsNamedWithItsKey) {
  legacy("(1, 'Ada', 1), (2, 'Bo', 2), (3, 'Cy', 3)");
  renewed("(1, 'Ada', 0.02), (3, 'Cyrus', 0.03), (4, 'Di', 0.04)");
  const Comparison comparison = compared();
  EXPECT_THAT(in_words(comparison), ElementsAre("1.cents: 1 | 2", "only left 2", "3.name: Cy | Cyrus", "only right 4"));
  EXPECT_EQ(comparison.differences, 4);
}

TEST_F(Comparing, NullIsNotTheEmptyText) {
  legacy("(1, NULL, 1), (2, NULL, 2)");
  renewed("(1, '', 0.01), (2, NULL, 0.02)");
  EXPECT_THAT(in_words(compared()), ElementsAre("1.name: NULL | "));
}

TEST_F(Comparing, CountsMoreDifferencesThanItShows) {
  legacy_->run("INSERT INTO customer SELECT g, 'x', 0 FROM generate_series(1, 1500) g");
  const Comparison comparison = compared();
  EXPECT_EQ(comparison.differences, 1500);
  EXPECT_EQ(comparison.rows.size(), properties::max_row_differences);
}

TEST_F(Comparing, KeyThatStandsTwiceIsAProblem) {
  legacy("(1, 'Ada', 1)");
  renewed("(1, 'Ada', 0.01), (1, 'Ada', 0.01)");
  EXPECT_THAT(compared().problem,
              HasSubstr("entity customers: the key 1 stands in more than one row of the new database"));
}

TEST_F(Comparing, KeysOfSeveralColumnsAreNotMixedUp) {
  legacy_->run("CREATE TABLE pair (a text, b text); INSERT INTO pair VALUES ('x,y', 'z'), ('x', 'y,z')");
  new_->run("CREATE TABLE pair (a text, b text); INSERT INTO pair VALUES ('x,y', 'z')");
  entities_ = {{"pairs", {"a", "b"}, "pair", "pair"}};
  const Comparison comparison = compared();
  EXPECT_EQ(comparison.problem, "");
  EXPECT_THAT(in_words(comparison), ElementsAre("only left x,y\\,z"));
}

TEST_F(Comparing, SelectsThatDoNotFitAreProblemsAndNoErrors) {
  legacy("(1, 'Ada', 1)");
  const Entity good = entities_[0];
  entities_ = {{"customers", {"id"}, good.legacy, "SELECT number AS id, title AS name FROM customers"}};
  EXPECT_THAT(compared().problem,
              AllOf(HasSubstr("its SELECTs give different columns"),
                    HasSubstr("id, name, cents in the legacy database"), HasSubstr("id, name in the new database")));
  entities_ = {{"customers", {"id"}, good.legacy, "SELECT title AS name, number AS id, 1 AS cents FROM customers"}};
  EXPECT_THAT(compared().problem, HasSubstr("different columns")) << "the order counts";
  entities_ = {{"customers", {"email"}, good.legacy, good.new_}};
  EXPECT_THAT(compared().problem, HasSubstr("its SELECT on the legacy database gives no column email"));
  entities_ = {{"customers", {"id"}, good.legacy, "SELECT nonsense FROM customers"}};
  EXPECT_THAT(compared().problem, AllOf(HasSubstr("the new database"), HasSubstr("nonsense")));
  entities_ = {};
  EXPECT_THAT(compared().problem, HasSubstr("maps no entities"));
}

TEST_F(Comparing, AProblemLaterOnKeepsWhatWasFoundBefore) {
  legacy("(1, 'Ada', 1)");
  entities_.push_back({"broken", {"id"}, "SELECT 1/0 AS id", "SELECT 1 AS id"});
  const Comparison comparison = compared();
  EXPECT_EQ(comparison.differences, 1);
  EXPECT_THAT(comparison.problem, HasSubstr("division by zero"));
}

TEST_F(Comparing, VolatileCellsAreMaskedAndCountedButNotTheirAbsence) {
  legacy("(1, 'Ada', 1), (2, 'Bo', 2), (3, NULL, 3), (4, 'Di', 4)");
  renewed("(1, 'ADA', 0.01), (2, NULL, 0.02), (3, 'Cy', 0.03)");
  VolatileCells masked;
  for (const char* key : {"1", "2", "3", "4"}) masked.insert(cell_name("customers", key, "name"));
  const Comparison comparison = compared(&masked);
  EXPECT_THAT(in_words(comparison), ElementsAre("2.name: Bo | NULL", "3.name: NULL | Cy", "only left 4"));
  EXPECT_EQ(comparison.masked, 1);
}

TEST_F(Comparing, CellsThatTwoRunsFilledDifferentlyAreVolatile) {
  legacy("(1, 'Ada', 1), (2, 'Bo', 2), (3, 'Cy', 3)");
  new_->run(
      "CREATE TABLE customer (id int, name text, cents int); INSERT INTO customer VALUES (1, 'Ada', 9), (2, 'Bo', 2), "
      "(4, 'Di', 4)");
  EXPECT_THAT(differing_cells(entities_, left(), {dsn_of("n"), "second run", true}),
              UnorderedElementsAre(cell_name("customers", "1", "cents")));
}

TEST_F(Comparing, IdentifiersThatStandForEachOtherAreEqual) {
  legacy_->run(
      "CREATE TABLE note (id text, book_id text, body text); INSERT INTO note VALUES ('u1', 'b1', 'u1'), ('u2', 'b1', "
      "'x')");
  new_->run(
      "CREATE TABLE note (id text, book_id text, body text); INSERT INTO note VALUES ('v1', 'c1', 'v1'), ('u2', 'c1', "
      "'x')");
  entities_ = {{"notes", {"id"}, "note", "note"}};
  properties::Correspondence pairs;
  pairs.add_identifier({"note", "u1", "v1", 1});
  pairs.add_identifier({"book", "b1", "c1", 2});
  Side paired = right();
  paired.pairs = &pairs;
  EXPECT_THAT(in_words(compare(entities_, left(), paired)), ElementsAre("u1.body: u1 | v1"))
      << "keys and columns named as identifiers, nothing else";
}

TEST_F(Comparing, NextAndLargestIdsAreReadOnBothSides) {
  legacy_->run("CREATE SEQUENCE s START 1; SELECT setval('s', 7); INSERT INTO customer VALUES (7, 'x', 1)");
  new_->run("CREATE SEQUENCE t START 5; INSERT INTO customers VALUES (6, 'x', 1)");
  Configuration configuration;
  configuration.entities = entities_;
  configuration.sequences = {{"customers", "s", "t", "id"}};
  const auto spaces = id_spaces(configuration, *legacy_, *new_);
  ASSERT_EQ(spaces.size(), 1u);
  EXPECT_EQ(spaces[0].legacy_next, 8);
  EXPECT_EQ(spaces[0].new_next, 5) << "never used: gives its start";
  EXPECT_EQ(spaces[0].legacy_max, 7);
  EXPECT_EQ(spaces[0].new_max, 6);
  configuration.sequences[0].legacy = "none";
  EXPECT_THROW(static_cast<void>(id_spaces(configuration, *legacy_, *new_)), Error);
}

}  // namespace
}  // namespace rehearse::harness
