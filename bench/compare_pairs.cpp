// Compares answers as bench/answers asks, and prints one JSON object with the CPU seconds that it took.
//
//   compare_pairs LEFT RIGHT [REPEATS]          line by line, two files of JSON documents: each pair of lines is a pair of answers
//   compare_pairs --body LEFT RIGHT [REPEATS]   two files as two bodies
//   compare_pairs --judge LEFT RIGHT [REPEATS]  the lines as two plays: the whole judgement, with the oracle's second run
#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "properties/answers/answers.h"
#include "properties/answers/field_values.h"
#include "properties/evidence.h"

namespace {

using namespace rehearse;

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    fmt::print(stderr, "cannot read {}\n", path);
    std::exit(1);
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

// As a rule the two services answer at other times, and their headers are not the same.
replay::Record record(replay::StepId step, std::string body, std::string_view date) {
  replay::Record made;
  made.step = step;
  made.read = true;
  made.outcome = replay::Outcome::answered;
  made.request = {"GET", "/orders/" + std::to_string(step), {}, ""};
  made.response = {200,
                   {{"Content-Type", "application/json"},
                    {"Content-Length", std::to_string(body.size())},
                    {"Date", std::string(date)},
                    {"ETag", "\"a1\""},
                    {"Vary", "Accept"}},
                   std::move(body)};
  return made;
}

replay::History history(const std::string& path, bool lines, std::string_view date) {
  replay::History made;
  std::string text = contents(path);
  if (!lines) {
    made.records.push_back(record(1, std::move(text), date));
    return made;
  }
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    made.records.push_back(
        record(static_cast<replay::StepId>(made.records.size()) + 1, text.substr(at, end - at), date));
    at = end + 1;
  }
  return made;
}

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  std::string mode;
  if (!arguments.empty() && arguments[0].starts_with("--")) {
    mode = arguments[0];
    arguments.erase(arguments.begin());
  }
  if (arguments.size() < 2) {
    fmt::print(stderr, "compare_pairs [--body|--judge] LEFT RIGHT [REPEATS]\n");
    return 1;
  }
  const int repeats = arguments.size() > 2 ? std::atoi(arguments[2].c_str()) : 1;
  const bool lines = mode != "--body";
  const auto left = history(arguments[0], lines, "Sun, 22 Nov 2026 10:00:00 GMT");
  const auto right = history(arguments[1], lines, "Sun, 22 Nov 2026 10:00:01 GMT");
  properties::Contract contract;
  contract.compared_headers = properties::contract_headers();
  std::size_t bytes = 0, differing = 0;
  for (const auto& each : left.records) bytes += each.response.body.size();
  const auto again = mode == "--judge" ? left : replay::History{};
  const double began = cpu_seconds();
  for (int i = 0; i < repeats; ++i) {
    differing = 0;
    if (mode == "--judge") {
      const auto compared =
          properties::compare_answers(contract, left, &again, right, [](const replay::Record&) { return true; });
      differing = static_cast<std::size_t>(compared.differed);
    } else {
      const properties::AnswerComparer comparer(contract, properties::Correspondence{});
      for (std::size_t k = 0; k < std::min(left.records.size(), right.records.size()); ++k)
        differing += !comparer.differences(left.records[k], right.records[k]).empty();
    }
  }
  const double cpu = (cpu_seconds() - began) / repeats;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("{{\"cpu_s\": {:.9f}, \"pairs\": {}, \"differing\": {}, \"bytes\": {}, \"peak_mb\": {}}}\n", cpu,
             left.records.size(), differing, bytes, usage.ru_maxrss / 1024);
  return 0;
}
