// What the stages cost beside the legacy service alone, as a document: written as Google Benchmark's JSON, which its compare.py and the
// trend tools of others read, as a row of a CSV file, and as Markdown.
#pragma once

#include <string>
#include <vector>

#include "properties/judgement.h"

namespace rehearse::reports {

// One figure of one kind of requests in one stage.
struct StageFigure {
  std::string stage, what;           // "shadow"; "reads", "writes", "refusals"
  std::string figure;                // "p50", "p90", "p99", "throughput"
  std::string unit;                  // "ms", or "requests/s"
  std::vector<double> legacy, new_;  // one a repetition; legacy alone, and the new service in that stage
  std::vector<double> log_ratios;    // ln(new / legacy), one a block or a repetition
  std::int64_t requests = 0;         // to each side, in all repetitions
  // Processor time of the side's own processes for each request that was sent, in microseconds, one a repetition; empty: not measured.
  std::vector<double> legacy_cpu_us = {}, new_cpu_us = {};
  friend bool operator==(const StageFigure&, const StageFigure&) = default;
};

struct StageBenchmark {
  std::string tool_version, started, machine;  // started: RFC 3339, UTC
  double load = 0, send_error_p50_ms = 0, send_error_p99_ms = 0;
  std::vector<StageFigure> figures;
  std::vector<std::string> remarks;  // what was not measured and why, and what makes figures doubtful; a sentence each
};

// Names are STAGE/WHAT/SIDE/FIGURE: "shadow/reads/new/p50". A time stands in real_time, the processor time of a request in cpu_time, which is 0
// where it was not measured; of a throughput the time of one request stands in real_time, beside items_per_second. What compare.py does not know stands under
// keys that begin with "rehearse_".
[[nodiscard]] std::string to_google_benchmark(const StageBenchmark& benchmark);
// The same back. Throws std::invalid_argument with one sentence when the text is none of ours.
[[nodiscard]] StageBenchmark benchmark_from_json(const std::string& text);

// A line of names and one of medians: time, version, then a column a figure and side.
[[nodiscard]] std::string csv_header(const StageBenchmark& benchmark);
[[nodiscard]] std::string csv_row(const StageBenchmark& benchmark);

[[nodiscard]] std::string to_markdown(const StageBenchmark& benchmark);

// How a figure changed from one run to another, against legacy alone in either: by sign tests over blocks, as budgets are judged.
struct FigureChange {
  std::string name;   // "shadow/reads/p50"
  double change = 0;  // of the ratio to legacy: 0.1 is 10 % slower (of a throughput: less) than in the baseline
  double low = 0, high = 0;
  properties::Verdict verdict = properties::Verdict::unknown;  // fail: surely slower by more than what is tolerated
  std::string reason;
};
[[nodiscard]] std::vector<FigureChange> compared(const StageBenchmark& baseline, const StageBenchmark& now,
                                                 double tolerance);
[[nodiscard]] std::string to_markdown(const std::vector<FigureChange>& changes, double tolerance);

}  // namespace rehearse::reports
