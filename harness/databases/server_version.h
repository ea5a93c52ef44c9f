// What differs between the versions of PostgreSQL that are supported, 13 to 17, in the SQL that is used here.
#pragma once

namespace rehearse::harness {

inline constexpr int oldest_supported_server = 130'000, newest_supported_server = 179'999;

// By server_version_num: 150018 is 15.18.
struct ServerAbilities {
  bool reads_parts_of_tables = false;       // 14: a scan of a range of blocks (before, each part reads the whole table)
  bool times_statements = false;            // 14: pg_stat_database.active_time
  bool chooses_how_to_copy = false;         // 15: CREATE DATABASE ... STRATEGY (before, files are copied anyway)
  bool tells_where_rows_committed = false;  // 15: the extension pg_walinspect

  friend bool operator==(const ServerAbilities&, const ServerAbilities&) = default;
};

[[nodiscard]] constexpr ServerAbilities abilities_of(int version) {
  return {version >= 140'000, version >= 140'000, version >= 150'000, version >= 150'000};
}

}  // namespace rehearse::harness
