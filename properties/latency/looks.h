// Blocks of pairs as numbers to be held against a bound, and what the looks at them say; for judge_latency.cpp and its test alone.
#pragma once

#include <cstdint>
#include <vector>

#include "properties/latency/judge_latency.h"

namespace rehearse::properties {

// The times of a budget's routes in one block that holds enough of them.
struct TimesOfBlock {
  double at_seconds = 0;
  std::vector<std::int64_t> legacy, new_;  // by pairs, in nanoseconds
};

// Neighbouring blocks are joined until they hold enough pairs for the budget; what is left over at the end is left out, and so are the
// first blocks, in which caches and connections were cold. Response times of a limit in milliseconds, else service times.
[[nodiscard]] std::vector<TimesOfBlock> times_of(const Budget& budget, const LatencyRun& run);

// Whether pairs count for a budget.
[[nodiscard]] inline bool covers(const Budget& budget, const RoutePairs& pairs) {
  return covers(budget, pairs.route) && !(pairs.extra && of_all_traffic(budget));
}

// One number a block, and how to get it.
enum class Of { ratio, new_alone, legacy_alone };
[[nodiscard]] double value_of(const TimesOfBlock& block, double q, Of what);

// When it is looked, and which share of the probability to err is spent then. Most is spent at the second look, when a minute is over: by
// then a median that is 20 % slower must be told, even of blocks that had to be merged by twos.
struct Look {
  std::int64_t blocks = 0;
  double share = 0;
};
// As far as `planned` goes, their shares together 1; the number itself where it is smaller than the first.
[[nodiscard]] std::vector<Look> looks_of(std::int64_t planned);

// What looks at a growing number of blocks come to: 'over' and 'within' are told by signs.
struct Looked {
  int looks = 0;
  bool within = false;
  double over_p = 1;  // the least of all looks, each by its share
  double share = 1;   // of the last look
  // As of the look that decided, or the last one.
  std::vector<double> values;
  std::vector<TimesOfBlock> blocks;
  std::int64_t over = 0;  // of the values
};
[[nodiscard]] Looked look(const std::vector<TimesOfBlock>& blocks, double q, Of what, double bound,
                          std::int64_t planned);
// Of numbers that cannot be merged.
[[nodiscard]] Looked look(const std::vector<double>& values, double bound, std::int64_t planned);

}  // namespace rehearse::properties
