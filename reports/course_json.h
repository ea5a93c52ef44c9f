// The course of a rehearsal as JSON and back: its time line, the rows that differ, what changed since an earlier one. For report.cpp
// alone.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <vector>

#include "reports/report.h"

namespace rehearse::reports {

[[nodiscard]] boost::json::value json_of(const std::vector<TimelineMark>& timeline);
[[nodiscard]] boost::json::value json_of(const std::vector<DifferingRow>& rows);
[[nodiscard]] boost::json::value json_of(const std::optional<Since>& since);

// Throw std::invalid_argument with one sentence that names the member that is wrong.
[[nodiscard]] std::vector<TimelineMark> timeline_of(const boost::json::array& list);
[[nodiscard]] std::vector<DifferingRow> rows_of(const boost::json::array& list);
[[nodiscard]] std::optional<Since> since_of(const boost::json::value& value);

}  // namespace rehearse::reports
