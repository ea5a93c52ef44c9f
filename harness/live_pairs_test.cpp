#include "harness/live_pairs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "replay/test_server.h"

namespace rehearse::harness {
namespace {

using replay::Peer;
using replay::Request;
using replay::Server;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Answers a request by what the function says, as JSON.
replay::Handler answering(std::function<std::string(const Request&)> body) {
  return [body = std::move(body)](Peer& peer, const Request& request) {
    const std::string text = body(request);
    peer.send(fmt::format("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                          text.size(), text));
  };
}

replay::Plan reads(const std::vector<std::string>& targets) {
  replay::Plan plan;
  for (const std::string& target : targets) {
    replay::Step step;
    step.id = static_cast<replay::StepId>(plan.steps.size()) + 1;
    step.lane = 1;
    step.read = true;
    step.request = Request{"GET", target, {}, ""};
    plan.steps.push_back(std::move(step));
  }
  return plan;
}

LivePairs pairs_of(const replay::Plan& plan, const Server& legacy, const Server& new_,
                   std::vector<properties::AnswerRule> rules = {}) {
  properties::Contract contract;
  contract.compared_headers = {"Content-Type"};
  contract.answer_rules = std::move(rules);
  LivePairsOptions options;
  options.legacy = legacy.url();
  options.new_ = new_.url();
  options.rate = 10'000;
  options.pause = std::chrono::milliseconds(0);
  return play_live_pairs(plan, contract, options);
}

std::int64_t classes(const LivePairs& pairs) {
  return pairs.equal + pairs.ignored + pairs.transient + pairs.late + pairs.changing + pairs.lasting +
         pairs.unanswered + pairs.unfinished;
}

TEST(LivePairs, AskBothAndFindEqualAnswersEqual) {
  Server legacy(answering([](const Request&) { return R"({"a":1,"b":2})"; }));
  Server new_(answering([](const Request&) { return R"({"b":2,"a":1})"; }));
  const auto pairs = pairs_of(reads({"/a", "/b", "/c"}), legacy, new_);
  EXPECT_EQ(pairs.equal, 3);
  EXPECT_EQ(classes(pairs), pairs.pairs);
  EXPECT_EQ(legacy.requests().size() + new_.requests().size(), 6u) << "what is equal is not asked for again";
}

// Answers `first` once, and `then` from the second request on.
replay::Handler changing(std::string first, std::string then) {
  return answering([=, asked = std::make_shared<std::atomic<bool>>(false)](const Request&) {
    return asked->exchange(true) ? then : first;
  });
}

TEST(LivePairs, ADifferenceThatLegacyItselfHasMadeUpForWasTransient) {
  for (const auto& [first, then] : std::vector<std::pair<std::string, std::string>>{
           {R"({"a":1})", R"({"a":2})"}, {R"({"a":null})", R"({"a":2})"}, {R"({"b":[]})", R"({"b":[7]})"}}) {
    Server legacy(changing(first, then));
    Server new_(answering([then = then](const Request&) { return then; }));
    const auto pairs = pairs_of(reads({"/a"}), legacy, new_);
    EXPECT_EQ(pairs.transient, 1) << first;
    EXPECT_EQ(classes(pairs), pairs.pairs);
  }
}

TEST(LivePairs, ADifferenceThatIsGoneWhileLegacyKeptStillWasLate) {
  Server legacy(answering([](const Request&) { return R"({"a":2})"; }));
  Server stale(changing(R"({"a":1})", R"({"a":2})"));
  const auto pairs = pairs_of(reads({"/a"}), legacy, stale);
  EXPECT_EQ(pairs.late, 1);
  EXPECT_THAT(pairs.differences, IsEmpty());
  ASSERT_EQ(pairs.late_ones.size(), 1u);
  EXPECT_EQ(pairs.late_ones[0].differences[0].observed, "1") << "what it gave first";
  EXPECT_EQ(classes(pairs), pairs.pairs);
  // Legacy changed, and in another place.
  Server elsewhere(changing(R"({"a":2,"b":1})", R"({"a":2,"b":2})")),
      late(changing(R"({"a":1,"b":1})", R"({"a":2,"b":2})"));
  EXPECT_EQ(pairs_of(reads({"/a"}), elsewhere, late).late, 1);
}

TEST(LivePairs, AFailureOfTheNewServiceThatIsGoneTheSecondTimeWasLateAndOneOfLegacyTransient) {
  const auto dying_once = [] {
    return [asked = std::make_shared<std::atomic<bool>>(false)](Peer& peer, const Request&) {
      if (!asked->exchange(true)) return peer.reset();
      peer.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    };
  };
  const auto good = [] { return answering([](const Request&) { return "{}"; }); };
  {
    Server legacy(good()), new_(dying_once());
    EXPECT_EQ(pairs_of(reads({"/a"}), legacy, new_).late, 1);
  }
  Server legacy(dying_once()), new_(good());
  EXPECT_EQ(pairs_of(reads({"/a"}), legacy, new_).transient, 1);
}

TEST(LivePairs, WhatDiffersTwiceIsLasting) {
  Server legacy(answering([](const Request&) { return R"({"a":2})"; }));
  Server new_(answering([](const Request&) { return R"({"a":1})"; }));
  const auto pairs = pairs_of(reads({"/a", "/b"}), legacy, new_);
  EXPECT_EQ(pairs.lasting, 2);
  ASSERT_EQ(pairs.differences.size(), 2u);
  EXPECT_EQ(pairs.differences[0].differences[0].path, "$.a");
  EXPECT_EQ(new_.requests().size(), 4u);
}

TEST(LivePairs, WhatLegacyItselfChangesProvesNothingButItsStructureDoes) {
  const auto counting = [](const char* name) {
    return answering([count = std::make_shared<std::atomic<int>>(0), name = std::string(name)](const Request&) {
      return fmt::format(R"({{"{}":{}}})", name, ++*count);
    });
  };
  Server legacy(counting("count")), ahead(answering([](const Request&) { return R"({"count":99})"; })),
      other(counting("total"));
  EXPECT_EQ(pairs_of(reads({"/a"}), legacy, ahead).changing, 1);
  EXPECT_EQ(pairs_of(reads({"/a"}), legacy, other).lasting, 1);
}

TEST(LivePairs, WithoutLegacysAnswerNothingIsProvedAndWithoutTheNewOnesItIsBroken) {
  Server good(answering([](const Request&) { return "{}"; }));
  Server broken([](Peer& peer, const Request&) { peer.reset(); });
  EXPECT_EQ(pairs_of(reads({"/a"}), broken, good).unanswered, 1);
  const auto pairs = pairs_of(reads({"/a"}), good, broken);
  ASSERT_EQ(pairs.lasting, 1);
  EXPECT_EQ(pairs.differences[0].differences[0].kind, properties::Difference::Kind::failure);
}

TEST(LivePairs, AskEitherOneFirst) {
  std::vector<std::string> order;
  std::mutex mutex;
  const auto noting = [&](const char* name) {
    return answering([&, name](const Request&) {
      const std::lock_guard lock(mutex);
      order.emplace_back(name);
      return "{}";
    });
  };
  Server legacy(noting("legacy")), new_(noting("new"));
  EXPECT_EQ(pairs_of(reads(std::vector<std::string>(32, "/a")), legacy, new_).equal, 32);
  ASSERT_EQ(order.size(), 64u);
  std::set<std::string> first;
  for (std::size_t i = 0; i < order.size(); i += 2) first.insert(order[i]);
  EXPECT_THAT(first, ElementsAre("legacy", "new"));
}

TEST(LivePairs, EachServiceGetsTheValuesThatItGave) {
  const auto service = [](const std::string& cursor) {
    return answering([cursor](const Request& request) {
      return request.target == "/list"
                 ? R"({"next":")" + cursor + R"("})"
                 : R"({"asked":")" + request.target.substr(request.target.find('=') + 1) + R"("})";
    });
  };
  Server legacy(service("legacy-cursor-1")), new_(service("new-cursor-1"));
  auto plan = reads({"/list", "/list?cursor=captured-cursor"});
  plan.steps[1].uses = {{"query:cursor", "captured-cursor", 1, "json:/next"}};
  const auto pairs = pairs_of(plan, legacy, new_);
  EXPECT_EQ(new_.requests().back().target, "/list?cursor=new-cursor-1");
  EXPECT_EQ(pairs.equal, 2) << "the cursors stand for each other, wherever they stand";
}

TEST(LivePairs, RulesAreAppliedAndCounted) {
  Server legacy(answering([](const Request&) { return R"({"a":2,"debug":1})"; }));
  Server new_(answering([](const Request&) { return R"({"a":2,"debug":7})"; }));
  const auto pairs =
      pairs_of(reads({"/a"}), legacy, new_,
               {{properties::AnswerRule::Kind::ignore, "GET /a", "$.debug", "", "for developers", "", ""}});
  EXPECT_EQ(pairs.ignored, 1);
  EXPECT_THAT(pairs.rule_hits, ElementsAre(1));
}

TEST(LivePairs, StopBeforeTheNextPair) {
  std::atomic<bool> stop{false};
  Server legacy(answering([&](const Request&) {
    stop = true;
    return "{}";
  }));
  Server new_(answering([](const Request&) { return "{}"; }));
  properties::Contract contract;
  LivePairsOptions options;
  options.legacy = legacy.url();
  options.new_ = new_.url();
  options.stop = &stop;
  const auto pairs = play_live_pairs(reads({"/a", "/b"}), contract, options);
  EXPECT_TRUE(pairs.interrupted);
  EXPECT_EQ(pairs.pairs, 1);
}

TEST(LivePairs, ThatWaitToBeReadAgainWhenItIsInterruptedAreInAClassOfTheirOwn) {
  std::atomic<bool> stop{false};
  Server legacy(answering([](const Request&) { return R"({"a":1})"; }));
  Server new_(answering([&](const Request& request) {
    stop = request.target == "/b";
    return R"({"a":2})";
  }));
  properties::Contract contract;
  LivePairsOptions options;
  options.legacy = legacy.url();
  options.new_ = new_.url();
  options.rate = 10'000;
  options.pause = std::chrono::hours(1);
  options.stop = &stop;
  const auto pairs = play_live_pairs(reads({"/a", "/b", "/c"}), contract, options);
  EXPECT_EQ(pairs.unfinished, 2);
  EXPECT_EQ(classes(pairs), pairs.pairs);
  EXPECT_EQ(pairs.legacy.records.size(), 2u) << "what was answered is kept";
  EXPECT_EQ(pairs.new_.records.size(), 2u);
}

}  // namespace
}  // namespace rehearse::harness
