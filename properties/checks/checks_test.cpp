// Every check against the evidence of a rehearsal in which everything holds, broken in one place: for each invariant a breaker
// that must be found, and for each section what it takes to stay undecided.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "properties/checks/latency.h"
#include "properties/checks/rehearsed.h"

namespace rehearse::properties {
namespace {

using ::testing::Contains;
using testing::differ;
using ::testing::IsEmpty;
using testing::json;
using testing::played;
using testing::rehearsed;
using testing::section_of;
using testing::write;

using Kind = RowDifference::Kind;

// One way to break an invariant: what the evidence of that section would look like.
struct Breaker {
  std::string invariant;
  std::string section;
  std::string what;
  std::function<void(Evidence&, Section&)> breaks;
};

Comparison& stores(Section& section) { return section.comparisons.at(std::string(legacy_against_new)); }
Comparison& legacy_end(Section& section) { return section.comparisons.at(std::string(legacy_against_oracle)); }
Comparison& new_end(Section& section) { return section.comparisons.at(std::string(new_against_oracle)); }

// The answer to a step in another history than the section's own.
replay::Record& record(Evidence& evidence, const std::string& history, replay::StepId step) {
  for (replay::Record& found : evidence.histories.at(history).records) {
    if (found.step == step) return found;
  }
  throw std::runtime_error("no such step");
}

void change_what_is_read_after(Evidence& evidence, Section& section) {
  record(evidence, section.paired[0].after, 2).response.body = R"({"id":7,"total":6})";
}

std::vector<Breaker> breakers() {
  return {
      {"G1", "shadow", "an acknowledged row is missing",
       [](Evidence&, Section& s) { differ(legacy_end(s), Kind::only_right, "orders", "30011"); }},
      {"G1", "live", "an acknowledged value is another one",
       [](Evidence&, Section& s) { differ(new_end(s), Kind::changed, "orders", "30011", "total", "12", "11"); }},
      {"G1", "off", "more rows differ than are kept", [](Evidence&, Section& s) { legacy_end(s).differences = 5; }},
      {"G2", "off", "a row that nobody wrote",
       [](Evidence&, Section& s) { differ(legacy_end(s), Kind::only_left, "orders", "666"); }},
      {"G2", "live", "a row in the new database alone",
       [](Evidence&, Section& s) { differ(stores(s), Kind::only_right, "orders", "666"); }},
      {"G3", "read-only", "a refused write wrote",
       [](Evidence&, Section& s) { write(s.traced[0].legacy_changes, "public.orders"); }},
      {"G3", "shadow", "a refused write wrote the new database",
       [](Evidence&, Section& s) { write(s.traced[0].new_changes, "public.orders"); }},
      {"G5", "shadow", "the databases differ and no alert says so",
       [](Evidence&, Section& s) { differ(stores(s), Kind::changed, "orders", "7", "total", "5", "6"); }},
      {"G6", "live", "two writes overtook each other on their way to the new database",
       [](Evidence&, Section& s) { std::swap(s.logs["new"].writes[0], s.logs["new"].writes[1]); }},
      {"G7", "live", "an answer differs",
       [](Evidence& e, Section& s) { played(e, s).records[1].response.body = R"({"id":7,"total":6})"; }},
      {"G7", "completed", "an answer is lost",
       [](Evidence& e, Section& s) { played(e, s).records[1].outcome = replay::Outcome::lost; }},
      {"G9", "live", "the next id is in use", [](Evidence&, Section& s) { s.ids[0].legacy_next = 30011; }},
      {"G9", "completed", "the next id of the new database is in use",
       [](Evidence&, Section& s) { s.ids[0].new_next = 30011; }},
      {"G9", "shadow", "two numberings",
       [](Evidence&, Section& s) {
         differ(stores(s), Kind::only_left, "orders", "30011");
         differ(stores(s), Kind::only_right, "orders", "30012");
       }},
      {"G9", "live", "one thing has two ids",
       [](Evidence& e, Section& s) { played(e, s).records[0].response.body = R"({"id":30012,"total":12})"; }},
      {"G9", "shadow → live", "one thing has two ids",
       [](Evidence& e, Section& s) {
         replay::set_field(played(e, s).records[0].response.headers, "Location", "/orders/30012");
       }},
      {"G10", "shadow", "the databases never rest", [](Evidence&, Section& s) { s.quiet = false; }},
      {"G11", "live", "an alert without a fault", [](Evidence&, Section& s) { s.alerts.counted = 1; }},
      {"G11", "shadow, new database stopped", "no alert at all",
       [](Evidence&, Section& s) {
         s.alerts.counted = 0;
         s.alerts.logged.clear();
       }},
      {"G11", "shadow, new database stopped", "an alert names another key",
       [](Evidence&, Section& s) { s.alerts.logged[0].key = "3001"; }},
      {"G13", "live", "an answer of an earlier stage",
       [](Evidence& e, Section& s) {
         replay::set_field(played(e, s).records[2].response.headers, "migration-stage", "shadow");
       }},
      {"G13", "live", "an answer that names no stage",
       [](Evidence& e, Section& s) {
         replay::erase_field(played(e, s).records[2].response.headers, "Migration-Stage");
       }},
      {"G13", "off", "an instance that serves another stage",
       [](Evidence&, Section& s) {
         s.polls.push_back({"new 2", "live", 3});
       }},
      {"G13", "shadow → live", "a read behind the flip of the stage before it",
       [](Evidence& e, Section& s) {
         replay::set_field(record(e, s.paired[0].after, 2).response.headers, "Migration-Stage", "shadow");
       }},
      {"G14", "off", "a jump is followed", [](Evidence&, Section& s) { s.flag_trials[0].served_after = "live"; }},
      {"O1", "off", "the new database is written",
       [](Evidence&, Section& s) { write(s.changes["new"], "public.orders"); }},
      {"O1", "off", "the new database is read", [](Evidence&, Section& s) { s.changes["new"].statement_ms = 3; }},
      {"O2", "off", "an answer differs",
       [](Evidence& e, Section& s) { played(e, s).records[1].response.status = 500; }},
      {"O4", "off", "a write is sent twice",
       [](Evidence&, Section& s) { write(s.changes["legacy"], "public.orders"); }},
      {"O4", "off", "a table is written that was not",
       [](Evidence&, Section& s) { write(s.changes["legacy"], "public.audit"); }},
      {"O4", "off", "what failed was sent again", [](Evidence&, Section& s) { ++s.provocations[0].arrived; }},
      {"O5", "off, new database stopped", "a client notices",
       [](Evidence& e, Section& s) { played(e, s).records[2].response = json(500, "{}"); }},
      {"R1", "read-only", "a write is accepted",
       [](Evidence& e, Section& s) { played(e, s).records[0].response = json(201, "{}"); }},
      {"R1", "read-only", "a refusal says not when to come back",
       [](Evidence& e, Section& s) { replay::erase_field(played(e, s).records[0].response.headers, "Retry-After"); }},
      {"R1", "read-only", "a refusal is of another type",
       [](Evidence& e, Section& s) {
         replay::set_field(played(e, s).records[0].response.headers, "Content-Type", "text/html");
       }},
      {"R1", "read-only", "a write is lost",
       [](Evidence& e, Section& s) { played(e, s).records[0].outcome = replay::Outcome::lost; }},
      {"R2", "read-only", "a read differs",
       [](Evidence& e, Section& s) { played(e, s).records[1].response.body = R"({"id":7})"; }},
      {"R3", "read-only", "a job writes", [](Evidence&, Section& s) { write(s.changes["legacy"], "public.jobs"); }},
      {"R3", "read-only", "a sequence moves",
       [](Evidence&, Section& s) { s.changes["legacy"].sequences = {"orders_id_seq"}; }},
      {"R4", "read-only", "legacy takes a direct write",
       [](Evidence& e, Section& s) { record(e, s.direct, 1).response = json(201, "{}"); }},
      {"R5", "read-only", "a row was not copied",
       [](Evidence&, Section& s) { differ(stores(s), Kind::only_left, "orders", "7"); }},
      {"R5", "read-only", "the copy failed", [](Evidence&, Section& s) { s.copied = false; }},
      {"R5", "read-only", "the sequence was not copied", [](Evidence&, Section& s) { s.ids[0].new_next = 1; }},
      {"R5", "read-only", "a row breaks a foreign key",
       [](Evidence&, Section& s) {
         s.constraints->broken = {{"order_items", "fk", "FOREIGN KEY ...", 1}};
       }},
      {"R8", "read-only", "something else writes",
       [](Evidence&, Section& s) { write(s.changes["new"], "public.orders"); }},
      {"S1", "shadow", "a write is not in the new database",
       [](Evidence&, Section& s) { differ(stores(s), Kind::only_left, "orders", "30011"); }},
      {"S1", "shadow, new database stopped", "a missing write is named by no alert",
       [](Evidence&, Section& s) { s.alerts.logged.clear(); }},
      {"S2", "shadow", "reads show the new database", change_what_is_read_after},
      {"S3", "shadow, new database stopped", "a client notices",
       [](Evidence& e, Section& s) { played(e, s).records[0].response = json(500, "{}"); }},
      {"S3", "shadow, new database stopped", "a client waits",
       [](Evidence& e, Section& s) { played(e, s).records[0].done_ns += 9'000'000'000; }},
      {"S3", "shadow, new database stopped", "nobody is told", [](Evidence&, Section& s) { s.alerts.counted = 0; }},
      {"S4", "shadow, legacy stopped", "a write is acknowledged",
       [](Evidence& e, Section& s) { played(e, s).records[0].response.status = 201; }},
      {"S4", "shadow, legacy stopped", "the new database keeps it",
       [](Evidence&, Section& s) { write(s.changes["new"], "public.orders"); }},
      {"S6", "shadow", "legacy ends otherwise",
       [](Evidence&, Section& s) { differ(legacy_end(s), Kind::changed, "orders", "7", "total", "5", "6"); }},
      {"S7", "shadow", "a time stamp differs",
       [](Evidence&, Section& s) {
         differ(stores(s), Kind::changed, "orders", "30011", "created_at", "2023-11-14 12:00:00",
                "2023-11-14 13:00:00");
       }},
      {"V1", "live", "reads show legacy", change_what_is_read_after},
      {"V2", "live", "a write is not in legacy",
       [](Evidence&, Section& s) { differ(stores(s), Kind::only_right, "orders", "30011"); }},
      {"V2", "live", "a write is not in the new database",
       [](Evidence&, Section& s) { differ(new_end(s), Kind::only_right, "orders", "30011"); }},
      {"V3", "live, legacy stopped", "a write is acknowledged that legacy does not have",
       [](Evidence& e, Section& s) { played(e, s).records[0].response.status = 201; }},
      {"V3", "live, legacy stopped", "a failed write stays",
       [](Evidence&, Section& s) { write(s.changes["new"], "public.orders"); }},
      {"V3", "live, legacy stopped", "the failure is to be hidden and is not",
       [](Evidence& e, Section&) { e.contract.legacy_failure_fails_request = false; }},
      {"V3", "live, legacy stopped", "the failure is to be hidden and a write is lost",
       [](Evidence& e, Section& s) {
         e.contract.legacy_failure_fails_request = false;
         s.alerts.counted = 1;
         for (auto& r : played(e, s).records) r.response.status = 201;
         played(e, s).records[0].outcome = replay::Outcome::lost;
         played(e, s).records[0].response = {};
       }},
      {"V3", "live, legacy stopped", "the failure is hidden without an alert",
       [](Evidence& e, Section& s) {
         e.contract.legacy_failure_fails_request = false;
         for (auto& r : played(e, s).records) r.response.status = 201;
       }},
      {"V5", "shadow → live", "a write is not readable behind the flip", change_what_is_read_after},
      {"V6", "live", "a list is sorted otherwise",
       [](Evidence& e, Section& s) { played(e, s).records[2].response.body = R"({"items":[{"id":8},{"id":7}]})"; }},
      {"C1", "completed", "legacy counts a request", [](Evidence&, Section& s) { s.legacy_requests = 1; }},
      {"C1", "completed", "the legacy database executes statements",
       [](Evidence&, Section& s) { s.changes["legacy"].statement_ms = 1; }},
      {"C2", "completed", "legacy still answers",
       [](Evidence& e, Section& s) { record(e, s.direct, 2).response = json(200, "{}"); }},
      {"C3", "completed, legacy stopped", "a client notices",
       [](Evidence& e, Section& s) { played(e, s).records[1].outcome = replay::Outcome::lost; }},
      {"C4", "completed", "legacy is written",
       [](Evidence&, Section& s) { write(s.changes["legacy"], "public.orders"); }},
      {"C5", "live → completed", "a write is not readable any more", change_what_is_read_after},
      {"E1", "off → read-only", "the copy lacks a row",
       [](Evidence&, Section& s) { differ(stores(s), Kind::only_left, "orders", "7"); }},
      {"E1", "off → read-only", "the copy fails", [](Evidence&, Section& s) { s.copied = false; }},
      {"E1'", "read-only → off", "the new database is written",
       [](Evidence&, Section& s) { write(s.changes["new"], "public.orders"); }},
      {"E1'", "read-only → off", "the second copy misses a delete",
       [](Evidence&, Section& s) { differ(s.comparisons.at("after a second copy"), Kind::only_right, "orders", "7"); }},
      {"E2", "read-only → shadow", "the guard lets a flip pass without a copy",
       [](Evidence&, Section& s) { s.flag_trials[0].served_after = "shadow"; }},
      {"E2", "read-only → shadow", "the next id is in use", [](Evidence&, Section& s) { s.ids[0].new_next = 30011; }},
      {"E2'", "shadow → read-only", "legacy is written",
       [](Evidence&, Section& s) { write(s.changes["legacy"], "public.orders"); }},
      {"E3", "shadow → live", "the databases differ",
       [](Evidence&, Section& s) { differ(stores(s), Kind::changed, "orders", "7", "total", "5", "6"); }},
      {"E3'", "live → shadow", "a write of live is not readable", change_what_is_read_after},
      {"E3'", "live → shadow", "the next id of legacy is in use",
       [](Evidence&, Section& s) { s.ids[0].legacy_next = 30011; }},
      {"E3'", "live → shadow", "the guard lets a flip pass with an open alert",
       [](Evidence&, Section& s) { s.flag_trials[0].served_after = "shadow"; }},
      {"E4", "live → completed", "legacy is written",
       [](Evidence&, Section& s) { write(s.changes["legacy"], "public.orders"); }},
      {"E4'", "completed → live", "the guard lets a flip pass before the catch-up",
       [](Evidence&, Section& s) { s.flag_trials[0].served_after = "live"; }},
      {"E4'", "completed → live", "the catch-up fails", [](Evidence&, Section& s) { s.copied = false; }},
      {"E*", "read-only → off", "an acknowledged write is not readable", change_what_is_read_after},
      {"E*", "round trip without writes", "a read shows something else", change_what_is_read_after},
      {"E*", "round trip without writes", "a row is another one",
       [](Evidence&, Section& s) { write(s.changes["legacy"], "public.orders"); }},
      {"E*", "round trip without writes", "ids are given twice",
       [](Evidence&, Section& s) { s.changes["legacy"].sequences = {"public.orders_id_seq"}; }},
      {"L1", "shadow", "every pair takes half as long again",
       [](Evidence&, Section& s) {
         for (LatencyRun* run : {&s.latency->first, &*s.latency->again}) {
           for (PairBlock& block : run->blocks) block.routes.front().new_ns.assign(120, 3'000'000);
         }
       }},
      {"G14", "off", "a refusal is not reported", [](Evidence&, Section& s) { s.flag_trials[0].reported = 0; }},
  };
}

// Invariants that turn unknown rather than fail, with what makes them so.
std::vector<Breaker> blinders() {
  return {
      {"L1", "shadow", "nothing was measured", [](Evidence&, Section& s) { s.latency.emplace(); }},
      {"L1", "shadow", "a failure was not measured again",
       [](Evidence&, Section& s) {
         for (PairBlock& block : s.latency->first.blocks) block.routes.front().new_ns.assign(120, 3'000'000);
         s.latency->again.reset();
       }},
      {"G16", "live", "an exchange is not accounted for", [](Evidence& e, Section&) { e.conservation[0].second += 1; }},
      {"G16", "live", "nothing was captured",
       [](Evidence& e, Section&) {
         e.conservation = {{"captured", 0}};
       }},
      {"G16", "live", "a planned request was not sent", [](Evidence&, Section& s) { s.planned += 1; }},
      {"G16", "live", "the play was stopped", [](Evidence& e, Section& s) { played(e, s).interrupted = true; }},
      {"G16", "live", "a record is lost on the way",
       [](Evidence& e, Section& s) {
         played(e, s).records.pop_back();
         s.planned -= 1;
       }},
      {"G16", "live", "a request that was never sent is recorded",
       [](Evidence& e, Section& s) { --played(e, s).sent; }},
      {"G16", "live", "the oracle was never asked what is to be held against it",
       [](Evidence& e, Section&) { e.histories.at(first_oracle).records.pop_back(); }},
      {"G16", "read-only", "a read is taken for a write and held against nothing",
       [](Evidence& e, Section& s) { played(e, s).records[1].read = false; }},
      {"G16", "live", "a captured value was sent for one that the answer lacked",
       [](Evidence& e, Section& s) { played(e, s).unbound = 1; }},
      {"G1", "shadow", "nothing was compared", [](Evidence&, Section& s) { s.comparisons.clear(); }},
      {"G1", "shadow", "the comparison is not whole", [](Evidence&, Section& s) { legacy_end(s).problem = "timeout"; }},
      {"G1", "shadow", "no row was seen",
       [](Evidence&, Section& s) { legacy_end(s).rows_left = legacy_end(s).rows_right = 0; }},
      {"G1", "shadow", "no write was acknowledged",
       [](Evidence& e, Section& s) { played(e, s).records[0].response.status = 409; }},
      {"G2", "off", "differing rows that were not kept could be phantoms",
       [](Evidence&, Section& s) {
         differ(legacy_end(s), Kind::changed, "orders", "7", "total", "5", "6");
         legacy_end(s).differences = 2000;
       }},
      {"G3", "read-only", "no refusal was traced", [](Evidence&, Section& s) { s.traced.clear(); }},
      {"G3", "read-only", "the trace could not be watched",
       [](Evidence&, Section& s) { s.traced[0].new_changes.known = false; }},
      {"G6", "shadow", "a commit log could not be read",
       [](Evidence&, Section& s) {
         s.logs["new"] = {false, {}, 0, "wal_level is replica"};
       }},
      {"G6", "live", "the databases wrote no row in common",
       [](Evidence&, Section& s) { s.logs["new"].writes.clear(); }},
      {"G9", "live", "no sequence is named", [](Evidence&, Section& s) { s.ids.clear(); }},
      {"G11", "live", "the metric could not be read", [](Evidence&, Section& s) { s.alerts.known = false; }},
      {"G11", "shadow, new database stopped", "nothing was compared",
       [](Evidence&, Section& s) { s.comparisons.clear(); }},
      {"G14", "off", "the service does not say what it serves",
       [](Evidence&, Section& s) { s.flag_trials[0].served_before = s.flag_trials[0].served_after = "nothing"; }},
      {"G14", "off", "the count of refusals could not be read",
       [](Evidence&, Section& s) { s.flag_trials[0].reported.reset(); }},
      {"E*", "round trip without writes", "nothing was read", [](Evidence&, Section& s) { s.paired.clear(); }},
      {"E*", "round trip without writes", "legacy was not watched", [](Evidence&, Section& s) { s.changes.clear(); }},
      {"O1", "off", "statements were not timed", [](Evidence&, Section& s) { s.changes["new"].statement_ms = -1; }},
      {"O4", "off", "the writes were not counted",
       [](Evidence&, Section& s) { s.changes["legacy"] = testing::silence(); }},
      {"O4", "off", "nothing failed", [](Evidence&, Section& s) { s.provocations.clear(); }},
      {"O4", "off", "nothing that failed arrived", [](Evidence&, Section& s) { s.provocations[0].arrived = 0; }},
      {"O4", "off", "what was to fail was answered",
       [](Evidence& e, Section& s) {
         for (auto& r : e.histories.at(s.provocations[0].history).records) r.response.status = 201;
       }},
      {"R5", "read-only", "the constraints were not looked at", [](Evidence&, Section& s) { s.constraints.reset(); }},
      {"R5", "read-only", "a constraint could not be looked at",
       [](Evidence&, Section& s) { s.constraints->problem = "permission denied"; }},
      {"R1", "read-only", "no write was sent",
       [](Evidence& e, Section& s) { std::erase_if(played(e, s).records, [](const auto& r) { return !r.read; }); }},
      {"R5", "read-only", "no copy was made", [](Evidence&, Section& s) { s.copied.reset(); }},
      {"R5", "read-only", "the copy was over before the first request",
       [](Evidence&, Section& s) { s.copy_began_ns = s.copy_ended_ns = 1'700'000'000'000'000'000; }},
      {"R5", "read-only", "nothing was asked behind the copy",
       [](Evidence&, Section& s) { s.copy_ended_ns = 1'700'000'001'000'000'000; }},
      {"R5", "read-only", "nothing was asked during the copy",
       [](Evidence&, Section& s) { s.copy_ended_ns = s.copy_began_ns; }},
      {"R5", "read-only", "the probe could not be made",
       [](Evidence&, Section& s) { s.not_done["R5"] = "tables that no entity reads"; }},
      {"S3", "shadow, new database stopped", "no write was acknowledged",
       [](Evidence& e, Section& s) {
         for (const std::string& name : {s.played, std::string(first_oracle), std::string(second_oracle)})
           record(e, name, 1).response = json(409, "{}");
       }},
      {"C1", "completed", "statements were not timed",
       [](Evidence&, Section& s) { s.changes["legacy"].statement_ms = -1; }},
      {"E1", "off → read-only", "nothing was copied", [](Evidence&, Section& s) { s.copied.reset(); }},
      {"E1'", "read-only → off", "the new database was not watched", [](Evidence&, Section& s) { s.changes.clear(); }},
      {"E2", "read-only → shadow", "nothing was copied", [](Evidence&, Section& s) { s.copied.reset(); }},
      {"E2", "read-only → shadow", "the service does not say what it serves",
       [](Evidence&, Section& s) { s.flag_trials[0].served_after = ""; }},
      {"E2'", "shadow → read-only", "legacy was not watched", [](Evidence&, Section& s) { s.changes.erase("legacy"); }},
      {"E3", "shadow → live", "nothing was compared", [](Evidence&, Section& s) { s.comparisons.clear(); }},
      {"E3", "shadow → live", "nothing was read", [](Evidence&, Section& s) { s.paired.clear(); }},
      {"E3", "shadow → live", "the reads behind the flip are missing",
       [](Evidence& e, Section& s) { e.histories.erase(s.paired[0].after); }},
      {"E3", "shadow → live", "a read was not made again",
       [](Evidence& e, Section& s) { e.histories.at(s.paired[0].after).records.pop_back(); }},
      {"E3'", "live → shadow", "the sequences were not read", [](Evidence&, Section& s) { s.ids.clear(); }},
      {"E4", "live → completed", "legacy was not watched", [](Evidence&, Section& s) { s.changes.clear(); }},
      {"E4'", "completed → live", "nothing caught up", [](Evidence&, Section& s) { s.copied.reset(); }},
  };
}

Judgement judgement_of(const Evidence& evidence) {
  const auto checks = all_checks();
  return judge(checks, evidence);
}

std::set<std::string> failing(const Judgement& judgement, const std::string& scope) {
  std::set<std::string> invariants;
  for (const Result& result : judgement.results) {
    if (result.scope == scope && result.verdict == Verdict::fail) invariants.insert(result.invariant);
  }
  return invariants;
}

TEST(Checks, AllPassWhenEverythingHolds) {
  const Judgement judgement = judgement_of(rehearsed());
  std::set<std::string> seen;
  for (const Result& result : judgement.results) {
    EXPECT_EQ(result.verdict, Verdict::pass)
        << result.invariant << " in " << result.scope << ": " << result.reason
        << (result.findings.empty() ? "" : result.findings[0].expected + " | " + result.findings[0].observed);
    EXPECT_GT(result.checked, 0u) << result.invariant << " in " << result.scope;
    seen.insert(result.invariant);
  }
  EXPECT_EQ(judgement.verdict(), Verdict::pass);
  for (const Check& check : all_checks())
    EXPECT_THAT(seen, Contains(std::string(check.invariant))) << "is never judged";
}

TEST(Checks, NumbersThatAreWaivedAreMissedAtNoEdge) {
  Evidence evidence = rehearsed();
  evidence.waived["G9"] = "ids are UUIDs";
  for (Section& section : evidence.sections) section.ids.clear();
  for (const Result& result : judgement_of(evidence).results) {
    if (result.invariant.starts_with("E")) {
      EXPECT_EQ(result.verdict, Verdict::pass) << result.invariant << ": " << result.reason;
    }
  }
}

// What G9 says of two creations whose answers give these ids.
std::vector<std::string> ids_of_two_orders(int first_expected, int expected, int first_observed, int observed,
                                           int expected_again) {
  Evidence evidence = rehearsed();
  const auto answer = [&](const std::string& history, int first, int second) {
    record(evidence, history, 1) =
        testing::answered(1, testing::post("/orders"), json(201, fmt::format(R"({{"id":{}}})", first)));
    record(evidence, history, 4) =
        testing::answered(4, testing::post("/orders"), json(201, fmt::format(R"({{"id":{}}})", second)));
  };
  answer(first_oracle, first_expected, expected);
  answer(second_oracle, first_expected, expected_again);
  answer(section_of(evidence, "live").played, first_observed, observed);
  std::vector<std::string> findings;
  for (const Result& result : judge(all_checks(), evidence).results) {
    if (result.invariant != "G9" || result.scope != "live") continue;
    for (const Finding& finding : result.findings) findings.push_back(finding.expected + "; " + finding.observed);
  }
  return findings;
}

TEST(Rules, HoldForReadsThatAreMadeTwiceToo) {
  Evidence evidence = rehearsed();
  const auto fails = [&] {
    std::vector<std::string> broken;
    for (const Result& result : judgement_of(evidence).results) {
      if (result.verdict == Verdict::fail) broken.push_back(result.invariant);
    }
    return broken;
  };
  change_what_is_read_after(evidence, section_of(evidence, "shadow"));
  EXPECT_THAT(fails(), Contains("S2"));
  evidence.contract.answer_rules = {{AnswerRule::Kind::ignore, "GET /orders/{}", "$.total", "", "a test", "", ""}};
  EXPECT_THAT(fails(), IsEmpty());
}

TEST(OneBijection, NumbersThatAscendForTheOracleAscend) {
  EXPECT_THAT(ids_of_two_orders(501, 502, 602, 601, 502),
              ::testing::ElementsAre(
                  "the oracle gave order 501 at step 1 and then 502 at step 4; in live they are 602 and then 601"));
  EXPECT_THAT(ids_of_two_orders(501, 502, 602, 601, 400), IsEmpty()) << "they do not for the oracle itself";
  EXPECT_THAT(ids_of_two_orders(502, 501, 602, 601, 501), IsEmpty());
}

TEST(OneBijection, TwoStepsThatContradictEachOtherAreNamed) {
  EXPECT_THAT(ids_of_two_orders(501, 502, 601, 602, 502), IsEmpty()) << "another numbering is as good";
  EXPECT_THAT(ids_of_two_orders(501, 502, 601, 601, 502),
              ::testing::ElementsAre(
                  "order 501 of the oracle is 601 in the answer to step 1; order 502 of the oracle is 601 in "
                  "the answer to step 4"));
  EXPECT_THAT(ids_of_two_orders(501, 501, 601, 602, 501),
              ::testing::ElementsAre(
                  "order 501 of the oracle is 601 in the answer to step 1; order 501 of the oracle is 602 in "
                  "the answer to step 4"));
  EXPECT_THAT(ids_of_two_orders(501, 501, 601, 602, 777), IsEmpty()) << "what legacy itself does not keep is no id";
}

TEST(Checks, EachBreakerIsFoundByItsInvariantAndInItsSectionOnly) {
  for (const Breaker& breaker : breakers()) {
    SCOPED_TRACE(breaker.invariant + " in " + breaker.section + ": " + breaker.what);
    Evidence evidence = rehearsed();
    breaker.breaks(evidence, section_of(evidence, breaker.section));
    const Judgement judgement = judgement_of(evidence);
    EXPECT_EQ(judgement.verdict(), Verdict::fail);
    EXPECT_THAT(failing(judgement, breaker.section), Contains(breaker.invariant));
    for (const Result& result : judgement.results) {
      if (result.scope != breaker.section) {
        EXPECT_NE(result.verdict, Verdict::fail) << result.invariant << " in " << result.scope;
      }
      for (const Finding& finding : result.findings) {
        EXPECT_FALSE(finding.expected.empty());
        EXPECT_FALSE(finding.observed.empty());
      }
    }
  }
}

TEST(Checks, MissingEvidenceIsUnknownAndNeverAPass) {
  for (const Breaker& blinder : blinders()) {
    SCOPED_TRACE(blinder.invariant + " in " + blinder.section + ": " + blinder.what);
    Evidence evidence = rehearsed();
    blinder.breaks(evidence, section_of(evidence, blinder.section));
    bool judged = false;
    for (const Result& result : judgement_of(evidence).results) {
      if (result.scope != blinder.section || result.invariant != blinder.invariant) continue;
      judged = true;
      EXPECT_EQ(result.verdict, Verdict::unknown) << result.reason;
      EXPECT_FALSE(result.reason.empty());
    }
    EXPECT_TRUE(judged) << "a check that does not apply says nothing, and silence opens the gate";
  }
}

TEST(Checks, EveryInvariantHasABreaker) {
  std::set<std::string> broken;
  for (const Breaker& breaker : breakers()) broken.insert(breaker.invariant);
  for (const Check& check : all_checks()) {
    if (check.invariant == "G16") continue;  // what is left over makes it unknown; blinders() has it
    EXPECT_THAT(broken, Contains(std::string(check.invariant)));
  }
}

TEST(Checks, ASectionWithoutEvidencePassesNothing) {
  const Evidence whole = rehearsed();
  for (const Section& section : whole.sections) {
    Evidence evidence;
    evidence.contract = whole.contract;
    Section empty;
    empty.name = section.name;
    empty.stage = section.stage;
    empty.edge = section.edge;
    empty.fault = section.fault;
    if (section.latency) empty.latency.emplace();
    empty.played = section.played;
    empty.oracle = section.oracle;
    evidence.sections = {empty};
    const Judgement judgement = judgement_of(evidence);
    EXPECT_THAT(judgement.results, ::testing::Not(IsEmpty()));
    for (const Result& result : judgement.results)
      EXPECT_EQ(result.verdict, Verdict::unknown) << result.invariant << " in " << result.scope;
  }
}

// Budgets of a later day may name a stage that was rehearsed without any; of a stage that was not rehearsed nothing is said.
TEST(Checks, AStageThatWasNotMeasuredLeavesItsBudgetsUnknown) {
  Evidence evidence = rehearsed();
  evidence.contract.budgets = {budget_of(Stage::live, "all", "p50", "20ms")};
  std::erase_if(evidence.sections, [](const Section& section) { return section.name == "shadow"; });
  expect_measurements(evidence);
  const auto budgets = judged_budgets(evidence);
  ASSERT_EQ(budgets.size(), 1U);
  EXPECT_EQ(budgets[0].verdict, Verdict::unknown);
  EXPECT_EQ(budgets[0].reason, "the stage was rehearsed and not measured: rehearse it again with this budget");
  const Judgement judgement = judgement_of(evidence);
  EXPECT_EQ(std::count_if(judgement.results.begin(), judgement.results.end(),
                          [](const Result& result) {
                            return result.invariant == "L1" && result.scope == "live" &&
                                   result.verdict == Verdict::unknown;
                          }),
            1);
  evidence.contract.budgets = {budget_of(Stage::shadow, "all", "p50", "20ms")};
  EXPECT_TRUE(judged_budgets(evidence).empty());
}

TEST(Checks, AMeasurementFromBeforeLatePairsWereCountedIsJudgedAsEver) {
  const Evidence evidence = rehearsed();
  std::string text = to_json(evidence);
  const auto take_out = [&](const std::string& member) {
    std::size_t times = 0;
    for (auto at = text.find(member); at != std::string::npos; at = text.find(member), ++times)
      text.erase(at, member.size());
    return times;
  };
  EXPECT_EQ(take_out(",\"late\":0"), 28U) << "fourteen blocks, twice";
  EXPECT_EQ(take_out(",\"left_out\":[]"), 1U);
  EXPECT_EQ(take_out(",\"restarted\":\"\""), 1U);
  Evidence read = evidence_from_json(text);
  read.histories = evidence.histories;
  EXPECT_EQ(to_json(read), to_json(evidence));
}

TEST(Checks, ARehearsalThatDidNotEndIsUnknown) {
  Evidence evidence = rehearsed();
  evidence.complete = false;
  EXPECT_EQ(judgement_of(evidence).verdict(), Verdict::unknown);
}

TEST(Checks, WhatWasTakenOutOfTheFileIsNamedAndMakesTheVerdictUnknown) {
  Evidence whole = rehearsed();
  for (const Section& section : whole.sections) whole.rehearsed.push_back(section.name);
  for (const auto& [name, history] : whole.histories)
    whole.recorded[name] = static_cast<std::int64_t>(history.records.size());
  ASSERT_EQ(judgement_of(whole).verdict(), Verdict::pass);
  const auto reason_after = [&](const std::function<void(Evidence&)>& taking) {
    Evidence evidence = whole;
    taking(evidence);
    const Judgement judgement = judgement_of(evidence);
    EXPECT_NE(judgement.verdict(), Verdict::pass);
    return judgement.results.back().scope + ": " + judgement.results.back().reason;
  };
  EXPECT_THAT(reason_after([](Evidence& e) {
                std::erase_if(e.sections, [](const Section& section) { return section.name == "live"; });
              }),
              ::testing::HasSubstr("the whole rehearsal: missing from what was written down: the section \"live\""));
  EXPECT_THAT(
      reason_after([](Evidence& e) { e.histories.at("live").records.erase(e.histories.at("live").records.begin()); }),
      ::testing::HasSubstr("of the 4 requests of the play \"live\" all but 3"));
  EXPECT_THAT(reason_after([](Evidence& e) { e.histories.erase("live"); }), ::testing::HasSubstr("the play \"live\""));
}

TEST(Checks, AGuardThatNobodyTriedIsUnknownUnlessNobodyGuards) {
  for (const char* edge :
       {"read-only → shadow", "shadow → live", "live → completed", "completed → live", "live → shadow"}) {
    Evidence evidence = rehearsed();
    Section& section = section_of(evidence, edge);
    section.flag_trials.clear();
    EXPECT_EQ(judgement_of(evidence).verdict(), Verdict::unknown) << edge;
    evidence.contract.unguarded[std::string(invariant_of(*section.edge))] = "the runbook looks";
    EXPECT_EQ(judgement_of(evidence).verdict(), Verdict::pass) << edge;
  }
}

TEST(Checks, WhatTheOracleDidNotAnswerIsUnknown) {
  Evidence evidence = rehearsed();
  auto& oracle = evidence.histories.at(section_of(evidence, "live").oracle);
  oracle.records.front().outcome = replay::Outcome::lost;
  EXPECT_EQ(judgement_of(evidence).verdict(), Verdict::unknown);
}

TEST(Checks, ReadsThatFailBeforeAndAfterProveNothing) {
  Evidence evidence = rehearsed();
  for (const PairedReads& pair : section_of(evidence, "shadow → live").paired) {
    for (const std::string& name : {pair.before, pair.after}) {
      for (auto& record : evidence.histories.at(name).records) record.response.status = 500;
    }
  }
  EXPECT_EQ(judgement_of(evidence).verdict(), Verdict::unknown);
}

TEST(Checks, EachFaultOfTheNewDatabaseIsHeldToTheSame) {
  for (Fault fault : {Fault::new_database_stopped, Fault::new_database_read_only, Fault::new_database_hung}) {
    Evidence evidence = rehearsed();
    section_of(evidence, "shadow, new database stopped").fault = fault;
    EXPECT_EQ(judgement_of(evidence).verdict(), Verdict::pass) << name_of(fault);
    section_of(evidence, "shadow, new database stopped").alerts.counted = 0;
    EXPECT_THAT(failing(judgement_of(evidence), "shadow, new database stopped"), Contains("S3")) << name_of(fault);
  }
}

TEST(Checks, ARefusedFlagValueNeedsNoReportWhereTheConfigurationSaysWhyThereIsNone) {
  Evidence evidence = rehearsed();
  section_of(evidence, "off").flag_trials[0].reported.reset();
  evidence.contract.flag_unreported = "it is logged alone";
  EXPECT_EQ(judgement_of(evidence).verdict(), Verdict::pass);
}

TEST(Checks, AFlagValueThatIsServedAlreadyIsRefusedByNobody) {
  Evidence evidence = rehearsed();
  section_of(evidence, "off").flag_trials.push_back({"off", "it is the stage that is served", "G14", "off", "off", 0});
  EXPECT_EQ(judgement_of(evidence).verdict(), Verdict::pass);
}

TEST(Checks, ATriedGuardNeedsNothingBehindIt) {
  Evidence evidence = rehearsed();
  Section tried;
  tried.name = "shadow → live with an open alert";
  tried.stage = Stage::live;
  tried.edge = Edge{Stage::shadow, Stage::live};
  tried.flag_trials = {{"live", "an alert is open", "E3", "shadow", "shadow", 1}};
  evidence.sections = {tried};
  EXPECT_EQ(judgement_of(evidence).verdict(), Verdict::pass);
  evidence.sections[0].flag_trials[0].served_after = "live";
  EXPECT_THAT(failing(judgement_of(evidence), tried.name), Contains("E3"));
}

}  // namespace
}  // namespace rehearse::properties
