// Plans for RapidCheck: `RC_GTEST_PROP(Shop, NeverForgetsAnOrder, ()) { const auto plan = *rehearse::plans(shop); ... }`.
//
// A plan that fails is printed as the JSON of a plan file, which `rehearse fuzz --plan` plays again. RapidCheck does not shrink it: its
// shrinker has no budget and no retry, and a plan is played in milliseconds to seconds; `rehearse fuzz` and properties/plans/shrinking.h do.
#pragma once

#include <rapidcheck.h>

#include <ostream>

#include "harness/migration.h"

namespace rehearse {

// REQUIRES: the migration outlives the generator.
[[nodiscard]] inline rc::Gen<replay::Plan> plans(const Migration& migration,
                                                 const properties::DrawingOptions& options = {}) {
  return rc::gen::noShrink(rc::gen::map(rc::gen::arbitrary<std::uint64_t>(), [&migration, options](std::uint64_t seed) {
    return migration.draw(seed, options);
  }));
}

namespace replay {
// How RapidCheck prints a plan.
inline void showValue(const Plan& plan, std::ostream& out) { out << to_json(plan); }
}  // namespace replay

}  // namespace rehearse
