#include "harness/databases/canonical.h"

#include <gmock/gmock.h>

#include "harness/databases/comparison.h"
#include "harness/databases/throw_away_postgres.h"

namespace rehearse::harness {
namespace {

using testing::HasSubstr;

// Each test puts one value into a column of either database and asks whether the comparison holds them equal.
class CanonicalValues : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    for (const char* database : {"l", "n"}) {
      // Made after other types in one of them, so that its OIDs are others.
      if (*database == 'n') sql("n", "CREATE TYPE other AS ENUM ('a', 'b', 'c')");
      sql(database,
          "CREATE TYPE state AS ENUM ('open', 'shut'); CREATE COLLATION blind (provider = icu, locale = "
          "'und-u-ks-level2', deterministic = false); CREATE FUNCTION swapped(a int, b int) RETURNS int[] LANGUAGE sql "
          "AS "
          "'SELECT array_agg(CASE WHEN i = a THEN b WHEN i = b THEN a ELSE i END ORDER BY i) FROM generate_series(1, "
          "40) i'");
    }
  }

  struct Outcome {
    std::int64_t differences = 0;
    std::string problem;
  };

  // The expressions as they are, in the only column besides the key.
  Outcome compared(const std::string& left, const std::string& right, const std::set<std::string>& exact = {}) {
    Entity entity{"e", {"id"}, "SELECT 1 AS id, " + left + " AS v", "SELECT 1 AS id, " + right + " AS v"};
    entity.exact = exact;
    const auto found = compare({entity}, {dsn_of("l"), "legacy database", true}, {dsn_of("n"), "new database", false});
    return {found.differences, found.problem};
  }
  void equal(const std::string& left, const std::string& right, const std::set<std::string>& exact = {}) {
    const Outcome outcome = compared(left, right, exact);
    EXPECT_EQ(outcome.problem, "") << left << " and " << right;
    EXPECT_EQ(outcome.differences, 0) << left << " and " << right;
  }
  void different(const std::string& left, const std::string& right, const std::set<std::string>& exact = {}) {
    const Outcome outcome = compared(left, right, exact);
    EXPECT_EQ(outcome.problem, "") << left << " and " << right;
    EXPECT_EQ(outcome.differences, 1) << left << " and " << right;
  }
  std::string problem(const std::string& left, const std::string& right) { return compared(left, right).problem; }
};

// What PostgreSQL's own typed hashes hold equal is not.
TEST_F(CanonicalValues, TellApartWhatTypedHashesConfuse) {
  different("5::numeric", "-5::numeric");
  different("'NaN'::numeric", "'Infinity'::numeric");
  different("'Infinity'::numeric", "'-Infinity'::numeric");
  different("'[]'::jsonb", "'{}'::jsonb");
  different("'1'::jsonb", "'[1]'::jsonb");
  different("'[[]]'::jsonb", "'[]'::jsonb");
  different("'[5]'::jsonb", "'[-5]'::jsonb");
  different("1::bigint", "4294967296::bigint");
  different("-1::bigint", "4294967295::bigint");
  different("ARRAY[1,2]", "ARRAY[[1,2]]");
  different("interval '1 month'", "interval '30 days'");
  different("interval '24 hours'", "interval '1 day'");
  different("swapped(1, 33)", "swapped(0, 0)");
}

TEST_F(CanonicalValues, HoldNullApartFromEveryValue) {
  different("NULL::text", "''::text");
  different("NULL::text", "'NULL'::text");
  different("NULL::int", "0");
  equal("NULL::text", "NULL::text");
  equal("NULL::int", "NULL::numeric");
}

TEST_F(CanonicalValues, OfNumbersAreTheirValuesInAnyWidth) {
  equal("7::smallint", "7::bigint");
  equal("7::int", "7.000::numeric");
  equal("-1234567890123::bigint", "-1234567890123::numeric(20, 2)");
  equal("0", "-0.00::numeric");
  equal("1.10::numeric", "1.1000::numeric");
  equal("10000::numeric", "10000");
  equal("123456789.000100020003::numeric", "123456789.0001000200030000::numeric");
  different("1.10::numeric", "1.1001::numeric");
  different("1::numeric", "10000::numeric");
  different("1::bigint", "2::numeric");
  equal("(-9223372036854775807 - 1)::bigint", "'-9223372036854775808'::numeric");
  different("1.10::numeric", "1.1000::numeric", {"v"});
  equal("1.10::numeric", "1.10::numeric(9, 2)", {"v"});
  equal("10::numeric ^ 400", "(10::numeric ^ 400)::numeric(600, 3)");
}

TEST_F(CanonicalValues, OfRealsAreComparedAtTheSmallerWidth) {
  equal("0.1::real", "0.1::double precision");
  equal("0.1::real", "0.1::real");
  different("0.1::real", "0.1000001::real");
  different("0.1::double precision", "0.10000000000000002::double precision");
  equal("'-0'::double precision", "0::double precision");
  different("'-0'::double precision", "0::double precision", {"v"});
  equal("'NaN'::double precision", "'NaN'::real");
  different("'NaN'::real", "'Infinity'::real");
  EXPECT_THAT(problem("1::real", "1::numeric"), HasSubstr("real and numeric cannot be compared as they are; cast one"));
}

TEST_F(CanonicalValues, OfTextsAreTheirBytesWithoutThePaddingOfChar) {
  equal("'ab'::char(10)", "'ab'::text");
  equal("'ab'::char(10)", "'ab'::char(3)");
  different("'ab'::char(10)", "'ab '::text");
  different("'ab'::char(10)", "'ab'::char(3)", {"v"});
  equal("'ab'::varchar(9)", "'ab'::name");
  different("'ABC' COLLATE blind", "'abc' COLLATE blind");
  different("U&'\\00e9'", "U&'e\\0301'");
}

