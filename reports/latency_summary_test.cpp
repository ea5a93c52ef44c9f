#include "reports/latency_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rehearse::reports {
namespace {

using properties::LatencyMeasurement;
using ::testing::ElementsAre;

// A block of so many pairs of each route.
properties::PairBlock block_of(const std::vector<std::pair<std::string, std::int64_t>>& routes) {
  properties::PairBlock block{0, 1'000'000'000, {}};
  for (const auto& [name, pairs] : routes) {
    properties::RoutePairs& route = block.routes.emplace_back();
    route.route = name;
    route.pairs = pairs;
    route.legacy_ns.assign(static_cast<std::size_t>(pairs), 2'000'000);
    route.new_ns.assign(static_cast<std::size_t>(pairs), 3'000'000);
  }
  return block;
}

std::vector<std::string> lines(const LatencyMeasurement& measured) {
  properties::Evidence evidence;
  properties::Section& section = evidence.sections.emplace_back();
  section.name = "live";
  section.stage = properties::Stage::live;
  section.latency = measured;
  Report report;
  add_latencies(evidence, report);
  std::vector<std::string> shown;
  for (const RouteLatency& route : report.latencies)
    shown.push_back(route.route + " " + std::to_string(route.pairs) +
                    (route.not_measured.empty() ? "" : ": " + route.not_measured));
  return shown;
}

TEST(LatencySummary, RoutesWithTooFewPairsAreOneRow) {
  LatencyMeasurement measured;
  measured.first.blocks = {block_of({{"GET /a", 300}, {"GET /b", 40}, {"GET /c", 59}})};
  EXPECT_THAT(lines(measured), ElementsAre("all 399", "GET /a 300", "other (2 routes) 99"));
  measured.first.blocks = {block_of({{"GET /a", 300}, {"GET /b", 40}})};
  EXPECT_THAT(lines(measured), ElementsAre("all 340", "GET /a 300", "GET /b 40")) << "one is itself";
}

TEST(LatencySummary, WhatIsNotMeasuredIsToldWithItsReason) {
  LatencyMeasurement measured;
  measured.first.blocks = {block_of({{"GET /a", 300}, {"GET /b", 200}})};
  measured.left_out = {{"GET /a", false, 30, 0, ""},
                       {"GET /b", false, 20, 2, "2 with 404 in place of 200"},
                       {"GET /b", true, 20, 2, "2 with 404 in place of 200"}};
  EXPECT_THAT(lines(measured),
              ElementsAre("all 500: 2 of its 50 requests are not measured, for legacy answers them otherwise than when "
                          "it was alone: GET /b: 2 with 404 in place of 200",
                          "GET /a 300",
                          "GET /b 200: 2 of its 20 requests are not measured, for legacy answers them otherwise than "
                          "when it was alone: 2 with 404 in place of 200"));
}

}  // namespace
}  // namespace rehearse::reports
