// How the player speaks HTTP, keeps its times and divides its work.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "replay/error.h"
#include "replay/http/parser.h"
#include "replay/planner.h"
#include "replay/test_faults.h"
#include "replay/test_server.h"
#include "replay/values.h"

namespace rehearse::replay {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

Step overlapping(Step made) {
  made.overlaps = true;
  return made;
}

Step posting(StepId id, const std::string& target, std::string body, Headers headers = {}) {
  Step made = step(id, target);
  made.request = Request{"POST", target, std::move(headers), std::move(body)};
  made.read = false;
  return made;
}

std::map<std::string, int> outcomes_of(const History& history) {
  std::map<std::string, int> counts;
  for (const Record& record : history.records) ++counts[std::string(name_of(record.outcome))];
  return counts;
}

// -- HTTP/1.1 ----------------------------------------------------------------------------------------------------------------

TEST(Pipelining, WhatOverlappedOnAConnectionIsSentBeforeTheAnswerBeforeIt) {
  Server server([](Peer& peer, const Request& request) {
    if (request.target == "/c") peer.send(ok("a") + ok("b") + ok("c"));  // never, if the client waited
  });
  const History history =
      play(plan_of({step(1, "/a"), overlapping(step(2, "/b")), overlapping(step(3, "/c"))}), at(server.url()));
  server.stop();
  EXPECT_EQ(server.connections(), 1u);
  ASSERT_EQ(history.records.size(), 3u);
  EXPECT_EQ(history.records[0].response.body + history.records[1].response.body + history.records[2].response.body,
            "abc");
}

TEST(Pipelining, AStepThatDidNotOverlapWaitsForAllAnswers) {
  Server* self = nullptr;
  Server server([&self](Peer& peer, const Request& request) {
    if (request.target == "/b") {
      self->note("answers");
      peer.send(ok() + ok());
    }
    if (request.target == "/c") peer.send(ok());
  });
  self = &server;
  static_cast<void>(play(plan_of({step(1, "/a"), overlapping(step(2, "/b")), step(3, "/c")}), at(server.url())));
  EXPECT_THAT(server.events(), ElementsAre("got /a", "got /b", "answers", "got /c"));
}

TEST(Pipelining, WhatIsBehindTheLastAnswerOfAConnectionIsLostAndCounted) {
  Server server([](Peer& peer, const Request& request) {
    if (request.target == "/a") return;
    if (request.target != "/b") return peer.send(ok());
    peer.send(ok("", "Connection: close\r\n"));
    peer.close();
  });
  const History history = play(plan_of({step(1, "/a"), overlapping(step(2, "/b")), step(3, "/c")}), at(server.url()));
  EXPECT_THAT(outcomes_of(history), UnorderedElementsAre(std::pair("answered", 2), std::pair("lost", 1)));
  EXPECT_EQ(history.records[1].outcome, Outcome::lost);
}

TEST(Pipelining, StreamsOfACaptureBecomeConnectionsWhereTheTargetHasNone) {
  Server* self = nullptr;
  Server server([&self](Peer& peer, const Request& request) {
    if (request.target == "/slow") self->wait_for("got /quick");
    peer.send(ok());
  });
  self = &server;
  Plan plan = plan_of({step(1, "/slow"), overlapping(step(2, "/quick"))});
  for (Step& each : plan.steps) each.http2 = true;
  EXPECT_THAT(outcomes_of(play(plan, at(server.url()))), ElementsAre(std::pair("answered", 2)));
  server.stop();
  EXPECT_EQ(server.connections(), 2u);
}

TEST(Expect, TheBodyIsSentWhenTheServerHasSaidSo) {
  Server server([](Peer& peer, const Request& request) { peer.send(ok(request.body)); });
  server.on_head = [&](Peer& peer, const Request& head) {
    server.note("expects " + std::string(field(head.headers, "Expect").value_or("nothing")));
    peer.send("HTTP/1.1 100 Continue\r\n\r\n");
  };
  PlayOptions options = at(server.url());
  options.permission_wait = std::chrono::hours(1);  // so that nothing but the permission lets the body go
  const History history = play(plan_of({posting(1, "/a", "body", {{"Expect", "100-continue"}})}), options);
  EXPECT_THAT(server.events(), ElementsAre("expects 100-continue", "got /a"));
  EXPECT_EQ(history.records[0].response.body, "body");
}

TEST(Expect, AServerThatSaysNothingGetsTheBodyAfterAWhile) {
  Server server([](Peer& peer, const Request& request) { peer.send(ok(request.body)); });
  PlayOptions options = at(server.url());
  options.permission_wait = milliseconds(20);
  const History history = play(plan_of({posting(1, "/a", "body", {{"Expect", "100-continue"}})}), options);
  EXPECT_GE(history.records[0].done_ns - history.records[0].sent_ns, 20'000'000);
  EXPECT_EQ(history.records[0].response.body, "body");
}

TEST(Expect, ARefusalIsTheAnswerAndTheBodyIsNeverSent) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  server.on_head = [](Peer& peer, const Request& head) {
    if (head.target == "/a") peer.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n");
  };
  const History history =
      play(plan_of({posting(1, "/a", "body", {{"Expect", "100-continue"}}), step(2, "/b")}), at(server.url()));
  EXPECT_EQ(history.records[0].response.status, 417);
  EXPECT_EQ(history.records[1].response.status, 200);
  EXPECT_THAT(server.events(), ElementsAre("got /b")) << "over another connection: this one waits for a body";
}

