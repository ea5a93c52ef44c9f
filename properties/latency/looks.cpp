#include "properties/latency/looks.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "properties/latency/statistics.h"

namespace rehearse::properties {
namespace {

// A time of nothing has no logarithm; no service answers in less than a nanosecond.
double log_of(std::int64_t ns) { return std::log(static_cast<double>(std::max<std::int64_t>(ns, 1))); }

// Of blocks of 2.5 s 22 and two of warm-up are a minute, and with the confirmation two. With 0.6 % then one of eleven merged blocks may be an
// exception (P = 0.59 %), with a quarter of 1 % none.
constexpr std::array<Look, 4> looks{{{12, 0.1}, {22, 0.6}, {48, 0.15}, {96, 0.15}}};

void append(std::vector<std::int64_t>& to, const std::vector<std::int64_t>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

std::vector<TimesOfBlock> joined_neighbours(const std::vector<TimesOfBlock>& blocks) {
  std::vector<TimesOfBlock> joined;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (i % 2 == 0 && i + 1 < blocks.size()) {
      joined.push_back(blocks[i]);
    } else if (!joined.empty()) {  // of an odd number the last one joins those before it
      append(joined.back().legacy, blocks[i].legacy);
      append(joined.back().new_, blocks[i].new_);
    }
  }
  return joined;
}

// Whether blocks say less than their number, for each is much like the one before. Of a dozen independent blocks every fifth series has a
// correlation above `merge_above` by accident; merging those would cost the blocks that a decision needs, so it must be above what one
// series in forty has. And what lies farther from the bound than it wanders has not come there by wandering.
bool resemble_neighbours(const std::vector<double>& values, double bound) {
  if (values.size() < 3) return false;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  if (std::max(*least - bound, bound - *most) > *most - *least) return false;
  const double by_accident = 1.96 / std::sqrt(static_cast<double>(values.size()));
  return lag_one_correlation(values) > std::max(merge_above, by_accident);
}

std::vector<double> values_of(const std::vector<TimesOfBlock>& blocks, double q, Of what) {
  std::vector<double> values;
  for (const TimesOfBlock& block : blocks) values.push_back(value_of(block, q, what));
  return values;
}

// Takes one look; true when it decides that the values lie within.
bool take_look(Looked& looked, std::vector<double> values, std::vector<TimesOfBlock> blocks, double bound,
               double share) {
  const SignTest test = sign_test(values, bound);
  ++looked.looks;
  looked.share = share;
  looked.within = test.within <= pass_alpha * share;
  const double over_p = std::min(1.0, test.over / share);
  // A later look that says less does not take the place of one that said more.
  if (looked.within || over_p <= looked.over_p || looked.over_p > fail_alpha) {
    looked.over = std::count_if(values.begin(), values.end(), [&](double value) { return value > bound; });
    looked.values = std::move(values);
    looked.blocks = std::move(blocks);
  }
  looked.over_p = std::min(looked.over_p, over_p);
  return looked.within;
}

}  // namespace

std::vector<Look> looks_of(std::int64_t planned) {
  std::vector<Look> taken;
  double all = 0;
  for (const Look& look : looks) {
    if (look.blocks > planned) continue;
    taken.push_back(look);
    all += look.share;
  }
  for (Look& look : taken) look.share /= all;
  if (taken.empty() && planned > 0) taken.push_back({planned, 1});
  return taken;
}

std::vector<std::int64_t> looks_for(std::int64_t planned) {
  std::vector<std::int64_t> taken;
  for (const Look& look : looks_of(planned)) taken.push_back(look.blocks);
  return taken;
}

std::int64_t pairs_needed(const Budget& budget) {
  if (budget.quantile <= 0) return fewest_pairs;
  return std::max(fewest_pairs,
                  static_cast<std::int64_t>(std::ceil(fewest_beyond_the_quantile / (1 - budget.quantile) - 1e-6)));
}

std::vector<TimesOfBlock> times_of(const Budget& budget, const LatencyRun& run) {
  const bool response = budget.metric == Budget::Metric::quantile;
  const auto needed = static_cast<std::size_t>(pairs_needed(budget));
  std::vector<TimesOfBlock> blocks;
  TimesOfBlock open;
  for (std::size_t i = warm_up_blocks; i < run.blocks.size(); ++i) {
    const PairBlock& block = run.blocks[i];
    if (open.legacy.empty()) open.at_seconds = static_cast<double>(block.at_ns) / 1e9;
    for (const RoutePairs& pairs : block.routes) {
      if (!covers(budget, pairs)) continue;
      append(open.legacy, response ? pairs.legacy_response_ns : pairs.legacy_ns);
      append(open.new_, response ? pairs.new_response_ns : pairs.new_ns);
    }
    if (open.legacy.size() < needed) continue;
    blocks.push_back(std::move(open));
    open = {};
  }
  return blocks;
}

double value_of(const TimesOfBlock& block, double q, Of what) {
  if (what == Of::new_alone) return log_of(quantile(block.new_, q));
  if (what == Of::legacy_alone) return log_of(quantile(block.legacy, q));
  if (q != 0.5) return log_of(quantile(block.new_, q)) - log_of(quantile(block.legacy, q));
  // At the median each pair is its own comparison: what the request costs, and what disturbed both, cancels.
  std::vector<double> ratios;
  ratios.reserve(block.new_.size());
  for (std::size_t i = 0; i < block.new_.size(); ++i) ratios.push_back(log_of(block.new_[i]) - log_of(block.legacy[i]));
  return median(std::move(ratios));
}

Looked look(const std::vector<TimesOfBlock>& blocks, double q, Of what, double bound, std::int64_t planned) {
  Looked looked;
  for (const auto& [count, share] : looks_of(planned)) {
    if (static_cast<std::int64_t>(blocks.size()) < count) break;
    std::vector<TimesOfBlock> first(blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(count));
    auto values = values_of(first, q, what);
    while (resemble_neighbours(values, bound)) {
      first = joined_neighbours(first);
      values = values_of(first, q, what);
    }
    if (take_look(looked, std::move(values), std::move(first), bound, share)) break;
  }
  return looked;
}

Looked look(const std::vector<double>& values, double bound, std::int64_t planned) {
  Looked looked;
  for (const auto& [count, share] : looks_of(planned)) {
    if (static_cast<std::int64_t>(values.size()) < count) break;
    if (take_look(looked, {values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count)}, {}, bound, share))
      break;
  }
  return looked;
}

}  // namespace rehearse::properties
