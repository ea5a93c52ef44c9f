// How many requests a second a service answers when it is asked again as soon as it has answered.
#pragma once

#include <vector>

#include "harness/latency/pair_run.h"

namespace rehearse::harness {

// Both sides in turn, in an order that is drawn, a second each time. `at_least`: what is to be shown; no more than a few times as many
// requests are sent. Of writes those that need no earlier answer.
[[nodiscard]] std::vector<properties::SaturationBlock> measure_saturation(const SampleKind& kind, double at_least,
                                                                          const PairedServices& services,
                                                                          const PairRunOptions& options);

}  // namespace rehearse::harness