TEST(Bodies, AnAnswerBeforeTheBodyWasReadCounts) {
  Server server([](Peer&, const Request&) {});
  server.on_head = [](Peer& peer, const Request&) {
    peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfull");
    shutdown(peer.socket(), SHUT_RDWR);
  };
  const History history = play(plan_of({posting(1, "/a", std::string(32u << 20, 'x'))}), at(server.url()));
  EXPECT_EQ(history.records[0].outcome, Outcome::answered) << history.records[0].problem;
  EXPECT_EQ(history.records[0].response.status, 413);
}

TEST(Bodies, LargeOnesGoOutWholeInBothFramings) {
  std::string body(3u << 20, 'x');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i * i % 23);
  Server server([](Peer& peer, const Request& request) { peer.send(ok(request.body)); });
  const History history = play(
      plan_of({posting(1, "/a", body), posting(2, "/b", body, {{"Transfer-Encoding", "chunked"}})}), at(server.url()));
  EXPECT_TRUE(history.records[0].response.body == body);
  EXPECT_TRUE(history.records[1].response.body == body);
}

TEST(Bodies, AnAnswerBeyondTheLimitIsLost) {
  for (const std::string framing : {"Content-Length: 99999999999", "Transfer-Encoding: chunked"}) {
    Server server([&](Peer& peer, const Request&) {
      peer.send(fmt::format("HTTP/1.1 200 OK\r\n{}\r\n\r\n{:x}\r\n", framing, max_response_bytes + 1));
    });
    const History history = play(plan_of({step(1, "/a")}), at(server.url()));
    EXPECT_EQ(history.records[0].outcome, Outcome::lost);
    EXPECT_THAT(history.records[0].problem, HasSubstr("longer than 64 MiB"));
  }
}

TEST(Bodies, TrailersAreKept) {
  Server server([](Peer& peer, const Request&) {
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nDigest: abc\r\n\r\n");
  });
  const History history = play(plan_of({step(1, "/a")}), at(server.url()));
  EXPECT_EQ(history.records[0].response.trailers, (Headers{{"Digest", "abc"}}));
}

// The answer is the same wherever the network cuts it.
TEST(Bodies, AnAnswerMayComeInAnyPieces) {
  const std::string bytes =
      "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: 1\r\n\r\n4;a=b\r\nbody\r\n1\r\n!\r\n0\r\nT: 1\r\n\r\n";
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    Server server([&](Peer& peer, const Request&) {
      peer.send(std::string_view(bytes).substr(0, cut));
      std::this_thread::sleep_for(milliseconds(1));
      peer.send(std::string_view(bytes).substr(cut));
    });
    const History history = play(plan_of({step(1, "/a"), step(2, "/b")}), at(server.url()));
    for (const Record& record : history.records) {
      ASSERT_EQ(record.response, (Response{200, {{"Transfer-Encoding", "chunked"}, {"X", "1"}}, "body!", {{"T", "1"}}}))
          << cut;
    }
  }
}

// -- limits ------------------------------------------------------------------------------------------------------------------

// Answers after a moment, and counts how many requests it had at once.
class SideBySide {
 public:
  Handler handler() {
    return [this](Peer& peer, const Request&) {
      const int now = ++open_;
      for (int most = most_; most < now && !most_.compare_exchange_weak(most, now);) {
      }
      std::this_thread::sleep_for(milliseconds(2));
      --open_;
      peer.send(ok());
    };
  }
  [[nodiscard]] int most() const { return most_; }

