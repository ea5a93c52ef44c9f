#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <tuple>
#include <utility>

#include "harness/commands/commands.h"
#include "harness/commands/exchange_text.h"
#include "harness/commands/planning.h"
#include "replay/capture/import.h"
#include "replay/error.h"
#include "replay/history_file.h"
#include "replay/plan.h"
#include "replay/traffic_file.h"
#include "reports/escape.h"

namespace rehearse::harness {
namespace {

namespace json = boost::json;
using reports::terminal_escape;  // what was captured may hold anything

void print(const replay::Record& record) {
  fmt::print("{:>6} {:<8} {:>9.3f} ms {:>4} {} {} {}\n", record.step, name_of(record.outcome),
             static_cast<double>(record.done_ns - record.sent_ns) / 1e6, record.response.status,
             terminal_escape(record.request.method), terminal_escape(record.request.target),
             terminal_escape(record.problem));
}

void show_histories(const replay::HistoryFile& file, bool as_json) {
  if (!as_json)
    fmt::print("{:>6} {:<8} {:>12} {:>4} {} {} {}\n", "step", "outcome", "duration", "code", "method", "target",
               "problem");
  for (const auto& history : file.histories) {
    if (!as_json)
      fmt::print("{} at {}: {} requests{}\n", terminal_escape(history.name), terminal_escape(history.target),
                 history.records.size(), history.interrupted ? ", interrupted: others were to follow" : "");
    for (const auto& record : history.records) {
      if (!as_json) {
        print(record);
        continue;
      }
      fmt::print("{}\n", json::serialize(json::object{{"history", history.name},
                                                      {"step", record.step},
                                                      {"due_ns", record.due_ns},
                                                      {"sent_ns", record.sent_ns},
                                                      {"done_ns", record.done_ns},
                                                      {"outcome", std::string(name_of(record.outcome))},
                                                      {"problem", record.problem},
                                                      {"method", record.request.method},
                                                      {"target", record.request.target},
                                                      {"status", record.response.status}}));
    }
  }
}

// "30011", and of a long token its beginning.
std::string shortened(const std::string& value) {
  constexpr std::size_t shown = 40;
  return terminal_escape(value.size() <= shown ? value : value.substr(0, shown) + "…");
}

std::string causes_of(const replay::Step& step) {
  std::string text;
  for (const replay::Cause& cause : step.after) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", cause.step);
    if (cause.kind != replay::CauseKind::hand) text += fmt::format(" ({})", name_of(cause.kind));
  }
  return text;
}

// What the plan does, what waits for what and why, and the values that are taken from answers.
void print(const replay::Plan& plan) {
  std::int64_t reads = 0, writes = 0, cues = 0, retries = 0;
  std::map<std::string_view, std::int64_t> causes;
  std::map<std::tuple<replay::StepId, std::string, std::string>, std::string> made;  // step, source, value
  fmt::print("{:>6} {:>5} {:>12}  {:<50} {}\n", "step", "lane", "due ms", "request", "after");
  for (const replay::Step& step : plan.steps) {
    for (const replay::Cause& cause : step.after) ++causes[name_of(cause.kind)];
    for (const replay::Use& use : step.uses) {
      std::string& uses = made[{use.from, use.source, use.value}];
      uses += fmt::format("{}{} {}", uses.empty() ? "" : ", ", step.id, terminal_escape(use.at));
    }
    retries += step.retry_of != 0;
    ++(!step.request ? cues : step.read ? reads : writes);
    const auto request = step.request ? step.request.get() : nullptr;
    const std::string does = request ? request->method + " " + request->target : "cue " + step.cue;
    fmt::print("{:>6} {:>5} {:>12.3f}  {:<50} {}\n", step.id, step.request ? std::to_string(step.lane) : "",
               static_cast<double>(step.due_ns) / 1e6, terminal_escape(does), causes_of(step));
  }
  fmt::print("\n{} steps: {} reads, {} writes, {} cues; {} sent again with the same key\n", plan.steps.size(), reads,
             writes, cues, retries);
  fmt::print("{}", notes_on(plan));
  fmt::print("waits:");
  for (const auto& [kind, count] : causes)
    fmt::print(" {} {}{}", count, kind, kind == causes.rbegin()->first ? "" : ",");
  fmt::print("{}\n", causes.empty() ? " none" : "");
  if (made.empty()) return;
  fmt::print("\nvalues that the server makes\n{:>6}  {:<24} {:<42} {}\n", "step", "in its answer", "captured as",
             "used by");
  for (const auto& [value, uses] : made)
    fmt::print("{:>6}  {:<24} {:<42} {}\n", std::get<0>(value), terminal_escape(std::get<1>(value)),
               shortened(std::get<2>(value)), uses);
}

// Prints exchanges while they come; for people with headings above them and the certificate behind them.
class Printer {
 public:
  explicit Printer(bool as_json) : as_json_(as_json) {}
  void operator()(replay::Exchange&& exchange) {
    if (std::exchange(first_, false) && !as_json_) fmt::print("{}\n", headings());
    fmt::print("{}\n", as_json_ ? json::serialize(json_of(exchange)) : line_of(exchange));
  }
  // Returns the exit status.
  [[nodiscard]] int finish(const replay::Certificate& certificate) const {
    if (!as_json_) harness::print(certificate);
    if (!first_) return exit_pass;
    fmt::print(stderr, "{}", no_http);
    return exit_unknown;
  }

