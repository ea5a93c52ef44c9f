// Speed of the engines on the sample capture. `build/release/bench/engines_bench`; bytes/s are bytes of the capture file.
#include <benchmark/benchmark.h>
#include <pcap/pcap.h>

#include <filesystem>

#include "properties/answers/answers.h"
#include "replay/capture/import.h"
#include "replay/planner.h"

namespace {

using namespace rehearse;

const std::string capture = REHEARSE_SOURCE_DIR "/fixtures/captures/orders.pcap";

void count_bytes(benchmark::State& state) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * std::filesystem::file_size(capture)));
}

// The peer: libpcap's own loop over the file, which looks at nothing.
void pcap_loop(benchmark::State& state) {
  for (auto _ : state) {
    char error[PCAP_ERRBUF_SIZE];
    pcap_t* file = pcap_open_offline(capture.c_str(), error);
    pcap_pkthdr* header = nullptr;
    const u_char* bytes = nullptr;
    std::uint64_t total = 0;
    while (pcap_next_ex(file, &header, &bytes) == 1) total += header->caplen;
    benchmark::DoNotOptimize(total);
    pcap_close(file);
  }
  count_bytes(state);
}
BENCHMARK(pcap_loop);

void import_capture(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(replay::import_captures({capture}));
  count_bytes(state);
}
BENCHMARK(import_capture);

void make_plan(benchmark::State& state) {
  const auto traffic = replay::import_captures({capture});
  for (auto _ : state) {
    benchmark::DoNotOptimize(replay::plan_of(traffic));
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * traffic.exchanges.size()));
}
BENCHMARK(make_plan);

// The captured answers as a history; `change` is put into every JSON answer.
replay::History history_of(const replay::Traffic& traffic, std::string_view change) {
  replay::History history;
  for (const auto& exchange : traffic.exchanges) {
    replay::Record record;
    record.step = exchange.id;
    record.outcome = replay::Outcome::answered;
    record.read = true;
    record.request = exchange.request;
    record.response = *exchange.response;
    if (!change.empty() && record.response.body.starts_with("{\"")) record.response.body.replace(1, 0, change);
    history.records.push_back(std::move(record));
  }
  return history;
}

void compare(benchmark::State& state, std::string_view change) {
  const auto traffic = replay::import_captures({capture});
  const auto oracle = history_of(traffic, "");
  const auto candidate = history_of(traffic, change);
  const properties::Contract contract;
  std::int64_t bytes = 0;
  for (const auto& record : candidate.records) bytes += static_cast<std::int64_t>(record.response.body.size());
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        properties::compare_answers(contract, oracle, nullptr, candidate, [](const auto&) { return true; }));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * bytes);
}

void compare_equal_answers(benchmark::State& state) { compare(state, ""); }
BENCHMARK(compare_equal_answers);

void compare_changed_answers(benchmark::State& state) { compare(state, "\"extra\": 1,"); }
BENCHMARK(compare_changed_answers);

}  // namespace

BENCHMARK_MAIN();
