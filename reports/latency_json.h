// The latencies of a report as JSON and back; for report.cpp alone.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <vector>

#include "reports/report.h"

namespace rehearse::reports {

[[nodiscard]] boost::json::value json_of(const std::vector<RouteLatency>& latencies);
[[nodiscard]] boost::json::value json_of(const std::vector<BudgetResult>& budgets);
[[nodiscard]] boost::json::value json_of(const std::optional<Environment>& environment);

// Throw std::invalid_argument with one sentence that names the member that is wrong.
[[nodiscard]] std::vector<RouteLatency> latencies_of(const boost::json::array& list);
[[nodiscard]] std::vector<BudgetResult> budgets_of(const boost::json::array& list);
[[nodiscard]] std::optional<Environment> environment_of(const boost::json::value& value);

}  // namespace rehearse::reports
