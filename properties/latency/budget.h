// What somebody demands of the speed of a stage.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "properties/stage.h"

namespace rehearse::properties {

struct Budget {
  enum class Metric {
    overhead,    // service time at a quantile over legacy's: at most so much more
    quantile,    // response time, from when the request was due, at a quantile
    error_rate,  // the share of requests that fail
    throughput,  // requests a second that are answered without pause: at least
  };
  Stage stage = Stage::off;
  std::string
      route;  // "GET /orders/{}", a pattern such as "GET /orders*", "all", or "each", which stands for every route by itself
  Metric metric = Metric::overhead;
  double quantile = 0;  // of the first two: 0.5 is the median
  double limit = 0;     // in `unit_of(metric)`
  std::string text;     // as it was written: "10%", "20ms"
  std::vector<std::string> pooled =
      {};  // of "other", which comes of "each": routes with too few requests to be judged alone
  friend bool operator==(const Budget&, const Budget&) = default;
};

// "ratio" (0.1 is 10 %), "ms" or "requests/s".
[[nodiscard]] std::string_view unit_of(Budget::Metric metric);
// "overhead_p50", "p99.9", "error_rate", "throughput".
[[nodiscard]] std::string name_of(const Budget& budget);

// A route of the traffic ("GET /orders/{}") belongs to the budget: it is named, the pattern fits (* stands for anything), or all do.
// What belongs to a budget is judged together, as one sample.
[[nodiscard]] bool covers(const Budget& budget, std::string_view route);
// The whole traffic, in its own proportions; or what is left of it.
[[nodiscard]] bool of_all_traffic(const Budget& budget);

// A budget from its words: ("overhead_p50", "10%"), ("p99.9", "20ms"), ("error_rate", "0.1%"), ("throughput", "200/s"). Throws Error
// with one sentence when the metric is none, a unit is missing or the limit can never be shown.
[[nodiscard]] Budget budget_of(Stage stage, const std::string& route, const std::string& metric,
                               const std::string& limit);

}  // namespace rehearse::properties
