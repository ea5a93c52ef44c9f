#include "harness/stage_control.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "harness/process.h"
#include "harness/services.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using properties::Stage;
using properties::StagePoll;
using Kind = properties::Mark::Kind;
using namespace std::chrono_literals;

// What the new service's instances serve; when they do not agree, what one of them serves instead of `usual`.
std::string served_instead(const Configuration& configuration, const std::string& usual) {
  std::string served = usual;
  for (const StagePoll& poll : poll_new_service(configuration)) {
    if (poll.value != usual) served = poll.value;
  }
  return served;
}

std::int64_t wall_clock_ns() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

StageControl::StageControl(const Configuration& configuration, NoteMark note)
    : configuration_(configuration),
      note_(std::move(note)),
      flag_(make_flag(configuration.flag, configuration.command_deadline)) {
  // Nobody but us answers OFREP: until the first value the services have no flag at all.
  if (configuration.flag.kind == FlagSettings::Kind::ofrep) flag_->set(configuration.flag.values.at(Stage::off));
}

void StageControl::learn() {
  // A flag that we serve ourselves needs its bound until the services have seen it.
  if (configuration_.flag.kind == FlagSettings::Kind::ofrep)
    std::this_thread::sleep_for(configuration_.flag.propagation + 500ms);
  const auto polls = poll_stages(configuration_);
  for (std::size_t i = 0; i < polls.size(); ++i) {
    const StagePoll& poll = polls[i];
    const std::string& url = i == 0 ? configuration_.legacy.urls.front() : configuration_.new_.urls[i - 1];
    if (poll.value == "nothing") {
      throw Error(fmt::format(
          "the {} service at {} does not say which stage it serves (GET {}, {}); is it running, and is `stage` right "
          "in the configuration?",
          poll.service, url, configuration_.stage.path,
          configuration_.stage.header.empty() ? configuration_.stage.json : "header " + configuration_.stage.header));
    }
    if (!configuration_.contract.stage_values.contains(poll.value)) {
      throw Error(
          fmt::format("the {} service says that it serves {:?}, which is none of flag.values in the configuration",
                      poll.service, poll.value));
    }
    if (poll.value != polls.front().value) {
      throw Error(
          fmt::format("the services serve different stages: {} {}, {} {}; let both read the same flag, set it to one "
                      "stage, and start again",
                      polls.front().service, polls.front().value, poll.service, poll.value));
    }
  }
  now_ = configuration_.contract.stage_values.at(polls.front().value);
}

std::int64_t StageControl::flip(Stage to) {
  note(Kind::flip, name_of(properties::Edge{now_, to}));
  const std::string& value = configuration_.flag.values.at(to);
  flag_->set(value);
  const std::int64_t settled = wall_clock_ns() + std::chrono::nanoseconds(configuration_.flag.propagation).count();
  const auto until = std::chrono::steady_clock::now() + configuration_.flag.propagation + patience;
  while (true) {
    auto polls = poll_stages(configuration_);
    if (std::all_of(polls.begin(), polls.end(), [&](const StagePoll& poll) { return poll.value == value; })) break;
    if (std::chrono::steady_clock::now() > until) throw StageNotServed{std::move(polls)};
    std::this_thread::sleep_for(10ms);
  }
  if (to == Stage::off && now_ == Stage::read_only) copied_ = false;  // legacy will be written again
  now_ = to;
  // The bound is a promise: nothing is judged before it is over, however soon the services followed.
  std::this_thread::sleep_for(std::chrono::nanoseconds(std::max<std::int64_t>(0, settled - wall_clock_ns())));
  return settled;
}

void StageControl::set(Stage to) { flag_->set(configuration_.flag.values.at(to)); }

std::int64_t StageControl::follow(Stage to, milliseconds bound) {
  const Stage from = now_;
  const auto served_everywhere = [&](Stage stage) {
    const auto polls = poll_stages(configuration_);
    const auto serves = [&](const StagePoll& poll) { return poll.value == configuration_.flag.values.at(stage); };
    // What is down serves nothing, and reads the flag when it comes up.
    return std::any_of(polls.begin(), polls.end(), serves) &&
           std::all_of(polls.begin(), polls.end(),
                       [&](const StagePoll& poll) { return poll.value == "nothing" || serves(poll); });
  };
  const std::string& metric = configuration_.flag.rejected_metric;
  const auto refused = [&] { return counted_by_new_service(configuration_, metric).value_or(0); };
  const auto refused_before = refused();
  std::optional<std::chrono::steady_clock::time_point> gives_up;
  const auto until = std::chrono::steady_clock::now() + bound;
  set(to);
  while (!served_everywhere(to)) {
    // A service that says that it refuses need not be waited for; but what it asks may have been about to come back.
    const auto now = std::chrono::steady_clock::now();
    if (!gives_up && refused() > refused_before) gives_up = now + refusal_grace;
    if (now > until || (gives_up && now > *gives_up)) {
      // Where one of them may have gone, all go back.
      set(from);
      const auto back = std::chrono::steady_clock::now() + bound;
      while (!served_everywhere(from) && std::chrono::steady_clock::now() < back) std::this_thread::sleep_for(3ms);
      if (served_everywhere(from)) return 0;
      // One went and may not come back: then the way on is the way out.
      set(to);
      const auto on = std::chrono::steady_clock::now() + bound;
      while (!served_everywhere(to) && std::chrono::steady_clock::now() < on) std::this_thread::sleep_for(3ms);
      if (!served_everywhere(to)) return 0;
      break;
    }
    std::this_thread::sleep_for(2ms);
  }
  if (to == Stage::off && from == Stage::read_only) copied_ = false;
  now_ = to;
  return wall_clock_ns();
}

