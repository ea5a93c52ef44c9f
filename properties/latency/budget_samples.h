// Which requests a budget is judged by, and whether these are the ones that it is about; for judge_latency.cpp and its test alone.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "properties/latency/judge_latency.h"

namespace rehearse::properties {

// Of a quantile, or of an overhead at one.
[[nodiscard]] bool of_times(const Budget& budget);

// Which share of the requests may be missing: half of what lies beyond the quantile, and of no quantile more than `most`.
[[nodiscard]] double bearable(const Budget& budget, double most);

// Why the requests of this run did not come as planned; empty when they did. What waited for a service stands in its response times; of
// service times and errors nobody knows then at which rate they were taken.
[[nodiscard]] std::string shortage(const Budget& budget, const LatencyRun& run);

// Requests of the traffic that belong to the budget and are not measured, for legacy answers them otherwise than when it was alone: of most it
// is because what they ask for was written before them in the capture, and is not there. Others of their route stand for them, as long as
// these are at least half.
struct NotMeasured {
  std::int64_t requests = 0, left_out = 0;
  std::int64_t nobody_stands_for = 0;  // of those left out
  std::string why;
};
[[nodiscard]] NotMeasured not_measured(const Budget& budget, const LatencyMeasurement& measured);

// Why what is measured does not stand for all; empty when it does.
[[nodiscard]] std::string too_few_measured(const Budget& budget, const LatencyMeasurement& measured);

// What a budget of "each" stands for: every route that comes to enough pairs within the time, and the others as one, "other". Any other
// budget is itself.
[[nodiscard]] std::vector<Budget> routes_of(const Budget& budget, const LatencyRun& run, std::int64_t planned);
[[nodiscard]] std::vector<Budget> routes_of(const std::vector<Budget>& budgets,
                                            const std::map<Stage, const LatencyMeasurement*>& measured);

// "; 3 routes with too few requests to be judged alone: GET /a, ..."; empty of any budget but "other".
[[nodiscard]] std::string pooled_in_words(const Budget& budget);

}  // namespace rehearse::properties
