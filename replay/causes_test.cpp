#include "replay/causes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace rehearse::replay {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const Headers json{{"Content-Type", "application/json"}};
const Headers form{{"Content-Type", "application/x-www-form-urlencoded"}};

std::vector<std::string> made_by(const Request& create, const Response& response) {
  std::vector<std::string> entities;
  visit_values(response, [&](const ValueView& value) {
    if (auto entity = entity_made_by(create, value)) entities.push_back(*entity);
  });
  return entities;
}

TEST(Entities, ARequestNamesThemInItsPathItsQueryAndItsBody) {
  EXPECT_THAT(entities_of(values_in(Request{"GET", "/orders/41/items/7", {}, ""})), ElementsAre("order 41", "item 7"));
  EXPECT_THAT(entities_of(values_in(Request{"GET", "/payments?order_id=41&limit=20", {}, ""})),
              ElementsAre("order 41"));
  EXPECT_THAT(entities_of(values_in(Request{"GET", "/payments?orderId=41", {}, ""})), ElementsAre("order 41"));
  EXPECT_THAT(entities_of(values_in(
                  Request{"POST", "/payments", json, R"({"order_id": 41, "amount": 7, "customer": {"id": 3}})"})),
              ElementsAre("order 41"));
  EXPECT_THAT(entities_of(values_in(Request{"POST", "/payments", form, "order-id=41&amount=7"})),
              ElementsAre("order 41"));
}

TEST(Entities, WordsAndVersionsInAPathAreNone) {
  EXPECT_THAT(entities_of(values_in(Request{"GET", "/orders", {}, ""})), IsEmpty());
  EXPECT_THAT(entities_of(values_in(Request{"GET", "/orders/search", {}, ""})), IsEmpty());
  EXPECT_THAT(entities_of(values_in(Request{"GET", "/v1/orders", {}, ""})), IsEmpty());
  EXPECT_THAT(entities_of(values_in(Request{"POST", "/auth/oauth2/token", {}, ""})), IsEmpty());
  EXPECT_THAT(entities_of(values_in(Request{"GET", "/categories/34?address_id=35", {}, ""})),
              ElementsAre("category 34", "address 35"));
  EXPECT_THAT(entities_of(values_in(Request{"GET", "/addresses/35", {}, ""})), ElementsAre("address 35"));
  EXPECT_THAT(entities_of(values_in(Request{"GET", "/api/v1/orders/41", {}, ""})), ElementsAre("order 41"));
}

TEST(Entities, AnAnswerToAWriteMakesThem) {
  const Request create{"POST", "/orders", json, "{}"};
  EXPECT_THAT(made_by(create, {201, json, R"({"id": 41, "customer_id": 7})"}), ElementsAre("order 41"));
  EXPECT_THAT(made_by(create, {201, {{"Location", "http://shop/orders/41"}}, ""}), ElementsAre("order 41"));
}

TEST(Entities, ARequestThatIsSentAgainWithItsKeyIsTheSameWrite) {
  EXPECT_THAT(entities_of(values_in(Request{"POST", "/orders", {{"Idempotency-Key", "k-1"}}, ""})),
              ElementsAre("idempotency-key k-1"));
}

class Causes : public ::testing::Test {
 protected:
  std::vector<Cause> of(std::int64_t lane, std::int64_t begin_ns, std::int64_t end_ns, const Request& request,
                        Response response = {200, {}, ""}) {
    Exchange exchange;
    exchange.connection = lane;
    exchange.request_ns = begin_ns;
    exchange.response_end_ns = end_ns;
    exchange.request = request;
    exchange.response = std::move(response);
    Step step;
    step.id = ++last;
    step.lane = lane;
    step.request = request;
    step.read = safe(request.method);
    return finder.causes_of(step, exchange, values_in(request),
                            step.read ? std::vector<std::string>() : made_by(request, *exchange.response));
  }
  CauseFinder finder{{true, true, {"X-Session"}}};
  StepId last = 0;
};

TEST_F(Causes, RequestsThatOverlapStayConcurrent) {
  static_cast<void>(of(1, 0, 100, {"PUT", "/orders/41", {}, ""}));
  EXPECT_THAT(of(2, 50, 150, {"PUT", "/orders/41", {}, ""}), IsEmpty());
  EXPECT_THAT(of(3, 100, 200, {"PUT", "/orders/41", {}, ""}), ElementsAre(Cause{1, CauseKind::entity}))
      << "the first had ended, the second had not";
  EXPECT_THAT(of(4, 300, 301, {"GET", "/orders/41", {}, ""}),
              UnorderedElementsAre(Cause{2, CauseKind::entity}, Cause{3, CauseKind::entity}));
}

