#include "properties/checks/rehearsed.h"

#include <algorithm>

#include "replay/error.h"

namespace rehearse::properties::testing {
namespace {

using replay::History;
using replay::Outcome;
using replay::Record;

constexpr const char* stage_header = "Migration-Stage";
const std::string problem = "application/problem+json";

// A write, two reads and a write that has nothing to change.
std::vector<Record> the_requests() {
  return {answered(1, post("/orders", R"({"total":12})"),
                   json(201, R"({"id":30011,"total":12})", {{"Location", "/orders/30011"}})),
          answered(2, get("/orders/7"), json(200, R"({"id":7,"total":5})", {{"ETag", "\"a7\""}})),
          answered(3, get("/orders?status=open"), json(200, R"({"items":[{"id":7},{"id":8}]})")),
          answered(4, {"DELETE", "/orders/99999", {}, ""}, json(404, R"({"title":"Not Found"})"))};
}

History history(const std::string& name, Stage stage, std::vector<Record> records) {
  History made;
  made.name = name;
  made.target = "http://127.0.0.1:8080";
  made.began_ns = 1'700'000'000'000'000'000;
  made.records = std::move(records);
  made.sent = static_cast<std::int64_t>(made.records.size());
  for (Record& record : made.records) replay::set_field(record.response.headers, stage_header, name_of(stage));
  return made;
}

std::vector<Record> only(std::vector<Record> records, bool reads) {
  std::erase_if(records, [&](const Record& record) { return record.read != reads; });
  return records;
}

// The same requests, every write answered so.
std::vector<Record> with_writes_answered(std::vector<Record> records, const replay::Response& response) {
  for (Record& record : records) {
    if (!record.read) record.response = response;
  }
  return records;
}

replay::Response refusal() {
  return {503, {{"Retry-After", "5"}, {"Content-Type", problem}}, R"({"title":"read-only"})"};
}

class Rehearsal {
 public:
  Evidence run() {
    evidence_.contract = contract();
    evidence_.conservation = {{"captured", 5}, {"steps", 4}, {"left out: gap", 1}};
    play(first_oracle, Stage::off, the_requests());
    play(second_oracle, Stage::off, the_requests());
    play("oracle of reads", Stage::off, only(the_requests(), true));
    stages();
    faults();
    edges();
    return std::move(evidence_);
  }

 private:
  void play(const std::string& name, Stage stage, std::vector<Record> records) {
    evidence_.histories[name] = history(name, stage, std::move(records));
  }

  // A section that plays these records.
  Section& section(const std::string& name, Stage stage, std::vector<Record> records) {
    Section made;
    made.name = made.played = name;
    made.stage = stage;
    made.oracle = first_oracle;
    made.oracle_again = second_oracle;
    made.planned = static_cast<std::int64_t>(records.size());
    made.served_from_ns = 1'700'000'000'000'000'000;
    made.polls = {{"legacy", std::string(name_of(stage)), 1}, {"new", std::string(name_of(stage)), 2}};
    made.alerts.known = made.alerts.logged_known = true;
    play(name, stage, std::move(records));
    evidence_.sections.push_back(std::move(made));
    return evidence_.sections.back();
  }

  void trace_a_refusal(Section& made) {
    const std::string name = made.name + ": refused writes";
    play(name, made.stage,
         {answered(1, post("/orders"), made.stage == Stage::read_only ? refusal() : json(422, "{}"))});
    made.traced = {{name, 1, silence(), silence()}};
  }

  PairedReads pair(const std::string& around, Stage before, Stage after) {
    const PairedReads made{around, around + ": before", around + ": after"};
    play(made.before, before, only(the_requests(), true));
    play(made.after, after, only(the_requests(), true));
    return made;
  }

  static std::vector<IdSpace> one_numbering() { return {{"orders", 30012, 30012, 30011, 30011}}; }

