#include "harness/latency/pair_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "harness/latency/null_server.h"
#include "harness/latency/saturation.h"
#include "replay/error.h"
#include "replay/test_server.h"

namespace rehearse::harness {
namespace {

using properties::LatencyRun;
using properties::RoutePairs;
using properties::Stage;
using replay::Peer;
using replay::Request;
using replay::Server;
using ::testing::HasSubstr;

replay::Handler answering(std::function<int(const Request&)> status) {
  return [status = std::move(status)](Peer& peer, const Request& request) {
    peer.send(fmt::format("HTTP/1.1 {} X\r\nContent-Length: 2\r\n\r\nok", status(request)));
  };
}
replay::Handler answering(int status) {
  return answering([status](const Request&) { return status; });
}

SampleKind kind_of(const std::vector<std::string>& targets, bool extra = false) {
  SampleKind kind;
  kind.route = "all";
  kind.extra = extra;
  for (const std::string& target : targets) {
    Sample& sample = kind.samples.emplace_back();
    sample.step.id = static_cast<replay::StepId>(kind.samples.size());
    sample.step.read = true;
    sample.step.request = Request{"GET", target, {}, ""};
    sample.route = replay::route_of("GET", target);
    sample.status = 200;
  }
  return kind;
}

PairRunOptions quick() {
  PairRunOptions options;
  options.rate = 400;
  options.block = std::chrono::milliseconds(100);
  options.blocks = 4;
  options.connections = 4;
  return options;
}

LatencyRun run(const Server& legacy, const Server& new_, const std::vector<SampleKind>& kinds,
               const PairRunOptions& options) {
  return measure_pairs(kinds, {{legacy.url()}, {new_.url()}, {}, {}}, options);
}

RoutePairs total(const LatencyRun& run) {
  RoutePairs all;
  for (const auto& block : run.blocks) {
    for (const RoutePairs& route : block.routes) {
      all.pairs += route.pairs;
      all.legacy_failed += route.legacy_failed;
      all.new_failed += route.new_failed;
      all.both_failed += route.both_failed;
      all.legacy_ns.insert(all.legacy_ns.end(), route.legacy_ns.begin(), route.legacy_ns.end());
      all.new_ns.insert(all.new_ns.end(), route.new_ns.begin(), route.new_ns.end());
    }
  }
  return all;
}

TEST(PairRun, SendsEachRequestToBothAndCountsEveryPair) {
  std::atomic<int> legacy_asked = 0, new_asked = 0;
  const Server legacy(answering([&](const Request&) { return ++legacy_asked, 200; }));
  const Server new_(answering([&](const Request&) { return ++new_asked, 200; }));
  const LatencyRun measured = run(legacy, new_, {kind_of({"/a", "/b"})}, quick());
  EXPECT_EQ(legacy_asked, 160);
  EXPECT_EQ(new_asked, 160);
  EXPECT_EQ(measured.blocks.size(), 4U);
  EXPECT_EQ(measured.planned_pairs, 160);
  ASSERT_EQ(measured.blocks[1].routes.size(), 2U);
  EXPECT_EQ(measured.blocks[1].routes[0].route, "GET /a");
  EXPECT_EQ(measured.blocks[1].at_ns, 100'000'000);
  EXPECT_GE(measured.null_probe_ns.size(), 8U) << "twenty a second";
  EXPECT_EQ(measured.planned_rate, 800);
  EXPECT_FALSE(measured.machine.empty());
}

TEST(PairRun, OnlyPairsThatBothAnsweredAsExpectedAreMeasured) {
  const Server legacy(answering([](const Request& request) { return request.target == "/gone" ? 404 : 200; }));
  const Server new_(answering([](const Request& request) {
    return request.target == "/broken"    ? 500
           : request.target == "/gone"    ? 404
           : request.target == "/refused" ? 403
                                          : 200;
  }));
  const LatencyRun measured = run(legacy, new_, {kind_of({"/good", "/broken", "/gone", "/refused"})}, quick());
  for (const auto& block : measured.blocks) {
    for (const RoutePairs& route : block.routes) {
      SCOPED_TRACE(route.route);
      const bool failing = route.route == "GET /broken" || route.route == "GET /refused";
      EXPECT_EQ(route.new_failed, failing ? route.pairs : 0)
          << "an error of the server, or a refusal where legacy answered";
      EXPECT_EQ(route.legacy_failed, 0);
      EXPECT_EQ(static_cast<std::int64_t>(route.new_ns.size()), route.route == "GET /good" ? route.pairs : 0);
      EXPECT_EQ(route.legacy_ns.size(), route.new_ns.size());
    }
  }
}

TEST(PairRun, WhoIsDownFails) {
  const Server legacy(answering(200));
  Server new_(answering(200));
  const std::string url = new_.url();
  new_.stop();
  const RoutePairs all = total(measure_pairs({kind_of({"/a"})}, {{legacy.url()}, {url}, {}, {}}, quick()));
  EXPECT_EQ(all.new_failed, all.pairs);
  EXPECT_EQ(all.both_failed, 0);
  EXPECT_TRUE(all.new_ns.empty());
}

// One answer takes three blocks, and whatever is due meanwhile waits for it: two blocks and more of requests that leave late, all of which
// stand in the response times. None of them was slow itself.
TEST(PairRun, WhatLeavesLateIsAPairAndItsWaitCounts) {
  const Server legacy(answering(200));
  std::atomic<int> asked = 0;
  const Server new_(answering([&](const Request&) {
    if (++asked == 10) std::this_thread::sleep_for(std::chrono::milliseconds(300));
    return 200;
  }));
  PairRunOptions options = quick();
  options.connections = 1;
  const LatencyRun measured = run(legacy, new_, {kind_of({"/a"})}, options);
  std::int64_t pairs = 0, late = 0, waited = 0;
  for (const auto& block : measured.blocks) {
    for (const RoutePairs& route : block.routes) {
      pairs += route.pairs;
      late += route.late;
      EXPECT_EQ(static_cast<std::int64_t>(route.new_response_ns.size()), route.pairs);
      waited += std::count_if(route.new_response_ns.begin(), route.new_response_ns.end(),
                              [](std::int64_t ns) { return ns > 100'000'000; });
    }
  }
  EXPECT_EQ(pairs, measured.planned_pairs);
  EXPECT_GE(late, 60);
  EXPECT_GE(waited, 60);
  EXPECT_LT(measured.achieved_rate, measured.planned_rate);
}

TEST(PairRun, AsksEveryInstance) {
  std::atomic<int> of_legacy = 0, of_first = 0, of_second = 0;
  const auto counting = [](std::atomic<int>& count) {
    return answering([&count](const Request&) { return ++count, 200; });
  };
  const Server legacy(counting(of_legacy)), first(counting(of_first)), second(counting(of_second));
  PairRunOptions options = quick();
  options.connections = 1;  // two instances take two
  const auto measured =
      measure_pairs({kind_of({"/a"})}, {{legacy.url()}, {first.url(), second.url()}, {}, {}}, options);
  EXPECT_EQ(of_legacy, 160);
  EXPECT_EQ(of_first, 80);
  EXPECT_EQ(of_second, 80);
  EXPECT_EQ(total(measured).pairs, 160);
  options.saturation_blocks = 1;
  static_cast<void>(
      measure_saturation(kind_of({"/a"}), 50, {{legacy.url()}, {first.url(), second.url()}, {}, {}}, options));
  EXPECT_GT(of_second, 80);
}

TEST(PairRun, EndsAtTheLookThatDecides) {
  const Server legacy(answering(200)), new_(answering(200));
  PairRunOptions options = quick();
  options.block = std::chrono::milliseconds(20);
  options.blocks = 98;
  std::size_t seen = 0;
  options.decided = [&](const LatencyRun& so_far) {
    seen = so_far.blocks.size();
    EXPECT_EQ(so_far.planned_pairs, 14 * 8);
    return true;
  };
  const LatencyRun measured = run(legacy, new_, {kind_of({"/a"})}, options);
  EXPECT_EQ(seen, 14U) << "twelve behind the warm-up";
  EXPECT_LT(measured.blocks.size(), 98U);
}

// The order is the seed's; turned round, whoever was second is first.
TEST(PairRun, DrawsWhoIsAskedFirst) {
  const auto order = [](bool turned_round) {
    std::mutex mutex;
    std::string asked;
    const auto note = [&](char who) {
      return answering([&, who](const Request& request) {
        const std::lock_guard lock(mutex);
        asked += request.target + who;
        return 200;
      });
    };
    const Server legacy(note('l')), new_(note('n'));
    PairRunOptions options = quick();
    options.rate = 20;
    options.block = std::chrono::milliseconds(500);
    options.blocks = 1;
    options.turned_round = turned_round;
    static_cast<void>(
        run(legacy, new_, {kind_of({"/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9"})}, options));
    std::string first;
    for (int i = 0; i < 10; ++i) first += asked[asked.find("/" + std::to_string(i)) + 2];
    return first;
  };
  const std::string drawn = order(false), turned = order(true);
  EXPECT_THAT(drawn, HasSubstr("l"));
  EXPECT_THAT(drawn, HasSubstr("n"));
  for (std::size_t i = 0; i < drawn.size(); ++i) EXPECT_NE(drawn[i], turned[i]) << i;
}

TEST(PairRun, AValueThatAWriteMadeIsThatOfItsOwnSide) {
  const auto shop = [](const std::string& id, std::atomic<int>& strange) {
    return [id, &strange](Peer& peer, const Request& request) {
      const std::string body = "{\"id\": \"" + id + "\"}";
      strange += request.method == "GET" && request.target != "/orders/" + id;
      peer.send(fmt::format("HTTP/1.1 200 X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                            body.size(), body));
    };
  };
  std::atomic<int> strange = 0;
  const Server legacy(shop("71", strange)), new_(shop("72", strange));
  SampleKind kind = kind_of({"/orders", "/orders/70"});
  kind.samples[0].step.read = false;
  kind.samples[0].step.request = Request{"POST", "/orders", {{"Idempotency-Key", "k"}}, ""};
  kind.samples[0].measured = false;
  kind.samples[1].step.uses = {{"path:1", "70", 1, "json:/id"}};
  const LatencyRun measured = run(legacy, new_, {kind}, quick());
  EXPECT_EQ(strange, 0);
  EXPECT_EQ(measured.planned_pairs, 80) << "what is sent for its answer alone is not measured";
  EXPECT_FALSE(total(measured).new_ns.empty());
}

TEST(Saturation, CountsWhatBothAnswer) {
  const Server legacy(answering(200)),
      new_(answering([](const Request& request) { return request.target == "/b" ? 500 : 200; }));
  PairRunOptions options = quick();
  options.saturation_blocks = 2;
  const auto blocks = measure_saturation(kind_of({"/a", "/b"}), 50, {{legacy.url()}, {new_.url()}, {}, {}}, options);
  ASSERT_EQ(blocks.size(), 2U);
  EXPECT_EQ(blocks[0].route, "all");
  for (const auto& each : blocks) {
    EXPECT_GT(each.legacy_per_second, 0);
    EXPECT_GT(each.new_per_second, 0);
  }
}

TEST(NullServer, AnswersUntilItEnds) {
  std::string url;
  {
    const NullServer server;
    url = server.url();
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(replay::send(Request{"GET", "/", {}, ""}, url, std::chrono::seconds(5)).response.status, 204);
  }
  EXPECT_EQ(replay::send(Request{"GET", "/", {}, ""}, url, std::chrono::seconds(5)).outcome, replay::Outcome::refused);
}

// -- which requests are measured -----------------------------------------------------------------------------------------

// A list that is read, an order that is made, and the order read: its id comes from the answer.
replay::Plan shop_plan() {
  replay::Plan plan;
  const auto add = [&](const std::string& method, const std::string& target, bool read) -> replay::Step& {
    replay::Step& step = plan.steps.emplace_back();
    step.id = static_cast<replay::StepId>(plan.steps.size());
    step.read = read;
    step.request = Request{method, target, {}, ""};
    return step;
  };
  add("GET", "/orders", true);
  add("POST", "/orders", false);
  add("GET", "/orders/41", true).uses = {{"path:1", "41", 2, "json:/id"}};
  add("GET", "/orders/7", true);
  add("GET", "/products", true);
  return plan;
}

replay::History answered(const replay::Plan& plan) {
  replay::History history;
  for (const replay::Step& step : plan.steps) {
    replay::Record& record = history.records.emplace_back();
    record.step = step.id;
    record.read = step.read;
    record.outcome = replay::Outcome::answered;
    record.request = *step.request.get();
    record.response.status = step.read ? 200 : 201;
  }
  return history;
}

Configuration with(std::vector<properties::Budget> limits) {
  Configuration configuration;
  configuration.budgets.limits = std::move(limits);
  return configuration;
}

std::string targets(const std::vector<SampleKind>& kinds) {
  std::string text;
  for (const SampleKind& kind : kinds) {
    text += kind.route + (kind.extra ? " (extra):" : ":");
    for (const Sample& sample : kind.samples)
      text += " " + sample.step.request.get()->method + sample.step.request.get()->target +
              (sample.measured ? "" : "(for its answer)");
    text += "; ";
  }
  return text;
}

TEST(Samples, AreTheReadsThatNeedNoWrite) {
  const auto plan = shop_plan();
  const auto all = budget_of(Stage::live, "all", "p50", "5ms"),
             orders = budget_of(Stage::live, "GET /orders/{}", "p50", "5ms");
  EXPECT_EQ(targets(samples_for(with({all, orders}), plan, answered(plan), Stage::live)),
            "all: GET/orders GET/orders/7 GET/products; GET /orders/{} (extra): GET/orders/7; ");
  EXPECT_EQ(targets(samples_for(with({all}), plan, answered(plan), Stage::shadow)), "") << "no budget is of shadow";
  const auto each = budget_of(Stage::live, "each", "p50", "5ms");
  EXPECT_EQ(targets(samples_for(with({each, all}), plan, answered(plan), Stage::live)),
            "all: GET/orders GET/orders/7 GET/products; ")
      << "the same requests tell both";
  auto refused = answered(plan);
  refused.records[3].response.status = 404;
  EXPECT_EQ(targets(samples_for(with({orders}), plan, refused, Stage::live)), "");
}

TEST(Samples, OfWritesAreSentWithWhatTheyNeed) {
  const auto plan = shop_plan();
  Configuration configuration =
      with({budget_of(Stage::live, "GET /orders/{}", "p50", "5ms"), budget_of(Stage::read_only, "all", "p50", "5ms")});
  configuration.budgets.writes = true;
  EXPECT_EQ(targets(samples_for(configuration, plan, answered(plan), Stage::live)),
            "GET /orders/{} (extra): POST/orders(for its answer) GET/orders/41 GET/orders/7; ");
  EXPECT_EQ(targets(samples_for(configuration, plan, answered(plan), Stage::read_only)),
            "all: GET/orders GET/orders/7 GET/products; ");
}

TEST(Samples, WhatCannotBeJudgedIsSaidBeforehand) {
  const auto plan = shop_plan();
  const auto refusal = [&](const Configuration& configuration, Stage stage) -> std::string {
    try {
      check_budgets(configuration, plan, {stage});
    } catch (const Error& error) {
      return error.what();
    }
    return "taken";
  };
  const auto of = [](Stage stage, const std::string& route, const std::string& metric, const std::string& limit) {
    return with({budget_of(stage, route, metric, limit)});
  };
  EXPECT_EQ(refusal(of(Stage::live, "all", "overhead_p50", "10%"), Stage::live), "taken");
  EXPECT_THAT(refusal(of(Stage::live, "GET /customers", "p50", "5ms"), Stage::live),
              HasSubstr("its reads are GET /orders, GET /orders/{}, GET /products"));
  EXPECT_EQ(refusal(of(Stage::live, "GET /customers", "p50", "5ms"), Stage::off), "taken")
      << "that stage is not rehearsed";
  EXPECT_THAT(refusal(of(Stage::live, "POST /orders", "p50", "5ms"), Stage::live), HasSubstr("these are writes"));
  EXPECT_THAT(refusal(of(Stage::completed, "all", "p50", "5ms"), Stage::completed),
              HasSubstr("legacy answers with an error in completed"));
  EXPECT_THAT(refusal(of(Stage::live, "all", "p99.99", "5ms"), Stage::live), HasSubstr("raise budgets.time"));
  Configuration brief = of(Stage::live, "all", "p50", "5ms");
  brief.budgets.time = milliseconds(10'000);
  EXPECT_THAT(refusal(brief, Stage::live), HasSubstr("8 are the fewest that decide anything"));
  Configuration endless = of(Stage::live, "all", "p50", "5ms");
  endless.budgets.time = std::chrono::hours(24);
  EXPECT_THAT(refusal(endless, Stage::live), HasSubstr("are enough for anything"));
  Configuration writing = of(Stage::live, "all", "p50", "5ms");
  writing.budgets.writes = true;
  EXPECT_THAT(refusal(writing, Stage::live), HasSubstr("both sides would write to one database"));
  writing.fuzz.oracle_url = "http://127.0.0.1:9";
  EXPECT_THAT(refusal(writing, Stage::live), HasSubstr("disposable: true under fuzz.oracle"));
  Configuration apart = of(Stage::live, "all", "p50", "5ms");
  apart.new_.target.host = "shop.example";
  EXPECT_THAT(refusal(apart, Stage::live), HasSubstr("spoken to differently"));
}

}  // namespace
}  // namespace rehearse::harness
