// The program itself against the reference systems: what a user types, what it prints, what it leaves behind.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "harness/configuration.h"
#include "harness/process.h"
#include "replay/history_file.h"
#include "replay/plan.h"

namespace rehearse::harness {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace std::chrono_literals;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

constexpr const char* password = "hunter2";
const std::string orders = "--config fixtures/orders/rehearse.yaml --traffic fixtures/captures/orders-small.pcap";

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

struct Ended {
  int status = -1;
  std::string out, err;  // without the lines that tell progress
};

// "rehearse: 5 of 26, shadow: ..." is told of every section that ended.
std::string without_progress(const std::string& text) {
  static const std::regex progress("rehearse: [0-9]+ of [0-9]+, [^\n]*\n");
  return std::regex_replace(text, progress, "");
}

// A directory of its own, in which everything that a test starts writes.
class Program : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = std::string(test->test_suite_name()) + "." + test->name();
    std::replace(name.begin(), name.end(), '/', '.');
    directory_ = fs::temp_directory_path() / fmt::format("gate_test_{}_{}", getpid(), name);
    fs::create_directories(directory_);
  }
  // Whatever ran: no file that it left, and nothing that it printed, holds the password of a connection string.
  void TearDown() override {
    for (const auto& entry : fs::recursive_directory_iterator(directory_)) {
      if (!entry.is_regular_file() || entry.path().extension() == ".sh") continue;
      EXPECT_EQ(contents(entry.path()).find(password), std::string::npos) << entry.path() << " holds the password";
    }
    if (!HasFailure()) fs::remove_all(directory_);
  }

  // Runs a script at the top of the sources with $OUT for its files, $REHEARSE for the program, and $BIN for the fixtures.
  [[nodiscard]] Ended shell(const std::string& script) const {
    std::ofstream(directory_ / "script.sh") << script << "\n";
    const std::string d = directory_.string();
    const CommandResult result =
        run(fmt::format("cd {} && REHEARSE_REDACTION_KEY='a key for the tests' OUT={} REHEARSE={}/rehearse "
                        "BIN={}/fixtures ORDERS_BIN={}/fixtures sh {}/script.sh "
                        ">{}/stdout 2>{}/stderr",
                        REHEARSE_SOURCE_DIR, d, REHEARSE_BINARY_DIR, REHEARSE_BINARY_DIR, REHEARSE_BINARY_DIR, d, d, d),
            280s);
    return {result.status, contents(directory_ / "stdout"), without_progress(contents(directory_ / "stderr"))};
  }
  // ... below the orders system, with passwords in the connection strings.
  [[nodiscard]] Ended with_orders(const std::string& script, const std::string& options = "") const {
    std::ofstream(directory_ / "inner.sh") << "ORDERS_LEGACY_DSN=\"$ORDERS_LEGACY_DSN password=hunter2\"; "
                                              "ORDERS_NEW_DSN=\"$ORDERS_NEW_DSN password=hunter2\"\n"
                                           << script << "\n";
    return shell("exec $BIN/orders-system " + options + " -- sh $OUT/inner.sh");
  }
  [[nodiscard]] Ended gate(const std::string& selection, const std::string& options = "",
                           const std::string& arguments = orders) const {
    return with_orders("$REHEARSE gate " + arguments + " " + selection + " -o $OUT/report", options);
  }
  [[nodiscard]] json::value report(const std::string& name = "report") const {
    return json::parse(contents(directory_ / name / "report.json"));
  }

  // A configuration of the orders system with one thing in it replaced.
  std::string orders_with(const std::string& old, const std::string& instead) const {
    std::string text = contents(fs::path(REHEARSE_SOURCE_DIR) / "fixtures/orders/rehearse.yaml");
    const auto at = text.find(old);
    EXPECT_NE(at, std::string::npos) << old;
    text.replace(at, old.size(), instead);
    const std::string mapping = "mapping: mapping.yaml";
    text.replace(text.find(mapping), mapping.size(), "mapping: " REHEARSE_SOURCE_DIR "/fixtures/orders/mapping.yaml");
    std::ofstream(directory_ / "rehearse.yaml") << text;
    return "--config $OUT/rehearse.yaml --traffic fixtures/captures/orders-small.pcap";
  }

  fs::path directory_;
};

std::set<std::string> invariants_with(const json::value& report, std::string_view verdict) {
  std::set<std::string> found;
  for (const json::value& result : report.at("results").as_array()) {
    if (result.at("verdict").as_string() == verdict) found.emplace(result.at("invariant").as_string());
  }
  return found;
}

// One sentence on standard error that says what to do.
MATCHER_P(RefusesWith, pattern, "") {
  const auto lines = lines_of(arg.err);
  *result_listener << "status " << arg.status << ", standard error: " << arg.err;
  return (arg.status == 3 || arg.status == 2) && lines.size() == 1 && lines[0].starts_with("rehearse: ") &&
         testing::Value(lines[0], HasSubstr(pattern));
}

// -- a clean rehearsal ---------------------------------------------------------------------------------------------------

class CleanRehearsal : public Program {};

TEST_F(CleanRehearsal, PassesEveryInvariantAndCanBeJudgedAgainWithoutTheServices) {
  const Ended ended = gate("");
  ASSERT_EQ(ended.status, 0) << ended.out << ended.err;
  EXPECT_EQ(ended.err, "");
  const auto lines = lines_of(ended.out);
  EXPECT_THAT(lines.at(0), StartsWith("rehearse "));
  EXPECT_THAT(lines.at(1), StartsWith("repeat: "));
  EXPECT_THAT(lines.at(2), StartsWith("PASS"));
  EXPECT_THAT(lines.back(), StartsWith("PASS"));

  const json::value document = report();
  EXPECT_EQ(document.at("verdict"), "pass");
  std::map<std::string, std::vector<std::string>> happened;
  double last = 0;
  for (const json::value& mark : document.at("timeline").as_array()) {
    EXPECT_GE(mark.at("at_seconds").to_number<double>(), last);
    last = mark.at("at_seconds").to_number<double>();
    happened[std::string(mark.at("kind").as_string())].emplace_back(mark.at("text").as_string());
  }
  EXPECT_LE(last, document.at("seconds").to_number<double>());
  EXPECT_THAT(happened["section"],
              testing::IsSupersetOf({"oracle", "off", "shadow, new database hung", "live → shadow"}));
  EXPECT_THAT(happened["flip"], testing::IsSupersetOf({"off → read-only", "shadow → live", "completed → live"}));
  EXPECT_THAT(happened["fault"], testing::IsSupersetOf({"new database hung", "new database mended",
                                                        "legacy service stopped", "legacy database altered by hand"}));
  EXPECT_THAT(happened["copy"], testing::IsSupersetOf({"copy legacy to new done", "copy new to legacy done"}));
  EXPECT_THAT(happened["error"], IsEmpty());
  for (const json::value& row : document.at("rows").as_array()) EXPECT_EQ(row.at("alerted"), true) << row;
  std::set<std::string> sections;
  for (const json::value& section : document.at("sections").as_array())
    sections.emplace(section.at("name").as_string());
  for (const char* name : {"oracle 1",
                           "oracle 2",
                           "off",
                           "read-only",
                           "shadow",
                           "live",
                           "completed",
                           "off → read-only",
                           "read-only → shadow",
                           "shadow → live",
                           "live → completed",
                           "completed → live",
                           "live → shadow",
                           "shadow → read-only",
                           "read-only → off",
                           "live → shadow with an open alert",
                           "round trip without writes",
                           "off, new database stopped",
                           "shadow, new database stopped",
                           "shadow, new database read-only",
                           "shadow, new database hung",
                           "shadow, legacy stopped",
                           "live, legacy stopped",
                           "completed, legacy stopped"}) {
    EXPECT_THAT(sections, Contains(name));
    EXPECT_THAT(ended.out, HasSubstr(name));
  }
  const auto passed = invariants_with(document, "pass");
  for (const char* invariant :
       {"G1", "G2", "G3", "G5", "G7", "G9", "G11", "G13", "G14", "G16", "O1", "O2",  "O4", "O5",  "R1",
        "R2", "R3", "R4", "R5", "R8", "S1", "S2",  "S3",  "S4",  "S6",  "S7", "V1",  "V2", "V3",  "V5",
        "V6", "C1", "C2", "C3", "C4", "C5", "E1",  "E1'", "E2",  "E2'", "E3", "E3'", "E4", "E4'", "E*"}) {
    EXPECT_THAT(passed, Contains(invariant));
  }
  EXPECT_THAT(invariants_with(document, "fail"), IsEmpty());
  EXPECT_THAT(invariants_with(document, "unknown"), IsEmpty());

  EXPECT_EQ(shell("xmllint --noout $OUT/report/junit.xml").status, 0);
  EXPECT_EQ(shell("xmllint --html --noout $OUT/report/report.html 2>$OUT/html; ! grep -v 'Tag .* invalid' $OUT/html | "
                  "grep -q 'parser error'")
                .status,
            0);
  const Ended schema = shell(
      "/usr/bin/python3 -c 'import json, jsonschema, sys; "
      "jsonschema.Draft202012Validator(json.load(open(sys.argv[1]))).validate(json.load(open(sys.argv[2])))' "
      "reports/report.schema.json $OUT/report/report.json");
  EXPECT_EQ(schema.status, 0) << schema.err;
  EXPECT_THAT(contents(directory_ / "report/summary.md"), HasSubstr("PASS"));

  // The services are gone.
  const Ended again = shell("$REHEARSE report $OUT/report/history.sqlite -o $OUT/again");
  EXPECT_EQ(again.status, 0) << again.err;
  json::value second = report("again"), first = document;
  for (json::value* each : {&first, &second}) each->as_object()["seconds"] = 0;
  EXPECT_TRUE(first == second);

  // Somebody took something out of the file.
  const Ended taken = shell(R"(
    cp $OUT/report/history.sqlite $OUT/rows.sqlite; cp $OUT/report/history.sqlite $OUT/section.sqlite
    /usr/bin/python3 - $OUT/rows.sqlite $OUT/section.sqlite <<'END'
import json, sqlite3, sys
rows, section = map(sqlite3.connect, sys.argv[1:])
rows.execute("DELETE FROM record WHERE history = 'walk 3: after shadow → live' AND step = 1")
evidence = json.loads(section.execute("SELECT body FROM document WHERE name = 'evidence'").fetchone()[0])
evidence["sections"] = [s for s in evidence["sections"] if s["name"] != "shadow, new database hung"]
section.execute("UPDATE document SET body = ? WHERE name = 'evidence'", (json.dumps(evidence),))
rows.commit(), section.commit()
END
    $REHEARSE report $OUT/rows.sqlite -o $OUT/rows; echo $?
    $REHEARSE report $OUT/section.sqlite -o $OUT/section; echo $?)");
  EXPECT_THAT(taken.out, AllOf(HasSubstr("\n2\n"), EndsWith("\n2\n"), Not(HasSubstr("PASS")))) << taken.err;
  EXPECT_THAT(contents(directory_ / "rows/report.json"), HasSubstr("walk 3: after shadow → live"));
  EXPECT_THAT(contents(directory_ / "section/report.json"), HasSubstr("the section \\\"shadow, new database hung\\\""));
}

// -- the seeded bugs -----------------------------------------------------------------------------------------------------

struct Scenario {
  std::string bug, selection, invariant;
};

