#include "reports/since.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "reports/identity.h"

namespace rehearse::reports {
namespace {

using properties::Verdict;

// What is said of a report by name, with how often it is said.
struct Said {
  std::string what, text;
  std::uint64_t times = 0;
};

// In the order in which the report says it.
struct Sayings {
  std::vector<std::string> order;
  std::map<std::string, Said> by_id;

  void add(const std::string& id, std::string what, const std::string& text, std::uint64_t times) {
    auto [said, fresh] = by_id.try_emplace(id, Said{std::move(what), text, 0});
    if (fresh) order.push_back(id);
    said->second.times += times;
  }
};

Sayings sayings_of(const Report& report) {
  Sayings sayings;
  for (const properties::Result& result : report.results) {
    const std::string what = fmt::format("{} in {}", result.invariant, result.scope);
    if (result.verdict == Verdict::unknown) sayings.add(identity_of(result), what, "not proved: " + result.reason, 1);
    if (result.verdict != Verdict::fail) continue;
    for (const properties::Finding& finding : result.findings)
      sayings.add(identity_of(result, finding), what, finding.observed, 1);
    // Which of those that are not shown are which cannot be told; they stand by their number.
    if (result.violations > result.findings.size())
      sayings.add(identity_of(result), what, "violations that are not listed",
                  result.violations - result.findings.size());
  }
  for (const Difference& difference : report.differences)
    sayings.add(identity_of(difference), fmt::format("{} {}", difference.route, difference.path),
                fmt::format("{}: {} against {}", difference.kind, difference.first.expected, difference.first.observed),
                difference.answers);
  for (const DifferingRow& row : report.rows) {
    if (!row.alerted)
      sayings.add(identity_of(row), fmt::format("rows of {} in {}", row.entity, row.section),
                  fmt::format("{}/{} differs", row.entity, row.key), 1);
  }
  for (const BudgetResult& budget : report.budgets) {
    if (budget.verdict != Verdict::pass)
      sayings.add(identity_of(budget), fmt::format("{} of {} in {}", budget.metric, budget.route, budget.section),
                  budget.reason, 1);
  }
  return sayings;
}

std::vector<ChangedFinding> changed_findings(const Report& earlier, const Report& now) {
  const Sayings then = sayings_of(earlier), today = sayings_of(now);
  std::vector<ChangedFinding> fresh, lasting, gone;
  for (const std::string& id : today.order) {
    const Said& said = today.by_id.at(id);
    const auto before = then.by_id.find(id);
    if (before == then.by_id.end()) {
      fresh.push_back({id, "new", said.what, said.text, 0, said.times});
    } else {
      lasting.push_back({id, "still there", said.what, said.text, before->second.times, said.times});
    }
  }
  for (const std::string& id : then.order) {
    const Said& said = then.by_id.at(id);
    if (!today.by_id.contains(id)) gone.push_back({id, "gone", said.what, said.text, said.times, 0});
  }
  fresh.insert(fresh.end(), lasting.begin(), lasting.end());
  fresh.insert(fresh.end(), gone.begin(), gone.end());
  return fresh;
}

// The first section of that name; nothing when there is none.
const Section* section_of(const Report& report, const std::string& name) {
  const auto found = std::find_if(report.sections.begin(), report.sections.end(),
                                  [&](const Section& section) { return section.name == name; });
  return found == report.sections.end() ? nullptr : &*found;
}

void compare_sections(const Report& earlier, const Report& now, Since& since) {
  for (const Section& section : now.sections) {
    const Section* before = section_of(earlier, section.name);
    since.verdicts.push_back({section.name, before == nullptr ? "" : std::string(name_of(before->verdict)),
                              std::string(name_of(section.verdict))});
    if (before == nullptr) continue;
    const auto count = [&](const char* what, std::uint64_t then, std::uint64_t today) {
      if (then != today)
        since.counts.push_back(
            {fmt::format("{}: {}", section.name, what), static_cast<double>(then), static_cast<double>(today), ""});
    };
    count("sent", before->sent, section.sent);
    count("answered", before->answered, section.answered);
    count("refused", before->refused, section.refused);
    count("lost", before->lost, section.lost);
    count("matched", before->matched, section.matched);
    count("masked", before->masked, section.masked);
    count("ignored", before->ignored, section.ignored);
    count("undecided", before->undecided, section.undecided);
    count("differed", before->differed, section.differed);
    count("findings", before->findings, section.findings);
    for (const auto& [what, then, today] :
         {std::tuple("p50", before->p50_ms, section.p50_ms), std::tuple("p99", before->p99_ms, section.p99_ms)}) {
      if (then > 0 && today > 0)
        since.latencies.push_back({fmt::format("{}: {}", section.name, what), then, today, "ms"});
    }
  }
  for (const Section& section : earlier.sections) {
    if (section_of(now, section.name) == nullptr)
      since.verdicts.push_back({section.name, std::string(name_of(section.verdict)), ""});
  }
}

}  // namespace

Since since(const Report& earlier, const Report& now) {
  Since since;
  since.title = earlier.title;
  since.started = earlier.started;
  since.tool_version = earlier.tool_version;
  since.verdict = earlier.verdict;
  since.findings = changed_findings(earlier, now);
  compare_sections(earlier, now, since);
  std::map<std::string, std::uint64_t> then(earlier.conservation.begin(), earlier.conservation.end());
  for (const auto& [name, count] : now.conservation) {
    const std::uint64_t before = then.contains(name) ? then.at(name) : 0;
    if (before != count) since.counts.push_back({name, static_cast<double>(before), static_cast<double>(count), ""});
    then.erase(name);
  }
  for (const auto& [name, count] : earlier.conservation) {
    if (then.contains(name) && count > 0) since.counts.push_back({name, static_cast<double>(count), 0, ""});
  }
  return since;
}

}  // namespace rehearse::reports
