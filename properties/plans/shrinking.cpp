#include "properties/plans/shrinking.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <unordered_set>
#include <utility>

#include "properties/plans/drawing.h"
#include "properties/plans/odd_values.h"
#include "properties/plans/signal.h"
#include "replay/values.h"

namespace rehearse::properties {
namespace {

using replay::Plan;
using replay::Step;
using replay::StepId;
using Kind = Signal::Kind;

std::optional<Signal> signal_of(const Step& step) {
  return step.cue.empty() ? std::nullopt : std::optional(signal_in(step.cue));
}

Plan without(const Plan& plan, const std::function<bool(const Step&)>& dropped) {
  return replay::filtered(plan, [&](const Step& step) { return !dropped(step); });
}

// Every step behind the one before it.
Plan serialised(Plan plan) {
  StepId last = 0;
  for (Step& step : plan.steps) {
    step.after.clear();
    if (last != 0) step.after.push_back({last, replay::CauseKind::hand});
    if (step.request.has_value()) step.lane = 1;
    last = step.id;
  }
  return plan;
}

class Shrinker {
 public:
  Shrinker(const Plan& plan, std::string invariant, const Attempt& attempt, const ShrinkOptions& options)
      : invariant_(std::move(invariant)), attempt_(attempt), options_(options), until_(options.now() + options.budget) {
    result_.plan = plan;
  }

  Shrunk run() {
    // A pass that took something away may have made room for one before it.
    std::size_t before = 0;
    do {
      before = weight(result_.plan);
      drop_faults();
      serialise();
      rest_flips();
      cut_stages();
      drop_lanes();
      drop_steps();
      simplify();
    } while (!over_ && weight(result_.plan) < before);
    result_.minimal = !over_;
    name_needs();
    return std::move(result_);
  }

 private:
  // What gets less: steps, then lanes, then bytes.
  static std::size_t weight(const Plan& plan) {
    std::size_t sum = plan.steps.size() * 100'000;
    if (concurrent(plan)) sum += 50'000;
    for (const Step& step : plan.steps)
      if (step.request.has_value()) sum += step.request.get()->body.size() + step.request.get()->target.size();
    return sum;
  }

  bool fails(const Plan& candidate) {
    const bool sends = std::any_of(candidate.steps.begin(), candidate.steps.end(), [](const Step& step) {
      return step.request.has_value() || step.cue.starts_with("flip");
    });
    if (!sends) return false;
    std::string text = replay::to_json(candidate);
    if (const auto known = tried_.find(text); known != tried_.end()) return known->second;
    bool failed = false;
    for (int i = 0; i < options_.tries && !failed; ++i) {
      if (options_.now() > until_) {
        over_ = true;
        return false;
      }
      ++result_.attempts;
      failed = attempt_(candidate).contains(invariant_);
    }
    tried_.emplace(std::move(text), failed);
    return failed;
  }

  bool take(Plan candidate) {
    if (over_ || candidate.steps == result_.plan.steps || !fails(candidate)) return false;
    result_.plan = std::move(candidate);
    if (options_.on_smaller) options_.on_smaller(result_.plan);
    return true;
  }

  void drop_faults() {
    const auto of_fault = [](const Step& step) {
      const auto signal = signal_of(step);
      return signal && (signal->fault() || signal->kind == Kind::mend);
    };
    take(without(result_.plan, of_fault));
  }

  void serialise() {
    if (concurrent(result_.plan)) take(serialised(result_.plan));
  }

  // "set" beside requests becomes "flip" between them.
  void rest_flips() {
    Plan candidate = result_.plan;
    bool changed = false;
    for (Step& step : candidate.steps) {
      const auto signal = signal_of(step);
      if (!signal || signal->kind != Kind::set) continue;
      step.cue = cue_of(flip_to(signal->stage));
      changed = true;
    }
    if (changed) take(serialised(std::move(candidate)));
  }

  // The end of the way, its beginning (the world begins where the rest does), and loops in it.
  void cut_stages() {
    bool less = true;
    while (less && !over_) {
      less = false;
      std::vector<std::pair<std::size_t, Stage>> moves;  // position, stage
      for (std::size_t i = 0; i < result_.plan.steps.size(); ++i)
        if (const auto signal = signal_of(result_.plan.steps[i]); signal && signal->moves_the_flag())
          moves.emplace_back(i, signal->stage);
      if (moves.empty()) return;
      Plan head = result_.plan;
      head.steps.resize(moves.back().first);
      less = take(std::move(head));
      if (less) continue;
      // Without the first flip, and all before it.
      const auto [position, stage] = moves.front();
      std::unordered_set<StepId> gone;
      for (std::size_t i = 0; i <= position; ++i) gone.insert(result_.plan.steps[i].id);
      Plan tail = without(result_.plan, [&](const Step& step) { return gone.contains(step.id); });
      less = take(with_world(std::move(tail), stage));
      if (less) continue;
      // Only the flip, where what comes before can happen there as well.
      Plan moved = without(result_.plan, [&](const Step& step) {
        return step.id == result_.plan.steps[position].id || step.cue.starts_with("world");
      });
      less = take(with_world(std::move(moved), stage));
      // To and back again.
      for (std::size_t m = 0; m + 1 < moves.size() && !less; ++m) {
        const Stage before = m == 0 ? begins_in(result_.plan) : moves[m - 1].second;
        if (moves[m + 1].second != before) continue;
        const auto ids = std::pair(result_.plan.steps[moves[m].first].id, result_.plan.steps[moves[m + 1].first].id);
        less = take(
            without(result_.plan, [&](const Step& step) { return step.id == ids.first || step.id == ids.second; }));
      }
    }
  }

