#include "harness/databases/constraints.h"

#include "replay/error.h"

namespace rehearse::harness {
namespace {

// Table, name, definition, and the query that counts the rows which break it; none for an index, which is broken as a whole.
constexpr const char* constraints = R"(
  SELECT con.conrelid::regclass::text, con.conname, pg_get_constraintdef(con.oid),
         format('SELECT count(*) FROM %s WHERE NOT (%s)', con.conrelid::regclass, pg_get_expr(con.conbin, con.conrelid))
  FROM pg_constraint con JOIN pg_namespace n ON n.oid = con.connamespace
  WHERE con.contype = 'c' AND con.conrelid <> 0 AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
  UNION ALL
  SELECT con.conrelid::regclass::text, con.conname, pg_get_constraintdef(con.oid),
         format('SELECT count(*) FROM %s c WHERE %s AND NOT EXISTS (SELECT 1 FROM %s p WHERE %s)', con.conrelid::regclass,
                string_agg(format('c.%I IS NOT NULL', here.attname), ' AND '), con.confrelid::regclass,
                string_agg(format('p.%I = c.%I', there.attname, here.attname), ' AND '))
  FROM pg_constraint con JOIN pg_namespace n ON n.oid = con.connamespace
  CROSS JOIN LATERAL unnest(con.conkey, con.confkey) AS pair(here, there)
  JOIN pg_attribute here ON here.attrelid = con.conrelid AND here.attnum = pair.here
  JOIN pg_attribute there ON there.attrelid = con.confrelid AND there.attnum = pair.there
  WHERE con.contype = 'f' AND con.conparentid = 0 AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
  GROUP BY con.oid, con.conrelid, con.confrelid, con.conname
  UNION ALL
  SELECT i.indrelid::regclass::text, c.relname, 'a unique index', CASE WHEN i.indisvalid THEN '' END
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE i.indisunique AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
  ORDER BY 1, 2)";

}  // namespace

properties::Constraints constraints_of(Session& session) {
  properties::Constraints found;
  try {
    for (const Row& row : session.run(constraints).rows) {
      ++found.looked_at;
      const auto& query = row[3];
      const bool whole_index = query && query->empty();
      const std::int64_t broken = whole_index ? 0 : query ? session.number(*query) : 1;
      if (broken > 0) found.broken.push_back({row[0].value_or(""), row[1].value_or(""), row[2].value_or(""), broken});
    }
  } catch (const Error& problem) {
    found.problem = problem.what();
  }
  return found;
}

}  // namespace rehearse::harness
