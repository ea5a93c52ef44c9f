#include "reports/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "properties/answers/answers.h"

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

void count_answers(const Evidence& evidence, const properties::Section& seen, const History& played, Section& section,
                   std::map<std::string, std::uint64_t>& volatiles) {
  const History* oracle = evidence.history(seen.oracle);
  if (oracle == nullptr) return;
  const bool reads_only = seen.stage == properties::Stage::read_only;
  const auto compared = properties::compare_answers(
      evidence.contract, *oracle, evidence.history(seen.oracle_again), played,
      [&](const replay::Record& record) { return record.read || !reads_only; }, evidence.earlier_plays(seen));
  section.matched = static_cast<std::uint64_t>(compared.matched);
  section.masked = static_cast<std::uint64_t>(compared.masked);
  section.differed = static_cast<std::uint64_t>(compared.differed);
  for (const auto& [where, count] : compared.volatile_values) volatiles[where] += static_cast<std::uint64_t>(count);
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

Report report_of(const Evidence& evidence, const properties::Judgement& judgement) {
  Report report;
  report.verdict = judgement.verdict();
  report.results = judgement.results;
  std::map<std::string, std::uint64_t> volatiles;
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
    if (const History* played = evidence.history(seen.played)) {
      count_outcomes(*played, section);
      count_answers(evidence, seen, *played, section, volatiles);
    }
    for (const auto& [name, comparison] : seen.comparisons) {
      for (const auto& [column, count] : comparison.masked_columns)
        volatiles["database: " + column] += static_cast<std::uint64_t>(count);
    }
    report.sections.push_back(std::move(section));
  }
  for (const auto& [where, count] : volatiles) report.volatiles.push_back({where, count});
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
  return report;
}

}  // namespace rehearse::reports
