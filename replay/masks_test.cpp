#include "replay/masks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "replay/planner.h"
#include "replay/redaction/redactor.h"

namespace rehearse::replay {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

const Headers json{{"Content-Type", "application/json"}};

// A day's traffic, one request after the other, masked as an import does it.
class MaskedTraffic : public ::testing::Test {
 protected:
  void exchanged(Request request, Response response) {
    Exchange exchange;
    exchange.id = exchange.connection = static_cast<std::int64_t>(exchanges.size()) + 1;
    exchange.request_ns = exchange.request_end_ns = exchange.id * 100;
    exchange.response_ns = exchange.response_end_ns = exchange.id * 100 + 50;
    exchange.request = std::move(request);
    exchange.response = std::move(response);
    redactor.apply(exchange);
    exchanges.push_back(std::move(exchange));
  }
  [[nodiscard]] Plan plan() const {
    Traffic traffic;
    traffic.exchanges = exchanges;
    return plan_of(traffic, options);
  }
  [[nodiscard]] std::vector<std::int64_t> played() const {
    std::vector<std::int64_t> ids;
    for (const Step& step : plan().steps) ids.push_back(step.exchange);
    return ids;
  }
  Redactor redactor{built_in_rules(), RedactionKey("a key of the test, long enough", "a test")};
  std::vector<Exchange> exchanges;
  PlannerOptions options;
};

TEST_F(MaskedTraffic, SaysWhereARequestWasMasked) {
  exchanged({"POST",
             "/users/ada@company.com?token=t0k3n-abcdef&page=2",
             {{"Authorization", "Bearer abcdef0123456789"},
              {"Cookie", "sid=0123456789abcdef; lang=en"},
              {"X-Api-Key", "k3y-0123456789"},
              {"Content-Type", "application/json"}},
             R"({"a/b":[{"password":"hunter22hunter22"}],"plain":1})"},
            {200, json, R"({"access_token":"made-0123456789"})"});
  EXPECT_THAT(exchanges[0].masked,
              UnorderedElementsAre("path:1", "query:token", "credential:Authorization", "cookie:sid", "cookie:lang",
                                   "header:X-Api-Key", "json:/a~1b/0/password"));
  exchanged({"POST", "/login", {{"Content-Type", "application/x-www-form-urlencoded"}}, "user=ada&password=hunter22"},
            {200, {}, ""});
  EXPECT_THAT(exchanges[1].masked, ElementsAre("form:password"));
  exchanged({"POST", "/notes", {{"Content-Type", "text/plain"}}, "write to ada@company.com"}, {200, {}, ""});
  EXPECT_THAT(exchanges[2].masked, ElementsAre("body"));
  exchanged({"GET", "/notes", {}, ""}, {200, json, R"({"email":"ada@company.com"})"});
  EXPECT_THAT(exchanges[3].masked, IsEmpty()) << "an answer is not sent";
}

TEST_F(MaskedTraffic, ACredentialThatNoAnswerGaveIsNotReplayable) {
  exchanged({"GET", "/me", {{"Authorization", "Bearer abcdef0123456789"}}, ""}, {200, {}, ""});
  exchanged({"GET", "/me", {{"Cookie", "sid=0123456789abcdef"}}, ""}, {200, {}, ""});
  exchanged({"GET", "/me?access_token=abcdef0123456789", {}, ""}, {200, {}, ""});
  exchanged({"POST", "/login", json, R"({"user":"ada","password":"hunter22hunter22"})"}, {200, {}, ""});
  exchanged({"GET", "/me", {{"Cookie", "lang=en"}}, ""}, {200, {}, ""});
  const Plan made = plan();
  EXPECT_THAT(made.steps, SizeIs(1)) << "a cookie that is no session's proves nothing";
  EXPECT_EQ(made.left_out, (std::map<std::string, std::int64_t>{
                               {"not replayable: credential:Authorization is masked, and no answer gave it", 1},
                               {"not replayable: cookie:sid is masked, and no answer gave it", 1},
                               {"not replayable: query:access_token is masked, and no answer gave it", 1},
                               {"not replayable: json:/password is masked, and no answer gave it", 1}}));
  options.masks.send = true;
  EXPECT_THAT(plan().steps, SizeIs(5));
  EXPECT_THAT(plan().steps[0].masked, ElementsAre("credential:Authorization"));
}

TEST_F(MaskedTraffic, ACredentialThatAnAnswerGaveIsReboundAndReplayable) {
  exchanged({"POST", "/guests", json, "{}"}, {201, json, R"({"access_token":"made-0123456789"})"});
  exchanged({"GET", "/me", {{"Authorization", "Bearer made-0123456789"}}, ""}, {200, {}, ""});
  const Plan made = plan();
  ASSERT_THAT(made.steps, SizeIs(2));
  ASSERT_THAT(made.steps[1].uses, SizeIs(1));
  EXPECT_EQ(made.steps[1].uses[0].source, "json:/access_token");
  options.bindings = false;
  EXPECT_THAT(played(), ElementsAre(1)) << "where nothing is rebound, the mask would be sent";
}

TEST_F(MaskedTraffic, ACredentialThatThePlayerMintsIsReplayable) {
  exchanged({"GET", "/me", {{"authorization", "Bearer abcdef0123456789"}}, ""}, {200, {}, ""});
  exchanged({"GET", "/me", {{"X-Api-Key", "k3y-0123456789"}}, ""}, {200, {}, ""});
  exchanged({"GET", "/me", {{"Cookie", "sid=0123456789abcdef"}}, ""}, {200, {}, ""});
  for (const auto& [header, exchange] :
       {std::pair("Authorization", 1), std::pair("x-api-key", 2), std::pair("cookie", 3)}) {
    options.masks.minted = {header};
    EXPECT_THAT(played(), ElementsAre(exchange));
  }
}

TEST_F(MaskedTraffic, WhoSignsUpWithAMaskedPasswordCanLogInWithIt) {
  exchanged({"POST", "/login", json, R"({"user":"ada","password":"hunter22hunter22"})"}, {200, {}, ""});
  exchanged({"POST", "/users", json, R"({"user":"ada","password":"hunter22hunter22"})"}, {201, {}, ""});
  exchanged({"POST", "/login", json, R"({"user":"ada","password":"hunter22hunter22"})"}, {200, {}, ""});
  EXPECT_THAT(played(), ElementsAre(2, 3)) << "and not before";
}

TEST_F(MaskedTraffic, AQuestionForAMaskedValueIsReplayableOnlyWhereThePlayGaveItToTheServer) {
  exchanged({"GET", "/users?email=ada@company.com", {}, ""}, {200, {}, ""});
  exchanged({"GET", "/users/bob@company.com", {}, ""}, {404, {}, ""});
  exchanged({"POST", "/users", json, R"({"email":"ada@company.com"})"}, {200, {}, ""});
  exchanged({"GET", "/users?email=ada@company.com", {}, ""}, {200, {}, ""});
  const Plan made = plan();
  EXPECT_THAT(played(), ElementsAre(2, 3, 4)) << "nobody is found under a mask, which is right where nobody was found";
  EXPECT_EQ(made.left_out.begin()->first,
            "not replayable: what query:email asks for is masked, and nothing before gave it");
}

TEST_F(MaskedTraffic, MaskedDataIsSentAndNoted) {
  exchanged({"POST", "/payments", json, R"({"card_number":"4539578763621486","email":"ada@company.com"})"},
            {201, {}, ""});
  const Plan made = plan();
  ASSERT_THAT(made.steps, SizeIs(1));
  EXPECT_THAT(made.steps[0].masked, UnorderedElementsAre("json:/card_number", "json:/email"));
  EXPECT_EQ(plan_from_json(to_json(made)).steps, made.steps);
}

TEST_F(MaskedTraffic, WhatWasRefusedForItsCredentialsIsRefusedUnderAMaskToo) {
  exchanged({"GET", "/me", {{"Authorization", "Bearer abcdef0123456789"}}, ""}, {401, {}, ""});
  exchanged({"GET", "/me", {{"Authorization", "Bearer abcdef0123456789"}}, ""}, {403, {}, ""});
  exchanged({"GET", "/me", {{"Authorization", "Bearer abcdef0123456789"}}, ""}, {404, {}, ""});
  EXPECT_THAT(played(), ElementsAre(1, 2));
}

}  // namespace
}  // namespace rehearse::replay
