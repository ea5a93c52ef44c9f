// The commands of the program. Each returns the exit status: 0 pass, 1 fail, 2 unknown; errors are thrown and become 3.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "harness/commands/exchange_filter.h"
#include "harness/configuration.h"
#include "harness/redaction.h"
#include "harness/rehearsal.h"
#include "harness/target.h"
#include "replay/capture/import.h"

namespace rehearse::harness {

inline constexpr int exit_pass = 0;
inline constexpr int exit_fail = 1;
inline constexpr int exit_unknown = 2;
inline constexpr int exit_error = 3;
inline constexpr int exit_interrupted = 130;

// Set by SIGINT and SIGTERM: what runs stops at the next good place.
extern std::atomic<bool> stop_requested;

// Where a report goes.
struct Output {
  std::string directory = "rehearsal";                      // in every form, beside each other
  std::string html, document, junit, markdown, prometheus;  // a file more of that form
  bool json = false;                                        // the report on standard output instead of the table
  bool github = false;  // annotations for the workflow run, and the summary where GitHub wants it
};

struct GateArguments {
  std::string config = "rehearse.yaml";
  std::vector<std::string> stages;
  std::vector<std::string> edges;  // "live:completed"
  Output out;
  std::string traffic;        // instead of the configuration's
  std::string repeat;         // the command line, for the report
  std::string redaction_key;  // a file; instead of the configuration's
  bool strict = false;        // unknown when a rule about answers should be looked at again
};
int gate(const GateArguments& arguments);

struct ReportArguments {
  std::string file;     // a history file, or a report as JSON
  std::string against;  // another one, of an earlier rehearsal
  Output out;
  bool strict = false;
  std::string rules;           // a configuration whose answer_rules count instead of those of the history
  bool suggest_rules = false;  // print rules that would settle what the oracle itself changes, and nothing else
};
// Judges a history file again and renders it, or renders a report, without sending anything.
int report(const ReportArguments& arguments);

struct ImportArguments {
  std::vector<std::string> files;
  std::string output = "capture.traffic";
  replay::ImportOptions options;
  RedactionArguments redaction;
  double max_loss = 1;  // share of the traffic that may be lost, see Certificate::loss
  bool json = false;    // the certificate as JSON
};
// Captures to a traffic file.
int import(const ImportArguments& arguments);

struct CaptureArguments : ImportArguments {
  std::string interface;
  double seconds = 0;  // 0 captures until it is interrupted
  int buffer_megabytes = 64;
};
// The same from an interface.
int capture(const CaptureArguments& arguments);

// Shows a capture, a traffic, plan or history file.
int show(const std::string& file, const replay::ImportOptions& options, bool json);
// Lists where secrets stand in a capture or a traffic file, never what they are.
int show_secrets(const std::string& file, const replay::ImportOptions& options, const RedactionArguments& redaction,
                 bool json);
// The text of a plan file (- is standard input); nothing when it holds something else, of which nothing is taken then.
[[nodiscard]] std::optional<std::string> plan_text_in(const std::string& path);

struct CutArguments {
  std::string file, output;
  WantedExchanges wanted;
  RedactionArguments redaction;
};
// Daily work with traffic: its routes, its first exchanges, a part of it, several in one.
int list_routes(const std::string& file, bool json);
int show_head(const std::string& file, std::int64_t count, bool json);
int cut(const CutArguments& arguments);
int merge(const std::vector<std::string>& files, const std::string& output, const RedactionArguments& redaction);

// Several captures or traffic files as one, masked, in the order of time.
[[nodiscard]] replay::Traffic merged_traffic(const std::vector<std::string>& files, const RedactionSettings& redaction);

struct PlayArguments {
  std::vector<std::string> files;  // one plan, or captures and traffic files
  std::string target, history = "history.sqlite";
  std::string speed = "max";   // or 0.1 to 100
  double rate = 0;             // requests a second at most; 0: no limit
  double max_gap_seconds = 0;  // pauses are cut to that; 0 leaves them
  int rounds = 1;              // how often the plan is played
  WantedExchanges wanted;
  std::string causes = "all";  // or "connections"
  bool send_masked = false;    // see replay::MaskOptions
  bool writes = false;         // writes are left out unless they are allowed
  bool dry_run = false;
  std::vector<std::string> cues;  // "NAME=COMMAND": what is run for the cues of a plan
  TargetSettings service;         // how the target is spoken to
  unsigned workers = 1;
  std::size_t connections = 0;  // open at once; 0: as many as the process may have
  double timeout_seconds = 10, connect_timeout_seconds = 10, first_byte_timeout_seconds = 0;
  RedactionArguments redaction;
};
int play_traffic(const PlayArguments& arguments);

struct CompareArguments {
  std::string config = "rehearse.yaml";
  std::vector<std::string> entities;  // only these; empty: all
  std::string repair;                 // a file for statements that would make the new database equal
  std::size_t connections = 1;        // to each side
  std::size_t max_differences = 10'000;
  double snapshot_limit_seconds = 60;
  std::uint64_t seed = 0;         // 0: drawn, and printed
  double live_seconds = 0;        // follow rows that differ for so long at most; 0: do not
  double window_seconds = 5;      // in which a write surely arrives in the other database
  std::string history;            // a history file, whose requests are named as the writers of rows that differ
  std::string strategy = "full";  // full, hashes or auto
  bool cost = false;              // measure the servers' CPU time beside that of count(*)
  bool json = false;
};
int compare_databases(const CompareArguments& arguments);

struct PairsArguments {
  std::vector<std::string> files;  // captures and traffic files
  std::string legacy, new_;        // URLs
  Output out;                      // `rehearse pairs` has a directory of its own
  WantedExchanges wanted;
  RedactionArguments redaction;
  TargetSettings service;
  double rate = 20, pause_seconds = 2, timeout_seconds = 10;
  std::uint64_t seed = 0;  // 0: drawn
  bool strict = false, send_masked = false;
  std::string repeat;
};
// Sends the reads to both services back to back and compares what they say.
int compare_live(const PairsArguments& arguments);

struct FuzzArguments {
  std::string config = "rehearse.yaml";
  std::string openapi;       // empty: the configuration's
  std::string traffic;       // empty: the configuration's
  std::string plan;          // one plan to play, and nothing else
  std::string out = "fuzz";  // directory of failing plans
  std::uint64_t seed = 0;    // 0: drawn
  double seconds = 120, shrink_seconds = 120;
  std::int64_t plans = 0;    // at most; 0: as many as the time allows
  std::size_t failures = 1;  // ends behind so many
  std::size_t operations = 16, lanes = 4;
  std::vector<std::string> stages;  // in which plans begin; empty: all
  std::vector<std::string> beside;  // files of variables, each of another system
  bool no_flips = false, no_faults = false, no_odd_values = false, no_relations = false, captured = false,
       verbose = false, json = false;
  std::string repeat;
};
// Plays request sequences that nobody captured against the services at every stage, and shrinks what fails.
int fuzz(const FuzzArguments& arguments);

struct BenchArguments {
  std::string config = "rehearse.yaml";
  std::vector<std::string> stages;  // empty: all
  std::string traffic;              // instead of the configuration's
  std::string out = "bench.json";
  std::string csv;       // a row is added to it
  std::string baseline;  // a file of an earlier run
  double tolerance_percent = 5;
  int repetitions = 5;
  double seconds = 4;
};
// Latency and throughput of each stage beside the legacy service alone.
int bench(const BenchArguments& arguments);

int doctor(const std::string& config);

struct InitArguments : InitAnswers {
  std::string output = "rehearse.yaml";
};
int init(const InitArguments& arguments);

}  // namespace rehearse::harness
