// `rehearse fuzz` against the reference system: what a user types, what it prints, what it leaves behind.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "harness/process.h"
#include "replay/plan.h"

namespace rehearse::harness {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Ended {
  int status = -1;
  std::string out, err;
};

class Fuzzing : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::temp_directory_path() / fmt::format("fuzz_test_{}_{}", getpid(),
                                                         testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(directory_);
  }
  void TearDown() override {
    if (!HasFailure()) fs::remove_all(directory_);
  }

  // Below a small reference system; `options` are its own.
  [[nodiscard]] Ended fuzz(const std::string& arguments, const std::string& options = "--oracle") const {
    const std::string d = directory_.string();
    const std::string bin = REHEARSE_BINARY_DIR;
    const CommandResult result = run(
        fmt::format(
            "cd {} && {}/fixtures/orders-system --small {} -- {}/rehearse fuzz --config fixtures/orders/rehearse.yaml "
            "--traffic fixtures/captures/orders-small.pcap -o {}/found {} >{}/out 2>{}/err",
            REHEARSE_SOURCE_DIR, bin, options, bin, d, arguments, d, d),
        280s);
    return {result.status, contents(directory_ / "out"), contents(directory_ / "err")};
  }
  // Looks for a bug until it is found, and says by which invariants.
  [[nodiscard]] json::value found_with(const std::string& bug, const std::string& arguments) const {
    const Ended ended = fuzz("--json --seed 1 --seconds 150 --shrink-seconds 20 " + arguments, "--oracle --bug " + bug);
    EXPECT_EQ(ended.status, 1) << ended.out << ended.err;
    return json::parse(ended.out);
  }
  static bool names(const json::value& document, std::string_view invariant) {
    for (const auto& id : document.at("failures").at(0).at("invariants").as_array())
      if (id.as_string() == invariant) return true;
    return false;
  }

  fs::path directory_;
};

// Bounded by plans and not by time: the same plans on every machine.
TEST_F(Fuzzing, FindsNothingInTheGoodSystem) {
  const Ended ended = fuzz("--json --seed 20 --plans 120 --seconds 200");
  const json::value document = json::parse(ended.out);
  EXPECT_EQ(document.at("plans").as_int64(), 120) << ended.err;
  EXPECT_TRUE(document.at("failures").as_array().empty()) << ended.out;
  EXPECT_EQ(document.at("unknown").as_int64(), 0) << ended.out;
  EXPECT_EQ(document.at("not_reproduced").as_int64(), 0) << ended.out;
  // So few plans may not meet everything; then it is unknown, and says what it did not meet.
  EXPECT_EQ(ended.status, document.at("not_met").as_array().empty() ? 0 : 2);
}

TEST_F(Fuzzing, AFailureIsShrunkKeptPlayedAgainAndFixed) {
  const json::value document = found_with("B20", "--no-flips --no-faults --lanes 1 --stage shadow");
  EXPECT_TRUE(names(document, "G5"));
  const json::value& failure = document.at("failures").at(0);
  EXPECT_EQ(failure.at("steps").as_int64(), 1);
  EXPECT_TRUE(failure.at("minimal").as_bool());
  EXPECT_EQ(failure.at("failed"), failure.at("played"));
  const std::string file(failure.at("file").as_string());
  const replay::Plan plan = replay::plan_from_json(contents(file));
  ASSERT_EQ(plan.steps.size(), 2U);
  EXPECT_EQ(plan.steps[0].cue, "world shadow");
  EXPECT_THAT(contents(fs::path(file).replace_extension(".sh")), testing::IsEmpty());  // --json prints no script

  const Ended again = fuzz("--plan " + file, "--oracle --bug B20");
  EXPECT_EQ(again.status, 1) << again.err;
  EXPECT_THAT(again.out, AllOf(HasSubstr("violates G5"), HasSubstr("3 of 3 times"), HasSubstr("new database")));
  const Ended still = fuzz("--seconds 0", "--oracle --bug B20");
  EXPECT_EQ(still.status, 1) << still.err;
  EXPECT_THAT(still.out, HasSubstr(file + ": still failing"));
  const Ended good = fuzz("--plan " + file);
  EXPECT_EQ(good.status, 0) << good.out << good.err;
  const Ended fixed = fuzz("--seconds 0");
  EXPECT_THAT(fixed.out, HasSubstr(file + ": fixed"));
}

