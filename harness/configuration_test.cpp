#include "harness/configuration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "harness/process.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

namespace fs = std::filesystem;
using properties::Edge;
using properties::Stage;
using std::chrono_literals::operator""ms;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr const char* services = R"(
services: {legacy: {url: "http://127.0.0.1:1"}, new: {url: "http://127.0.0.1:2"}}
)";
constexpr const char* databases = R"(
databases: {legacy: {dsn: dbname=l}, new: {dsn: dbname=n}}
)";
constexpr const char* flag = "\nflag: {file: flags.json}\n";

class ConfigurationFile : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::temp_directory_path() / ("configuration_test_" + std::to_string(getpid()));
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string write(const std::string& text, const std::string& name = "rehearse.yaml") {
    std::ofstream(directory_ / name) << text;
    return directory_ / name;
  }
  // The least that is accepted, and `more`.
  Configuration with(const std::string& more) {
    return load_configuration(write(std::string(services) + databases + flag + more));
  }
  Configuration whole(const std::string& text) { return load_configuration(write(text)); }

  std::string refusal_of_text(const std::string& text) {
    try {
      static_cast<void>(whole(text));
    } catch (const Error& problem) {
      return problem.what();
    }
    return "it was accepted";
  }
  std::string refusal(const std::string& more) {
    return refusal_of_text(std::string(services) + databases + flag + more);
  }

  fs::path directory_;
};

