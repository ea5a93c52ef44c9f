// A migration as a team's own tests see it: plans are drawn, played and judged in the world that a configuration names.
//
// For properties of your own beside those that `rehearse fuzz` holds: draw a plan, play it, look at what was sent and answered and at
// what both databases committed, and say what must hold. `harness/example/` is a whole one with GoogleTest and RapidCheck.
//
//   rehearse::Migration shop("rehearse.yaml");
//   const auto trial = shop.play(shop.draw(42));
//   EXPECT_EQ(shop.judge(trial).verdict(), rehearse::properties::Verdict::pass);
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "properties/judgement.h"
#include "properties/plans/drawing.h"
#include "properties/plans/trial.h"
#include "replay/plan.h"

namespace rehearse {

class Migration {
 public:
  // Reads the configuration, mines operations from its traffic and takes over the world, as `rehearse fuzz` does. Throws rehearse::Error
  // with one sentence when something is missing. The flag is off and the databases are as at the start when it is destroyed.
  explicit Migration(const std::string& configuration);
  ~Migration();
  Migration(const Migration&) = delete;
  Migration& operator=(const Migration&) = delete;

  // What was mined, with the keys that the world holds.
  [[nodiscard]] const properties::Catalogue& operations() const;
  // A plan that depends on seed and options alone; without faults when the options name none.
  [[nodiscard]] replay::Plan draw(std::uint64_t seed, const properties::DrawingOptions& options = {}) const;
  // From a world that was put back to its start. What the system does wrong is in the trial.
  [[nodiscard]] properties::Trial play(const replay::Plan& plan);
  // What `rehearse fuzz` says of it.
  [[nodiscard]] properties::Judgement judge(const properties::Trial& trial) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rehearse
