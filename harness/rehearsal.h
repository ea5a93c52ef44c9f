// Rehearses a migration: the oracle, each stage, and the walk over the edges and back; returns what it saw.
//
// The story of a section is always the same: restore the databases, set the flag, wait until it is served, probe, play, wait
// for rest, probe, save the history. Judging comes after, from the evidence alone.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "harness/configuration.h"
#include "properties/evidence.h"
#include "replay/exchange.h"
#include "replay/plan.h"

namespace rehearse::harness {

// What is rehearsed. Nothing selected means everything.
struct Selection {
  std::vector<properties::Stage> stages;
  std::vector<properties::Edge> edges;
  [[nodiscard]] bool everything() const { return stages.empty() && edges.empty(); }
};

// A section that is to come, and about how many requests it sends.
struct ExpectedSection {
  std::string name;
  std::size_t requests = 0;
};

struct RehearsalOptions {
  Selection selection;
  std::string history_path;                                        // where the history file is written
  std::vector<std::pair<std::string, std::int64_t>> conservation;  // what became of the captured exchanges
  std::vector<std::pair<std::string, std::string>> documents;      // written into the history file as they are
  std::function<void(std::vector<ExpectedSection>)> on_start;      // before anything is sent
  std::function<void(const std::string& section)> on_section;
  std::function<void(const properties::Evidence& so_far, const properties::Section& ended)> on_section_end;
  std::function<void(std::size_t done, std::size_t total)> on_progress;
  const std::atomic<bool>* stop = nullptr;
};

// Throws Error when our world fails: a service that cannot be reached, a database that may not be restored, a command that
// fails. What the services do wrong is evidence. The flag is off and the databases are restored when it returns.
[[nodiscard]] properties::Evidence rehearse(const Configuration& configuration, const replay::Plan& plan,
                                            const RehearsalOptions& options);

}  // namespace rehearse::harness
