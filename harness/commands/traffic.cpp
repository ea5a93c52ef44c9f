#include <fmt/format.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <map>
#include <tuple>
#include <utility>

#include "harness/commands/commands.h"
#include "harness/commands/exchange_filter.h"
#include "harness/commands/exchange_text.h"
#include "harness/redaction.h"
#include "replay/error.h"
#include "replay/plan.h"
#include "replay/traffic_file.h"
#include "reports/escape.h"

namespace rehearse::harness {
namespace {

namespace json = boost::json;
using replay::Certificate;
using replay::Exchange;

// Reads captures and traffic files alike.
Certificate each_exchange(const std::string& file, const std::function<void(Exchange&&)>& take) {
  return file != "-" && replay::is_sqlite(file) ? replay::load_traffic(file, take)
                                                : replay::import_captures({file}, {}, take);
}

// The key under which the secrets of a file are masked; empty when they are not.
std::string key_of(const std::string& file) {
  return file != "-" && replay::is_sqlite(file) ? redacted_with(replay::load_certificate(file)) : std::string();
}

// What is read while it is written over is lost.
void expect_other_file(const std::vector<std::string>& inputs, const std::string& output) {
  for (const std::string& input : inputs) {
    std::error_code error;
    if (std::filesystem::equivalent(input, output, error))
      throw Error(fmt::format("{} would be written over while it is read; name another output", input));
  }
}

// What `ls` says of one route.
struct Route {
  std::int64_t exchanges = 0;
  std::int64_t incomplete = 0;
  std::map<int, std::int64_t> statuses;
  std::vector<std::int64_t> durations_ns;  // from the first byte of the request to the last of the answer

