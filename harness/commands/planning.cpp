#include "harness/commands/planning.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include <limits>
#include <optional>
#include <utility>

#include "harness/commands/commands.h"
#include "replay/error.h"
#include "replay/traffic_file.h"
#include "reports/escape.h"

namespace rehearse::harness {

std::atomic<bool> stop_requested{false};

namespace {

using replay::Exchange;

std::string in_words(const std::string& key, const RedactionSettings& redaction) {
  return key.empty() ? "redaction off: " + redaction.off : "masked with the key " + key;
}

// Shows exchanges to a planner, those that are wanted.
class Planning {
 public:
  Planning(const WantedExchanges& wanted, const replay::PlannerOptions& options) : filter_(wanted), planner_(options) {}

  void take(Exchange&& exchange) {
    if (stop_requested) throw Interrupted();
    ++planned_.captured;
    if (filter_.accepts(exchange))
      planner_.add(std::move(exchange));
    else
      ++not_selected_;
  }

  Planned finish(std::string redaction) {
    planned_.plan = planner_.finish();
    planned_.redaction = std::move(redaction);
    if (not_selected_ > 0) planned_.plan.left_out["not selected"] = not_selected_;
    return std::move(planned_);
  }

 private:
  ExchangeFilter filter_;
  replay::Planner planner_;
  Planned planned_;
  std::int64_t not_selected_ = 0;
};

// Nothing when its exchanges do not stand in the order of time: one that lasted very long was written behind later ones.
std::optional<Planned> plan_while_reading(const std::string& file, const RedactionSettings& redaction,
                                          const WantedExchanges& wanted, const replay::PlannerOptions& options) {
  std::string key = redacted_with(replay::load_certificate(file));
  std::optional<replay::Redactor> redactor;
  if (key.empty() && redaction.off.empty()) redactor.emplace(redactor_of(redaction));
  Planning planning(wanted, options);
  std::int64_t last_ns = std::numeric_limits<std::int64_t>::min();
  bool in_order = true;
  static_cast<void>(replay::load_traffic(file, [&](Exchange&& exchange) {
    in_order = in_order && last_ns <= exchange.request_ns;
    last_ns = exchange.request_ns;
    if (!in_order) return;
    if (redactor) redactor->apply(exchange);
    planning.take(std::move(exchange));
  }));
  if (!in_order) return std::nullopt;
  if (redactor) key = redactor->fingerprint();
  return planning.finish(in_words(key, redaction));
}

}  // namespace

Planned plan_for(const Configuration& configuration, const std::string& traffic) {
  const std::string path = traffic.empty() ? configuration.traffic : traffic;
  if (path.empty()) throw Error("no traffic is named: give `traffic:` in the configuration or --traffic FILE");
  replay::PlannerOptions planner;
  // Credentials that both services get anew are no loss when they are masked.
  const auto others = minted_by(configuration.legacy.target);
  for (const std::string& name : minted_by(configuration.new_.target)) {
    if (std::find(others.begin(), others.end(), name) != others.end()) planner.masks.minted.push_back(name);
  }
  planner.is_read = [&](std::string_view method, std::string_view target) {
    return configuration.is_read(method, target);
  };
  planner.one_write_at_a_time = true;  // the judge expects one final state
  return plan_files({path}, configuration.redaction, {}, planner);
}

std::string notes_on(const replay::Plan& plan) {
  std::string text;
  for (const auto& [reason, count] : plan.left_out)
    text += fmt::format("left out: {} {}\n", count, reports::terminal_escape(reason));
  std::int64_t masked = 0, refused = 0;
  for (const replay::Step& step : plan.steps) {
    masked += !step.masked.empty();
    refused += step.keep_credentials;
  }
  if (masked > 0)
    text += fmt::format("{} steps carry masked data, which a service that checks it may not take\n", masked);
  if (plan.uses_dropped > 0)
    text += fmt::format("{} values came from answers to requests that are left out: what was captured is sent\n",
                        plan.uses_dropped);
  if (refused > 0) text += fmt::format("{} steps are to be refused for their credentials, as they were\n", refused);
  return text;
}

Planned plan_files(const std::vector<std::string>& files, const RedactionSettings& redaction,
                   const WantedExchanges& wanted, replay::PlannerOptions options) {
  options.masks.send = options.masks.send || !redaction.send_masked.empty();
  if (files.size() == 1 && files.front() != "-" && replay::is_sqlite(files.front())) {
    if (auto planned = plan_while_reading(files.front(), redaction, wanted, options)) return std::move(*planned);
  }
  replay::Traffic traffic = merged_traffic(files, redaction);
  Planning planning(wanted, options);
  for (Exchange& exchange : traffic.exchanges) {
    planning.take(std::move(exchange));
    exchange = {};  // its answer is not needed any more
  }
  return planning.finish(in_words(redacted_with(traffic.certificate), redaction));
}

}  // namespace rehearse::harness