bool StageControl::agree(milliseconds bound) {
  const auto until = std::chrono::steady_clock::now() + bound;
  while (true) {
    const auto polls = poll_stages(configuration_);
    for (const Stage stage : properties::all_stages) {
      const std::string& value = configuration_.flag.values.at(stage);
      const bool all = !polls.empty() && std::all_of(polls.begin(), polls.end(),
                                                     [&](const StagePoll& poll) { return poll.value == value; });
      if (all) return now_ = stage, true;
    }
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(5ms);
  }
}

std::int64_t StageControl::go_to(Stage to) {
  std::int64_t settled = wall_clock_ns();
  while (now_ != to) {
    const Stage next = properties::path(now_, to)[1];
    const bool entering_shadow = now_ == Stage::read_only && next == Stage::shadow;
    const bool leaving_completed = now_ == Stage::completed;
    if (entering_shadow && !copied_ && !copy_forward())
      throw Error("the copy failed; run copy.forward by hand and read what it says");
    if (leaving_completed && !copy_backward())
      throw Error("the catch-up copy failed; run copy.backward by hand and read what it says");
    settled = flip(next);
    if (leaving_completed && !copy_backward())
      throw Error("the catch-up copy failed; run copy.backward by hand and read what it says");
  }
  return settled;
}

properties::FlagTrial StageControl::attempt(const std::string& value, const std::string& why,
                                            const std::string& invariant) {
  properties::FlagTrial trial{value, why, invariant, "", "", std::nullopt};
  const std::string& now = configuration_.flag.values.at(now_);
  const std::string& metric = configuration_.flag.rejected_metric;
  const auto refused_before = counted_by_new_service(configuration_, metric);
  trial.served_before = served_instead(configuration_, now);
  note(Kind::flip, fmt::format("tried: {}, although {}", value, why));
  flag_->set(value);
  // A service may think for a while before it takes the flip: it is watched for twice the bound.
  const auto watched_until = std::chrono::steady_clock::now() + 2 * configuration_.flag.propagation;
  do {
    trial.served_after = served_instead(configuration_, now);
    std::this_thread::sleep_for(20ms);
  } while (trial.served_after == trial.served_before && std::chrono::steady_clock::now() < watched_until);
  bool counts = false;
  const auto refused_now = counted_by_new_service(configuration_, metric, &counts);
  if (refused_before && refused_now && counts)
    trial.reported = static_cast<std::int64_t>(*refused_now - *refused_before);
  // Whatever it went over to: back to where it was, over the same edge.
  flag_->set(now);
  const auto until = std::chrono::steady_clock::now() + configuration_.flag.propagation + patience;
  while (served_instead(configuration_, now) != now && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(10ms);
  }
  std::this_thread::sleep_for(configuration_.flag.propagation);
  return trial;
}

bool StageControl::copy_forward(milliseconds cut) {
  if (configuration_.copy_forward.empty())
    throw Error(
        "copy.forward is missing in the configuration: give the command that copies legacy to the new database");
  copied_ = copy(configuration_.copy_forward, "legacy to new", cut.count() > 0 ? cut : configuration_.command_deadline);
  return copied_;
}

bool StageControl::copy_backward() {
  if (configuration_.copy_backward.empty())
    throw Error(
        "copy.backward is missing in the configuration: give the command that brings legacy up to the new database");
  return copy(configuration_.copy_backward, "new to legacy", configuration_.command_deadline);
}

bool StageControl::copy(const std::string& command, const char* what, milliseconds deadline) {
  note(Kind::copy, fmt::format("copy {} begins", what));
  const bool copied = run(command, deadline).status == 0;
  note(copied ? Kind::copy : Kind::error, fmt::format("copy {} {}", what, copied ? "done" : "failed"));
  return copied;
}

void StageControl::note(Kind kind, std::string text) const {
  if (note_) note_(kind, std::move(text));
}

}  // namespace rehearse::harness
