#include "harness/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

using Clock = std::chrono::steady_clock;

std::string last_lines(const std::string& output) {
  const auto end = output.find_last_not_of("\n ");
  if (end == std::string::npos) return "it printed nothing";
  const auto begin = output.rfind('\n', end);
  return output.substr(begin == std::string::npos ? 0 : begin + 1, end - (begin == std::string::npos ? -1 : begin));
}

void keep_end(std::string& output) {
  if (output.size() > 2 * max_output_bytes) output.erase(0, output.size() - max_output_bytes);
}

}  // namespace

CommandResult run(const std::string& command, std::chrono::milliseconds deadline) {
  const auto start = Clock::now();
  std::array<int, 2> pipe_ends{};
  if (pipe2(pipe_ends.data(), O_CLOEXEC) != 0) throw Error(fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  const pid_t child = fork();
  if (child < 0) throw Error(fmt::format("cannot start a process: {}", std::strerror(errno)));
  if (child == 0) {
    setpgid(0, 0);
    dup2(pipe_ends[1], STDOUT_FILENO);
    dup2(pipe_ends[1], STDERR_FILENO);
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  close(pipe_ends[1]);
  CommandResult result;
  bool late = false;
  int status = 0;
  bool ended = false;
  // A command may leave a service behind that keeps the pipe open: its own end counts, not the pipe's.
  while (!ended) {
    pollfd waiting{pipe_ends[0], POLLIN, 0};
    poll(&waiting, 1, 20);
    std::array<char, 4096> chunk;
    if (waiting.revents & POLLIN) {
      const auto n = read(pipe_ends[0], chunk.data(), chunk.size());
      if (n > 0) result.output.append(chunk.data(), static_cast<std::size_t>(n));
      keep_end(result.output);
      if (n > 0) continue;
    }
    ended = waitpid(child, &status, WNOHANG) == child;
    if (!ended && !late && Clock::now() - start > deadline) {
      late = true;
      kill(-child, SIGKILL);
    }
  }
  close(pipe_ends[0]);
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  result.status = late ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

void run_or_throw(const std::string& command, std::chrono::milliseconds deadline, const std::string& what) {
  const CommandResult result = run(command, deadline);
  if (result.status == 0) return;
  if (result.status < 0) throw Error(fmt::format("{} did not end within {} s: {}", what, deadline.count() / 1000, command));
  throw Error(fmt::format("{} failed with status {}: {} (command: {})", what, result.status, last_lines(result.output), command));
}

}  // namespace rehearse::harness
