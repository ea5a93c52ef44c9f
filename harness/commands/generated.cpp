#include "harness/commands/generated.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "harness/commands/commands.h"
#include "harness/fuzz/campaign.h"

namespace rehearse::harness {
namespace {

using properties::Result;
using properties::Verdict;

constexpr const char* section_name = "generated plans";
// More plans than one in so many that could not be told make the whole unknown.
constexpr std::int64_t one_in = 10;
// Fewer say nothing of so many stages, edges and faults.
constexpr std::int64_t fewest_plans = 40;

Result* of_invariant(std::vector<Result>& results, const std::string& invariant) {
  const auto found =
      std::find_if(results.begin(), results.end(), [&](const Result& result) { return result.invariant == invariant; });
  return found == results.end() ? nullptr : &*found;
}

void add_failure(const Failure& failure, std::vector<Result>& results) {
  for (const Result& failed : failure.judgement.results) {
    if (failed.verdict != Verdict::fail) continue;
    Result* known = of_invariant(results, failed.invariant);
    if (known == nullptr) known = &results.emplace_back();
    const std::uint64_t checked = known->checked;
    *known = failed;
    known->checked = std::max(known->checked, checked);
    known->scope = section_name;
    known->reason = fmt::format("{} of {} plays of {} steps; rehearse fuzz --plan {}", failure.failed, failure.played,
                                properties::length_of(failure.shrunk.plan), failure.file);
  }
}

Result played(const CampaignResult& campaign) {
  Result result;
  result.invariant = "G16";
  result.title = "generated plans were played, and could be told";
  result.scope = section_name;
  result.checked = static_cast<std::uint64_t>(campaign.plans);
  result.verdict = Verdict::pass;
  const auto unknown = [&](std::string reason) {
    result.verdict = Verdict::unknown;
    result.reason = std::move(reason);
  };
  const auto& reasons = campaign.unknown_reasons;
  const bool alerts =
      std::any_of(reasons.begin(), reasons.end(), [](const auto& reason) { return reason.first.starts_with("G11:"); });
  if (campaign.plans == 0)
    unknown("the time was over before a plan was played; give more of it (fuzz.gate)");
  else if (campaign.plans - campaign.unknown - campaign.unfired < fewest_plans)
    unknown(fmt::format("{} of {} plans proved something, and {} are the least; give more time (fuzz.gate)",
                        campaign.plans - campaign.unknown - campaign.unfired, campaign.plans, fewest_plans));
  else if (alerts)
    unknown("an alert was raised, nothing was broken, and a write was slow: the machine may be, or the service");
  else if (campaign.not_reproduced > 0)
    unknown(fmt::format("{} failed once and not again; they are kept beside the report",
                        campaign.not_reproduced == 1 ? "a plan" : std::to_string(campaign.not_reproduced) + " plans"));
  else if (campaign.unknown * one_in > campaign.plans)
    unknown(fmt::format("{} of {} plans could not be told{}", campaign.unknown, campaign.plans,
                        reasons.empty() ? "" : ", such as " + reasons.begin()->first));
  for (const KnownFailure& known : campaign.known)
    if (known.now == KnownFailure::Now::unknown)
      unknown(fmt::format("{}, which failed before, could not be told", known.file));
  return result;
}

}  // namespace

reports::Report generated_plans(const Configuration& configuration, const std::string& traffic,
                                const std::string& directory, Progress& progress) {
  CampaignOptions options;
  options.seed = configuration.fuzz.seed;
  options.time = configuration.fuzz.in_gate;
  options.directory = directory;
  options.shrink_budget = configuration.fuzz.in_gate;
  options.stop = &stop_requested;
  progress.begin(section_name);
  const CampaignResult campaign = run_campaign(configuration, operations_of(configuration, traffic), options);

  reports::Report report;
  for (const auto& [invariant, plans] : campaign.checked) {
    Result result;
    result.invariant = invariant;
    result.title = "holds in generated plans";
    result.scope = section_name;
    result.verdict = Verdict::pass;
    result.checked = static_cast<std::uint64_t>(plans);
    if (invariant != "G16") report.results.push_back(std::move(result));
  }
  report.results.push_back(played(campaign));
  for (const Failure& failure : campaign.failures) add_failure(failure, report.results);
  for (const KnownFailure& known : campaign.known) {
    if (known.now != KnownFailure::Now::still_failing) continue;
    Result* result = of_invariant(report.results, known.invariant.empty() ? "G16" : known.invariant);
    if (result == nullptr) result = &report.results.emplace_back();
    result->invariant = known.invariant.empty() ? "G16" : known.invariant;
    result->scope = section_name;
    result->verdict = Verdict::fail;
    result->violations += 1;
    result->reason = fmt::format("{} still fails, {} of {} times", known.file, known.failed, known.played);
  }

  reports::Section section;
  section.name = section_name;
  section.kind = "stage";
  section.sent = section.answered = static_cast<std::uint64_t>(campaign.requests);
  section.seconds = campaign.seconds;
  section.verdict = Verdict::pass;
  for (const Result& result : report.results) {
    section.verdict = worst(section.verdict, result.verdict);
    section.findings += result.violations;
  }
  progress.end(section_name, section.findings);
  report.verdict = section.verdict;
  report.sections.push_back(std::move(section));
  return report;
}

void add_generated(const reports::Report& generated, reports::Report& report) {
  report.sections.insert(report.sections.end(), generated.sections.begin(), generated.sections.end());
  report.results.insert(report.results.end(), generated.results.begin(), generated.results.end());
  report.verdict = worst(report.verdict, generated.verdict);
}

}  // namespace rehearse::harness
