#include "replay/player.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <random>
#include <thread>

#include "replay/error.h"
#include "replay/test_server.h"

namespace rehearse::replay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

PlayOptions impatient(const std::string& url) {
  PlayOptions options = at(url);
  options.deadline = std::chrono::milliseconds(100);
  return options;
}

std::vector<Outcome> outcomes_of(const History& history) {
  std::vector<Outcome> outcomes;
  for (const Record& record : history.records) outcomes.push_back(record.outcome);
  return outcomes;
}

// The outcome of one request to a server that answers so.
Record answered_by(const Handler& handler, const Request& request = {"GET", "/a", {}, ""}) {
  Server server(handler);
  return send(request, server.url(), std::chrono::seconds(10));
}

Record answered_with(const std::string& bytes, const std::string& method = "GET") {
  return answered_by(
      [&](Peer& peer, const Request&) {
        peer.send(bytes);
        peer.close();
      },
      {method, "/a", {}, ""});
}

// -- one request -------------------------------------------------------------------------------------------------------

TEST(Send, GivesTheWholeAnswer) {
  const Record record = answered_with(ok("body", "X-A: 1\r\nX-A: 2\r\n"));
  EXPECT_EQ(record.outcome, Outcome::answered);
  EXPECT_EQ(record.response, (Response{200, {{"Content-Length", "4"}, {"X-A", "1"}, {"X-A", "2"}}, "body"}));
  EXPECT_LE(record.due_ns, record.sent_ns);
  EXPECT_LT(record.sent_ns, record.done_ns);
}

TEST(Send, ReadsEveryFraming) {
  EXPECT_EQ(
      answered_with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\nX: 1\r\n\r\n")
          .response.body,
      "body");
  EXPECT_EQ(answered_with("HTTP/1.0 200 OK\r\n\r\nuntil the close").response.body, "until the close");
  EXPECT_EQ(answered_with("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", "HEAD").outcome, Outcome::answered);
  EXPECT_EQ(answered_with("HTTP/1.1 204 No Content\r\n\r\n").response.status, 204);
  EXPECT_EQ(answered_with("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n").response.status, 304);
  const Record interim =
      answered_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok("body"));
  EXPECT_EQ(interim.response, (Response{200, {{"Content-Length", "4"}}, "body"}));
}

TEST(Send, WhatIsNotAWholeAnswerIsLost) {
  for (const char* bytes : {"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbod", "garbage\r\n\r\n",
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo",
                            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n"}) {
    const Record record = answered_with(bytes);
    EXPECT_EQ(record.outcome, Outcome::lost) << bytes;
    EXPECT_FALSE(record.problem.empty()) << bytes;
  }
}

TEST(Send, AResetInTheMiddleOfAnAnswerIsLost) {
  const Record record = answered_by([](Peer& peer, const Request&) {
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nbegin");
    peer.reset();
  });
  EXPECT_EQ(record.outcome, Outcome::lost);
  EXPECT_EQ(record.problem, "reading the answer: Connection reset by peer");
}

TEST(Send, NoAnswerByTheDeadlineIsLost) {
  Server server([](Peer&, const Request&) {});
  const Record record = send({"GET", "/a", {}, ""}, server.url(), std::chrono::milliseconds(50));
  EXPECT_EQ(record.outcome, Outcome::lost);
  EXPECT_THAT(record.problem, HasSubstr("no answer within 50 ms"));
}

TEST(Send, WhereNobodyListensItIsRefused) {
  std::string url;
  {
    Server server([](Peer&, const Request&) {});
    url = server.url();
  }
  const Record record = send({"GET", "/a", {}, ""}, url, std::chrono::seconds(10));
  EXPECT_EQ(record.outcome, Outcome::refused);
  EXPECT_THAT(record.problem, HasSubstr("connecting"));
}

TEST(Send, SendsWhatWasCapturedButForTheConnectionsOwnFields) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  const Headers captured{{"Host", "shop"}, {"Connection", "close"},          {"X-A", "1"},
                         {"x-a", "2"},     {"Transfer-Encoding", "chunked"}, {"User-Agent", "curl/8"}};
  static_cast<void>(send({"POST", "/a%2Fb?c=%20", captured, "body"}, server.url(), std::chrono::seconds(10)));
  static_cast<void>(send({"POST", "/empty", {}, ""}, server.url(), std::chrono::seconds(10)));
  static_cast<void>(
      send({"GET", "/with-length", {{"Content-Length", "99"}}, "body"}, server.url(), std::chrono::seconds(10)));
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0].target, "/a%2Fb?c=%20");
  EXPECT_EQ(requests[0].body, "body");
  EXPECT_EQ(requests[0].headers, (Headers{{"Host", server.url().substr(7)},
                                          {"X-A", "1"},
                                          {"x-a", "2"},
                                          {"User-Agent", "curl/8"},
                                          {"Transfer-Encoding", "chunked"}}));
  EXPECT_EQ(field(requests[1].headers, "Content-Length"), "0");
  EXPECT_EQ(field(requests[2].headers, "Content-Length"), "4");
}

