#include "harness/configuration.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "properties/answers/field_values.h"
#include "properties/check.h"
#include "replay/error.h"
#include "replay/http/message.h"

namespace rehearse::harness {
namespace {

namespace fs = std::filesystem;
using properties::Stage;

std::string quoted_for_shell(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// A mapping of the file that remembers where it stands and which of its keys were asked for.
class Section {
 public:
  // `variables` stand before those of the environment, and must outlive this; nullptr: there are none.
  Section(YAML::Node node, std::string where, const Variables* variables = nullptr)
      : node_(std::move(node)), where_(std::move(where)), variables_(variables) {
    if (node_.IsDefined() && !node_.IsNull() && !node_.IsMap())
      throw Error(fmt::format("{} must be a mapping of keys to values", where_.empty() ? "the file" : where_));
  }

  [[nodiscard]] bool has(const std::string& key) {
    return known_.insert(key), get(key).IsDefined() && !get(key).IsNull();
  }

  std::string text(const std::string& key, std::string fallback) {
    if (!has(key)) return fallback;
    if (!get(key).IsScalar()) throw Error(fmt::format("{} must be one value", at(key)));
    return value_of(get(key).Scalar(), key);
  }

  // A command for the shell, which finds the variables in its environment.
  std::string command(const std::string& key) {
    const std::string command = text(key, "");
    if (command.empty() || variables_ == nullptr) return command;
    std::string exports;
    for (const auto& [name, value] : *variables_)
      exports += fmt::format("export {}={}\n", name, quoted_for_shell(value));
    return exports + command;
  }

  std::string required(const std::string& key, std::string_view what) {
    const std::string value = text(key, "");
    if (value.empty()) throw Error(fmt::format("{} is missing: give {}", at(key), what));
    return value;
  }

  bool flag(const std::string& key, bool fallback) {
    const std::string value = text(key, fallback ? "true" : "false");
    if (value != "true" && value != "false")
      throw Error(fmt::format("{} must be true or false, not {:?}", at(key), value));
    return value == "true";
  }

  std::int64_t integer(const std::string& key, std::int64_t fallback) {
    const std::string value = text(key, std::to_string(fallback));
    try {
      std::size_t used = 0;
      const auto number = std::stoll(value, &used);
      if (used == value.size() && number >= 0) return number;
    } catch (const std::exception&) {
    }
    throw Error(fmt::format("{} must be a whole number, not {:?}", at(key), value));
  }

  static constexpr milliseconds longest = std::chrono::hours(24);

  // "500ms", "2s", "1m"; at most a day.
  milliseconds duration(const std::string& key, milliseconds fallback) {
    const std::string value = text(key, fmt::format("{}ms", fallback.count()));
    std::size_t used = 0;
    long long number = -1;
    try {
      number = std::stoll(value, &used);
    } catch (const std::exception&) {
    }
    const std::string unit = value.substr(used);
    const std::int64_t factor = unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "m" ? 60'000 : 0;
    if (factor > 0 && number > longest.count() / factor)
      throw Error(fmt::format("{} is {}; nothing here waits for longer than a day", at(key), value));
    if (number >= 0 && factor > 0) return milliseconds(number * factor);
    throw Error(fmt::format("{} must be a duration with its unit, such as 500ms or 2s, not {:?}", at(key), value));
  }

  std::vector<std::string> texts(const std::string& key) {
    std::vector<std::string> values;
    if (!has(key)) return values;
    if (get(key).IsScalar()) {
      std::istringstream words(value_of(get(key).Scalar(), key));
      for (std::string word; words >> word;) values.push_back(word);
      return values;
    }
    if (!get(key).IsSequence()) throw Error(fmt::format("{} must be a list", at(key)));
    for (const auto& item : get(key)) values.push_back(value_of(scalar(item, key), key));
    return values;
  }

  std::map<std::string, std::string> pairs(const std::string& key) {
    std::map<std::string, std::string> values;
    if (!has(key)) return values;
    if (!get(key).IsMap()) throw Error(fmt::format("{} must be a mapping of keys to values", at(key)));
    for (const auto& item : get(key)) values[scalar(item.first, key)] = value_of(scalar(item.second, key), key);
    return values;
  }

  Section section(const std::string& key) { return known_.insert(key), Section(get(key), at(key), variables_); }
  YAML::Node node(const std::string& key) { return known_.insert(key), get(key); }
  [[nodiscard]] std::string at(const std::string& key) const { return where_.empty() ? key : where_ + "." + key; }

  // A key that nobody asked for is a typing error, and a setting that is silently ignored is a wrong verdict.
  void expect_nothing_else() const {
    if (!node_.IsDefined() || !node_.IsMap()) return;
    std::set<std::string> seen;
    for (const auto& item : node_) {
      const auto key = item.first.as<std::string>();
      if (!seen.insert(key).second) throw Error(fmt::format("{} stands twice; only one of them can be meant", at(key)));
      if (!known_.contains(key)) {
        throw Error(fmt::format("{} is no key of the configuration; known here: {}", at(key), fmt::join(known_, ", ")));
      }
    }
  }

 private:
  [[nodiscard]] YAML::Node get(const std::string& key) const {
    const YAML::Node& constant = node_;  // a const node does not grow the key that is asked for
    return node_.IsDefined() && node_.IsMap() ? constant[key] : YAML::Node(YAML::NodeType::Undefined);
  }

  [[nodiscard]] std::string scalar(const YAML::Node& item, const std::string& key) const {
    if (!item.IsScalar()) throw Error(fmt::format("{} must hold plain values, no lists or mappings", at(key)));
    return item.Scalar();
  }

  [[nodiscard]] std::string value_of(const std::string& text, const std::string& key) const {
    return variables_ != nullptr ? expanded(text, at(key), *variables_) : expanded(text, at(key));
  }

  YAML::Node node_;
  std::string where_;
  const Variables* variables_;
  std::set<std::string> known_;
};

std::string beside(const std::string& file, const std::string& path) {
  if (path.empty() || fs::path(path).is_absolute()) return path;
  return (fs::path(file).parent_path() / path).lexically_normal().string();
}

// The one document of a YAML file; an empty file is an empty document.
YAML::Node document_in(const std::string& path) {
  const auto documents = YAML::LoadAllFromFile(path);
  if (documents.size() > 1)
    throw Error(fmt::format("{} holds {} YAML documents, and only one can be meant; take out the lines ---", path,
                            documents.size()));
  return documents.empty() ? YAML::Node() : documents.front();
}

TargetSettings target_of(Section& section, const std::string& file) {
  TargetSettings target;
  target.tls.ca_file = beside(file, section.text("ca", ""));
  target.tls.certificate_file = beside(file, section.text("certificate", ""));
  target.tls.key_file = beside(file, section.text("key", ""));
  target.http = http_version_named(section.text("http", "auto"));
  target.host = section.text("host", "");
  for (const auto& [name, value] : section.pairs("headers")) {
    try {
      target.headers.push_back(header_rule(name + ": " + value));
    } catch (const Error& error) {
      throw Error(fmt::format("{}: {}", section.at("headers"), error.what()));
    }
  }
  target.credentials = section.command("credentials");
  return target;
}

ServiceSettings service_of(Section section, const std::string& file) {
  ServiceSettings service;
  service.urls = section.texts("url");
  if (service.urls.empty())
    throw Error(
        fmt::format("{} is missing: give the service's address, such as http://127.0.0.1:8080", section.at("url")));
  service.start = section.command("start");
  service.stop = section.command("stop");
  service.kill = section.command("kill");
  service.pause = section.command("pause");
  service.resume = section.command("resume");
  if (service.start.empty() != service.stop.empty())
    throw Error(fmt::format("{} and {} are given together or not at all", section.at("start"), section.at("stop")));
  if (!service.kill.empty() && service.start.empty())
    throw Error(fmt::format("{} needs {}, which brings the service back", section.at("kill"), section.at("start")));
  if (service.pause.empty() != service.resume.empty())
    throw Error(fmt::format("{} and {} are given together or not at all", section.at("pause"), section.at("resume")));
  const std::string writes = section.text("writes", "refused");
  if (writes != "allowed" && writes != "refused")
    throw Error(fmt::format("{} must be allowed or refused", section.at("writes")));
  service.writes_allowed = writes == "allowed";
  service.target = target_of(section, file);
  Section requests = section.section("requests");
  service.requests_path = requests.text("path", "");
  service.requests_metric = requests.text("metric", "");
  requests.expect_nothing_else();
  section.expect_nothing_else();
  return service;
}

DatabaseSettings database_of(Section section) {
  DatabaseSettings database;
  database.dsn = section.required("dsn", "a PostgreSQL connection string");
  database.disposable = section.flag("disposable", false);
  Section restore = section.section("restore");
  database.template_name = restore.text("template", "");
  database.restore = restore.command("command");
  if (!database.template_name.empty() && !database.restore.empty())
    throw Error(fmt::format("{}: give a template or a command, not both", section.at("restore")));
  restore.expect_nothing_else();
  section.expect_nothing_else();
  return database;
}

FuzzSettings fuzz_of(Section section, const TargetSettings& as_legacy, const std::string& file) {
  FuzzSettings fuzz;
  fuzz.openapi = beside(file, section.text("openapi", ""));
  fuzz.in_gate = section.duration("gate", fuzz.in_gate);
  fuzz.seed = static_cast<std::uint64_t>(section.integer("seed", static_cast<std::int64_t>(fuzz.seed)));
  Section oracle = section.section("oracle");
  fuzz.oracle_url = oracle.text("url", "");
  fuzz.oracle_target = as_legacy;
  fuzz.oracle_database.dsn = oracle.text("dsn", "");
  fuzz.oracle_database.disposable = oracle.flag("disposable", false);
  if (fuzz.oracle_url.empty() != fuzz.oracle_database.dsn.empty())
    throw Error(
        fmt::format("{} and {} are given together: a legacy service of its own, and the database that it writes to",
                    oracle.at("url"), oracle.at("dsn")));
  oracle.expect_nothing_else();
  Section wires = section.section("wires");
  for (const char* name : {"new-database", "legacy-database", "legacy", "client", "flag"}) {
    Section given = wires.section(name);
    const WireSettings wire{name, given.text("listen", ""), given.text("to", "")};
    if (wire.listen.empty() != wire.to.empty())
      throw Error(fmt::format("{} and {} are given together: where the service is told to go, and where that leads",
                              given.at("listen"), given.at("to")));
    if (!wire.listen.empty()) fuzz.wires.push_back(wire);
    given.expect_nothing_else();
  }
  wires.expect_nothing_else();
  section.expect_nothing_else();
  return fuzz;
}

BudgetSettings budgets_of(Section section) {
  BudgetSettings budgets;
  budgets.time = section.duration("time", budgets.time);
  budgets.block = section.duration("block", budgets.block);
  if (budgets.block < milliseconds(100))
    throw Error(fmt::format("{} must be 100ms at least, for fewer hold too few pairs", section.at("block")));
  // A rate is a throughput, and the least overhead is a duration: they are read as such budgets are.
  const auto number = [&](const char* key, const char* metric, double fallback) {
    if (!section.has(key)) return fallback;
    try {
      return properties::budget_of(Stage::off, "all", metric, section.text(key, "")).limit;
    } catch (const Error& error) {
      throw Error(
          fmt::format("{}: {}", section.at(key), std::string(error.what()).substr(std::string(metric).size() + 2)));
    }
  };
  budgets.rate = number("rate", "throughput", budgets.rate);
  budgets.least_ns =
      static_cast<std::int64_t>(number("least", "p50", static_cast<double>(budgets.least_ns) / 1e6) * 1e6);
  budgets.connections =
      static_cast<std::size_t>(section.integer("connections", static_cast<std::int64_t>(budgets.connections)));
  if (budgets.connections < 1 || budgets.connections > 1000)
    throw Error(fmt::format("{} must be 1 to 1000", section.at("connections")));
  budgets.writes = section.flag("writes", budgets.writes);
  const YAML::Node limits = section.node("limits");
  if (limits.IsDefined() && !limits.IsNull() && !limits.IsSequence())
    throw Error(fmt::format("{} must be a list of mappings", section.at("limits")));
  std::size_t number_of = 0;
  for (const auto& item : limits) {
    Section limit(item, fmt::format("{}[{}]", section.at("limits"), number_of++));
    const auto names = limit.texts("stage");
    const std::string route = limit.required(
        "route", "a route of the traffic such as \"GET /orders/{}\", a pattern such as \"GET /orders*\", or all");
    if (names.empty())
      throw Error(fmt::format("{} is missing: give a stage, a list of them, or all", limit.at("stage")));
    std::vector<Stage> stages;
    for (const std::string& name : names) {
      const auto stage = properties::stage_named(name);
      if (!stage && name != "all")
        throw Error(fmt::format("{}: {} is no stage; the stages are off, read-only, shadow, live, completed, or all",
                                limit.at("stage"), name));
      if (stage) stages.push_back(*stage);
      if (!stage) stages.insert(stages.end(), properties::all_stages.begin(), properties::all_stages.end());
    }
    std::size_t metrics = 0;
    if (!item.IsMap()) throw Error(fmt::format("{} must be a mapping of keys to values", limit.at("")));
    for (const auto& pair : item) {
      const auto key = pair.first.as<std::string>();
      if (key == "stage" || key == "route") continue;
      ++metrics;
      for (const Stage stage : stages) {
        try {
          budgets.limits.push_back(properties::budget_of(stage, route, key, limit.text(key, "")));
        } catch (const Error& error) {
          throw Error(fmt::format("{}: {}", limit.at(key).substr(0, limit.at(key).rfind('.')), error.what()));
        }
      }
    }
    if (metrics == 0)
      throw Error(fmt::format(
          "{} names no limit; give overhead_p50: 10%, p99: 20ms, error_rate: 0.1%, throughput: 200/s or the like",
          limit.at("route")));
  }
  section.expect_nothing_else();
  return budgets;
}

FlagSettings flag_of(Section section, const std::string& file, properties::Contract& contract) {
  FlagSettings flag;
  flag.key = section.text("key", flag.key);
  flag.propagation = section.duration("propagation", flag.propagation);
  flag.path = beside(file, section.text("file", ""));
  flag.listen = section.text("ofrep", "");
  flag.set = section.command("command");
  flag.rejected_metric = section.text("rejected_metric", flag.rejected_metric);
  contract.flag_unreported = section.text("unreported", "");
  if (!flag.path.empty() + !flag.listen.empty() + !flag.set.empty() != 1) {
    throw Error(fmt::format("{}: give exactly one of file (flagd's JSON), ofrep (an address to answer on) or command",
                            section.at("file")));
  }
  flag.kind = !flag.path.empty()     ? FlagSettings::Kind::flagd_file
              : !flag.listen.empty() ? FlagSettings::Kind::ofrep
                                     : FlagSettings::Kind::command;
  const auto values = section.pairs("values");
  for (const auto& [name, value] : values) {
    if (!properties::stage_named(name))
      throw Error(fmt::format("{}: {} is no stage; the stages are off, read-only, shadow, live, completed",
                              section.at("values"), name));
  }
  for (Stage stage : properties::all_stages) {
    const auto found = values.find(std::string(name_of(stage)));
    flag.values[stage] = found == values.end() ? std::string(name_of(stage)) : found->second;
  }
  section.expect_nothing_else();
  return flag;
}

StageSettings stage_of(Section section) {
  StageSettings stage;
  stage.path = section.text("path", stage.path);
  stage.json = section.text("json", "");
  stage.header = section.text("header", stage.json.empty() ? stage.header : "");
  section.expect_nothing_else();
  return stage;
}

AlertSettings alerts_of(Section section, const std::string& file, properties::Contract& contract) {
  AlertSettings alerts;
  alerts.path = section.text("path", alerts.path);
  alerts.metric = section.text("metric", alerts.metric);
  alerts.log = beside(file, section.text("log", ""));
  alerts.event = section.text("event", alerts.event);
  alerts.fields = section.pairs("fields");
  contract.part_of = section.pairs("part_of");
  contract.not_alerted = section.pairs("not_named");
  for (const char* name : {"event", "store", "stage", "operation", "entity", "key"})
    alerts.fields.try_emplace(name, name);
  section.expect_nothing_else();
  return alerts;
}

properties::Contract::Answer answer_of(Section section, properties::Contract::Answer fallback) {
  properties::Contract::Answer answer = std::move(fallback);
  const std::int64_t status = section.integer("status", answer.status);
  if (status < 100 || status > 599)
    throw Error(fmt::format("{} must be a status of HTTP, 100 to 599, not {}", section.at("status"), status));
  answer.status = static_cast<int>(status);
  if (section.has("headers")) answer.headers = section.texts("headers");
  answer.content_type = section.text("content_type", answer.content_type);
  section.expect_nothing_else();
  return answer;
}

// Places in answers that may differ. One of ignore, tolerance, unordered and rename says how.
std::vector<properties::AnswerRule> answer_rules_of(const YAML::Node& list) {
  using Kind = properties::AnswerRule::Kind;
  std::vector<properties::AnswerRule> rules;
  if (!list.IsDefined() || list.IsNull()) return rules;
  if (!list.IsSequence()) throw Error("answer_rules must be a list of mappings");
  for (const auto& item : list) {
    const std::string where = fmt::format("answer_rules[{}]", rules.size());
    Section section(item, where);
    // A kind that is misspelled must not be told as one that is missing.
    for (const char* key :
         {"path", "route", "reason", "owner", "expires", "ignore", "tolerance", "unordered", "rename"})
      static_cast<void>(section.has(key));
    section.expect_nothing_else();
    properties::AnswerRule rule;
    rule.path = section.required("path", "where: $.items[*].updated_at, header ETag, ...");
    rule.route = section.text("route", "");
    rule.reason = section.required("reason", "the reason why answers may differ there");
    rule.owner = section.text("owner", "");
    rule.expires = section.text("expires", "");
    int kinds = 0;
    const auto take = [&](const char* key, Kind kind) {
      if (!section.has(key)) return;
      ++kinds;
      rule.kind = kind;
      rule.value = section.text(key, "");
    };
    take("ignore", Kind::ignore);
    take("tolerance", Kind::tolerance);
    take("unordered", Kind::unordered);
    take("rename", Kind::rename);
    if (kinds != 1) throw Error(fmt::format("{}: give exactly one of ignore, tolerance, unordered and rename", where));
    if (rule.kind == Kind::ignore && rule.value != "true")
      throw Error(
          fmt::format("{} must be true; leave the rule out where nothing is to be ignored", section.at("ignore")));
    if (rule.kind == Kind::ignore || (rule.kind == Kind::unordered && rule.value == "true")) rule.value.clear();
    if (const auto problem = problem_of(rule))
      throw Error(fmt::format("{}: {}", section.at(problem->key), problem->what));
    rules.push_back(std::move(rule));
  }
  return rules;
}

void take_mapping(Section& section, Configuration& configuration) {
  const YAML::Node entities = section.node("entities");
  if (entities.IsDefined() && !entities.IsNull()) {
    if (!entities.IsMap()) throw Error(fmt::format("{} must map names to entities", section.at("entities")));
    for (const auto& item : entities) {
      const auto name = item.first.as<std::string>();
      Section entity(item.second, section.at("entities") + "." + name);
      Entity made{name, entity.texts("key"), entity.required("legacy", "a SELECT or a table"),
                  entity.required("new", "a SELECT or a table"), entity.pairs("columns")};
      if (!entity.has("key"))
        throw Error(
            fmt::format("{} is missing: name the columns that identify a row, or write [] for rows without a key",
                        entity.at("key")));
      for (const std::string& column : entity.texts("exact")) made.exact.insert(column);
      made.masked = entity.pairs("masked");
      for (const auto& [column, reason] : made.masked) {
        if (reason.empty())
          throw Error(fmt::format("{}: give the reason why {} may differ", entity.at("masked"), column));
        if (std::find(made.key.begin(), made.key.end(), column) != made.key.end())
          throw Error(
              fmt::format("{}: {} is of the key, and rows of another key are other rows", entity.at("masked"), column));
      }
      if (made.key.empty() && !made.masked.empty())
        throw Error(
            fmt::format("{}: rows without a key are compared whole; leave the columns out of both SELECTs instead",
                        entity.at("masked")));
      entity.expect_nothing_else();
      configuration.entities.push_back(std::move(made));
    }
  }
  const YAML::Node sequences = section.node("sequences");
  if (sequences.IsDefined() && !sequences.IsNull()) {
    if (!sequences.IsSequence()) throw Error(fmt::format("{} must be a list of mappings", section.at("sequences")));
    for (const auto& item : sequences) {
      Section sequence(item, section.at("sequences"));
      const std::string table = sequence.text("table", "");
      Sequence made{sequence.text("entity", table), sequence.required("legacy", "a sequence"),
                    sequence.required("new", "a sequence"), sequence.text("column", "id")};
      const std::string rule = sequence.text("rule", "at least");
      if (rule != "at least" && rule != "equal" && rule != "ignored")
        throw Error(fmt::format("sequences.rule must be \"at least\", equal or ignored, not {:?}", rule));
      made.rule = rule == "equal"     ? Sequence::Rule::equal
                  : rule == "ignored" ? Sequence::Rule::ignored
                                      : Sequence::Rule::at_least;
      sequence.expect_nothing_else();
      configuration.sequences.push_back(std::move(made));
    }
  }
  Section tables = section.section("ignored_tables");
  configuration.ignored_legacy_tables.merge(tables.pairs("legacy"));
  configuration.ignored_new_tables.merge(tables.pairs("new"));
  tables.expect_nothing_else();
  Section numbers = section.section("ignored_sequences");
  configuration.ignored_legacy_tables.merge(numbers.pairs("legacy"));
  configuration.ignored_new_tables.merge(numbers.pairs("new"));
  numbers.expect_nothing_else();
  Section columns = section.section("ignored_columns");
  for (const auto& [side, ignored] : {std::pair("legacy", &configuration.ignored_legacy_columns),
                                      std::pair("new", &configuration.ignored_new_columns)}) {
    for (const auto& [column, reason] : columns.pairs(side)) {
      if (column.find('.') == std::string::npos)
        throw Error(fmt::format("{}.{}: write {} as table.column", columns.at(side), column, column));
      if (reason.empty())
        throw Error(fmt::format("{}.{}: give the reason why it is not compared", columns.at(side), column));
      ignored->emplace(column, reason);
    }
  }
  columns.expect_nothing_else();
}

void take_mapping_file(const std::string& path, Configuration& configuration) {
  try {
    Section included(document_in(path), fs::path(path).filename().string());
    take_mapping(included, configuration);
    included.expect_nothing_else();
  } catch (const YAML::BadFile&) {
    throw Error(fmt::format("mapping: cannot read {}; check the path, which is relative to the configuration", path));
  } catch (const YAML::Exception& problem) {
    throw Error(fmt::format("mapping: {}, line {}: {}", path, problem.mark.line + 1, problem.msg));
  }
}

RedactionSettings redaction_of(Section section, const std::string& file) {
  RedactionSettings redaction;
  redaction.headers = section.texts("headers");
  redaction.query = section.texts("query");
  redaction.json = section.texts("json");
  for (const auto& [name, reason] : section.pairs("keep")) {
    if (reason.empty()) throw Error(fmt::format("{}: give the reason why {} may be kept", section.at("keep"), name));
    redaction.keep.push_back(name);
  }
  redaction.key_file = beside(file, section.text("key_file", ""));
  const bool off = section.flag("off", false);
  const std::string reason = section.text("reason", "");
  if (off && reason.empty())
    throw Error(fmt::format("{} is missing: say why secrets may be written to files", section.at("reason")));
  if (!off && !reason.empty())
    throw Error(
        fmt::format("{} is given, but not {}: true; give both or neither", section.at("reason"), section.at("off")));
  redaction.off = reason;
  redaction.send_masked = section.text("send_masked", "");
  section.expect_nothing_else();
  static_cast<void>(rules_of(redaction));
  return redaction;
}

YAML::Node readable_document(const std::string& path) {
  try {
    return document_in(path);
  } catch (const YAML::BadFile&) {
    throw Error(fmt::format("cannot read the configuration {}; `rehearse init` writes one", path));
  } catch (const YAML::Exception& problem) {
    throw Error(fmt::format("{}, line {}: {}; indent with spaces and quote values that hold a colon", path,
                            problem.mark.line + 1, problem.msg));
  }
}

void check_mapping(const Configuration& configuration) {
  std::set<std::string> names;
  for (const Entity& entity : configuration.entities) names.insert(entity.name);
  for (const Sequence& sequence : configuration.sequences) {
    if (!names.contains(sequence.entity))
      throw Error(fmt::format("sequences: {} is no entity of the mapping", sequence.entity));
  }
}

void check(const Configuration& configuration) {
  check_mapping(configuration);
  std::set<std::string> values;
  for (const auto& [stage, value] : configuration.flag.values) {
    if (!values.insert(value).second) throw Error(fmt::format("flag.values: {:?} stands for two stages", value));
  }
}

// True when `path` fits `pattern`, in which {} stands for any one segment.
bool fits(std::string_view pattern, std::string_view path) {
  while (!pattern.empty() && !path.empty()) {
    if (pattern.starts_with("{}")) {
      pattern.remove_prefix(2);
      path.remove_prefix(std::min(path.find('/'), path.size()));
    } else if (pattern.front() != path.front()) {
      return false;
    } else {
      pattern.remove_prefix(1);
      path.remove_prefix(1);
    }
  }
  return pattern.empty() && path.empty();
}

bool any_fits(const std::set<std::string>& patterns, std::string_view method, std::string_view path) {
  for (const std::string& pattern : patterns) {
    const auto space = pattern.find(' ');
    const std::string_view wanted =
        space == std::string::npos ? std::string_view() : std::string_view(pattern).substr(0, space);
    if ((wanted.empty() || wanted == method) &&
        fits(std::string_view(pattern).substr(space == std::string::npos ? 0 : space + 1), path))
      return true;
  }
  return false;
}

}  // namespace

bool Configuration::is_read(std::string_view method, std::string_view target) const {
  const std::string_view requested = replay::path_of(target);
  if (any_fits(writes, method, requested)) return false;
  return replay::safe(method) || any_fits(reads, method, requested);
}

bool Configuration::is_business(std::string_view target) const {
  return !any_fits(not_business, "", replay::path_of(target));
}

RedactionSettings load_redaction(const RedactionArguments& arguments) {
  RedactionSettings settings;
  const std::string standard = "rehearse.yaml";
  std::error_code ignored;
  if (!arguments.config.empty() || fs::exists(standard, ignored)) {
    const std::string path = arguments.config.empty() ? standard : arguments.config;
    const YAML::Node root = readable_document(path);
    try {
      Section section(root, "");
      settings = redaction_of(section.section("redaction"), path);
    } catch (const Error& problem) {
      throw Error(fmt::format("{}: {}", path, problem.what()));
    }
  }
  if (!arguments.key_file.empty()) settings.key_file = arguments.key_file;
  if (arguments.off) settings.off = "--no-redaction";
  return settings;
}

Variables variables_in(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Error(fmt::format("cannot read the variables {}: give a file of NAME=value lines", path));
  Variables variables;
  std::size_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    const std::string_view text = replay::trim(line);
    if (text.empty() || text.front() == '#') continue;
    const auto equals = text.find('=');
    const auto name = text.substr(0, std::min(equals, text.size()));
    const bool named =
        equals != std::string_view::npos && !name.empty() &&
        std::isdigit(static_cast<unsigned char>(name.front())) == 0 &&
        std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
    if (!named) throw Error(fmt::format("{}, line {}: write NAME=value", path, number));
    variables[std::string(name)] = std::string(text.substr(equals + 1));
  }
  if (variables.empty())
    throw Error(fmt::format("{} names no variable: give a line NAME=value for each that is another one there", path));
  return variables;
}

Configuration load_databases(const std::string& path) {
  const YAML::Node root = readable_document(path);
  Configuration configuration;
  configuration.path = path;
  try {
    Section section(root, "");
    Section databases = section.section("databases");
    configuration.legacy_database = database_of(databases.section("legacy"));
    configuration.new_database = database_of(databases.section("new"));
    databases.expect_nothing_else();
    take_mapping(section, configuration);
    if (const std::string mapping = beside(path, section.text("mapping", "")); !mapping.empty())
      take_mapping_file(mapping, configuration);
    check_mapping(configuration);
  } catch (const Error& problem) {
    throw Error(fmt::format("{}: {}", path, problem.what()));
  } catch (const YAML::Exception& problem) {
    throw Error(fmt::format("{}, line {}: {}", path, problem.mark.line + 1, problem.msg));
  }
  return configuration;
}

properties::Contract load_answer_contract(const std::string& path) {
  properties::Contract contract;
  contract.compared_headers = properties::contract_headers();
  const std::string standard = "rehearse.yaml";
  std::error_code ignored;
  if (path.empty() && !fs::exists(standard, ignored)) return contract;
  const std::string file = path.empty() ? standard : path;
  const YAML::Node root = readable_document(file);
  try {
    Section section(root, "");
    contract.answer_rules = answer_rules_of(section.node("answer_rules"));
    if (section.has("compared_headers")) contract.compared_headers = section.texts("compared_headers");
    contract.budgets = budgets_of(section.section("budgets")).limits;
  } catch (const Error& problem) {
    throw Error(fmt::format("{}: {}", file, problem.what()));
  } catch (const YAML::Exception& problem) {
    throw Error(fmt::format("{}, line {}: {}", file, problem.mark.line + 1, problem.msg));
  }
  return contract;
}

Configuration load_configuration(const std::string& path, const Variables& variables) {
  Configuration configuration;
  configuration.path = path;
  const YAML::Node root = readable_document(path);
  try {
    Section section(root, "", variables.empty() ? nullptr : &variables);
    if (section.integer("schema_version", 1) != 1) throw Error("schema_version must be 1");
    configuration.title = section.text("title", configuration.title);
    configuration.traffic = beside(path, section.text("traffic", ""));
    configuration.redaction = redaction_of(section.section("redaction"), path);
    Section services = section.section("services");
    configuration.legacy = service_of(services.section("legacy"), path);
    configuration.new_ = service_of(services.section("new"), path);
    services.expect_nothing_else();
    Section databases = section.section("databases");
    configuration.legacy_database = database_of(databases.section("legacy"));
    configuration.new_database = database_of(databases.section("new"));
    databases.expect_nothing_else();
    configuration.fuzz = fuzz_of(section.section("fuzz"), configuration.legacy.target, path);
    configuration.budgets = budgets_of(section.section("budgets"));
    configuration.contract.budgets = configuration.budgets.limits;
    configuration.flag = flag_of(section.section("flag"), path, configuration.contract);
    configuration.stage = stage_of(section.section("stage"));
    configuration.alerts = alerts_of(section.section("alerts"), path, configuration.contract);
    Section copy = section.section("copy");
    configuration.copy_forward = copy.command("forward");
    configuration.copy_backward = copy.command("backward");
    copy.expect_nothing_else();
    auto& contract = configuration.contract;
    contract.refusal = answer_of(section.section("refusal"), {503, {"Retry-After"}, "application/problem+json"});
    contract.legacy_gone = answer_of(section.section("legacy_gone"), {410, {}, ""});
    contract.compared_headers = properties::contract_headers();
    if (section.has("compared_headers")) contract.compared_headers = section.texts("compared_headers");
    contract.answer_rules = answer_rules_of(section.node("answer_rules"));
    contract.stage_header = configuration.stage.header;
    for (const auto& [stage, value] : configuration.flag.values) contract.stage_values[value] = stage;
    contract.propagation_ns = std::chrono::nanoseconds(configuration.flag.propagation).count();
    Section poison = section.section("poison");
    configuration.poison_legacy = poison.text("legacy", "");
    configuration.poison_new = poison.text("new", "");
    poison.expect_nothing_else();
    Section live = section.section("live");
    const std::string policy = live.text("legacy_failure", "fails the request");
    if (policy != "fails the request" && policy != "hidden")
      throw Error("live.legacy_failure must be \"fails the request\" or \"hidden\"");
    contract.legacy_failure_fails_request = policy == "fails the request";
    live.expect_nothing_else();
    Section faults = section.section("faults");
    configuration.fault_steps =
        static_cast<std::size_t>(faults.integer("steps", static_cast<std::int64_t>(configuration.fault_steps)));
    contract.fault_latency_ns = std::chrono::nanoseconds(faults.duration("latency", milliseconds(2'000))).count();
    faults.expect_nothing_else();
    for (const std::string& read : section.texts("reads")) configuration.reads.insert(read);
    for (const std::string& write : section.texts("writes")) configuration.writes.insert(write);
    configuration.not_business = {configuration.stage.path, configuration.alerts.path};
    for (const std::string& other : section.texts("not_business")) configuration.not_business.insert(other);
    for (const std::string& edge : section.texts("guards")) {
      const auto parsed = properties::edge_named(edge);
      if (!parsed)
        throw Error(fmt::format(
            "guards: {:?} is no edge; write from:to with neighbouring stages, such as read-only:shadow", edge));
      configuration.guards.push_back(*parsed);
    }
    for (const auto& [edge, reason] : section.pairs("unguarded")) {
      const auto parsed = properties::edge_named(edge);
      if (!parsed) throw Error(fmt::format("unguarded: {:?} is no edge; write from:to with neighbouring stages", edge));
      contract.unguarded[std::string(invariant_of(*parsed))] = reason;
    }
    configuration.waived = section.pairs("waived");
    for (const auto& [invariant, reason] : configuration.waived) {
      const auto checks = properties::all_checks();
      if (std::none_of(checks.begin(), checks.end(), [&](const auto& check) { return check.invariant == invariant; })) {
        throw Error(fmt::format("waived: {} is no invariant that is checked; ARCHITECTURE.md lists them", invariant));
      }
    }
    configuration.deadline = section.duration("deadline", configuration.deadline);
    configuration.quiet = section.duration("quiet", configuration.quiet);
    configuration.command_deadline = section.duration("command_deadline", configuration.command_deadline);
    take_mapping(section, configuration);
    if (const std::string mapping = beside(path, section.text("mapping", "")); !mapping.empty()) {
      take_mapping_file(mapping, configuration);
    }
    section.expect_nothing_else();
    check(configuration);
  } catch (const Error& problem) {
    throw Error(fmt::format("{}: {}", path, problem.what()));
  } catch (const YAML::Exception& problem) {
    throw Error(fmt::format("{}, line {}: {}", path, problem.mark.line + 1, problem.msg));
  }
  return configuration;
}

}  // namespace rehearse::harness
