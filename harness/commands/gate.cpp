#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>

#include "harness/commands/commands.h"
#include "harness/commands/generated.h"
#include "harness/commands/planning.h"
#include "harness/commands/rendering.h"
#include "harness/latency/samples.h"
#include "harness/progress.h"
#include "harness/wires/wire.h"
#include "properties/answers/suggest.h"
#include "properties/check.h"
#include "properties/checks/latency.h"
#include "replay/error.h"
#include "replay/history_file.h"
#include "reports/course.h"
#include "reports/latency_summary.h"
#include "reports/since.h"
#include "reports/summary.h"

namespace rehearse::harness {
namespace {

namespace fs = std::filesystem;
using properties::Verdict;

constexpr const char* title_document = "title";
constexpr const char* traffic_document = "traffic";
constexpr const char* repeat_document = "repeat";
constexpr const char* started_document = "started";
constexpr const char* generated_document = "generated";

Selection selection_of(const GateArguments& arguments) {
  Selection selection;
  for (const std::string& name : arguments.stages) {
    const auto stage = properties::stage_named(name);
    if (!stage)
      throw Error(
          fmt::format("--stage {}: no such stage; the stages are off, read-only, shadow, live, completed", name));
    selection.stages.push_back(*stage);
  }
  for (const std::string& name : arguments.edges) {
    const auto edge = properties::edge_named(name);
    if (!edge)
      throw Error(fmt::format(
          "--edge {}: no such edge; write FROM:TO with neighbours of off, read-only, shadow, live, completed", name));
    selection.edges.push_back(*edge);
  }
  return selection;
}

std::string document(const replay::HistoryFile& file, std::string_view name) {
  for (const auto& [key, body] : file.documents) {
    if (key == name) return body;
  }
  return {};
}

properties::Evidence evidence_in(const replay::HistoryFile& file, const std::string& history_path) {
  const std::string saved = document(file, "evidence");
  if (saved.empty())
    throw Error(fmt::format(
        "{} holds no evidence: it was written by `rehearse play`, or the rehearsal ended before its first stage",
        history_path));
  properties::Evidence evidence = properties::evidence_from_json(saved);
  for (const auto& history : file.histories) evidence.histories[history.name] = history;
  return evidence;
}

struct Judging {
  bool strict = false;
  std::string rules;  // a configuration; empty: the rules of the rehearsal
  double seconds = 0;
  std::string beside = {};  // where the log of latencies goes; empty: nowhere
};

// Judges what the history file holds.
reports::Report judged(const std::string& history_path, const Judging& how) {
  const replay::HistoryFile file = replay::load_histories(history_path);
  properties::Evidence evidence = evidence_in(file, history_path);
  if (!how.rules.empty()) {
    const properties::Contract other = load_answer_contract(how.rules);
    evidence.contract.answer_rules = other.answer_rules;
    if (!other.budgets.empty()) evidence.contract.budgets = other.budgets;
  }
  expect_measurements(evidence);
  const auto checks = properties::all_checks();
  const auto judgement = properties::judge(checks, evidence);
  reports::Report report = reports::report_of(evidence, judgement);
  report.tool_version = REHEARSE_VERSION;
  report.title = document(file, title_document);
  report.started = document(file, started_document);
  report.seconds = how.seconds > 0 ? how.seconds : reports::end_of(report);
  report.repeat = document(file, repeat_document);
  report.traffic = document(file, traffic_document);
  report.history = history_path;
  if (const std::string generated = document(file, generated_document); !generated.empty())
    add_generated(reports::from_json(generated), report);
  if (how.strict) reports::hold_against_rules(report);
  const std::string log = reports::hdr_log_of(evidence);
  if (!log.empty() && !how.beside.empty()) write_beside(how.beside, latency_log_name, log);
  return report;
}

// A report document or a history file, told apart by how they begin.
reports::Report report_in(const std::string& path, const Judging& how) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(fmt::format("{} cannot be read: {}", path, std::strerror(errno)));
  constexpr std::string_view sqlite = "SQLite format 3";
  std::string beginning(sqlite.size(), '\0');
  file.read(beginning.data(), static_cast<std::streamsize>(beginning.size()));
  if (beginning == sqlite) return judged(path, how);
  if (how.strict || !how.rules.empty())
    throw Error(
        fmt::format("{} is a report, which is judged already: give the history file for --strict and --rules", path));
  file.clear();
  file.seekg(0);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  try {
    return reports::from_json(text);
  } catch (const std::invalid_argument& problem) {
    throw Error(
        fmt::format("{}: {} Give a history file, or the report.json that stands beside it.", path, problem.what()));
  }
}

int suggest(const std::string& history_path, const std::string& rules) {
  properties::Evidence evidence = evidence_in(replay::load_histories(history_path), history_path);
  if (!rules.empty()) evidence.contract.answer_rules = load_answer_contract(rules).answer_rules;
  const auto* first = evidence.history(properties::first_oracle);
  const auto* second = evidence.history(properties::second_oracle);
  if (first == nullptr || second == nullptr)
    throw Error(fmt::format("{} does not hold both runs of the oracle; rehearse until they are through", history_path));
  fmt::print("{}", yaml_of(properties::suggest_rules(evidence.contract, *first, *second)));
  return exit_pass;
}

}  // namespace

