#include "properties/latency/budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "replay/error.h"

namespace rehearse::properties {
namespace {

using Metric = Budget::Metric;

// The number at the beginning, and the unit behind it.
std::pair<double, std::string> number_and_unit(const std::string& text, const std::string& metric,
                                               std::string_view units) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string unit(end, text.data() + text.size());
  if (const auto begin = unit.find_first_not_of(' '); begin != std::string::npos) unit.erase(0, begin);
  if (error != std::errc() || !(value >= 0) || !std::isfinite(value))
    throw Error(fmt::format("{}: {:?} is no limit; give a number with its unit, {}", metric, text, units));
  if (unit.empty()) throw Error(fmt::format("{}: {:?} has no unit; give {}", metric, text, units));
  return {value, unit};
}

[[noreturn]] void refuse_unit(const std::string& metric, const std::string& unit, std::string_view units) {
  throw Error(fmt::format("{}: {:?} is no unit of it; give {}", metric, unit, units));
}

double share(const std::string& text, const std::string& metric, std::string_view units) {
  const auto [value, unit] = number_and_unit(text, metric, units);
  if (unit != "%") refuse_unit(metric, unit, units);
  if (!(value > 0))
    throw Error(fmt::format("{}: that it is {} can never be shown; give what is tolerable, {}", metric, text, units));
  return value / 100;
}

double milliseconds_of(const std::string& text, const std::string& metric) {
  constexpr std::string_view units = "such as 500us, 20ms or 2s";
  const auto [value, unit] = number_and_unit(text, metric, units);
  for (const auto& [name, factor] : {std::pair("us", 1e-3), std::pair("ms", 1.0), std::pair("s", 1e3)}) {
    if (unit == name && value > 0) return value * factor;
  }
  if (!(value > 0)) throw Error(fmt::format("{}: nothing takes {}; give a duration, {}", metric, text, units));
  refuse_unit(metric, unit, units);
}

// "p99.9" is 0.999; nothing when it is no quantile.
double quantile_named(std::string_view name) {
  double value = 0;
  if (!name.starts_with('p')) return 0;
  const auto [end, error] = std::from_chars(name.data() + 1, name.data() + name.size(), value);
  return error == std::errc() && end == name.data() + name.size() && value > 0 && value < 100 ? value / 100 : 0;
}

bool fits(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '*') {
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (fits(pattern.substr(1), text.substr(i))) return true;
    }
    return false;
  }
  return !text.empty() && pattern.front() == text.front() && fits(pattern.substr(1), text.substr(1));
}

}  // namespace

std::string_view unit_of(Metric metric) {
  switch (metric) {
    case Metric::overhead:
    case Metric::error_rate:
      return "ratio";
    case Metric::quantile:
      return "ms";
    case Metric::throughput:
      return "requests/s";
  }
  return "";
}

std::string name_of(const Budget& budget) {
  switch (budget.metric) {
    case Metric::overhead:
      return fmt::format("overhead_p{:.6g}", budget.quantile * 100);
    case Metric::quantile:
      return fmt::format("p{:.6g}", budget.quantile * 100);
    case Metric::error_rate:
      return "error_rate";
    case Metric::throughput:
      return "throughput";
  }
  return "";
}

bool of_all_traffic(const Budget& budget) {
  return budget.route == "all" || budget.route == "each" || !budget.pooled.empty();
}

bool covers(const Budget& budget, std::string_view route) {
  if (!budget.pooled.empty())
    return std::find(budget.pooled.begin(), budget.pooled.end(), route) != budget.pooled.end();
  return of_all_traffic(budget) || fits(budget.route, route);
}

Budget budget_of(Stage stage, const std::string& route, const std::string& metric, const std::string& limit) {
  Budget budget;
  budget.stage = stage;
  budget.route = route;
  budget.text = limit;
  constexpr std::string_view overhead = "overhead_";
  if (metric == "error_rate") {
    budget.metric = Metric::error_rate;
    budget.limit = share(limit, metric, "such as 0.1%");
    if (budget.limit >= 1)
      throw Error(fmt::format("{}: {} of the requests are all of them; give less, such as 0.1%", metric, limit));
  } else if (metric == "throughput") {
    if (route == "each")
      throw Error("throughput: of each route by itself nothing else would be measured for minutes; name the routes");
    budget.metric = Metric::throughput;
    const auto [value, unit] = number_and_unit(limit, metric, "such as 200/s");
    if (unit != "/s") refuse_unit(metric, unit, "such as 200/s");
    if (!(value > 0))
      throw Error(fmt::format("{}: {} is no demand; give what is needed, such as 200/s", metric, limit));
    budget.limit = value;
  } else if (metric.starts_with(overhead) && quantile_named(std::string_view(metric).substr(overhead.size())) > 0) {
    budget.metric = Metric::overhead;
    budget.quantile = quantile_named(std::string_view(metric).substr(overhead.size()));
    budget.limit = share(limit, metric, "such as 10%");
  } else if (quantile_named(metric) > 0) {
    budget.metric = Metric::quantile;
    budget.quantile = quantile_named(metric);
    budget.limit = milliseconds_of(limit, metric);
  } else {
    throw Error(fmt::format(
        "{} is nothing that can be budgeted; known are p50 (any quantile), overhead_p50, error_rate and throughput",
        metric));
  }
  return budget;
}

}  // namespace rehearse::properties
