#include "reports/stage_benchmark.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "properties/latency/judge_latency.h"
#include "properties/latency/statistics.h"
#include "reports/members.h"

namespace rehearse::reports {
namespace {

using properties::median;

constexpr const char* throughput = "throughput";

std::string name_of(const StageFigure& figure, std::string_view side) {
  return fmt::format("{}/{}/{}/{}", figure.stage, figure.what, side, figure.figure);
}

// Google Benchmark's unit of a whole run; compare.py holds times of one unit against each other.
constexpr const char* time_unit = "us";

double microseconds(const StageFigure& figure, double value) {
  if (figure.figure == throughput) return value > 0 ? 1e6 / value : 0;
  return value * 1e3;
}

json::object entry(const StageFigure& figure, std::string_view side, double value, double cpu_us) {
  const std::string name = name_of(figure, side);
  json::object made{{"name", name},
                    {"run_name", name},
                    {"threads", 1},
                    {"real_time", measured(microseconds(figure, value))},
                    {"cpu_time", measured(cpu_us)},
                    {"time_unit", time_unit}};
  if (figure.figure == throughput) made["items_per_second"] = measured(value);
  return made;
}

struct Aggregates {
  double mean = 0, median = 0, deviation = 0;
};

Aggregates aggregates_of(const std::vector<double>& values) {
  if (values.size() < 2) return {};
  const auto size = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / size;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, median(values), std::sqrt(squares / (size - 1))};
}

void add_entries(json::array& list, const StageFigure& figure, std::string_view side, std::int64_t family) {
  const auto& values = side == "new" ? figure.new_ : figure.legacy;
  const auto& cpu_us = side == "new" ? figure.new_cpu_us : figure.legacy_cpu_us;
  for (std::size_t i = 0; i < values.size(); ++i) {
    json::object made = entry(figure, side, values[i], i < cpu_us.size() ? cpu_us[i] : 0);
    made["family_index"] = family;
    made["per_family_instance_index"] = 0;
    made["run_type"] = "iteration";
    made["repetitions"] = values.size();
    made["repetition_index"] = i;
    made["iterations"] = figure.requests / static_cast<std::int64_t>(values.size());
    if (i == 0 && side == "new") {
      json::array ratios;
      for (const double ratio : figure.log_ratios) ratios.push_back(measured(ratio));
      made["rehearse_log_ratios"] = std::move(ratios);
      made["rehearse_requests"] = figure.requests;
    }
    list.push_back(std::move(made));
  }
  if (values.size() < 2) return;
  std::vector<double> times;
  for (const double value : values) times.push_back(microseconds(figure, value));
  const Aggregates real = aggregates_of(times), of_cpu = aggregates_of(cpu_us);
  for (const auto& [aggregate, value, cpu] :
       {std::tuple("mean", real.mean, of_cpu.mean), std::tuple("median", real.median, of_cpu.median),
        std::tuple("stddev", real.deviation, of_cpu.deviation)}) {
    json::object made = entry(figure, side, 0, 0);
    made["name"] = name_of(figure, side) + "_" + aggregate;
    made["family_index"] = family;
    made["per_family_instance_index"] = 0;
    made["run_type"] = "aggregate";
    made["repetitions"] = values.size();
    made["aggregate_name"] = aggregate;
    made["aggregate_unit"] = "time";
    made["iterations"] = values.size();
    made["real_time"] = measured(value);
    made["cpu_time"] = measured(cpu);
    made.erase("items_per_second");
    list.push_back(std::move(made));
  }
}

StageFigure& figure_of(std::vector<StageFigure>& figures, const std::string& name, std::string& side) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= name.size();) {
    const auto slash = std::min(name.find('/', at), name.size());
    parts.push_back(name.substr(at, slash - at));
    at = slash + 1;
  }
  if (parts.size() != 4 || (parts[2] != "legacy" && parts[2] != "new"))
    throw std::invalid_argument(
        fmt::format("{:?} is none of the names that `rehearse bench` writes (STAGE/WHAT/SIDE/FIGURE).", name));
  side = parts[2];
  for (StageFigure& figure : figures) {
    if (figure.stage == parts[0] && figure.what == parts[1] && figure.figure == parts[3]) return figure;
  }
  StageFigure& figure = figures.emplace_back();
  figure.stage = parts[0];
  figure.what = parts[1];
  figure.figure = parts[3];
  figure.unit = figure.figure == throughput ? "requests/s" : "ms";
  return figure;
}