std::vector<Scenario> scenarios() {
  std::vector<Scenario> found;
  for (const std::string& line : lines_of(contents(fs::path(REHEARSE_SOURCE_DIR) / "fixtures/orders/scenarios.tsv"))) {
    if (line.empty() || line.starts_with('#')) continue;
    const auto first = line.find('\t'), second = line.find('\t', first + 1);
    found.push_back({line.substr(0, first), line.substr(first + 1, second - first - 1), line.substr(second + 1)});
  }
  return found;
}

class SeededBug : public Program, public testing::WithParamInterface<Scenario> {};

TEST_P(SeededBug, IsNamed) {
  const auto& [bug, selection, invariant] = GetParam();
  const Ended ended = gate(selection, "--bug " + bug);
  ASSERT_EQ(ended.status, 1) << ended.out << ended.err;
  const json::value document = report();
  EXPECT_EQ(document.at("verdict"), "fail");
  EXPECT_THAT(invariants_with(document, "fail"), Contains(invariant)) << ended.out;
  EXPECT_THAT(lines_of(ended.out).at(2), StartsWith("FAIL"));
  EXPECT_THAT(lines_of(ended.out).back(), StartsWith("FAIL"));
  EXPECT_EQ(shell("xmllint --noout $OUT/report/junit.xml").status, 0);
}

// A write that is missing in the new database: the row is told with the transaction that wrote it in legacy, and the request.
TEST_F(CleanRehearsal, OfAMissingWriteTheRowTheTransactionAndTheRequestAreTold) {
  const Ended ended = gate("--stage shadow", "--bug B33");
  ASSERT_EQ(ended.status, 1) << ended.out << ended.err;
  const json::value document = report();
  const json::value& row = document.at("rows").as_array().at(0);
  EXPECT_EQ(row.at("section"), "shadow");
  EXPECT_EQ(row.at("entity"), "products");
  EXPECT_EQ(row.at("alerted"), false);
  EXPECT_NE(row.at("columns").as_array().empty(), row.at("only_in").as_string().empty())
      << "what differs, or who has it";
  EXPECT_THAT(std::string(row.at("request").as_string()), HasSubstr("/products/bulk'"));
  EXPECT_EQ(row.at("writes").as_array().at(0).at("database"), "legacy database");
  EXPECT_GT(row.at("writes").as_array().at(0).at("transaction").as_int64(), 0);
  const Ended mended =
      shell("$REHEARSE report $OUT/report/report.json --against $OUT/report/history.sqlite -o $OUT/same");
  EXPECT_EQ(mended.status, 1) << mended.err;
  EXPECT_THAT(mended.out, HasSubstr(": 0 new, "));
}

INSTANTIATE_TEST_SUITE_P(Scenarios, SeededBug, testing::ValuesIn(scenarios()),
                         [](const auto& scenario) { return scenario.param.bug; });

std::vector<std::string> selections() {
  std::set<std::string> distinct;
  for (const Scenario& scenario : scenarios()) distinct.insert(scenario.selection);
  return {distinct.begin(), distinct.end()};
}

class GoodSystem : public Program, public testing::WithParamInterface<std::string> {};

TEST_P(GoodSystem, PassesWhatABugFails) {
  const Ended ended = gate(GetParam());
  EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
  EXPECT_EQ(ended.err, "");
}

INSTANTIATE_TEST_SUITE_P(Scenarios, GoodSystem, testing::ValuesIn(selections()), [](const auto& selection) {
  std::string name = selection.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name.substr(2);
});

// -- budgets -------------------------------------------------------------------------------------------------------------

class Budgets : public Program {
 protected:
  // The orders system with these limits.
  std::string with_budgets(const std::string& limits, int rate = 200) const {
    return orders_with("schema_version: 1",
                       fmt::format("schema_version: 1\nbudgets:\n  time: 24s\n  block: 1s\n  rate: {}/s\n  limits:\n{}",
                                   rate, limits));
  }
};

// What a machine that is too busy to measure on may say; anything else that is not a failure is wrong.
bool machine_is_too_busy(const json::value& report) {
  for (const json::value& budget : report.at("budgets").as_array()) {
    const std::string_view reason = budget.at("reason").as_string();
    for (const char* guard :
         {"were sent in time", "an endpoint that does nothing takes", "are the least that is judged"})
      if (reason.find(guard) != reason.npos) return true;
  }
  return false;
}

// Twenty reads of the store where one would do are far beyond half as long again, on a busy machine too: there most of the time is spent
// waiting for a processor, by whoever needs it more often more often.
TEST_F(Budgets, AServiceThatTakesManyTimesAsLongIsFailed) {
  const std::string arguments = with_budgets(R"(    - {stage: live, route: "GET /orders/{}", overhead_p50: 50%})", 120);
  Ended ended;
  for (int attempt = 0; attempt < 3; ++attempt) {
    ended = gate("--stage live", "--bug B98", arguments);
    if (ended.status != 2 || !machine_is_too_busy(report())) break;
  }
  ASSERT_EQ(ended.status, 1) << ended.out << ended.err;
  const json::value document = report();
  EXPECT_THAT(invariants_with(document, "fail"), ElementsAre("L1"));
  const json::object& budget = document.at("budgets").at(0).as_object();
  EXPECT_EQ(budget.at("section"), "live");
  EXPECT_EQ(budget.at("route"), "GET /orders/{}");
  EXPECT_EQ(budget.at("verdict"), "fail");
  EXPECT_EQ(budget.at("confirmed"), true);
  EXPECT_THAT(std::string(budget.at("reason").as_string()),
              HasSubstr("and again, both services started anew: over budget"));
  EXPECT_GT(budget.at("low").as_double(), 0.5);
  EXPECT_THAT(ended.out, HasSubstr("overhead_p50 of GET /orders/{} is at most 50%"));
  EXPECT_THAT(contents(directory_ / "report/latency.hlog"), HasSubstr("Tag=live_GET_/orders/{}_new,"));
  // It is the same without the services.
  const Ended again = shell("$REHEARSE report $OUT/report/history.sqlite -o $OUT/again");
  EXPECT_EQ(again.status, 1) << again.err;
  EXPECT_TRUE(report("again").at("budgets") == document.at("budgets"));
}

// Where the machine cannot tell it is unknown and says why; it never fails.
TEST_F(Budgets, AServiceWithinThemIsNotFailed) {
  const std::string arguments = with_budgets(
      R"(    - {stage: [off, live], route: all, overhead_p50: 500%, error_rate: 2%}
    - {stage: read-only, route: "GET /orders*", throughput: 20/s})");
  const Ended ended = gate("--stage off --stage read-only --stage live", "", arguments);
  const json::value document = report();
  EXPECT_THAT(invariants_with(document, "fail"), IsEmpty());
  for (const json::value& budget : document.at("budgets").as_array()) {
    EXPECT_FALSE(budget.at("reason").as_string().empty());
  }
  EXPECT_EQ(document.at("budgets").as_array().size(), 5U);
  EXPECT_TRUE(ended.status == 0 ||
              (ended.status == 2 && invariants_with(document, "unknown") == std::set<std::string>{"L1"}))
      << ended.out << ended.err;
  EXPECT_GT(document.at("environment").at("null_probe_p50_ms").as_double(), 0);
}

// Writes go to legacy alone on a database of its own, and to the stage.
TEST_F(Budgets, WritesAreMeasuredAgainstALegacyServiceOfItsOwn) {
  const std::string arguments = orders_with("schema_version: 1", R"(schema_version: 1
budgets:
  time: 24s
  block: 1s
  rate: 100/s
  writes: true
  limits:
    - {stage: completed, route: "POST /orders", overhead_p50: 500%})");
  const Ended ended = gate("--stage completed", "--oracle", arguments);
  const json::value document = report();
  EXPECT_THAT(invariants_with(document, "fail"), IsEmpty());
  const json::array& latencies = document.at("latencies").as_array();
  ASSERT_FALSE(latencies.empty()) << ended.out << ended.err;
  EXPECT_EQ(latencies[0].at("route"), "POST /orders");
  EXPECT_GT(latencies[0].at("spectrum").as_array().size(), 2U) << "they were answered as by legacy alone";
}

TEST_F(Budgets, WhatCannotBeJudgedIsSaidBeforeAnythingIsSent) {
  const auto refused = [&](const std::string& limits) {
    return shell(
        "ORDERS_LEGACY_URL=http://127.0.0.1:1 ORDERS_NEW_URLS=http://127.0.0.1:1 ORDERS_LEGACY_DSN=none "
        "ORDERS_NEW_DSN=none "
        "ORDERS_FLAG_FILE=/none ORDERS_NEW_LOG=/none $REHEARSE gate " +
        with_budgets(limits) + " -o $OUT/report");
  };
  const auto limit = [&](const std::string& text) { return refused("    - {" + text + "}"); };
  EXPECT_THAT(limit("stage: live, route: GET /nowhere, p50: 5ms"),
              RefusesWith("p50 of GET /nowhere in live: no request of the traffic belongs to it; its reads are GET "));
  EXPECT_THAT(limit("stage: live, route: POST /orders, p50: 5ms"), RefusesWith("these are writes"));
  EXPECT_THAT(limit("stage: live, route: all, p50: 5"), RefusesWith("budgets.limits[0]: p50: \"5\" has no unit"));
  EXPECT_THAT(limit("stage: life, route: all, p50: 5ms"), RefusesWith("budgets.limits[0].stage: life is no stage"));
  EXPECT_THAT(limit("route: all, p50: 5ms"), RefusesWith("budgets.limits[0].stage is missing"));
  EXPECT_THAT(limit("stage: live, p50: 5ms"), RefusesWith("budgets.limits[0].route is missing"));
  EXPECT_THAT(limit("stage: live, route: all"), RefusesWith("budgets.limits[0].route names no limit"));
  EXPECT_THAT(limit("stage: live, route: all, median: 5ms"), RefusesWith("median is nothing that can be budgeted"));
  EXPECT_THAT(limit("stage: live, route: all, p99.9: 5ms"), RefusesWith("it takes 12 blocks of 5000 pairs"));
  EXPECT_THAT(limit("stage: completed, route: all, p50: 5ms"),
              RefusesWith("legacy answers with an error in completed"));
  EXPECT_FALSE(fs::exists(directory_ / "report"));
}

// -- the benchmark of the stages -----------------------------------------------------------------------------------------

class StageBench : public Program {};

TEST_F(StageBench, WritesWhatOthersReadAndComparesTwoRuns) {
  const Ended ended = with_orders(R"(
    bench="$REHEARSE bench --config fixtures/orders/rehearse.yaml --traffic fixtures/captures/orders-small.pcap --repetitions 2"
    $bench --seconds 1 --stage off --stage read-only --stage live -o $OUT/first.json --csv $OUT/trend.csv || exit 9
    $bench --seconds 1 --stage off -o $OUT/second.json --baseline $OUT/first.json --csv $OUT/trend.csv; echo "other columns: $?"
    curl -s $ORDERS_NEW_URL/healthz -o /dev/null -D - | grep -i migration-stage)",
                                  "--oracle");
  ASSERT_NE(ended.status, 9) << ended.out << ended.err;
  const json::value run = json::parse(contents(directory_ / "first.json"));
  std::map<std::string, int> repetitions;
  for (const json::value& each : run.at("benchmarks").as_array()) {
    if (each.at("run_type") != "iteration") continue;
    ++repetitions[each.at("name").as_string().c_str()];
    EXPECT_GT(each.at("real_time").as_double(), 0) << each.at("name");
    EXPECT_EQ(each.at("time_unit"), "us");
    const bool throughput = each.at("name").as_string().ends_with("/throughput");
    EXPECT_EQ(each.at("cpu_time").to_number<double>() > 0, !throughput) << each.at("name");
  }
  for (const char* name : {"off/reads/legacy/p50", "off/reads/new/p99", "off/writes/new/p50",
                           "read-only/reads/new/throughput", "read-only/refusals/new/p50", "live/writes/legacy/p90"})
    EXPECT_EQ(repetitions[name], 2) << name;
  EXPECT_THAT(lines_of(contents(directory_ / "trend.csv")), testing::SizeIs(2));
  EXPECT_THAT(ended.out, HasSubstr("this run does not have it"));
  EXPECT_THAT(ended.out, HasSubstr("other columns: 3"));
  EXPECT_THAT(ended.err, HasSubstr("has other columns than this run"));
  EXPECT_THAT(ended.out, HasSubstr("off\r")) << "the flag is where it was";
}