 private:
  std::atomic<int> open_ = 0, most_ = 0;
};

TEST(Limits, TheFirstByteHasATimeOfItsOwn) {
  Server server([](Peer& peer, const Request& request) {
    if (request.target == "/silent") return;
    peer.send("HTTP/1.1 200 OK\r\n");
    std::this_thread::sleep_for(milliseconds(150));
    peer.send("Content-Length: 0\r\n\r\n");
  });
  PlayOptions options = at(server.url());
  options.begin_deadline = milliseconds(60);
  const History history = play(plan_of({step(1, "/silent"), step(2, "/slow")}), options);
  EXPECT_THAT(history.records[0].problem, HasSubstr("no answer within 60 ms while waiting for the answer"));
  EXPECT_EQ(history.records[1].outcome, Outcome::answered);
}

TEST(Limits, AConnectionThatNobodyAcceptsIsRefusedInTime) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 0), 0);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  std::vector<int> fillers;  // the queue of the listener is full: further ones get no answer
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    static_cast<void>(::connect(fillers.back(), reinterpret_cast<sockaddr*>(&address), size));
  }
  PlayOptions options = at(fmt::format("http://127.0.0.1:{}", ntohs(address.sin_port)));
  options.connect_deadline = milliseconds(80);
  const History history = play(plan_of({step(1, "/a")}), options);
  EXPECT_EQ(history.records[0].outcome, Outcome::refused);
  EXPECT_THAT(history.records[0].problem, HasSubstr("no connection within 80 ms"));
  for (const int filler : fillers) close(filler);
  close(listener);
}

TEST(Limits, StepsWaitForAFreeConnection) {
  SideBySide requests;
  Server server(requests.handler());
  std::vector<Step> steps;
  // Each lane comes twice, so that idle connections have to make room for others.
  for (StepId id = 1; id <= 60; ++id) steps.push_back(step(id, "/a", {}, id % 30));
  PlayOptions options = at(server.url());
  options.max_connections = 3;
  const History history = play(plan_of(std::move(steps)), options);
  EXPECT_THAT(outcomes_of(history), ElementsAre(std::pair("answered", 60)));
  EXPECT_LE(requests.most(), 3);
}

TEST(Limits, AServerThatNeverStopsIsGivenUpInTime) {
  Server server([](Peer& peer, const Request&) {
    std::string many;
    while (many.size() < 100'000) many += "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    while (::send(peer.socket(), many.data(), many.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  PlayOptions options = at(server.url());
  options.deadline = milliseconds(100);
  const History history = play(plan_of({step(1, "/a")}), options);
  EXPECT_THAT(history.records[0].problem, HasSubstr("no answer within 100 ms"));
}

TEST(Limits, TheRateHoldsForWhatWaitedForAConnection) {
  Server server([first = true](Peer& peer, const Request&) mutable {
    if (std::exchange(first, false)) std::this_thread::sleep_for(milliseconds(80));
    peer.send(ok());
  });
  std::vector<Step> steps;
  for (StepId id = 1; id <= 10; ++id) steps.push_back(step(id, "/a", {}, id));
  PlayOptions options = at(server.url());
  options.rate = 200;
  options.max_connections = 1;
  const History history = play(plan_of(std::move(steps)), options);
  std::vector<std::int64_t> sent, due;
  for (const Record& record : history.records) {
    sent.push_back(record.sent_ns);
    due.push_back(record.due_ns);
    EXPECT_GE(record.sent_ns, record.due_ns);
  }
  std::sort(sent.begin(), sent.end());
  std::sort(due.begin(), due.end());
  for (std::size_t i = 1; i < due.size(); ++i) EXPECT_GE(due[i] - due[i - 1], 5'000'000) << i;
  for (std::size_t i = 1; i < sent.size(); ++i)
    EXPECT_GE(sent[i], 80'000'000 + (static_cast<std::int64_t>(i) - 1) * 5'000'000) << i;
}

TEST(Limits, MoreWorkersThanConnectionsAreNoMoreConnections) {
  SideBySide requests;
  Server server(requests.handler());
  std::vector<Step> steps;
  for (StepId id = 1; id <= 20; ++id) steps.push_back(step(id, "/a", {}, id));
  PlayOptions options = at(server.url());
  options.workers = 4;
  options.max_connections = 1;
  EXPECT_THAT(outcomes_of(play(plan_of(std::move(steps)), options)), ElementsAre(std::pair("answered", 20)));
  EXPECT_EQ(requests.most(), 1);
}

TEST(Limits, AHostThatIsNoneIsRefusedBeforeAnythingIsSent) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  for (const char* host : {"a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: b", "a b", "a/b", "me@b"}) {
    PlayOptions options = at(server.url());
    options.host = host;
    EXPECT_THROW(static_cast<void>(play(plan_of({step(1, "/a")}), options)), Error) << host;
  }
  EXPECT_THAT(server.requests(), IsEmpty());
}

// The name has an address at which nobody listens; the socket of the second one gets the number of the first one's.
TEST(Limits, TheNextAddressOfANameIsTried) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  const History history = play(plan_of({step(1, "/a")}), at(server.url("two-addresses.example")));
  EXPECT_EQ(history.records[0].outcome, Outcome::answered) << history.records[0].problem;
}

// Lanes that wait for room are woken once each, also when what they wait for ends in another worker.
TEST(Limits, LanesThatWaitForRoomDoNotTakeTheTurnOfOthers) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  for (int i = 0; i < 20; ++i) {
    std::vector<Step> steps;
    for (StepId id = 1; id <= 40; ++id) {
      steps.push_back(step(id, "/a", {}, id % 8));
      if (id > 8) steps.back().after = {{id - 3}, {id - 8}};
    }
    PlayOptions options = at(server.url());
    options.workers = 2;
    options.max_connections = 2;
    EXPECT_EQ(play(plan_of(std::move(steps)), options).records.size(), 40u);
  }
}

