#include "harness/migration.h"

#include "harness/configuration.h"
#include "harness/fuzz/campaign.h"
#include "harness/fuzz/world.h"
#include "properties/plans/operations.h"
#include "replay/error.h"

namespace rehearse {

struct Migration::State {
  explicit State(const std::string& path)
      : configuration(harness::load_configuration(path)),
        mined(harness::operations_of(configuration, configuration.traffic)),
        world(configuration, nullptr),
        catalogue(harness::in_world(std::move(mined), world)) {}

  harness::Configuration configuration;
  properties::Catalogue mined;
  harness::World world;
  properties::Catalogue catalogue;
};

Migration::Migration(const std::string& configuration) : state_(std::make_unique<State>(configuration)) {}
Migration::~Migration() = default;

const properties::Catalogue& Migration::operations() const { return state_->catalogue; }

replay::Plan Migration::draw(std::uint64_t seed, const properties::DrawingOptions& options) const {
  return draw_plan(state_->catalogue, options, {}, seed);
}

properties::Trial Migration::play(const replay::Plan& plan) { return state_->world.play(plan); }

properties::Judgement Migration::judge(const properties::Trial& trial) const {
  return properties::judge(state_->configuration.contract, trial, state_->world.noise());
}

}  // namespace rehearse
