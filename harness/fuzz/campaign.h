// A run of generated plans: the ones that failed before, then new ones, until the time is over or enough have failed; each failure
// confirmed in a world that was restored, shrunk, and kept as a plan file.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/fuzz/world.h"
#include "properties/plans/coverage.h"
#include "properties/plans/drawing.h"
#include "properties/plans/shrinking.h"

namespace rehearse::harness {

struct Failure {
  std::string invariant;                // the one that it was shrunk for
  std::vector<std::string> invariants;  // all that the shrunk plan violates
  properties::Shrunk shrunk;
  std::size_t length_before = 0;  // of the plan as it was drawn
  properties::Trial trial;        // of the shrunk plan
  properties::Judgement judgement;
  std::optional<properties::Trial> changed;  // of a plan that names a relation: the changed plan's
  int failed = 0, played = 0;                // how often the shrunk plan fails: k of n
  std::int64_t plan_number = 0;              // how many plans were played until then
  double seconds = 0;                        // ... and how long that took
  std::string file;
};

// A plan that failed in an earlier run.
struct KnownFailure {
  std::string file, invariant;
  enum class Now { fixed, still_failing, unknown } now = Now::unknown;
  int failed = 0, played = 0;
};

struct CampaignOptions {
  std::uint64_t seed = 1;
  std::chrono::milliseconds time{120'000};  // for new plans
  std::int64_t plans = 0;                   // at most; 0: as many as the time allows
  std::size_t failures = 1;                 // ends behind so many
  std::string directory;                    // of failing plans
  // Other systems, equal and apart from the first: plans are played in all at the same time. Which plan comes to which is not drawn.
  std::vector<Configuration> beside;
  properties::DrawingOptions drawing;
  std::vector<replay::Plan> captured;  // played before any that is drawn, and shrunk when they fail
  std::chrono::milliseconds shrink_budget{120'000};
  bool shrink = true;
  // One in so many of the plans that passed, and that a relation has something to say about, is played once more as the relation
  // changes it (properties/plans/relations.h), and what comes up for a relation that was seldom looked at; 0: none.
  std::size_t related = 4;
  std::chrono::milliseconds confirm_budget{20'000};
  const std::atomic<bool>* stop = nullptr;
  std::function<void(const KnownFailure&)> on_known;
  // Called the moment that a plan fails, before anything else is done with it.
  std::function<void(const properties::Trial&, const properties::Judgement&, std::int64_t plan)> on_first;
  std::function<void(const Failure&)> on_failure;
  std::function<void(std::int64_t plans, double seconds)> on_progress;
  std::function<void(const std::string& line)> on_plan;  // a JSON line for each plan
};

struct CampaignResult {
  std::int64_t plans = 0, requests = 0, unknown = 0, not_reproduced = 0;
  std::int64_t unfired =
      0;  // plans whose fault or gate met nothing: they prove nothing, and are none of the unknown ones
  std::vector<Failure> failures;
  std::vector<KnownFailure> known;
  std::map<std::string, std::int64_t> unknown_reasons;
  std::vector<std::string> missing;  // obligations of coverage that no plan met
  std::map<std::string, std::int64_t> coverage;
  std::map<std::string, std::int64_t> checked;  // invariant → plans that had something to say about it
  std::int64_t related = 0;                     // plans that were played again as a relation changes them
  double related_seconds = 0;
  std::int64_t rewinds = 0, restores = 0;
  double seconds = 0;
  bool interrupted = false;
};

// Throws Error when our world fails.
[[nodiscard]] CampaignResult run_campaign(const Configuration& configuration, const properties::Catalogue& catalogue,
                                          const CampaignOptions& options);

// Plays one plan `times` times, each in a restored world.
[[nodiscard]] Failure play_again(World& world, const Configuration& configuration, const replay::Plan& plan,
                                 const std::string& invariant, int times);

// The operations of the service: mined from captures or a traffic file, from the configuration's OpenAPI document, or from both. Throws
// Error when there is neither, or one cannot be read.
[[nodiscard]] properties::Catalogue operations_of(const Configuration& configuration, const std::string& traffic);

// The captured requests in their order, one behind the other, for a world that begins in the stage.
[[nodiscard]] replay::Plan captured_plan(const Configuration& configuration, const std::string& traffic,
                                         properties::Stage begins);

// The catalogue with the keys that the world holds in the place of those that were captured.
[[nodiscard]] properties::Catalogue in_world(properties::Catalogue catalogue, World& world);

}  // namespace rehearse::harness
