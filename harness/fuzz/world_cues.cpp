// What the cues of a plan do to the world: the flag, copies, faults, rules of wires.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "harness/fuzz/world.h"
#include "harness/fuzz/world_words.h"
#include "harness/process.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using properties::FlagMove;
using properties::Signal;
using properties::Stage;
using properties::Trial;
using namespace std::chrono_literals;

BrokenDatabase::How how_named(const std::string& how) {
  if (how == "stopped") return BrokenDatabase::How::stopped;
  return how == "hung" ? BrokenDatabase::How::hung : BrokenDatabase::How::read_only;
}

}  // namespace

void World::run_cue(const Signal& signal, Trial& trial) {
  using Kind = Signal::Kind;
  switch (signal.kind) {
    case Kind::world:
    case Kind::relate:
      return;
    case Kind::flip:
    case Kind::set:
      return move_flag(signal, trial);
    case Kind::set_back:
      return set_back(trial);
    case Kind::settle:
      return run_settle();
    case Kind::ready:
      return expect_services();
    case Kind::wait:
      std::this_thread::sleep_for(signal.pause);
      return;
    case Kind::copy:
    case Kind::copy_back:
      return copy(signal, trial);
    case Kind::alter:
      return alter(signal, trial);
    case Kind::break_database: {
      const bool new_store = signal.what == "new-database";
      trial.faults.push_back({signal.what, signal.how, wall_clock_ns(), 0});
      broken_.push_back(std::make_unique<BrokenDatabase>(new_store ? config_.new_database : config_.legacy_database,
                                                         new_store ? new_name : legacy_name, how_named(signal.how),
                                                         own_processes()));
      return;
    }
    case Kind::mend:
      return end_faults(trial);
    case Kind::service:
      return run_service(signal, trial);
    case Kind::flag_source: {
      if (config_.flag.kind != FlagSettings::Kind::flagd_file)
        throw Error("the source of the flag is taken away only where it is a file (flag.file in the configuration)");
      const std::string away = config_.flag.path + ".away";
      const bool is_away = std::filesystem::exists(away);
      if (signal.how == "back") {
        if (is_away) std::filesystem::rename(away, config_.flag.path);
        for (auto& fault : trial.faults)
          if (fault.what == "flag" && fault.to_ns == 0) fault.to_ns = wall_clock_ns();
        return;
      }
      trial.faults.push_back({"flag", signal.how, wall_clock_ns(), 0});
      if (!is_away) std::filesystem::rename(config_.flag.path, away);
      if (signal.how == "garbage") std::ofstream(config_.flag.path) << "{\"flags\": {\"" << config_.flag.key << "\": ";
      return;
    }
    case Kind::wire:
      return follow_rule(signal, trial);
  }
}

void World::run_service(const Signal& signal, Trial& trial) {
  const ServiceSettings& service = signal.what == "legacy" ? config_.legacy : config_.new_;
  const std::string& command = command_of(service, signal.how);
  if (command.empty())
    throw Error(
        fmt::format("the plan asks to {0} the {1} service, and the configuration has no command for that: give "
                    "services.{1}.{0}",
                    signal.how, signal.what));
  const bool ends = signal.how == "start" || signal.how == "resume";
  if (!ends) trial.faults.push_back({signal.what, signal.how, wall_clock_ns(), 0});
  run_or_throw(command, config_.command_deadline,
               fmt::format("the command to {} the {} service", signal.how, signal.what));
  if (!ends) return;
  for (auto& fault : trial.faults)
    if (fault.what == signal.what && fault.to_ns == 0) fault.to_ns = wall_clock_ns();
}

// Rows of a store that the stage does not answer from: clients must not notice, and the service may.
void World::alter(const Signal& signal, Trial& trial) {
  const bool new_store = signal.what == "new-database";
  const std::string& sql = new_store ? config_.poison_new : config_.poison_legacy;
  if (sql.empty())
    throw Error(fmt::format("the plan alters {}, and the configuration has no SQL for that: give poison.{}",
                            signal.what, new_store ? "new" : "legacy"));
  Session& session = new_store ? *new_session_ : *legacy_session_;
  session.run("BEGIN");
  session.run(sql);
  // The low 32 bits are what the log knows of it.
  altering_.insert(session.number("SELECT pg_current_xact_id()::text::bigint & 4294967295"));
  session.run("COMMIT");
  trial.alterations.push_back({new_store, wall_clock_ns()});
}

Wire* World::wire_named(std::string_view name) const {
  for (const auto& wire : wires_)
    if (wire->settings().name == name) return wire.get();
  return nullptr;
}

void World::follow_rule(const Signal& signal, Trial& trial) {
  Wire* wire = wire_named(signal.what);
  if (wire == nullptr)
    throw Error(
        fmt::format("the plan has a rule for the wire {0}, and the configuration names no such wire (fuzz.wires.{0})",
                    signal.what));
  const WireRule rule = wire_rule_in(signal.how, wire->settings().protocol());
  const bool schedules = rule.action == WireRule::Action::hold || rule.action == WireRule::Action::delay;
  if (rule.armed()) trial.faults.push_back({signal.what, signal.how, wall_clock_ns(), 0, schedules});
  wire->apply(rule);
  if (rule.action != WireRule::Action::release) return;
  for (auto& fault : trial.faults)
    if (fault.what == signal.what && fault.how.starts_with("hold") && fault.to_ns == 0) fault.to_ns = wall_clock_ns();
}