std::string in_unit(const StageFigure& figure, double value) {
  return figure.unit == "ms" ? fmt::format("{:.3f} ms", value) : fmt::format("{:.0f}/s", value);
}

}  // namespace

std::string to_google_benchmark(const StageBenchmark& benchmark) {
  json::array list;
  std::int64_t family = 0;
  for (const StageFigure& figure : benchmark.figures) {
    add_entries(list, figure, "legacy", family++);
    add_entries(list, figure, "new", family++);
  }
  json::array remarks;
  for (const std::string& sentence : benchmark.remarks) remarks.push_back(text(sentence));
  const json::value document{{"context",
                              {{"date", text(benchmark.started)},
                               {"host_name", text(benchmark.machine)},
                               {"executable", "rehearse bench"},
                               {"load_avg", json::array{measured(benchmark.load)}},
                               {"library_build_type", "release"},
                               {"rehearse_version", text(benchmark.tool_version)},
                               {"rehearse_send_error_p50_ms", measured(benchmark.send_error_p50_ms)},
                               {"rehearse_send_error_p99_ms", measured(benchmark.send_error_p99_ms)},
                               {"rehearse_remarks", std::move(remarks)}}},
                             {"benchmarks", std::move(list)}};
  return json::serialize(document) + "\n";
}

StageBenchmark benchmark_from_json(const std::string& text) {
  boost::system::error_code failed;
  const json::value document = json::parse(text, failed);
  if (failed || !document.is_object() || !document.get_object().contains("benchmarks"))
    throw std::invalid_argument("This is no run of `rehearse bench`: it is not Google Benchmark's JSON.");
  const Members members(document, "the run");
  const Members context(members.at("context"), "the context");
  StageBenchmark benchmark;
  benchmark.tool_version = context.text("rehearse_version");
  benchmark.started = context.text("date");
  benchmark.machine = context.text("host_name");
  if (!context.list("load_avg").empty()) benchmark.load = context.list("load_avg")[0].to_number<double>(failed);
  benchmark.send_error_p50_ms = context.number<double>("rehearse_send_error_p50_ms");
  benchmark.send_error_p99_ms = context.number<double>("rehearse_send_error_p99_ms");
  for (const json::value& sentence : context.list("rehearse_remarks")) {
    if (sentence.is_string()) benchmark.remarks.emplace_back(sentence.get_string());
  }
  for (const json::value& each : members.list("benchmarks")) {
    const Members run(each, "a benchmark");
    if (run.text("run_type") != "iteration") continue;
    std::string side;
    StageFigure& figure = figure_of(benchmark.figures, run.text("run_name"), side);
    const double value =
        figure.figure == throughput ? run.number<double>("items_per_second") : run.number<double>("real_time") / 1e3;
    (side == "new" ? figure.new_ : figure.legacy).push_back(value);
    if (const double cpu_us = run.number<double>("cpu_time"); cpu_us > 0)
      (side == "new" ? figure.new_cpu_us : figure.legacy_cpu_us).push_back(cpu_us);
    if (side == "legacy" || figure.new_.size() > 1) continue;
    figure.requests = run.number<std::int64_t>("rehearse_requests");
    for (const json::value& ratio : run.list("rehearse_log_ratios"))
      figure.log_ratios.push_back(ratio.to_number<double>(failed));
  }
  return benchmark;
}

std::string csv_header(const StageBenchmark& benchmark) {
  std::string line = "time,version";
  for (const StageFigure& figure : benchmark.figures) {
    for (const char* side : {"legacy", "new"}) line += fmt::format(",{} {}", name_of(figure, side), figure.unit);
  }
  return line + "\n";
}

std::string csv_row(const StageBenchmark& benchmark) {
  std::string line = benchmark.started + "," + benchmark.tool_version;
  for (const StageFigure& figure : benchmark.figures) {
    for (const auto* values : {&figure.legacy, &figure.new_})
      line += values->empty() ? std::string(",") : fmt::format(",{:.6g}", median(*values));
  }
  return line + "\n";
}