TEST_F(Causes, ReadsDoNotWaitForReadsAndAWriteWaitsForAll) {
  static_cast<void>(of(1, 0, 1, {"GET", "/orders/41", {}, ""}));
  EXPECT_THAT(of(2, 2, 3, {"GET", "/orders/41", {}, ""}), IsEmpty());
  EXPECT_THAT(of(3, 4, 5, {"PATCH", "/orders/41", {}, ""}),
              ElementsAre(Cause{1, CauseKind::entity}, Cause{2, CauseKind::entity}));
  EXPECT_THAT(of(4, 6, 7, {"PATCH", "/orders/42", {}, ""}), IsEmpty());
}

TEST_F(Causes, ASessionGoesOnOverConnections) {
  for (const Headers& session : {Headers{{"Cookie", "lang=en; sid=a1b2c3d4"}}, Headers{{"Authorization", "Bearer t"}},
                                 Headers{{"x-session", "s"}}}) {
    finder = CauseFinder{{true, true, {"X-Session"}}};
    last = 0;
    static_cast<void>(of(1, 0, 1, {"GET", "/a", session, ""}));
    EXPECT_THAT(of(2, 2, 3, {"GET", "/b", session, ""}), ElementsAre(Cause{1, CauseKind::session})) << session[0].name;
    EXPECT_THAT(of(3, 4, 5, {"GET", "/c", {{"Cookie", "lang=en"}}, ""}), IsEmpty()) << "a setting that many share";
  }
}

TEST_F(Causes, AWriteWhoseAnswerNamesAnEntityHidesNothingThatCameBefore) {
  static_cast<void>(of(1, 0, 1, {"GET", "/users/71", {}, ""}));
  static_cast<void>(of(2, 2, 3, {"POST", "/users", {}, ""}, {200, json, R"({"id": 71})"}));
  EXPECT_THAT(of(3, 4, 5, {"DELETE", "/users/71", {}, ""}),
              UnorderedElementsAre(Cause{1, CauseKind::entity}, Cause{2, CauseKind::entity}));
}

TEST_F(Causes, ACookieThatManyShareIsNoSession) {
  static_cast<void>(of(1, 0, 1, {"GET", "/a", {{"Cookie", "consent=accepted-2024; theme=dark-mode-v2"}}, ""}));
  EXPECT_THAT(of(2, 2, 3, {"GET", "/b", {{"Cookie", "consent=accepted-2024; theme=dark-mode-v2"}}, ""}), IsEmpty());
}

TEST_F(Causes, ACredentialOfAServiceIsNoSession) {
  const Headers service{{"Authorization", "Bearer of-a-service"}};
  for (std::int64_t lane = 1; lane <= 9; ++lane) static_cast<void>(of(lane, lane, 100, {"GET", "/a", service, ""}));
  EXPECT_THAT(of(20, 200, 201, {"GET", "/b", service, ""}), IsEmpty());
}

TEST_F(Causes, OfManyReadsThatOneConnectionSentTheLastIsEnoughForAWrite) {
  for (std::int64_t i = 0; i < 1000; ++i)
    static_cast<void>(of(1 + i % 200, 10 * i, 10 * i + 5, {"GET", "/orders/41", {}, ""}));
  const auto causes = of(999, 20'000, 20'001, {"DELETE", "/orders/41", {}, ""});
  std::set<StepId> waits_for;
  for (const Cause& cause : causes) waits_for.insert(cause.step);
  for (StepId read = 801; read <= 1000; ++read) EXPECT_TRUE(waits_for.contains(read)) << read;
  EXPECT_LE(waits_for.size(), 600u);
}

TEST_F(Causes, PipelinedRequestsDoNotWaitForAnAnswer) {
  static_cast<void>(of(1, 0, 100, {"GET", "/a", {}, ""}));
  EXPECT_THAT(of(1, 1, 101, {"GET", "/b", {}, ""}), IsEmpty());
  EXPECT_THAT(of(1, 200, 201, {"GET", "/c", {}, ""}),
              UnorderedElementsAre(Cause{1, CauseKind::connection}, Cause{2, CauseKind::connection}));
}

}  // namespace
}  // namespace rehearse::replay
