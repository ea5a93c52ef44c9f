#include "replay/bindings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rehearse::replay {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Headers json{{"Content-Type", "application/json"}};

// What an answer with that status and body made.
void answer(BindingFinder& finder, StepId step, bool wrote, const Request& request, const Response& response) {
  std::vector<MadeValue> made;
  visit_values(response, [&](const ValueView& value) {
    if (auto found = made_value(request, wrote, value)) made.push_back(*found);
  });
  finder.answered(step, made, {});
}

class Bindings : public ::testing::Test {
 protected:
  // Step 1 writes and is answered so.
  void created(const std::string& body, Headers headers = json) {
    answer(finder, 1, true, Request{"POST", "/orders", {}, ""}, Response{201, std::move(headers), body});
  }
  std::vector<Use> get(const std::string& target, Headers headers = {}) {
    return finder.uses_in(values_in(Request{"GET", target, std::move(headers), ""}));
  }
  std::vector<Use> post(const std::string& body) {
    return finder.uses_in(values_in(Request{"POST", "/orders", json, body}));
  }
  BindingFinder finder;
};

TEST_F(Bindings, AnIdIsFoundInPathQueryAndJson) {
  created(R"({"id": 30011})");
  EXPECT_THAT(get("/orders/30011/items"), ElementsAre(Use{"path:1", "30011", 1, "json:/id"}));
  EXPECT_THAT(get("/orders?order_id=30011"), ElementsAre(Use{"query:order_id", "30011", 1, "json:/id"}));
  EXPECT_THAT(get("/orders?orderId=30011"), ElementsAre(Use{"query:orderId", "30011", 1, "json:/id"}));
  EXPECT_THAT(post(R"({"lines": [{"order_id": 30011}]})"),
              ElementsAre(Use{"json:/lines/0/order_id", "30011", 1, "json:/id"}));
}

TEST_F(Bindings, AnIdIsNotConfusedWithAQuantityOrAnAmount) {
  created(R"({"id": 30011})");
  EXPECT_THAT(get("/orders?limit=30011"), IsEmpty());
  for (const char* key : {"quantity", "paid", "amount_paid", "valid", "void", "bid", "grid"}) {
    EXPECT_THAT(post("{\"" + std::string(key) + "\": 30011}"), IsEmpty()) << key;
    BindingFinder fresh;
    answer(fresh, 1, true, Request{"POST", "/orders", {}, ""},
           Response{201, json, "{\"" + std::string(key) + "\": 777}"});
    EXPECT_THAT(fresh.uses_in(values_in(Request{"GET", "/orders/777", {}, ""})), IsEmpty()) << key;
  }
  for (const char* key : {"id", "ID", "order_id", "orderId", "orderID", "order-id", "ids", "orderIds", "uuid"}) {
    BindingFinder fresh;
    answer(fresh, 1, true, Request{"POST", "/orders", {}, ""},
           Response{201, json, "{\"" + std::string(key) + "\": 777}"});
    EXPECT_EQ(fresh.uses_in(values_in(Request{"GET", "/orders/777", {}, ""})).size(), 1u) << key;
  }
}

TEST_F(Bindings, SmallNumbersAndWordsAreNotBelieved) {
  created(R"({"id": 1, "status": "open", "state": "awaiting_payment"})");
  EXPECT_THAT(get("/orders/1"), IsEmpty());
  EXPECT_THAT(post(R"({"item_id": 1, "status": "open"})"), IsEmpty());
  EXPECT_THAT(get("/orders?state=awaiting_payment"), IsEmpty());
}

TEST_F(Bindings, ATextThatTheServerMadeIsFollowed) {
  created(R"({"token": "9f8e7d6c-aaaa-bbbb"})");
  EXPECT_THAT(get("/tokens/9f8e7d6c-aaaa-bbbb"), ElementsAre(Use{"path:1", "9f8e7d6c-aaaa-bbbb", 1, "json:/token"}));
}

TEST_F(Bindings, ANumberIsBoundForItsOwnEntityOnly) {
  EXPECT_THAT(get("/products/501"), IsEmpty());
  EXPECT_THAT(get("/customers/7"), IsEmpty());
  created(R"({"id": 501})");
  EXPECT_THAT(get("/products/501"), IsEmpty());
  EXPECT_THAT(get("/reports?customer_id=501"), IsEmpty()) << "there are customers";
  EXPECT_THAT(get("/orders/501"), ElementsAre(Use{"path:1", "501", 1, "json:/id"}));
  EXPECT_THAT(post(R"({"order_id": 501})"), ElementsAre(Use{"json:/order_id", "501", 1, "json:/id"}));
  EXPECT_THAT(post(R"({"parent_id": 501})"), ElementsAre(Use{"json:/parent_id", "501", 1, "json:/id"}));
}