TEST_F(StageBench, SaysWhatIsWrongBeforeItMeasures) {
  const Ended ended = shell(
      "echo '{}' > $OUT/none.json; export ORDERS_LEGACY_URL=http://127.0.0.1:1 ORDERS_NEW_URLS=http://127.0.0.1:1 "
      "ORDERS_LEGACY_DSN=none ORDERS_NEW_DSN=none ORDERS_FLAG_FILE=/none ORDERS_NEW_LOG=/none\n"
      "exec $REHEARSE bench --config fixtures/orders/rehearse.yaml --baseline $OUT/none.json");
  EXPECT_THAT(ended, RefusesWith("none.json: This is no run of `rehearse bench`"));
  EXPECT_EQ(ended.status, 3);
}

// -- other systems -------------------------------------------------------------------------------------------------------

class OtherSystems : public Program {};

TEST_F(OtherSystems, TinySystemInWhichEverythingIsDifferentPasses) {
  std::ofstream(directory_ / "inner.sh")
      << "TINY_LEGACY_DSN=\"$TINY_LEGACY_DSN password=hunter2\" TINY_NEW_DSN=\"$TINY_NEW_DSN password=hunter2\" "
         "exec $REHEARSE gate --config fixtures/tiny/rehearse.yaml -o $OUT/report\n";
  const Ended ended = shell("exec fixtures/tiny/up -- sh $OUT/inner.sh");
  EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
  EXPECT_EQ(ended.err, "");
}

// A capture with secrets in every place, in the format of GoReplay; none of them may be in what is written or printed.
constexpr std::array planted{"pl4nted-bearer-01", "pl4nted-cookie-02",          "pl4nted-query-03", "pl4nted-json-04",
                             "pl4nted-answer-05", "planted.mail06@company.com", "4539578763621486"};

std::string capture_with_secrets() {
  const std::string divider = "\n\xf0\x9f\x90\xb5\xf0\x9f\x99\x88\xf0\x9f\x99\x89\n";
  const std::string body =
      fmt::format(R"({{"title":"for {} and {}","password":"{}"}})", planted[5], planted[6], planted[3]);
  const std::string request = fmt::format(
      "POST /notebooks?token={} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {}\r\nCookie: sid={}\r\n"
      "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
      planted[2], planted[0], planted[1], body.size(), body);
  const std::string made = fmt::format(R"({{"id":"x","access_token":"{}"}})", planted[4]);
  const std::string answer = fmt::format(
      "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", made.size(), made);
  const std::string id = "0123456789abcdef01234567";
  return fmt::format("1 {0} 1700000000000000000\n{1}{2}2 {0} 1700000000001000000 1000000\n{3}{2}", id, request, divider,
                     answer);
}

TEST_F(OtherSystems, SecretsOfACaptureAreInNothingThatIsWritten) {
  fs::create_directories(directory_ / "in");
  std::ofstream(directory_ / "in/day.gor", std::ios::binary) << capture_with_secrets();
  const Ended ended = shell(
      "set -e; $REHEARSE import $OUT/in/day.gor -o $OUT/day.traffic; $REHEARSE show $OUT/in/day.gor --secrets; "
      "$REHEARSE show $OUT/day.traffic\n"
      "{ cat fixtures/tiny/rehearse.yaml; echo 'redaction: {send_masked: it looks at no credentials}'; } "
      ">$OUT/sending.yaml\n"
      "fixtures/tiny/up -- $REHEARSE gate --config $OUT/sending.yaml --stage shadow --traffic "
      "$OUT/in/day.gor "
      "-o $OUT/report || test $? -le 2\n");
  EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out, AllOf(HasSubstr("request header Authorization"), HasSubstr("response body $.access_token"),
                               HasSubstr("1 of 1 captured exchanges are played; masked with the key")));
  EXPECT_TRUE(fs::exists(directory_ / "report/history.sqlite"));
  for (const auto& entry : fs::recursive_directory_iterator(directory_)) {
    if (!entry.is_regular_file() || entry.path().parent_path().filename() == "in") continue;
    for (const char* secret : planted)
      EXPECT_EQ(contents(entry.path()).find(secret), std::string::npos) << entry.path() << " holds " << secret;
  }
}

// An exchange in the format of GoReplay.
std::string goreplay(int number, const std::string& request, const std::string& answer) {
  const std::string divider = "\n\xf0\x9f\x90\xb5\xf0\x9f\x99\x88\xf0\x9f\x99\x89\n";
  const std::string id = fmt::format("{:024x}", number);
  return fmt::format("1 {0} 17000000000{4:02}000000\n{1}{2}2 {0} 17000000000{4:02}500000 500000\n{3}{2}", id, request,
                     divider, answer, number);
}

TEST_F(OtherSystems, AValueThatLooksLikeTheAnswersAndIsNotIsSentAsCaptured) {
  // By chance the made notebook had the id of a note that is there from the beginning.
  const std::string id = "ddfb895a-a49a-5661-a6f6-b609d1371010";
  const std::string made = fmt::format(R"({{"id":"{}","title":"new"}})", id);
  const auto answer = [](const std::string& status, const std::string& body) {
    return fmt::format("HTTP/1.1 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", status,
                       body.size(), body);
  };
  const std::string body = R"({"title":"new"})";
  std::ofstream(directory_ / "false.gor", std::ios::binary)
      << goreplay(
             1,
             fmt::format("POST /notebooks HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: "
                         "{}\r\n\r\n{}",
                         body.size(), body),
             answer("201 Created", made))
      << goreplay(2, fmt::format("GET /notes/{} HTTP/1.1\r\nHost: h\r\n\r\n", id), answer("200 OK", "{}"));
  const Ended ended = shell(
      "fixtures/tiny/up -- $REHEARSE gate --config fixtures/tiny/rehearse.yaml --stage shadow --traffic $OUT/false.gor "
      "-o "
      "$OUT/report || test $? -le 2");
  EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
  EXPECT_THAT(contents(directory_ / "report/summary.md"), HasSubstr("refuted"));
  const auto file = replay::load_histories((directory_ / "report/history.sqlite").string());
  const auto statuses = [&](const std::string& name) {
    std::vector<int> found;
    for (const auto& history : file.histories) {
      if (history.name != name) continue;
      for (const auto& record : history.records) found.push_back(record.response.status);
    }
    return found;
  };
  EXPECT_THAT(statuses("oracle 1, with values that proved false"), testing::ElementsAre(201, 404));
  EXPECT_THAT(statuses("oracle 1"), testing::ElementsAre(201, 200));
  EXPECT_THAT(statuses("shadow"), testing::ElementsAre(201, 200));
}

TEST_F(OtherSystems, SecretsAreLeftAloneOnlyWhenSomebodySaysSo) {
  fs::create_directories(directory_ / "in");
  std::ofstream(directory_ / "in/day.gor", std::ios::binary) << capture_with_secrets();
  const Ended open = shell("$REHEARSE import $OUT/in/day.gor --no-redaction -o $OUT/day.traffic");
  EXPECT_THAT(open.out, HasSubstr("redaction off: --no-redaction"));
  for (const char* secret : planted) EXPECT_THAT(contents(directory_ / "day.traffic"), HasSubstr(secret));
  const Ended rehearsed = shell(
      "{ sed \"s,^traffic: .*,traffic: $OUT/in/day.gor,\" fixtures/tiny/rehearse.yaml; "
      "echo 'redaction: {off: true, reason: the tokens are invented}'; } >$OUT/open.yaml\n"
      "fixtures/tiny/up -- $REHEARSE gate --config $OUT/open.yaml --stage off -o $OUT/report || test $? -le 2");
  EXPECT_EQ(rehearsed.status, 0) << rehearsed.err;
  EXPECT_THAT(rehearsed.out, HasSubstr("redaction off: the tokens are invented"));
  for (const char* name : {"report.html", "summary.md"})
    EXPECT_THAT(contents(directory_ / "report" / name), HasSubstr("redaction off: the tokens are invented")) << name;
  const Ended again = shell(
      "unset REHEARSE_REDACTION_KEY; export HOME=$OUT/home XDG_CONFIG_HOME=; $REHEARSE import $OUT/in/day.gor -o "
      "$OUT/1.traffic");
  EXPECT_EQ(again.status, 0);
  EXPECT_THAT(again.err, AllOf(HasSubstr("made the redaction key"), HasSubstr("/home/.config/rehearse/redaction.key")));
  const Ended refused =
      shell("echo short > $OUT/key; $REHEARSE import $OUT/in/day.gor --redaction-key $OUT/key -o $OUT/2.traffic");
  EXPECT_EQ(refused.status, 3);
  EXPECT_THAT(refused.err, HasSubstr("has 5 bytes; give it at least 16"));
}

TEST_F(OtherSystems, FlagThatWeServeOverOfrepToTwoInstancesPasses) {
  const std::string configuration = orders_with("file: ${ORDERS_FLAG_FILE}", "ofrep: 127.0.0.1:${OFREP_PORT}");
  const Ended ended = shell(
      "OFREP_PORT=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind((\"127.0.0.1\", 0)); "
      "print(s.getsockname()[1])'); export OFREP_PORT\n"
      "exec $BIN/orders-system --instances 2 --flag ofrep:http://127.0.0.1:$OFREP_PORT -- $REHEARSE gate " +
      configuration + " --stage shadow --stage live -o $OUT/report");
  EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
  EXPECT_THAT(invariants_with(report(), "pass"), Contains("V6"));
}

// -- what goes wrong on our side -----------------------------------------------------------------------------------------

class BadInput : public Program {
 protected:
  // What of the orders system need not run.
  static std::string without_system() {
    return "export ORDERS_LEGACY_URL=http://127.0.0.1:9 ORDERS_NEW_URLS=http://127.0.0.1:9 "
           "ORDERS_LEGACY_DSN='host=127.0.0.1 port=9 password=hunter2 dbname=l' "
           "ORDERS_NEW_DSN='host=127.0.0.1 port=9 password=hunter2 dbname=n' ORDERS_FLAG_FILE=$OUT/flag.json "
           "ORDERS_NEW_LOG=$OUT/new.log\n";
  }
  [[nodiscard]] Ended alone(const std::string& command) const {
    return shell(without_system() + "$REHEARSE " + command);
  }
  // A capture of one packet that goes to a port where HTTP is spoken, and is none.
  void write_capture_without_http(const std::string& name) const {
    const std::string payload = "\x16\x03\x01 this is no HTTP";
    const auto le32 = [](std::uint32_t n) {
      return std::string{static_cast<char>(n), static_cast<char>(n >> 8), static_cast<char>(n >> 16),
                         static_cast<char>(n >> 24)};
    };
    std::string ip("\x45\0\0\0\0\0\0\0\x40\x06\0\0\x7f\0\0\x01\x7f\0\0\x01", 20);
    std::string tcp("\x9c\x40\x1f\x90\0\0\0\x01\0\0\0\x01\x50\x18\xff\xff\0\0\0\0", 20);
    ip[3] = static_cast<char>(ip.size() + tcp.size() + payload.size());
    const std::string ethernet = std::string(12, '\0') + std::string("\x08\x00", 2);
    const std::string packet = ethernet + ip + tcp + payload;
    const auto size = static_cast<std::uint32_t>(packet.size());
    std::ofstream(directory_ / name, std::ios::binary)
        << le32(0xa1b2c3d4) << std::string("\x02\0\x04\0", 4) << le32(0) << le32(0) << le32(65535) << le32(1)
        << le32(1700000000) << le32(0) << le32(size) << le32(size) << packet;
  }
};