  void stages() {
    Section& off = section("off", Stage::off, the_requests());
    off.changes["new"] = silence();
    off.changes["legacy"] = silence();
    write(off.changes["legacy"], "public.orders");
    off.oracle_changes["legacy"] = off.changes["legacy"];
    off.comparisons[std::string(legacy_against_oracle)] = same("legacy database", "oracle");
    off.flag_trials = {{"live", "off → live is not an edge", "G14", "off", "off", 1}};
    off.quiet = true;
    const auto failing = with_writes_answered(only(the_requests(), false), json(500, "{}"));
    play("off: refused every write", Stage::off, failing);
    off.provocations = {{"refused every write", "off: refused every write", static_cast<std::int64_t>(failing.size())}};
    trace_a_refusal(off);

    Section& read_only = section("read-only", Stage::read_only, with_writes_answered(the_requests(), refusal()));
    read_only.oracle = read_only.oracle_again = "oracle of reads";
    read_only.direct = "sent to the legacy service in read-only";
    play(read_only.direct, Stage::read_only, with_writes_answered(only(the_requests(), false), refusal()));
    read_only.copied = true;
    read_only.copy_began_ns = 1'700'000'000'001'600'000;  // between the first request and the second
    read_only.copy_ended_ns = 1'700'000'000'003'600'000;
    read_only.comparisons[std::string(legacy_against_new)] = same("legacy database", "new database");
    read_only.changes = {{"legacy", silence()}, {"new", silence()}};
    read_only.ids = one_numbering();
    read_only.constraints = Constraints{3, {}, ""};
    read_only.quiet = true;
    trace_a_refusal(read_only);

    for (Stage stage : {Stage::shadow, Stage::live}) {
      Section& dual = section(std::string(name_of(stage)), stage, the_requests());
      dual.comparisons[std::string(legacy_against_new)] = same("legacy database", "new database");
      if (stage == Stage::shadow)
        dual.comparisons[std::string(legacy_against_oracle)] = same("legacy database", "oracle");
      if (stage == Stage::live) dual.comparisons[std::string(new_against_oracle)] = same("new database", "oracle");
      for (const char* store : {"legacy", "new"})
        dual.logs[store] = {true,
                            {{"orders", "30011", "status=open", 812, 1'700'000'000'000'400'000, "0/2B8A1F0"},
                             {"orders", "30011", "status=paid", 815, 1'700'000'000'003'400'000, "0/2B8A3C8"}},
                            0,
                            ""};
      dual.ids = one_numbering();
      dual.quiet = true;
      dual.paired = {pair(dual.name + ", one database altered by hand", stage, stage)};
      trace_a_refusal(dual);
    }

    Section& completed = section("completed", Stage::completed, the_requests());
    completed.direct = "sent to the legacy service in completed";
    auto gone = the_requests();
    for (Record& record : gone) record.response = {410, {{"Content-Type", problem}}, "{}"};
    play(completed.direct, Stage::completed, gone);
    completed.changes["legacy"] = silence();
    completed.legacy_requests = 0;
    completed.comparisons[std::string(new_against_oracle)] = same("new database", "oracle");
    completed.ids = one_numbering();
    completed.quiet = true;
    trace_a_refusal(completed);
  }

  void faults() {
    section("off, new database stopped", Stage::off, the_requests()).fault = Fault::new_database_stopped;

    Section& hidden = section("shadow, new database stopped", Stage::shadow, the_requests());
    hidden.fault = Fault::new_database_stopped;
    hidden.comparisons[std::string(legacy_against_new)] = same("legacy database", "new database");
    differ(hidden.comparisons[std::string(legacy_against_new)], RowDifference::Kind::only_left, "orders", "30011");
    hidden.alerts.counted = 1;
    hidden.alerts.logged = {{"new", "shadow", "insert", "orders", "30011"}};

    const auto failed = with_writes_answered(the_requests(), json(502, "{}"));
    for (Stage stage : {Stage::shadow, Stage::live}) {
      Section& failing = section(std::string(name_of(stage)) + ", legacy stopped", stage, failed);
      failing.fault = Fault::legacy_stopped;
      failing.changes["new"] = silence();
    }

    section("completed, legacy stopped", Stage::completed, the_requests()).fault = Fault::legacy_stopped;
  }

  Section& cross(Stage from, Stage to, bool plays) {
    const Edge edge{from, to};
    Section& made = section(name_of(edge), to, the_requests());
    if (!plays) made.played = made.oracle = made.oracle_again = "";
    made.edge = edge;
    made.paired = {pair("the flip " + name_of(edge), from, to)};
    return made;
  }

  void edges() {
    using enum Stage;
    const auto agree = [](Section& made) {
      made.comparisons[std::string(legacy_against_new)] = same("legacy database", "new database");
    };
    Section& copied = cross(off, read_only, false);
    copied.copied = true;
    agree(copied);
    Section& copied_again = cross(read_only, shadow, true);
    copied_again.copied = true;
    copied_again.flag_trials = {{"shadow", "no copy was made", "E2", "read-only", "read-only", 1}};
    agree(copied_again);
    copied_again.ids = one_numbering();
    Section& up = cross(shadow, live, true);
    up.flag_trials = {{"live", "an alert is open", "E3", "shadow", "shadow", 1}};
    agree(up);
    Section& last = cross(live, completed, true);
    last.flag_trials = {{"completed", "an alert is open", "E4", "live", "live", 1}};
    last.comparisons["before the flip"] = same("legacy database", "new database");
    last.changes["legacy"] = silence();
    Section& caught_up = cross(completed, live, true);
    caught_up.copied = true;
    caught_up.flag_trials = {{"live", "legacy has not caught up", "E4'", "completed", "completed", 1}};
    agree(caught_up);
    caught_up.ids = one_numbering();
    Section& down = cross(live, shadow, true);
    down.flag_trials = {{"shadow", "an alert is open", "E3'", "live", "live", 1}};
    agree(down);
    down.ids = one_numbering();
    Section& silent = cross(shadow, read_only, false);
    agree(silent);
    silent.changes = {{"legacy", silence()}, {"new", silence()}};
    Section& back = cross(read_only, off, true);
    back.earlier = {"walk 1: off", "walk 5: completed"};
    back.copied = true;
    back.changes["new"] = silence();
    back.comparisons["after a second copy"] = same("legacy database", "new database");
    Section& round_trip = section("round trip without writes", off, {});
    round_trip.played = round_trip.oracle = round_trip.oracle_again = "";
    round_trip.round_trip = true;
    round_trip.paired = {pair("the round trip", off, off)};
    round_trip.changes["legacy"] = silence();
  }

