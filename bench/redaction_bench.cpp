// Speed of the redaction over bodies in which there is nothing to mask, and over the sample capture in which there is.
// `build/release/bench/redaction_bench`; the peer is memchr, which looks for one byte.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstring>

#include "replay/capture/import.h"
#include "replay/redaction/redactor.h"

namespace {

using namespace rehearse::replay;

constexpr std::size_t body_bytes = 1u << 20;

const RedactionKey& key() {
  static const RedactionKey made("a key for the benchmark", "a benchmark");
  return made;
}

// Products as a shop lists them: names, prices, times, ids.
std::string json_body() {
  std::string body = "[";
  for (int i = 0; body.size() < body_bytes; ++i) {
    body += fmt::format(
        R"({{"sku":"SKU-{:05}","name":"Chair Oslo {}","description":"Made of glass.","price":"{}.91","stock":{},)"
        R"("version":1,"created_at":"2022-06-08T20:09:34.350712Z","changed":{}}},)",
        i, i, i % 300, i % 50, 1'654'718'974'350 + i);
  }
  body.back() = ']';
  return body;
}

std::string text_body() {
  std::string body;
  for (int i = 0; body.size() < body_bytes; ++i)
    body += fmt::format("line {} of a log: GET /orders/{} took {} ms, 200 OK\n", i, 100'000 + i, i % 97);
  return body;
}

Exchange exchange_of(std::string media, std::string body) {
  Exchange exchange;
  exchange.request = {"GET", "/products", {}, ""};
  exchange.response = Response{200, {{"Content-Type", std::move(media)}}, std::move(body)};
  return exchange;
}

void redact(benchmark::State& state, const std::string& media, const std::string& body, bool after_a_secret) {
  Redactor redactor(built_in_rules(), key());
  if (after_a_secret) {
    Exchange first = exchange_of("", "");
    first.request.headers = {{"Cookie", "sid=4f6c1d2e8a9b0c3d5e7f"}};
    redactor.apply(first);
  }
  Exchange exchange = exchange_of(media, body);
  for (auto _ : state) redactor.apply(exchange);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * body.size()));
}

void look_for_one_byte(benchmark::State& state) {
  const std::string body = json_body();
  for (auto _ : state) benchmark::DoNotOptimize(std::memchr(body.data(), '@', body.size()));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * body.size()));
}
BENCHMARK(look_for_one_byte);

void json_without_secrets(benchmark::State& state) { redact(state, "application/json", json_body(), false); }
BENCHMARK(json_without_secrets);

// Once a secret is known it is looked for in every body.
void json_after_a_secret(benchmark::State& state) { redact(state, "application/json", json_body(), true); }
BENCHMARK(json_after_a_secret);

void text_without_secrets(benchmark::State& state) { redact(state, "text/plain", text_body(), false); }
BENCHMARK(text_without_secrets);

void look_for_shapes(benchmark::State& state) {
  const std::string body = json_body();
  for (auto _ : state) benchmark::DoNotOptimize(may_hold_shapes(body));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * body.size()));
}
BENCHMARK(look_for_shapes);

// With the copies of the exchanges that are masked.
void sample_capture(benchmark::State& state) {
  const Traffic traffic = import_captures({REHEARSE_SOURCE_DIR "/fixtures/captures/orders.pcap"});
  for (auto _ : state) {
    Redactor redactor(built_in_rules(), key());
    for (Exchange exchange : traffic.exchanges) redactor.apply(exchange);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * traffic.exchanges.size()));
}
BENCHMARK(sample_capture);

}  // namespace

BENCHMARK_MAIN();
