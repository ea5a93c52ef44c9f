// The report for a terminal: the verdict first and last, a row a stage and edge, then the evidence.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "reports/report.h"

namespace rehearse::reports {

struct ConsoleOptions {
  bool color = false;  // ANSI colours, for a terminal that has them
  int width = 100;     // columns; fewer than 60 count as 60
  std::vector<std::pair<std::string, std::string>>
      files;  // report files left behind: {"HTML", "rehearsal/report.html"}
};

// Lines end with '\n'. Prose is wrapped at the width, long texts are cut and say so; requests are never wrapped, for they
// are there to be copied. Captured text cannot control the terminal.
[[nodiscard]] std::string render_console(const Report& report, const ConsoleOptions& options = {});

}  // namespace rehearse::reports
