// Judges budgets by blocks of pairs. A pure function of what was recorded: the same measurement gives the same verdict, today and later.
//
// Requests are no independent samples: what disturbs a machine disturbs hundreds of them in a row. So the unit is a block of seconds, and
// all that is asked of a block is on which side of the bound it lies. Both services are measured in the same blocks; of an overhead the
// block says y = ln(new / legacy), at the median that of each pair, else that of the two quantiles.
//
//   fail     as a sign test over the blocks says that the median of y is above ln(1 + budget), Holm over all budgets of the rehearsal
//            included, the overhead is more than `least_ns` or twice the error of our own sending, and a second measurement says so too;
//   pass     as a sign test says that it is not;
//   unknown  else, with the smallest overhead that could have been told.
//
// It is looked at when there are 12, 22, 48 and 96 blocks; the probability to err is divided among the looks. Where blocks resemble their
// neighbours they are merged first. A limit in milliseconds is held against the blocks' quantiles of response times in the same way; when
// legacy is beyond it too, or our own null probe takes a quarter of it, the machine may be to blame, and a failure becomes unknown.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "properties/judgement.h"
#include "properties/latency/budget.h"
#include "properties/latency/measurement.h"

namespace rehearse::properties {

inline constexpr double fail_alpha = 0.01;  // of a wrong failure, over all budgets of a rehearsal together
inline constexpr double pass_alpha = 0.05;  // of a wrong pass, of each budget
inline constexpr std::int64_t warm_up_blocks = 2;
inline constexpr std::int64_t fewest_pairs = 100;        // in a block
inline constexpr double fewest_beyond_the_quantile = 5;  // ... and as many pairs as leave that many beyond it
inline constexpr double merge_above = 0.2;               // correlation of neighbouring blocks
inline constexpr double achieved_share = 0.98;           // of the planned pairs; with fewer nothing is decided

struct JudgedBlock {
  double at_seconds = 0;
  double log_ratio = 0;
};

struct BudgetVerdict {
  Budget budget;
  Verdict verdict = Verdict::unknown;
  std::string reason;                      // one sentence
  double estimate = 0, low = 0, high = 0;  // in the budget's unit; the interval of 95 %
  double resolvable = 0;  // the smallest overhead that these blocks could have told, as a ratio; 0: none
  int looks = 0;
  bool confirmed = false;
  std::vector<JudgedBlock> blocks;  // of an overhead
  double fail_p = 1;                // of the first measurement, looks counted
};

// In the order of the budgets. A stage without a measurement makes its budgets unknown. A budget of "each" gives a verdict for every route
// whose share of the traffic makes a sample of its own, and one for the others together, which is of the route "other".
[[nodiscard]] std::vector<BudgetVerdict> judge_budgets(const std::vector<Budget>& budgets,
                                                       const std::map<Stage, const LatencyMeasurement*>& measured);

// What whoever measures asks at a look: whether these budgets are decided by this run alone, whatever others come to. `all`: how many
// budgets the rehearsal has.
struct Decision {
  bool decided = true;       // each is within, or surely over
  std::vector<Budget> over;  // these are to be confirmed
};
[[nodiscard]] Decision decision(const std::vector<Budget>& budgets, std::size_t all, const LatencyRun& run,
                                const LatencyMeasurement& of);

// Numbers of blocks at which it is looked, as far as `planned` goes; the number itself where it is smaller than the first.
[[nodiscard]] std::vector<std::int64_t> looks_for(std::int64_t planned);

// How many pairs a block needs for a budget.
[[nodiscard]] std::int64_t pairs_needed(const Budget& budget);

}  // namespace rehearse::properties
