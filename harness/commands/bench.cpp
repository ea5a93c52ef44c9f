#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "harness/commands/commands.h"
#include "harness/commands/planning.h"
#include "harness/commands/rendering.h"
#include "harness/latency/stage_bench.h"
#include "replay/error.h"
#include "reports/escape.h"
#include "reports/stage_benchmark.h"

namespace rehearse::harness {
namespace {

namespace fs = std::filesystem;
using properties::Verdict;

std::string text_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) throw Error(fmt::format("cannot read {}; check the path", path));
  return text.str();
}

void write_whole(const std::string& path, const std::string& text, std::ios::openmode mode = std::ios::trunc) {
  std::ofstream file(path, std::ios::binary | mode);
  file << text;
  file.close();
  if (!file) throw Error(fmt::format("cannot write {}; check the directory and the space on the disk", path));
}

reports::StageBenchmark baseline_in(const std::string& path) {
  try {
    return reports::benchmark_from_json(text_in(path));
  } catch (const std::invalid_argument& problem) {
    throw Error(fmt::format("{}: {}", path, problem.what()));
  }
}

// The first line of the file that is there; empty when it is none.
std::string first_line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  return std::getline(file, line) ? line + "\n" : "";
}

std::vector<properties::Stage> stages_of(const BenchArguments& arguments) {
  std::vector<properties::Stage> stages;
  for (const std::string& name : arguments.stages) {
    const auto stage = properties::stage_named(name);
    if (!stage)
      throw Error(
          fmt::format("--stage {}: no such stage; the stages are off, read-only, shadow, live, completed", name));
    stages.push_back(*stage);
  }
  if (stages.empty()) stages.assign(properties::all_stages.begin(), properties::all_stages.end());
  std::sort(stages.begin(), stages.end());
  stages.erase(std::unique(stages.begin(), stages.end()), stages.end());
  return stages;
}

void append_row(const std::string& path, const reports::StageBenchmark& benchmark) {
  const std::string header = csv_header(benchmark), there = first_line_of(path);
  if (!there.empty() && there != header)
    throw Error(fmt::format(
        "{} has other columns than this run: rows of one file are of the same stages; give another file", path));
  write_whole(path, (there.empty() ? header : "") + csv_row(benchmark), std::ios::app);
}

int compare_with(const reports::StageBenchmark& baseline, const reports::StageBenchmark& benchmark, double tolerance) {
  const auto changes = compared(baseline, benchmark, tolerance);
  fmt::print("\n{}", to_markdown(changes, tolerance));
  if (baseline.machine != benchmark.machine)
    fmt::print(
        "\nThe baseline was measured on another machine ({}): what is compared is each run beside its own legacy "
        "service.\n",
        reports::terminal_escape(baseline.machine));
  Verdict worst = changes.empty() ? Verdict::unknown : Verdict::pass;
  for (const auto& change : changes) worst = properties::worst(worst, change.verdict);
  return worst == Verdict::pass ? exit_pass : worst == Verdict::fail ? exit_fail : exit_unknown;
}

}  // namespace

int bench(const BenchArguments& arguments) {
  const Configuration configuration = load_configuration(arguments.config);
  const auto stages = stages_of(arguments);
  // What is wrong with the baseline is said before anything is measured.
  reports::StageBenchmark baseline;
  if (!arguments.baseline.empty()) baseline = baseline_in(arguments.baseline);
  expect_writable_file(arguments.out);
  expect_writable_file(arguments.csv);
  const auto planned = plan_for(configuration, arguments.traffic);
  StageBenchOptions options;
  options.stages = stages;
  options.repetitions = arguments.repetitions;
  options.seconds = arguments.seconds;
  options.stop = &stop_requested;
  const bool terminal = isatty(STDERR_FILENO) == 1;
  options.on_section = [&](const std::string& what) {
    if (terminal) fmt::print(stderr, "\r\033[K{}", what);
  };
  fmt::print(stderr, "rehearse {}, {}: {} requests, {} stages, {} repetitions\n", REHEARSE_VERSION, configuration.title,
             planned.plan.steps.size(), stages.size(), arguments.repetitions);
  const std::string started = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  reports::StageBenchmark benchmark;
  try {
    benchmark = bench_stages(configuration, planned.plan, options);
  } catch (const Error&) {
    if (terminal) fmt::print(stderr, "\r\033[K");
    if (!stop_requested) throw;
    fmt::print(stderr, "rehearse: interrupted; nothing was written\n");
    return exit_interrupted;
  }
  if (terminal) fmt::print(stderr, "\r\033[K");
  benchmark.tool_version = REHEARSE_VERSION;
  benchmark.started = started;
  write_whole(arguments.out, to_google_benchmark(benchmark));
  fmt::print("{}", to_markdown(benchmark));
  const int status =
      arguments.baseline.empty() ? exit_pass : compare_with(baseline, benchmark, arguments.tolerance_percent / 100);
  std::fflush(stdout);
  if (!arguments.csv.empty()) append_row(arguments.csv, benchmark);
  return status;
}

}  // namespace rehearse::harness