  Evidence evidence_;
};

}  // namespace

replay::Request get(const std::string& target) { return {"GET", target, {}, ""}; }

replay::Request post(const std::string& target, const std::string& body) {
  return {"POST", target, {{"Content-Type", "application/json"}}, body};
}

replay::Response json(int status, const std::string& body, replay::Headers more) {
  more.push_back({"Content-Type", "application/json"});
  return {status, std::move(more), body};
}

Record answered(replay::StepId step, replay::Request request, replay::Response response) {
  Record record;
  record.step = step;
  record.lane = 1;
  record.due_ns = record.sent_ns = step * 1'000'000;
  record.done_ns = record.sent_ns + 500'000;
  record.outcome = Outcome::answered;
  record.read = replay::safe(request.method);
  record.request = std::move(request);
  record.response = std::move(response);
  return record;
}

Comparison same(const std::string& left, const std::string& right) {
  Comparison comparison;
  comparison.left = left;
  comparison.right = right;
  comparison.rows_left = comparison.rows_right = 100;
  return comparison;
}

void differ(Comparison& comparison, RowDifference::Kind kind, const std::string& entity, const std::string& key,
            const std::string& column, const std::string& left, const std::string& right) {
  ++comparison.differences;
  comparison.rows.push_back({kind, entity, key, column, left, right});
}

Changes silence() {
  Changes changes;
  changes.known = true;
  changes.statement_ms = 0;
  changes.decided_by = "commit log, sequences, content digest";
  return changes;
}

void write(Changes& changes, const std::string& table, std::int64_t rows) {
  changes.rows += rows;
  changes.by_table[table] += rows;
  changes.first.push_back("table " + table + ": INSERT");
  changes.content_changed = true;
}

Contract contract() {
  Contract made;
  made.stage_header = stage_header;
  for (Stage stage : all_stages) made.stage_values.emplace(name_of(stage), stage);
  made.refusal = {503, {"Retry-After"}, problem};
  made.legacy_gone = {410, {}, problem};
  made.propagation_ns = 500'000'000;
  made.fault_latency_ns = 2'000'000'000;
  made.compared_headers = {"Content-Type", "ETag", "Location"};
  return made;
}

// Fourteen blocks of pairs in which the new service took a little more than legacy.
LatencyMeasurement measured_pairs() {
  LatencyRun run;
  for (std::int64_t i = 0; i < 14; ++i) {
    PairBlock& block = run.blocks.emplace_back(PairBlock{i * 1'000'000'000, 1'000'000'000, {}});
    RoutePairs& route = block.routes.emplace_back();
    route.route = "GET /orders/{}";
    route.pairs = 120;
    route.legacy_ns.assign(120, 2'000'000 + i);
    route.new_ns.assign(120, 2'050'000 - i);
    route.legacy_response_ns = route.legacy_ns;
    route.new_response_ns = route.new_ns;
  }
  run.planned_pairs = 14 * 120;
  run.planned_rate = run.achieved_rate = 240;
  run.machine = "2 × processor, Linux";
  run.scheduling = "normal";
  LatencyMeasurement measured;
  measured.first = run;
  measured.again = run;
  measured.planned_blocks = 12;
  measured.least_ns = 100'000;
  return measured;
}

Evidence rehearsed() {
  Evidence evidence = Rehearsal().run();
  evidence.contract.budgets = {budget_of(Stage::shadow, "GET /orders/{}", "overhead_p50", "10%"),
                               budget_of(Stage::live, "all", "p50", "20ms")};
  section_of(evidence, "shadow").latency = measured_pairs();
  return evidence;
}

Section& section_of(Evidence& evidence, const std::string& name) {
  const auto found = std::find_if(evidence.sections.begin(), evidence.sections.end(),
                                  [&](const Section& section) { return section.name == name; });
  ENSURE(found != evidence.sections.end());
  return *found;
}

History& played(Evidence& evidence, const Section& section) { return evidence.histories.at(section.played); }

}  // namespace rehearse::properties::testing