TEST(Send, TriesEveryAddressOfAName) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  EXPECT_EQ(send({"GET", "/a", {}, ""}, server.url("localhost"), std::chrono::seconds(10)).outcome, Outcome::answered);
}

TEST(Send, RefusesATargetThatIsNoHttpUrl) {
  for (const char* target :
       {"", "127.0.0.1:80", "ftp://127.0.0.1", "http://", "http://127.0.0.1/?a=b", "http://127.0.0.1/a/path",
        "http://127.0.0.1:65616", "http://127.0.0.1:0", "http://me:secret@127.0.0.1:80"}) {
    EXPECT_THROW(static_cast<void>(send({"GET", "/a", {}, ""}, target, std::chrono::seconds(1))), Error) << target;
  }
}

// -- plans -------------------------------------------------------------------------------------------------------------

TEST(Play, ALaneIsOneConnectionAndKeepsItsOrder) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  const History history = play(plan_of({step(1, "/a"), step(2, "/b"), step(3, "/c")}), at(server.url()));
  server.stop();
  EXPECT_EQ(server.connections(), 1u);
  EXPECT_THAT(server.events(), ElementsAre("got /a", "got /b", "got /c"));
  EXPECT_THAT(outcomes_of(history), ElementsAre(Outcome::answered, Outcome::answered, Outcome::answered));
  EXPECT_FALSE(history.interrupted);
}

TEST(Play, LanesAreDealtOutAmongTheInstances) {
  Server first([](Peer& peer, const Request&) { peer.send(ok()); });
  Server second([](Peer& peer, const Request&) { peer.send(ok()); });
  PlayOptions options = at(first.url());
  options.other_instances = {second.url()};
  static_cast<void>(play(
      plan_of({step(1, "/a", {}, 1), step(2, "/b", {1}, 2), step(3, "/c", {2}, 1), step(4, "/d", {3}, 2)}), options));
  first.stop();
  second.stop();
  EXPECT_THAT(first.events(), ElementsAre("got /b", "got /d"));
  EXPECT_THAT(second.events(), ElementsAre("got /a", "got /c"));
}

TEST(Play, AStepWaitsForItsCausesAndForNothingElse) {
  Server* self = nullptr;
  Server server([&self](Peer& peer, const Request& request) {
    if (request.target == "/slow") {
      self->wait_for("got /free");
      self->note("answered /slow");
    }
    peer.send(ok());
  });
  self = &server;
  static_cast<void>(
      play(plan_of({step(1, "/slow", {}, 1), step(2, "/after", {1}, 2), step(3, "/free", {}, 3)}), at(server.url())));
  const auto events = server.events();
  const auto at_event = [&](const char* event) {
    return std::find(events.begin(), events.end(), event) - events.begin();
  };
  EXPECT_LT(at_event("got /free"), at_event("answered /slow"));
  EXPECT_LT(at_event("answered /slow"), at_event("got /after"));
}

