#include "reports/junit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "reports/escape.h"
#include "reports/phrases.h"

namespace rehearse::reports {
namespace {

using properties::Finding;
using properties::Result;
using properties::Verdict;

constexpr std::size_t message_limit = 300;  // CI servers show the message in a list

double seconds_of(const Report& report, std::string_view scope) {
  for (const Section& section : report.sections) {
    if (section.name == scope && std::isfinite(section.seconds)) return section.seconds;
  }
  return 0;
}

std::string facts_of(const Result& result) {
  std::string text = counted(result.violations, "violation") + "\n";
  for (const Finding& finding : result.findings) {
    text += fmt::format("\nexpected: {}\nobserved: {}\n", finding.expected, finding.observed);
    if (!finding.request.empty()) text += fmt::format("request:  {}\n", finding.request);
    if (const auto place = place_of(finding); !place.empty()) text += fmt::format("where:    {}\n", place);
  }
  return text;
}

// Newlines of element text stay as they are; xml_escape writes references, which attributes need.
std::string xml_text(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    out += xml_escape(text.substr(0, end));
    if (end == std::string_view::npos) break;
    out += '\n';
    text.remove_prefix(end + 1);
  }
  return out;
}

std::string test_case(const Result& result) {
  std::string out = fmt::format(R"(    <testcase classname="{}" name="{}")", xml_escape(result.scope),
                                xml_escape(result.invariant + ": " + result.title));
  switch (result.verdict) {
    case Verdict::pass:
      return out + "/>\n";
    case Verdict::unknown:
      return out + fmt::format(">\n      <skipped message=\"{}\"/>\n    </testcase>\n",
                               xml_escape(result.reason.empty() ? "no reason was given" : result.reason));
    case Verdict::fail:
      break;
  }
  const std::string first = result.findings.empty()
                                ? result.reason
                                : "expected " + excerpt(result.findings[0].expected, message_limit) + "; observed " +
                                      excerpt(result.findings[0].observed, message_limit);
  return out + fmt::format(">\n      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>\n",
                           xml_escape(result.invariant), xml_escape(first), xml_text(facts_of(result)));
}

// The schema has no count of what is skipped for all suites together.
std::string counts_of(const std::vector<const Result*>& results, std::size_t errors, bool skipped) {
  const auto count = [&](Verdict verdict) {
    return std::count_if(results.begin(), results.end(), [&](const Result* r) { return r->verdict == verdict; });
  };
  return fmt::format(R"(tests="{}" failures="{}" errors="{}")", results.size() + errors, count(Verdict::fail), errors) +
         (skipped ? fmt::format(R"( skipped="{}")", count(Verdict::unknown)) : "");
}

std::string property(std::string_view name, std::string_view value) {
  return fmt::format("      <property name=\"{}\" value=\"{}\"/>\n", name, xml_escape(value));
}

// The scopes in the order of their first result.
std::vector<std::pair<std::string, std::vector<const Result*>>> by_scope(const Report& report) {
  std::vector<std::pair<std::string, std::vector<const Result*>>> scopes;
  for (const Result& result : report.results) {
    auto found = std::find_if(scopes.begin(), scopes.end(), [&](const auto& s) { return s.first == result.scope; });
    if (found == scopes.end()) found = scopes.insert(found, {result.scope, {}});
    found->second.push_back(&result);
  }
  return scopes;
}

// The causes of what differs, a line each: with the first of their sections that is a suite, else with the first suite.
std::map<std::string, std::string> causes_by_scope(const Report& report) {
  const auto scopes = by_scope(report);
  std::map<std::string, std::string> causes;
  if (scopes.empty()) return causes;
  for (const Difference& difference : report.differences) {
    const auto at = std::find_if(scopes.begin(), scopes.end(), [&](const auto& scope) {
      return std::find(difference.sections.begin(), difference.sections.end(), scope.first) !=
             difference.sections.end();
    });
    causes[(at == scopes.end() ? scopes.front() : *at).first] +=
        fmt::format("{}: {} ({}), {}\n", difference.route, difference.path, difference.kind, extent_of(difference));
  }
  if (report.more_differences > 0)
    causes[scopes.front().first] += fmt::format("{} not listed\n", counted(report.more_differences, "more cause"));
  return causes;
}

}  // namespace

std::string render_junit(const Report& report) {
  std::vector<const Result*> all;
  for (const Result& result : report.results) all.push_back(&result);
  const std::size_t errors = all.empty() ? 1 : 0;
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  out += fmt::format("<testsuites name=\"{}\" {} time=\"{:.3f}\">\n", xml_escape("rehearse: " + report.title),
                     counts_of(all, errors, false), std::isfinite(report.seconds) ? report.seconds : 0);
  if (all.empty()) {
    out +=
        "  <testsuite name=\"rehearsal\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\">\n"
        "    <testcase classname=\"rehearsal\" name=\"something was checked\">\n"
        "      <error message=\"Nothing was checked, so nothing is proved.\"/>\n    </testcase>\n  </testsuite>\n";
  }
  const std::string properties = property("verdict", shout(report.verdict)) + property("advice", advice(report)) +
                                 property("seed", std::to_string(report.seed)) + property("repeat", report.repeat) +
                                 property("history", report.history);
  const auto ignored_in = [&](const std::string& scope) {
    std::uint64_t ignored = 0;
    for (const Section& section : report.sections) ignored += section.name == scope ? section.ignored : 0;
    return property("answers ignored", std::to_string(ignored));
  };
  const auto causes = causes_by_scope(report);
  for (const auto& [scope, results] : by_scope(report)) {
    out += fmt::format("  <testsuite name=\"{}\" {} time=\"{:.3f}\"", xml_escape(scope), counts_of(results, 0, true),
                       seconds_of(report, scope));
    if (!report.started.empty()) out += fmt::format(" timestamp=\"{}\"", xml_escape(report.started));
    out += fmt::format(">\n    <properties>\n{}{}    </properties>\n", properties, ignored_in(scope));
    for (const Result* result : results) out += test_case(*result);
    if (const auto found = causes.find(scope); found != causes.end())
      out += "    <system-out>" + xml_text(found->second) + "</system-out>\n";
    out += "  </testsuite>\n";
  }
  return out + "</testsuites>\n";
}

}  // namespace rehearse::reports