void World::move_flag(const Signal& signal, Trial& trial) {
  // Nobody can set a flag whose source is gone.
  const bool away = std::any_of(trial.faults.begin(), trial.faults.end(),
                                [](const auto& fault) { return fault.what == "flag" && fault.to_ns == 0; });
  if (away) {
    const auto now = wall_clock_ns();
    trial.moves.push_back({stages_.now(), signal.stage, now, 0, signal.kind == Signal::Kind::set, false, std::nullopt});
    return;
  }
  if (signal.kind == Signal::Kind::flip && !trial.moves.empty() && trial.moves.back().straddled &&
      trial.moves.back().to == signal.stage && trial.moves.back().served_ns == 0) {
    trial.moves.back().served_ns = stages_.follow(signal.stage, config_.flag.propagation + 500ms);
    flag_ = stages_.now();
    return;
  }
  flag_ = signal.stage;
  if (signal.kind == Signal::Kind::set && signal.stage == stages_.now()) return stages_.set(signal.stage);
  FlagMove move;
  move.from = stages_.now();
  move.to = signal.stage;
  move.straddled = signal.kind == Signal::Kind::set;
  if (!move.straddled && move.from != Stage::off && broken_.empty()) move.before = compared_when_settled();
  move.asked_ns = last_move_ns_ = wall_clock_ns();
  if (move.straddled)
    stages_.set(signal.stage);
  else
    move.served_ns = stages_.follow(signal.stage, config_.flag.propagation + 500ms);
  if (!move.straddled) flag_ = stages_.now();
  trial.moves.push_back(std::move(move));
}

// A move that was under way is taken back: whoever makes the same one later makes another.
void World::set_back(Trial& trial) {
  const Stage now = stages_.now();
  const FlagMove* last = trial.moves.empty() ? nullptr : &trial.moves.back();
  const bool under_way = last != nullptr && last->straddled && last->served_ns == 0 && last->from == now;
  if (under_way && legal(last->from, last->to)) {
    FlagMove back;
    back.from = last->to;
    back.to = now;
    back.straddled = true;
    back.asked_ns = last_move_ns_ = wall_clock_ns();
    trial.moves.push_back(back);
  }
  flag_ = now;
  stages_.set(now);
}

void World::copy(const Signal& signal, Trial& trial) {
  const bool back = signal.kind == Signal::Kind::copy_back, cut = signal.pause.count() > 0;
  // Where a flip before it was refused, nobody copies: it would overwrite the data with what is behind it.
  const bool in_place = back ? new_store_is_authoritative(stages_.now()) : stages_.now() == Stage::read_only;
  if (!in_place) return;
  // Whoever runs a migration waits for the flip to spread before the copy begins. Where every instance was seen to follow it and no
  // request was under way, there is nothing to wait for.
  const bool seen = !config_.contract.stage_header.empty() &&
                    std::all_of(trial.moves.begin(), trial.moves.end(),
                                [](const auto& move) { return !move.straddled && move.served_ns != 0; });
  if (!seen) run_settle();
  const auto began = wall_clock_ns();
  const bool done = back ? stages_.copy_backward() : stages_.copy_forward(signal.pause);
  const bool behind_a_cut_one = !trial.copies.empty() && trial.copies.back().cut;
  trial.copies.push_back({began, wall_clock_ns(), back, done, cut && !done});
  if (cut && !done) {
    come_to_rest(trial);
    if (!std::exchange(trial.quiet, true)) trial.problem = "a copy that was killed is still being executed";
  }
  if (cut) trial.copies.back().to_ns = wall_clock_ns();
  if (!done) return;
  if (!back) trial.copied = true;
  if (!broken_.empty()) return;
  if (stages_.now() == Stage::read_only || stages_.now() == Stage::completed) {
    trial.behind_copies.push_back(states_->compare(states_->legacy(), states_->new_()));
    trial.behind_a_cut_one.push_back(behind_a_cut_one);
  }
}

// The two databases at rest: what is written behind the answers, by a queue, may still be on its way.
properties::Comparison World::compared_when_settled() {
  auto comparison = states_->compare(states_->legacy(), states_->new_());
  for (const auto pause : {20ms, 100ms, 400ms}) {
    if (comparison.differences == 0) break;
    std::this_thread::sleep_for(pause);
    comparison = states_->compare(states_->legacy(), states_->new_());
  }
  return comparison;
}

// All of it, whatever of it goes wrong; then the first thing that did.
void World::end_faults(Trial& trial) {
  std::string problem;
  const auto attempt = [&](const auto& step) {
    try {
      step();
    } catch (const Error& error) {
      if (problem.empty()) problem = error.what();
    }
  };
  for (auto& broken : broken_) attempt([&] { broken->mend(); });
  broken_.clear();
  for (const auto& wire : wires_)
    for (std::string& unfired : wire->mend()) trial.unfired.push_back(std::move(unfired));
  if (config_.flag.kind == FlagSettings::Kind::flagd_file) {
    std::error_code error;
    const std::string away = config_.flag.path + ".away";
    if (std::filesystem::exists(away, error)) std::filesystem::rename(away, config_.flag.path, error);
  }
  for (auto& fault : trial.faults) {
    if (fault.to_ns != 0) continue;
    if (fault.what == "legacy" || fault.what == "new") {
      const auto& service = fault.what == "legacy" ? config_.legacy : config_.new_;
      const char* verb = fault.how == "pause" ? "resume" : "start";
      attempt([&] {
        run_or_throw(command_of(service, verb), config_.command_deadline,
                     fmt::format("the command to {} the {} service", verb, fault.what));
      });
    }
    fault.to_ns = wall_clock_ns();
  }
  if (!problem.empty()) throw Error(problem);
}

}  // namespace rehearse::harness