TEST_F(BadInput, ConfigurationThatIsMissingOrWrong) {
  EXPECT_THAT(alone("gate --config $OUT/none.yaml -o $OUT/report"), RefusesWith("`rehearse init` writes one"));
  EXPECT_THAT(alone("doctor --config $OUT/none.yaml"), RefusesWith("`rehearse init` writes one"));
  EXPECT_THAT(alone("gate " + orders_with("title: orders", "titel: orders") + " -o $OUT/report"),
              RefusesWith("titel is no key of the configuration"));
  EXPECT_THAT(shell("unset ORDERS_LEGACY_URL; $REHEARSE gate " + orders + " -o $OUT/report"),
              RefusesWith("environment variable"));
}

TEST_F(BadInput, SelectionThatDoesNotExist) {
  EXPECT_THAT(alone("gate " + orders + " --stage shadwo -o $OUT/report"),
              RefusesWith("--stage shadwo: no such stage; the stages are off, read-only, shadow, live, completed"));
  EXPECT_THAT(alone("gate " + orders + " --edge off:live -o $OUT/report"),
              RefusesWith("--edge off:live: no such edge"));
}

TEST_F(BadInput, TrafficThatHoldsNothingToPlay) {
  std::ofstream(directory_ / "empty.pcap");
  std::ofstream(directory_ / "poem.pcap") << "Tyger Tyger, burning bright, in the forests of the night";
  write_capture_without_http("other.pcap");
  const std::string gate = "gate --config fixtures/orders/rehearse.yaml -o $OUT/report --traffic ";
  EXPECT_THAT(alone(gate + "$OUT/none.pcap"), RefusesWith("none.pcap"));
  EXPECT_THAT(alone(gate + "$OUT/empty.pcap"), RefusesWith("empty.pcap"));
  EXPECT_THAT(alone(gate + "$OUT/poem.pcap"), RefusesWith("poem.pcap"));
  EXPECT_THAT(alone(gate + "$OUT/other.pcap"), RefusesWith("holds no exchange that can be played"));
}

TEST_F(BadInput, CaptureWithoutHttp) {
  write_capture_without_http("other.pcap");
  for (const char* command : {"import $OUT/other.pcap -o $OUT/other.traffic", "show $OUT/other.pcap",
                              "show $OUT/other.pcap --json", "show $OUT/other.traffic"}) {
    const Ended ended = alone(command);
    EXPECT_EQ(ended.status, 2) << command;
    EXPECT_EQ(ended.err, "no HTTP was found; the certificate says what else the capture holds\n") << command;
  }
}

TEST_F(BadInput, OutputThatIsStandardOutputOrTheInput) {
  const std::string tiny = REHEARSE_SOURCE_DIR "/fixtures/captures/tiny.pcap";
  ASSERT_EQ(alone("import " + tiny + " -o $OUT/tiny.traffic").status, 0);
  for (const std::string& command : {"import " + tiny, "traffic cut " + tiny, "traffic merge " + tiny}) {
    const Ended ended = alone(command + " -o -");
    EXPECT_THAT(ended, RefusesWith("a traffic file is a database and cannot go to standard output; name a file"))
        << command;
    EXPECT_EQ(ended.out, "") << command;
  }
  fs::copy_file(tiny, directory_ / "day.pcap");
  const std::string capture = contents(directory_ / "day.pcap"), traffic = contents(directory_ / "tiny.traffic");
  EXPECT_THAT(alone("import $OUT/day.pcap -o $OUT/day.pcap"), RefusesWith("day.pcap is there already"));
  EXPECT_THAT(alone("traffic cut $OUT/tiny.traffic -o $OUT/tiny.traffic"), RefusesWith("would be written over"));
  EXPECT_THAT(alone("traffic merge $OUT/day.pcap $OUT/tiny.traffic -o $OUT/tiny.traffic"),
              RefusesWith("would be written over"));
  EXPECT_THAT(alone("traffic cut $OUT/day.pcap -o $OUT/day.pcap"), RefusesWith("would be written over"));
  EXPECT_EQ(contents(directory_ / "day.pcap"), capture);
  EXPECT_EQ(contents(directory_ / "tiny.traffic"), traffic);
}

// Nobody answers at these addresses: whatever is said was said before anything was sent.
TEST_F(BadInput, OutputThatCannotBeWrittenIsSaidBeforeAnythingIsSent) {
  const auto said = [&](const std::string& command) {
    return shell(
        "touch $OUT/file; export ORDERS_LEGACY_URL=http://127.0.0.1:1 ORDERS_NEW_URLS=http://127.0.0.1:1 "
        "ORDERS_LEGACY_DSN=none ORDERS_NEW_DSN=none ORDERS_FLAG_FILE=/none ORDERS_NEW_LOG=/none\nexec $REHEARSE " +
        command);
  };
  for (const std::string& command : {"gate " + orders, "fuzz " + orders}) {
    EXPECT_THAT(said(command + " --out $OUT/file/reports"), RefusesWith("/file/reports")) << command;
  }
  for (const char* option : {"--html", "--json-file", "--junit", "--markdown", "--prometheus"})
    EXPECT_THAT(said("gate " + orders + " -o $OUT/report " + option + " $OUT/none/file"), RefusesWith("cannot write "))
        << option;
  EXPECT_THAT(said("bench " + orders + " -o $OUT"), RefusesWith("Is a directory"));
  EXPECT_THAT(said("bench " + orders + " -o $OUT/b.json --csv $OUT/file/b.csv"), RefusesWith("/file/b.csv"));
  EXPECT_FALSE(fs::exists(directory_ / "b.json")) << "what was tried is not left behind";
  EXPECT_THAT(said("report reports/golden/failing.json -o $OUT/report --junit $OUT/none/file"),
              RefusesWith("none/file"));
}

TEST_F(BadInput, TimesThatAreNone) {
  for (const char* time : {"+-5s", "-5s", "+5", "+nans", "+infs", "yesterday"}) {
    EXPECT_THAT(alone(std::string("traffic cut fixtures/captures/tiny.pcap -o $OUT/cut.traffic --from=") + time),
                RefusesWith("is no time; write 2026-11-22T10:00:00Z, or +90s"))
        << time;
    EXPECT_FALSE(fs::exists(directory_ / "cut.traffic"));
  }
}

TEST_F(BadInput, TextThatWouldControlTheTerminal) {
  const std::string escape = "\"$(printf '\\033[31m')\"";
  EXPECT_THAT(alone("import $OUT/" + escape + ".pcap -o $OUT/a.traffic"), RefusesWith("\\x1b[31m.pcap"));
  EXPECT_THAT(alone("import fixtures/captures/tiny.pcap -o $OUT/a.traffic --filter " + escape),
              RefusesWith("\\x1b[31m"));
  for (const std::string& command : {escape, "show --" + escape + " a", "import a --threads " + escape}) {
    const Ended ended = alone(command);
    EXPECT_EQ(ended.status, 3);
    EXPECT_EQ(ended.err.find('\x1b'), std::string::npos) << ended.err;
  }
}

TEST_F(BadInput, KeyLogThatIsTooLong) {
  // Nothing of it is on the disk.
  std::ofstream(directory_ / "long.keys");
  fs::resize_file(directory_ / "long.keys", (256u << 20) + 1);
  EXPECT_THAT(alone("import fixtures/captures/tiny.pcap -o $OUT/a.traffic --keys $OUT/long.keys"),
              RefusesWith("is longer than 268435456 bytes"));
  fs::remove(directory_ / "long.keys");
}

TEST_F(BadInput, ServiceThatDoesNotAnswer) {
  EXPECT_THAT(alone("gate " + orders + " -o $OUT/report"),
              RefusesWith("the legacy service at http://127.0.0.1:9 does not say which stage it serves"));
  const Ended doctor = alone("doctor --config fixtures/orders/rehearse.yaml");
  EXPECT_EQ(doctor.status, 3);
  EXPECT_THAT(doctor.out,
              AllOf(HasSubstr("BROKEN   the legacy service does not say its stage"),
                    HasSubstr("BROKEN   cannot connect to the new database"), HasSubstr("Mend what is broken first")));
}

TEST_F(BadInput, HistoryThatIsNone) {
  std::ofstream(directory_ / "poem.sqlite") << "Tyger Tyger, burning bright";
  EXPECT_THAT(alone("report $OUT/poem.sqlite -o $OUT/report"), RefusesWith("poem.sqlite"));
  EXPECT_THAT(alone("report $OUT/none.sqlite -o $OUT/report"), RefusesWith("none.sqlite"));
  EXPECT_FALSE(fs::exists(directory_ / "none.sqlite"));
  ASSERT_EQ(alone("import fixtures/captures/tiny.pcap -o $OUT/tiny.traffic").status, 0);
  EXPECT_THAT(alone("report $OUT/tiny.traffic -o $OUT/report"), RefusesWith("tiny.traffic"));
}

TEST_F(BadInput, OptionThatDoesNotExist) {
  EXPECT_EQ(alone("gate --colour").status, 3);
  EXPECT_EQ(alone("").status, 3);
  EXPECT_EQ(alone("--help").status, 0);
  EXPECT_THAT(alone("--version").out, StartsWith("rehearse "));
}