TEST(Play, AConnectionThatTheServerClosedIsOpenedAgain) {
  Server* self = nullptr;
  Server server([&self](Peer& peer, const Request& request) {
    peer.send(request.target == "/says-so" ? ok("", "Connection: close\r\n") : ok());
    if (request.target == "/b") return;
    peer.close();
    self->note("closed " + request.target);
  });
  self = &server;
  for (const char* first : {"/says-so", "/says-nothing"}) {
    PlayOptions options = at(server.url());
    options.on_cue = [&](const Step&) { server.wait_for(std::string("closed ") + first); };
    const History history =
        play(plan_of({step(1, first), cue(2, "wait until it is closed", {1}), step(3, "/b", {2})}), options);
    EXPECT_THAT(outcomes_of(history), ElementsAre(Outcome::answered, Outcome::answered)) << first;
  }
}

TEST(Play, AfterALostAnswerTheLaneGoesOn) {
  Server server([](Peer& peer, const Request& request) {
    if (request.target == "/hang") return;
    if (request.target == "/garbage") return peer.send("garbage\r\n\r\n");
    if (request.target == "/reset") return peer.reset();
    peer.send(ok());
  });
  const History history = play(
      plan_of({step(1, "/a"), step(2, "/hang"), step(3, "/b"), step(4, "/garbage"), step(5, "/reset"), step(6, "/c")}),
      impatient(server.url()));
  EXPECT_THAT(outcomes_of(history), ElementsAre(Outcome::answered, Outcome::lost, Outcome::answered, Outcome::lost,
                                                Outcome::lost, Outcome::answered));
}

TEST(Play, EveryStepHasOneRecordWhateverTheServerDoes) {
  std::mt19937 random(20231114);
  std::mutex mutex;
  Server server([&](Peer& peer, const Request&) {
    const std::lock_guard lock(mutex);
    switch (random() % 5) {
      case 0:
        return peer.reset();
      case 1:
        return peer.send("garbage\r\n\r\n");
      default:
        return peer.send(ok("x"));
    }
  });
  Plan plan;
  for (StepId id = 1; id <= 200; ++id) {
    plan.steps.push_back(step(id, fmt::format("/{}", id), {}, static_cast<std::int64_t>(random() % 8)));
    if (id > 1) plan.steps.back().after = {{static_cast<StepId>(random() % static_cast<unsigned>(id - 1)) + 1}};
  }
  PlayOptions options = at(server.url());
  std::size_t progress = 0;
  options.on_progress = [&](std::size_t done) { EXPECT_EQ(done, ++progress); };
  const History history = play(plan, options);
  ASSERT_EQ(history.records.size(), 200u);
  EXPECT_EQ(progress, 200u);
  for (std::size_t i = 0; i < 200; ++i) {
    EXPECT_EQ(history.records[i].step, static_cast<StepId>(i) + 1);
    for (const auto& [cause, kind] : plan.steps[i].after)
      EXPECT_LE(history.records[static_cast<std::size_t>(cause) - 1].done_ns, history.records[i].sent_ns);
  }
}

// -- values that the server makes --------------------------------------------------------------------------------------

Step use(Step made, const Place& place, const std::string& value, StepId from, const Place& source) {
  made.uses.push_back({place, value, from, source});
  return made;
}

// Makes ids of its own.
class Shop {
 public:
  void operator()(Peer& peer, const Request& request) {
    if (request.method == "POST") return peer.send(ok(fmt::format("{{\"id\":{}}}", next_ += 7), json_type));
    peer.send(ok());
  }

 private:
  std::int64_t next_ = std::random_device{}() % 1'000'000 + 100'000;
};

