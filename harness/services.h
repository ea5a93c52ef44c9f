// What the harness asks of the two services besides requests of clients: the stage they serve, their counters, start and stop.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/configuration.h"
#include "properties/evidence.h"

namespace rehearse::harness {

// The value of the flag that the service at `url` says it serves; nothing when it does not answer or does not say.
[[nodiscard]] std::optional<std::string> stage_served(const Configuration& configuration, const std::string& url);

// Asks every instance of both services, or of the new one.
[[nodiscard]] std::vector<properties::StagePoll> poll_stages(const Configuration& configuration);
[[nodiscard]] std::vector<properties::StagePoll> poll_new_service(const Configuration& configuration);

// The sum of a metric over all its labels, in the Prometheus text exposition format; nothing when the page has no such metric
// or cannot be read. A counter that was never raised may be absent: `page_read` tells the two apart.
[[nodiscard]] std::optional<double> metric_sum(const Configuration& configuration, const std::string& url,
                                               const std::string& path, const std::string& metric,
                                               bool* page_read = nullptr);

// The sum of `metric` in a page of the Prometheus text exposition format.
[[nodiscard]] std::optional<double> sum_in(const std::string& page, const std::string& metric);

// The sum of a metric over all instances of the new service, on the page of its alerts. Nothing when a page cannot be read.
[[nodiscard]] std::optional<double> counted_by_new_service(const Configuration& configuration,
                                                           const std::string& metric, bool* there = nullptr);

// Processor seconds that the processes behind these URLs have taken, by what Prometheus' client libraries call
// process_cpu_seconds_total; nothing when one of them does not tell.
[[nodiscard]] std::optional<double> cpu_seconds(const Configuration& configuration,
                                                const std::vector<std::string>& urls, const std::string& path);

// Reads the alerts that are raised while it lives.
class AlertReader {
 public:
  explicit AlertReader(const Configuration& configuration);
  [[nodiscard]] properties::Alerts finish() const;

 private:
  const Configuration& configuration_;
  std::optional<double> before_;
  std::int64_t log_size_ = 0;
};

// The alert that a line of the log tells of; nothing when it tells of something else.
[[nodiscard]] std::optional<properties::Alert> alert_in(const std::string& line, const AlertSettings& settings);

}  // namespace rehearse::harness
