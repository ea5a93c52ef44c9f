#include "reports/stage_benchmark.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace rehearse::reports {
namespace {

using properties::Verdict;
using ::testing::HasSubstr;

StageBenchmark run(double factor, std::size_t blocks = 40) {
  StageBenchmark benchmark{"0.1.0",
                           "2026-03-01T08:00:00Z",
                           "2 × Intel Xeon, Linux 6.1",
                           1.5,
                           0.04,
                           0.2,
                           {},
                           {"completed was not measured: why."}};
  StageFigure p50{"shadow", "reads", "p50", "ms", {1.0, 1.1, 0.9}, {1.0 * factor, 1.1 * factor, 0.9 * factor}, {}, 900};
  for (std::size_t i = 0; i < blocks; ++i) p50.log_ratios.push_back(std::log(factor) + (i % 2 == 0 ? 0.005 : -0.005));
  StageFigure throughput{"shadow", "reads", "throughput", "requests/s", {2000, 2100}, {2000 / factor, 2100 / factor},
                         {},       8000};
  for (std::size_t i = 0; i < blocks; ++i)
    throughput.log_ratios.push_back(-std::log(factor) + (i % 2 == 0 ? 0.005 : -0.005));
  p50.new_cpu_us = {310, 300, 320};
  benchmark.figures = {p50, throughput};
  return benchmark;
}

TEST(StageBenchmarks, ComeBackFromGoogleBenchmarksJson) {
  const StageBenchmark benchmark = run(1.2), back = benchmark_from_json(to_google_benchmark(benchmark));
  ASSERT_EQ(back.figures.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(back.figures[i].stage, "shadow");
    EXPECT_EQ(back.figures[i].unit, benchmark.figures[i].unit);
    EXPECT_EQ(back.figures[i].requests, benchmark.figures[i].requests);
    EXPECT_EQ(back.figures[i].log_ratios, benchmark.figures[i].log_ratios);
    ASSERT_EQ(back.figures[i].new_.size(), benchmark.figures[i].new_.size());
    for (std::size_t r = 0; r < back.figures[i].new_.size(); ++r)
      EXPECT_NEAR(back.figures[i].new_[r], benchmark.figures[i].new_[r], 1e-9);
  }
  EXPECT_EQ(back.figures[0].new_cpu_us, benchmark.figures[0].new_cpu_us);
  EXPECT_TRUE(back.figures[0].legacy_cpu_us.empty()) << "not measured";
  EXPECT_EQ(back.machine, benchmark.machine);
  EXPECT_EQ(back.remarks, benchmark.remarks);
}

TEST(StageBenchmarks, SayWhatIsWrongWithAText) {
  const auto complaint = [](const std::string& text) -> std::string {
    try {
      static_cast<void>(benchmark_from_json(text));
    } catch (const std::invalid_argument& problem) {
      return problem.what();
    }
    return "none";
  };
  EXPECT_THAT(complaint("{"), HasSubstr("is not Google Benchmark's JSON"));
  EXPECT_THAT(complaint(R"({"context": {}, "benchmarks": []})"),
              HasSubstr("\"rehearse_version\" of the context is missing"));
  StageBenchmark strange = run(1);
  strange.figures[0].what = "reads/of/others";
  const std::string other = to_google_benchmark(strange);
  EXPECT_THAT(complaint(other), HasSubstr("is none of the names that `rehearse bench` writes"));
}

TEST(StageBenchmarks, ARowOfMediansForTrends) {
  const StageBenchmark benchmark = run(2);
  EXPECT_EQ(csv_header(benchmark),
            "time,version,shadow/reads/legacy/p50 ms,shadow/reads/new/p50 ms,shadow/reads/legacy/throughput requests/s,"
            "shadow/reads/new/throughput requests/s\n");
  EXPECT_EQ(csv_row(benchmark), "2026-03-01T08:00:00Z,0.1.0,1,2,2050,1025\n");
  EXPECT_THAT(to_markdown(benchmark),
              HasSubstr("| shadow | reads | p50 | 1.000 ms | 2.000 ms | +100.0 % | +99.0 % to +101.0 % |"));
  EXPECT_THAT(to_markdown(benchmark), HasSubstr("completed was not measured: why."));
}

TEST(StageBenchmarks, WhatBecameSlowerIsNamed) {
  const auto verdicts = [](const StageBenchmark& before, const StageBenchmark& now) {
    std::vector<Verdict> all;
    for (const FigureChange& change : compared(before, now, 0.05)) all.push_back(change.verdict);
    return all;
  };
  EXPECT_EQ(verdicts(run(1.2), run(1.2)), (std::vector{Verdict::pass, Verdict::pass}));
  EXPECT_EQ(verdicts(run(1.2), run(1.44)), (std::vector{Verdict::fail, Verdict::fail}));
  EXPECT_EQ(verdicts(run(1.44), run(1.2)), (std::vector{Verdict::pass, Verdict::pass})) << "faster is no failure";
  EXPECT_EQ(verdicts(run(1.2), run(1.44, 4)), (std::vector{Verdict::unknown, Verdict::unknown}))
      << "four blocks prove nothing";
  StageBenchmark less = run(1.2);
  less.figures.pop_back();
  EXPECT_EQ(verdicts(run(1.2), less), (std::vector{Verdict::pass, Verdict::unknown}));
  EXPECT_EQ(verdicts(less, run(1.2)), (std::vector{Verdict::pass, Verdict::unknown}));
  EXPECT_NEAR(compared(run(1.2), run(1.44), 0.05)[0].change, 0.2, 0.001);
}

}  // namespace
}  // namespace rehearse::reports