// What was captured comes down to the requests that matter, by the same shrinker.
TEST_F(Fuzzing, CapturedTrafficThatFailsIsShrunk) {
  const Ended ended = fuzz("--json --seconds 0 --captured --stage shadow --shrink-seconds 120", "--oracle --bug B20");
  EXPECT_EQ(ended.status, 1) << ended.out << ended.err;
  const json::value document = json::parse(ended.out);
  EXPECT_TRUE(names(document, "G5"));
  const json::value& failure = document.at("failures").at(0);
  EXPECT_GE(failure.at("steps_before").as_int64(), 100) << "the capture holds more than that";
  EXPECT_EQ(failure.at("steps").as_int64(), 1);
  const Ended good = fuzz("--seconds 0 --captured --stage shadow --json");
  EXPECT_TRUE(json::parse(good.out).at("failures").as_array().empty()) << good.out;
  EXPECT_EQ(json::parse(good.out).at("plans").as_int64(), 1);
}

TEST_F(Fuzzing, TellsAFailureWithItsLanesAndItsScript) {
  const Ended ended = fuzz("--seed 1 --seconds 60 --shrink-seconds 20 --no-flips --no-faults --lanes 1 --stage live",
                           "--oracle --bug B16");
  EXPECT_EQ(ended.status, 1) << ended.err;
  EXPECT_THAT(ended.out, AllOf(HasSubstr("G9"), HasSubstr("flag: live"), HasSubstr("legacy database"),
                               HasSubstr("it needs a sequence of requests"),
                               HasSubstr("play it again: rehearse fuzz --config"), HasSubstr("verdict: fail")));
  bool script = false;
  for (const auto& entry : fs::directory_iterator(directory_ / "found"))
    if (entry.path().extension() == ".sh")
      script = contents(entry.path()).find("curl -sS -X 'POST'") != std::string::npos;
  EXPECT_TRUE(script);
}

TEST_F(Fuzzing, FindsWhatAFlipBrings) {
  EXPECT_TRUE(names(found_with("B67", "--no-faults --lanes 1 --stage completed"), "R5"));
}

TEST_F(Fuzzing, FindsWhatAFaultBrings) {
  const json::value document = found_with("B04", "--no-flips --lanes 1 --stage shadow");
  EXPECT_TRUE(names(document, "S3") || names(document, "G7")) << document;
}

// A write that is held on its way to the new database until a later one of the same row has been answered.
constexpr const char* gated = R"({"schema_version": 1, "steps": [
  {"id": 1, "cue": "world live"},
  {"id": 2, "cue": "wire new-database: hold write \"~12~\" at most 100ms", "after": [1]},
  {"id": 3, "lane": 1, "after": [2], "request": {"method": "PATCH", "target": "/customers/7", "headers": [["Content-Type", "application/json"]], "body": "{\"name\": \"a ~12~\"}"}},
  {"id": 4, "cue": "wire new-database: await", "after": [2]},
  {"id": 5, "lane": 2, "after": [4], "request": {"method": "PATCH", "target": "/customers/7", "headers": [["Content-Type", "application/json"]], "body": "{\"name\": \"b ~13~\"}"}},
  {"id": 6, "cue": "wire new-database: release", "after": [5]},
  {"id": 7, "lane": 1, "after": [3, 6], "read": true, "request": {"method": "GET", "target": "/customers/7", "headers": []}}]})";

std::string replaced(std::string text, const std::string& old, const std::string& now) {
  return text.replace(text.find(old), old.size(), now);
}

TEST_F(Fuzzing, AGateHoldsAWriteAndTheGoodSystemKeepsTheOrder) {
  const std::string file = (directory_ / "gated.json").string();
  std::ofstream(file) << gated;
  const Ended ended = fuzz("--plan " + file, "--oracle --wires");
  EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out, AllOf(HasSubstr("hold write"), HasSubstr("3 -> 200"), HasSubstr("5 -> 200")));
}

// B01 gives its lock back before the new database is written. Held as its transaction begins, for it locks the row before it writes.
TEST_F(Fuzzing, AGateShowsALockThatIsGivenBackTooEarly) {
  const std::string file = (directory_ / "gated.json").string();
  std::ofstream(file) << replaced(gated, "hold write \\\"~12~", "hold \\\"BEGIN");
  const Ended ended = fuzz("--plan " + file, "--oracle --wires --bug B01");
  EXPECT_EQ(ended.status, 1) << ended.out << ended.err;
  EXPECT_THAT(ended.out, AllOf(HasSubstr("G5"), HasSubstr("G6")));
}

