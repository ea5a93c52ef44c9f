// What a rehearsal saw, as plain values: the only thing that checks look at. It is saved before it is judged, so that every
// judgement can be made again without sending anything.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "properties/answers/rules.h"
#include "properties/bound_values.h"
#include "properties/latency/budget.h"
#include "properties/latency/measurement.h"
#include "properties/stage.h"
#include "replay/history.h"

namespace rehearse::properties {

// What is broken on purpose while a section plays.
enum class Fault { none, new_database_stopped, new_database_read_only, new_database_hung, legacy_stopped };

[[nodiscard]] std::string_view name_of(Fault fault);

// What the two services have promised; from the configuration.
struct Contract {
  struct Answer {
    int status = 0;
    std::vector<std::string> headers;  // fields that must be there
    std::string content_type;          // the media type; empty = any
  };
  std::string stage_header;  // the response header that names the stage served under; empty when there is none
  std::map<std::string, Stage> stage_values;  // the flag's values → stages
  Answer refusal;                             // of writes in read-only
  Answer legacy_gone;                         // of the legacy service in completed
  bool legacy_failure_fails_request =
      true;                           // live: a failure of legacy fails the request (else it is hidden and alerted)
  std::int64_t propagation_ns = 0;    // g
  std::int64_t fault_latency_ns = 0;  // no answer may take longer while the new database is at fault
  std::vector<std::string> compared_headers;
  std::vector<AnswerRule> answer_rules;  // where answers may differ, each with its reason
  // How alerts name rows: the entity whose key stands first in the row's key, for rows that an alert names by their owner ...
  std::map<std::string, std::string> part_of;
  std::string flag_unreported;  // why the new service reports no refused value of the flag; empty when it does
  std::map<std::string, std::string> unguarded;    // E2, E3, ... that no service refuses, with the reason
  std::map<std::string, std::string> not_alerted;  // ... and entities that alerts do not name, with the reason
  std::vector<Budget> budgets;                     // of the stages that are rehearsed
};

// Two databases, or one at two times, compared row by row under the declared mapping.
struct RowDifference {
  enum class Kind { only_left, only_right, changed };
  Kind kind = Kind::changed;
  std::string entity;
  std::string key;     // key columns joined by ","
  std::string column;  // of a change
  std::string left;    // the values of a change; "NULL" for null
  std::string right;
};

struct Comparison {
  std::string left;  // "legacy database", "new database", "oracle"
  std::string right;
  std::int64_t rows_left = 0;
  std::int64_t rows_right = 0;
  std::int64_t masked = 0;  // values that differ but that the oracle's two runs showed as volatile
  std::map<std::string, std::int64_t> masked_columns;  // the same by "entity.column"
  std::int64_t differences = 0;                        // all of them
  std::vector<RowDifference> rows;                     // at most max_row_differences
  std::string problem;                                 // why the comparison is not whole; empty when it is
  std::string decided_by;                              // "every row", "rows that changed since: 17 of 3 entities"
};

// More rows than this help nobody, and a thousand are enough to find the pattern; all are counted.
inline constexpr std::size_t max_row_differences = 1000;

// Whether a database was written between two moments.
struct Changes {
  bool known = false;     // false: nothing was watched, or it could not be decided
  std::int64_t rows = 0;  // row changes that were committed
  std::map<std::string, std::int64_t> by_table;
  std::vector<std::string> first;      // the first few, as the commit log says them
  std::vector<std::string> sequences;  // that moved
  bool content_changed = false;        // the digest of every table's content
  std::int64_t statement_ms = -1;      // time in which clients executed statements; -1 unknown
  std::string decided_by;              // what was looked at: "commit log, sequences, content digest"
  std::string problem;                 // why it is not known

  [[nodiscard]] bool written() const { return rows > 0 || !sequences.empty() || content_changed; }
};

// A write of an entity's row that a database committed, as its commit log says.
struct LoggedWrite {
  std::string entity, key;
  std::string
      image;  // how it left the row, in what both databases have as it is: "status=paid, version=3"; "deleted"; empty: not known
  std::int64_t transaction = 0;
  std::int64_t committed_ns = 0;  // wall clock of the server
  std::string lsn;                // where its commit stands in the server's WAL; empty when it is not known
};

struct WriteLog {
  bool known = false;
  std::vector<LoggedWrite> writes;  // in the order of their commits
  std::int64_t not_kept = 0;        // writes whose key the log does not tell, or beyond what is kept
  std::string problem;              // why it is not known
};

// The rows of the new database held against its own constraints.
struct Constraints {
  struct Broken {
    std::string table, name, definition;
    std::int64_t rows = 0;  // that break it
  };
  std::int64_t looked_at = 0;  // constraints
  std::vector<Broken> broken;
  std::string problem;  // why not all could be looked at; empty when all were
};

// Requests that may not be sent on twice, sent while something invited a second try.
struct Provocation {
  std::string how;           // "refused every write", "hung": what the legacy database did
  std::string history;       // of the requests
  std::int64_t arrived = 0;  // how many requests the legacy service counted meanwhile
};

// A numbering of rows on both sides.
struct IdSpace {
  std::string entity;
  std::int64_t legacy_next = 0, new_next = 0;  // what the sequence would give next
  std::int64_t legacy_max = 0, new_max = 0;    // the largest id in use
};

// The same reads, twice, around something that must not change them.
struct PairedReads {
  std::string around;  // "the legacy database altered by hand", "live → completed"
  std::string before;  // names of histories
  std::string after;
};

// A request sent alone, with what it did to both databases.
struct Traced {
  std::string history;
  replay::StepId step = 0;
  Changes legacy_changes;
  Changes new_changes;
};

// An attempt to set the flag that must change nothing.
struct FlagTrial {
  std::string value;          // what the flag was set to
  std::string why;            // "the edge is not legal", "no copy was made"
  std::string invariant;      // who forbids it: "G14", "E2"
  std::string served_before;  // the stage that the new service says it serves, before and after the propagation bound
  std::string served_after;
  std::optional<std::int64_t>
      reported;  // refusals that the new service counted meanwhile; nothing when it does not say
};

struct Alert {
  std::string store, stage, operation, entity, key;
};

// What a service said it serves when it was asked.
struct StagePoll {
  std::string service;     // "legacy", "new", "new 2"
  std::string value;       // as the service says it
  std::int64_t at_ns = 0;  // wall clock, when it was asked
};

// Something that the rehearsal did or met, for whoever wants to see the run as it went.
struct Mark {
  enum class Kind { section, flip, fault, copy, error };
  Kind kind = Kind::section;
  std::int64_t at_ns = 0;  // wall clock
  std::string text;        // "shadow", "read-only → shadow", "new database hung", "mended"
  std::string section;     // in which it was
};

struct Alerts {
  bool known = false;
  std::int64_t counted = 0;   // how much the counter grew
  std::vector<Alert> logged;  // the alerts that name their keys
  bool logged_known = false;
};

// One stage, edge or fault that was rehearsed.
struct Section {
  std::string name;          // "shadow", "shadow, new database stopped", "live → completed"
  Stage stage = Stage::off;  // under which the plan was played; of an edge, the stage behind it
  std::optional<Edge> edge;
  Fault fault = Fault::none;
  bool round_trip = false;  // off to completed and back to off, without a write
  double seconds = 0;