  static Plan with_world(Plan plan, Stage stage) {
    std::erase_if(plan.steps, [](const Step& step) { return step.cue.starts_with("world"); });
    Step world;
    world.cue = cue_of(world_at(stage));
    world.id = 0;
    for (const Step& step : plan.steps) world.id = std::max(world.id, step.id);
    ++world.id;
    for (Step& step : plan.steps)
      if (step.after.empty()) step.after.push_back({world.id, replay::CauseKind::hand});
    plan.steps.insert(plan.steps.begin(), std::move(world));
    return plan;
  }

  void drop_lanes() {
    std::set<std::int64_t> lanes;
    for (const Step& step : result_.plan.steps)
      if (step.request.has_value()) lanes.insert(step.lane);
    if (lanes.size() < 2) return;
    for (const std::int64_t lane : lanes)
      take(without(result_.plan, [&](const Step& step) { return step.request.has_value() && step.lane == lane; }));
  }

  // ddmin (Zeller and Hildebrandt, 2002) on what can be left out: chunks of halves, quarters, ... single steps.
  void drop_steps() {
    for (std::size_t chunk = std::max<std::size_t>(1, droppable().size() / 2); !over_; chunk /= 2) {
      for (std::size_t at = 0; !over_;) {
        const auto ids = droppable();
        if (at >= ids.size()) break;
        const std::unordered_set<StepId> gone(
            ids.begin() + static_cast<std::ptrdiff_t>(at),
            ids.begin() + static_cast<std::ptrdiff_t>(std::min(at + chunk, ids.size())));
        if (!take(without(result_.plan, [&](const Step& step) { return gone.contains(step.id); }))) at += chunk;
      }
      if (chunk <= 1) break;
    }
  }
  [[nodiscard]] std::vector<StepId> droppable() const {
    std::vector<StepId> ids;
    for (const Step& step : result_.plan.steps)
      if (!step.cue.starts_with("world")) ids.push_back(step.id);
    return ids;
  }

  // Fields that the failure does not need: query and JSON members, and header fields.
  void simplify() {
    for (std::size_t i = 0; i < result_.plan.steps.size() && !over_; ++i) {
      if (!result_.plan.steps[i].request.has_value()) continue;
      const auto original = result_.plan.steps[i].request.get();
      if (const auto query = original->target.find('?'); query != std::string::npos) {
        auto request = *original;
        request.target.resize(query);
        replace(i, std::move(request));
      }
      for (const auto& header : original->headers) {
        const std::string name = replay::lower(header.name);
        if (name == "host" || name == "content-type" || name == "content-length" || name == "authorization") continue;
        auto request = *result_.plan.steps[i].request.get();
        replay::erase_field(request.headers, header.name);
        replace(i, std::move(request));
      }
      for (const auto& value : replay::values_in(*original)) {
        if (!value.place.starts_with("json:") || shape_of(value.text) != Shape::text || value.text.size() <= 3)
          continue;
        auto request = *result_.plan.steps[i].request.get();
        replay::put(request, value.place, value.text, "a");
        replace(i, std::move(request));
      }
    }
  }
  void replace(std::size_t at, replay::Request request) {
    Plan candidate = result_.plan;
    auto& step = candidate.steps[at];
    std::erase_if(step.uses, [&](const replay::Use& use) { return !replay::value_at(request, use.at).has_value(); });
    step.request = std::move(request);
    take(std::move(candidate));
  }

  void name_needs() {
    result_.needs = {"a sequence of requests"};
    bool odd = false, flip = false, fault = false, gate = false, restart = false;
    for (const Step& step : result_.plan.steps) {
      if (const auto signal = signal_of(step)) {
        flip |= signal->moves_the_flag();
        restart |= signal->kind == Kind::service;
        const bool schedules = signal->kind == Kind::wire &&
                               (signal->how.starts_with("hold") || signal->how == "await" || signal->how == "release");
        gate |= schedules;
        fault |= signal->fault() && signal->kind != Kind::service && !schedules;
      } else if (step.request.has_value()) {
        for (const auto& value : replay::values_in(*step.request.get())) {
          const auto& kinds = odd_values(shape_of(value.text));
          const bool known = std::any_of(kinds.begin(), kinds.end(), [&](const auto& kind) {
            return std::find(kind.begin(), kind.end(), value.text) != kind.end();
          });
          odd |= known && value.text.size() > 1 && shape_of(value.text) != Shape::integer;
        }
      }
    }
    if (odd) result_.needs.emplace_back("odd data");
    if (flip) result_.needs.emplace_back("a flip");
    if (fault) result_.needs.emplace_back("a fault");
    if (gate) result_.needs.emplace_back("a gate");
    if (concurrent(result_.plan)) result_.needs.emplace_back("concurrency");
    if (restart) result_.needs.emplace_back("a restart");
  }

  std::string invariant_;
  const Attempt& attempt_;
  const ShrinkOptions& options_;
  std::chrono::steady_clock::time_point until_;
  Shrunk result_;
  bool over_ = false;
  std::map<std::string, bool> tried_;
};

}  // namespace

Shrunk shrink(const Plan& plan, const std::string& invariant, const Attempt& attempt, const ShrinkOptions& options) {
  return Shrinker(plan, invariant, attempt, options).run();
}

int tries_for(int failed, int played) {
  if (played <= 0 || failed <= 0) return 60;
  if (failed >= played) return 1;
  const double rate = static_cast<double>(failed) / played;
  return std::clamp(static_cast<int>(std::ceil(std::log(0.05) / std::log(1 - rate))), 1, 60);
}

std::size_t length_of(const Plan& plan) {
  return static_cast<std::size_t>(std::count_if(plan.steps.begin(), plan.steps.end(),
                                                [](const Step& step) { return !step.cue.starts_with("world"); }));
}

}  // namespace rehearse::properties