TEST_F(Bindings, WhatAClientCouldHaveChosenIsNotBound) {
  created(R"({"at": "2026-11-22", "created_at": "2026-11-22T10:00:00Z", "region": "eu-west-1", "version": "1.10.2-rc1",
              "price": "1999.9900", "type": "application/x-7z"})");
  for (const char* target : {"/reports/2026-11-22", "/r?since=2026-11-22T10:00:00Z", "/r?region=eu-west-1",
                             "/r?v=1.10.2-rc1", "/r?price=1999.9900", "/r?type=application/x-7z"})
    EXPECT_THAT(get(target), IsEmpty()) << target;
}

TEST_F(Bindings, TokensAreFollowedIntoCookiesCredentialsHeadersAndForms) {
  created(R"({"access_token": "/aBcD/efGhIjK1+="})", {{"Content-Type", "application/json"},
                                                      {"Set-Cookie", "sid=a1b2c3d4e5; Path=/; HttpOnly"},
                                                      {"X-CSRF-Token", "tok-77-aa-bb"},
                                                      {"Location", "https://app/cb?code=Code12345678"}});
  EXPECT_THAT(get("/me", {{"Authorization", "Bearer /aBcD/efGhIjK1+="}}),
              ElementsAre(Use{"credential:Authorization", "/aBcD/efGhIjK1+=", 1, "json:/access_token"}));
  EXPECT_THAT(get("/me", {{"authorization", "/aBcD/efGhIjK1+="}}),
              ElementsAre(Use{"credential:Authorization", "/aBcD/efGhIjK1+=", 1, "json:/access_token"}));
  EXPECT_THAT(get("/me", {{"Cookie", "lang=en; sid=a1b2c3d4e5"}}),
              ElementsAre(Use{"cookie:sid", "a1b2c3d4e5", 1, "set-cookie:sid"}));
  EXPECT_THAT(get("/me", {{"X-CSRF-Token", "tok-77-aa-bb"}}),
              ElementsAre(Use{"header:X-CSRF-Token", "tok-77-aa-bb", 1, "header:X-CSRF-Token"}));
  EXPECT_THAT(finder.uses_in(values_in(Request{"POST",
                                               "/token",
                                               {{"Content-Type", "application/x-www-form-urlencoded"}},
                                               "grant_type=authorization_code&code=Code12345678"})),
              ElementsAre(Use{"form:code", "Code12345678", 1, "location-query:code"}));
}

TEST_F(Bindings, AValueThatAClientChoseFirstIsNotBound) {
  EXPECT_THAT(get("/orders/40022"), IsEmpty());
  EXPECT_THAT(post(R"({"reference": "client-made-77"})"), IsEmpty());
  created(R"({"id": 40022, "reference": "client-made-77"})");
  EXPECT_THAT(get("/orders/40022?reference=client-made-77"), IsEmpty());
}

TEST_F(Bindings, IntegersAreBelievedFromAnswersToWritesOnly) {
  answer(finder, 1, false, Request{"POST", "/orders", {}, ""}, Response{200, json, R"({"items": [{"id": 30011}]})"});
  EXPECT_THAT(get("/orders/30011"), IsEmpty());
}

TEST_F(Bindings, ACursorOfAReadIsFollowed) {
  answer(finder, 4, false, Request{"POST", "/orders", {}, ""},
         Response{200, json, R"({"items": [], "next_cursor": "b2Zmc2V0OjIw"})"});
  EXPECT_THAT(get("/orders?cursor=b2Zmc2V0OjIw&limit=20"),
              ElementsAre(Use{"query:cursor", "b2Zmc2V0OjIw", 4, "json:/next_cursor"}));
  EXPECT_THAT(get("/orders?cursor=b2Zmc2V0OjIw%3D"), IsEmpty());
}

TEST_F(Bindings, AnEtagIsFollowedIntoConditions) {
  answer(finder, 2, false, Request{"POST", "/orders", {}, ""}, Response{200, {{"ETag", "\"abc123def\""}}, ""});
  EXPECT_THAT(get("/orders/7", {{"if-none-match", "\"abc123def\""}}),
              ElementsAre(Use{"header:if-none-match", "\"abc123def\"", 2, "header:ETag"}));
  EXPECT_THAT(finder.uses_in(values_in(Request{"PUT", "/orders/7", {{"If-Match", "\"abc123def\""}}, ""})),
              ElementsAre(Use{"header:If-Match", "\"abc123def\"", 2, "header:ETag"}));
}

TEST_F(Bindings, ALocationGivesItsLastSegment) {
  answer(finder, 1, true, Request{"POST", "/orders", {}, ""},
         Response{201, {{"Location", "http://shop:80/orders/30011?x=1"}}, ""});
  EXPECT_THAT(get("/orders/30011"), ElementsAre(Use{"path:1", "30011", 1, "location:1"}));
  const Response response{201, {{"Location", "http://other:80/orders/97"}}, ""};
  EXPECT_EQ(value_at(response, "location:1"), "97");
}

