#include "properties/plans/signal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "replay/error.h"

namespace rehearse::properties {
namespace {

using Kind = Signal::Kind;

constexpr std::string_view known =
    "world STAGE, flip STAGE, set STAGE|back, settle, wait Nms, ready, copy [cut Nms], copy back, alter "
    "new-database|legacy-database, break new-database|legacy-database "
    "stopped|read-only|hung, mend, stop|start|kill|pause|resume new|legacy, flag gone|garbage|back, wire NAME: RULE, "
    "relate "
    "M1|M5 STAGE, relate M6 new|legacy, relate M8 TEXT -> TEXT, relate M2|M3|M4|M7|M9|M10, relate end";

// The first word, which is taken off the text.
std::string_view word(std::string_view& text) {
  const auto end = std::min(text.find(' '), text.size());
  const auto first = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return first;
}

std::optional<std::chrono::milliseconds> time_in(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || std::string_view(end, text.data() + text.size()) != "ms" || count < 0 || count > 60'000)
    return std::nullopt;
  return std::chrono::milliseconds(count);
}

template <std::size_t N>
bool one_of(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

constexpr std::array<std::string_view, 5> service_verbs{"stop", "start", "kill", "pause", "resume"};
constexpr std::array<std::string_view, 2> services{"new", "legacy"};
constexpr std::array<std::string_view, 2> databases{"new-database", "legacy-database"};
constexpr std::array<std::string_view, 3> faults{"stopped", "read-only", "hung"};
constexpr std::array<std::string_view, 3> flag_states{"gone", "garbage", "back"};

constexpr std::array<std::string_view, 7> relations_alone{"M2", "M3", "M4", "M7", "M9", "M10", "end"};

// What a relation needs to know: a stage to go to, who is restarted, what is called otherwise.
bool related_so(std::string_view relation, std::string_view how) {
  if (one_of(relation, relations_alone)) return how.empty();
  if (relation == "M1" || relation == "M5") return stage_named(how).has_value();
  if (relation == "M6") return one_of(how, services);
  const auto arrow = how.find(" -> ");
  return relation == "M8" && arrow != std::string_view::npos && arrow > 0 && arrow + 4 < how.size();
}

std::optional<Signal> parsed(std::string_view cue) {
  std::string_view rest = cue;
  const auto verb = word(rest);
  Signal signal;
  if (verb == "world" || verb == "flip" || (verb == "set" && rest != "back")) {
    signal.kind = verb == "world" ? Kind::world : verb == "flip" ? Kind::flip : Kind::set;
    const auto stage = stage_named(rest);
    if (!stage) return std::nullopt;
    signal.stage = *stage;
    return signal;
  }
  if (verb == "wait") {
    signal.kind = Kind::wait;
    const auto time = time_in(rest);
    if (!time) return std::nullopt;
    signal.pause = *time;
    return signal;
  }
  if (cue.starts_with("copy cut ")) {
    signal.kind = Kind::copy;
    const auto time = time_in(cue.substr(9));
    if (!time || time->count() == 0) return std::nullopt;
    signal.pause = *time;
    return signal;
  }
  if (verb == "alter") {
    signal.kind = Kind::alter;
    signal.what = rest;
    if (!one_of(rest, databases)) return std::nullopt;
    return signal;
  }
  if (verb == "break") {
    signal.kind = Kind::break_database;
    signal.what = word(rest);
    signal.how = rest;
    if (!one_of(signal.what, databases) || !one_of(signal.how, faults)) return std::nullopt;
    return signal;
  }
  if (one_of(verb, service_verbs)) {
    if (!one_of(rest, services)) return std::nullopt;
    signal.kind = Kind::service;
    signal.what = rest;
    signal.how = verb;
    return signal;
  }
  if (verb == "flag") {
    if (!one_of(rest, flag_states)) return std::nullopt;
    signal.kind = Kind::flag_source;
    signal.how = rest;
    return signal;
  }
  if (verb == "wire") {
    const auto colon = rest.find(": ");
    if (colon == 0 || colon == std::string_view::npos || colon + 2 == rest.size()) return std::nullopt;
    signal.kind = Kind::wire;
    signal.what = rest.substr(0, colon);
    signal.how = rest.substr(colon + 2);
    return signal;
  }
  if (verb == "relate") {
    signal.kind = Kind::relate;
    signal.what = word(rest);
    signal.how = rest;
    return related_so(signal.what, rest) ? std::optional(signal) : std::nullopt;
  }
  for (const auto& [text, kind] : {std::pair<std::string_view, Kind>{"settle", Kind::settle},
                                   {"ready", Kind::ready},
                                   {"set back", Kind::set_back},
                                   {"copy", Kind::copy},
                                   {"copy back", Kind::copy_back},
                                   {"mend", Kind::mend}}) {
    if (cue != text) continue;
    signal.kind = kind;
    return signal;
  }
  return std::nullopt;
}

}  // namespace

bool Signal::fault() const {
  return kind == Kind::break_database || kind == Kind::service || kind == Kind::flag_source || kind == Kind::wire;
}

Signal signal_in(std::string_view cue) {
  if (auto signal = parsed(cue)) return *std::move(signal);
  throw Error(fmt::format("the cue {:?} is not understood; the cues are {}", cue, known));
}

std::string cue_of(const Signal& signal) {
  switch (signal.kind) {
    case Kind::world:
      return fmt::format("world {}", name_of(signal.stage));
    case Kind::flip:
      return fmt::format("flip {}", name_of(signal.stage));
    case Kind::set:
      return fmt::format("set {}", name_of(signal.stage));
    case Kind::set_back:
      return "set back";
    case Kind::settle:
      return "settle";
    case Kind::ready:
      return "ready";
    case Kind::wait:
      return fmt::format("wait {}ms", signal.pause.count());
    case Kind::copy:
      return signal.pause.count() > 0 ? fmt::format("copy cut {}ms", signal.pause.count()) : "copy";
    case Kind::copy_back:
      return "copy back";
    case Kind::break_database:
      return fmt::format("break {} {}", signal.what, signal.how);
    case Kind::mend:
      return "mend";
    case Kind::alter:
      return "alter " + signal.what;
    case Kind::service:
      return fmt::format("{} {}", signal.how, signal.what);
    case Kind::flag_source:
      return fmt::format("flag {}", signal.how);
    case Kind::wire:
      return fmt::format("wire {}: {}", signal.what, signal.how);
    case Kind::relate:
      return fmt::format("relate {}{}{}", signal.what, signal.how.empty() ? "" : " ", signal.how);
  }
  return {};
}

Signal world_at(Stage stage) { return {Kind::world, stage, {}, {}, {}}; }
Signal flip_to(Stage stage) { return {Kind::flip, stage, {}, {}, {}}; }
Signal set_to(Stage stage) { return {Kind::set, stage, {}, {}, {}}; }

Stage begins_in(const replay::Plan& plan) {
  if (plan.steps.empty() || plan.steps.front().cue.empty()) return Stage::off;
  const Signal first = signal_in(plan.steps.front().cue);
  return first.kind == Kind::world ? first.stage : Stage::off;
}

std::vector<Stage> stages_of(const replay::Plan& plan) {
  std::vector<Stage> stages{begins_in(plan)};
  for (const replay::Step& step : plan.steps) {
    if (step.cue.empty()) continue;
    const Signal signal = signal_in(step.cue);
    if (signal.moves_the_flag() && legal(stages.back(), signal.stage)) stages.push_back(signal.stage);
  }
  return stages;
}

}  // namespace rehearse::properties
