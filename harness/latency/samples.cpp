#include "harness/latency/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "properties/latency/judge_latency.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using properties::Budget;
using properties::Stage;
using replay::Step;

// So many routes are enough to see what the traffic holds.
constexpr std::size_t max_routes_named = 12;
// The pairs of a measurement are laid out before it begins, at some 1.5 KB each; ninety-six blocks of a p99.9 need 480,000.
constexpr double max_pairs = 500'000;

std::string route_of(const Step& step) {
  const auto request = step.request.get();
  return replay::route_of(request->method, request->target);
}

bool writes_are_measured(const Configuration& configuration, Stage stage) {
  return configuration.budgets.writes && stage != Stage::read_only;
}

std::string in_words(const Budget& budget) {
  return fmt::format("budgets: {} of {} in {}", name_of(budget), budget.route, name_of(budget.stage));
}

// The routes of the traffic that may be measured in that stage.
std::set<std::string> routes_in(const replay::Plan& plan, bool writes) {
  std::set<std::string> routes;
  for (const Step& step : plan.steps) {
    if (step.request && (step.read || writes)) routes.insert(route_of(step));
  }
  return routes;
}

void expect_traffic(const Configuration& configuration, const replay::Plan& plan, const Budget& budget) {
  const auto routes = routes_in(plan, writes_are_measured(configuration, budget.stage));
  const auto belongs = [&](const std::string& route) { return covers(budget, route); };
  if (std::any_of(routes.begin(), routes.end(), belongs)) return;
  const auto all = routes_in(plan, true);
  if (std::any_of(all.begin(), all.end(), belongs)) {
    if (budget.stage == Stage::read_only)
      throw Error(in_words(budget) + ": writes are refused in read-only; budget its reads");
    throw Error(in_words(budget) +
                ": these are writes, which are measured with budgets.writes: true and a legacy service of its own "
                "(fuzz.oracle) alone");
  }
  std::vector<std::string> named(routes.begin(), routes.end());
  const bool more = named.size() > max_routes_named;
  if (more) named.resize(max_routes_named);
  throw Error(fmt::format("{}: no request of the traffic belongs to it; its reads are {}{}", in_words(budget),
                          fmt::join(named, ", "), more ? ", ..." : ""));
}

// "each" is told from the requests that "all" is told from.
std::string kind_of(const Budget& budget) { return of_all_traffic(budget) ? "all" : budget.route; }

// How many kinds of requests share the pairs of a stage.
std::size_t kinds_of(const std::vector<Budget>& budgets) {
  std::set<std::string> routes;
  for (const Budget& budget : budgets) routes.insert(kind_of(budget));
  return std::max<std::size_t>(routes.size(), 1);
}

void expect_time(const Configuration& configuration, const Budget& budget, std::size_t kinds) {
  const BudgetSettings& settings = configuration.budgets;
  const auto planned = settings.time / settings.block;
  const auto looks = properties::looks_for(planned);
  // A single block decides nothing, and eight are the fewest of which all alike are no accident.
  constexpr std::int64_t fewest_blocks = 8;
  if (looks.empty() || looks.front() < fewest_blocks)
    throw Error(
        fmt::format("budgets.time is {} ms, which is {} blocks of {} ms; {} are the fewest that decide anything",
                    settings.time.count(), planned, settings.block.count(), fewest_blocks));
  if (budget.metric == Budget::Metric::throughput || budget.metric == Budget::Metric::error_rate) return;
  const double seconds = std::chrono::duration<double>(settings.block).count();
  const double pairs = settings.rate * seconds / static_cast<double>(kinds);
  const auto blocks_each =
      static_cast<std::int64_t>(std::ceil(static_cast<double>(properties::pairs_needed(budget)) / pairs - 1e-9));
  const std::int64_t needed = looks.front() * std::max<std::int64_t>(blocks_each, 1);
  if (needed <= planned) return;
  throw Error(
      fmt::format("{}: it takes {} blocks of {} pairs, and {} ms at {}/s, shared by {} routes, are too short: raise "
                  "budgets.time to {:.0f}s, or budgets.rate",
                  in_words(budget), looks.front(), properties::pairs_needed(budget), settings.time.count(),
                  settings.rate, kinds, std::ceil(static_cast<double>(needed) * seconds)));
}

// What legacy alone took, as it was sent to it. Values of answers to reads stand in it as legacy gave them then, and gives them again on the
// same data; those of answers to writes are made anew.
std::vector<Sample> answered_alone(const replay::Plan& plan, const replay::History& oracle, bool writes) {
  std::vector<Sample> samples;
  std::set<replay::StepId> written;
  for (const Step& step : plan.steps) {
    if (step.request && !step.read) written.insert(step.id);
    if (!step.request || !(step.read || writes)) continue;
    const replay::Record* record = replay::record_of(oracle, step.id);
    if (record == nullptr || record->outcome != replay::Outcome::answered || record->response.status >= 400) continue;
    Sample& sample = samples.emplace_back(Sample{step, route_of(step), record->response.status, 0, true});
    sample.step.request = record->request;
    std::erase_if(sample.step.uses, [&](const replay::Use& use) { return !written.contains(use.from); });
  }
  return samples;
}