TEST_F(Bindings, TheFirstAnswerThatHadAValueIsItsSource) {
  created(R"({"id": 30011})");
  answer(finder, 2, true, Request{"POST", "/orders", {}, ""}, Response{200, json, R"({"order_id": 30011})"});
  EXPECT_THAT(get("/orders/30011"), ElementsAre(Use{"path:1", "30011", 1, "json:/id"}));
}

TEST(ValueAt, FindsEveryKindOfPlace) {
  const Request request{"POST",
                        "/orders/a%2Fb?x=1&cursor=c%3D",
                        {{"if-match", "\"e\""}, {"Content-Type", "application/json"}},
                        R"({"a/b": [{"~": 5}]})"};
  EXPECT_EQ(value_at(request, "path:1"), "a/b");
  EXPECT_EQ(value_at(request, "path:2"), std::nullopt);
  EXPECT_EQ(value_at(request, "query:cursor"), "c=");
  EXPECT_EQ(value_at(request, "query:y"), std::nullopt);
  EXPECT_EQ(value_at(request, "header:If-Match"), "\"e\"");
  EXPECT_EQ(value_at(request, "json:/a~1b/0/~0"), "5");
  EXPECT_EQ(value_at(request, "json:/a"), std::nullopt);
  EXPECT_EQ(value_at(request, "nonsense"), std::nullopt);
}

TEST(Put, ReplacesInCookiesCredentialsAndForms) {
  Request request{"POST",
                  "/",
                  {{"Cookie", "a=1; sid=old; b=2"},
                   {"Authorization", "Bearer old"},
                   {"Content-Type", "application/x-www-form-urlencoded"}},
                  "x=old&code=a+b%3D&y=old"};
  put(request, "cookie:sid", "old", "new");
  put(request, "credential:Authorization", "old", "new");
  put(request, "form:code", "a b=", "c&d");
  EXPECT_EQ(field(request.headers, "Cookie"), "a=1; sid=new; b=2");
  EXPECT_EQ(field(request.headers, "Authorization"), "Bearer new");
  EXPECT_EQ(request.body, "x=old&code=c%26d&y=old");
  EXPECT_EQ(value_at(request, "cookie:sid"), "new");
  EXPECT_EQ(value_at(request, "credential:Authorization"), "new");
  EXPECT_EQ(value_at(request, "form:code"), "c&d");
}

TEST(Put, LeavesTheBytesAloneWhenNothingChanges) {
  const Request request{"POST", "/orders/%34%31?x=%20", json, "{ \"id\" :  41.0e1 }"};
  for (const char* place : {"path:1", "query:x", "json:/id", "header:X"}) {
    Request same = request;
    put(same, place, "41", "41");
    EXPECT_EQ(same, request);
  }
}

TEST(Put, ReplacesInEveryKindOfPlace) {
  Request request{"POST",
                  "/orders/41/items?order=41&limit=41",
                  {{"Content-Type", "application/json"}, {"If-Match", "\"a\""}},
                  R"({"id": 41, "text": "41"})"};
  put(request, "path:1", "41", "a b");
  put(request, "query:order", "41", "9/7");
  put(request, "header:if-match", "\"a\"", "\"b\"");
  put(request, "json:/id", "41", "97");
  put(request, "json:/text", "41", "98");
  EXPECT_EQ(request.target, "/orders/a%20b/items?order=9%2F7&limit=41");
  EXPECT_EQ(field(request.headers, "If-Match"), "\"b\"");
  EXPECT_EQ(request.body, R"({"id": 97, "text": "98"})");
}

TEST(Put, ChangesNothingButTheValueInABody) {
  const std::string before =
      "{ \"price\": 19.90, \"big\": 12345678901234567890123, \"list\": [ {\"id\": 1}, {\"id\" : 41 } ],\n \"t\": "
      "\"\\u00e9\\\"[{\" }";
  Request request{"POST", "/orders", json, before};
  put(request, "json:/list/1/id", "41", "977");
  std::string expected = before;
  expected.replace(expected.find("41"), 2, "977");
  EXPECT_EQ(request.body, expected);
}

TEST(Put, KeepsTheTypeOfTheValue) {
  Request request{"POST", "/orders", json, R"({"number":41,"text":"41","uuid":41,"huge":18446744073709551610})"};
  put(request, "json:/number", "41", "18446744073709551615");
  put(request, "json:/text", "41", "97");
  put(request, "json:/uuid", "41", "a\"b");
  put(request, "json:/huge", "18446744073709551610", "18446744073709551611");
  EXPECT_EQ(request.body, R"({"number":18446744073709551615,"text":"97","uuid":"a\"b","huge":18446744073709551611})");
}

TEST(Put, IsSilentAboutAPlaceThatIsNotThere) {
  const Request request{"POST", "/orders", json, R"({"id": 41})"};
  for (const char* place : {"path:7", "query:x", "json:/other", "json:/id/deeper", "nonsense"}) {
    Request same = request;
    put(same, place, "41", "97");
    EXPECT_EQ(same, request) << place;
  }
}

}  // namespace
}  // namespace rehearse::replay
