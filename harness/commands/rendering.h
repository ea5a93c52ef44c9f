// Reports in every form, beside each other in a directory.
#pragma once

#include <string>

#include "harness/commands/commands.h"
#include "reports/report.h"

namespace rehearse::harness {

// The histograms of a rehearsal with budgets.
inline constexpr const char* latency_log_name = "latency.hlog";

// Throws Error when something cannot be written there: asked before anything is sent, for what was rehearsed would be lost. An empty path is
// none. The directory is made.
void expect_writable_directory(const std::string& directory);
void expect_writable_file(const std::string& path);
void expect_writable(const Output& output);

// Makes the directory; a report of an earlier run must not stand for this one when it ends in an error, so those go. Throws Error.
void clear_reports(const std::string& directory);

// A further file beside them, which goes with them. Throws Error.
void write_beside(const std::string& directory, const std::string& name, const std::string& text);

// Writes the report in every form, prints it, and gives the exit status of its verdict. Throws Error.
int render(const reports::Report& report, const Output& output);

}  // namespace rehearse::harness
