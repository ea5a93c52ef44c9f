#include "harness/databases/mapping_proposal.h"

#include <gmock/gmock.h>

#include "harness/databases/throw_away_postgres.h"

namespace rehearse::harness {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class MappingProposed : public TwoDatabases {
 protected:
  MappingProposal proposed(const std::string& legacy, const std::string& new_) {
    sql("l", legacy);
    sql("n", new_);
    Session left(dsn_of("l"), "the legacy database"), right(dsn_of("n"), "the new database");
    return proposed_mapping(catalogue_of(left), catalogue_of(right));
  }
};

TEST_F(MappingProposed, OfEqualSchemasIsWhole) {
  const std::string schema =
      "CREATE TABLE orders (region text, id bigserial, total numeric, PRIMARY KEY (region, id)); CREATE TABLE \"Odd: "
      "Name\" (\"on\" int "
      "PRIMARY KEY)";
  const auto proposal = proposed(schema, schema);
  EXPECT_EQ(
      proposal.entities,
      "  \"\\\"Odd: Name\\\"\":\n    key: [\"on\"]\n    legacy: \"\\\"Odd: Name\\\"\"\n    new: \"\\\"Odd: Name\\\"\"\n"
      "  orders:\n    key: [region, id]\n    legacy: orders\n    new: orders\n");
  EXPECT_EQ(proposal.sequences,
            "\n  - {entity: orders, legacy: public.orders_id_seq, new: public.orders_id_seq, column: id}");
}

TEST_F(MappingProposed, FollowsNamesThatShareAWordAndSaysThatItGuessed) {
  const auto proposal =
      proposed("CREATE TABLE customer (id int PRIMARY KEY, full_name text, email text, street text)",
               "CREATE TABLE customers (id int PRIMARY KEY, display_name varchar(99), email_address text, rank int)");
  EXPECT_THAT(proposal.entities,
              AllOf(HasSubstr("legacy: customer\n"), HasSubstr("new: customers\n"),
                    HasSubstr("columns: {full_name: display_name, email: email_address}   # guessed"),
                    HasSubstr("# without a counterpart: legacy street; new rank.")));
}

TEST_F(MappingProposed, NamesWhatNeedsAPerson) {
  const auto proposal = proposed(
      "CREATE TABLE t (id uuid PRIMARY KEY, a text); CREATE TABLE log (at timestamptz, line text); CREATE TABLE gone "
      "(x int, y int, z int)",
      "CREATE TABLE t (id text PRIMARY KEY, a text); CREATE TABLE log (at timestamptz, line text); CREATE TABLE fresh "
      "(q bytea)");
  EXPECT_THAT(
      proposal.entities,
      AllOf(HasSubstr("# id: uuid and text cannot be compared as they are; write two SELECTs with a cast"),
            HasSubstr("key: []   # no primary key"), HasSubstr("# gone: no table of the new database is like it"),
            HasSubstr("# fresh of the new database stands in no entity")));
  EXPECT_EQ(proposal.sequences, "[]");
}

}  // namespace
}  // namespace rehearse::harness