 private:
  bool as_json_;
  bool first_ = true;
};

constexpr std::size_t beginning_bytes = 4096;

// What standard input begins with, which stays there to be read: a pipe's bytes are taken twice, a file's are read from its place.
std::string beginning_of_standard_input() {
  std::string bytes(beginning_bytes, '\0');
  ssize_t size = pread(STDIN_FILENO, bytes.data(), bytes.size(), lseek(STDIN_FILENO, 0, SEEK_CUR));
  std::array<int, 2> copy{};
  if (size < 0 && pipe(copy.data()) == 0) {
    size = tee(STDIN_FILENO, copy[1], bytes.size(), 0);
    if (size > 0) size = read(copy[0], bytes.data(), static_cast<std::size_t>(size));
    for (const int end : copy) close(end);
  }
  bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return bytes;
}

// An object that is no HTTP archive: those are JSON too, with the member "log".
bool begins_a_plan(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  if (first == std::string_view::npos || text[first] != '{') return false;
  int depth = 0;
  bool named = false;
  std::size_t string_at = std::string_view::npos;
  for (std::size_t at = first; at < text.size(); ++at) {
    if (text[at] == '"') {
      string_at = ++at;
      for (; at < text.size() && text[at] != '"'; ++at) at += text[at] == '\\';
    } else if (text[at] == ':' && depth == 1) {
      std::string_view name = text.substr(string_at);
      name = name.substr(0, name.find('"'));
      if (name == "log") return false;
      named = true;
      if (name == "schema_version" || name == "steps") return true;
    } else {
      depth += text[at] == '{' || text[at] == '[' ? 1 : text[at] == '}' || text[at] == ']' ? -1 : 0;
    }
  }
  return named;
}

}  // namespace

std::optional<std::string> plan_text_in(const std::string& path) {
  const bool standard = path == "-";
  std::ifstream file;
  std::string beginning;
  if (standard) {
    beginning = beginning_of_standard_input();
  } else {
    file.open(path, std::ios::binary);
    beginning.resize(beginning_bytes);
    file.read(beginning.data(), static_cast<std::streamsize>(beginning.size()));
    beginning.resize(static_cast<std::size_t>(file.gcount()));
  }
  if (!begins_a_plan(beginning)) return std::nullopt;
  file.clear();
  file.seekg(0);
  std::istream& in = standard ? static_cast<std::istream&>(std::cin) : file;
  std::string text{std::istreambuf_iterator<char>(in), {}};
  return text.substr(text.find('{'));
}

int show(const std::string& file, const replay::ImportOptions& options, bool as_json) {
  Printer printer(as_json);
  if (const auto plan = plan_text_in(file)) {
    const replay::Plan read = replay::plan_from_json(*plan);
    if (as_json)
      fmt::print("{}\n", to_json(read));
    else
      print(read);
  } else if (file == "-" || !replay::is_sqlite(file)) {
    return printer.finish(replay::import_captures({file}, options, std::ref(printer)));
  } else if (replay::holds_traffic(file)) {
    return printer.finish(replay::load_traffic(file, std::ref(printer)));
  } else {
    show_histories(replay::load_histories(file), as_json);
  }
  return exit_pass;
}

}  // namespace rehearse::harness
