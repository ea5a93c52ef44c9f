#include "properties/answers/paired_reads.h"

#include <algorithm>

#include "properties/answers/path.h"

namespace rehearse::properties {
namespace {

using replay::History;
using replay::Record;

void compare(const AnswerComparer& comparer, const History& before, const History& after, const Record& expected,
             const Record& observed, AnswersCompared& into) {
  auto differences = comparer.differences(expected, observed, &into.rule_hits);
  const auto route = replay::route_of(expected.request.method, expected.request.target);
  const Windows windows{{before.began_ns, before.began_ns + expected.done_ns},
                        {after.began_ns, after.began_ns + observed.done_ns}};
  bool ignored = false, tolerated = false;
  std::erase_if(differences, [&](const Difference& difference) {
    const auto path = without_indices(difference.path);
    ++into.drifted[route][path];
    const auto rule = comparer.rules().excuse(route, difference, windows);
    if (!rule) return false;
    ++into.rule_hits[*rule];
    const bool is_ignored = comparer.rules().rule(*rule).kind == AnswerRule::Kind::ignore;
    (is_ignored ? ignored : tolerated) = true;
    ++(is_ignored ? into.ignored_values : into.volatile_values)[route + ": " + path];
    return true;
  });
  ++(!differences.empty() ? into.differed : ignored ? into.ignored : tolerated ? into.masked : into.matched);
  if (!differences.empty()) into.steps.push_back({expected.step, std::move(differences)});
}

}  // namespace

PairedReadsCompared compare_paired_reads(const Evidence& evidence, const PairedReads& reads) {
  PairedReadsCompared result;
  result.answers.rule_hits.assign(evidence.contract.answer_rules.size(), 0);
  const History* before = evidence.history(reads.before);
  const History* after = evidence.history(reads.after);
  if (before == nullptr || after == nullptr) {
    result.missing = true;
    return result;
  }
  const AnswerComparer comparer(evidence.contract, correspondence(*before, {after}), day_of(after->began_ns),
                                before->target, after->target);
  for (const Record& expected : before->records) {
    const Record* observed = replay::record_of(*after, expected.step);
    const bool answered = expected.outcome == replay::Outcome::answered;
    if (answered && observed == nullptr) {
      result.not_read_again.push_back(&expected);
    } else if (!answered || expected.response.status >= 500) {
      result.failed_before.push_back(&expected);
    } else {
      compare(comparer, *before, *after, expected, *observed, result.answers);
    }
  }
  return result;
}

void add_excused(const PairedReadsCompared& reads, AnswersCompared& to) {
  const AnswersCompared& from = reads.answers;
  to.masked += from.masked;
  to.ignored += from.ignored;
  to.rule_hits.resize(std::max(to.rule_hits.size(), from.rule_hits.size()), 0);
  for (std::size_t i = 0; i < from.rule_hits.size(); ++i) to.rule_hits[i] += from.rule_hits[i];
  for (const auto& [where, count] : from.ignored_values) to.ignored_values[where] += count;
  for (const auto& [where, count] : from.volatile_values) to.volatile_values[where] += count;
  for (const auto& [route, paths] : from.drifted) {
    for (const auto& [path, count] : paths) to.drifted[route][path] += count;
  }
}

}  // namespace rehearse::properties