Step create(StepId id) {
  Step made = step(id, "/orders");
  made.request = Request{"POST", "/orders", {}, ""};
  made.read = false;
  return made;
}

TEST(Play, RewritesTheIdsThatTheServerMade) {
  Server server([shop = Shop()](Peer& peer, const Request& request) mutable { shop(peer, request); });
  const Plan plan = plan_of({create(1), use(step(2, "/orders/30011", {1}), "path:1", "30011", 1, "json:/id"),
                             use(step(3, "/orders?id=40022", {1}), "query:id", "40022", 1, "json:/missing")});
  const History history = play(plan, at(server.url()));
  ASSERT_EQ(history.bindings.size(), 1u);
  EXPECT_EQ(history.bindings[0].old, "30011");
  EXPECT_EQ(history.records[1].request.target, "/orders/" + history.bindings[0].value);
  EXPECT_EQ(server.requests()[1].target, history.records[1].request.target);
  EXPECT_EQ(history.records[2].request.target, "/orders?id=40022") << "without a value the captured one is sent";
  EXPECT_EQ(history.unbound, 1);
}

TEST(Play, CarriesBindingsFromOnePartOfAPlanToTheNext) {
  Server server([shop = Shop()](Peer& peer, const Request& request) mutable { shop(peer, request); });
  const Plan whole = plan_of({create(1), use(step(2, "/orders/30011", {1}), "path:1", "30011", 1, "json:/id")});
  PlayOptions options = at(server.url());
  options.whole = &whole;
  const History first = play(slice(whole, 0, 1), options);
  ASSERT_EQ(first.bindings.size(), 1u) << "learnt for a step that this part does not hold";
  options.earlier = first.bindings;
  const History second = play(slice(whole, 1, 2), options);
  EXPECT_EQ(second.records[0].request.target, "/orders/" + first.bindings[0].value);
  EXPECT_EQ(second.bindings, first.bindings);
  EXPECT_EQ(second.unbound, 0);
}

TEST(Play, AnAnswerWithoutTheValueLeavesItsUsesUnbound) {
  Server server([](Peer& peer, const Request&) { peer.send("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"); });
  const History history = play(
      plan_of({create(1), use(step(2, "/orders/30011", {1}), "path:1", "30011", 1, "json:/id")}), at(server.url()));
  EXPECT_EQ(history.unbound, 1);
  EXPECT_THAT(history.bindings, IsEmpty());
}

TEST(Play, AnEmptyIdIsNotSentInPlaceOfTheCapturedOne) {
  for (const char* value : {"", ".", ".."}) {
    Server server(
        [&](Peer& peer, const Request&) { peer.send(ok(fmt::format(R"({{"id": "{}"}})", value), json_type)); });
    const History history = play(
        plan_of({create(1), use(step(2, "/orders/30011", {1}), "path:1", "30011", 1, "json:/id")}), at(server.url()));
    EXPECT_EQ(history.records[1].request.target, "/orders/30011") << value;
    EXPECT_EQ(history.unbound, 1);
  }
}

TEST(Play, NoPlaceMakesARequestMoreThanOne) {
  Server server([](Peer& peer, const Request&) { peer.send(ok(R"({"id": "7"})", json_type)); });
  Plan plan =
      plan_of({create(1), use(step(2, "/orders/30011", {1}),
                              "header:X: 1\r\n\r\nPOST /smuggled HTTP/1.1\r\nHost: x\r\nX", "1", 1, "json:/id")});
  const History history = play(plan, at(server.url()));
  EXPECT_THAT(server.events(), ElementsAre("got /orders", "got /orders/30011"));
  EXPECT_EQ(history.unbound, 1);
}