// An id is used up by what fails. A text that holds a path then names another number than at legacy alone, and the same thing.
TEST_F(Fuzzing, ANumberThatWasUsedUpIsNoLostWrite) {
  const std::string file = (directory_ / "again.json").string();
  std::ofstream(file) << R"({"schema_version": 1, "steps": [
  {"id": 1, "cue": "world shadow"},
  {"id": 2, "cue": "wire legacy-database: reset write", "after": [1]},
  {"id": 3, "lane": 1, "after": [2], "request": {"method": "POST", "target": "/orders", "headers": [["Content-Type", "application/json"], ["Idempotency-Key", "once"]], "body": "{\"customer_id\": 7, \"items\": [{\"sku\": \"SKU-00001\", \"quantity\": 1}]}"}},
  {"id": 4, "lane": 1, "after": [3], "request": {"method": "POST", "target": "/orders", "headers": [["Content-Type", "application/json"], ["Idempotency-Key", "once"]], "body": "{\"customer_id\": 7, \"items\": [{\"sku\": \"SKU-00001\", \"quantity\": 1}]}"}},
  {"id": 5, "cue": "mend", "after": [4]}]})";
  const Ended ended = fuzz("--plan " + file, "--oracle --wires");
  EXPECT_EQ(ended.status, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out, AllOf(HasSubstr("3 -> 503"), HasSubstr("4 -> 201")));
}

TEST_F(Fuzzing, AGateThatMetNothingProvesNothing) {
  const std::string file = (directory_ / "gated.json").string();
  std::ofstream(file) << replaced(gated, "hold write \\\"~12~", "hold write \\\"~99~");
  const Ended ended = fuzz("--plan " + file, "--oracle --wires");
  EXPECT_EQ(ended.status, 2) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("never fired: wire new-database: hold write \"~99~\" at most 100ms"));
}

TEST_F(Fuzzing, RulesThatCannotBeFollowedAreRefusedInOneSentence) {
  const std::string file = (directory_ / "gated.json").string();
  std::ofstream(file) << gated;
  const Ended without = fuzz("--plan " + file);
  EXPECT_EQ(without.status, 3) << without.out;
  EXPECT_THAT(without.err, HasSubstr("names no such wire (fuzz.wires.new-database)"));
  std::ofstream(file) << replaced(gated, "await", "wait for it");
  const Ended bad = fuzz("--plan " + file, "--oracle --wires");
  EXPECT_EQ(bad.status, 3) << bad.out;
  EXPECT_THAT(bad.err, HasSubstr("the rule \"wait for it\" is not understood"));
}

TEST_F(Fuzzing, FindsNothingInTheGoodSystemWhenItsWiresBreak) {
  const Ended ended =
      fuzz("--json --seed 3 --plans 60 --seconds 200 --no-flips --stage shadow --stage live", "--oracle --wires");
  const json::value document = json::parse(ended.out);
  EXPECT_EQ(document.at("plans").as_int64(), 60) << ended.err;
  EXPECT_TRUE(document.at("failures").as_array().empty()) << ended.out;
  EXPECT_EQ(document.at("unknown").as_int64(), 0) << ended.out;
}

// "B44-M5.json": with the bug the plan holds, and it shows when the relation changes it. In the good system that holds, too; what a busy
// machine does not let be told is no alarm.
TEST_F(Fuzzing, ARelationFindsWhatThePlanAloneDoesNotShow) {
  for (const auto& [bug, relation] : {std::pair("B29", "M1"), std::pair("B44", "M5"), std::pair("B11", "M6")}) {
    const std::string file =
        fmt::format("{}/fixtures/orders/witnesses/relations/{}-{}.json", REHEARSE_SOURCE_DIR, bug, relation);
    SCOPED_TRACE(file);
    const Ended broken = fuzz("--plan " + file, fmt::format("--oracle --bug {}", bug));
    EXPECT_EQ(broken.status, 1) << broken.out << broken.err;
    EXPECT_THAT(broken.out.substr(0, broken.out.find('\n')), HasSubstr(relation));
    EXPECT_THAT(broken.out, HasSubstr("\nand "));  // both plays are drawn
    const Ended good = fuzz("--plan " + file);
    EXPECT_THAT(good.status, testing::AnyOf(0, 2)) << good.out << good.err;
    // Without its cue it holds: the relation is what finds it.
    const std::string alone = (directory_ / "alone.json").string();
    const replay::Plan plan = replay::filtered(replay::plan_from_json(contents(file)), [](const replay::Step& step) {
      return !step.cue.starts_with("relate");
    });
    std::ofstream(alone) << replay::to_json(plan);
    const Ended without = fuzz("--plan " + alone, fmt::format("--oracle --bug {}", bug));
    EXPECT_THAT(without.status, testing::AnyOf(0, 2)) << without.out << without.err;
  }
}

