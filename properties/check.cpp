#include "properties/check.h"

#include <fmt/format.h>

#include <algorithm>

namespace rehearse::properties {

void Outcome::looked_at(std::int64_t count, std::string_view what) {
  if (count <= 0) return;
  result_.checked += static_cast<std::uint64_t>(count);
  const auto known =
      std::find_if(looked_at_.begin(), looked_at_.end(), [&](const auto& look) { return look.first == what; });
  if (known == looked_at_.end()) {
    looked_at_.emplace_back(what, count);
  } else {
    known->second += count;
  }
}

void Outcome::contradict(std::string expected, std::string observed, const replay::History* history,
                         const replay::Record* record) {
  ++result_.violations;
  if (result_.findings.size() >= max_findings_per_result) return;
  Finding finding;
  finding.expected = std::move(expected);
  finding.observed = std::move(observed);
  if (history != nullptr) finding.history = history->name;
  if (record != nullptr) {
    finding.step = record->step;
    finding.request = replay::curl_line(*record, history ? history->target : "");
  }
  result_.findings.push_back(std::move(finding));
}

void Outcome::cannot_tell(std::string reason) {
  if (unknown_.empty()) unknown_ = std::move(reason);
}

Result Outcome::finish() && {
  for (const auto& [what, count] : looked_at_)
    result_.reason += fmt::format("{}{} {}", result_.reason.empty() ? "" : ", ", count, what);
  if (result_.violations > 0) {
    result_.verdict = Verdict::fail;
  } else if (!unknown_.empty()) {
    result_.verdict = Verdict::unknown;
    result_.reason = unknown_;
  } else if (result_.checked == 0) {
    result_.verdict = Verdict::unknown;
    result_.reason = "nothing was there to look at";
  } else {
    result_.verdict = Verdict::pass;
  }
  return std::move(result_);
}

namespace {

// About the evidence as a whole: what makes it unknown whatever its sections say.
Result unknown_as_a_whole(std::string reason) {
  Result result;
  result.invariant = "G16";
  result.title = "every captured exchange and every planned request is accounted for";
  result.scope = "the whole rehearsal";
  result.verdict = Verdict::unknown;
  result.reason = std::move(reason);
  return result;
}

// What was written down when it happened and is not there any more.
std::vector<std::string> taken_away(const Evidence& evidence) {
  std::vector<std::string> missing;
  for (const std::string& name : evidence.rehearsed) {
    const bool there = std::any_of(evidence.sections.begin(), evidence.sections.end(),
                                   [&](const Section& section) { return section.name == name; });
    if (!there) missing.push_back(fmt::format("the section {:?}", name));
  }
  for (const auto& [name, count] : evidence.recorded) {
    const auto* history = evidence.history(name);
    const auto there = history == nullptr ? 0 : static_cast<std::int64_t>(history->records.size());
    if (history == nullptr) {
      missing.push_back(fmt::format("the play {:?}", name));
    } else if (there != count) {
      missing.push_back(fmt::format("of the {} requests of the play {:?} all but {}", count, name, there));
    }
  }
  return missing;
}

}  // namespace

std::vector<Result> judge_section(std::span<const Check> checks, const Evidence& evidence, const Section& section) {
  std::vector<Result> results;
  for (const Check& check : checks) {
    if (evidence.waived.contains(std::string(check.invariant))) continue;
    Outcome outcome;
    const auto not_done = section.not_done.find(std::string(check.invariant));
    if (not_done != section.not_done.end()) {
      outcome.cannot_tell(not_done->second);
    }
    try {
      if (!check.applies(section)) continue;
      check.look(evidence, section, outcome);
    } catch (const std::exception& problem) {
      outcome.cannot_tell(fmt::format("the check failed: {}", problem.what()));
    } catch (...) {
      outcome.cannot_tell("the check failed");
    }
    Result result = std::move(outcome).finish();
    result.invariant = check.invariant;
    result.title = check.title;
    result.scope = section.name;
    results.push_back(std::move(result));
  }
  return results;
}

Judgement judge(std::span<const Check> checks, const Evidence& evidence) {
  Judgement judgement;
  for (const Section& section : evidence.sections) {
    for (Result& result : judge_section(checks, evidence, section)) judgement.results.push_back(std::move(result));
  }
  if (!evidence.complete) {
    judgement.results.push_back(
        unknown_as_a_whole("the rehearsal did not come to its end: what was still to be rehearsed is not proved"));
  }
  if (const auto missing = taken_away(evidence); !missing.empty()) {
    judgement.results.push_back(
        unknown_as_a_whole(fmt::format("missing from what was written down: {}", fmt::join(missing, ", "))));
  }
  return judgement;
}

std::vector<Check> all_checks() {
  std::vector<Check> all;
  for (auto checks : {checks_of_every_stage(), checks_of_off(), checks_of_read_only(), checks_of_shadow(),
                      checks_of_live(), checks_of_completed(), checks_of_edges(), checks_of_latency()}) {
    all.insert(all.end(), checks.begin(), checks.end());
  }
  return all;
}

}  // namespace rehearse::properties
