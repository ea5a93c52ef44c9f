#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <iterator>

#include "harness/commands/commands.h"
#include "replay/capture/import.h"
#include "replay/error.h"
#include "replay/history_file.h"
#include "replay/planner.h"
#include "replay/player.h"
#include "replay/traffic_file.h"
#include "reports/escape.h"

namespace rehearse::harness {
namespace {

namespace json = boost::json;
using replay::Certificate;
using replay::Exchange;
using reports::terminal_escape;  // what was captured may hold anything

json::object json_of(const std::map<std::string, std::int64_t>& counts) {
  json::object object;
  for (const auto& [name, count] : counts) object[name] = count;
  return object;
}

json::object json_of(const Certificate& certificate) {
  json::array notes(certificate.notes.begin(), certificate.notes.end());
  return {{"connections", certificate.connections},
          {"exchanges", json_of(certificate.exchanges)},
          {"packets", json_of(certificate.packets)},
          {"bytes", json_of(certificate.bytes)},
          {"notes", std::move(notes)}};
}

json::object json_of(const Exchange& exchange) {
  json::array flags(exchange.flags.begin(), exchange.flags.end());
  const auto authority = replay::field(exchange.request.headers, "Host");
  return {{"id", exchange.id},
          {"connection", exchange.connection},
          {"index", exchange.index},
          {"client", exchange.client},
          {"server", exchange.server},
          {"request_ns", exchange.request_ns},
          {"response_ns", exchange.response_ns},
          {"method", exchange.request.method},
          {"target", exchange.request.target},
          {"authority", authority ? std::string(*authority) : ""},
          {"request_bytes", exchange.request.body.size()},
          {"status", exchange.response ? exchange.response->status : 0},
          {"response_bytes", exchange.response ? exchange.response->body.size() : 0},
          {"complete", exchange.complete()},
          {"flags", std::move(flags)}};
}

void print_counts(const char* title, const std::map<std::string, std::int64_t>& counts) {
  fmt::print("{}\n", title);
  for (const auto& [name, count] : counts) fmt::print("  {:>12} {}\n", count, name);
}

void print(const Certificate& certificate) {
  fmt::print("{} connections\n", certificate.connections);
  print_counts("exchanges", certificate.exchanges);
  print_counts("packets", certificate.packets);
  print_counts("bytes of TCP payload", certificate.bytes);
  for (const std::string& note : certificate.notes) fmt::print("note: {}\n", note);
}

void print(const replay::Record& record) {
  fmt::print("{:>6} {:<8} {:>9.3f} ms {:>4} {} {} {}\n", record.step, name_of(record.outcome),
             static_cast<double>(record.done_ns - record.sent_ns) / 1e6, record.response.status,
             terminal_escape(record.request.method), terminal_escape(record.request.target),
             terminal_escape(record.problem));
}

void show_traffic(const replay::Traffic& traffic, bool as_json) {
  for (const Exchange& exchange : traffic.exchanges) {
    if (as_json) {
      fmt::print("{}\n", json::serialize(json_of(exchange)));
    } else {
      fmt::print(
          "{:>6} {:>4}.{:<4} {:>4} {} {}{}\n", exchange.id, exchange.connection, exchange.index,
          exchange.response ? exchange.response->status : 0, terminal_escape(exchange.request.method),
          terminal_escape(exchange.request.target),
          exchange.complete() ? "" : "  [" + (exchange.flags.empty() ? "incomplete" : exchange.flags.front()) + "]");
    }
  }
  if (!as_json) print(traffic.certificate);
}

void show_histories(const replay::HistoryFile& file, bool as_json) {
  for (const auto& history : file.histories) {
    if (!as_json)
      fmt::print("{} at {}: {} requests\n", terminal_escape(history.name), terminal_escape(history.target),
                 history.records.size());
    for (const auto& record : history.records) {
      if (!as_json) {
        print(record);
        continue;
      }
      fmt::print("{}\n", json::serialize(json::object{{"history", history.name},
                                                      {"step", record.step},
                                                      {"due_ns", record.due_ns},
                                                      {"sent_ns", record.sent_ns},
                                                      {"done_ns", record.done_ns},
                                                      {"outcome", std::string(name_of(record.outcome))},
                                                      {"problem", record.problem},
                                                      {"method", record.request.method},
                                                      {"target", record.request.target},
                                                      {"status", record.response.status}}));
    }
  }
}

std::string contents_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(fmt::format("cannot open {}; check the path", path));
  return {std::istreambuf_iterator<char>(file), {}};
}

replay::Plan plan_in(const std::string& path, const RedactionArguments& redaction) {
  const std::string head = contents_of(path).substr(0, 1);
  if (head == "{") return replay::plan_from_json(contents_of(path));
  const RedactionSettings settings = load_redaction(redaction);
  auto traffic = replay::is_sqlite(path) ? replay::load_traffic(path) : replay::import_captures({path});
  fmt::print(stderr, "{}\n", redact(traffic, settings));
  return replay::plan_of(traffic, [](std::string_view method, std::string_view) { return replay::safe(method); });
}

}  // namespace

int import(const std::vector<std::string>& files, const std::string& output, const RedactionArguments& redaction,
           bool as_json) {
  const RedactionSettings settings = load_redaction(redaction);
  replay::Traffic traffic = replay::import_captures(files);
  redact(traffic, settings);
  save(traffic, output);
  if (as_json) {
    fmt::print("{}\n", json::serialize(json_of(traffic.certificate)));
  } else {
    print(traffic.certificate);
    fmt::print("written: {} ({} exchanges)\n", output, traffic.exchanges.size());
  }
  return traffic.exchanges.empty() ? exit_unknown : exit_pass;
}

int show(const std::string& file, bool as_json) {
  if (contents_of(file).starts_with("{")) {
    fmt::print("{}\n", to_json(replay::plan_from_json(contents_of(file))));
  } else if (!replay::is_sqlite(file)) {
    show_traffic(replay::import_captures({file}), as_json);
  } else {
    try {
      show_histories(replay::load_histories(file), as_json);
    } catch (const Error&) {
      show_traffic(replay::load_traffic(file), as_json);
    }
  }
  return exit_pass;
}

int play_traffic(const PlayArguments& arguments) {
  replay::Plan plan = plan_in(arguments.traffic, arguments.redaction);
  const auto whole = plan.steps.size();
  // A plan may call a POST a read; whose word that is nobody knows here, so the method decides.
  const auto harmless = [](const replay::Step& step) {
    return !step.request || (step.read && replay::safe(step.request->method));
  };
  if (!arguments.writes) std::erase_if(plan.steps, [&](const replay::Step& step) { return !harmless(step); });
  const auto left_out = whole - plan.steps.size();
  if (left_out > 0) fmt::print(stderr, "{} writes are left out; --writes allowed sends them\n", left_out);
  if (plan.steps.empty()) throw Error("nothing is left to send; see `rehearse show` for what the file holds");
  if (arguments.dry_run) {
    fmt::print("{}\n", to_json(plan));
    return exit_pass;
  }
  // What was taken out can no longer be waited for.
  plan = slice(plan, 0, plan.steps.size());
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
