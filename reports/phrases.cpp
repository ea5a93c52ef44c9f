#include "reports/phrases.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "reports/escape.h"

namespace rehearse::reports {

using properties::Result;
using properties::Verdict;

std::string_view shout(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "PASS";
    case Verdict::fail:
      return "FAIL";
    case Verdict::unknown:
      break;
  }
  return "UNKNOWN";
}

std::vector<const Result*> results_with(const Report& report, Verdict verdict) {
  std::vector<const Result*> found;
  for (const Result& result : report.results) {
    if (result.verdict == verdict) found.push_back(&result);
  }
  return found;
}

std::string seed_of(const Report& report) { return report.seed == 0 ? "" : fmt::format("seed {}", report.seed); }

std::string prefixed(std::string_view prefix, const std::string& text) {
  return text.empty() ? "" : std::string(prefix) + text;
}

std::string advice(const Report& report) {
  // Nothing was written, and no stage was taken.
  const bool pairs = std::any_of(report.sections.begin(), report.sections.end(),
                                 [](const Section& section) { return section.kind == "pairs"; });
  if (report.verdict == Verdict::pass)
    return pairs ? "both services answer these reads alike; no stage was rehearsed"
                 : "safe to take every stage rehearsed";
  if (report.verdict == Verdict::fail) {
    std::set<std::string> broken;
    for (const Result* result : results_with(report, Verdict::fail)) broken.insert(result->invariant);
    if (broken.empty()) return "do not cut over";
    return fmt::format("do not cut over: {} broken", counted(broken.size(), "invariant"));
  }
  if (report.results.empty()) return "nothing was checked: do not cut over on this evidence";
  return fmt::format("nothing proves {} of {}: do not cut over on this evidence",
                     grouped(results_with(report, Verdict::unknown).size()), counted(report.results.size(), "check"));
}

std::string place_of(const properties::Finding& finding) {
  if (finding.history.empty()) return "";
  return finding.step < 0 ? finding.history : fmt::format("{}, step {}", finding.history, finding.step);
}

std::string counted(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", grouped(count), noun, count == 1 ? "" : "s");
}

std::string milliseconds(double value) {
  if (!std::isfinite(value) || value <= 0) return "–";
  if (value >= 1000) return fmt::format("{:.2f} s", value / 1000);
  return value >= 100  ? fmt::format("{:.0f} ms", value)
         : value >= 10 ? fmt::format("{:.1f} ms", value)
                       : fmt::format("{:.2f} ms", value);
}

std::string in_unit(const BudgetResult& budget, double value) {
  if (budget.unit == "ms") return milliseconds(value);
  if (budget.unit == "requests/s") return fmt::format("{:.0f}/s", value);
  return budget.metric == "error_rate" ? fmt::format("{:.3f}%", value * 100) : fmt::format("{:+.1f}%", value * 100);
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "–";
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = std::llround(seconds);
  return fmt::format("{} min {} s", whole / 60, whole % 60);
}

std::string conservation_line(const Report& report, std::string (*escape)(std::string_view)) {
  std::string line;
  for (const auto& [name, count] : report.conservation) {
    line += fmt::format("{}{} {}", line.empty() ? "" : " · ", escape(name), grouped(count));
  }
  return line;
}

std::size_t unexplained_rows(const Report& report) {
  return static_cast<std::size_t>(
      std::count_if(report.rows.begin(), report.rows.end(), [](const DifferingRow& row) { return !row.alerted; }));
}

std::string summary_of(const Since& since) {
  const auto count = [&](std::string_view state) {
    return grouped(static_cast<std::uint64_t>(
        std::count_if(since.findings.begin(), since.findings.end(), [&](const auto& f) { return f.state == state; })));
  };
  return fmt::format("{} new, {} still there, {} gone", count("new"), count("still there"), count("gone"));
}

std::vector<const ChangedNumber*> slowest(const Since& since) {
  std::vector<const ChangedNumber*> changed;
  const auto ratio = [](const ChangedNumber& number) { return number.now / number.before; };
  for (const ChangedNumber& number : since.latencies) {
    if (number.name.ends_with("p50") && number.before > 0 && std::abs(ratio(number) - 1) > 0.1)
      changed.push_back(&number);
  }
  std::stable_sort(changed.begin(), changed.end(), [&](const auto* a, const auto* b) { return ratio(*a) > ratio(*b); });
  changed.resize(std::min<std::size_t>(changed.size(), 8));
  return changed;
}

std::string change_of(const ChangedNumber& number) {
  if (number.unit.empty()) return fmt::format("{:+}", std::llround(number.now - number.before));
  return number.before > 0 ? fmt::format("{:+.1f}%", (number.now / number.before - 1) * 100) : "–";
}

std::string grouped(std::uint64_t value) {
  std::string digits = std::to_string(value);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string excerpt(std::string_view text, std::size_t limit) {
  const std::string whole = valid_utf8(text);
  const std::string_view kept = first_columns(whole, limit);
  if (kept.size() == whole.size()) return whole;
  return fmt::format("{}… ({} more characters)", kept, grouped(columns_of(whole) - limit));
}

std::string extent_of(const Difference& difference) {
  return fmt::format("in {}: {}", counted(difference.answers, "answer"), fmt::join(difference.sections, ", "));
}

std::string counts_of(const VolatileValue& value) {
  std::string text = grouped(value.count) + "×";
  if (value.judged_as.empty()) return text;
  return text + fmt::format(", {}; of {} the oracle changed it in {} and the candidate in {}", value.judged_as,
                            counted(value.compared, "answer"), grouped(value.oracle_differed),
                            grouped(value.candidate_differed));
}

std::string use_of(const RuleUse& rule) {
  std::string whose = rule.owner;
  if (!rule.expires.empty()) whose += (whose.empty() ? "until " : ", until ") + rule.expires;
  return fmt::format("applied {}×: {}{}", grouped(rule.applied), rule.reason, whose.empty() ? "" : " (" + whose + ")");
}

std::string place_of(const Example& example) { return fmt::format("{}, step {}", example.history, example.step); }

bool same_place(const Example& a, const Example& b) { return a.history == b.history && a.step == b.step; }

}  // namespace rehearse::reports