// One system for all of these, because none of them changes it.
TEST_F(BadInput, RunningSystemThatMayNotBeRehearsed) {
  const std::string writes = orders_with("writes: allowed", "writes: refused");
  fs::rename(directory_ / "rehearse.yaml", directory_ / "writes.yaml");
  orders_with("disposable: true", "disposable: false");
  fs::rename(directory_ / "rehearse.yaml", directory_ / "precious.yaml");
  orders_with("orders_legacy_template", "no_such_template");
  fs::rename(directory_ / "rehearse.yaml", directory_ / "template.yaml");
  const Ended ended = with_orders(R"(
    try() {
      name=$1; shift
      "$@" >$OUT/$name.out 2>$OUT/$name.err
      echo $? >$OUT/$name.status
    }
    traffic="--traffic fixtures/captures/orders-small.pcap -o $OUT/report"
    good="--config fixtures/orders/rehearse.yaml"
    try writes $REHEARSE gate --config $OUT/writes.yaml $traffic
    try precious $REHEARSE gate --config $OUT/precious.yaml $traffic
    try template $REHEARSE gate --config $OUT/template.yaml $traffic
    try template_doctor $REHEARSE doctor --config $OUT/template.yaml
    psql -qX "$ORDERS_ADMIN_DSN" -c 'CREATE ROLE limited LOGIN'
    dsn=$ORDERS_LEGACY_DSN
    export ORDERS_LEGACY_DSN="$dsn user=limited"
    try limited $REHEARSE gate $good $traffic
    try limited_doctor $REHEARSE doctor $good
    export ORDERS_LEGACY_DSN="$dsn dbname=nowhere"
    try nowhere $REHEARSE gate $good $traffic
    try nowhere_doctor $REHEARSE doctor $good
    export ORDERS_LEGACY_DSN="hunter2 is no connection string"
    try nonsense $REHEARSE gate $good $traffic
    export ORDERS_LEGACY_DSN=$dsn
    try good_doctor $REHEARSE doctor $good
    psql -qXtA "$ORDERS_LEGACY_DSN" -c 'SELECT count(*) > 1000 FROM orders' >$OUT/orders
  )");
  ASSERT_EQ(ended.status, 0) << ended.out << ended.err;
  const auto of = [&](const std::string& name) {
    return Ended{std::atoi(contents(directory_ / (name + ".status")).c_str()), contents(directory_ / (name + ".out")),
                 contents(directory_ / (name + ".err"))};
  };
  EXPECT_THAT(of("writes"), RefusesWith("write `writes: allowed` beside services.legacy"));
  EXPECT_THAT(of("precious"), RefusesWith("write disposable: true beside its dsn"));
  EXPECT_THAT(of("template"), RefusesWith("there is no database no_such_template"));
  EXPECT_EQ(of("template_doctor").status, 3);
  EXPECT_THAT(of("template_doctor").out, HasSubstr("the template \"no_such_template\" does not exist"));
  EXPECT_THAT(of("limited"), RefusesWith("the legacy database"));
  EXPECT_EQ(of("limited_doctor").status, 3);
  EXPECT_THAT(of("limited_doctor").out,
              AllOf(HasSubstr("ALTER ROLE \"limited\" REPLICATION;"), HasSubstr("ALTER ROLE \"limited\" CREATEDB;"),
                    HasSubstr("GRANT pg_read_all_stats")));
  EXPECT_THAT(of("nowhere"), RefusesWith("cannot connect to the legacy database"));
  EXPECT_EQ(of("nowhere_doctor").status, 3);
  EXPECT_THAT(of("nowhere_doctor").out, HasSubstr("\"nowhere\" does not exist"));
  EXPECT_THAT(of("nonsense"), RefusesWith("a connection string cannot be read"));
  EXPECT_EQ(of("good_doctor").status, 0) << of("good_doctor").out;
  EXPECT_THAT(of("good_doctor").out, EndsWith("All is there: rehearse gate\n"));
  EXPECT_EQ(contents(directory_ / "orders"), "t\n") << "nothing was lost by any of them";
}

TEST_F(BadInput, ServicesThatServeDifferentStages) {
  const Ended ended = with_orders(R"(
    sed 's/"defaultVariant": *"off"/"defaultVariant":"read-only"/' $ORDERS_FLAG_FILE >$OUT/other.json
    $BIN/orders-new --dsn "$ORDERS_NEW_DSN" --flag file:$OUT/other.json --log $OUT/new.log --legacy $ORDERS_LEGACY_URL --port 0 >$OUT/new.out &
    other=$!
    until [ -s $OUT/new.out ]; do sleep 0.05; done
    port=$(sed 's/[^0-9]*\([0-9]*\).*/\1/;q' $OUT/new.out)
    until curl -sf http://127.0.0.1:$port/healthz >/dev/null; do sleep 0.05; done
    ORDERS_NEW_URLS="$ORDERS_NEW_URLS http://127.0.0.1:$port"
    export ORDERS_NEW_URLS
    $REHEARSE doctor --config fixtures/orders/rehearse.yaml >$OUT/doctor.out; echo $? >$OUT/doctor.status
    $REHEARSE gate )" + orders + R"( -o $OUT/report; status=$?
    kill $other; wait $other
    exit $status
  )");
  EXPECT_THAT(
      ended,
      RefusesWith("the services serve different stages: legacy off, new (2) read-only; let both read the same flag"));
  EXPECT_EQ(contents(directory_ / "doctor.status"), "3\n");
  EXPECT_THAT(contents(directory_ / "doctor.out"),
              HasSubstr("BROKEN   the new (2) service serves read-only and the legacy service off"));
}

// -- the other commands --------------------------------------------------------------------------------------------------

class Commands : public Program {};

TEST_F(Commands, InitWritesAConfigurationThatCanBeRead) {
  const Ended ended = with_orders(R"(
    $REHEARSE init --legacy $ORDERS_LEGACY_URL --new $ORDERS_NEW_URL --legacy-dsn "$ORDERS_LEGACY_DSN" --new-dsn "$ORDERS_NEW_DSN" --traffic day.pcap -o $OUT/made.yaml || exit 1
    $REHEARSE init -o $OUT/made.yaml 2>$OUT/again.err; echo $? >$OUT/again.status
    LEGACY_DSN="$ORDERS_LEGACY_DSN" NEW_DSN="$ORDERS_NEW_DSN" $REHEARSE doctor --config $OUT/made.yaml >$OUT/doctor.out; true
  )");
  ASSERT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("rehearse doctor --config"));
  setenv("LEGACY_DSN", "dbname=l", 1), setenv("NEW_DSN", "dbname=n", 1);
  const Configuration configuration = load_configuration(directory_ / "made.yaml");
  EXPECT_EQ(configuration.traffic, directory_ / "day.pcap");
  EXPECT_THAT(contents(directory_ / "made.yaml"), HasSubstr("idempotency_keys")) << "the tables are proposed";
  const auto has = [&](const std::string& name) {
    return std::any_of(configuration.entities.begin(), configuration.entities.end(),
                       [&](const Entity& entity) { return entity.name == name; });
  };
  EXPECT_TRUE(has("orders") && has("payments")) << "and can be read";
  EXPECT_EQ(configuration.sequences.size(), 3u);
  EXPECT_EQ(contents(directory_ / "again.status"), "3\n");
  EXPECT_THAT(contents(directory_ / "again.err"), HasSubstr("is there already"));
  EXPECT_THAT(contents(directory_ / "doctor.out"), HasSubstr("BROKEN   copy.forward is not given"));
}

TEST_F(Commands, InitWritesNoPasswordOfAUrlAndNothingThatIsYaml) {
  ASSERT_EQ(
      shell("$REHEARSE init --legacy 'http://me:hunter2@a:1' --traffic 'a: \"b\" # c.pcap' -o $OUT/made.yaml").status,
      0);
  setenv("LEGACY_DSN", "dbname=l", 1), setenv("NEW_DSN", "dbname=n", 1);
  const Configuration configuration = load_configuration(directory_ / "made.yaml");
  EXPECT_THAT(configuration.legacy.urls, testing::ElementsAre("http://a:1"));
  EXPECT_EQ(configuration.traffic, directory_ / "a: \"b\" # c.pcap");
}

// Rules come from the configuration, are counted, and one that nobody needs is unknown where somebody asked for that.
TEST_F(Commands, RulesAboutAnswersAreAppliedCountedAndSuggested) {
  const std::string arguments =
      orders_with("schema_version: 1",
                  "schema_version: 1\nanswer_rules:\n"
                  "  - {route: \"GET /orders/{}\", path: header ETag, ignore: true, reason: a test, owner: us}\n"
                  "  - {path: \"$.no_such_member\", ignore: true, reason: a test}\n");
  const Ended ended = gate("--stage live --strict", "", arguments);
  ASSERT_EQ(ended.status, 2) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("$.no_such_member matched nothing"));
  const auto live = [&](const json::value& report) {
    for (const auto& section : report.at("sections").as_array()) {
      if (section.at("name").as_string() == "live") return section.at("ignored").to_number<int>();
    }
    return -1;
  };
  EXPECT_GT(live(report()), 0);
  const Ended again = shell(R"(
    $REHEARSE report $OUT/report/history.sqlite -o $OUT/lax >$OUT/lax.out; echo $? >$OUT/lax.status
    echo 'answer_rules: []' >$OUT/none.yaml
    $REHEARSE report $OUT/report/history.sqlite --rules $OUT/none.yaml --suggest-rules -o $OUT/none >$OUT/suggested.yaml || exit 1
    $REHEARSE report $OUT/report/history.sqlite --rules $OUT/suggested.yaml --strict -o $OUT/suggested)");
  EXPECT_EQ(contents(directory_ / "lax.status"), "0\n");
  EXPECT_THAT(contents(directory_ / "suggested.yaml"), HasSubstr("tolerance: \"timestamp\""));
  EXPECT_THAT(contents(directory_ / "suggested.yaml"), HasSubstr("# refused: "));
  EXPECT_EQ(again.status, 0) << again.out << again.err;
}

TEST_F(Commands, PairsAskBothServicesAndTellWhatIsLasting) {
  const std::string pairs =
      "$REHEARSE pairs fixtures/captures/orders-small.pcap --legacy $ORDERS_LEGACY_URL --new $ORDERS_NEW_URL --pause 0 "
      "--rate 1000 --seed 7 -o $OUT/report";
  const Ended good = with_orders(pairs);
  EXPECT_EQ(good.status, 0) << good.out << good.err;
  EXPECT_THAT(good.err, HasSubstr("seed 7"));
  EXPECT_THAT(good.out, HasSubstr("both services answer these reads alike"));
  EXPECT_THAT(good.out, Not(HasSubstr("every stage"))) << "nothing was rehearsed";
  std::ofstream(directory_ / "rules.yaml")
      << "answer_rules: [{path: $.no_such_member, ignore: true, reason: nobody needs it}]\n";
  const std::string with_rule = pairs + " --config $OUT/rules.yaml";
  const Ended lax = with_orders(with_rule);
  EXPECT_EQ(lax.status, 0) << lax.out << lax.err;
  const Ended strict = with_orders(with_rule + " --strict");
  EXPECT_EQ(strict.status, 2) << strict.out << strict.err;
  EXPECT_THAT(strict.out, HasSubstr("$.no_such_member matched nothing"));
  const Ended broken = with_orders(pairs, "--bug B57");
  EXPECT_EQ(broken.status, 1) << broken.out << broken.err;
  EXPECT_THAT(broken.out, HasSubstr("Answers differ in"));
  EXPECT_TRUE(fs::exists(directory_ / "report/history.sqlite"));
  EXPECT_FALSE(report().at("differences").as_array().empty());
  EXPECT_THAT(shell("$REHEARSE pairs fixtures/captures/tiny.pcap --legacy nowhere --new http://a:1"),
              RefusesWith("http://host:port"));
}

TEST_F(Commands, WhatCannotBePrintedIsAnErrorAndAReaderThatHasEnoughIsNone) {
  const Ended full = shell("$REHEARSE show fixtures/captures/tiny.pcap >/dev/full");
  EXPECT_THAT(full, RefusesWith("No space left on device"));
  EXPECT_EQ(full.status, 3);
  EXPECT_EQ(shell("$REHEARSE --version >/dev/full").status, 3);
  const Ended enough = shell("{ $REHEARSE show fixtures/captures/orders.pcap; echo $? >$OUT/status; } | head -1");
  EXPECT_EQ(contents(directory_ / "status"), "0\n");
  EXPECT_EQ(enough.err, "");
}

