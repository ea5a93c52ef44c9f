#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <random>

#include "harness/commands/commands.h"
#include "harness/commands/planning.h"
#include "harness/commands/rendering.h"
#include "harness/live_pairs.h"
#include "properties/answers/groups.h"
#include "replay/error.h"
#include "replay/history_file.h"
#include "reports/summary.h"

namespace rehearse::harness {
namespace {

using properties::Verdict;

constexpr const char* section_name = "live pairs";

// What the pairs came to, as a check says it.
properties::Result result_of(const LivePairs& pairs) {
  properties::Result result;
  result.invariant = "G7";
  result.title = "the new service answers reads as the legacy service does";
  result.scope = section_name;
  result.checked =
      static_cast<std::uint64_t>(pairs.equal + pairs.ignored + pairs.transient + pairs.late + pairs.lasting);
  result.violations = static_cast<std::uint64_t>(pairs.lasting);
  const auto value = [](const std::string& text) { return text.empty() ? std::string("nothing") : text; };
  for (const properties::StepDifference& step : pairs.differences) {
    if (result.findings.size() == properties::max_findings_per_result) break;
    const auto* expected = replay::record_of(pairs.legacy, step.step);
    const auto* observed = replay::record_of(pairs.new_, step.step);
    const auto& first = step.differences.front();
    result.findings.push_back(
        {fmt::format("{} {} was answered by legacy with {} = {}", expected->request.method, expected->request.target,
                     first.path, value(first.expected)),
         fmt::format("and by the new service with {} = {}, twice", first.path, value(first.observed)),
         replay::curl_line(*observed, pairs.new_.target), pairs.new_.name, step.step});
  }
  std::string reason;
  if (pairs.unanswered > 0)
    reason = fmt::format("legacy did not answer {} of {} requests", pairs.unanswered, pairs.pairs);
  const auto add = [&](const std::string& text) { reason += (reason.empty() ? "" : "; ") + text; };
  if (pairs.changing > 0) add(fmt::format("legacy itself changed {} answers between two reads", pairs.changing));
  if (pairs.late > 0) {
    const auto& step = pairs.late_ones.front();
    const auto& first = step.differences.front();
    const auto* expected = replay::record_of(pairs.legacy, step.step);
    add(
        fmt::format("{} answers of the new service were late: they differed while legacy's stayed the same, and became "
                    "right afterwards, by stale reads, by one of several instances, or by writes in between; the first "
                    "one to {} {}, with {} = {} instead of {}",
                    pairs.late, expected->request.method, expected->request.target, first.path, value(first.observed),
                    value(first.expected)));
  }
  if (pairs.interrupted)
    add(pairs.unfinished > 0
            ? fmt::format("it was interrupted before {} pairs that differed were read again", pairs.unfinished)
            : std::string("it was interrupted"));
  if (result.checked == 0 && reason.empty()) reason = "nothing was there to compare";
  result.verdict = pairs.lasting > 0 ? Verdict::fail : reason.empty() ? Verdict::pass : Verdict::unknown;
  result.reason = reason.empty() ? fmt::format("{} pairs", result.checked) : reason;
  return result;
}

reports::Report report_of_pairs(const LivePairs& pairs, const properties::Contract& contract) {
  properties::Evidence evidence;
  evidence.contract = contract;
  evidence.histories = {{"legacy", pairs.legacy}, {"new", pairs.new_}};
  properties::Section section;
  section.name = section_name;
  section.played = "new";
  section.oracle = "legacy";
  properties::AnswersCompared answers;
  answers.matched = pairs.equal + pairs.transient;
  answers.ignored = pairs.ignored;
  answers.undecided = pairs.changing + pairs.late + pairs.unfinished;
  answers.differed = pairs.lasting;
  answers.unanswered = pairs.unanswered;
  answers.steps = pairs.differences;
  answers.rule_hits = pairs.rule_hits;
  answers.drifted = pairs.drifted;
  properties::Judgement judgement;
  judgement.results.push_back(result_of(pairs));
  evidence.conservation = {{"pairs", pairs.pairs},
                           {"equal", pairs.equal},
                           {"ignored", pairs.ignored},
                           {"transient", pairs.transient},
                           {"late", pairs.late},
                           {"changing", pairs.changing},
                           {"lasting", pairs.lasting},
                           {"unanswered", pairs.unanswered},
                           {"unfinished", pairs.unfinished}};
  return reports::report_of_answers(evidence, judgement, {{&section, answers}});
}

}  // namespace

int compare_live(const PairsArguments& arguments) {
  if (!std::isfinite(arguments.rate + arguments.pause_seconds + arguments.timeout_seconds))
    throw Error("--rate, --pause and --timeout need numbers");
  replay::expect_target(arguments.legacy);
  replay::expect_target(arguments.new_);
  const properties::Contract contract = load_answer_contract(arguments.redaction.config);
  replay::PlannerOptions planner;
  planner.masks.session_keys = planner.causes.session_keys = arguments.wanted.session_keys;
  planner.masks.send = arguments.send_masked;
  planner.masks.minted = minted_by(arguments.service);
  auto [plan, captured, redaction] =
      plan_files(arguments.files, load_redaction(arguments.redaction), arguments.wanted, planner);
  const auto whole = plan.steps.size();
  // Nobody can take back what a write did to a service that is at work.
  plan = filtered(std::move(plan), [](const replay::Step& step) {
    return step.request && step.read && replay::safe(step.request.get()->method);
  });
  const std::uint64_t seed = arguments.seed != 0 ? arguments.seed : std::random_device{}();
  fmt::print(stderr, "{}rehearse {}, seed {}: {} reads go to both services, {} other requests are left out; {}\n",
             notes_on(plan), REHEARSE_VERSION, seed, plan.steps.size(), whole - plan.steps.size(), redaction);
  if (plan.steps.empty()) throw Error("there is no read to send; see `rehearse traffic ls` for what the files hold");
  expect_writable(arguments.out);
  clear_reports(arguments.out.directory);
  const auto milliseconds_of = [](double seconds) { return std::chrono::milliseconds(std::llround(seconds * 1e3)); };
  LivePairsOptions options;
  options.legacy = arguments.legacy;
  options.new_ = arguments.new_;
  options.service = arguments.service;
  options.seed = seed;
  options.rate = arguments.rate;
  options.pause = milliseconds_of(arguments.pause_seconds);
  options.deadline = std::max(milliseconds_of(arguments.timeout_seconds), std::chrono::milliseconds(1));
  options.stop = &stop_requested;
  const auto began = std::chrono::steady_clock::now();
  const std::string started = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  const LivePairs pairs = play_live_pairs(plan, contract, options);
  const std::string history = arguments.out.directory + "/history.sqlite";
  {
    replay::HistoryWriter writer(history);
    writer.add(pairs.legacy);
    writer.add(pairs.new_);
  }
  reports::Report report = report_of_pairs(pairs, contract);
  report.tool_version = REHEARSE_VERSION;
  report.title = section_name;
  report.started = started;
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  report.seed = seed;
  report.repeat = arguments.repeat;
  report.traffic = fmt::format("{}, {}", fmt::join(arguments.files, ", "), redaction);
  report.history = history;
  if (arguments.strict) reports::hold_against_rules(report);
  const int status = render(report, arguments.out);
  return stop_requested ? exit_interrupted : status;
}

}  // namespace rehearse::harness