// Those that belong to the budget, and before them those that make the values which they use, in the order of the plan. Left out is what
// uses a value that nobody makes.
std::vector<Sample> of_budget(const Budget& budget, const std::vector<Sample>& all) {
  std::map<replay::StepId, const Sample*> by_id;
  for (const Sample& sample : all) by_id[sample.step.id] = &sample;
  std::set<replay::StepId> whole, wanted;  // makers stand before users
  for (const Sample& sample : all) {
    const auto made = [&](const replay::Use& use) { return whole.contains(use.from); };
    if (std::all_of(sample.step.uses.begin(), sample.step.uses.end(), made)) whole.insert(sample.step.id);
  }
  for (auto sample = all.rbegin(); sample != all.rend(); ++sample) {
    const bool belongs = whole.contains(sample->step.id) && covers(budget, sample->route);
    if (!belongs && !wanted.contains(sample->step.id)) continue;
    wanted.insert(sample->step.id);
    for (const replay::Use& use : sample->step.uses) wanted.insert(use.from);
  }
  std::vector<Sample> samples;
  for (const replay::StepId id : wanted) {
    samples.push_back(*by_id.at(id));
    samples.back().measured = covers(budget, samples.back().route);
  }
  const bool any = std::any_of(samples.begin(), samples.end(), [](const Sample& sample) { return sample.measured; });
  return any ? samples : std::vector<Sample>();
}

}  // namespace

std::vector<Budget> budgets_of(const Configuration& configuration, Stage stage) {
  std::vector<Budget> budgets = configuration.budgets.limits;
  std::erase_if(budgets, [&](const Budget& budget) { return budget.stage != stage; });
  return budgets;
}

void check_budgets(const Configuration& configuration, const replay::Plan& plan, const std::vector<Stage>& stages) {
  const bool alone = !configuration.fuzz.oracle_url.empty();
  if (configuration.budgets.limits.empty()) return;
  if (!configuration.fuzz.wires.empty())
    throw Error(
        "budgets: the new service would be measured through wires of ours (fuzz.wires), and legacy would not; start "
        "the "
        "services without them, or leave the budgets out");
  if (configuration.budgets.writes && !alone)
    throw Error(
        "budgets.writes: both sides would write to one database; start a legacy service with a database of its own and "
        "name it under fuzz.oracle");
  if (configuration.budgets.writes && !configuration.fuzz.oracle_database.disposable)
    throw Error(
        "budgets.writes: the oracle's database is written and restored: if it may be lost, write disposable: true "
        "under fuzz.oracle");
  const double pairs = configuration.budgets.rate * std::chrono::duration<double>(configuration.budgets.time).count();
  if (pairs > max_pairs)
    throw Error(
        fmt::format("budgets: {} ms at {}/s are {:.0f} pairs, and {:.0f} are enough for anything: lower budgets.time "
                    "or budgets.rate",
                    configuration.budgets.time.count(), configuration.budgets.rate, pairs, max_pairs));
  const TargetSettings& legacy = alone ? configuration.fuzz.oracle_target : configuration.legacy.target;
  const TargetSettings& new_ = configuration.new_.target;
  if (legacy.http != new_.http || legacy.host != new_.host || legacy.tls.ca_file != new_.tls.ca_file ||
      legacy.tls.certificate_file != new_.tls.certificate_file || legacy.tls.key_file != new_.tls.key_file)
    throw Error(
        "budgets: services that are spoken to differently cost differently; give both the same http, host, ca, "
        "certificate and key");
  for (const Stage stage : stages) {
    const auto budgets = budgets_of(configuration, stage);
    for (const Budget& budget : budgets) {
      if (stage == Stage::completed && !alone)
        throw Error(in_words(budget) +
                    ": legacy answers with an error in completed; start a legacy service whose flag is off for ever "
                    "and name it under fuzz.oracle");
      expect_traffic(configuration, plan, budget);
      expect_time(configuration, budget, kinds_of(budgets));
    }
  }
}

std::vector<SampleKind> samples_for(const Configuration& configuration, const replay::Plan& plan,
                                    const replay::History& oracle, Stage stage) {
  const auto samples = answered_alone(plan, oracle, writes_are_measured(configuration, stage));
  std::vector<SampleKind> kinds;
  for (const Budget& budget : budgets_of(configuration, stage)) {
    if (std::any_of(kinds.begin(), kinds.end(), [&](const SampleKind& kind) { return kind.route == kind_of(budget); }))
      continue;
    SampleKind& kind = kinds.emplace_back();
    kind.route = kind_of(budget);
    kind.extra = !of_all_traffic(budget);
    kind.samples = of_budget(budget, samples);
  }
  std::erase_if(kinds, [](const SampleKind& kind) { return kind.samples.empty(); });
  return kinds;
}

}  // namespace rehearse::harness