TEST(Play, AUseWaitsForItsProducerEvenIfNobodyWroteThat) {
  Server server([shop = Shop()](Peer& peer, const Request& request) mutable { shop(peer, request); });
  const History history = play(
      plan_of({create(1), use(step(2, "/orders/30011", {}, 2), "path:1", "30011", 1, "json:/id")}), at(server.url()));
  EXPECT_EQ(history.unbound, 0);
  EXPECT_GE(history.records[1].sent_ns, history.records[0].done_ns);
}

TEST(Play, TheRateHoldsAlsoAfterAPause) {
  bool first = true;
  Server server([&](Peer& peer, const Request&) {
    if (std::exchange(first, false)) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    peer.send(ok());
  });
  std::vector<Step> steps;
  for (StepId id = 1; id <= 10; ++id) steps.push_back(step(id, "/" + std::to_string(id)));
  PlayOptions options = at(server.url());
  options.rate = 200;
  const History history = play(plan_of(std::move(steps)), options);
  for (std::size_t i = 1; i < history.records.size(); ++i) {
    EXPECT_GE(history.records[i].due_ns - history.records[i - 1].due_ns, 5'000'000) << i;
    EXPECT_GE(history.records[i].sent_ns, history.records[i].due_ns) << i;
  }
  // Not in a burst that makes up for the pause of 100 ms.
  for (std::size_t i = 1; i < history.records.size(); ++i)
    EXPECT_GE(history.records[i].sent_ns, 100'000'000 + (static_cast<std::int64_t>(i) - 1) * 5'000'000) << i;
}

// -- cues, stopping, pace ----------------------------------------------------------------------------------------------

TEST(Play, ACueRunsAtItsPlaceAndLeavesNoRecord) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  PlayOptions options = at(server.url());
  options.on_cue = [&](const Step& cued) { server.note("cue " + cued.cue); };
  const History history = play(plan_of({step(1, "/a", {}, 1), cue(2, "flip", {1}), step(3, "/b", {2}, 2)}), options);
  EXPECT_THAT(server.events(), ElementsAre("got /a", "cue flip", "got /b"));
  EXPECT_EQ(history.records.size(), 2u);
  EXPECT_EQ(history.sent, 2) << "a cue is not sent";
  EXPECT_FALSE(history.interrupted);
}

TEST(Play, RequestsThatDoNotWaitForACueGoOnWhileItRuns) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  PlayOptions options = at(server.url());
  options.on_cue = [&](const Step&) {
    server.wait_for("got /b");  // would never come if the cue kept the player from sending
    server.note("cue ends");
  };
  const History history =
      play(plan_of({step(1, "/a", {}, 1), cue(2, "copy", {1}), step(3, "/b", {1}, 2), step(4, "/c", {2}, 3)}), options);
  EXPECT_THAT(server.events(), ElementsAre("got /a", "got /b", "cue ends", "got /c"));
}

TEST(Play, ACueThatStillRunsWhenThePlayEndsByAThrowIsWaitedFor) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  std::promise<void> thrown;
  std::atomic<bool> ended = false;
  PlayOptions options = at(server.url());
  options.on_cue = [&](const Step& cued) {
    if (cued.cue == "fails") {
      thrown.set_value();
      throw Error("the flag cannot be set");
    }
    thrown.get_future().wait();
    ended = true;
  };
  EXPECT_THROW(static_cast<void>(play(plan_of({cue(1, "takes long"), cue(2, "fails")}), options)), Error);
  EXPECT_TRUE(ended);
}

