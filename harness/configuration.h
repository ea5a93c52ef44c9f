// What a user says about the two services, their databases and the flag: one YAML file, read whole and checked before anything
// is touched. `rehearse init` writes one with every key explained.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "harness/redaction.h"
#include "harness/target.h"
#include "harness/wires/wire.h"
#include "properties/evidence.h"

namespace rehearse::harness {

using std::chrono::milliseconds;

struct ServiceSettings {
  std::vector<std::string> urls;  // the lanes are dealt out among them; every one must serve the stage
  std::string start, stop;        // shell commands; both or neither
  std::string kill;               // ends it without a chance to finish; `start` brings it back
  std::string pause, resume;      // both or neither
  bool writes_allowed = false;    // `writes: allowed`
  TargetSettings target;          // how it is spoken to
  std::string
      requests_path;  // where the service counts its requests, in the Prometheus text format; empty when it does not
  std::string requests_metric;
};

struct DatabaseSettings {
  std::string dsn;            // libpq connection string or URI; never printed
  bool disposable = false;    // may be altered and restored
  std::string template_name;  // restored from this database ...
  std::string restore;        // ... or by this shell command
};

struct FlagSettings {
  enum class Kind { flagd_file, ofrep, command } kind = Kind::flagd_file;
  std::string path;    // flagd_file: the JSON file that the services watch
  std::string listen;  // ofrep: "127.0.0.1:8016", where rehearse answers OFREP evaluations
  std::string set;     // command: a shell command; {} stands for the value
  std::string key = "migration-stage";
  std::map<properties::Stage, std::string> values;
  milliseconds propagation{500};                                  // g
  std::string rejected_metric = "migration_flag_rejected_total";  // of the new service, on the page of the alerts
};

// How a service tells which stage it serves: a header of every answer, or a field of one endpoint.
struct StageSettings {
  std::string header = "Migration-Stage";
  std::string path = "/healthz";  // asked to learn the stage
  std::string json;               // RFC 6901 pointer into the answer of `path`; then `header` is empty
};

struct AlertSettings {
  std::string path = "/metrics";
  std::string metric = "migration_alerts_total";
  std::string log;                            // NDJSON file with a line an alert; empty when there is none
  std::map<std::string, std::string> fields;  // our name → the log's: event, store, stage, operation, entity, key
  std::string event = "alert";                // the value of `event` in the lines that count
};

struct Entity {
  std::string name;
  std::vector<std::string> key;  // its key columns, in the SELECTs' words; none: rows without a key, which are counted
  std::string legacy;            // SELECTs with the same columns in the same order, or names of tables
  std::string new_;
  std::map<std::string, std::string> columns = {};  // of tables: legacy column → new column, where the names differ
  std::set<std::string> exact = {};  // columns whose scale, padding, spelling of JSON and sign of zero count
  std::map<std::string, std::string> masked = {};  // columns whose differences are counted and are none → why
};

struct Sequence {
  std::string entity;  // whose key it numbers
  std::string legacy;  // the sequences
  std::string new_;
  std::string column = "id";  // of the entity's SELECT
  // What `compare` asks of the next numbers: the same on both sides, or at least above every number in use. The rest is reported.
  enum class Rule { at_least, equal, ignored } rule = Rule::at_least;
};

// What generated plans take besides: a legacy service that has no part in the migration.
struct FuzzSettings {
  std::string openapi;               // a document that describes the interface; empty: there is none
  std::string oracle_url;            // its flag is off for ever; empty: there is none
  TargetSettings oracle_target;      // how it is spoken to: as legacy is
  DatabaseSettings oracle_database;  // its own
  std::vector<WireSettings> wires;   // where the services find their databases and neighbours: through us
  milliseconds in_gate{0};           // a gate plays generated plans for so long; 0: it plays none
  std::uint64_t seed = 1;            // of those
};

// What a stage may cost, and how that is measured: in pairs, each request to legacy and to the new service in adjacent slots.
struct BudgetSettings {
  std::vector<properties::Budget> limits;  // of all stages
  milliseconds time{120'000};              // of one measurement at most; what fails is measured once more
  milliseconds block{2'500};
  double rate = 200;                // pairs a second
  std::size_t connections = 16;     // to each side
  bool writes = false;              // writes are measured too; takes fuzz.oracle, whose database nobody else writes
  std::int64_t least_ns = 100'000;  // an overhead below that is no reason to fail
};

struct Configuration {
  std::string path;  // of the file itself
  std::string title = "migration";
  std::string traffic;  // capture or traffic file
  RedactionSettings redaction;
  ServiceSettings legacy;
  ServiceSettings new_;
  DatabaseSettings legacy_database;
  DatabaseSettings new_database;
  FuzzSettings fuzz;
  BudgetSettings budgets;
  FlagSettings flag;
  StageSettings stage;
  AlertSettings alerts;
  std::string copy_forward;  // shell commands: legacy → new, new → legacy
  std::string copy_backward;
  std::string poison_legacy;  // SQL that changes what reads show: proves which database they come from
  std::string poison_new;
  properties::Contract contract;
  std::set<std::string> reads;   // "POST /orders/search": safe whatever the method says; {} stands for any segment
  std::set<std::string> writes;  // the other way round: "GET /counter/next"
  std::set<std::string> not_business;  // paths that answer in every stage: health, metrics
  std::vector<Entity> entities;
  std::vector<Sequence> sequences;
  std::map<std::string, std::string> ignored_legacy_tables;  // table → reason
  std::map<std::string, std::string> ignored_new_tables;
  std::map<std::string, std::string> ignored_legacy_columns;  // "table.column" → reason
  std::map<std::string, std::string> ignored_new_columns;
  std::vector<properties::Edge> guards;  // edges that the new service itself refuses when their condition does not hold
  std::map<std::string, std::string> waived;  // invariant → reason
  std::size_t fault_steps = 300;              // how much of the plan is played while something is broken
  milliseconds deadline{10'000};              // of one request
  milliseconds quiet{5'000};                  // the databases must come to rest within
  milliseconds command_deadline{120'000};     // of one shell command

  // True when the request is believed to change nothing.
  [[nodiscard]] bool is_read(std::string_view method, std::string_view target) const;
  // True when a stage applies to the path.
  [[nodiscard]] bool is_business(std::string_view target) const;
};

// Reads the file; ${NAME} and ${NAME:-default} stand for environment variables, of which `variables` come first and are in the environment
// of the file's commands, too. Throws Error with one sentence that names the
// key and says what it takes. Relative paths in the file are relative to it.
[[nodiscard]] Configuration load_configuration(const std::string& path, const Variables& variables = {});

// Lines NAME=value, by which one configuration is that of another, equal system; empty lines and those that begin with # say nothing. Throws
// Error with the line.
[[nodiscard]] Variables variables_in(const std::string& path);

// The databases and the mapping alone, whatever else the file holds or lacks. Throws as load_configuration does.
[[nodiscard]] Configuration load_databases(const std::string& path);

// What the file says about answers alone, answer_rules and compared_headers, and its budgets: for answers that are judged without a rehearsal of
// their own, or again. Without a path that of ./rehearse.yaml, if there is one.
[[nodiscard]] properties::Contract load_answer_contract(const std::string& path);

// The text of a commented configuration for these services; empty arguments become placeholders to fill in.
struct InitAnswers {
  std::string legacy_url, new_url, legacy_dsn, new_dsn, traffic;
};
[[nodiscard]] std::string configuration_template(const InitAnswers& answers, const std::string& entities,
                                                 const std::string& sequences = "[]");

}  // namespace rehearse::harness