// -- times -------------------------------------------------------------------------------------------------------------------

TEST(Times, ASenderThatCannotKeepThemSaysSo) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  for (const std::int64_t lanes : {40, 4}) {
    std::vector<Step> steps;
    for (StepId id = 1; id <= 40; ++id) {
      steps.push_back(overlapping(step(id, "/a", {}, id % lanes)));
      steps.back().due_ns = id * 1'000'000;
    }
    PlayOptions options = at(server.url());
    options.speed = 1;
    options.adapt = [](const Step&, Request&) { std::this_thread::sleep_for(milliseconds(5)); };
    const History history = play(plan_of(steps), options);
    const Sender& sender = history.sender;
    EXPECT_THAT(sender.behind, HasSubstr("ms late")) << lanes;
    EXPECT_GT(sender.late_p50_ns, 1'000'000);
    EXPECT_LE(sender.late_p50_ns, sender.late_p99_ns);
    EXPECT_LE(sender.late_p99_ns, sender.late_max_ns);
    for (std::size_t i = 0; i < steps.size(); ++i)
      EXPECT_EQ(history.records[i].due_ns, steps[i].due_ns - steps[0].due_ns) << "it could have left then";
    options.speed = 0;
    EXPECT_EQ(play(plan_of(steps), options).sender.behind, "") << "without times there is nothing to keep";
  }
}

// A closed lane sends when the answer before has been read: a sender that is busy with other things makes its own latencies.
TEST(Times, ASenderThatReadsAnswersLateSaysSo) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  std::vector<Step> steps;
  for (StepId id = 1; id <= 60; ++id) steps.push_back(step(id, "/a", {}, id % 4));
  PlayOptions options = at(server.url());
  options.rate = 100'000;
  options.adapt = [](const Step&, Request&) { std::this_thread::sleep_for(milliseconds(5)); };
  EXPECT_NE(play(plan_of(steps), options).sender.behind, "");
}

TEST(Times, WhatWasObtainedOfTheSchedulerIsSaid) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  PlayOptions options = at(server.url());
  options.speed = 1;
  EXPECT_THAT(play(plan_of({step(1, "/a")}), options).sender.scheduling, HasSubstr("real-time"));
  options.real_time = false;
  EXPECT_EQ(play(plan_of({step(1, "/a")}), options).sender.scheduling, "normal");
}

TEST(Times, ACueHasItsTimeToo) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  PlayOptions options = at(server.url());
  options.speed = 1;
  const auto begin = std::chrono::steady_clock::now();
  std::chrono::nanoseconds ran{};
  options.on_cue = [&](const Step&) { ran = std::chrono::steady_clock::now() - begin; };
  Plan plan = plan_of({step(1, "/a"), cue(2, "flip")});
  plan.steps[1].due_ns = 50'000'000;
  static_cast<void>(play(plan, options));
  EXPECT_GE(ran.count(), 50'000'000);
}