TEST_F(Commands, ShowHasHeadingsForPeopleAndNoneForScripts) {
  const std::string show = "$REHEARSE show fixtures/captures/tiny.pcap",
                    head = "$REHEARSE traffic head -n 2 fixtures/captures/tiny.pcap";
  for (const std::string& command : {show, head}) {
    const auto lines = lines_of(shell(command).out);
    ASSERT_GT(lines.size(), 2u);
    EXPECT_EQ(lines[0], "    id conn.nr   code method target  [why incomplete]") << command;
    EXPECT_THAT(lines[1], StartsWith("     1    1.0     ")) << command;
    EXPECT_THAT(lines_of(shell(command + " --json").out).at(0), StartsWith("{\"id\":1,")) << command;
  }
  std::ofstream(directory_ / "plan.json")
      << R"({"schema_version": 1, "steps": [{"id": 1, "request": {"method": "GET", "target": "/a"}}]})";
  const auto history =
      lines_of(shell("$REHEARSE play $OUT/plan.json --target http://127.0.0.1:9 --history $OUT/h.sqlite "
                     ">/dev/null; $REHEARSE show $OUT/h.sqlite")
                   .out);
  EXPECT_EQ(history.at(0), "  step outcome      duration code method target problem");
}

TEST_F(Commands, AnInterruptedImportLeavesNothing) {
  const Ended ended = shell(R"(
    mkfifo $OUT/in
    $REHEARSE import - -o $OUT/day.traffic <$OUT/in &
    import=$!
    exec 3>$OUT/in
    cat fixtures/captures/tiny.pcap >&3
    until ls $OUT/*.part >/dev/null 2>&1; do sleep 0.05; done
    kill -INT $import
    wait $import; status=$?
    rm $OUT/in
    ls $OUT | grep traffic
    exit $status
  )");
  EXPECT_EQ(ended.status, 130);
  EXPECT_EQ(ended.out, "") << "a file is left";
  EXPECT_EQ(ended.err, "rehearse: interrupted; nothing was written\n");
}

TEST_F(Commands, ShowLetsNoCapturedByteReachTheTerminal) {
  std::ofstream(directory_ / "plan.json")
      << R"({"schema_version": 1, "steps": [{"id": 1, "request": {"target_base64": "L8KbMW0="}}]})";
  const Ended ended = shell(
      "$REHEARSE play $OUT/plan.json --target http://127.0.0.1:9 --history $OUT/h.sqlite; $REHEARSE show "
      "$OUT/h.sqlite");
  EXPECT_THAT(ended.out, AllOf(HasSubstr("\\x9b1m"), Not(HasSubstr("\xc2\x9b")))) << ended.err;
}

TEST_F(Commands, PlayTakesNoPlansWordForAPostThatIsARead) {
  std::ofstream(directory_ / "plan.json")
      << R"({"schema_version": 1, "steps": [{"id": 1, "read": true, "request": {"method": "POST", "target": "/a"}}]})";
  EXPECT_EQ(shell("$REHEARSE play $OUT/plan.json --target http://127.0.0.1:9 --history $OUT/h.sqlite").status, 3);
  const Ended allowed =
      shell("$REHEARSE play $OUT/plan.json --target http://127.0.0.1:9 --history $OUT/h.sqlite --writes allowed");
  EXPECT_THAT(allowed.out, HasSubstr("1 of 1 steps were played"));
}

TEST_F(Commands, PlayUnderstandsWhatIsWantedAndWhen) {
  // Nobody listens: what would be sent is refused, and counted.
  const std::string play =
      "$REHEARSE play fixtures/captures/orders-small.pcap --target http://127.0.0.1:9 --history $OUT/h.sqlite ";
  const auto dry = [&](const std::string& options) {
    return replay::plan_from_json(shell(play + "--dry-run --writes allowed " + options + " 2>/dev/null").out);
  };
  const replay::Plan whole = dry("");
  EXPECT_GT(whole.steps.size(), 200u);
  EXPECT_GT(whole.steps.back().due_ns, 100'000'000);
  const replay::Plan faster = dry("--speed 10");
  EXPECT_NEAR(static_cast<double>(faster.steps.back().due_ns), static_cast<double>(whole.steps.back().due_ns) / 10,
              1e4);
  const replay::Plan slower = dry("--rate 100");
  EXPECT_GE(slower.steps.back().due_ns, (static_cast<std::int64_t>(slower.steps.size()) - 1) * 10'000'000 - 1'000'000);
  EXPECT_EQ(slower.steps.size(), whole.steps.size());
  const replay::Plan some = dry("--route '/orders/*' --method GET --status 2xx");
  EXPECT_LT(some.steps.size(), whole.steps.size());
  for (const replay::Step& step : some.steps)
    EXPECT_THAT(step.request.get()->target, ::testing::StartsWith("/orders/"));
  EXPECT_EQ(some.left_out.at("not selected"), static_cast<std::int64_t>(whole.steps.size() - some.steps.size()));
  for (const replay::Step& step : dry("--causes connections").steps) {
    for (const replay::Cause& cause : step.after) EXPECT_EQ(cause.kind, replay::CauseKind::connection);
    EXPECT_TRUE(step.uses.empty());
  }
  for (const char* bad : {"--speed 0", "--speed fast", "--speed 1000", "--rate 0", "--loop 0", "--status 9xx"})
    EXPECT_EQ(shell(play + bad).status, 3) << bad;
  EXPECT_EQ(shell(play + "--from tomorrow").status, 3);
}

TEST_F(Commands, PlayRefusesWhatItWouldNotUnderstand) {
  const std::string play = "$REHEARSE play fixtures/captures/orders-small.pcap --dry-run --target ";
  for (const char* target :
       {"h", "ftp://h", "http://", "http://h:0", "http://h:65616", "http://h/a", "http://me@h", "http://h:x"})
    EXPECT_THAT(shell(play + "'" + target + "'"), RefusesWith("give http://host:port")) << target;
  for (const char* target : {"http://nobody-knows-it", "http://h:8080/", "http://[::1]:80", "https://h", "HTTP://h"})
    EXPECT_EQ(shell(play + "'" + target + "' >/dev/null").status, 0) << target;
  EXPECT_THAT(shell(play + "http://h --max-gap 2"), RefusesWith("--speed max keeps none"));
  EXPECT_EQ(shell(play + "http://h --max-gap 2 --speed 1 >/dev/null").status, 0);
}

TEST_F(Commands, PlansAndArchivesAreToldApartAlsoOnStandardInput) {
  const std::string plan =
      R"({"left_out": {}, "steps": [{"id": 1, "request": {"target": "/a"}}], "schema_version": 1})";
  std::ofstream(directory_ / "plan.json") << plan;
  for (const char* way :
       {"$REHEARSE show $OUT/plan.json", "$REHEARSE show - <$OUT/plan.json", "cat $OUT/plan.json | $REHEARSE show -"})
    EXPECT_THAT(shell(way).out, HasSubstr("1 steps: 1 reads")) << way;
  std::ofstream(directory_ / "day.har") << R"({"comment": "a \"steps\": b", "log": {"version": "1.2", "entries": [{
    "startedDateTime": "2026-11-22T10:00:00.000Z", "time": 1, "request": {"method": "GET", "url": "http://h/a", "headers": []},
    "response": {"status": 200, "headers": [], "content": {"text": "x"}}}]}})";
  for (const char* way :
       {"$REHEARSE show $OUT/day.har", "cat $OUT/day.har | $REHEARSE show -", "$REHEARSE show - <$OUT/day.har"})
    EXPECT_THAT(shell(way).out, HasSubstr("GET /a")) << way;
  EXPECT_THAT(shell("cat fixtures/captures/tiny.pcap | $REHEARSE show -").out, HasSubstr("67 complete"));
}

TEST_F(Commands, ASampleTakesWholeSessionsAndASmallerOneIsPartOfALarger) {
  std::ofstream gor(directory_ / "day.gor", std::ios::binary);
  int number = 0;
  for (int round = 0; round < 3; ++round) {
    for (int user = 0; user < 20; ++user) {
      const std::string cookie = fmt::format("sid=session-{:04}", user);
      const std::string request =
          round == 0 ? fmt::format("GET /login/{} HTTP/1.1\r\nHost: h\r\n\r\n", user)
                     : fmt::format("GET /users/{} HTTP/1.1\r\nHost: h\r\nCookie: {}\r\n\r\n", user, cookie);
      const std::string answer = fmt::format("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n",
                                             round == 0 ? "Set-Cookie: " + cookie + "\r\n" : "");
      gor << goreplay(++number, request, answer);
    }
  }
  gor.close();
  const auto users = [&](const std::string& command) {
    std::map<std::string, int> requests;
    for (const std::string& line : lines_of(shell(command).out)) {
      for (const char* part : {"/login/", "/users/"}) {
        if (const auto at = line.find(part); at != std::string::npos)
          ++requests[line.substr(at + 7, line.find_first_not_of("0123456789", at + 7) - at - 7)];
      }
    }
    return requests;
  };
  std::map<std::string, int> larger = users("$REHEARSE show $OUT/day.gor");
  EXPECT_EQ(larger.size(), 20u);
  for (const char* share : {"0.7", "0.4", "0.1"}) {
    const auto cut =
        users(fmt::format("$REHEARSE traffic cut $OUT/day.gor -o $OUT/cut.traffic --sample {} >/dev/null; $REHEARSE "
                          "show $OUT/cut.traffic",
                          share));
    for (const auto& [user, count] : cut) {
      EXPECT_EQ(count, 3) << user << " at " << share;
      EXPECT_TRUE(larger.contains(user)) << user << " at " << share;
    }
    EXPECT_LT(cut.size(), larger.size()) << share;
    EXPECT_EQ(users(fmt::format(
                  "$REHEARSE play $OUT/day.gor --target http://h --dry-run --send-masked --sample {} 2>/dev/null "
                  "| sed 's/{{\"id\"/\\n/g'",
                  share)),
              cut);
    larger = cut;
  }
}

TEST_F(Commands, PlayMergesCapturesAndPlaysThemInRounds) {
  const auto played = shell(
      "$REHEARSE traffic cut fixtures/captures/orders-small.pcap -o $OUT/a.traffic --to +100ms && "
      "$REHEARSE traffic cut fixtures/captures/orders-small.pcap -o $OUT/b.traffic --from +100ms && "
      "$REHEARSE play $OUT/b.traffic $OUT/a.traffic --target http://127.0.0.1:9 --history $OUT/h.sqlite --loop 2");
  EXPECT_EQ(played.status, 2) << "nobody answered";
  EXPECT_THAT(played.out, HasSubstr(" refused"));
  const auto file = replay::load_histories((directory_ / "h.sqlite").string());
  ASSERT_EQ(file.histories.size(), 2u);
  EXPECT_EQ(file.histories[1].name, "play 2");
  EXPECT_EQ(file.histories[0].records.size(), file.histories[1].records.size());
}

TEST_F(Commands, EveryRoundOfAPlayKeepsTheTimesOfTheCapture) {
  std::ofstream(directory_ / "plan.json") << R"({"schema_version": 1, "steps": [
    {"id": 1, "request": {"method": "POST", "target": "/a", "headers": [["Idempotency-Key", "k"]]}},
    {"id": 2, "due_ms": 120, "request": {"target": "/b"}}]})";
  static_cast<void>(
      shell("$REHEARSE play $OUT/plan.json --target http://127.0.0.1:9 --history $OUT/h.sqlite --loop 3 --speed 2 "
            "--writes allowed"));
  const auto file = replay::load_histories((directory_ / "h.sqlite").string());
  ASSERT_EQ(file.histories.size(), 3u);
  std::set<std::string> keys;
  for (const replay::History& round : file.histories) {
    ASSERT_EQ(round.records.size(), 2u) << round.name;
    EXPECT_GE(round.records[1].due_ns - round.records[0].due_ns, 60'000'000) << round.name;
    EXPECT_GE(round.records[1].sent_ns, 60'000'000) << round.name;
    keys.emplace(replay::field(round.records[0].request.headers, "Idempotency-Key").value_or(""));
  }
  EXPECT_THAT(keys, testing::ElementsAre("k", "k-2", "k-3"));
}

TEST_F(Commands, PlayRunsTheCuesOfAPlanInTheirPlace) {
  std::ofstream(directory_ / "plan.json") << R"({"schema_version": 1, "steps": [
    {"id": 1, "request": {"target": "/a"}}, {"id": 2, "cue": "copy", "after": [1]}, {"id": 3, "cue": "flip live", "after": [2]},
    {"id": 4, "request": {"target": "/b"}, "after": [3]}]})";
  const std::string play = "$REHEARSE play $OUT/plan.json --target http://127.0.0.1:9 --history $OUT/h.sqlite ";
  EXPECT_THAT(shell(play), RefusesWith("the plan holds the cue \"copy\": say with --cue"));
  EXPECT_THAT(shell(play + "--cue 'copy=true' --cue 'flip=true'"), RefusesWith("the plan has no cue \"flip\""));
  EXPECT_THAT(shell(play + "--cue copy"), RefusesWith("NAME=COMMAND"));
  EXPECT_THAT(shell(play + "--cue 'copy=exit 7' --cue 'flip live=true'"),
              RefusesWith("the command of cue \"copy\" ended with 7"));
  const Ended played =
      shell(play + "--cue 'copy=echo copied >>$OUT/cues' --cue 'flip live=echo a=b flipped >>$OUT/cues'");
  EXPECT_THAT(played.out, HasSubstr("2 of 2 steps were played")) << played.err;
  EXPECT_EQ(contents(directory_ / "cues"), "copied\na=b flipped\n");
}

TEST_F(Commands, AnInterruptedPlayDoesNotWaitForTheCredentialsCommandNorForACue) {
  std::ofstream(directory_ / "plan.json") << R"({"schema_version": 1, "steps": [
    {"id": 1, "request": {"target": "/a", "headers": [["Authorization", "Bearer a"]]}}, {"id": 2, "cue": "copy"}]})";
  for (const char* way : {"--credentials 'touch $OUT/runs; sleep 1000' --cue copy=true",
                          "--credentials 'echo b' --cue 'copy=touch $OUT/runs; sleep 1000'"}) {
    const Ended ended = shell(std::string("rm -f $OUT/runs; $REHEARSE play $OUT/plan.json --target http://127.0.0.1:9 "
                                          "--history $OUT/h.sqlite ") +
                              way + R"( &
      play=$!
      until [ -e $OUT/runs ]; do sleep 0.02; done
      kill -INT $play
      wait $play)");
    EXPECT_EQ(ended.status, 130) << way << ended.err;
  }
}

TEST_F(Commands, ShowSaysOfAPlanWhatWaitsForWhatAndWhy) {
  const auto shown = shell(
      "$REHEARSE play fixtures/captures/orders-small.pcap --target http://127.0.0.1:9 --dry-run --writes allowed "
      "2>/dev/null > $OUT/plan.json; $REHEARSE show $OUT/plan.json");
  EXPECT_EQ(shown.status, 0);
  const Ended schema = shell(
      "/usr/bin/python3 -c 'import json, jsonschema, sys; "
      "jsonschema.Draft202012Validator(json.load(open(sys.argv[1]))).validate(json.load(open(sys.argv[2])))' "
      "replay/plan.schema.json $OUT/plan.json");
  EXPECT_EQ(schema.status, 0) << schema.err;
  for (const char* part : {"(value)", "(entity)", "(connection)", "waits: ", "values that the server makes",
                           "header:ETag", "header:If-Match", "sent again with the same key"})
    EXPECT_THAT(shown.out, HasSubstr(part));
}

TEST_F(Commands, InterruptedGateLeavesAHistoryAndTheFlagOff) {
  const Ended ended = with_orders("$REHEARSE gate " + orders + R"( -o $OUT/report &
    gate=$!
    until grep -q 'stage_entered.*shadow' $ORDERS_NEW_LOG; do sleep 0.05; done
    kill -INT $gate; kill -TERM $gate
    wait $gate; status=$?
    curl -si $ORDERS_NEW_URL/healthz | grep -i '^migration-stage' | tr -d '\r' >$OUT/stage
    psql -qXtA "$ORDERS_ADMIN_DSN" -c "SELECT datname FROM pg_database WHERE datname LIKE 'rehearse%'" >$OUT/left
    exit $status
  )");
  EXPECT_EQ(ended.status, 130) << ended.out << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("interrupted"));
  EXPECT_EQ(contents(directory_ / "stage"), "Migration-Stage: off\n");
  EXPECT_EQ(contents(directory_ / "left"), "") << "databases that a rehearsal keeps for itself are gone";
  const Ended again = shell("$REHEARSE report $OUT/report/history.sqlite -o $OUT/again");
  EXPECT_NE(again.status, 3) << again.err;
  EXPECT_EQ(report("again").at("verdict"), report().at("verdict"));
  EXPECT_EQ(shell("$REHEARSE show $OUT/report/history.sqlite >/dev/null").status, 0);
}

TEST_F(Commands, GateThatFailsOnOurSideLeavesTheFlagOff) {
  const std::string configuration = orders_with("forward: ${ORDERS_BIN}/orders-copy --from legacy --to new",
                                                "forward: echo the disk is full >&2; exit 1");
  const Ended ended = with_orders("$REHEARSE gate " + configuration + R"( --stage shadow -o $OUT/report; status=$?
    curl -si $ORDERS_NEW_URL/healthz | grep -i '^migration-stage' | tr -d '\r' >$OUT/stage
    exit $status
  )");
  EXPECT_THAT(ended, RefusesWith("the copy failed"));
  EXPECT_THAT(contents(directory_ / "stage"), HasSubstr("off"));
}

TEST_F(Commands, CompareSaysWhatDiffers) {
  const Ended ended = with_orders(R"sh(
    $BIN/orders-copy --quiet --from legacy --to new
    $REHEARSE compare --config fixtures/orders/rehearse.yaml; echo $? >$OUT/equal
    psql -qX "$ORDERS_NEW_DSN" -c "UPDATE orders SET comment = 'by hand' WHERE id = (SELECT min(id) FROM orders)"
    $REHEARSE compare --config fixtures/orders/rehearse.yaml --json >$OUT/compare.json
  )sh");
  EXPECT_EQ(ended.status, 1) << ended.err;
  EXPECT_EQ(contents(directory_ / "equal"), "0\n") << ended.out;
  const json::value found = json::parse(contents(directory_ / "compare.json"));
  EXPECT_EQ(found.at("differences"), 1);
  EXPECT_EQ(found.at_pointer("/rows/0/columns/0/new"), "by hand");
  EXPECT_EQ(found.at_pointer("/entities/0/planted"), found.at_pointer("/entities/0/planted_found"));
}

// What stands beside `databases` and the mapping does not matter to the comparison.
TEST_F(Commands, CompareLooksAtEverythingThatTablesDoNotShow) {
  const Ended ended = with_orders(R"sh(
    export PGOPTIONS="-c client_min_messages=warning"
    for d in legacy new; do psql -qX "$ORDERS_ADMIN_DSN" -c "CREATE DATABASE cmp_$d"; done
    L="$ORDERS_ADMIN_DSN dbname=cmp_legacy"; N="$ORDERS_ADMIN_DSN dbname=cmp_new"
    for d in "$L" "$N"; do
      psql -qX "$d" -c "CREATE TABLE t (id bigserial PRIMARY KEY, price numeric CHECK (price > 0), note text)"
      psql -qX "$d" -c "INSERT INTO t (price) SELECT i FROM generate_series(1, 9) i"
      psql -qXtA "$d" -c "SELECT lo_from_bytea(4711, 'content')" >/dev/null
    done
    cat >$OUT/map.yaml <<END
databases: {legacy: {dsn: "$L"}, new: {dsn: "$N"}}
entities: {t: {key: [id], legacy: t, new: t}}
sequences: [{entity: t, legacy: t_id_seq, new: t_id_seq, rule: equal}]
END
    compare() { $REHEARSE compare -c $OUT/map.yaml "$@" >$OUT/out 2>$OUT/err; echo "$? $(tail -1 $OUT/out)"; grep -h "$WANT" $OUT/out; }
    WANT="large objects: 1 rows legacy, 1 new, equal"; compare
    psql -qX "$N" -c "SELECT nextval('t_id_seq')" >/dev/null; WANT="would not give the same number"; compare
    psql -qX "$N" -c "SELECT setval('t_id_seq', 3)" >/dev/null; WANT="in use would be given again"; compare
    psql -qX "$N" -c "SELECT setval('t_id_seq', 9)" >/dev/null
    psql -qX "$N" -c "SELECT lo_put(4711, 0, 'C')" >/dev/null; WANT="large objects/4711.sha256"; compare
    psql -qX "$N" -c "SELECT lo_put(4711, 0, 'c')" >/dev/null
    psql -qX "$N" -c "ALTER TABLE t DROP CONSTRAINT t_price_check; UPDATE t SET price = 0 WHERE id = 1"
    psql -qX "$N" -c "ALTER TABLE t ADD CHECK (price > 0) NOT VALID"; WANT="rows of t in the new database break"; compare
    $REHEARSE compare -c $OUT/map.yaml --repair-sql $OUT/repair.sql >/dev/null; psql -qX "$N" -f $OUT/repair.sql
    WANT="^equal"; compare
    psql -qX "$L" -c "ALTER TABLE t ADD COLUMN more int"; psql -qX "$N" -c "ALTER TABLE t ADD COLUMN more int"
    sed -i 's/legacy: t, new: t}/legacy: "SELECT id, price, note FROM t", new: "SELECT id, price, note FROM t"}/' $OUT/map.yaml
    WANT="columns that no entity reads (legacy: t.more; new: t.more)"; compare
    sed -i 's/FROM t"/FROM t WHERE id < 0"/g' $OUT/map.yaml; WANT="the tables that it reads have some"; compare
    for d in "$L" "$N"; do psql -qXtA "$d" -c "SELECT lo_unlink(4711)" >/dev/null; done
    psql -qX "$L" -c "DELETE FROM t"; psql -qX "$N" -c "DELETE FROM t"; WANT="there are no rows on either side"; compare
    for d in legacy new; do psql -qX "$ORDERS_ADMIN_DSN" -c "DROP DATABASE cmp_$d"; done
  )sh");
  EXPECT_THAT(lines_of(ended.out),
              testing::ElementsAre(HasSubstr("0 equal"), HasSubstr("large objects"), HasSubstr("1 different"),
                                   HasSubstr("same number"), HasSubstr("1 different"), HasSubstr("given again"),
                                   HasSubstr("1 different"), HasSubstr("sha256"), HasSubstr("1 different"),
                                   HasSubstr("1 rows of t"), HasSubstr("0 equal"), HasSubstr("equal"),
                                   HasSubstr("2 unknown"), HasSubstr("t.more"), HasSubstr("2 unknown"),
                                   HasSubstr("have some"), HasSubstr("2 unknown"), HasSubstr("no rows on either side")))
      << ended.err;
}

TEST_F(Commands, CompareThatIsInterruptedLeavesNoSessionBehind) {
  const Ended ended = with_orders(R"sh(
    cat >$OUT/map.yaml <<END
databases: {legacy: {dsn: "\${ORDERS_LEGACY_DSN}"}, new: {dsn: "\${ORDERS_NEW_DSN}"}}
entities: {slow: {key: [id], legacy: "SELECT i AS id, pg_sleep(0.01)::text AS v FROM generate_series(1, 100000) i", new: "SELECT i AS id, '' AS v FROM generate_series(1, 100000) i"}}
END
    ours() { psql -qXtA "$ORDERS_ADMIN_DSN" -c "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%pg_sleep%'"; }
    $REHEARSE compare -c $OUT/map.yaml --connections 2 &
    compare=$!
    until [ "$(ours)" != 0 ]; do sleep 0.02; done
    kill -INT $compare
    wait $compare; echo "status $?"
    until [ "$(ours)" = 0 ]; do sleep 0.02; done
  )sh");
  EXPECT_THAT(ended.out, AllOf(HasSubstr("interrupted"), HasSubstr("status 130")));
}

// A password in a file, an encrypted connection whose certificate is verified, a service: what libpq knows, a dsn may say.
TEST_F(Commands, CompareConnectsAsLibpqDoes) {
  const Ended ended = with_orders(R"sh(
    cert() { openssl req -new -x509 -days 2 -nodes -subj "/CN=localhost" -out $OUT/cert.pem -keyout $OUT/key.pem 2>/dev/null; }
    cert; data=$(psql -qXtA "$ORDERS_ADMIN_DSN" -c "SHOW data_directory")
    cp $OUT/cert.pem $OUT/key.pem $data/; chown --reference=$data $data/cert.pem $data/key.pem; chmod 600 $data/key.pem
    for set in "ssl_cert_file = 'cert.pem'" "ssl_key_file = 'key.pem'" "ssl = on"; do
      psql -qX "$ORDERS_ADMIN_DSN" -c "ALTER SYSTEM SET $set"; done
    psql -qXtA "$ORDERS_ADMIN_DSN" -c "SELECT pg_reload_conf()" >/dev/null
    until psql -qX "$ORDERS_ADMIN_DSN sslmode=require" -c "" 2>/dev/null; do sleep 0.05; done
    printf '[orders]\nhost=127.0.0.1\nport=%s\nuser=rehearse\ndbname=orders_legacy\nsslmode=verify-ca\nsslrootcert=%s\n' \
      "$(psql -qXtA "$ORDERS_ADMIN_DSN" -c "SHOW port")" $OUT/cert.pem >$OUT/services
    cat >$OUT/map.yaml <<END
databases: {legacy: {dsn: "service=orders"}, new: {dsn: "service=orders dbname=orders_legacy passfile=$OUT/pass"}}
entities: {session: {key: [encrypted], legacy: &s "SELECT ssl AS encrypted FROM pg_stat_ssl WHERE pid = pg_backend_pid()", new: *s}}
ignored_tables: &all {legacy: {customers: x, products: x, orders: x, order_items: x, payments: x, idempotency_keys: x}, new: {customers: x, products: x, orders: x, order_items: x, payments: x, idempotency_keys: x}}
END
    PGSERVICEFILE=$OUT/services $REHEARSE compare -c $OUT/map.yaml --json
    cp $OUT/cert.pem $OUT/old.pem; cert; sed -i "s|=$OUT/cert.pem|=$OUT/key.pem|" $OUT/services
    PGSERVICEFILE=$OUT/services $REHEARSE compare -c $OUT/map.yaml; echo "status $?"
  )sh");
  EXPECT_THAT(ended.out, AllOf(HasSubstr("\"verdict\":\"equal\""), HasSubstr("status 3"))) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("cannot connect to the legacy database"));
}

// A pooler in session mode, and passwords that stand in a file.
TEST_F(Commands, CompareGoesThroughAPoolerAndReadsPasswordFiles) {
  const Ended ended = with_orders(R"sh(
    port=$(psql -qXtA "$ORDERS_ADMIN_DSN" -c "SHOW port"); data=$(psql -qXtA "$ORDERS_ADMIN_DSN" -c "SHOW data_directory")
    free=$(python3 -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])")
    cat >$OUT/pooler.ini <<END
[databases]
* = host=127.0.0.1 port=$port user=rehearse
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $free
unix_socket_dir =
auth_type = any
pool_mode = session
END
    pgbouncer $([ $(id -u) = 0 ] && echo -u postgres) $OUT/pooler.ini >$OUT/pooler.log 2>&1 &
    pooler=$!
    until psql -qX "host=127.0.0.1 port=$free dbname=orders_legacy" -c "" 2>/dev/null; do sleep 0.05; done
    cat >$OUT/map.yaml <<END
databases: {legacy: {dsn: "host=127.0.0.1 port=$free dbname=orders_legacy"}, new: {dsn: "host=127.0.0.1 port=$free dbname=orders_legacy"}}
entities: {products: {key: [sku], legacy: products, new: products}, orders: {key: [id], legacy: orders, new: orders}}
END
    for strategy in full hashes auto; do
      $REHEARSE compare -c $OUT/map.yaml --entity products --entity orders --connections 3 --strategy $strategy | tail -1
    done
    kill $pooler; wait $pooler
    psql -qX "$ORDERS_ADMIN_DSN" -c "CREATE ROLE secret LOGIN PASSWORD 'hunter2'; GRANT pg_read_all_data TO secret"
    sed -i '1i host all secret 127.0.0.1/32 scram-sha-256' $data/pg_hba.conf
    psql -qXtA "$ORDERS_ADMIN_DSN" -c "SELECT pg_reload_conf()" >/dev/null
    until ! psql -qXw "host=127.0.0.1 port=$port user=secret dbname=orders_legacy" -c "" 2>/dev/null; do sleep 0.05; done
    sed -i "s/port=[0-9]*/port=$port user=secret/g" $OUT/map.yaml
    $REHEARSE compare -c $OUT/map.yaml --entity products </dev/null; echo "without: $?"
    echo "127.0.0.1:$port:*:secret:hunter2" >$OUT/pass; chmod 600 $OUT/pass
    PGPASSFILE=$OUT/pass $REHEARSE compare -c $OUT/map.yaml --entity products >/dev/null; echo "by environment: $?"
    sed -i "s|user=secret|user=secret passfile=$OUT/pass|g" $OUT/map.yaml
    $REHEARSE compare -c $OUT/map.yaml --entity products >/dev/null; echo "by dsn: $?"
    psql -qX "$ORDERS_ADMIN_DSN" -c "DROP OWNED BY secret; DROP ROLE secret"; rm $OUT/pass
  )sh");
  EXPECT_THAT(lines_of(ended.out),
              testing::ElementsAre(testing::StartsWith("equal"), testing::StartsWith("equal"),
                                   testing::StartsWith("equal"), "without: 3", "by environment: 0", "by dsn: 0"))
      << ended.err << contents(directory_ / "pooler.log");
  EXPECT_THAT(ended.err, AllOf(HasSubstr("no password supplied"), testing::Not(HasSubstr("hunter2"))));
}