int gate(const GateArguments& arguments) {
  const auto started = std::chrono::steady_clock::now();
  const Selection selection = selection_of(arguments);
  Configuration configuration = load_configuration(arguments.config);
  if (!arguments.redaction_key.empty()) configuration.redaction.key_file = arguments.redaction_key;
  const std::string traffic_path = arguments.traffic.empty() ? configuration.traffic : arguments.traffic;
  const auto [plan, captured, redaction] = plan_for(configuration, traffic_path);
  const bool everything = selection.everything();
  check_budgets(configuration, plan,
                everything
                    ? std::vector<properties::Stage>(properties::all_stages.begin(), properties::all_stages.end())
                    : selection.stages);
  expect_writable(arguments.out);
  clear_reports(arguments.out.directory);
  const std::string history = (fs::path(arguments.out.directory) / "history.sqlite").string();
  if (!arguments.out.json) {
    fmt::print("rehearse {}, {}: {} of {} captured exchanges are played; {}\nrepeat: {}\n", REHEARSE_VERSION,
               configuration.title, plan.steps.size(), captured, redaction, arguments.repeat);
    std::fflush(stdout);
  }

  RehearsalOptions options;
  options.selection = selection;
  options.history_path = history;
  options.stop = &stop_requested;
  options.conservation.emplace_back("captured", captured);
  options.conservation.emplace_back("played", static_cast<std::int64_t>(plan.steps.size()));
  for (const auto& [reason, count] : plan.left_out) options.conservation.emplace_back(reason, count);
  options.documents = {
      {title_document, configuration.title},
      {traffic_document, configuration.redaction.off.empty() ? traffic_path : traffic_path + ", " + redaction},
      {repeat_document, arguments.repeat},
      {started_document, fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))}};
  {
    Progress progress(standard_error_display());
    const auto checks = properties::all_checks();
    options.on_start = [&](std::vector<ExpectedSection> sections) { progress.expect(std::move(sections)); };
    options.on_section = [&](const std::string& name) { progress.begin(name); };
    options.on_section_end = [&](const properties::Evidence& so_far, const properties::Section& ended) {
      std::uint64_t findings = 0;
      for (const auto& result : properties::judge_section(checks, so_far, ended)) findings += result.violations;
      progress.end(ended.name, findings);
    };
    options.on_progress = [&](std::size_t done, std::size_t total) { progress.step(done, total); };
    if (everything && configuration.fuzz.in_gate.count() > 0)
      options.documents.emplace_back(
          generated_document,
          to_json(generated_plans(configuration, traffic_path, (fs::path(arguments.out.directory) / "fuzz").string(),
                                  progress)));
    // Services that were started behind wires find nobody without them.
    std::vector<std::unique_ptr<Wire>> wires;
    for (const WireSettings& wire : configuration.fuzz.wires) wires.push_back(std::make_unique<Wire>(wire));
    static_cast<void>(rehearse(configuration, plan, options));
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  const int status = render(judged(history, {arguments.strict, "", seconds, arguments.out.directory}), arguments.out);
  if (!stop_requested) return status;
  fmt::print(stderr,
             "rehearse: interrupted; the report holds what was rehearsed until then, and `rehearse doctor` says which "
             "stage is served now\n");
  return exit_interrupted;
}

int report(const ReportArguments& arguments) {
  if (arguments.suggest_rules) return suggest(arguments.file, arguments.rules);
  expect_writable(arguments.out);
  reports::Report report = report_in(arguments.file, {arguments.strict, arguments.rules, 0, arguments.out.directory});
  if (!arguments.against.empty())
    report.since = reports::since(report_in(arguments.against, {false, "", 0, ""}), report);
  return render(report, arguments.out);
}

}  // namespace rehearse::harness