TEST_F(ConfigurationFile, EveryKeyIsTaken) {
  const Configuration c = whole(R"(
schema_version: 1
title: parcels
traffic: captures/day.pcap
services:
  legacy: {url: "http://a:1", writes: allowed, start: begin, stop: finish, requests: {path: /m, metric: hits}}
  new: {url: ["http://b:2", "http://c:3"], writes: allowed}
databases:
  legacy: {dsn: dbname=l, disposable: true, restore: {template: l_template}}
  new: {dsn: dbname=n, disposable: true, restore: {command: put back}}
flag: {command: "set {}", key: phase, propagation: 2s, rejected_metric: no, unreported: logged, values: {off: a, read-only: b, shadow: c, live: d, completed: e}}
stage: {path: /status, json: /phase}
copy: {forward: there, backward: back}
refusal: {status: 423, headers: [X-Frozen, X-Until], content_type: application/json}
legacy_gone: {status: 404, headers: [X-Moved], content_type: text/plain}
compared_headers: [ETag]
answer_rules:
  - {path: "$.debug", ignore: true, reason: for developers, route: "GET /parcels/{}", owner: us, expires: 2026-12-31}
  - {path: "$.price", tolerance: within 1%, reason: rounding}
  - {path: "$.items", unordered: id, reason: a set}
  - {path: "$.tags", unordered: true, reason: a set}
  - {path: "$.name", rename: full_name, reason: agreed}
alerts:
  path: /stats
  metric: failures
  log: alerts.log
  event: raised
  fields: {store: db}
  part_of: {items: parcels}
  not_named: {keys: with the row}
reads: ["POST /find"]
writes: ["GET /next"]
not_business: [/ping]
poison: {legacy: UPDATE a, new: UPDATE b}
live: {legacy_failure: hidden}
faults: {steps: 40, latency: 3s}
guards: ["read-only:shadow", "completed:live"]
waived: {G9: they are UUIDs}
deadline: 250ms
quiet: 1m
command_deadline: 7s
entities: {parcels: {key: [id, part], legacy: SELECT 1 AS id, new: parcels_of_new}}
sequences: [{entity: parcels, legacy: s1, new: s2, column: number}]
ignored_tables: {legacy: {log: nobody reads it}, new: {state: the migration's own}}
ignored_sequences: {}
)");
  EXPECT_EQ(c.title, "parcels");
  EXPECT_EQ(c.traffic, directory_ / "captures/day.pcap");
  EXPECT_THAT(c.legacy.urls, ElementsAre("http://a:1"));
  EXPECT_THAT(c.new_.urls, ElementsAre("http://b:2", "http://c:3"));
  EXPECT_TRUE(c.legacy.writes_allowed && c.new_.writes_allowed);
  EXPECT_EQ(c.legacy.start + "," + c.legacy.stop, "begin,finish");
  EXPECT_EQ(c.legacy.requests_path + "," + c.legacy.requests_metric, "/m,hits");
  EXPECT_TRUE(c.legacy_database.disposable && c.new_database.disposable);
  EXPECT_EQ(c.legacy_database.dsn, "dbname=l");
  EXPECT_EQ(c.legacy_database.template_name, "l_template");
  EXPECT_EQ(c.new_database.restore, "put back");
  EXPECT_EQ(c.flag.kind, FlagSettings::Kind::command);
  EXPECT_EQ(c.flag.set, "set {}");
  EXPECT_EQ(c.flag.key, "phase");
  EXPECT_EQ(c.flag.propagation, 2000ms);
  EXPECT_EQ(c.flag.rejected_metric + "," + c.contract.flag_unreported, "no,logged");
  EXPECT_THAT(c.flag.values, ElementsAre(Pair(Stage::off, "a"), Pair(Stage::read_only, "b"), Pair(Stage::shadow, "c"),
                                         Pair(Stage::live, "d"), Pair(Stage::completed, "e")));
  EXPECT_EQ(c.stage.path + c.stage.json + c.stage.header, "/status/phase");
  EXPECT_EQ(c.copy_forward + "," + c.copy_backward, "there,back");
  EXPECT_EQ(c.contract.refusal.status, 423);
  EXPECT_THAT(c.contract.refusal.headers, ElementsAre("X-Frozen", "X-Until"));
  EXPECT_EQ(c.contract.refusal.content_type, "application/json");
  EXPECT_EQ(c.contract.legacy_gone.status, 404);
  EXPECT_THAT(c.contract.legacy_gone.headers, ElementsAre("X-Moved"));
  EXPECT_EQ(c.contract.legacy_gone.content_type, "text/plain");
  EXPECT_THAT(c.contract.compared_headers, ElementsAre("ETag"));
  using Rule = properties::AnswerRule;
  EXPECT_THAT(
      c.contract.answer_rules,
      ElementsAre(Rule{Rule::Kind::ignore, "GET /parcels/{}", "$.debug", "", "for developers", "us", "2026-12-31"},
                  Rule{Rule::Kind::tolerance, "", "$.price", "within 1%", "rounding", "", ""},
                  Rule{Rule::Kind::unordered, "", "$.items", "id", "a set", "", ""},
                  Rule{Rule::Kind::unordered, "", "$.tags", "", "a set", "", ""},
                  Rule{Rule::Kind::rename, "", "$.name", "full_name", "agreed", "", ""}));
  EXPECT_EQ(c.contract.stage_header, "");
  EXPECT_EQ(c.contract.stage_values.at("c"), Stage::shadow);
  EXPECT_EQ(c.contract.propagation_ns, 2'000'000'000);
  EXPECT_EQ(c.contract.fault_latency_ns, 3'000'000'000);
  EXPECT_FALSE(c.contract.legacy_failure_fails_request);
  EXPECT_THAT(c.contract.part_of, ElementsAre(Pair("items", "parcels")));
  EXPECT_THAT(c.contract.not_alerted, ElementsAre(Pair("keys", "with the row")));
  EXPECT_EQ(c.alerts.path + "," + c.alerts.metric + "," + c.alerts.event, "/stats,failures,raised");
  EXPECT_EQ(c.alerts.log, directory_ / "alerts.log");
  EXPECT_EQ(c.alerts.fields.at("store"), "db");
  EXPECT_EQ(c.alerts.fields.at("key"), "key") << "what is not renamed keeps its name";
  EXPECT_THAT(c.not_business, UnorderedElementsAre("/status", "/stats", "/ping"));
  EXPECT_EQ(c.poison_legacy + "," + c.poison_new, "UPDATE a,UPDATE b");
  EXPECT_EQ(c.fault_steps, 40u);
  EXPECT_THAT(c.guards, ElementsAre(Edge{Stage::read_only, Stage::shadow}, Edge{Stage::completed, Stage::live}));
  EXPECT_THAT(c.waived, ElementsAre(Pair("G9", "they are UUIDs")));
  EXPECT_EQ(c.deadline, 250ms);
  EXPECT_EQ(c.quiet, 60'000ms);
  EXPECT_EQ(c.command_deadline, 7000ms);
  ASSERT_EQ(c.entities.size(), 1u);
  EXPECT_EQ(c.entities[0].name, "parcels");
  EXPECT_THAT(c.entities[0].key, ElementsAre("id", "part"));
  EXPECT_EQ(c.entities[0].legacy + "," + c.entities[0].new_, "SELECT 1 AS id,parcels_of_new");
  ASSERT_EQ(c.sequences.size(), 1u);
  EXPECT_EQ(c.sequences[0].legacy + c.sequences[0].new_ + c.sequences[0].column, "s1s2number");
  EXPECT_THAT(c.ignored_legacy_tables, ElementsAre(Pair("log", "nobody reads it")));
  EXPECT_THAT(c.ignored_new_tables, ElementsAre(Pair("state", "the migration's own")));
}

TEST_F(ConfigurationFile, NothingMayBeTouchedThatTheFileDoesNotAllow) {
  const Configuration c = with("");
  EXPECT_FALSE(c.legacy.writes_allowed);
  EXPECT_FALSE(c.new_.writes_allowed);
  EXPECT_FALSE(c.legacy_database.disposable);
  EXPECT_FALSE(c.new_database.disposable);
  EXPECT_EQ(c.flag.values.at(Stage::read_only), "read-only");
  EXPECT_EQ(c.contract.stage_header, "Migration-Stage");
}

TEST_F(ConfigurationFile, VariablesOfTheEnvironmentStandForValues) {
  setenv("CONFIGURATION_TEST_HOST", "db.example", 1);
  unsetenv("CONFIGURATION_TEST_UNSET");
  const Configuration c =
      with("title: ${CONFIGURATION_TEST_HOST}:${CONFIGURATION_TEST_UNSET:-5432}/${CONFIGURATION_TEST_HOST:-x}");
  EXPECT_EQ(c.title, "db.example:5432/db.example");
  EXPECT_THAT(refusal("title: a ${CONFIGURATION_TEST_UNSET}"),
              AllOf(HasSubstr("title: the environment variable CONFIGURATION_TEST_UNSET is not set"),
                    HasSubstr("${CONFIGURATION_TEST_UNSET:-default}")));
  EXPECT_EQ(with("title: \"${CONFIGURATION_TEST_UNSET:-}\"").title, "") << "an empty default is a default";
  EXPECT_EQ(with("title: half ${open").title, "half ${open");
}

TEST_F(ConfigurationFile, SeveralAddressesMayStandInOneVariable) {
  setenv("CONFIGURATION_TEST_URLS", "http://a:1  http://b:2", 1);
  const Configuration c =
      whole(std::string("services: {legacy: {url: \"http://x:1\"}, new: {url: \"${CONFIGURATION_TEST_URLS}\"}}") +
            databases + flag);
  EXPECT_THAT(c.new_.urls, ElementsAre("http://a:1", "http://b:2"));
}

TEST_F(ConfigurationFile, KeyThatNobodyKnowsIsNamed) {
  EXPECT_THAT(refusal("titel: x"),
              AllOf(HasSubstr("rehearse.yaml: titel is no key of the configuration"), HasSubstr("title")));
  EXPECT_THAT(refusal("stage: {paht: /x}"), HasSubstr("stage.paht is no key"));
  EXPECT_THAT(refusal("alerts: {logs: x}"), HasSubstr("alerts.logs is no key"));
  EXPECT_THAT(refusal("copy: {forwards: x}"), HasSubstr("copy.forwards is no key"));
  EXPECT_THAT(refusal("refusal: {code: 1}"), HasSubstr("refusal.code is no key"));
  EXPECT_THAT(refusal("faults: {step: 1}"), HasSubstr("faults.step is no key"));
  EXPECT_THAT(refusal("entities: {a: {key: [id], legacy: a, new: a, old: b}}"), HasSubstr("entities.a.old is no key"));
  EXPECT_THAT(refusal_of_text("services: {legacy: {url: x, write: allowed}, new: {url: x}}"),
              HasSubstr("services.legacy.write is no key"));
  EXPECT_THAT(
      refusal_of_text(std::string(services) + "databases: {legacy: {dsn: x, restore: {templat: x}}, new: {dsn: x}}"),
      HasSubstr("databases.legacy.restore.templat is no key"));
}

TEST_F(ConfigurationFile, ValueOfTheWrongKindIsRefusedWithWhatIsRight) {
  EXPECT_THAT(refusal("title: [a]"), HasSubstr("title must be one value"));
  EXPECT_THAT(refusal("stage: /x"), HasSubstr("stage must be a mapping"));
  EXPECT_THAT(refusal("faults: {steps: many}"), HasSubstr("faults.steps must be a whole number, not \"many\""));
  EXPECT_THAT(refusal("faults: {steps: -1}"), HasSubstr("faults.steps must be a whole number"));
  EXPECT_THAT(refusal("faults: {steps: 3x}"), HasSubstr("faults.steps must be a whole number"));
  EXPECT_THAT(refusal("reads: {a: b}"), HasSubstr("reads must be a list"));
  EXPECT_THAT(refusal("reads: [[a]]"), HasSubstr("reads must hold plain values"));
  EXPECT_THAT(refusal("waived: [G1]"), HasSubstr("waived must be a mapping"));
  EXPECT_THAT(refusal("waived: {G1: [x]}"), HasSubstr("waived must hold plain values"));
  EXPECT_THAT(refusal("entities: [a]"), HasSubstr("entities must map names to entities"));
  EXPECT_THAT(refusal("sequences: {a: b}"), HasSubstr("sequences must be a list"));
  EXPECT_THAT(refusal("live: {legacy_failure: maybe}"), HasSubstr("live.legacy_failure must be"));
  const auto rule = [&](const std::string& text) { return refusal("answer_rules: [{" + text + "}]"); };
  EXPECT_THAT(refusal("answer_rules: all"), HasSubstr("answer_rules must be a list"));
  EXPECT_THAT(rule("ignore: true, reason: r"), HasSubstr("answer_rules[0].path is missing"));
  EXPECT_THAT(rule("path: $.a, ignore: true"), HasSubstr("answer_rules[0].reason is missing"));
  EXPECT_THAT(rule("path: $.a, reason: r"),
              HasSubstr("answer_rules[0]: give exactly one of ignore, tolerance, unordered and rename"));
  EXPECT_THAT(rule("path: $.a, reason: r, ignore: true, rename: b"), HasSubstr("exactly one of"));
  EXPECT_THAT(rule("path: $.a, reason: r, ignore: false"), HasSubstr("must be true"));
  EXPECT_THAT(rule("path: $..a, reason: r, ignore: true"), HasSubstr("is no path"));
  EXPECT_THAT(rule("path: $, reason: r, ignore: true"), HasSubstr("would ignore all of $"));
  EXPECT_THAT(rule("path: $.a, reason: r, tolerance: some"), HasSubstr("is no tolerance"));
  EXPECT_THAT(rule("path: '$.a[*]', reason: r, rename: b"), HasSubstr("must end in the name of a member"));
  EXPECT_THAT(rule("path: $.a, reason: r, ignore: true, expires: tomorrow"),
              HasSubstr("answer_rules[0].expires: \"tomorrow\" is no date such as 2026-12-31"));
  EXPECT_THAT(rule("path: $.a, reason: r, ignore: true, until: 2026-12-31"),
              HasSubstr("answer_rules[0].until is no key of the configuration"));
  EXPECT_THAT(rule("path: $.a, reason: r, ignored: true"),
              HasSubstr("answer_rules[0].ignored is no key of the configuration; known here: expires, ignore, owner"));
  EXPECT_THAT(rule("path: $.a, reason: '  ', ignore: true"), HasSubstr("answer_rules[0].reason: it needs a reason"));
  EXPECT_THAT(rule("path: $.a, reason: r, tolerance: within 1000000%"), HasSubstr("answer_rules[0].tolerance: "));
  EXPECT_THAT(rule("path: 'text[*]', reason: r, ignore: true"), HasSubstr("would ignore all of text[*]"));
  EXPECT_THAT(refusal("schema_version: 2"), HasSubstr("schema_version must be 1"));
  EXPECT_THAT(refusal_of_text("[a, b]"), HasSubstr("the file must be a mapping"));
  EXPECT_THAT(
      refusal_of_text(std::string("services: {legacy: {url: x, writes: yes}, new: {url: x}}") + databases + flag),
      HasSubstr("services.legacy.writes must be allowed or refused"));
  EXPECT_THAT(
      refusal_of_text(std::string(services) + "databases: {legacy: {dsn: x, disposable: maybe}, new: {dsn: x}}" + flag),
      HasSubstr("databases.legacy.disposable must be true or false"));
}

TEST_F(ConfigurationFile, DurationsHaveUnits) {
  EXPECT_EQ(with("deadline: 0ms").deadline, 0ms);
  EXPECT_EQ(with("deadline: 1500ms").deadline, 1500ms);
  EXPECT_EQ(with("deadline: 3s").deadline, 3000ms);
  EXPECT_EQ(with("deadline: 2m").deadline, 120'000ms);
  for (const char* wrong : {"5", "1.5s", "s", "-1s", "3 s", "3h", "9999999999999999999s"}) {
    EXPECT_THAT(refusal(std::string("deadline: ") + wrong),
                HasSubstr("deadline must be a duration with its unit, such as 500ms or 2s"))
        << wrong;
  }
}

TEST_F(ConfigurationFile, WhatCannotBeLeftOutIsAskedFor) {
  EXPECT_THAT(refusal_of_text(""), HasSubstr("services.legacy.url is missing: give the service's address"));
  EXPECT_THAT(refusal_of_text(std::string(services) + "databases: {legacy: {dsn: x}}" + flag),
              HasSubstr("databases.new.dsn is missing"));
  EXPECT_THAT(refusal_of_text(std::string(services) + databases), HasSubstr("give exactly one of file"));
  EXPECT_THAT(refusal_of_text(std::string(services) + databases + "flag: {file: a, command: b}"),
              HasSubstr("give exactly one of file"));
  EXPECT_THAT(refusal_of_text(std::string("services: {legacy: {url: x, start: y}, new: {url: x}}") + databases + flag),
              HasSubstr("services.legacy.start and services.legacy.stop are given together"));
  EXPECT_THAT(refusal_of_text(std::string("services: {legacy: {url: x}, new: {url: x, kill: y}}") + databases + flag),
              HasSubstr("services.new.kill needs services.new.start, which brings the service back"));
  EXPECT_THAT(refusal_of_text(std::string("services: {legacy: {url: x, pause: y}, new: {url: x}}") + databases + flag),
              HasSubstr("services.legacy.pause and services.legacy.resume are given together"));
  EXPECT_THAT(refusal("deadline: 9223372036854775807m\n"), HasSubstr("nothing here waits for longer than a day"));
  EXPECT_THAT(refusal("deadline: 1441m\n"), HasSubstr("nothing here waits for longer than a day"));
  EXPECT_THAT(refusal("refusal: {status: 4294967799}\n"), HasSubstr("refusal.status must be a status of HTTP"));
  EXPECT_THAT(refusal("---\ntitle: another\n"), HasSubstr("holds 2 YAML documents, and only one can be meant"));
  EXPECT_THAT(
      refusal_of_text(std::string(services) +
                      "databases: {legacy: {dsn: x, restore: {template: a, command: b}}, new: {dsn: x}}" + flag),
      HasSubstr("databases.legacy.restore: give a template or a command, not both"));
  EXPECT_THAT(refusal("entities: {a: {legacy: a, new: a}}"), HasSubstr("entities.a.key is missing"));
  EXPECT_THAT(refusal("entities: {a: {key: [id], new: a}}"), HasSubstr("entities.a.legacy is missing"));
  EXPECT_THAT(refusal("sequences: [{entity: a, legacy: s, new: s}]"), HasSubstr("a is no entity of the mapping"));
}

TEST_F(ConfigurationFile, FlagValuesNameStagesAndEachStandsForOne) {
  const auto values = [](const std::string& text) {
    return std::string(services) + databases + "flag: {file: f, values: " + text + "}";
  };
  EXPECT_THAT(refusal_of_text(values("{of: x}")),
              HasSubstr("flag.values: of is no stage; the stages are off, read-only, shadow, live, completed"));
  EXPECT_THAT(refusal_of_text(values("{off: x, live: x}")), HasSubstr("flag.values: \"x\" stands for two stages"));
  EXPECT_THAT(refusal_of_text(values("{off: live}")), HasSubstr("\"live\" stands for two stages"))
      << "live keeps its own name";
}

TEST_F(ConfigurationFile, GuardsAreLegalEdges) {
  for (const char* wrong : {"off:live", "off", "off:off", "a:b", ""}) {
    EXPECT_THAT(refusal("guards: [\"" + std::string(wrong) + "\"]"),
                HasSubstr("is no edge; write from:to with neighbouring stages"))
        << wrong;
  }
}

TEST_F(ConfigurationFile, PatternsDecideWhatIsARead) {
  const Configuration c = with(
      "reads: [\"POST /orders/search\", \"POST /orders/{}/preview\", /either]\nwrites: [\"GET "
      "/counter/next\"]\nnot_business: [/ping, \"/health/{}\"]");
  EXPECT_TRUE(c.is_read("GET", "/orders"));
  EXPECT_TRUE(c.is_read("HEAD", "/orders"));
  EXPECT_FALSE(c.is_read("POST", "/orders"));
  EXPECT_TRUE(c.is_read("POST", "/orders/search"));
  EXPECT_TRUE(c.is_read("POST", "/orders/search?limit=3")) << "a query does not make it another request";
  EXPECT_FALSE(c.is_read("PUT", "/orders/search"));
  EXPECT_FALSE(c.is_read("POST", "/orders/search/more"));
  EXPECT_FALSE(c.is_read("POST", "/orders/searching"));
  EXPECT_TRUE(c.is_read("POST", "/orders/41/preview"));
  EXPECT_FALSE(c.is_read("POST", "/orders/41/42/preview")) << "{} is one segment";
  EXPECT_TRUE(c.is_read("DELETE", "/either")) << "without a method every method";
  EXPECT_FALSE(c.is_read("GET", "/counter/next"));
  EXPECT_FALSE(c.is_read("GET", "/counter/next?by=2"));
  EXPECT_FALSE(c.is_business("/ping"));
  EXPECT_FALSE(c.is_business("/ping?x"));
  EXPECT_FALSE(c.is_business("/health/db"));
  EXPECT_FALSE(c.is_business("/healthz"));
  EXPECT_TRUE(c.is_business("/orders"));
}

TEST_F(ConfigurationFile, PathsAreRelativeToTheFile) {
  fs::create_directories(directory_ / "sub");
  write(std::string(services) + databases +
            "flag: {file: ../flags.json}\ntraffic: ../day.pcap\nalerts: {log: /var/log/alerts}",
        "sub/r.yaml");
  const Configuration c = load_configuration(directory_ / "sub/r.yaml");
  EXPECT_EQ(c.traffic, directory_ / "day.pcap");
  EXPECT_EQ(c.flag.path, directory_ / "flags.json");
  EXPECT_EQ(c.alerts.log, "/var/log/alerts");
}

// One file for two equal systems: what differs are variables, and the file's commands find them, too.
TEST_F(ConfigurationFile, VariablesStandBeforeTheEnvironment) {
  setenv("SHOP_DB", "dbname=one", 1);
  const std::string text = std::string(services) +
                           "databases: {legacy: {dsn: \"${SHOP_DB}\"}, new: {dsn: \"${SHOP_NEW:-dbname=n}\"}}\n"
                           "flag: {command: \"echo $SHOP_DB, $SHOP_QUOTE\"}\n";
  write("# of the second system\n\nSHOP_DB=dbname=two user=x\nSHOP_QUOTE=it's\n", "two.variables");
  const Variables variables = variables_in(directory_ / "two.variables");
  EXPECT_THAT(variables, ElementsAre(Pair("SHOP_DB", "dbname=two user=x"), Pair("SHOP_QUOTE", "it's")));
  const std::string path = write(text);
  EXPECT_EQ(load_configuration(path).legacy_database.dsn, "dbname=one");
  const Configuration two = load_configuration(path, variables);
  EXPECT_EQ(two.legacy_database.dsn, "dbname=two user=x");
  EXPECT_EQ(two.new_database.dsn, "dbname=n");
  const CommandResult ran = run(two.flag.set, std::chrono::seconds(5));
  EXPECT_EQ(ran.output, "dbname=two user=x, it's\n");
  write("1SHOP=x\n", "bad.variables");
  EXPECT_THAT([&] { static_cast<void>(variables_in(directory_ / "bad.variables")); },
              testing::ThrowsMessage<Error>(HasSubstr("line 1: write NAME=value")));
}

TEST_F(ConfigurationFile, MappingMayStandInAFileOfItsOwn) {
  write(
      "entities: {a: {key: [id], legacy: a, new: b}}\nsequences: [{table: a, legacy: s, new: t}]\nignored_tables: "
      "{new: {c: why}}",
      "mapping.yaml");
  const Configuration c = with("mapping: mapping.yaml");
  ASSERT_EQ(c.entities.size(), 1u);
  EXPECT_EQ(c.sequences.at(0).entity, "a");
  EXPECT_THAT(c.ignored_new_tables, ElementsAre(Pair("c", "why")));
  EXPECT_THAT(refusal("mapping: none.yaml"), AllOf(HasSubstr("mapping: cannot read"), HasSubstr("none.yaml")));
  write("entities: {a: {key: [id]", "broken.yaml");
  EXPECT_THAT(refusal("mapping: broken.yaml"), AllOf(HasSubstr("broken.yaml, line "), HasSubstr("mapping: ")));
  write("entity: {}", "other.yaml");
  EXPECT_THAT(refusal("mapping: other.yaml"), HasSubstr("entity is no key"));
}

TEST_F(ConfigurationFile, SyntaxErrorNamesItsLine) {
  EXPECT_THAT(refusal_of_text("title: a\nstage: {path: /x\ncopy: b\n"),
              AllOf(HasSubstr("rehearse.yaml, line 3"), HasSubstr("quote values that hold a colon")));
  EXPECT_THAT(refusal_of_text("title: a: b\n"), HasSubstr("line 1"));
}

TEST_F(ConfigurationFile, MissingFileSaysHowToGetOne) {
  EXPECT_THAT([&] { static_cast<void>(load_configuration(directory_ / "none.yaml")); },
              testing::ThrowsMessage<Error>(AllOf(HasSubstr("none.yaml"), HasSubstr("`rehearse init` writes one"))));
}

TEST_F(ConfigurationFile, TemplateIsAConfigurationOnceItsPlaceholdersAreSet) {
  unsetenv("LEGACY_DSN"), unsetenv("NEW_DSN");
  const std::string text = configuration_template({}, "  # none yet\n");
  EXPECT_THAT(refusal_of_text(text), HasSubstr("databases.legacy.dsn: the environment variable LEGACY_DSN is not set"));
  setenv("LEGACY_DSN", "dbname=l", 1), setenv("NEW_DSN", "dbname=n", 1);
  const Configuration c = whole(text);
  EXPECT_EQ(c.legacy_database.dsn, "dbname=l");
  EXPECT_THAT(c.entities, testing::IsEmpty());

  const Configuration answered =
      whole(configuration_template({"http://a:1", "http://b:2", "${LEGACY_DSN}", "${NEW_DSN}", "/day.pcap"},
                                   "  orders: {key: [id], legacy: orders, new: orders}\n"));
  EXPECT_THAT(answered.legacy.urls, ElementsAre("http://a:1"));
  EXPECT_THAT(answered.new_.urls, ElementsAre("http://b:2"));
  EXPECT_EQ(answered.traffic, "/day.pcap");
  EXPECT_EQ(answered.entities.at(0).name, "orders");
  unsetenv("LEGACY_DSN"), unsetenv("NEW_DSN");
}

TEST_F(ConfigurationFile, SecretsAreSaidInASectionOfTheirOwn) {
  const std::string section =
      "redaction: {headers: [X-Odd], query: [invite], json: [phone, \"$.a[*].b\"], keep: {sid: a shop, "
      "\"shape:email\": invented}, "
      "key_file: k}\n";
  const RedactionSettings settings = with(section).redaction;
  EXPECT_THAT(settings.headers, ElementsAre("X-Odd"));
  EXPECT_THAT(settings.query, ElementsAre("invite"));
  EXPECT_THAT(settings.json, ElementsAre("phone", "$.a[*].b"));
  EXPECT_THAT(settings.keep, ElementsAre("shape:email", "sid"));
  EXPECT_EQ(settings.key_file, (directory_ / "k").string());
  EXPECT_EQ(settings.off, "");
  const auto rules = rules_of(settings);
  EXPECT_TRUE(rules.headers.contains("x-odd") && rules.parameters.contains("Invite") && rules.fields.contains("phone"));
  EXPECT_TRUE(rules.kept.contains("SID") && !rules.shapes.email && rules.shapes.card);
  EXPECT_EQ(with("redaction: {off: true, reason: invented}").redaction.off, "invented");
  // The other commands read the section alone.
  EXPECT_THAT(load_redaction({write(section, "part.yaml"), "", false}).query, ElementsAre("invite"));
  EXPECT_EQ(load_redaction({write(section, "part.yaml"), "other", true}).off, "--no-redaction");
  EXPECT_EQ(load_redaction({write(section, "part.yaml"), "other", true}).key_file, "other");
}

TEST_F(ConfigurationFile, SecretsAreNotLeftAloneWithoutAReason) {
  EXPECT_THAT(refusal("redaction: {off: true}"), HasSubstr("redaction.reason is missing"));
  EXPECT_THAT(refusal("redaction: {reason: x}"), HasSubstr("redaction.reason is given, but not redaction.off"));
  EXPECT_THAT(refusal("redaction: {keep: {sid: \"\"}}"), HasSubstr("give the reason why sid may be kept"));
  EXPECT_THAT(refusal("redaction: {json: [\"$.\"]}"), HasSubstr("is no path of JSON"));
  EXPECT_THAT(refusal("redaction: {keep: {\"shape:mail\": x}}"), HasSubstr("shape:email"));
  EXPECT_THAT(refusal("redaction: {cookies: []}"), HasSubstr("redaction.cookies is no key"));
}

// What stands behind a # in the template and looks like a key is a key, too: it parses when the # goes.
TEST_F(ConfigurationFile, WhatTheTemplateCommentsOutIsRight) {
  setenv("LEGACY_DSN", "dbname=l", 1), setenv("NEW_DSN", "dbname=n", 1);
  std::string text = configuration_template({}, "  orders: {key: [id], legacy: orders, new: orders}\n");
  const auto uncomment = [&](const std::string& line) {
    const auto at = text.find("# " + line);
    ASSERT_NE(at, std::string::npos) << line;
    text.erase(at, 2);
  };
  for (const char* line : {"start: systemctl", "stop: systemctl", "requests: {path", "values: {off", "forward: ./copy",
                           "backward: ./copy", "legacy: UPDATE", "new: UPDATE", "ca: authority", "certificate: client",
                           "http: auto", "host: shop", "headers: {X-", "credentials: ./mint"})
    uncomment(line);
  for (const auto& [empty, example] : std::map<std::string, std::string>{
           {"reads: []", "reads: [\"POST /orders/search\"]"},
           {"guards: []", "guards: [\"read-only:shadow\"]"},
           {"sequences: []", "sequences: [{entity: orders, legacy: orders_id_seq, new: orders_id_seq, column: id}]"}}) {
    text.replace(text.find(empty), empty.size(), example);
  }
  const Configuration c = whole(text);
  EXPECT_EQ(c.copy_forward, "./copy legacy new");
  EXPECT_EQ(c.sequences.size(), 1u);
  EXPECT_EQ(c.legacy.target.host, "shop.example");
  EXPECT_THAT(c.legacy.target.headers, ::testing::UnorderedElementsAre(replay::Header{"X-Tenant", "test"},
                                                                       replay::Header{"Authorization", "Bearer none"}));
  EXPECT_EQ(c.legacy.target.credentials, "./mint-token");
  unsetenv("LEGACY_DSN"), unsetenv("NEW_DSN");
}

TEST_F(ConfigurationFile, WiresSayWhereTheyListenAndWhereTheyLead) {
  const auto fuzz = with(R"(
fuzz: {wires: {legacy: {listen: "127.0.0.1:8181", to: "127.0.0.1:8081"}, client: {listen: "", to: ""}}}
)")
                        .fuzz;
  ASSERT_EQ(fuzz.wires.size(), 1u) << "one without addresses is none";
  EXPECT_EQ(fuzz.wires[0].name, "legacy");
  EXPECT_EQ(fuzz.wires[0].to, "127.0.0.1:8081");
  EXPECT_THAT(refusal("fuzz: {wires: {legacy: {listen: \"127.0.0.1:8181\"}}}\n"),
              AllOf(HasSubstr("fuzz.wires.legacy.listen"), HasSubstr("given together")));
  EXPECT_THAT(refusal("fuzz: {wires: {nonsense: {}}}\n"), HasSubstr("nonsense"));
}

}  // namespace
}  // namespace rehearse::harness
