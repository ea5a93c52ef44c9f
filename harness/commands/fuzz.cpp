#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "harness/commands/commands.h"
#include "harness/commands/rendering.h"
#include "harness/fuzz/campaign.h"
#include "properties/plans/relations.h"
#include "replay/error.h"
#include "reports/trial_text.h"

namespace rehearse::harness {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using properties::Verdict;

constexpr int plays_of_a_file = 10;

std::string lines_before(const std::string& text, const std::string& indent) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out += indent + line + "\n";
  return out;
}

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

std::string way_of(const replay::Plan& plan) {
  std::string way;
  for (const auto stage : properties::stages_of(plan))
    way += fmt::format("{}{}", way.empty() ? "" : " → ", name_of(stage));
  return way;
}

// Of the plan, and of the one that its relation makes of it.
std::string lanes_of(const Failure& failure) {
  std::string lanes = lines_before(reports::swim_lanes(failure.trial), "  ");
  if (!failure.changed) return lanes;
  const auto derivation = properties::derive(failure.trial.plan);
  if (derivation.derived) lanes += fmt::format("\nand {}:\n", derivation.derived->change);
  return lanes + lines_before(reports::swim_lanes(*failure.changed), "  ");
}

// What a person reads: the sentence, the two facts, the lanes, and how to do it again.
void print_failure(const Failure& failure, const FuzzArguments& arguments, const Configuration& configuration) {
  fmt::print("\n{} is violated by {} step{} ({}){}; the plan was drawn with {}\n", failure.invariant,
             properties::length_of(failure.shrunk.plan), properties::length_of(failure.shrunk.plan) == 1 ? "" : "s",
             way_of(failure.shrunk.plan),
             failure.shrunk.minimal ? "" : ", not minimal: the time for shrinking was over", failure.length_before);
  if (!failure.shrunk.needs.empty()) fmt::print("it needs {}\n", joined(failure.shrunk.needs));
  fmt::print("it failed {} of {} times in a restored world\n\n", failure.failed, failure.played);
  fmt::print("{}\n{}", reports::facts(failure.judgement), lanes_of(failure));
  if (failure.file.empty()) return;
  const std::string script = fs::path(failure.file).replace_extension(".sh").string();
  std::ofstream(script) << reports::curl_script(failure.trial, configuration.new_.urls.front());
  fmt::print("\nplay it again: rehearse fuzz --config {} --plan {}\nby hand: {}\n", arguments.config, failure.file,
             script);
}

json::object document_of(const Failure& failure) {
  json::array invariants, needs;
  for (const auto& id : failure.invariants) invariants.emplace_back(id);
  for (const auto& need : failure.shrunk.needs) needs.emplace_back(need);
  return {{"invariant", failure.invariant},
          {"invariants", std::move(invariants)},
          {"steps", properties::length_of(failure.shrunk.plan)},
          {"steps_before", failure.length_before},
          {"minimal", failure.shrunk.minimal},
          {"needs", std::move(needs)},
          {"failed", failure.failed},
          {"played", failure.played},
          {"plan", failure.plan_number},
          {"seconds", failure.seconds},
          {"file", failure.file}};
}

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) throw Error(fmt::format("cannot read the plan {}", path));
  return text.str();
}

// One plan that somebody names, as often as it takes to say how often it fails.
int play_plan(const FuzzArguments& arguments, const Configuration& configuration) {
  const replay::Plan plan = replay::plan_from_json(text_of(arguments.plan));
  for (const replay::Step& step : plan.steps)
    if (!step.cue.empty()) static_cast<void>(properties::signal_in(step.cue));
  World world(configuration, &stop_requested);
  Failure failure = play_again(world, configuration, plan, "", plays_of_a_file);
  failure.file = arguments.plan;
  failure.shrunk.plan = plan;
  if (stop_requested) return exit_interrupted;
  if (failure.failed > 0) {
    failure.invariant = joined(failure.invariants);
    fmt::print("{} ({}): violates {}, {} of {} times\n\n{}\n{}", arguments.plan, way_of(plan), failure.invariant,
               failure.failed, failure.played, reports::facts(failure.judgement), lanes_of(failure));
    return exit_fail;
  }
  const Verdict verdict = failure.judgement.verdict();
  fmt::print("{} ({}): {}, {} of {} times failed\n{}", arguments.plan, way_of(plan), name_of(verdict), failure.failed,
             failure.played, lanes_of(failure));
  if (verdict == Verdict::unknown)
    for (const auto& result : failure.judgement.results)
      if (result.verdict == Verdict::unknown) fmt::print("{} is unknown: {}\n", result.invariant, result.reason);
  return verdict == Verdict::pass ? exit_pass : exit_unknown;
}

