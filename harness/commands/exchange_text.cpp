#include "harness/commands/exchange_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>

#include "replay/base64.h"
#include "reports/escape.h"

namespace rehearse::harness {
namespace {

namespace json = boost::json;
using reports::terminal_escape;  // what was captured may hold anything

json::object json_of(const std::map<std::string, std::int64_t>& counts) {
  json::object object;
  for (const auto& [name, count] : counts) object[name] = count;
  return object;
}

std::string utf8(std::string_view text) {
  if (replay::valid_utf8(text)) return std::string(text);
  std::string valid;
  for (const char c : text) valid += static_cast<unsigned char>(c) < 0x80 ? std::string(1, c) : "\xef\xbf\xbd";
  return valid;
}

void print_counts(const char* title, const std::map<std::string, std::int64_t>& counts) {
  if (counts.empty()) return;
  fmt::print("{}\n", title);
  for (const auto& [name, count] : counts) fmt::print("  {:>14} {}\n", count, name);
}

// Connections in the order of how many of their exchanges are incomplete.
void print_incomplete(const replay::Certificate& certificate) {
  if (certificate.incomplete.empty()) return;
  std::vector<std::pair<std::int64_t, std::int64_t>> worst;
  for (const auto& [connection, entry] : certificate.incomplete) {
    std::int64_t flags = 0;
    for (const auto& [name, count] : entry.flags) flags += count;
    worst.emplace_back(-flags, connection);
  }
  std::sort(worst.begin(), worst.end());
  constexpr std::size_t shown = 10;
  fmt::print("connections with incomplete exchanges ({})\n", worst.size());
  for (std::size_t i = 0; i < std::min(shown, worst.size()); ++i) {
    const auto& entry = certificate.incomplete.at(worst[i].second);
    std::string flags;
    for (const auto& [name, count] : entry.flags)
      flags += fmt::format("{}{} {}", flags.empty() ? "" : ", ", count, name);
    fmt::print("  {:>14} {} -> {}: {}\n", worst[i].second, entry.client, entry.server, flags);
  }
  if (worst.size() > shown) fmt::print("  {:>14} more; --json lists them\n", worst.size() - shown);
}

}  // namespace

std::string line_of(const replay::Exchange& exchange) {
  std::string flags;
  for (const std::string& flag : exchange.flags) flags += (flags.empty() ? "" : ", ") + flag;
  return fmt::format("{:>6} {:>4}.{:<4} {:>4} {} {}{}", exchange.id, exchange.connection, exchange.index,
                     exchange.response ? exchange.response->status : 0, terminal_escape(exchange.request.method),
                     terminal_escape(exchange.request.target), flags.empty() ? "" : "  [" + flags + "]");
}

std::string headings() {
  return fmt::format("{:>6} {:>4}.{:<4} {:>4} {} {}", "id", "conn", "nr", "code", "method", "target  [why incomplete]");
}

json::object json_of(const replay::Exchange& exchange) {
  json::array flags(exchange.flags.begin(), exchange.flags.end());
  json::array interim;
  for (const replay::Response& response : exchange.interim) interim.emplace_back(response.status);
  const auto authority = replay::field(exchange.request.headers, "Host");
  return {{"id", exchange.id},
          {"connection", exchange.connection},
          {"index", exchange.index},
          {"client", exchange.client},
          {"server", exchange.server},
          {"started_ns", exchange.started_ns},
          {"request_ns", exchange.request_ns},
          {"response_ns", exchange.response_ns},
          {"method", utf8(exchange.request.method)},
          {"target", utf8(exchange.request.target)},
          {"authority", authority ? utf8(*authority) : ""},
          {"request_bytes", exchange.request.body.size()},
          {"status", exchange.response ? exchange.response->status : 0},
          {"response_bytes", exchange.response ? exchange.response->body.size() : 0},
          {"interim", std::move(interim)},
          {"complete", exchange.complete()},
          {"flags", std::move(flags)}};
}

json::object json_of(const replay::Certificate& certificate) {
  json::array notes;
  for (const std::string& note : certificate.notes) notes.emplace_back(utf8(note));
  json::array incomplete;
  for (const auto& [connection, entry] : certificate.incomplete) {
    incomplete.push_back(json::object{{"connection", connection},
                                      {"client", entry.client},
                                      {"server", entry.server},
                                      {"flags", json_of(entry.flags)}});
  }
  return {{"connections", certificate.connections},
          {"exchanges", json_of(certificate.exchanges)},
          {"packets", json_of(certificate.packets)},
          {"bytes", json_of(certificate.bytes)},
          {"remarks", json_of(certificate.remarks)},
          {"loss", certificate.loss()},
          {"incomplete", std::move(incomplete)},
          {"incomplete_unlisted", certificate.incomplete_unlisted},
          {"notes", std::move(notes)}};
}

void print(const replay::Certificate& certificate) {
  fmt::print("{} connections\n", certificate.connections);
  print_counts("exchanges", certificate.exchanges);
  print_counts("packets", certificate.packets);
  print_counts("bytes of TCP payload", certificate.bytes);
  print_counts("remarks", certificate.remarks);
  print_incomplete(certificate);
  for (const std::string& note : certificate.notes) fmt::print("note: {}\n", terminal_escape(note));
}

}  // namespace rehearse::harness
