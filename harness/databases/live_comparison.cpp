#include "harness/databases/live_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

// Rows that are read again in one statement a side.
constexpr std::size_t rows_a_look = 1'000;
constexpr std::chrono::milliseconds nap{10};

using Findings = std::map<std::string, RowFinding>;  // by the key in print

SettlingLook as_look(const DatabasePair::SecondLook& look) { return {!look.finding, look.age, look.image}; }

// One look at these rows; their newest findings replace what was known.
void look(DatabasePair& pair, const Entity& entity, const std::vector<std::string>& names, Findings& findings,
          Settling& rows, const std::function<SettlingTime()>& now) {
  std::set<KeyWords> keys;
  for (const std::string& name : names) keys.insert(findings.at(name).key_words);
  const auto looks = pair.look_again(entity, keys);
  for (const std::string& name : names) {
    const auto& seen = looks.at(findings.at(name).key_words);
    rows.look(name, as_look(seen), now());
    if (seen.finding) findings.at(name) = *seen.finding;
  }
}

}  // namespace

EntityComparison compare_live(DatabasePair& pair, const Entity& entity, const LiveOptions& options) {
  const auto begun = std::chrono::steady_clock::now();
  const auto now = [&] { return std::chrono::duration_cast<SettlingTime>(std::chrono::steady_clock::now() - begun); };
  EntityComparison result = pair.compare(entity);
  if (!result.problem.empty() || result.findings.empty() || entity.key.empty()) {
    if (entity.key.empty() && result.differences > 0 && result.problem.empty())
      result.problem =
          fmt::format("entity {}: rows without a key cannot be followed while they are written", entity.name);
    return result;
  }
  Settling rows(options.settling);
  Findings findings;
  bool room = !result.at_least;
  for (RowFinding& finding : result.findings) {
    // Seen under snapshots that may be old by now: what is written is judged by the next look.
    room = rows.add(finding.key, {false, std::nullopt, 0}, now()) && room;
    findings.emplace(finding.key, std::move(finding));
  }
  try {
    while (rows.next() && now() < options.limit) {
      if (options.stop != nullptr && *options.stop) throw ReadingStopped{};
      const auto due = rows.due(now(), rows_a_look);
      due.empty() ? std::this_thread::sleep_for(nap) : look(pair, entity, due, findings, rows, now);
    }
  } catch (const Error& problem) {
    result.problem = problem.what();
  }
  result.findings.clear();
  for (const std::string& key : rows.keys(SettlingState::diverged)) result.findings.push_back(findings.at(key));
  result.live = LiveOutcome{rows.count(SettlingState::settled), rows.count(SettlingState::diverged),
                            rows.count(SettlingState::hot), rows.count(SettlingState::in_flight), rows.times()};
  result.settled += static_cast<std::int64_t>(result.live->settled);
  result.differences = static_cast<std::int64_t>(result.findings.size());
  result.at_least = false;
  if (result.problem.empty() && !room)
    result.problem = fmt::format(
        "entity {}: more than {} rows were in flight, too many to follow", entity.name,
        rows.count(SettlingState::settled) + result.findings.size() + result.live->hot + result.live->in_flight);
  if (result.problem.empty() && result.live->hot + result.live->in_flight > 0)
    result.problem = fmt::format("entity {}: {} rows were written too often to tell, {} were in flight at the end",
                                 entity.name, result.live->hot, result.live->in_flight);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return result;
}

}  // namespace rehearse::harness
