#include "harness/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
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

void keep_end(std::string& output, std::size_t limit) {
  if (output.size() > limit) output.erase(0, output.size() - max_output_bytes);
}

// Reads what is there now; false when nothing is, or nothing will ever be.
bool read_some(int pipe, std::string& output) {
  std::array<char, 4096> chunk;
  const auto n = read(pipe, chunk.data(), chunk.size());
  if (n <= 0) return false;
  output.append(chunk.data(), static_cast<std::size_t>(n));
  keep_end(output, 2 * max_output_bytes);  // erasing at every read would cost the square
  return true;
}

// Whatever stands behind "password=", or between the user and the host of a URI, is nobody's to see.
std::string without_passwords(std::string text) {
  for (auto at = text.find("password="); at != std::string::npos; at = text.find("password=", at + 9)) {
    text.replace(at + 9, std::min(text.find_first_of(" \t\n&;", at), text.size()) - at - 9, "***");
  }
  for (auto at = text.find("://"); at != std::string::npos; at = text.find("://", at + 3)) {
    const auto end = std::min(text.find_first_of("/ \t\n'\"", at + 3), text.size());
    const auto host = text.rfind('@', end);
    const auto colon = text.find(':', at + 3);
    if (host != std::string::npos && host > at && colon < host) text.replace(colon + 1, host - colon - 1, "***");
  }
  return text;
}

}  // namespace

CommandResult run(const std::string& command, std::chrono::milliseconds deadline, const std::atomic<bool>* stop) {
  const auto start = Clock::now();
  std::array<int, 2> pipe_ends{};
  if (pipe2(pipe_ends.data(), O_CLOEXEC | O_NONBLOCK) != 0)
    throw Error(fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  const pid_t child = fork();
  if (child < 0) throw Error(fmt::format("cannot start a process: {}", std::strerror(errno)));
  if (child == 0) {
    setpgid(0, 0);
    signal(SIGPIPE, SIG_DFL);         // ignored by us, and an ignored signal is inherited
    fcntl(pipe_ends[1], F_SETFL, 0);  // the command may wait for us to read
    dup2(pipe_ends[1], STDOUT_FILENO);
    dup2(pipe_ends[1], STDERR_FILENO);
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  setpgid(child, child);  // here too: the deadline may pass before the child runs
  close(pipe_ends[1]);
  CommandResult result;
  bool late = false, killed = false;
  int status = 0;
  bool ended = false;
  // A command may leave a service behind that keeps the pipe open: its own end counts, not the pipe's.
  bool open = true;
  const int process = static_cast<int>(
      syscall(SYS_pidfd_open, child, 0));  // -1 on an old kernel: then its end is noticed a little later
  while (!ended) {
    std::array<pollfd, 2> waiting{{{open ? pipe_ends[0] : -1, POLLIN, 0}, {process, POLLIN, 0}}};
    if (poll(waiting.data(), waiting.size(), 20) > 0 && waiting[0].revents != 0)
      open = read_some(pipe_ends[0], result.output);
    ended = waitpid(child, &status, WNOHANG) == child;
    const bool stopped = stop != nullptr && stop->load();
    if (!ended && !killed && (stopped || Clock::now() - start > deadline)) {
      late = !stopped;
      killed = true;
      kill(-child, SIGKILL);
    }
  }
  // What it wrote last is still in the pipe; bounded, because a process that it left behind may go on writing.
  for (int i = 0; i < 16 && read_some(pipe_ends[0], result.output); ++i) {
  }
  keep_end(result.output, max_output_bytes);
  close(pipe_ends[0]);
  if (process >= 0) close(process);
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  result.status = late ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

void run_or_throw(const std::string& command, std::chrono::milliseconds deadline, const std::string& what) {
  const CommandResult result = run(command, deadline);
  if (result.status == 0) return;
  // The command itself is not shown: it may hold a password in any form.
  if (result.status < 0) throw Error(fmt::format("{} did not end within {} s", what, deadline.count() / 1000));
  throw Error(
      fmt::format("{} failed with status {}: {}", what, result.status, without_passwords(last_lines(result.output))));
}

}  // namespace rehearse::harness