TEST_F(CanonicalValues, OfEnumsAreTheirLabels) {
  equal("'open'::state", "'open'::state");
  equal("'open'::state", "'open'::text");
  different("'open'::state", "'shut'::state");
  equal("ARRAY['open', 'shut']::state[]", "ARRAY['open', 'shut']::state[]");
  different("ARRAY['open', 'shut']::state[]", "ARRAY['shut', 'open']::state[]");
}

TEST_F(CanonicalValues, OfMomentsAreMicrosecondsAndThoseWithoutAZoneMeanUtc) {
  equal("timestamp '2024-02-29 12:00:00.123456'", "timestamptz '2024-02-29 13:00:00.123456+01'");
  different("timestamp '2024-02-29 12:00:00.123456'", "timestamp '2024-02-29 12:00:00.123457'");
  different("timestamp '2024-02-29 12:00:00.123456'", "timestamptz(3) '2024-02-29 12:00:00.123456+00'");
  equal("timestamp 'infinity'", "timestamptz 'infinity'");
  equal("date '2024-02-29'", "date '2024-02-29'");
  different("timetz '12:00+01'", "timetz '11:00+00'");
  EXPECT_THAT(problem("date '2024-02-29'", "timestamp '2024-02-29'"),
              HasSubstr("date and timestamp without time zone cannot be compared"));
}

// The sessions' own settings and the servers' defaults change how values are printed, and nothing else.
TEST_F(CanonicalValues, DoNotDependOnTheSettingsOfTheDatabase) {
  for (const char* setting : {"TimeZone = 'Asia/Kolkata'", "DateStyle = 'German'", "IntervalStyle = 'sql_standard'",
                              "extra_float_digits = -5", "bytea_output = 'escape'"}) {
    sql("postgres", std::string("ALTER DATABASE n SET ") + setting);
  }
  equal("timestamptz '2024-02-29 12:00+00'", "timestamptz '2024-02-29 12:00+00'");
  equal("timestamp '2024-02-29 12:00'", "timestamptz '2024-02-29 12:00+00'");
  equal("'2024-02-29 12:00+00'::timestamptz::text", "'2024-02-29 12:00+00'::timestamptz::text");
  equal("interval '1 day 2 hours'::text", "interval '1 day 2 hours'::text");
  equal("(1::float8 / 3)::text", "(1::float8 / 3)::text");
  equal("'\\x00ff'::bytea::text", "'\\x00ff'::bytea::text");
}

TEST_F(CanonicalValues, OfJsonAreWhatJsonbHoldsEqual) {
  equal("'{\"b\": 1.0, \"a\": [1, 2]}'::jsonb", "'{\"a\":[1,2],\"b\":1.00}'::json");
  equal("'{\"a\": 1, \"a\": 2}'::json", "'{\"a\": 2}'::jsonb");
  equal("'\"\\u00e9\"'::json", "'\"\\u00e9\"'::jsonb");
  different("'{\"a\": 1}'::jsonb", "'{\"a\": \"1\"}'::jsonb");
  different("'{\"a\": null}'::jsonb", "'{}'::jsonb");
  different("'{\"a\":1}'::json", "'{\"a\": 1}'::json", {"v"});
  different("'{\"a\": 1.0}'::jsonb", "'{\"a\": 1.00}'::jsonb", {"v"});
}

TEST_F(CanonicalValues, OfArraysHaveBoundsAndOrderAndNulls) {
  equal("ARRAY[1,2]::int[]", "ARRAY[1,2]::bigint[]");
  equal("ARRAY[1.0,2]::numeric[]", "ARRAY[1,2]::int[]");
  different("ARRAY[1,2]", "ARRAY[2,1]");
  different("ARRAY[1,NULL]::int[]", "ARRAY[1]::int[]");
  different("'[2:3]={1,2}'::int[]", "'{1,2}'::int[]");
  different("ARRAY['a,b']", "ARRAY['a','b']");
  different("'{}'::text[]", "'{\"\"}'::text[]");
  EXPECT_THAT(problem("ARRAY[1]", "1"), HasSubstr("integer[] and integer cannot be compared"));
}

TEST_F(CanonicalValues, OfOtherTypesAreTheirBytes) {
  equal("'\\x00ff'::bytea", "'\\x00ff'::bytea");
  different("'\\x00ff'::bytea", "'\\x00fe'::bytea");
  const std::string uuid = "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'";
  equal(uuid + "::uuid", uuid + "::uuid");
  different(uuid + "::uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'::uuid");
  EXPECT_THAT(problem(uuid + "::uuid", uuid + "::text"), HasSubstr("uuid and text cannot be compared"));
  equal("true", "true");
  different("B'101'", "B'1010'");
  equal("inet '10.0.0.1/8'", "inet '10.0.0.1/8'");
  different("inet '10.0.0.1/8'", "inet '10.0.0.1/9'");
}

TEST_F(CanonicalValues, WithoutACommonFormAreRefusedWithTheCast) {
  EXPECT_THAT(
      problem("'5.00'::money", "'5.00'::money"),
      HasSubstr("entity e, column v: values of type money have no form in which they can be compared; write the "
                "column with ::text in both SELECTs"));
  EXPECT_THAT(problem("'pg_class'::regclass", "'pg_class'::regclass"), HasSubstr("regclass"));
  EXPECT_THAT(problem("1::oid", "1::oid"), HasSubstr("oid"));
  EXPECT_THAT(problem("int4range(1, 2)", "int4range(1, 2)"), HasSubstr("int4range"));
  equal("int4range(1, 3)::text", "int4range(1, 3)::text");
}

}  // namespace
}  // namespace rehearse::harness