TEST_F(Fuzzing, RelationsAreLookedAtAndCanBeLeftOut) {
  const std::string arguments =
      "--json --seed 4 --plans 40 --no-faults --no-flips --lanes 1 --stage live --seconds 200";
  const json::value with = json::parse(fuzz(arguments).out);
  EXPECT_TRUE(with.at("failures").as_array().empty());
  EXPECT_GE(with.at("related").as_int64(), 8);
  EXPECT_GE(with.at("relations").as_object().size(), 4U) << with;
  const json::value without = json::parse(fuzz(arguments + " --no-relations").out);
  EXPECT_EQ(without.at("related").as_int64(), 0);
  EXPECT_TRUE(without.at("relations").as_object().empty());
}

TEST_F(Fuzzing, TheSameSeedPlaysTheSamePlans) {
  const std::string arguments = "--json --seed 5 --plans 10 --no-flips --no-faults --lanes 1 --stage shadow";
  static_cast<void>(fuzz(arguments));
  const std::string first = contents(directory_ / "found/plans.ndjson");
  static_cast<void>(fuzz(arguments));
  const std::string second = contents(directory_ / "found/plans.ndjson");
  const auto requests = [](const std::string& lines) {
    std::vector<std::int64_t> counts;
    std::istringstream in(lines);
    for (std::string line; std::getline(in, line);) counts.push_back(json::parse(line).at("requests").as_int64());
    return counts;
  };
  EXPECT_EQ(requests(first), requests(second));
  EXPECT_EQ(requests(first).size(), 10U);
}

// Two systems that share nothing: plans are played in both, and what is found in either is confirmed and shrunk there.
TEST_F(Fuzzing, PlansArePlayedInSeveralSystemsAtOnce) {
  const auto beside = [&](const std::string& options, const std::string& arguments) {
    const std::string d = directory_.string();
    const CommandResult result = run(
        fmt::format("cd {} && REHEARSE_BUILD={} ci/systems 2 --small --oracle {} -- {}/rehearse fuzz --config "
                    "fixtures/orders/rehearse.yaml --traffic fixtures/captures/orders-small.pcap -o {}/found --json {} "
                    ">{}/out 2>{}/err",
                    REHEARSE_SOURCE_DIR, REHEARSE_BINARY_DIR, options, REHEARSE_BINARY_DIR, d, arguments, d, d),
        280s);
    return Ended{result.status, contents(directory_ / "out"), contents(directory_ / "err")};
  };
  const Ended good = beside("", "--seed 4 --plans 41 --no-faults --seconds 200");
  const json::value document = json::parse(good.out);
  EXPECT_EQ(document.at("plans").as_int64(), 41) << good.err;
  EXPECT_TRUE(document.at("failures").as_array().empty()) << good.out;
  EXPECT_EQ(document.at("unknown").as_int64(), 0) << good.out;
  const Ended bad = beside("--bug B20", "--seed 4 --no-flips --no-faults --lanes 1 --stage shadow --shrink-seconds 60");
  EXPECT_EQ(bad.status, 1) << bad.err;
  const json::value found = json::parse(bad.out);
  ASSERT_EQ(found.at("failures").as_array().size(), 1U) << bad.out;
  EXPECT_TRUE(names(found, "G5"));
  EXPECT_EQ(found.at("failures").at(0).at("steps").as_int64(), 1);
}

TEST_F(Fuzzing, ASystemBesideMustBeAnotherOne) {
  const std::string file = (directory_ / "same.variables").string();
  std::ofstream(file) << "# nothing is another one there\nOTHER=1\n";
  const Ended same = fuzz("--seconds 1 --beside " + file);
  EXPECT_EQ(same.status, 3) << same.out;
  EXPECT_THAT(same.err, HasSubstr("have the same legacy database: give each one of its own"));
  std::ofstream(file) << "no variable\n";
  EXPECT_THAT(fuzz("--seconds 1 --beside " + file).err, HasSubstr("line 1: write NAME=value"));
  EXPECT_THAT(fuzz("--seconds 1 --beside /none").err, HasSubstr("cannot read the variables /none"));
}

TEST_F(Fuzzing, WhatIsMissingIsSaidInOneSentence) {
  const Ended without = fuzz("--seconds 1", "");
  EXPECT_EQ(without.status, 3);
  EXPECT_THAT(without.err, AllOf(HasSubstr("fuzz.oracle"), HasSubstr("second legacy service")));
  EXPECT_EQ(fuzz("--stage sideways --seconds 1").status, 3);
  std::ofstream(directory_ / "bad.json") << R"({"schema_version": 1, "steps": [{"id": 1, "cue": "dance"}]})";
  const Ended bad = fuzz("--plan " + (directory_ / "bad.json").string());
  EXPECT_EQ(bad.status, 3);
  EXPECT_THAT(bad.err, HasSubstr("the cue \"dance\" is not understood"));
}

}  // namespace
}  // namespace rehearse::harness
