// make_traffic FILE EXCHANGES: a traffic file of a shop as a browser's clients would fill it. Each connection makes an order with a body
// of 600 bytes, looks at it eight times, by its path, in a query and in a form, and deletes it; 200 connections are open at a time.
// Ids are made by the server.
#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "replay/traffic_file.h"

namespace {

using rehearse::replay::Exchange;
using rehearse::replay::Headers;
using rehearse::replay::Request;
using rehearse::replay::Response;

constexpr std::int64_t open_connections = 200, a_connection = 10;

std::string id_of(std::int64_t connection) {  // looks random, and is the same each time
  std::uint64_t mixed = static_cast<std::uint64_t>(connection) * 0x9e3779b97f4a7c15;
  mixed ^= mixed >> 29;
  return fmt::format("{:016x}{:016x}", mixed * 0xbf58476d1ce4e5b9, mixed * 0x94d049bb133111eb);
}

Request request_of(std::int64_t connection, std::int64_t index) {
  Headers headers{{"Host", "shop.example"},
                  {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
                  {"Accept", "application/json, text/plain, */*"},
                  {"Accept-Language", "en-US,en;q=0.5"},
                  {"Accept-Encoding", "gzip, deflate, br"},
                  {"Origin", "https://shop.example"},
                  {"X-Request-Id", fmt::format("{:032x}", connection * a_connection + index)}};
  const std::string id = id_of(connection);
  if (index == 0) {
    headers.push_back({"Content-Type", "application/json"});
    return {"POST", "/orders", headers,
            fmt::format(R"({{"customer":"{}","note":"{}"}})", connection, std::string(570, 'n'))};
  }
  if (index == a_connection - 1) return {"DELETE", "/orders/" + id, headers, ""};
  if (index % 3 == 1) return {"GET", "/orders/" + id, headers, ""};
  if (index % 3 == 2) return {"GET", "/orders?id=" + id, headers, ""};
  headers.push_back({"Content-Type", "application/x-www-form-urlencoded"});
  return {"POST", "/orders/search", headers, "id=" + id};
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    fmt::print(stderr, "make_traffic FILE EXCHANGES\n");
    return 3;
  }
  rehearse::replay::TrafficWriter writer(arguments[1]);
  const std::int64_t exchanges = std::atoll(arguments[2]);
  const std::string looked_at = fmt::format(R"({{"note":"{}"}})", std::string(280, 'a'));
  for (std::int64_t i = 0; i < exchanges; ++i) {
    // The open connections take turns; each ends after its ten exchanges, and another one begins.
    const std::int64_t turn = i / open_connections, place = i % open_connections;
    Exchange exchange;
    exchange.id = i + 1;
    exchange.connection = turn / a_connection * open_connections + place + 1;
    exchange.index = turn % a_connection;
    exchange.client = fmt::format("10.0.{}.{}:40000", place / 250, place % 250);
    exchange.server = "10.1.0.1:80";
    exchange.started_ns = exchange.request_ns = exchange.request_end_ns = 1'700'000'000'000'000'000 + i * 50'000;
    exchange.response_ns = exchange.response_end_ns = exchange.request_ns + 2'000'000;
    exchange.request = request_of(exchange.connection, exchange.index);
    const bool made = exchange.index == 0;
    exchange.response = Response{made ? 201 : 200,
                                 {{"Content-Type", "application/json"}, {"Server", "nginx"}},
                                 made ? fmt::format(R"({{"id":"{}"}})", id_of(exchange.connection)) : looked_at};
    writer.add(exchange);
  }
  rehearse::replay::Certificate certificate;
  certificate.exchanges["complete"] = exchanges;
  certificate.notes = {"made by bench/make_traffic"};
  writer.finish(certificate);
}
