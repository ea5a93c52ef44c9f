// Runs the shell commands of a configuration: copy, restore, start, stop.
#pragma once

#include <atomic>
#include <chrono>
#include <string>

namespace rehearse::harness {

struct CommandResult {
  int status = -1;     // the exit status; 128 + signal when a signal ended it; -1 when it ran out of time
  std::string output;  // the end of what it wrote to standard output and standard error
  double seconds = 0;
};

// More output than this is cut from the front: the last lines say what went wrong.
inline constexpr std::size_t max_output_bytes = 16 * 1024;

// Runs `command` with /bin/sh in a process group of its own, which is ended when the deadline passes, or `stop` becomes true.
[[nodiscard]] CommandResult run(const std::string& command, std::chrono::milliseconds deadline,
                                const std::atomic<bool>* stop = nullptr);

// Runs it and throws Error, naming `what` and the end of its output, when it fails.
void run_or_throw(const std::string& command, std::chrono::milliseconds deadline, const std::string& what);

}  // namespace rehearse::harness
