#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "harness/commands/commands.h"
#include "harness/commands/planning.h"
#include "harness/process.h"
#include "harness/redaction.h"
#include "replay/error.h"
#include "replay/history_file.h"
#include "replay/pace.h"
#include "replay/player.h"
#include "reports/escape.h"

namespace rehearse::harness {
namespace {

constexpr std::chrono::seconds cue_deadline{600};

void print_counts(const char* title, const std::map<std::string, std::int64_t>& counts) {
  fmt::print("{}\n", title);
  for (const auto& [name, count] : counts) fmt::print("  {:>12} {}\n", count, name);
}

bool filters(const WantedExchanges& wanted) {
  return !wanted.routes.empty() || !wanted.methods.empty() || !wanted.statuses.empty() || !wanted.from.empty() ||
         !wanted.to.empty() || wanted.sample < 1 || wanted.complete || !wanted.session_keys.empty();
}

replay::Plan plan_in(const PlayArguments& arguments) {
  if (!std::isfinite(arguments.rate) || !std::isfinite(arguments.max_gap_seconds))
    throw Error("--rate and --max-gap need numbers");
  if (const auto text = plan_text_in(arguments.files.front())) {
    if (arguments.files.size() > 1)
      throw Error("a plan is played alone; give captures and traffic files to merge them");
    if (filters(arguments.wanted)) throw Error("a plan is played as it is; filters are for captures and traffic files");
    return replay::plan_from_json(*text);
  }
  replay::PlannerOptions options;
  options.bindings = options.causes.entity = options.causes.session = arguments.causes == "all";
  options.causes.session_keys = options.masks.session_keys = arguments.wanted.session_keys;
  options.masks.send = arguments.send_masked;
  options.masks.minted = minted_by(arguments.service);
  Planned planned = plan_files(arguments.files, load_redaction(arguments.redaction), arguments.wanted, options);
  fmt::print(stderr, "{}\n", planned.redaction);
  return std::move(planned.plan);
}

// Brings the plan to its times and says at which speed the player is to go.
double set_pace(const PlayArguments& arguments, replay::Plan& plan) {
  replay::Pace pace;
  pace.rate = arguments.rate;
  pace.max_gap_ns = static_cast<std::int64_t>(arguments.max_gap_seconds * 1e9);
  if (arguments.speed == "max" && pace.rate == 0) return 0;
  if (arguments.speed == "max") {
    for (replay::Step& step : plan.steps) step.due_ns = 0;
  } else {
    const auto [rest, error] =
        std::from_chars(arguments.speed.data(), arguments.speed.data() + arguments.speed.size(), pace.speed);
    const bool number = error == std::errc() && rest == arguments.speed.data() + arguments.speed.size();
    if (!number || !(pace.speed >= 0.1 && pace.speed <= 100))
      throw Error(fmt::format("--speed {}: give a number from 0.1 to 100, or max", arguments.speed));
  }
  plan = paced(std::move(plan), pace);
  return 1;
}

// What came of the requests of all rounds.
struct Summary {
  std::map<std::string, std::int64_t> outcomes, problems;
  std::int64_t sent = 0, unbound = 0;
  bool all_answered = true;
  replay::Sender sender;  // of the last round
  std::string behind;     // of the last round that had times and did not keep them

  void add(const replay::Record& record) {
    ++sent;
    const bool answered = record.outcome == replay::Outcome::answered;
    all_answered = all_answered && answered;
    if (!answered) ++problems[fmt::format("{}: {}", name_of(record.outcome), record.problem)];
    ++outcomes[answered ? fmt::format("answered {}xx", record.response.status / 100)
                        : std::string(name_of(record.outcome))];
  }

