#include "reports/report.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <stdexcept>

#include "reports/course_json.h"
#include "reports/escape.h"
#include "reports/latency_json.h"
#include "reports/members.h"

namespace rehearse::reports {
namespace {

namespace json = boost::json;
using properties::Finding;
using properties::Result;
using properties::Verdict;

json::value json_of(const Finding& finding) {
  return {{"expected", text(finding.expected)},
          {"observed", text(finding.observed)},
          {"request", text(finding.request)},
          {"history", text(finding.history)},
          {"step", finding.step}};
}

json::value json_of(const Result& result) {
  json::array findings;
  for (const Finding& finding : result.findings) findings.push_back(json_of(finding));
  return {{"invariant", text(result.invariant)}, {"title", text(result.title)},    {"scope", text(result.scope)},
          {"verdict", name_of(result.verdict)},  {"reason", text(result.reason)},  {"checked", result.checked},
          {"violations", result.violations},     {"findings", std::move(findings)}};
}

json::value json_of(const Section& section) {
  return {{"name", text(section.name)},
          {"kind", text(section.kind)},
          {"verdict", name_of(section.verdict)},
          {"sent", section.sent},
          {"answered", section.answered},
          {"refused", section.refused},
          {"lost", section.lost},
          {"matched", section.matched},
          {"masked", section.masked},
          {"ignored", section.ignored},
          {"undecided", section.undecided},
          {"differed", section.differed},
          {"p50_ms", measured(section.p50_ms)},
          {"p99_ms", measured(section.p99_ms)},
          {"seconds", measured(section.seconds)},
          {"findings", section.findings}};
}

json::value json_of(const Example& example) {
  json::array bodies;
  for (const BodyLine& line : example.bodies)
    bodies.push_back({{"expected", text(line.expected)}, {"observed", text(line.observed)}, {"differs", line.differs}});
  return {{"history", text(example.history)},   {"step", example.step},
          {"expected", text(example.expected)}, {"observed", text(example.observed)},
          {"request", text(example.request)},   {"bodies", std::move(bodies)}};
}

json::value json_of(const Difference& difference) {
  json::array sections;
  for (const std::string& section : difference.sections) sections.push_back(text(section));
  return {{"route", text(difference.route)},         {"path", text(difference.path)},
          {"kind", text(difference.kind)},           {"answers", difference.answers},
          {"sections", std::move(sections)},         {"first", json_of(difference.first)},
          {"smallest", json_of(difference.smallest)}};
}

json::value json_of(const RuleUse& rule) {
  json::array remarks;
  for (const std::string& remark : rule.remarks) remarks.push_back(text(remark));
  return {{"rule", text(rule.rule)},       {"reason", text(rule.reason)}, {"owner", text(rule.owner)},
          {"expires", text(rule.expires)}, {"applied", rule.applied},     {"remarks", std::move(remarks)}};
}

json::value json_of(const VolatileValue& value) {
  return {{"where", text(value.where)},
          {"count", value.count},
          {"judged_as", text(value.judged_as)},
          {"compared", value.compared},
          {"oracle_differed", value.oracle_differed},
          {"candidate_differed", value.candidate_differed}};
}

// Indented by two spaces, a member a line: reports are read and compared by people too.
void print(std::string& out, const json::value& value, std::size_t indent) {
  const auto list = [&](char open, char close, const auto& items, auto&& item) {
    out += open;
    bool first = true;
    for (const auto& each : items) {
      out += first ? "\n" : ",\n";
      first = false;
      out.append(indent + 2, ' ');
      item(each);
    }
    if (!first) out.append(1, '\n').append(indent, ' ');
    out += close;
  };
  if (const auto* object = value.if_object()) {
    list('{', '}', *object, [&](const json::key_value_pair& member) {
      out += json_escape(json::serialize(member.key())) + ": ";
      print(out, member.value(), indent + 2);
    });
  } else if (const auto* array = value.if_array()) {
    list('[', ']', *array, [&](const json::value& element) { print(out, element, indent + 2); });
  } else if (const auto* number = value.if_double()) {
    out += fmt::format("{}", *number);
  } else {
    out += json_escape(json::serialize(value));
  }
}

Finding finding_of(const json::value& value) {
  const Members members(value, "a finding");
  Finding finding;
  finding.expected = members.text("expected");
  finding.observed = members.text("observed");
  finding.request = members.text("request");
  finding.history = members.text("history");
  finding.step = members.number<std::int64_t>("step");
  return finding;
}

Result result_of(const json::value& value) {
  const Members members(value, "a result");
  Result result;
  result.invariant = members.text("invariant");
  result.title = members.text("title");
  result.scope = members.text("scope");
  result.verdict = members.verdict("verdict");
  result.reason = members.text("reason");
  result.checked = members.number<std::uint64_t>("checked");
  result.violations = members.number<std::uint64_t>("violations");
  for (const json::value& finding : members.list("findings")) result.findings.push_back(finding_of(finding));
  return result;
}

Section section_of(const json::value& value) {
  const Members members(value, "a section");
  const auto count = [&](std::string_view name) { return members.number<std::uint64_t>(name); };
  Section section;
  section.name = members.text("name");
  section.kind = members.text("kind");
  section.verdict = members.verdict("verdict");
  section.sent = count("sent");
  section.answered = count("answered");
  section.refused = count("refused");
  section.lost = count("lost");
  section.matched = count("matched");
  section.masked = count("masked");
  section.ignored = count("ignored");
  section.undecided = count("undecided");
  section.differed = count("differed");
  section.p50_ms = members.number<double>("p50_ms");
  section.p99_ms = members.number<double>("p99_ms");
  section.seconds = members.number<double>("seconds");
  section.findings = count("findings");
  return section;
}

std::vector<std::string> texts_of(const json::array& list) {
  std::vector<std::string> texts;
  for (const json::value& each : list) {
    if (!each.is_string()) throw std::invalid_argument("The report is damaged: a list of texts holds something else.");
    texts.emplace_back(each.get_string());
  }
  return texts;
}

Example example_of(const json::value& value) {
  const Members members(value, "an example");
  Example example;
  example.history = members.text("history");
  example.step = members.number<std::int64_t>("step");
  example.expected = members.text("expected");
  example.observed = members.text("observed");
  example.request = members.text("request");
  for (const json::value& each : members.list("bodies")) {
    const Members line(each, "a line of a body");
    if (!line.at("differs").is_bool()) throw std::invalid_argument("The report is damaged: \"differs\" is no truth.");
    example.bodies.push_back({line.text("expected"), line.text("observed"), line.at("differs").get_bool()});
  }
  return example;
}

Difference difference_of(const json::value& value) {
  const Members members(value, "a difference");
  Difference difference;
  difference.route = members.text("route");
  difference.path = members.text("path");
  difference.kind = members.text("kind");
  difference.answers = members.number<std::uint64_t>("answers");
  difference.sections = texts_of(members.list("sections"));
  difference.first = example_of(members.at("first"));
  difference.smallest = example_of(members.at("smallest"));
  return difference;
}

RuleUse rule_of(const json::value& value) {
  const Members members(value, "a rule");
  RuleUse rule;
  rule.rule = members.text("rule");
  rule.reason = members.text("reason");
  rule.owner = members.text("owner");
  rule.expires = members.text("expires");
  rule.applied = members.number<std::uint64_t>("applied");
  rule.remarks = texts_of(members.list("remarks"));
  return rule;
}

}  // namespace

std::string to_json(const Report& report) {
  json::array conservation, sections, results, volatiles;
  for (const auto& [name, count] : report.conservation) {
    conservation.push_back({{"name", text(name)}, {"count", count}});
  }
  for (const Section& section : report.sections) sections.push_back(json_of(section));
  for (const Result& result : report.results) results.push_back(json_of(result));
  for (const VolatileValue& value : report.volatiles) volatiles.push_back(json_of(value));
  json::array differences, rules;
  for (const Difference& difference : report.differences) differences.push_back(json_of(difference));
  for (const RuleUse& rule : report.rules) rules.push_back(json_of(rule));
  const json::value document{{"schema_version", report.schema_version},
                             {"tool_version", text(report.tool_version)},
                             {"title", text(report.title)},
                             {"started", text(report.started)},
                             {"seconds", measured(report.seconds)},
                             {"seed", report.seed},
                             {"repeat", text(report.repeat)},
                             {"verdict", name_of(report.verdict)},
                             {"traffic", text(report.traffic)},
                             {"history", text(report.history)},
                             {"conservation", std::move(conservation)},
                             {"sections", std::move(sections)},
                             {"results", std::move(results)},
                             {"differences", std::move(differences)},
                             {"more_differences", report.more_differences},
                             {"volatiles", std::move(volatiles)},
                             {"rules", std::move(rules)},
                             {"latencies", json_of(report.latencies)},
                             {"budgets", json_of(report.budgets)},
                             {"environment", json_of(report.environment)},
                             {"rows", json_of(report.rows)},
                             {"more_rows", report.more_rows},
                             {"timeline", json_of(report.timeline)},
                             {"since", json_of(report.since)}};
  std::string out;
  print(out, document, 0);
  return out + "\n";
}

Report from_json(const std::string& text) {
  boost::system::error_code failed;
  const json::value document = json::parse(text, failed);
  if (failed) throw std::invalid_argument("This is no report: it is not JSON (" + failed.message() + ").");
  if (!document.is_object() || !document.get_object().contains("schema_version")) {
    throw std::invalid_argument("This is no report: it has no schema_version.");
  }
  const Members members(document, "the report");
  Report report;
  report.schema_version = members.number<int>("schema_version");
  if (report.schema_version != report_schema_version) {
    throw std::invalid_argument(fmt::format("This report has schema version {}; this program reads version {}.",
                                            report.schema_version, report_schema_version));
  }
  report.tool_version = members.text("tool_version");
  report.title = members.text("title");
  report.started = members.text("started");
  report.seconds = members.number<double>("seconds");
  report.seed = members.number<std::uint64_t>("seed");
  report.repeat = members.text("repeat");
  report.verdict = members.verdict("verdict");
  report.traffic = members.text("traffic");
  report.history = members.text("history");
  for (const json::value& each : members.list("conservation")) {
    const Members count(each, "the conservation");
    report.conservation.emplace_back(count.text("name"), count.number<std::uint64_t>("count"));
  }
  for (const json::value& section : members.list("sections")) report.sections.push_back(section_of(section));
  for (const json::value& result : members.list("results")) report.results.push_back(result_of(result));
  for (const json::value& each : members.list("volatiles")) {
    const Members value(each, "a volatile value");
    VolatileValue& added = report.volatiles.emplace_back();
    added.where = value.text("where");
    added.count = value.number<std::uint64_t>("count");
    added.judged_as = value.text("judged_as");
    added.compared = value.number<std::uint64_t>("compared");
    added.oracle_differed = value.number<std::uint64_t>("oracle_differed");
    added.candidate_differed = value.number<std::uint64_t>("candidate_differed");
  }
  for (const json::value& each : members.list("differences")) report.differences.push_back(difference_of(each));
  report.more_differences = members.number<std::uint64_t>("more_differences");
  for (const json::value& each : members.list("rules")) report.rules.push_back(rule_of(each));
  report.latencies = latencies_of(members.list("latencies"));
  report.budgets = budgets_of(members.list("budgets"));
  report.environment = environment_of(members.at("environment"));
  report.rows = rows_of(members.list("rows"));
  report.more_rows = members.number<std::uint64_t>("more_rows");
  report.timeline = timeline_of(members.list("timeline"));
  report.since = since_of(members.at("since"));
  return report;
}

}  // namespace rehearse::reports