TEST(Play, WhatIsInFlightWhenACueThrowsIsRecorded) {
  std::promise<void> thrown;
  Server server([&, failed = thrown.get_future().share()](Peer& peer, const Request&) {
    failed.wait();
    peer.send(ok());
  });
  std::atomic<int> answered = 0;
  PlayOptions options = at(server.url());
  options.on_record = [&](Record&& record) { answered += record.outcome == Outcome::answered; };
  options.on_cue = [&](const Step&) {
    server.wait_for("got /a");
    server.wait_for("got /b");
    thrown.set_value();
    throw Error("the flag cannot be set");
  };
  EXPECT_THROW(static_cast<void>(
                   play(plan_of({step(1, "/a"), step(2, "/b", {}, 2), cue(3, "flip"), step(4, "/c", {3})}), options)),
               Error);
  EXPECT_EQ(answered, 2);
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST(Play, WhatACueThrowsEndsThePlay) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  PlayOptions options = at(server.url());
  EXPECT_THROW(static_cast<void>(play(plan_of({cue(1, "flip")}), options)), Error) << "nobody runs cues";
  options.on_cue = [](const Step&) { throw Error("the flag cannot be set"); };
  EXPECT_THROW(static_cast<void>(play(plan_of({cue(1, "flip"), step(2, "/a", {1})}), options)), Error);
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST(Play, StoppedItFinishesWhatIsInFlightAndSendsNothingMore) {
  std::atomic<bool> stop = false;
  Server server([&](Peer& peer, const Request& request) {
    if (request.target == "/b") stop = true;
    peer.send(ok());
  });
  PlayOptions options = at(server.url());
  options.stop = &stop;
  const History history = play(plan_of({step(1, "/a"), step(2, "/b"), step(3, "/c"), step(4, "/d", {1}, 2)}), options);
  EXPECT_TRUE(history.interrupted);
  EXPECT_EQ(history.sent, static_cast<std::int64_t>(server.requests().size())) << "what was not begun does not count";
  for (const Record& record : history.records) EXPECT_EQ(record.outcome, Outcome::answered);
  EXPECT_EQ(record_of(history, 3), nullptr);
  EXPECT_NE(record_of(history, 2), nullptr);
}

TEST(Play, EndsWhenWhoeverLooksAtTheRecordsHasSeenEnough) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  PlayOptions options = at(server.url());
  options.enough = [](const Record& record) { return record.request.target == "/b"; };
  const History history = play(plan_of({step(1, "/a"), step(2, "/b"), step(3, "/c")}), options);
  EXPECT_EQ(history.records.size(), 2u);
  EXPECT_TRUE(history.interrupted);
}

TEST(Play, StoppedWhileItWaitsForAStepsTimeItSendsNothingMore) {
  std::atomic<bool> stop = false;
  Server server([&](Peer& peer, const Request&) {
    peer.send(ok());
    stop = true;
  });
  Plan plan = plan_of({step(1, "/a"), step(2, "/b")});
  plan.steps[1].due_ns = 3'600'000'000'000;  // in an hour
  PlayOptions options = at(server.url());
  options.stop = &stop;
  options.speed = 1;
  const History history = play(plan, options);
  EXPECT_TRUE(history.interrupted);
  EXPECT_EQ(history.records.size(), 1u);
  EXPECT_THAT(server.events(), ElementsAre("got /a"));
}

TEST(Play, AtASpeedNothingLeavesBeforeItsTime) {
  Server server([](Peer& peer, const Request&) { peer.send(ok()); });
  Plan plan = plan_of({step(1, "/a"), step(2, "/b"), step(3, "/c", {}, 2)});
  plan.steps[0].due_ns = 1'000'000'000;
  plan.steps[1].due_ns = 1'040'000'000;
  plan.steps[2].due_ns = 1'080'000'000;
  PlayOptions options = at(server.url());
  options.speed = 2;
  const History history = play(plan, options);
  EXPECT_GE(history.records[1].sent_ns, 20'000'000);
  EXPECT_GE(history.records[2].sent_ns, 40'000'000);
  EXPECT_GE(history.records[1].due_ns, 20'000'000);
}

TEST(Play, AnEmptyPlanIsAnEmptyHistory) {
  Server server([](Peer&, const Request&) {});
  const History history = play({}, at(server.url()));
  EXPECT_THAT(history.records, IsEmpty());
  EXPECT_FALSE(history.interrupted);
}

}  // namespace
}  // namespace rehearse::replay
