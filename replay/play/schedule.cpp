#include "replay/play/schedule.h"

#include <algorithm>
#include <utility>

#include "replay/pace.h"
#include "replay/values.h"

namespace rehearse::replay {
namespace {

// What a server answers must not become another request than the captured one: not a second one behind a line end, not the
// whole collection where the id is empty.
bool usable(const Use& use, const std::string& value) {
  const bool in_path = use.at.starts_with("path:");
  return !value.empty() && !(in_path && (value == "." || value == ".."));
}

}  // namespace

Schedule::Schedule(const Plan& plan, const PlayOptions& options)
    : plan_(plan), earlier_(options.earlier), round_(options.round) {
  for (const Binding& binding : earlier_) made_earlier_[{binding.step, binding.source}] = binding.value;
  for (const Step& step : (options.whole ? options.whole : &plan)->steps) {
    for (const Use& use : step.uses) {
      auto& values = wanted_[use.from].values;
      const auto known =
          std::find_if(values.begin(), values.end(), [&](const Wanted::One& one) { return one.source == use.source; });
      if (known == values.end()) values.push_back({use.source, use.value, std::nullopt});
    }
  }

  std::unordered_map<StepId, std::uint32_t> position;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> edges;  // cause, dependent
  causes_left_ = std::make_unique<std::atomic<std::uint32_t>[]>(plan.steps.size());
  ready_ns_ = std::make_unique<std::atomic<std::int64_t>[]>(plan.steps.size());
  for (std::uint32_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    position[step.id] = i;
    const auto wait_for = [&](StepId cause) {
      const auto found = position.find(cause);
      if (found == position.end()) return;
      edges.emplace_back(found->second, i);
      causes_left_[i].fetch_add(1, std::memory_order_relaxed);
    };
    for (const Cause& cause : step.after) wait_for(cause.step);
    for (const Use& use : step.uses)
      wait_for(use.from);  // by hand it is easily forgotten, and without it there is no value
  }
  first_dependent_.assign(plan.steps.size() + 1, 0);
  for (const auto& [cause, dependent] : edges) ++first_dependent_[cause + 1];
  for (std::size_t i = 0; i < plan.steps.size(); ++i) first_dependent_[i + 1] += first_dependent_[i];
  dependents_.resize(edges.size());
  std::vector<std::size_t> next(first_dependent_.begin(), first_dependent_.end() - 1);
  for (const auto& [cause, dependent] : edges) dependents_[next[cause]++] = dependent;
}

const std::string* Schedule::made(const Use& use) const {
  if (const auto found = wanted_.find(use.from); found != wanted_.end()) {
    for (const Wanted::One& one : found->second.values) {
      if (one.source == use.source && one.made) return &*one.made;
    }
  }
  const auto earlier = made_earlier_.find({use.from, use.source});
  return earlier == made_earlier_.end() ? nullptr : &earlier->second;
}

Request Schedule::bound(std::size_t position, std::int64_t& unbound) const {
  const Step& step = plan_.steps[position];
  Request request = *step.request;
  if (round_ > 1) renew(request, round_);
  for (const Use& use : step.uses) {
    const std::string* const value = made(use);
    bool done = false;
    if (value != nullptr && usable(use, *value)) {
      Request changed = request;
      put(changed, use.at, use.value, *value);
      const bool stands_there = *value == use.value || !(changed == request);
      done = stands_there && unsendable(changed).empty() && changed.headers.size() == request.headers.size();
      if (done) request = std::move(changed);
    }
    if (!done) ++unbound;
  }
  return request;
}

void Schedule::learn(std::size_t position, const Record& record) {
  if (record.outcome != Outcome::answered) return;
  const auto wanted = wanted_.find(plan_.steps[position].id);
  if (wanted == wanted_.end()) return;
  for (Wanted::One& one : wanted->second.values) one.made = value_at(record.response, one.source);
}

std::vector<Binding> Schedule::bindings() const {
  std::vector<Binding> all = earlier_;
  for (const Step& step : plan_.steps) {
    const auto wanted = wanted_.find(step.id);
    if (wanted == wanted_.end()) continue;
    for (const Wanted::One& one : wanted->second.values) {
      if (one.made) all.push_back({step.id, one.source, one.old, *one.made});
    }
  }
  return all;
}

}  // namespace rehearse::replay
