#include "harness/probes.h"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "properties/checks/facts.h"

namespace rehearse::harness {
namespace {

using replay::History;
using replay::Plan;
using replay::Record;
using replay::Step;

constexpr std::int64_t probe_lanes = 4;

Step step_of(std::size_t position, replay::Request request, bool read) {
  Step step;
  step.id = static_cast<replay::StepId>(position) + 1;
  step.lane = static_cast<std::int64_t>(position) % probe_lanes + 1;
  step.request = std::move(request);
  step.read = read;
  return step;
}

std::string resource_of(const Record& record) {
  if (const auto location = replay::field(record.response.headers, "Location")) {
    const auto scheme = location->find("://");
    const auto slash = scheme == std::string_view::npos ? 0 : location->find('/', scheme + 3);
    return slash == std::string_view::npos ? std::string() : std::string(replay::path_of(location->substr(slash)));
  }
  return std::string(replay::path_of(record.request.target));
}

}  // namespace

Plan read_back_of(const std::vector<const History*>& histories) {
  std::vector<std::string> targets;
  std::set<std::string> seen;
  const auto add = [&](const std::string& target, std::size_t limit) {
    if (!target.empty() && targets.size() < limit && seen.insert(target).second) targets.push_back(target);
  };
  for (auto history = histories.rbegin(); history != histories.rend(); ++history) {
    for (auto record = (*history)->records.rbegin(); record != (*history)->records.rend(); ++record) {
      if (properties::acknowledged(*record)) add(resource_of(*record), max_read_backs * 3 / 4);
    }
  }
  for (auto history = histories.rbegin(); history != histories.rend(); ++history) {
    for (const Record& record : (*history)->records) {
      const bool list = record.request.method == "GET" && record.response.status == 200 &&
                        record.request.target.find('?') != std::string::npos;
      if (list) add(record.request.target, max_read_backs);
    }
  }
  Plan plan;
  for (const std::string& target : targets)
    plan.steps.push_back(step_of(plan.steps.size(), {"GET", target, {{"Accept", "*/*"}}, ""}, true));
  return plan;
}

Plan one_of_each_route(const Configuration& configuration, const Plan& plan, const History& oracle, bool writes_only) {
  Plan chosen;
  std::set<std::string> routes;
  for (const bool read : {false, true}) {
    for (const Step& step : plan.steps) {
      if (!step.request || step.read != read || (read && writes_only) || chosen.steps.size() >= max_direct_requests)
        continue;
      const auto request = step.request.get();
      if (!configuration.is_business(replay::path_of(request->target))) continue;
      const Record* answer = replay::record_of(oracle, step.id);
      if (answer != nullptr && (answer->response.status == 405 || answer->response.status == 501)) continue;
      const std::string route = replay::route_of(request->method, request->target);
      if (routes.insert(route).second) chosen.steps.push_back(step_of(chosen.steps.size(), *request, step.read));
    }
  }
  return chosen;
}

Plan not_idempotent_of(const Configuration& configuration, const Plan& plan, const History& oracle) {
  Plan chosen;
  std::set<std::string> routes;
  for (const Step& step : plan.steps) {
    if (!step.request || step.read || !step.uses.empty() || chosen.steps.size() >= max_provoking_requests) continue;
    const replay::Request request = *step.request;
    const Record* answer = replay::record_of(oracle, step.id);
    const bool fits = (request.method == "POST" || request.method == "PATCH") && answer != nullptr &&
                      properties::acknowledged(*answer) && configuration.is_business(replay::path_of(request.target));
    if (fits && routes.insert(replay::route_of(request.method, request.target)).second)
      chosen.steps.push_back(step_of(chosen.steps.size(), request, false));
  }
  return chosen;
}

std::vector<Record> refusals_of(const Configuration& configuration, const History& history) {
  std::vector<Record> refusals;
  std::set<std::string> seen;
  for (const Record& record : history.records) {
    if (refusals.size() >= max_traced_refusals || !properties::refused(configuration.contract, record)) continue;
    const std::string kind =
        replay::route_of(record.request.method, record.request.target) + std::to_string(record.response.status);
    if (seen.insert(kind).second) refusals.push_back(record);
  }
  return refusals;
}

Plan reads_of(const Plan& plan) {
  return filtered(plan, [](const Step& step) { return step.request && step.read; });
}

Plan with_cue_amid(Plan plan, const std::string& cue) {
  const std::size_t third = plan.steps.size() / 3;
  Step step;
  step.id = plan.steps.empty() ? 1 : plan.steps.back().id + 1;
  step.cue = cue;
  for (std::size_t i = 0; i < third; ++i) step.after.push_back({plan.steps[i].id});
  for (std::size_t i = 2 * third; i < plan.steps.size(); ++i) plan.steps[i].after.push_back({step.id});
  plan.steps.insert(plan.steps.begin() + static_cast<std::ptrdiff_t>(third), std::move(step));
  return plan;
}

}  // namespace rehearse::harness