// Rows that differ say who wrote them; columns that may differ are counted and not reported.
TEST_F(Commands, CompareNamesTheRequestThatWroteARowAndCountsWhatIsMasked) {
  std::ofstream(directory_ / "plan.json") << R"({"schema_version": 1, "steps": [{"id": 1, "request": {
    "method": "POST", "target": "/customers", "headers": [["Content-Type", "application/json"], ["Idempotency-Key", "k"]],
    "body": "{\"name\":\"Ada\",\"email\":\"ada-x@example.com\",\"street\":\"a\",\"city\":\"b\",\"postal_code\":\"1\"}"}}]})";
  const Ended ended = with_orders(R"sh(
    export PGOPTIONS="-c client_min_messages=warning"
    psql -qX "$ORDERS_LEGACY_DSN" -c "CREATE EXTENSION pg_walinspect"
    $REHEARSE play $OUT/plan.json --target $ORDERS_LEGACY_URL --writes allowed --history $OUT/history.sqlite >$OUT/play.out 2>&1 || cat $OUT/play.out >&2
    psql -qX "$ORDERS_LEGACY_DSN" -c "CREATE TABLE before AS SELECT * FROM customers WHERE email <> 'ada-x@example.com'"
    psql -qX "$ORDERS_LEGACY_DSN" -c "UPDATE before SET updated_at = updated_at + interval '1 s'"
    cat >$OUT/map.yaml <<END
databases: {legacy: {dsn: "\${ORDERS_LEGACY_DSN}"}, new: {dsn: "\${ORDERS_LEGACY_DSN}"}}
entities: {customers: {key: [id], legacy: customers, new: before, masked: {updated_at: "each service has a clock of its own"}}}
END
    $REHEARSE compare -c $OUT/map.yaml --entity customers --history $OUT/history.sqlite; echo "status $?"
    sed -i 's/masked: {updated_at: [^}]*}/masked: {updated_at: ""}/' $OUT/map.yaml
    $REHEARSE compare -c $OUT/map.yaml --entity customers; echo "status $?"
  )sh");
  EXPECT_THAT(ended.out, AllOf(HasSubstr("is in the legacy database only"), HasSubstr("row written by transaction"),
                               HasSubstr(", LSN "), HasSubstr("by POST /customers (step 1 of "),
                               HasSubstr("the only write under way when it was committed"),
                               testing::ContainsRegex("updated_at: [0-9]+ values differ and are masked"),
                               HasSubstr("1 differ"), HasSubstr("status 1"), HasSubstr("status 3")))
      << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("give the reason why updated_at may differ"));
}

