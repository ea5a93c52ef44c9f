// load_player URL REQUESTS CONNECTIONS RATE [WORKERS] [--http2] [--stream]
//
// Plays a plan of GETs, all answers kept as for a comparison (--stream: handed over one by one), and prints as JSON what it took.
// RATE 0: each connection sends again when its answer came. Else requests are due at that rate, dealt out among the connections.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "replay/player.h"

namespace {

double cpu_s() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double quantile_us(std::vector<std::int64_t>& values, double share) {
  if (values.empty()) return 0;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return static_cast<double>(*at) / 1e3;
}

}  // namespace

int main(int count, char** arguments) {
  using namespace rehearse::replay;
  if (count < 5) {
    fmt::print(stderr, "load_player URL REQUESTS CONNECTIONS RATE [WORKERS] [--http2] [--stream]\n");
    return 3;
  }
  PlayOptions options;
  options.name = "load";
  options.target = arguments[1];
  const long requests = std::atol(arguments[2]), connections = std::atol(arguments[3]);
  const double rate = std::atof(arguments[4]);
  for (int i = 5; i < count; ++i) {
    const std::string word = arguments[i];
    if (word == "--http2")
      options.http = HttpVersion::http2;
    else if (word != "--stream")
      options.workers = static_cast<unsigned>(std::stoul(word));
  }
  std::vector<std::int64_t> service, response;
  std::int64_t answered = 0;
  const auto measure = [&](const Record& record) {
    if (record.outcome != Outcome::answered) return;
    ++answered;
    service.push_back(record.done_ns - record.sent_ns);
    response.push_back(record.done_ns - record.due_ns);
  };
  if (std::string(arguments[count - 1]) == "--stream") options.on_record = [&](Record&& record) { measure(record); };
  Plan plan;
  for (long i = 0; i < requests; ++i) {
    Step& step = plan.steps.emplace_back();
    step.id = i + 1;
    step.lane = i % connections + 1;
    step.read = true;
    step.request = Request{"GET", "/orders/" + std::to_string(i), {{"Accept", "*/*"}, {"User-Agent", "load"}}, ""};
    if (rate > 0) step.due_ns = static_cast<std::int64_t>(static_cast<double>(i) * 1e9 / rate);
    step.overlaps = rate > 0;  // a late answer does not keep the next request from leaving
  }
  options.speed = rate > 0 ? 1 : 0;
  service.reserve(static_cast<std::size_t>(requests));
  response.reserve(static_cast<std::size_t>(requests));
  const double cpu_before = cpu_s();
  const auto begin = std::chrono::steady_clock::now();
  const History history = play(plan, options);
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const double cpu = cpu_s() - cpu_before;
  for (const Record& record : history.records) measure(record);
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  fmt::print(
      R"({{"requests": {}, "answered": {}, "wall_s": {:.4f}, "cpu_s": {:.4f}, "peak_mb": {:.0f}, "scheduling": "{}", )"
      R"("late_p50_us": {:.1f}, "late_p99_us": {:.1f}, "behind": "{}", "service_p50_us": {:.1f}, "service_p99_us": {:.1f}, )"
      R"("response_p50_us": {:.1f}, "response_p99_us": {:.1f}}})"
      "\n",
      requests, answered, wall, cpu, static_cast<double>(used.ru_maxrss) / 1024, history.sender.scheduling,
      static_cast<double>(history.sender.late_p50_ns) / 1e3, static_cast<double>(history.sender.late_p99_ns) / 1e3,
      history.sender.behind, quantile_us(service, 0.5), quantile_us(service, 0.99), quantile_us(response, 0.5),
      quantile_us(response, 0.99));
}
