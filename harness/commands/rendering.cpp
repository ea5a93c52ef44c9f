#include "harness/commands/rendering.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "replay/error.h"
#include "reports/annotations.h"
#include "reports/console.h"
#include "reports/html.h"
#include "reports/junit.h"
#include "reports/markdown.h"
#include "reports/prometheus.h"

namespace rehearse::harness {
namespace {

namespace fs = std::filesystem;
using properties::Verdict;

constexpr std::array report_names{"report.html", "report.json", "junit.xml", "summary.md", "metrics.prom"};

void write_file(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw Error(fmt::format("cannot write {}; check the directory and the space on the disk", path.string()));
}

void make_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) throw Error(fmt::format("cannot make the directory {}: {}", path.string(), error.message()));
}

// The paths that were written, by kind.
std::vector<std::pair<std::string, std::string>> write_reports(const reports::Report& report, const Output& output) {
  std::vector<std::pair<std::string, std::string>> written;
  const auto write = [&](const char* kind, const char* name, const std::string& besides, const std::string& text) {
    const fs::path path = fs::path(output.directory) / name;
    write_file(path, text);
    written.emplace_back(kind, path.string());
    if (besides.empty()) return;
    write_file(besides, text);
    written.emplace_back(kind, besides);
  };
  write("HTML", report_names[0], output.html, render_html(report));
  write("JSON", report_names[1], output.document, to_json(report));
  write("JUnit", report_names[2], output.junit, render_junit(report));
  write("Markdown", report_names[3], output.markdown, render_markdown(report));
  write("metrics", report_names[4], output.prometheus, render_prometheus(report));
  return written;
}

// GitHub's runner reads commands from both streams; a document on standard output stays whole.
void annotate(const reports::Report& report, bool document_on_output) {
  fmt::print(document_on_output ? stderr : stdout, "{}", render_annotations(report));
  const char* summary = std::getenv("GITHUB_STEP_SUMMARY");
  if (summary == nullptr || *summary == '\0') return;
  std::ofstream file(summary, std::ios::binary | std::ios::app);
  file << render_markdown(report);
  file.close();
  if (!file) throw Error(fmt::format("cannot write the summary to {}, which GITHUB_STEP_SUMMARY names", summary));
}

}  // namespace

void expect_writable_directory(const std::string& directory) {
  if (directory.empty()) return;
  make_directory(directory);
  if (access(directory.c_str(), W_OK | X_OK) != 0)
    throw Error(fmt::format("cannot write to the directory {}: {}", directory, std::strerror(errno)));
}

void expect_writable_file(const std::string& path) {
  if (path.empty()) return;
  std::error_code ignored;
  const fs::file_status there = fs::status(path, ignored);
  if (fs::exists(there) && !fs::is_regular_file(there) && !fs::is_directory(there))
    return;  // a pipe has a reader later
  std::ofstream file(path, std::ios::binary | std::ios::app);
  if (!file) throw Error(fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  file.close();
  if (!fs::exists(there)) fs::remove(path, ignored);
}

void expect_writable(const Output& output) {
  expect_writable_directory(output.directory);
  for (const std::string* path : {&output.html, &output.document, &output.junit, &output.markdown, &output.prometheus})
    expect_writable_file(*path);
  const char* summary = output.github ? std::getenv("GITHUB_STEP_SUMMARY") : nullptr;
  if (summary != nullptr) expect_writable_file(summary);
}

void clear_reports(const std::string& directory) {
  make_directory(directory);
  std::vector<std::string> names(report_names.begin(), report_names.end());
  names.emplace_back(latency_log_name);
  for (const std::string& name : names) {
    std::error_code ignored;
    fs::remove(fs::path(directory) / name, ignored);
  }
}

void write_beside(const std::string& directory, const std::string& name, const std::string& text) {
  make_directory(directory);
  write_file(fs::path(directory) / name, text);
}

int render(const reports::Report& report, const Output& output) {
  make_directory(output.directory);
  auto files = write_reports(report, output);
  if (output.json) {
    fmt::print("{}\n", to_json(report));
  } else {
    reports::ConsoleOptions options;
    options.color = isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
    options.files = std::move(files);
    fmt::print("{}", render_console(report, options));
  }
  if (output.github) annotate(report, output.json);
  return report.verdict == Verdict::pass ? exit_pass : report.verdict == Verdict::fail ? exit_fail : exit_unknown;
}

}  // namespace rehearse::harness