  // Nearest rank: the smallest duration that at least `share` of them do not exceed.
  [[nodiscard]] double quantile_ms(double share) {
    if (durations_ns.empty()) return 0;
    const auto rank = static_cast<std::size_t>(share * static_cast<double>(durations_ns.size() - 1) + 0.5);
    std::nth_element(durations_ns.begin(), durations_ns.begin() + static_cast<std::ptrdiff_t>(rank),
                     durations_ns.end());
    return static_cast<double>(durations_ns[rank]) / 1e6;
  }
};

void print(const std::string& name, Route& route, bool as_json) {
  if (as_json) {
    json::object statuses;
    for (const auto& [status, count] : route.statuses) statuses[std::to_string(status)] = count;
    fmt::print("{}\n", json::serialize(json::object{{"route", name},
                                                    {"exchanges", route.exchanges},
                                                    {"incomplete", route.incomplete},
                                                    {"statuses", std::move(statuses)},
                                                    {"p50_ms", route.quantile_ms(0.5)},
                                                    {"p99_ms", route.quantile_ms(0.99)}}));
    return;
  }
  std::string statuses;
  for (const auto& [status, count] : route.statuses) statuses += fmt::format(" {}:{}", status, count);
  fmt::print("{:>8} {:>8} {:>10.3f} {:>10.3f}  {} {}\n", route.exchanges, route.incomplete, route.quantile_ms(0.5),
             route.quantile_ms(0.99), reports::terminal_escape(name), statuses);
}

}  // namespace

int list_routes(const std::string& file, bool as_json) {
  std::map<std::string, Route> routes;
  each_exchange(file, [&](Exchange&& exchange) {
    Route& route = routes[replay::route_of(exchange.request.method, exchange.request.target)];
    ++route.exchanges;
    ++route.statuses[exchange.response ? exchange.response->status : 0];
    if (exchange.complete())
      route.durations_ns.push_back(exchange.response_end_ns - exchange.request_ns);
    else
      ++route.incomplete;
  });
  if (!as_json)
    fmt::print("{:>8} {:>8} {:>10} {:>10}  {}\n", "number", "broken", "p50 ms", "p99 ms", "route and statuses");
  for (auto& [name, route] : routes) print(name, route, as_json);
  return routes.empty() ? exit_unknown : exit_pass;
}

int show_head(const std::string& file, std::int64_t count, bool as_json) {
  std::int64_t shown = 0;
  each_exchange(file, [&](Exchange&& exchange) {
    if (shown++ >= count) return;
    if (shown == 1 && !as_json) fmt::print("{}\n", headings());
    fmt::print("{}\n", as_json ? json::serialize(json_of(exchange)) : line_of(exchange));
  });
  return exit_pass;
}

int cut(const CutArguments& arguments) {
  expect_other_file({arguments.file}, arguments.output);
  ExchangeFilter filter(arguments.wanted);
  MaskedWriter writer(arguments.output, load_redaction(arguments.redaction), key_of(arguments.file));
  std::int64_t all = 0;
  std::int64_t kept = 0;
  Certificate certificate = each_exchange(arguments.file, [&](Exchange&& exchange) {
    ++all;
    writer.mask(exchange);  // a secret that is found here is known in what is kept
    if (!filter.accepts(exchange)) return;
    ++kept;
    writer.add(exchange);
  });
  certificate.notes.push_back(fmt::format("{} of the {} exchanges that this certificate counts were kept", kept, all));
  writer.finish(certificate);
  fmt::print("written: {} ({} of {} exchanges)\n", arguments.output, kept, all);
  return kept == 0 ? exit_unknown : exit_pass;
}

replay::Traffic merged_traffic(const std::vector<std::string>& files, const RedactionSettings& redaction) {
  std::map<std::string, std::string> keys;  // and a file that is masked with it; empty: not masked
  replay::Traffic merged;
  Certificate& sum = merged.certificate;
  // Captures are read together: a connection may go on in the next file, and a packet stand in two.
  std::vector<std::string> captures;
  for (const std::string& file : files) {
    if (file == "-" || !replay::is_sqlite(file)) captures.push_back(file);
  }
  bool captures_taken = false;
  for (const std::string& file : files) {
    const bool capture = file == "-" || !replay::is_sqlite(file);
    if (capture && std::exchange(captures_taken, true)) continue;
    replay::Traffic traffic;
    if (capture)
      traffic = replay::import_captures(captures);
    else
      traffic = replay::load_traffic(file);
    redact(traffic, redaction);
    keys.emplace(redacted_with(traffic.certificate), file);
    for (Exchange& exchange : traffic.exchanges) {
      exchange.connection += sum.connections;
      merged.exchanges.push_back(std::move(exchange));
    }
    Certificate& part = traffic.certificate;
    for (auto& [connection, entry] : part.incomplete) sum.incomplete[connection + sum.connections] = std::move(entry);
    sum.connections += part.connections;
    sum.incomplete_unlisted += part.incomplete_unlisted;
    for (const auto& [to, counts] :
         {std::pair(&sum.packets, &part.packets), std::pair(&sum.bytes, &part.bytes),
          std::pair(&sum.exchanges, &part.exchanges), std::pair(&sum.remarks, &part.remarks)}) {
      for (const auto& [name, count] : *counts) (*to)[name] += count;
    }
    for (const std::string& note : part.notes) sum.notes.push_back(fmt::format("{}: {}", file, note));
  }
  if (keys.size() > 1) {
    const auto said = [](const auto& key) {
      return key.second + (key.first.empty() ? " is not masked" : " is masked with the key " + key.first);
    };
    throw Error(
        fmt::format("{} and {}: equal values would not be equal any more; import them again with one key "
                    "(--redaction-key)",
                    said(*keys.begin()), said(*std::next(keys.begin()))));
  }
  std::stable_sort(merged.exchanges.begin(), merged.exchanges.end(), [](const Exchange& a, const Exchange& b) {
    return std::tie(a.request_ns, a.connection, a.index) < std::tie(b.request_ns, b.connection, b.index);
  });
  std::int64_t id = 0;
  for (Exchange& exchange : merged.exchanges) exchange.id = ++id;
  return merged;
}

int merge(const std::vector<std::string>& files, const std::string& output, const RedactionArguments& redaction) {
  expect_other_file(files, output);
  const replay::Traffic merged = merged_traffic(files, load_redaction(redaction));
  save(merged, output);
  fmt::print("written: {} ({} exchanges)\n", output, merged.exchanges.size());
  return merged.exchanges.empty() ? exit_unknown : exit_pass;
}

}  // namespace rehearse::harness