void print_known(const KnownFailure& known) {
  const char* now = known.now == KnownFailure::Now::fixed           ? "fixed"
                    : known.now == KnownFailure::Now::still_failing ? "still failing"
                                                                    : "not reproduced";
  fmt::print("{}: {} ({} of {} times)\n", known.file, now, known.failed, known.played);
}

void print_summary(const CampaignResult& result, const FuzzArguments& arguments) {
  fmt::print("\n{} plans in {:.1f} s ({:.1f} a second), {} restores, {} rewinds\n", result.plans, result.seconds,
             result.seconds > 0 ? static_cast<double>(result.plans) / result.seconds : 0.0, result.restores,
             result.rewinds);
  std::string looked;
  for (const auto& [invariant, plans] : result.checked)
    looked += fmt::format("{}{} {}", looked.empty() ? "" : ", ", invariant, plans);
  fmt::print("looked at, in so many plans: {}\n", looked);
  for (const auto& [reason, count] : result.unknown_reasons) fmt::print("unknown in {}: {}\n", count, reason);
  if (result.unfired > 0) fmt::print("in {} plans the fault or gate met nothing: they prove nothing\n", result.unfired);
  if (result.related > 0)
    fmt::print("{} of them were played once more as a relation changes them, in {:.1f} s\n", result.related,
               result.related_seconds);
  const auto met = result.coverage.size() - result.missing.size();
  fmt::print("met {} of {} combinations of operations, stages, edges and faults\n", met, result.coverage.size());
  const std::size_t shown = arguments.verbose ? result.missing.size() : std::min<std::size_t>(result.missing.size(), 5);
  for (std::size_t i = 0; i < shown; ++i) fmt::print("  not met: {}\n", result.missing[i]);
  if (shown < result.missing.size()) fmt::print("  and {} more (--verbose)\n", result.missing.size() - shown);
}

// Broken wins, then what failed before and still does, then what could not be told or was not met.
Verdict verdict_of(const CampaignResult& result) {
  const bool failing = std::any_of(result.known.begin(), result.known.end(), [](const KnownFailure& known) {
    return known.now == KnownFailure::Now::still_failing;
  });
  const bool doubtful = std::any_of(result.known.begin(), result.known.end(),
                                    [](const KnownFailure& known) { return known.now == KnownFailure::Now::unknown; });
  if (!result.failures.empty() || failing) return Verdict::fail;
  if (doubtful) return Verdict::unknown;
  if (result.plans == 0 || result.unknown > 0 || result.not_reproduced > 0 || !result.missing.empty())
    return Verdict::unknown;
  return Verdict::pass;
}

}  // namespace

