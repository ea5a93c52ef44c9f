// A rehearsal as a document: what every renderer renders and nothing else reads. Plain values, versioned JSON.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "properties/judgement.h"

namespace rehearse::reports {

inline constexpr int report_schema_version = 1;

// One stage or one edge of the rehearsal: a row of the console table.
struct Section {
  std::string name;  // "shadow", "live → completed", "oracle"
  std::string kind;  // "stage", "edge" or "oracle"
  properties::Verdict verdict = properties::Verdict::unknown;
  std::uint64_t sent = 0;      // requests that were sent
  std::uint64_t answered = 0;  // sent = answered + refused + lost
  std::uint64_t refused = 0;   // surely without effect: the connection was refused
  std::uint64_t lost = 0;      // perhaps effective: cut off or timed out
  std::uint64_t matched = 0;   // answers equal to the oracle's
  std::uint64_t masked = 0;    // equal but for values that the oracle itself showed as volatile
  std::uint64_t differed = 0;
  double p50_ms = 0;  // service time: done − sent; 0 when nothing was answered
  double p99_ms = 0;
  double seconds = 0;  // wall time of the section
  std::uint64_t findings = 0;
};

// A value that the oracle itself changed between its two runs, and that is therefore not compared.
struct VolatileValue {
  std::string where;        // "GET /orders: $.items[].updated_at", "database: orders.updated_at"
  std::uint64_t count = 0;  // how often it was left out of a comparison
};

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
  std::vector<VolatileValue> volatiles;
  std::string history;  // the history file that this judgement can be made from again
};

// The document as JSON (reports/report.schema.json describes it) and back. `from_json` throws std::invalid_argument with one
// sentence when the text is no report or has a schema version that this program does not know.
[[nodiscard]] std::string to_json(const Report& report);
[[nodiscard]] Report from_json(const std::string& text);

}  // namespace rehearse::reports