  std::string played;                // names of histories; empty when there is none
  std::vector<std::string> earlier;  // plays of the same world before `played`: the walk's earlier legs
  std::string oracle;                // what `played` is held against, step by step
  std::string oracle_again;          // the oracle's second run
  std::int64_t planned = 0;          // how many requests the played plan holds
  std::int64_t served_from_ns = 0;   // wall clock: when the flip and its propagation bound were over

  std::map<std::string, Comparison> comparisons;  // see the names below
  std::map<std::string, Changes> changes;         // "legacy", "new": during the play
  std::map<std::string, WriteLog> logs;           // "legacy", "new": during the play, where writes go to both
  std::map<std::string, Changes> oracle_changes;  // "legacy": during the oracle's play of the same steps
  std::vector<IdSpace> ids;
  std::optional<Constraints> constraints;  // of the new database, behind the copy
  std::vector<Provocation> provocations;
  std::vector<StagePoll> polls;  // before and behind the play
  std::vector<PairedReads> paired;
  std::vector<Traced> traced;
  std::vector<FlagTrial> flag_trials;
  std::string direct;                           // the history of requests sent to the legacy service itself
  std::optional<std::int64_t> legacy_requests;  // how many requests the legacy service counted during the play
  Alerts alerts;
  std::optional<bool> quiet;       // both databases came to rest in time
  std::optional<bool> copied;      // the copy ended with success
  std::int64_t copy_began_ns = 0;  // wall clock; 0 when it was not made amid the play
  std::int64_t copy_ended_ns = 0;
  std::optional<LatencyMeasurement> latency;    // of a stage that has budgets
  std::map<std::string, std::string> not_done;  // invariant → why its probe could not be made

  [[nodiscard]] bool is_stage(Stage s) const { return !edge && !round_trip && stage == s; }
  [[nodiscard]] bool plain_stage(Stage s) const { return is_stage(s) && fault == Fault::none; }
};

// The names under which comparisons stand in a section.
inline constexpr std::string_view legacy_against_new = "legacy = new";
inline constexpr std::string_view legacy_against_oracle = "legacy = oracle";
inline constexpr std::string_view new_against_oracle = "new = oracle";

struct Evidence {
  Contract contract;
  std::map<std::string, replay::History> histories;
  std::vector<Section> sections;
  // What became of every captured exchange, in order: "captured", "left out: ...", "steps".
  std::vector<std::pair<std::string, std::int64_t>> conservation;
  std::map<std::string, std::string> waived;  // invariant → reason, from the configuration
  std::vector<BoundValue>
      bound;  // the values that requests took from answers, as the oracle's first two runs showed them
  // What was written down when it was rehearsed and played: the names of the sections, and of the histories with the number of
  // their records. A file from which something was taken since must not be judged as if it were whole.
  std::vector<std::string> rehearsed;
  std::map<std::string, std::int64_t> recorded;
  // False from the beginning of a rehearsal until its end: what a killed one left behind proves nothing.
  bool complete = true;
  std::int64_t began_ns = 0;   // wall clock; 0 when it is not known
  std::vector<Mark> timeline;  // in the order of time

  // The histories of `section.earlier` that there are.
  [[nodiscard]] std::vector<const replay::History*> earlier_plays(const Section& section) const;
  // The history of that name; nothing when the name is empty or unknown.
  [[nodiscard]] const replay::History* history(const std::string& name) const;
};

// The history that every answer is held against, and the one that shows which of its values are volatile.
inline constexpr const char* first_oracle = "oracle 1";
inline constexpr const char* second_oracle = "oracle 2";

inline constexpr int evidence_schema_version = 6;

// Everything but the histories as JSON, for the history file, and back.
[[nodiscard]] std::string to_json(const Evidence& evidence);
[[nodiscard]] Evidence evidence_from_json(const std::string& text);

}  // namespace rehearse::properties