// Clients that came one after the other in the capture: their connections are not opened all at once.
TEST(Lanes, AreUnderWayAtOnceAsManyAsTheCaptureHadAtItsBusiest) {
  std::mutex mutex;
  int open = 0, most = 0;
  Server server([&](Peer& peer, const Request& request) {
    {
      const std::lock_guard lock(mutex);
      most = std::max(most, open += request.target == "/first");
      open -= request.target == "/last";
    }
    peer.send(ok());
  });
  Plan plan;
  for (StepId lane = 1; lane <= 300; ++lane) {
    plan.steps.push_back(step(2 * lane - 1, "/first", {}, lane));
    plan.steps.push_back(step(2 * lane, "/last", {}, lane));
    plan.steps[plan.steps.size() - 2].due_ns = plan.steps.back().due_ns = lane * 100'000'000;
  }
  for (const unsigned workers : {1u, 3u}) {
    most = 0;
    PlayOptions options = at(server.url());
    options.workers = workers;
    EXPECT_THAT(outcomes_of(play(plan, options)), ElementsAre(std::pair("answered", 600)));
    EXPECT_LE(most, 64);
  }
}

// The last lane's first step is what all others wait for.
TEST(Lanes, ThatWaitForALaterOneDoNotKeepItFromBeginning) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  Plan plan;
  constexpr StepId lanes = 200;
  for (StepId lane = 1; lane <= lanes; ++lane) plan.steps.push_back(step(lane, "/a", {}, lane));
  for (StepId lane = 1; lane < lanes; ++lane) plan.steps.push_back(step(lanes + lane, "/b", {lanes}, lane));
  for (Step& each : plan.steps)
    each.due_ns = each.id * 10'000'000'000;  // an hour: a capture with hardly anything at once
  for (const unsigned workers : {1u, 3u}) {
    PlayOptions options = at(server.url());
    options.workers = workers;
    EXPECT_THAT(outcomes_of(play(plan, options)), ElementsAre(std::pair("answered", 2 * lanes - 1)));
  }
}

// -- what is handed over -----------------------------------------------------------------------------------------------------

TEST(Records, AreHandedOverOneByOneInsteadOfKept) {
  Server server([](Peer& peer, const Request&) { peer.send(ok("x")); });
  std::set<StepId> seen;
  std::vector<Step> steps;
  for (StepId id = 1; id <= 50; ++id) steps.push_back(step(id, "/a", {}, id % 7));
  PlayOptions options = at(server.url());
  options.workers = 3;
  options.on_record = [&](Record&& record) {
    EXPECT_EQ(record.response.body, "x");
    EXPECT_TRUE(seen.insert(record.step).second);
  };
  const History history = play(plan_of(std::move(steps)), options);
  EXPECT_EQ(seen.size(), 50u);
  EXPECT_THAT(history.records, IsEmpty());
  EXPECT_EQ(history.sent, 50);
  EXPECT_FALSE(history.interrupted);
}

TEST(Records, DoNotHoldWhatTheTargetAloneIsToldOf) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  PlayOptions options = at(server.url());
  options.host = "shop.example";
  options.adapt = [](const Step& adapted, Request& request) {
    set_field(request.headers, "Authorization", fmt::format("Bearer for-{}", adapted.id));
  };
  const History history = play(plan_of({step(7, "/a")}), options);
  EXPECT_FALSE(field(history.records[0].request.headers, "Authorization"));
  const auto requests = server.requests();
  EXPECT_EQ(field(requests.at(0).headers, "Authorization"), "Bearer for-7");
  EXPECT_EQ(field(requests.at(0).headers, "Host"), "shop.example");
}

TEST(Records, WhatAFunctionOfTheCallerThrowsEndsThePlay) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  for (const unsigned workers : {1u, 2u}) {
    PlayOptions options = at(server.url());
    options.workers = workers;
    options.on_record = [](Record&&) { throw Error("the disk is full"); };
    EXPECT_THROW(
        static_cast<void>(play(plan_of({step(1, "/a"), step(2, "/b", {}, 2), step(3, "/c", {1, 2})}), options)), Error);
  }
}

