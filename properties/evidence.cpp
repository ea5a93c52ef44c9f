#include "properties/evidence.h"

#include <array>
#include <boost/describe.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <boost/json/value_to.hpp>

#include "replay/error.h"

namespace rehearse::properties {

// The fields of the JSON document are the fields of the structs, by name.
BOOST_DESCRIBE_ENUM(Stage, off, read_only, shadow, live, completed)
BOOST_DESCRIBE_ENUM(Fault, none, new_database_stopped, new_database_read_only, new_database_hung, legacy_stopped)
BOOST_DESCRIBE_ENUM(Belief, unconfirmed, confirmed, refuted)
BOOST_DESCRIBE_STRUCT(BoundValue, (), (step, source, captured, uses, belief))
BOOST_DESCRIBE_STRUCT(Edge, (), (from, to))
BOOST_DESCRIBE_ENUM(AnswerRule::Kind, ignore, tolerance, unordered, rename)
BOOST_DESCRIBE_STRUCT(AnswerRule, (), (kind, route, path, value, reason, owner, expires))
BOOST_DESCRIBE_STRUCT(Contract::Answer, (), (status, headers, content_type))
BOOST_DESCRIBE_ENUM(Budget::Metric, overhead, quantile, error_rate, throughput)
BOOST_DESCRIBE_STRUCT(Budget, (), (stage, route, metric, quantile, limit, text))
BOOST_DESCRIBE_STRUCT(RoutePairs, (),
                      (route, extra, legacy_ns, new_ns, legacy_response_ns, new_response_ns, pairs, late, legacy_failed,
                       new_failed, both_failed))
BOOST_DESCRIBE_STRUCT(PairBlock, (), (at_ns, length_ns, routes))
BOOST_DESCRIBE_STRUCT(SaturationBlock, (), (route, at_ns, legacy_per_second, new_per_second))
BOOST_DESCRIBE_STRUCT(LatencyRun, (),
                      (began_ns, blocks, saturation, planned_pairs, load, steal_percent, send_error_p50_ns,
                       send_error_p99_ns, null_probe_ns, planned_rate, achieved_rate, machine, scheduling))
BOOST_DESCRIBE_STRUCT(LeftOut, (), (route, extra, requests, left_out, why))
BOOST_DESCRIBE_STRUCT(LatencyMeasurement, (), (first, again, planned_blocks, least_ns, problem, left_out, restarted))
BOOST_DESCRIBE_STRUCT(Contract, (),
                      (stage_header, stage_values, refusal, legacy_gone, legacy_failure_fails_request, propagation_ns,
                       fault_latency_ns, compared_headers, answer_rules, part_of, flag_unreported, unguarded,
                       not_alerted, budgets))
BOOST_DESCRIBE_ENUM(RowDifference::Kind, only_left, only_right, changed)
BOOST_DESCRIBE_STRUCT(RowDifference, (), (kind, entity, key, column, left, right))
BOOST_DESCRIBE_STRUCT(Comparison, (),
                      (left, right, rows_left, rows_right, masked, masked_columns, differences, rows, problem,
                       decided_by))
BOOST_DESCRIBE_STRUCT(Changes, (),
                      (known, rows, by_table, first, sequences, content_changed, statement_ms, decided_by, problem))
BOOST_DESCRIBE_STRUCT(LoggedWrite, (), (entity, key, image, transaction, committed_ns, lsn))
BOOST_DESCRIBE_STRUCT(WriteLog, (), (known, writes, not_kept, problem))
BOOST_DESCRIBE_STRUCT(Constraints::Broken, (), (table, name, definition, rows))
BOOST_DESCRIBE_STRUCT(Constraints, (), (looked_at, broken, problem))
BOOST_DESCRIBE_STRUCT(Provocation, (), (how, history, arrived))
BOOST_DESCRIBE_STRUCT(IdSpace, (), (entity, legacy_next, new_next, legacy_max, new_max))
BOOST_DESCRIBE_STRUCT(PairedReads, (), (around, before, after))
BOOST_DESCRIBE_STRUCT(Traced, (), (history, step, legacy_changes, new_changes))
BOOST_DESCRIBE_STRUCT(FlagTrial, (), (value, why, invariant, served_before, served_after, reported))
BOOST_DESCRIBE_STRUCT(Alert, (), (store, stage, operation, entity, key))
BOOST_DESCRIBE_STRUCT(StagePoll, (), (service, value, at_ns))
BOOST_DESCRIBE_ENUM(Mark::Kind, section, flip, fault, copy, error)
BOOST_DESCRIBE_STRUCT(Mark, (), (kind, at_ns, text, section))
BOOST_DESCRIBE_STRUCT(Alerts, (), (known, counted, logged, logged_known))
BOOST_DESCRIBE_STRUCT(Section, (),
                      (name, stage, edge, fault, round_trip, seconds, played, earlier, oracle, oracle_again, planned,
                       served_from_ns, comparisons, changes, logs, oracle_changes, ids, constraints, provocations,
                       polls, paired, traced, flag_trials, direct, legacy_requests, alerts, quiet, copied,
                       copy_began_ns, copy_ended_ns, latency, not_done))

namespace {

// Evidence without its histories, which stand in tables of their own.
struct Document {
  int schema_version = evidence_schema_version;
  Contract contract;
  std::vector<Section> sections;
  std::vector<std::pair<std::string, std::int64_t>> conservation;
  std::map<std::string, std::string> waived;
  std::vector<BoundValue> bound;
  std::vector<std::string> rehearsed;
  std::map<std::string, std::int64_t> recorded;
  bool complete = true;
  std::int64_t began_ns = 0;
  std::vector<Mark> timeline;
};
BOOST_DESCRIBE_STRUCT(Document, (),
                      (schema_version, contract, sections, conservation, waived, bound, rehearsed, recorded, complete,
                       began_ns, timeline))

// Measurements from before late pairs and requests that are left out were counted are judged as ever: there are none.
void complete_measurements(boost::json::value& document) {
  const auto complete = [](boost::json::object& of, const char* name, const boost::json::value& otherwise) {
    if (!of.contains(name)) of[name] = otherwise;
  };
  for (auto& section : document.at("sections").as_array()) {
    if (!section.at("latency").is_object()) continue;
    auto& latency = section.at("latency").as_object();
    complete(latency, "left_out", boost::json::array());
    complete(latency, "restarted", "");
    for (const char* which : {"first", "again"}) {
      if (!latency.at(which).is_object()) continue;
      for (auto& block : latency.at(which).at("blocks").as_array())
        for (auto& route : block.at("routes").as_array()) complete(route.as_object(), "late", 0);
    }
  }
}

}  // namespace

std::string_view name_of(Fault fault) {
  static constexpr std::array<std::string_view, 5> names{"no fault", "new database stopped", "new database read-only",
                                                         "new database hung", "legacy stopped"};
  return names[static_cast<std::size_t>(fault)];
}

std::vector<const replay::History*> Evidence::earlier_plays(const Section& section) const {
  std::vector<const replay::History*> plays;
  for (const std::string& name : section.earlier) {
    if (const auto* play = history(name)) plays.push_back(play);
  }
  return plays;
}

const replay::History* Evidence::history(const std::string& name) const {
  const auto found = histories.find(name);
  return found == histories.end() ? nullptr : &found->second;
}

std::string to_json(const Evidence& evidence) {
  return boost::json::serialize(boost::json::value_from(Document{
      evidence_schema_version, evidence.contract, evidence.sections, evidence.conservation, evidence.waived,
      evidence.bound, evidence.rehearsed, evidence.recorded, evidence.complete, evidence.began_ns, evidence.timeline}));
}

Evidence evidence_from_json(const std::string& text) {
  try {
    auto parsed = boost::json::parse(text);
    // The version first: a field that another version lacks is no sentence to anybody.
    const int version = parsed.at("schema_version").to_number<int>();
    if (version != evidence_schema_version)
      throw Error("it has schema_version " + std::to_string(version) + " and not " +
                  std::to_string(evidence_schema_version));
    // Files from before there was a time line are judged as ever; they just have none.
    if (auto& object = parsed.as_object(); !object.contains("timeline")) {
      object["timeline"] = boost::json::array();
      object["began_ns"] = 0;
    }
    complete_measurements(parsed);
    auto document = boost::json::value_to<Document>(parsed);
    Evidence evidence;
    evidence.contract = std::move(document.contract);
    evidence.sections = std::move(document.sections);
    evidence.conservation = std::move(document.conservation);
    evidence.waived = std::move(document.waived);
    evidence.bound = std::move(document.bound);
    evidence.rehearsed = std::move(document.rehearsed);
    evidence.recorded = std::move(document.recorded);
    evidence.complete = document.complete;
    evidence.began_ns = document.began_ns;
    evidence.timeline = std::move(document.timeline);
    return evidence;
  } catch (const std::exception& problem) {
    throw Error(std::string("the evidence in the history file cannot be read: ") + problem.what() +
                "; it was written by another version of rehearse");
  }
}

}  // namespace rehearse::properties
