#include "harness/services.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "replay/error.h"
#include "replay/player.h"

namespace rehearse::harness {
namespace {

namespace json = boost::json;

replay::Record get(const std::string& url, const TargetSettings& settings, const std::string& path) {
  replay::PlayOptions options;
  options.target = url;
  options.connect_deadline = options.deadline = milliseconds(2'000);
  const Target target(settings, {});
  target.apply(options);
  return replay::send({"GET", path, {{"Accept", "*/*"}}, ""}, std::move(options));
}

const TargetSettings& settings_of(const Configuration& configuration, const std::string& url) {
  const auto& legacy = configuration.legacy;
  return std::find(legacy.urls.begin(), legacy.urls.end(), url) != legacy.urls.end() ? legacy.target
                                                                                     : configuration.new_.target;
}

std::string text_of(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

properties::StagePoll poll(const Configuration& configuration, const std::string& url, const std::string& name) {
  const auto now = std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
  return {name, stage_served(configuration, url).value_or("nothing"), now};
}

}  // namespace

std::optional<std::string> stage_served(const Configuration& configuration, const std::string& url) {
  const auto record = get(url, settings_of(configuration, url), configuration.stage.path);
  if (record.outcome != replay::Outcome::answered) return std::nullopt;
  if (!configuration.stage.header.empty()) {
    const auto value = replay::field(record.response.headers, configuration.stage.header);
    return value ? std::optional(std::string(*value)) : std::nullopt;
  }
  boost::system::error_code error;
  const json::value document = json::parse(record.response.body, error);
  if (error) return std::nullopt;
  const json::value* value = document.find_pointer(configuration.stage.json, error);
  return value ? std::optional(text_of(*value)) : std::nullopt;
}

std::vector<properties::StagePoll> poll_new_service(const Configuration& configuration) {
  std::vector<properties::StagePoll> polls;
  for (std::size_t i = 0; i < configuration.new_.urls.size(); ++i) {
    polls.push_back(poll(configuration, configuration.new_.urls[i], i == 0 ? "new" : fmt::format("new ({})", i + 1)));
  }
  return polls;
}

std::vector<properties::StagePoll> poll_stages(const Configuration& configuration) {
  std::vector<properties::StagePoll> polls{poll(configuration, configuration.legacy.urls.front(), "legacy")};
  const auto others = poll_new_service(configuration);
  polls.insert(polls.end(), others.begin(), others.end());
  return polls;
}

namespace {

// Where the sample's value begins: behind the labels, whose quoted values may hold spaces, braces and escaped quotes.
std::size_t behind_labels(std::string_view line, std::size_t at) {
  if (line[at] != '{') return at;
  bool quoted = false;
  for (; at < line.size(); ++at) {
    if (quoted && line[at] == '\\') {
      ++at;
    } else if (line[at] == '"') {
      quoted = !quoted;
    } else if (!quoted && line[at] == '}') {
      return at + 1;
    }
  }
  return line.size();
}

}  // namespace

std::optional<double> sum_in(const std::string& page, const std::string& metric) {
  std::optional<double> sum;
  for (std::size_t at = 0; at < page.size();) {
    const auto eol = std::min(page.find('\n', at), page.size());
    const std::string_view line(page.data() + at, eol - at);
    at = eol + 1;
    if (!line.starts_with(metric) || line.size() == metric.size()) continue;
    const char next = line[metric.size()];
    if (next != '{' && next != ' ' && next != '\t') continue;
    const std::string value(line.substr(std::min(behind_labels(line, metric.size()), line.size())));
    sum = sum.value_or(0) + std::strtod(value.c_str(), nullptr);
  }
  return sum;
}

std::optional<double> metric_sum(const Configuration& configuration, const std::string& url, const std::string& path,
                                 const std::string& metric, bool* page_read) {
  const auto record = get(url, settings_of(configuration, url), path);
  const bool read = record.outcome == replay::Outcome::answered && record.response.status == 200;
  if (page_read != nullptr) *page_read = read;
  return read ? sum_in(record.response.body, metric) : std::nullopt;
}

std::optional<double> counted_by_new_service(const Configuration& configuration, const std::string& metric,
                                             bool* there) {
  if (there != nullptr) *there = false;
  if (metric.empty()) return std::nullopt;
  double sum = 0;
  for (const std::string& url : configuration.new_.urls) {
    bool read = false;
    const auto value = metric_sum(configuration, url, configuration.alerts.path, metric, &read);
    if (!read) return std::nullopt;
    if (value && there != nullptr) *there = true;
    sum += value.value_or(0);
  }
  return sum;
}

std::optional<double> cpu_seconds(const Configuration& configuration, const std::vector<std::string>& urls,
                                  const std::string& path) {
  if (path.empty()) return std::nullopt;
  double sum = 0;
  for (const std::string& url : urls) {
    const auto value = metric_sum(configuration, url, path, "process_cpu_seconds_total");
    if (!value) return std::nullopt;
    sum += *value;
  }
  return sum;
}

AlertReader::AlertReader(const Configuration& configuration)
    : configuration_(configuration), before_(counted_by_new_service(configuration, configuration.alerts.metric)) {
  std::error_code error;
  if (!configuration_.alerts.log.empty()) {
    const auto size = std::filesystem::file_size(configuration_.alerts.log, error);
    log_size_ = error ? 0 : static_cast<std::int64_t>(size);
  }
}

properties::Alerts AlertReader::finish() const {
  properties::Alerts alerts;
  const auto after = counted_by_new_service(configuration_, configuration_.alerts.metric);
  if (before_ && after) {
    alerts.known = true;
    // A counter that fell belongs to a service that was started again: all of it is new.
    alerts.counted = static_cast<std::int64_t>(*after >= *before_ ? *after - *before_ : *after);
  }
  if (configuration_.alerts.log.empty()) return alerts;
  std::ifstream log(configuration_.alerts.log);
  if (!log) return alerts;
  alerts.logged_known = true;
  log.seekg(log_size_);
  for (std::string line; std::getline(log, line);) {
    if (auto alert = alert_in(line, configuration_.alerts)) alerts.logged.push_back(std::move(*alert));
  }
  return alerts;
}

std::optional<properties::Alert> alert_in(const std::string& line, const AlertSettings& settings) {
  boost::system::error_code error;
  const json::value document = json::parse(line, error);
  if (error || !document.is_object()) return std::nullopt;
  const auto take = [&](const char* name) -> std::string {
    const auto* value = document.get_object().if_contains(settings.fields.at(name));
    return value ? text_of(*value) : std::string();
  };
  if (take("event") != settings.event) return std::nullopt;
  return properties::Alert{take("store"), take("stage"), take("operation"), take("entity"), take("key")};
}

}  // namespace rehearse::harness