int fuzz(const FuzzArguments& arguments) {
  Configuration configuration = load_configuration(arguments.config);
  if (!arguments.plan.empty()) return play_plan(arguments, configuration);
  expect_writable_directory(arguments.out);
  if (!arguments.openapi.empty()) configuration.fuzz.openapi = arguments.openapi;
  const std::string traffic = arguments.traffic.empty() ? configuration.traffic : arguments.traffic;
  const auto catalogue = operations_of(configuration, traffic);

  CampaignOptions options;
  options.seed = arguments.seed != 0 ? arguments.seed : std::random_device{}();
  options.time = std::chrono::milliseconds(static_cast<std::int64_t>(arguments.seconds * 1000));
  options.plans = arguments.plans;
  options.failures = arguments.failures;
  options.directory = arguments.out;
  options.shrink_budget = std::chrono::milliseconds(static_cast<std::int64_t>(arguments.shrink_seconds * 1000));
  options.stop = &stop_requested;
  for (const std::string& variables : arguments.beside)
    options.beside.push_back(load_configuration(arguments.config, variables_in(variables)));
  options.drawing.operations = arguments.operations;
  options.drawing.lanes = arguments.lanes;
  options.drawing.faults = !arguments.no_faults;
  options.drawing.odd_values = !arguments.no_odd_values;
  if (arguments.no_relations) options.related = 0;
  options.drawing.longest_way = arguments.no_flips ? 0 : options.drawing.longest_way;
  if (!arguments.stages.empty()) {
    options.drawing.begins.clear();
    for (const std::string& name : arguments.stages) {
      const auto stage = properties::stage_named(name);
      if (!stage)
        throw Error(
            fmt::format("--stage {}: no such stage; the stages are off, read-only, shadow, live, completed", name));
      options.drawing.begins.push_back(*stage);
    }
  }
  if (arguments.captured) {
    if (traffic.empty())
      throw Error("--captured: there is no captured traffic; give `traffic:` in the configuration or --traffic FILE");
    for (const auto stage : options.drawing.begins)
      options.captured.push_back(captured_plan(configuration, traffic, stage));
  }
  const bool terminal = isatty(STDERR_FILENO) == 1;
  const auto clear = [&] {
    if (terminal) fmt::print(stderr, "\r\033[K");
  };
  if (!arguments.json)
    fmt::print("rehearse {}, {}: {} operations from {}; seed {}\nrepeat: {}{}\n", REHEARSE_VERSION, configuration.title,
               catalogue.operations.size(), traffic.empty() ? configuration.fuzz.openapi : traffic, options.seed,
               arguments.repeat, arguments.seed != 0 ? "" : fmt::format(" --seed {}", options.seed));
  std::fflush(stdout);
  std::ofstream lines;
  if (!options.directory.empty()) {
    fs::create_directories(options.directory);
    lines.open(fs::path(options.directory) / "plans.ndjson", std::ios::binary | std::ios::trunc);
  }
  options.on_plan = [&](const std::string& line) {
    if (lines.is_open()) lines << line << '\n';
  };
  options.on_known = [&](const KnownFailure& known) {
    clear();
    if (!arguments.json) print_known(known);
  };
  options.on_first = [&](const properties::Trial& trial, const properties::Judgement& judgement, std::int64_t plan) {
    clear();
    if (arguments.json) return;
    fmt::print("\nplan {} ({}, {} steps) violates {}\n{}confirming and shrinking it ...\n", plan, way_of(trial.plan),
               properties::length_of(trial.plan), joined(violated(judgement)), reports::facts(judgement));
    std::fflush(stdout);
  };
  options.on_failure = [&](const Failure& failure) {
    if (!arguments.json) print_failure(failure, arguments, configuration);
    std::fflush(stdout);
  };
  options.on_progress = [&](std::int64_t plans, double seconds) {
    if (terminal && plans % 8 == 0) {
      fmt::print(stderr, "\r\033[K{} plans, {:.0f} a second, {:.0f} s left", plans,
                 static_cast<double>(plans) / seconds, std::max(0.0, arguments.seconds - seconds));
      std::fflush(stderr);
    }
  };
  const CampaignResult result = run_campaign(configuration, catalogue, options);
  clear();
  const Verdict verdict = verdict_of(result);
  if (arguments.json) {
    json::array failures, missing, known;
    json::object relations;
    for (const auto relation : properties::all_relations)
      if (const auto found = result.checked.find(std::string(id_of(relation))); found != result.checked.end())
        relations[found->first] = found->second;
    for (const Failure& failure : result.failures) failures.push_back(document_of(failure));
    for (const std::string& what : result.missing) missing.emplace_back(what);
    for (const KnownFailure& file : result.known)
      known.push_back(json::object{{"file", file.file}, {"failed", file.failed}, {"played", file.played}});
    fmt::print("{}\n", json::serialize(json::object{{"verdict", name_of(verdict)},
                                                    {"seed", options.seed},
                                                    {"plans", result.plans},
                                                    {"seconds", result.seconds},
                                                    {"unknown", result.unknown},
                                                    {"unfired", result.unfired},
                                                    {"not_reproduced", result.not_reproduced},
                                                    {"related", result.related},
                                                    {"related_seconds", result.related_seconds},
                                                    {"relations", std::move(relations)},
                                                    {"failures", std::move(failures)},
                                                    {"known", std::move(known)},
                                                    {"not_met", std::move(missing)}}));
  } else {
    print_summary(result, arguments);
    fmt::print("verdict: {}\n", name_of(verdict));
  }
  if (result.interrupted) return exit_interrupted;
  return verdict == Verdict::fail ? exit_fail : verdict == Verdict::pass ? exit_pass : exit_unknown;
}

}  // namespace rehearse::harness
