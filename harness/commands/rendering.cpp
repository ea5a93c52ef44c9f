#include "harness/commands/rendering.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "harness/commands/commands.h"
#include "replay/error.h"
#include "reports/console.h"
#include "reports/html.h"
#include "reports/junit.h"
#include "reports/markdown.h"

namespace rehearse::harness {
namespace {

namespace fs = std::filesystem;
using properties::Verdict;

constexpr std::array report_names{"report.html", "report.json", "junit.xml", "summary.md"};

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
std::vector<std::pair<std::string, std::string>> write_reports(const reports::Report& report,
                                                               const fs::path& directory) {
  std::vector<std::pair<std::string, std::string>> written;
  const auto write = [&](const char* kind, const char* name, const std::string& text) {
    write_file(directory / name, text);
    written.emplace_back(kind, (directory / name).string());
  };
  write("HTML", report_names[0], render_html(report));
  write("JSON", report_names[1], to_json(report));
  write("JUnit", report_names[2], render_junit(report));
  write("Markdown", report_names[3], render_markdown(report));
  return written;
}

}  // namespace

void clear_reports(const std::string& directory) {
  make_directory(directory);
  for (const char* name : report_names) {
    std::error_code ignored;
    fs::remove(fs::path(directory) / name, ignored);
  }
}

int render(const reports::Report& report, const std::string& directory, bool json) {
  make_directory(directory);
  auto files = write_reports(report, directory);
  if (json) {
    fmt::print("{}\n", to_json(report));
  } else {
    reports::ConsoleOptions options;
    options.color = isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
    options.files = std::move(files);
    fmt::print("{}", render_console(report, options));
  }
  return report.verdict == Verdict::pass ? exit_pass : report.verdict == Verdict::fail ? exit_fail : exit_unknown;
}

}  // namespace rehearse::harness