TEST(Faults, WhatAServerSaysBeforeItWasAskedIsNoAnswer) {
  Server server([](Peer& peer, const Request&) { peer.send(ok("asked")); });
  server.on_connection = [&](Peer& peer) {
    peer.send(ok("nobody asked"));
    server.note("spoke");
  };
  behind_the_next_connect([&] { server.wait_for("spoke"); });
  const Record record = play(plan_of({step(1, "/a")}), at(server.url())).records[0];
  EXPECT_EQ(record.outcome, Outcome::refused);
  EXPECT_EQ(record.problem, "connecting: the server spoke before it was asked");
}

TEST(Faults, AConnectIsNotSent) {
  Step tunnel = step(1, "shop.example:443");
  tunnel.request = Request{"CONNECT", "shop.example:443", {}, ""};
  EXPECT_THROW(expect_playable(plan_of({tunnel}), at("http://127.0.0.1:9")), Error);
}

// -- every fault -------------------------------------------------------------------------------------------------------------

// The N-th operation on a socket fails, for every N: each step has one record, and none is said to have been refused that the
// server has seen.
TEST(Faults, InAnyOperationOnASocketLeaveAWholeHistory) {
  Server server([](Peer& peer, const Request& request) {
    peer.send(ok(request.method == "POST" ? R"({"id": "a-new-id-1"})" : "", json_type));
  });
  Plan plan =
      plan_of({posting(1, "/orders", R"({"a": 1})"), step(2, "/orders/a-captured-id", {1}, 2), step(3, "/a"),
               overlapping(step(4, "/b")), step(5, "/c", {4}, 3), posting(6, "/big", std::string(300'000, 'x'))});
  plan.steps[1].uses = {{"path:1", "a-captured-id", 1, "json:/id"}};
  for (const unsigned workers : {1u, 3u})
    EXPECT_GT(with_every_fault(server, plan, at(server.url()), workers), 15)
        << "the player does more with sockets than that";
}

// -- a model of a service ----------------------------------------------------------------------------------------------------

// Where an answer gives an id, and where a request names one.
enum class Gives { json, location, cookie };
enum class Names { path, query, form, json, cookie };

std::string id_given(Gives gives, const Response& response) {
  const char* const place = gives == Gives::json       ? "json:/id"
                            : gives == Gives::location ? "location:1"
                                                       : "set-cookie:thing";
  return value_at(response, place).value_or("");
}

Request naming(Names names, const std::string& method, const std::string& id) {
  switch (names) {
    case Names::path:
      return {method, "/things/" + id, {}, ""};
    case Names::query:
      return {method, "/things?thing=" + id, {}, ""};
    case Names::form:
      return {method, "/things", {{"Content-Type", "application/x-www-form-urlencoded"}}, "thing=" + id};
    case Names::json:
      return {method, "/things", {{"Content-Type", "application/json"}}, fmt::format(R"({{"thing":"{}"}})", id)};
    case Names::cookie:
      return {method, "/things", {{"Cookie", "thing=" + id}}, ""};
  }
  return {};
}

std::string id_named(const Request& request) {
  for (const char* place : {"path:1", "query:thing", "form:thing", "json:/thing", "cookie:thing"}) {
    if (const auto id = value_at(request, place)) return *id;
  }
  return {};
}

// Makes ids of its own, at random, and answers what it knows of them.
class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed) {}

  Response answer(const Request& request) {
    const std::lock_guard lock(mutex_);
    const auto json = [](int status, std::string body) {
      return Response{status, {{"Content-Type", "application/json"}}, std::move(body)};
    };
    if (request.method == "POST") {
      const std::string id = fmt::format("{:016x}-{:08x}", random_(), random_() & 0xffffffff);
      const std::string what = value_at(request, "json:/what").value_or("");
      things_[id] = what;
      const std::string how = value_at(request, "json:/give").value_or("");
      if (how == "location") return Response{201, {{"Location", "/things/" + id}}, ""};
      if (how == "cookie") return Response{201, {{"Set-Cookie", "thing=" + id + "; Path=/"}}, ""};
      return json(201, fmt::format(R"({{"id":"{}"}})", id));
    }
    const std::string id = id_named(request);
    const auto found = things_.find(id);
    if (found == things_.end()) return json(404, R"({"error":"unknown"})");
    const std::string body = fmt::format(R"({{"id":"{}","got":"{}"}})", id, found->second);
    if (request.method == "DELETE") {
      things_.erase(found);
      return Response{204, {}, ""};
    }
    return json(200, body);
  }

 private:
  std::mutex mutex_;
  std::mt19937_64 random_;
  std::map<std::string, std::string> things_;
};

std::string wire_of(const Response& response) {
  std::string wire = fmt::format("HTTP/1.1 {} X\r\n", response.status);
  for (const Header& header : response.headers) wire += header.name + ": " + header.value + "\r\n";
  if (response.status != 204) wire += fmt::format("Content-Length: {}\r\n", response.body.size());
  return wire + "\r\n" + response.body;
}

// Traffic as a capture would hold it: clients that make things, look at them and delete them, on several connections at once,
// answered by a model of its own. Requests overlap where they are about different things, on connections of HTTP/2 also with each
// other.
Traffic random_traffic() {
  struct Thing {
    std::string id;
    std::int64_t free_ns;  // when the last answer about it was over
  };
  Model model(*rc::gen::arbitrary<std::uint32_t>());
  const auto connections = *rc::gen::inRange<std::int64_t>(1, 5);
  const auto count = *rc::gen::inRange<int>(1, 30);
  const bool http2 = *rc::gen::arbitrary<bool>();
  Traffic traffic;
  std::vector<Thing> things;
  std::map<std::int64_t, std::int64_t> free_ns;  // by connection
  std::map<std::int64_t, std::int64_t> index;
  std::int64_t now = 1'000'000'000'000;
  for (int i = 0; i < count; ++i) {
    Exchange& exchange = traffic.exchanges.emplace_back();
    exchange.id = i + 1;
    exchange.connection = *rc::gen::inRange<std::int64_t>(1, connections + 1);
    exchange.index = index[exchange.connection]++;
    exchange.http2 = http2;
    now += *rc::gen::inRange(0, 2) * 500'000;
    if (!http2) now = std::max(now, free_ns[exchange.connection] + 1);
    const int kind = things.empty() ? 0 : *rc::gen::inRange(0, 4);
    const auto gives = static_cast<Gives>(*rc::gen::inRange(0, 3));
    Thing* thing = nullptr;
    if (kind == 0) {
      constexpr std::array<const char*, 3> how{"json", "location", "cookie"};
      exchange.request = {"POST",
                          "/things",
                          {{"Content-Type", "application/json"}},
                          fmt::format(R"({{"what":"{}","give":"{}"}})", *rc::gen::inRange(1, 50),
                                      how[static_cast<std::size_t>(gives)])};
    } else {
      thing = &things[static_cast<std::size_t>(*rc::gen::inRange<int>(0, static_cast<int>(things.size())))];
      now = std::max(now, thing->free_ns + 1);
      exchange.request = naming(static_cast<Names>(*rc::gen::inRange(0, 5)), kind == 3 ? "DELETE" : "GET", thing->id);
    }
    exchange.request_ns = exchange.request_end_ns = now;
    exchange.response_ns = exchange.response_end_ns = now + *rc::gen::inRange(1, 6) * 200'000;
    free_ns[exchange.connection] = std::max(free_ns[exchange.connection], exchange.response_end_ns);
    exchange.response = model.answer(exchange.request);
    if (thing)
      thing->free_ns = exchange.response_end_ns;
    else
      things.push_back({id_given(gives, *exchange.response), exchange.response_end_ns});
  }
  return traffic;
}

RC_GTEST_PROP(Replay, GivesEqualAnswersUnderTheBijectionAtAnySpeedAndWithAnyNumberOfWorkers, ()) {
  const Traffic traffic = random_traffic();
  PlannerOptions planning;
  if (*rc::gen::arbitrary<bool>()) planning.bytes_in_memory = 0;
  const Plan plan = rehearse::replay::plan_of(traffic, planning);
  RC_ASSERT(plan.steps.size() == traffic.exchanges.size());
  for (const Step& each : plan.steps) {
    for (const Cause& cause : each.after) RC_ASSERT(cause.step < each.id);  // no edge runs backwards
  }
  Model model(*rc::gen::arbitrary<std::uint32_t>());
  Server server([&](Peer& peer, const Request& request) { peer.send(wire_of(model.answer(request))); });
  PlayOptions options = at(server.url());
  options.workers = *rc::gen::inRange(1u, 5u);
  options.speed = *rc::gen::element(0.0, 1.0, 20.0);
  const History history = play(plan, options);
  RC_ASSERT(history.records.size() == plan.steps.size());
  RC_ASSERT(history.sent == static_cast<std::int64_t>(plan.steps.size()));
  RC_ASSERT(history.unbound == 0);

  std::map<std::string, std::string> made;  // captured → made in this play
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const Record& record = history.records[i];
    const Response& captured = *traffic.exchanges[i].response;
    RC_ASSERT(record.outcome == Outcome::answered);
    RC_ASSERT(record.response.status == captured.status);
    RC_ASSERT(value_at(captured, "json:/got") == value_at(record.response, "json:/got"));
    for (const auto gives : {Gives::json, Gives::location, Gives::cookie}) {
      const auto old_id = id_given(gives, captured), new_id = id_given(gives, record.response);
      RC_ASSERT(old_id.empty() == new_id.empty());
      if (!old_id.empty()) RC_ASSERT(made.try_emplace(old_id, new_id).first->second == new_id);
    }
  }
  std::set<std::string> distinct;
  for (const auto& [old_id, new_id] : made) RC_ASSERT(distinct.insert(new_id).second);
}

// With few connections lanes wait for room, and for each other: no step is left lying.
RC_GTEST_PROP(Replay, EndsWithFewConnectionsWhateverWaitsForWhat, ()) {
  Server server([](Peer& peer, const Request&) { peer.send(ok("x")); });
  Plan plan;
  const auto count = *rc::gen::inRange<StepId>(1, 40);
  for (StepId id = 1; id <= count; ++id) {
    plan.steps.push_back(step(id, fmt::format("/{}", id), {}, *rc::gen::inRange<std::int64_t>(1, 20)));
    plan.steps.back().overlaps = *rc::gen::inRange(0, 4) == 0;
    for (int causes = id > 1 ? *rc::gen::inRange(0, 3) : 0; causes > 0; --causes)
      plan.steps.back().after.push_back({*rc::gen::inRange<StepId>(1, id)});
  }
  PlayOptions options = at(server.url());
  options.max_connections = *rc::gen::inRange<std::size_t>(1, 4);
  options.workers = *rc::gen::inRange(1u, 3u);
  options.rate = *rc::gen::element(0.0, 0.0, 20'000.0);
  const History history = play(plan, options);
  RC_ASSERT(history.records.size() == static_cast<std::size_t>(count));
  for (const Record& record : history.records) RC_ASSERT(record.outcome == Outcome::answered);
}

// Whatever a server does to its connections, the outcomes are as many as the steps.
RC_GTEST_PROP(Replay, TheOutcomesAreAsManyAsTheSteps, ()) {
  const auto seed = *rc::gen::arbitrary<unsigned>();
  std::atomic<unsigned> turn = 0;
  Server server([&](Peer& peer, const Request&) {
    switch ((seed + ++turn * 2654435761u) >> 29) {
      case 0:
        return peer.reset();
      case 1:
        return peer.close();
      case 2:
        return peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");  // the rest never comes
      case 3:
        return peer.send("nonsense\r\n\r\n");
      default:
        return peer.send(ok("x"));
    }
  });
  Plan plan;
  const auto count = *rc::gen::inRange<StepId>(1, 40);
  for (StepId id = 1; id <= count; ++id) {
    plan.steps.push_back(step(id, fmt::format("/{}", id), {}, *rc::gen::inRange<std::int64_t>(1, 6)));
    plan.steps.back().overlaps = *rc::gen::arbitrary<bool>();
    if (id > 1 && *rc::gen::arbitrary<bool>()) plan.steps.back().after = {{*rc::gen::inRange<StepId>(1, id)}};
  }
  PlayOptions options = at(server.url());
  options.workers = *rc::gen::inRange(1u, 4u);
  options.max_connections = *rc::gen::element<std::size_t>(0, 1, 2, 3);
  options.deadline = milliseconds(60);
  const History history = play(plan, options);
  RC_ASSERT(history.records.size() == static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < history.records.size(); ++i) {
    RC_ASSERT(history.records[i].step == static_cast<StepId>(i) + 1);
    RC_ASSERT(history.records[i].due_ns <= history.records[i].done_ns);
    for (const Cause& cause : plan.steps[i].after)
      RC_ASSERT(history.records[static_cast<std::size_t>(cause.step) - 1].done_ns <= history.records[i].sent_ns);
  }
}

}  // namespace
}  // namespace rehearse::replay
