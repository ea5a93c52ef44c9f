#include "harness/databases/server_hash.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace rehearse::harness {
namespace {

// Its text in another database is the name of something else.
bool is_reference(const ValueType& type) { return type.name.starts_with("reg") && type.name.size() > 3; }

// The value as a text that tells it from every other one that we hold different.
std::string text_sql(const std::string& column, const Canonical& form, const ValueType& type) {
  using Form = Canonical::Form;
  if (form.array()) return column + (is_reference(type) ? "::oid[]::text" : "::text");
  switch (form.form()) {
    case Form::integer:
      return column + "::text";
    case Form::numeric:
      return form.exact() ? column + "::numeric::text" : "trim_scale(" + column + "::numeric)::text";
    case Form::float4:
      return column + "::float4::text";
    case Form::float8:
      return column + "::float8::text";
    case Form::text:
      // A cast takes the padding away, concat does not; it gives '' for NULL, which the NULLs' own hash tells apart.
      return form.pads() && form.exact() ? "concat(" + column + ")" : column + "::text";
    case Form::json:
      return column + (form.exact() ? "::text" : "::jsonb::text");
    case Form::raw:
      break;
  }
  if (is_reference(type)) return column + "::oid::text";
  if (type.name == "timestamptz") return "(" + column + " AT TIME ZONE 'UTC')::text";
  return column + "::text";
}

std::string hashed(const std::string& text, const std::string& seed) {
  return fmt::format("hashtextextended(coalesce({}, '') COLLATE \"C\", {})", text, seed);
}

std::string literal(std::uint64_t seed) { return fmt::format("({})::bigint", std::bit_cast<std::int64_t>(seed | 1)); }

}  // namespace

HashSql hash_sql(const Reading& reading, const SideColumns& columns, std::uint64_t seed, std::size_t without) {
  const auto is_key = [&](std::size_t c) {
    return std::find(columns.key.begin(), columns.key.end(), c) != columns.key.end();
  };
  const auto name = [&](std::size_t c) { return "s." + quoted_identifier(reading.columns[c].name); };
  const auto text = [&](std::size_t c) {
    return c == without ? std::string("NULL::text") : text_sql(name(c), columns.forms[c], reading.columns[c].type);
  };
  HashSql sql;
  sql.key = literal(seed);
  for (const std::size_t c : columns.key) sql.key = hashed(text(c), sql.key);
  sql.row = sql.key;
  for (std::size_t c = 0; c < reading.columns.size(); ++c) {
    if (!is_key(c)) sql.row = hashed(text(c), sql.row);
  }
  // Which are NULL, as numbers: a sum of so many bits is exact.
  constexpr std::size_t bits = 30;
  for (std::size_t begin = 0; begin < reading.columns.size(); begin += bits) {
    std::string nulls;
    for (std::size_t c = begin; c < std::min(begin + bits, reading.columns.size()); ++c) {
      nulls += nulls.empty() ? "" : " + ";
      nulls += c == without ? std::to_string(1U << (c - begin))
                            : fmt::format("({} IS NULL)::int * {}", name(c), 1U << (c - begin));
    }
    sql.row = hashed("(" + nulls + ")::text", sql.row);
  }
  if (columns.key.empty()) sql.key = sql.row;
  return sql;
}

std::string hashes_of_planted_values(BulkSession& session, std::uint64_t seed) {
  const std::vector<std::string> values{"''",
                                        "'plain'",
                                        "chr(233)",  // whose bytes are those of the server's encoding
                                        "repeat('long ', 1000)",
                                        "(-5)::text",
                                        "9223372036854775807::text",
                                        "trim_scale(1.1000)::text",
                                        "trim_scale('NaN'::numeric)::text",
                                        "1e-20::float8::text",
                                        "0.1::float4::text",
                                        "(0.1::float8 + 0.2::float8)::text",
                                        "'{\"b\": [1.50, {}, []], \"a\": null}'::jsonb::text",
                                        "(timestamptz '2024-02-29 23:59:59.999999+05:30' AT TIME ZONE 'UTC')::text",
                                        "date '0044-03-15 BC'::text",
                                        "timestamp 'infinity'::text",
                                        "interval '1 month -30 days 25:00:00.000001'::text",
                                        "ARRAY[ARRAY[1, NULL], ARRAY[3, 4]]::text",
                                        "ARRAY['a,b', '\"', 'NULL', '']::text",
                                        "'\\x00ff'::bytea::text",
                                        "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid::text",
                                        "true::text",
                                        "'10.0.0.1/8'::inet::text",
                                        "B'0101'::text",
                                        "'[1,5)'::int4range::text",
                                        "point '(0.1,-3e10)'::text",
                                        "concat('ab   '::char(5))"};
  std::string list;
  for (const std::string& value : values) list += (list.empty() ? "" : ", ") + hashed(value, literal(seed)) + "::text";
  return session.value("SELECT concat_ws(' ', " + list + ")");
}

}  // namespace rehearse::harness