  void print(const PlayArguments& arguments, std::int64_t planned) const {
    fmt::print("{} of {} steps were played against {}\n", sent, planned, arguments.target);
    print_counts("outcomes", outcomes);
    for (const auto& [problem, count] : problems) fmt::print("  {:>12} {}\n", count, reports::terminal_escape(problem));
    if (unbound > 0)
      fmt::print("{} values of earlier answers were not given this time: what was captured was sent in their place\n",
                 unbound);
    const auto milliseconds = [](std::int64_t ns) { return static_cast<double>(ns) / 1e6; };
    fmt::print(
        "requests left {:.3f} ms late at the median, {:.3f} ms at p99, {:.3f} ms at most; {} worker{}, scheduling {}\n",
        milliseconds(sender.late_p50_ns), milliseconds(sender.late_p99_ns), milliseconds(sender.late_max_ns),
        sender.workers, sender.workers == 1 ? "" : "s", sender.scheduling);
    if (!behind.empty())
      fmt::print(
          "unknown: the sender did not keep its times ({}), so latencies of this play say nothing of the service; "
          "lower "
          "--speed or --rate, or give more --workers\n",
          behind);
    fmt::print("written: {}\n", arguments.history);
  }
};

std::set<std::string> cues_in(const replay::Plan& plan) {
  std::set<std::string> cues;
  for (const replay::Step& step : plan.steps) {
    if (!step.request) cues.insert(step.cue);
  }
  return cues;
}

// What is done for the cues of the plan.
std::function<void(const replay::Step&)> runs_of(const std::vector<std::string>& given,
                                                 const std::set<std::string>& cues) {
  std::map<std::string, std::string> commands;
  for (const std::string& one : given) {
    const auto equals = one.find('=');
    if (equals == std::string::npos || one.find_first_not_of(" \t\n", equals + 1) == std::string::npos)
      throw Error(fmt::format("--cue {}: give the cue's name and what is run for it, \"NAME=COMMAND\"", one));
    const std::string name = one.substr(0, equals);
    if (!cues.contains(name))
      throw Error(fmt::format("the plan has no cue {:?}; `rehearse show` prints its steps", name));
    if (!commands.emplace(name, one.substr(equals + 1)).second)
      throw Error(fmt::format("--cue says twice what is run for {:?}", name));
  }
  for (const std::string& cue : cues) {
    if (!commands.contains(cue))
      throw Error(fmt::format("the plan holds the cue {:?}: say with --cue \"{}=COMMAND\" what is run for it", cue,
                              reports::terminal_escape(cue)));
  }
  return [commands](const replay::Step& step) {
    const CommandResult result = run(commands.at(step.cue), cue_deadline, &stop_requested);
    if (result.status == 0 || stop_requested) return;
    throw Error(result.status < 0
                    ? fmt::format("the command of cue {:?} did not end within {} s", step.cue, cue_deadline.count())
                    : fmt::format("the command of cue {:?} ended with {}; run it by hand", step.cue, result.status));
  };
}

}  // namespace

int play_traffic(const PlayArguments& arguments) {
  replay::expect_target(arguments.target);
  if (arguments.history.empty()) throw Error("--history needs the name of a file; leave it out for history.sqlite");
  if (!std::isfinite(arguments.timeout_seconds + arguments.connect_timeout_seconds +
                     arguments.first_byte_timeout_seconds))
    throw Error("--timeout, --connect-timeout and --first-byte-timeout need numbers of seconds");
  if (arguments.speed == "max" && arguments.max_gap_seconds > 0)
    throw Error(
        "--max-gap cuts the pauses of the capture, and --speed max keeps none; give --speed 1, or leave --max-gap out");
  replay::Plan plan = plan_in(arguments);
  const auto whole = plan.steps.size();
  // A plan may call a POST a read; whose word that is nobody knows here, so the method decides.
  const auto harmless = [](const replay::Step& step) {
    return !step.request || (step.read && replay::safe(step.request.get()->method));
  };
  if (!arguments.writes) plan = filtered(std::move(plan), harmless);
  const auto left_out = whole - plan.steps.size();
  fmt::print(stderr, "{}", notes_on(plan));
  if (left_out > 0) fmt::print(stderr, "{} writes are left out; --writes allowed sends them\n", left_out);
  if (plan.steps.empty()) throw Error("nothing is left to send; see `rehearse show` for what the file holds");
  const double speed = set_pace(arguments, plan);
  if (arguments.dry_run) {
    write_json(plan, [](std::string_view part) { fmt::print("{}", part); });
    fmt::print("\n");
    return exit_pass;
  }
  const auto milliseconds_of = [](double seconds) {
    return std::chrono::milliseconds(std::max<std::int64_t>(std::llround(seconds * 1e3), 1));
  };
  replay::PlayOptions options;
  options.on_cue = runs_of(arguments.cues, cues_in(plan));
  options.target = arguments.target;
  options.speed = speed;
  options.stop = &stop_requested;
  options.rate = arguments.rate;
  options.workers = arguments.workers;
  options.max_connections = arguments.connections;
  options.deadline = milliseconds_of(arguments.timeout_seconds);
  options.connect_deadline = milliseconds_of(arguments.connect_timeout_seconds);
  if (arguments.first_byte_timeout_seconds > 0)
    options.begin_deadline = milliseconds_of(arguments.first_byte_timeout_seconds);
  const Target target(arguments.service, plan, &stop_requested);
  target.apply(options);
  if (stop_requested) return exit_interrupted;
  expect_playable(plan, options);  // before an earlier history is written over
  replay::HistoryWriter writer(arguments.history);
  const auto sendable = std::count_if(plan.steps.begin(), plan.steps.end(),
                                      [](const replay::Step& step) { return step.request.has_value(); });
  Summary summary;
  for (int round = 1; round <= arguments.rounds && !stop_requested; ++round) {
    replay::History begun;
    begun.name = options.name = round == 1 ? "play" : fmt::format("play {}", round);
    begun.target = options.target;
    replay::HistoryRecorder recorder(writer, begun);
    options.round = round;
    options.on_record = [&](replay::Record&& record) {
      summary.add(record);
      recorder.add(std::move(record));
    };
    replay::History history;
    try {
      history = replay::play(plan, options);
    } catch (const Error&) {
      summary.print(arguments, sendable * arguments.rounds);  // what was sent was sent
      throw;
    }
    recorder.finish(history);
    summary.unbound += history.unbound;
    summary.sender = history.sender;
    if (!history.sender.behind.empty()) summary.behind = history.sender.behind;
  }
  summary.print(arguments, sendable * arguments.rounds);
  if (stop_requested) return exit_interrupted;
  return summary.all_answered && summary.unbound == 0 && summary.behind.empty() ? exit_pass : exit_unknown;
}

}  // namespace rehearse::harness