std::string to_markdown(const StageBenchmark& benchmark) {
  std::string out =
      fmt::format("{}; load {:.1f}; requests left {:.3f} ms late at the median and {:.3f} ms at p99\n\n",
                  benchmark.machine, benchmark.load, benchmark.send_error_p50_ms, benchmark.send_error_p99_ms);
  out +=
      "| stage | requests | figure | legacy alone | new service | difference | interval of 95 % "
      "|\n|---|---|---|---|---|---|---|\n";
  for (const StageFigure& figure : benchmark.figures) {
    if (figure.legacy.empty() || figure.new_.empty() || figure.log_ratios.empty()) continue;
    const auto interval = properties::median_interval(figure.log_ratios, 0.05);
    const auto percent = [](double log) { return fmt::format("{:+.1f} %", std::expm1(log) * 100); };
    out += fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", figure.stage, figure.what, figure.figure,
                       in_unit(figure, median(figure.legacy)), in_unit(figure, median(figure.new_)),
                       percent(median(figure.log_ratios)),
                       interval ? percent(interval->low) + " to " + percent(interval->high) : "too few blocks");
  }
  for (const std::string& sentence : benchmark.remarks) out += "\n" + sentence + "\n";
  return out;
}

std::vector<FigureChange> compared(const StageBenchmark& baseline, const StageBenchmark& now, double tolerance) {
  std::vector<FigureChange> changes;
  std::vector<double> slower, not_slower;
  for (const StageFigure& figure : now.figures) {
    FigureChange& change = changes.emplace_back();
    change.name = fmt::format("{}/{}/{}", figure.stage, figure.what, figure.figure);
    slower.push_back(1);
    not_slower.push_back(1);
    const auto before = std::find_if(baseline.figures.begin(), baseline.figures.end(), [&](const StageFigure& other) {
      return other.stage == figure.stage && other.what == figure.what && other.figure == figure.figure;
    });
    if (before == baseline.figures.end()) {
      change.reason = "the baseline does not have it";
      continue;
    }
    // The blocks of two runs belong together by nothing but their number: any pairing serves a sign test of a difference.
    const std::size_t size = std::min(figure.log_ratios.size(), before->log_ratios.size());
    if (size == 0) {
      change.reason = "one of the runs measured nothing of it";
      continue;
    }
    std::vector<double> differences;
    const double worse = figure.figure == throughput ? -1 : 1;
    for (std::size_t i = 0; i < size; ++i)
      differences.push_back(worse * (figure.log_ratios[i] - before->log_ratios[i]));
    const auto test = properties::sign_test(differences, std::log1p(tolerance));
    slower.back() = test.over;
    not_slower.back() = test.within;
    change.change = std::expm1(median(differences));
    const auto interval = properties::median_interval(differences, 0.05);
    const auto [least, most] = std::minmax_element(differences.begin(), differences.end());
    change.low = std::expm1(interval ? interval->low : *least);
    change.high = std::expm1(interval ? interval->high : *most);
    change.reason = fmt::format("{} blocks", size);
  }
  const auto worse = properties::holm(slower, properties::fail_alpha);
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (worse[i]) changes[i].verdict = properties::Verdict::fail;
    if (!worse[i] && not_slower[i] <= properties::pass_alpha) changes[i].verdict = properties::Verdict::pass;
  }
  // What was measured before and is not any more must not look like nothing changed.
  for (const StageFigure& figure : baseline.figures) {
    const auto name = fmt::format("{}/{}/{}", figure.stage, figure.what, figure.figure);
    if (std::none_of(changes.begin(), changes.end(), [&](const FigureChange& change) { return change.name == name; }))
      changes.push_back({name, 0, 0, 0, properties::Verdict::unknown, "this run does not have it"});
  }
  return changes;
}

std::string to_markdown(const std::vector<FigureChange>& changes, double tolerance) {
  std::string out = fmt::format(
      "| against the baseline, {:.3g} % tolerated | worse by | interval of 95 % | verdict | |\n|---|---|---|---|---|\n",
      tolerance * 100);
  for (const FigureChange& change : changes)
    out += fmt::format("| {} | {:+.1f} % | {:+.1f} % to {:+.1f} % | {} | {} |\n", change.name, change.change * 100,
                       change.low * 100, change.high * 100, properties::name_of(change.verdict), change.reason);
  return out;
}

}  // namespace rehearse::reports
