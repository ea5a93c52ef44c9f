#include <fmt/format.h>

#include <algorithm>

#include "harness/commands/commands.h"
#include "harness/redaction.h"
#include "replay/capture/byte_source.h"
#include "replay/capture/import.h"
#include "replay/error.h"
#include "replay/history_file.h"
#include "replay/planner.h"
#include "replay/player.h"
#include "replay/traffic_file.h"

namespace rehearse::harness {
namespace {

void print_counts(const char* title, const std::map<std::string, std::int64_t>& counts) {
  fmt::print("{}\n", title);
  for (const auto& [name, count] : counts) fmt::print("  {:>12} {}\n", count, name);
}

replay::Plan plan_in(const std::string& path, const RedactionArguments& redaction) {
  if (const auto plan = plan_text_in(path)) return replay::plan_from_json(*plan);
  const RedactionSettings settings = load_redaction(redaction);
  auto traffic = replay::is_sqlite(path) ? replay::load_traffic(path) : replay::import_captures({path});
  fmt::print(stderr, "{}\n", redact(traffic, settings));
  return replay::plan_of(traffic);
}

}  // namespace

int play_traffic(const PlayArguments& arguments) {
  replay::Plan plan = plan_in(arguments.traffic, arguments.redaction);
  const auto whole = plan.steps.size();
  // A plan may call a POST a read; whose word that is nobody knows here, so the method decides.
  const auto harmless = [](const replay::Step& step) {
    return !step.request || (step.read && replay::safe(step.request->method));
  };
  if (!arguments.writes) plan = filtered(plan, harmless);
  const auto left_out = whole - plan.steps.size();
  if (left_out > 0) fmt::print(stderr, "{} writes are left out; --writes allowed sends them\n", left_out);
  if (plan.steps.empty()) throw Error("nothing is left to send; see `rehearse show` for what the file holds");
  if (arguments.dry_run) {
    fmt::print("{}\n", to_json(plan));
    return exit_pass;
  }
  replay::PlayOptions options;
  options.name = "play";
  options.target = arguments.target;
  options.speed = arguments.speed;
  options.stop = &stop_requested;
  replay::HistoryWriter writer(arguments.history);
  const replay::History history = replay::play(plan, options);
  writer.add(history);
  std::map<std::string, std::int64_t> outcomes;
  for (const auto& record : history.records) {
    outcomes[record.outcome == replay::Outcome::answered ? fmt::format("answered {}xx", record.response.status / 100)
                                                         : std::string(name_of(record.outcome))] += 1;
  }
  fmt::print("{} of {} steps were sent to {}\n", history.records.size(), plan.steps.size(), arguments.target);
  print_counts("outcomes", outcomes);
  fmt::print("written: {}\n", arguments.history);
  if (stop_requested) return exit_interrupted;
  const bool whole_play = std::all_of(history.records.begin(), history.records.end(),
                                      [](const auto& record) { return record.outcome == replay::Outcome::answered; });
  return whole_play ? exit_pass : exit_unknown;
}

}  // namespace rehearse::harness