TEST_F(Commands, CompareRefusesWhatItCannotReadInOneSentence) {
  const auto compare = [&](const std::string& map) {
    std::ofstream(directory_ / "map.yaml") << map;
    return with_orders("$REHEARSE compare -c $OUT/map.yaml 2>&1");
  };
  const std::string databases =
      "databases: {legacy: {dsn: \"${ORDERS_LEGACY_DSN}\"}, new: {dsn: \"${ORDERS_NEW_DSN}\"}}\n";
  const auto says = [](const Ended& ended, int status, const std::string& what) {
    EXPECT_EQ(ended.status, status) << ended.out;
    EXPECT_THAT(ended.out, HasSubstr(what));
  };
  says(compare("entities: [\n"), 3, "indent with spaces");
  says(compare(databases), 3, "the configuration maps no entities");
  says(compare("databases: {legacy: {dsn: \"host=/nowhere dbname=x\"}, new: {dsn: \"dbname=y\"}}\nentities: {t: {key: "
               "[id], legacy: t, new: t}}"),
       3, "cannot connect to the legacy database");
  says(compare(databases + "entities: {t: {key: [id], legacy: SELECT id FROM nowhere, new: SELECT 1 AS id}}"), 2,
       "nowhere");
  says(compare(databases + "entities: {t: {key: [id], legacy: SELEC id, new: SELECT 1 AS id}}"), 2, "syntax error");
  says(compare(databases +
               "entities: {t: {key: [id], legacy: \"SELECT 1 AS id, 1 AS v\", new: \"SELECT 1 AS id, now() AS v\"}}"),
       2, "integer and timestamp with time zone cannot be compared");
  says(compare(databases + "ignored_columns: {legacy: {note: why}}\nentities: {t: {key: [id], legacy: t, new: t}}"), 3,
       "write note as table.column");
}

}  // namespace
}  // namespace rehearse::harness
