#include "reports/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "properties/answers/answers.h"
#include "properties/answers/groups.h"
#include "properties/answers/paired_reads.h"
#include "properties/answers/rule_lint.h"
#include "reports/course.h"
#include "reports/latency_summary.h"

namespace rehearse::reports {
namespace {

using properties::Evidence;
using properties::Verdict;
using replay::History;
using replay::Outcome;

// The nearest-rank quantile of service times, in milliseconds.
double quantile_ms(std::vector<std::int64_t>& times_ns, double q) {
  if (times_ns.empty()) return 0;
  const auto rank = std::min(times_ns.size() - 1, static_cast<std::size_t>(q * static_cast<double>(times_ns.size())));
  std::nth_element(times_ns.begin(), times_ns.begin() + static_cast<std::ptrdiff_t>(rank), times_ns.end());
  return static_cast<double>(times_ns[rank]) / 1e6;
}

void count_outcomes(const History& history, Section& section) {
  std::vector<std::int64_t> times;
  for (const auto& record : history.records) {
    ++section.sent;
    if (record.outcome == Outcome::answered) ++section.answered;
    if (record.outcome == Outcome::refused) ++section.refused;
    if (record.outcome == Outcome::lost) ++section.lost;
    if (record.outcome == Outcome::answered) times.push_back(record.done_ns - record.sent_ns);
  }
  section.p50_ms = quantile_ms(times, 0.50);
  section.p99_ms = quantile_ms(times, 0.99);
}

// Holds the section's play against the oracle's.
std::optional<properties::AnswersCompared> compared_answers(const Evidence& evidence, const properties::Section& seen,
                                                            const History& played) {
  const History* oracle = evidence.history(seen.oracle);
  if (oracle == nullptr) return std::nullopt;
  const bool reads_only = seen.stage == properties::Stage::read_only;
  return properties::compare_answers(
      evidence.contract, *oracle, evidence.history(seen.oracle_again), played,
      [&](const replay::Record& record) { return record.read || !reads_only; }, evidence.earlier_plays(seen));
}

void count_answers(const properties::AnswersCompared& compared, Section& section,
                   std::map<std::string, VolatileValue>& volatiles) {
  section.matched = static_cast<std::uint64_t>(compared.matched);
  section.masked = static_cast<std::uint64_t>(compared.masked);
  section.ignored = static_cast<std::uint64_t>(compared.ignored);
  section.undecided = static_cast<std::uint64_t>(compared.undecided);
  section.differed = static_cast<std::uint64_t>(compared.differed);
  for (const auto& [where, count] : compared.volatile_values)
    volatiles[where].count += static_cast<std::uint64_t>(count);
  for (const properties::NoisePath& path : compared.noise) {
    const auto value = volatiles.find(path.route + ": " + path.path);
    if (value == volatiles.end()) continue;  // nothing was left out there
    value->second.judged_as = name_of(path.shape);
    value->second.compared += static_cast<std::uint64_t>(path.counts.compared);
    value->second.oracle_differed += static_cast<std::uint64_t>(path.counts.oracle_differed);
    value->second.candidate_differed += static_cast<std::uint64_t>(path.counts.candidate_differed);
  }
}

Example example_of(const properties::DifferenceExample& seen) {
  Example example;
  example.history = seen.history;
  example.step = seen.step;
  example.expected = seen.difference.expected;
  example.observed = seen.difference.observed;
  example.request = replay::curl_line(*seen.observed, seen.target);
  if (seen.expected->outcome == Outcome::answered && seen.observed->outcome == Outcome::answered) {
    for (const properties::BodyRow& row :
         properties::side_by_side(seen.expected->response, seen.observed->response, seen.difference))
      example.bodies.push_back({row.expected, row.observed, row.differs});
  }
  return example;
}

void list_differences(const Evidence& evidence, const std::vector<properties::ComparedSection>& sections,
                      Report& report) {
  for (const properties::DifferenceGroup& group : properties::difference_groups(evidence, sections)) {
    if (report.differences.size() == max_differences) {
      ++report.more_differences;
      continue;
    }
    report.differences.push_back({group.route, group.path, std::string(name_of(group.kind)),
                                  static_cast<std::uint64_t>(group.answers), group.sections, example_of(group.first),
                                  example_of(group.smallest)});
  }
}

// What each rule did in the whole run; its day is that of the oracle's play.
void list_rules(const Evidence& evidence, const std::vector<properties::ComparedSection>& sections, Report& report) {
  const auto& rules = evidence.contract.answer_rules;
  for (const properties::AnswerRule& rule : rules)
    report.rules.push_back({title_of(rule), rule.reason, rule.owner, rule.expires, 0, {}});
  for (const auto& section : sections) {
    for (std::size_t i = 0; i < std::min(rules.size(), section.answers.rule_hits.size()); ++i)
      report.rules[i].applied += static_cast<std::uint64_t>(section.answers.rule_hits[i]);
  }
  const History* oracle = evidence.history(properties::first_oracle);
  if (oracle == nullptr && !sections.empty()) oracle = evidence.history(sections.front().section->oracle);
  if (oracle == nullptr) return;
  std::vector<properties::AnswersCompared> answers;
  for (const auto& section : sections) answers.push_back(section.answers);
  for (const auto& remark :
       properties::rule_remarks(evidence.contract, *oracle, answers, properties::day_of(oracle->began_ns)))
    report.rules[remark.rule].remarks.push_back(remark.what);
}

Section oracle_section(const History& history) {
  Section section;
  section.name = history.name;
  section.kind = "oracle";
  count_outcomes(history, section);
  const bool whole = !history.interrupted && section.answered == section.sent;
  section.verdict = whole ? Verdict::pass : Verdict::unknown;
  return section;
}

}  // namespace

Report report_of_answers(const Evidence& evidence, const properties::Judgement& judgement,
                         const std::vector<properties::ComparedSection>& compared) {
  Report report;
  report.verdict = judgement.verdict();
  report.results = judgement.results;
  std::map<std::string, VolatileValue> volatiles;
  for (const auto& [seen, answers] : compared) {
    Section section;
    section.name = seen->name;
    section.kind = "pairs";
    section.verdict = report.verdict;
    section.findings = static_cast<std::uint64_t>(answers.differed);
    if (const History* played = evidence.history(seen->played)) count_outcomes(*played, section);
    count_answers(answers, section, volatiles);
    report.sections.push_back(std::move(section));
  }
  for (const auto& [what, count] : evidence.conservation)
    report.conservation.emplace_back(what, static_cast<std::uint64_t>(count));
  list_differences(evidence, compared, report);
  list_rules(evidence, compared, report);
  return report;
}

Report report_of(const Evidence& evidence, const properties::Judgement& judgement) {
  Report report;
  report.verdict = judgement.verdict();
  report.results = judgement.results;
  std::map<std::string, VolatileValue> volatiles;
  std::vector<properties::ComparedSection> compared;
  for (const char* name : {properties::first_oracle, properties::second_oracle}) {
    if (const History* oracle = evidence.history(name)) report.sections.push_back(oracle_section(*oracle));
  }
  for (const properties::Section& seen : evidence.sections) {
    Section section;
    section.name = seen.name;
    section.kind = seen.edge ? "edge" : "stage";
    section.seconds = seen.seconds;
    section.verdict = Verdict::pass;
    bool judged = false;
    for (const properties::Result& result : judgement.results) {
      if (result.scope != seen.name) continue;
      judged = true;
      section.verdict = worst(section.verdict, result.verdict);
      section.findings += result.violations;
    }
    if (!judged) section.verdict = Verdict::unknown;
    std::optional<properties::AnswersCompared> answers;
    if (const History* played = evidence.history(seen.played)) {
      count_outcomes(*played, section);
      answers = compared_answers(evidence, seen, *played);
    }
    if (!seen.paired.empty() && !answers) answers.emplace();
    for (const properties::PairedReads& pair : seen.paired)
      properties::add_excused(properties::compare_paired_reads(evidence, pair), *answers);
    if (answers) {
      count_answers(*answers, section, volatiles);
      compared.push_back({&seen, std::move(*answers)});
    }
    for (const auto& [name, comparison] : seen.comparisons) {
      for (const auto& [column, count] : comparison.masked_columns)
        volatiles["database: " + column].count += static_cast<std::uint64_t>(count);
    }
    report.sections.push_back(std::move(section));
  }
  for (auto& [where, value] : volatiles) {
    value.where = where;
    report.volatiles.push_back(std::move(value));
  }
  list_differences(evidence, compared, report);
  list_rows(evidence, report);
  tell_time_line(evidence, report);
  list_rules(evidence, compared, report);
  for (const auto& [what, count] : evidence.conservation)
    report.conservation.emplace_back(what, static_cast<std::uint64_t>(count));
  std::map<std::string, std::uint64_t> bound;
  for (const properties::BoundValue& value : evidence.bound) {
    std::string what = fmt::format("values of answers, {}", name_of(value.belief));
    if (value.belief == properties::Belief::refuted)
      what += fmt::format(": {} of step {} was no source of {:?}, which was sent as captured", value.source, value.step,
                          value.captured);
    ++bound[what];
  }
  report.conservation.insert(report.conservation.end(), bound.begin(), bound.end());
  for (const auto& [invariant, reason] : evidence.waived)
    report.conservation.emplace_back("waived: " + invariant + " (" + reason + ")", 1);
  add_latencies(evidence, report);
  return report;
}

void hold_against_rules(Report& report) {
  properties::Result result;
  result.invariant = "rules";
  result.title = "each rule about answers is needed, in force and no broader than what differs";
  result.scope = "the whole rehearsal";
  result.checked = report.rules.size();
  std::string remarks;
  for (const RuleUse& rule : report.rules) {
    for (const std::string& remark : rule.remarks)
      remarks += fmt::format("{}{} {}", remarks.empty() ? "" : "; ", rule.rule, remark);
  }
  if (report.rules.empty()) return;
  result.verdict = remarks.empty() ? Verdict::pass : Verdict::unknown;
  result.reason = remarks.empty() ? fmt::format("{} rules", report.rules.size()) : remarks;
  report.verdict = properties::worst(report.verdict, result.verdict);
  report.results.push_back(std::move(result));
}

}  // namespace rehearse::reports
