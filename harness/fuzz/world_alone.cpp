// A trial held against legacy alone, which is the specification.
#include <algorithm>
#include <set>

#include "harness/fuzz/world.h"
#include "properties/answers/answer_comparer.h"
#include "properties/answers/path.h"
#include "properties/answers/rules.h"
#include "properties/correspondence.h"
#include "replay/error.h"

namespace rehearse::harness {

using properties::Trial;
using replay::History;
using replay::StepId;

void World::hold_against_legacy(Trial& trial) {
  const StoreState& authoritative = new_store_is_authoritative(trial.ended) ? new_state_ : legacy_state_;
  const auto explained = [&] { return explain(config_.contract, trial, trial.serial.back(), noise_).explains(); };
  const auto try_order = [&](const std::vector<StepId>& order) {
    Execution execution = execute(trial, order);
    if (!properties::refused_everywhere(execution.run)) return false;
    trial.serial.push_back(held_against(execution, trial, authoritative));
    // What legacy fills differently each time shows when it is asked for the same once more.
    if (!explained() && learn(execution, execute(trial, order)))
      trial.serial.back() = held_against(execution, trial, authoritative);
    alone_ = std::move(execution.state);
    if (!explained()) return false;
    trial.serial = {std::move(trial.serial.back())};
    trial.orders_left = false;
    return true;
  };
  for (const auto refusals : {properties::Refusals::anywhere, properties::Refusals::in_order}) {
    const auto orders = properties::possible_orders(config_.contract, trial, max_orders, refusals);
    trial.serial.clear();
    trial.orders_left = orders.more;
    for (const auto& order : orders.orders)
      if (try_order(order)) return;
  }
}

void World::expect_oracle_put_back() {
  if (oracle_putting_back_.valid() && !oracle_putting_back_.get())
    throw Error("the oracle's database cannot be put back row by row: a table has no primary key, or was truncated");
}

World::Execution World::execute(const Trial& trial, const std::vector<StepId>& order) {
  expect_oracle_put_back();
  const auto serial = serial_plan(config_.contract, trial, order);
  Execution execution;
  execution.run.order = order;
  execution.run.position = serial.positions;
  if (!serial.plan.steps.empty()) {
    auto& history = execution.run.history;
    history = play_on(serial.plan, "legacy alone", config_.fuzz.oracle_url, config_.fuzz.oracle_target, {});
    for (std::size_t i = 0; i < history.records.size(); ++i) history.records[i].step = serial.steps[i];
    if (history.interrupted) execution.run.position.resize(history.records.size());
  }
  execution.state = states_->oracle();
  oracle_putting_back_ = std::async(std::launch::async, [&] { return oracle_->rewind(); });
  return execution;
}

properties::SerialRun World::held_against(const Execution& execution, const Trial& trial,
                                          const StoreState& authoritative) const {
  properties::SerialRun run = execution.run;
  History made = run.history;
  const std::set<StepId> writes(run.order.begin(), run.order.end());
  std::erase_if(made.records, [&](const replay::Record& record) { return !writes.contains(record.step); });
  std::sort(made.records.begin(), made.records.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  const auto pairs = properties::correspondence(made, {&trial.played});
  run.state = states_->compare(execution.state, authoritative, pairs.empty() ? nullptr : &pairs, noise_.columns);
  return run;
}

bool World::learn(const Execution& once, const Execution& again) {
  bool learnt = false;
  const auto& first = once.run.history;
  const auto& second = again.run.history;
  // Both began with the same rows and sequences: what one server makes alike needs no pairs.
  const properties::AnswerComparer comparer(config_.contract, {}, properties::day_of(second.began_ns), first.target,
                                            second.target);
  for (std::size_t i = 0; i < std::min(first.records.size(), second.records.size()); ++i) {
    const auto route = replay::route_of(first.records[i].request.method, first.records[i].request.target);
    for (const auto& difference : comparer.differences(first.records[i], second.records[i]))
      if (is_of_a_value(difference.kind))
        learnt |= noise_.answers[route].insert(properties::without_indices(difference.path)).second;
  }
  for (const auto& row : states_->compare(once.state, again.state).rows)
    if (row.kind == properties::RowDifference::Kind::changed)
      learnt |= noise_.columns.insert(row.entity + "." + row.column).second;
  return learnt;
}

}  // namespace rehearse::harness
