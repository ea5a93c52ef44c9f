// A rehearsal as a document: what every renderer renders and nothing else reads. Plain values, versioned JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "properties/judgement.h"

namespace rehearse::reports {

inline constexpr int report_schema_version = 3;

// One stage or one edge of the rehearsal: a row of the console table.
struct Section {
  std::string name;  // "shadow", "live → completed", "oracle"
  std::string kind;  // "stage", "edge", "oracle", or "pairs" for what was read of two services that live
  properties::Verdict verdict = properties::Verdict::unknown;
  std::uint64_t sent = 0;       // requests that were sent
  std::uint64_t answered = 0;   // sent = answered + refused + lost
  std::uint64_t refused = 0;    // surely without effect: the connection was refused
  std::uint64_t lost = 0;       // perhaps effective: cut off or timed out
  std::uint64_t matched = 0;    // answers equal to the oracle's
  std::uint64_t masked = 0;     // equal but for values that the oracle itself showed as volatile
  std::uint64_t ignored = 0;    // differing where a rule says not to look; never equal
  std::uint64_t undecided = 0;  // differing where it cannot be told whether it is noise
  std::uint64_t differed = 0;
  double p50_ms = 0;  // service time: done − sent; 0 when nothing was answered
  double p99_ms = 0;
  double seconds = 0;  // wall time of the section
  std::uint64_t findings = 0;
};

// A value that the oracle itself changed between its two runs, and that is therefore not compared.
struct VolatileValue {
  std::string where;        // "GET /orders: $.items[*].updated_at", "database: orders.updated_at"
  std::uint64_t count = 0;  // how often it was left out of a comparison
  // Of answers, over all sections: as what it was judged, in how many answers of the route, and in how many of these the oracle
  // differed from itself and the candidate from the oracle.
  std::string judged_as;  // "timestamp within the run", "value"; empty where no counts were taken
  std::uint64_t compared = 0, oracle_differed = 0, candidate_differed = 0;
};

// Two bodies side by side, a line each.
struct BodyLine {
  std::string expected, observed;
  bool differs = false;
};

// An answer that shows a difference.
struct Example {
  std::string history;
  std::int64_t step = 0;
  std::string expected;  // what the oracle has at the path; empty where it has nothing
  std::string observed;
  std::string request;  // as a curl line, without credentials
  std::vector<BodyLine> bodies;
};

// The answers that differ in one way: at one path of one route, in one kind.
struct Difference {
  std::string route, path, kind;
  std::uint64_t answers = 0;
  std::vector<std::string> sections;
  Example first;
  Example smallest;  // of the fewest bytes; the first one again when it is that
};

// What a rule of the configuration did, and why somebody should look at it again.
struct RuleUse {
  std::string rule;  // "ignore GET /orders/{}: $.updated_at"
  std::string reason, owner, expires;
  std::uint64_t applied = 0;
  std::vector<std::string> remarks;  // "matched nothing"
};

// One point of a percentile spectrum.
struct LatencyPoint {
  double quantile = 0;  // 0.5 is the median
  double legacy_ms = 0, candidate_ms = 0;
};

// One block of pairs: what the new service took, over what legacy took for the same requests in the same seconds.
struct LatencyBlock {
  double at_seconds = 0;  // since the measurement began
  double log_ratio = 0;   // ln(candidate / legacy); 0.095 is +10 %
};

// Service time of one route in one section, legacy beside new, in pairs.
struct RouteLatency {
  std::string section,
      route;  // the route: "GET /orders/{}", "all", or "other (3 routes)", which have too few pairs each
  std::uint64_t pairs = 0;
  std::uint64_t errors = 0;  // pairs of which one side failed; they are not in the spectrum
  std::vector<LatencyPoint> spectrum;
  std::string not_measured;  // how many requests of the traffic are left out, and why; empty: none
};

// One budget and what it was judged by.
struct BudgetResult {
  std::string section, route;
  std::string metric;      // "overhead_p50", "p99", "error_rate", "throughput"
  std::string limit;       // as the configuration says it: "10%", "20ms"
  double limit_value = 0;  // in `unit`
  std::string unit;        // "ratio" (0.10 is +10 %, or 10 % of the requests), "ms", "requests/s"
  properties::Verdict verdict = properties::Verdict::unknown;
  std::string reason;                      // one sentence
  double estimate = 0, low = 0, high = 0;  // in `unit`; the interval
  double resolvable = 0;   // the smallest overhead that could have been decided with these blocks, in `unit`; 0: none
  int looks = 0;           // how often the blocks were looked at until it was decided
  bool confirmed = false;  // a second measurement came to the same
  std::vector<LatencyBlock> blocks;  // empty for what is not relative
};

// Where latencies were measured, and how well.
struct Environment {
  std::string machine;  // "2 × Intel Xeon, Linux 6.1"
  double load = 0;      // run queue of the last minute
  double steal_percent = 0;
  double send_error_p50_ms = 0, send_error_p99_ms = 0;  // actual send − planned send
  double null_probe_p50_ms = 0, null_probe_p99_ms = 0;  // an endpoint that does nothing, asked through the same stack
  double planned_rate = 0, achieved_rate = 0;           // requests/s
  std::string scheduling;                               // the policy that was obtained
};

// Something that happened while it was rehearsed.
struct TimelineMark {
  double at_seconds = 0;  // since the rehearsal began
  std::string kind;       // "section", "flip", "fault", "copy", "error"
  std::string text;       // "shadow", "read-only → shadow", "new database hung", "3 requests lost: no answer"
  std::string section;    // in which it happened
};

// The write that a database committed last of a row, as its commit log says.
struct RowWrite {
  std::string database;  // "legacy database"
  std::int64_t transaction = 0;
  std::string committed;  // RFC 3339, UTC
  std::string lsn;
  bool deleted = false;
};

struct RowColumn {
  std::string column, left, right;
};

// A row that is not the same in two databases, with who wrote it.
struct DifferingRow {
  std::string section;
  std::string left, right;  // the databases that were compared
  std::string entity, key;
  std::string only_in;             // the database that alone has it; empty when both have it
  bool alerted = false;            // an open alert names it: known, and to be repaired
  std::vector<RowColumn> columns;  // that differ, when both have it
  std::vector<RowWrite> writes;    // none where no commit log was read
  std::string request;             // that wrote it last, as a curl line; empty when it is not known
  std::string history;             // in which the request stands
  std::int64_t step = -1;
};

// A finding, a reason or a cause in this report or an earlier one; the same one has the same id in both.
struct ChangedFinding {
  std::string id;                     // reports/identity.h
  std::string state;                  // "new", "still there", "gone"
  std::string what;                   // "G5 in shadow", "GET /orders/{} $.total"
  std::string text;                   // what was observed last
  std::uint64_t before = 0, now = 0;  // how often
};

// The verdict of a section, then and now; empty where it was not rehearsed.
struct ChangedVerdict {
  std::string section, before, now;
};

struct ChangedNumber {
  std::string name;
  double before = 0, now = 0;
  std::string unit;  // "" counts, "ms"
};

// What changed since an earlier rehearsal.
struct Since {
  std::string title, started, tool_version;  // of the earlier one
  properties::Verdict verdict = properties::Verdict::unknown;
  std::vector<ChangedFinding> findings;  // new, still there, gone
  std::vector<ChangedVerdict> verdicts;  // every section of either, in the order of this report
  std::vector<ChangedNumber> counts;     // all that are not the same
  std::vector<ChangedNumber> latencies;  // p50 and p99 of each section of both
};

// More causes than these help nobody; the rest is counted.
inline constexpr std::size_t max_differences = 100;
inline constexpr std::size_t max_rows = 200;

struct Report {
  int schema_version = report_schema_version;
  std::string tool_version;
  std::string title;    // what was rehearsed, from the configuration
  std::string started;  // RFC 3339, UTC
  double seconds = 0;
  std::uint64_t seed = 0;  // of what was drawn at random; 0 when nothing was
  std::string repeat;      // the command that does it again
  properties::Verdict verdict = properties::Verdict::unknown;
  std::string traffic;                                              // the capture that was played
  std::vector<std::pair<std::string, std::uint64_t>> conservation;  // "captured", "sent", "filtered: ...", ... in order
  std::vector<Section> sections;
  std::vector<properties::Result> results;
  std::vector<Difference> differences;  // by answers, the most first
  std::uint64_t more_differences = 0;   // causes that are not listed
  std::vector<DifferingRow> rows;       // those that no alert names first
  std::uint64_t more_rows = 0;          // rows that are not listed
  std::vector<VolatileValue> volatiles;
  std::vector<RuleUse> rules;
  std::vector<RouteLatency> latencies;
  std::vector<BudgetResult> budgets;       // what fails or is unknown stands in `results` too, as L1
  std::optional<Environment> environment;  // none: no latency was measured
  std::vector<TimelineMark> timeline;      // in the order of time
  std::optional<Since> since;              // none: it was not held against an earlier one
  std::string history;                     // the history file that this judgement can be made from again
};

// The document as JSON (reports/report.schema.json describes it) and back. `from_json` throws std::invalid_argument with one
// sentence when the text is no report or has a schema version that this program does not know.
[[nodiscard]] std::string to_json(const Report& report);
[[nodiscard]] Report from_json(const std::string& text);

}  // namespace rehearse::reports
