#include "properties/answers/headers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "properties/answers/answer_comparer.h"
#include "properties/answers/answers.h"
#include "properties/checks/rehearsed.h"

namespace rehearse::properties {
namespace {

using replay::Headers;
using testing::answered;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::get;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr const char* legacy_url = "http://legacy:81";

// The default fields of two services' answers: "value header ETag a b".
std::vector<std::string> differences(const Headers& expected, const Headers& observed,
                                     const std::string& observed_url = "http://new:82",
                                     const std::vector<replay::Binding>& expected_made = {},
                                     const std::vector<replay::Binding>& observed_made = {}) {
  Contract contract = testing::contract();
  contract.compared_headers = contract_headers();
  replay::History left, right;
  left.bindings = expected_made;
  right.bindings = observed_made;
  const AnswerComparer comparer(contract, correspondence(left, {&right}), 0, legacy_url, observed_url);
  std::vector<std::string> lines;
  for (const Difference& difference : comparer.differences(answered(1, get("/a"), {200, expected, "x"}),
                                                           answered(1, get("/a"), {200, observed, "x"}))) {
    std::string line(name_of(difference.kind));
    for (const auto* text : {&difference.path, &difference.expected, &difference.observed})
      if (!text->empty()) line += " " + *text;
    lines.push_back(line);
  }
  return lines;
}
std::vector<std::string> differences(const std::string& name, const std::string& expected,
                                     const std::string& observed) {
  return differences(Headers{{name, expected}}, Headers{{name, observed}});
}

using Fields = std::vector<std::tuple<std::string, std::string, std::string>>;

TEST(ContractHeaders, HoldWhatClientsActUpon) {
  for (const std::string& name : contract_headers()) {
    if (name == "Set-Cookie" || name == "Content-Encoding") continue;  // below, and with the bodies
    EXPECT_THAT(differences({{name, "a"}}, {}), ElementsAre("missing header " + name + " a"));
    EXPECT_THAT(differences({}, {{name, "a"}}), ElementsAre("extra header " + name + " a"));
    EXPECT_THAT(differences(name, "a", "b"), ElementsAre("value header " + name + " a b"));
  }
  EXPECT_THAT(contract_headers(), Contains("Access-Control-Allow-Origin"));
  EXPECT_THAT(contract_headers(), Contains("Strict-Transport-Security"));
  for (const char* name : {"Date", "Server", "Content-Length", "Connection", "X-Request-Id"})
    EXPECT_THAT(differences(name, "a", "b"), IsEmpty()) << name;
}

TEST(ContractHeaders, AreComparedByWhatTheyMean) {
  for (const auto& [name, a, b] :
       Fields{{"Content-Type", "text/html; charset=utf-8", "Text/HTML;charset=\"UTF-8\""},
              {"Content-Type", "multipart/mixed; boundary=a", "multipart/mixed; boundary=b"},
              {"Vary", "Accept, Origin", "origin,accept"},
              {"Allow", "GET, HEAD", "HEAD,GET"},
              {"Cache-Control", "no-cache, max-age=5", "Max-Age=5, No-Cache"},
              {"Content-Language", "de, en", "EN,de"},
              {"Access-Control-Allow-Headers", "X-A, X-B", "x-b, x-a"},
              {"Access-Control-Allow-Methods", "GET, PUT", "PUT,GET"},
              {"X-Frame-Options", "DENY", "deny"},
              {"Referrer-Policy", "no-referrer, origin", "No-Referrer,origin"},
              {"Strict-Transport-Security", "max-age=5; includeSubDomains", "includesubdomains;max-age=5"},
              {"Content-Security-Policy", "default-src 'self'; script-src b a 'nonce-x1'",
               "script-src a 'nonce-y2' b; DEFAULT-SRC 'self'"},
              {"Link", "</a?b=1,2>; rel=\"next\"; title=x, </c>; rel=prev",
               "</c>;rel=\"prev\", </a?b=1,2>;title=x;rel=next"},
              {"Connection", "close", "keep-alive"}})
    EXPECT_THAT(differences(name, a, b), IsEmpty()) << name << ": " << a;
  for (const auto& [name, a, b] :
       Fields{{"Content-Type", "text/html", "text/plain"},
              {"Vary", "Accept", "Accept, Origin"},
              {"Allow", "GET", "get"},
              {"Access-Control-Allow-Methods", "GET", "GET, PUT"},
              {"Access-Control-Allow-Origin", "https://shop", "*"},
              {"Cache-Control", "max-age=5", "max-age=6"},
              {"Content-Encoding", "gzip, br", "br, gzip"},
              {"Referrer-Policy", "no-referrer, origin", "origin, no-referrer"},
              {"Strict-Transport-Security", "max-age=5; includeSubDomains", "max-age=5"},
              {"Content-Security-Policy", "script-src 'nonce-x'", "script-src 'unsafe-inline'"},
              {"Content-Security-Policy", "script-src a; script-src b", "script-src b"},
              {"Link", "</a>; rel=next", "</a>; rel=prev"},
              {"Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:38 GMT"}})
    EXPECT_THAT(differences(name, a, b), ElementsAre("value header " + name + " " + a + " " + b));
}

TEST(ContractHeaders, PlacesAreOfTheServiceItselfOnlyUnderItsOwnOrigin) {
  for (const auto& [name, a, b] : Fields{{"Location", "http://legacy:81/orders/7", "http://new:82/orders/7"},
                                         {"Location", "/orders/7", "HTTP://New:82/orders/7"},
                                         {"Location", "https://legacy:81/orders/7", "https://new:82/orders/7"},
                                         {"Location", "http://legacy:81", "http://new:82/"},
                                         {"Location", "https://elsewhere/a", "https://elsewhere/a"},
                                         {"Content-Location", "http://legacy:81/a?b=c", "/a?b=c"},
                                         {"Link", "<http://legacy:81/a>; rel=next", "<http://new:82/a>; rel=next"}})
    EXPECT_THAT(differences(name, a, b), IsEmpty()) << a;
  for (const auto& [name, a, b] : Fields{{"Location", "http://legacy:81/orders/7", "http://elsewhere/orders/7"},
                                         {"Location", "http://legacy:81/orders/7", "https://new:82/orders/7"},
                                         {"Location", "https://legacy:81/orders/7", "/orders/7"},
                                         {"Location", "http://legacy:81/a", "http://legacy:81/a"},
                                         {"Location", "http://legacy:81/a", "http://new:8/a"},
                                         {"Location", "/a", "/A"},
                                         {"Link", "<http://legacy:81/a>; rel=next", "<https://new:82/a>; rel=next"}})
    EXPECT_THAT(differences(name, a, b), ElementsAre("value header " + name + " " + a + " " + b));
  EXPECT_THAT(differences({{"Location", "http://legacy:81/a"}}, {{"Location", "https://new/a"}}, "https://new:443"),
              IsEmpty())
      << "the scheme that each was spoken to under";
}

TEST(ContractHeaders, IdentifiersWithinPlacesStandForEachOther) {
  const std::vector<replay::Binding> left{{1, "json:/id", "41", "30011"}}, right{{1, "json:/id", "41", "40022"}};
  const auto compared = [&](const std::string& name, const std::string& a, const std::string& b) {
    return differences({{name, a}}, {{name, b}}, "http://new:82", left, right);
  };
  EXPECT_THAT(compared("Location", "http://legacy:81/orders/30011", "http://new:82/orders/40022"), IsEmpty());
  EXPECT_THAT(compared("Link", "</orders?after=30011>; rel=next", "</orders?after=40022>; rel=next"), IsEmpty());
  EXPECT_THAT(compared("Location", "/orders/30011", "/orders/40023"), ::testing::SizeIs(1));
  EXPECT_THAT(compared("Location", "/orders/30011", "/items/40022"), ::testing::SizeIs(1));
  EXPECT_THAT(compared("Location", "/orders/30011", "/orders?40022"), ::testing::SizeIs(1));
}

TEST(ContractHeaders, LongValuesAreShownShortened) {
  const auto lines = differences("Link", std::string(1'000'000, '<'), std::string(1'000'000, '/'));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_LT(lines[0].size(), 1000u);
  EXPECT_TRUE(lines[0].ends_with("... (1000000 bytes)")) << lines[0];
}

TEST(ContractHeaders, MomentsSetOffFromNowAreComparedByHowFarTheyLieAhead) {
  const auto at = [](const char* name, const char* date, const char* moment) {
    return Headers{{"Date", date}, {name, moment}};
  };
  constexpr const char* noon = "Sun, 06 Nov 1994 12:00:00 GMT";
  constexpr const char* one = "Sun, 06 Nov 1994 13:00:00 GMT";
  constexpr const char* two = "Sun, 06 Nov 1994 14:00:00 GMT";
  for (const char* name : {"Expires", "Retry-After"}) {
    EXPECT_THAT(differences(at(name, noon, one), at(name, one, two)), IsEmpty());
    EXPECT_THAT(differences(at(name, noon, one), at(name, noon, two)), ::testing::SizeIs(1));
    EXPECT_THAT(differences(at(name, noon, "0"), at(name, noon, one)), ::testing::SizeIs(1));
    EXPECT_THAT(differences({{name, one}}, {{name, two}}), ::testing::SizeIs(1)) << "nothing to measure from";
  }
  EXPECT_THAT(differences(at("Last-Modified", noon, one), at("Last-Modified", one, two)), ::testing::SizeIs(1))
      << "when something was, and not for how long it will be";
  EXPECT_THAT(differences(at("Set-Cookie", noon, "a=1; Expires=Sun, 06-Nov-1994 13:00:00 GMT"),
                          at("Set-Cookie", one, "a=1; expires=Sun, 06 Nov 1994 14:00:01 GMT")),
              IsEmpty());
  EXPECT_THAT(
      differences(at("Set-Cookie", noon, "a=1; Expires=Sun, 06 Nov 1994 13:00:00 GMT"),
                  at("Set-Cookie", noon, "a=1; Expires=Sun, 06 Nov 1994 14:00:00 GMT")),
      ElementsAre("value header Set-Cookie.a.expires Sun, 06 Nov 1994 13:00:00 GMT Sun, 06 Nov 1994 14:00:00 GMT"));
}

TEST(SetCookie, IsComparedCookieByCookieAndAttributeByAttribute) {
  const auto compared = [](const std::string& a, const std::string& b) { return differences("Set-Cookie", a, b); };
  EXPECT_THAT(compared("sid=1; Path=/; HttpOnly; SameSite=Lax", "sid=1; samesite=lax; httponly=x; path=/"), IsEmpty());
  EXPECT_THAT(compared("sid=1; Domain=.Shop.example", "sid=1; domain=shop.example"), IsEmpty());
  EXPECT_THAT(compared("sid=1; Domain=legacy", "sid=1; Domain=new"), IsEmpty()) << "each one's own host";
  EXPECT_THAT(compared("sid=1; Path=", "sid=1"), IsEmpty()) << "the path of the request";
  EXPECT_THAT(compared("sid=1; Path=/a", "sid=1; Path=/A"), ElementsAre("value header Set-Cookie.sid.path /a /A"));
  EXPECT_THAT(compared("sid=1; Secure; HttpOnly", "sid=1; Secure"),
              ElementsAre("missing header Set-Cookie.sid.httponly httponly"));
  EXPECT_THAT(compared("sid=1; Secure", "sid=1; Secure; HttpOnly"),
              ElementsAre("extra header Set-Cookie.sid.httponly httponly"));
  EXPECT_THAT(compared("sid=1; Max-Age=60", "sid=1; Max-Age=61"),
              ElementsAre("value header Set-Cookie.sid.max-age 60 61"));
  EXPECT_THAT(compared("sid=1; Domain=elsewhere", "sid=1"),
              ElementsAre("missing header Set-Cookie.sid.domain elsewhere"));
  const auto values = compared("sid=secret; Path=/", "sid=other; Path=/");
  ASSERT_EQ(values.size(), 1u);
  EXPECT_TRUE(values[0].starts_with("value header Set-Cookie.sid.value 6 bytes")) << values[0];
  EXPECT_EQ(values[0].find("secret"), std::string::npos) << "a secret is shown by its digest";
  EXPECT_THAT(compared("sid=\"a;b\"", "sid=\"a;c\""), ::testing::SizeIs(2))
      << "quotes hold nothing together: attributes b\" and c\"";
}

TEST(SetCookie, CookiesOfOneNameAreToldApartByDomainAndPath) {
  const Headers both{{"Set-Cookie", "sid=1; Path=/"}, {"Set-Cookie", "sid=2; Path=/a"}};
  const Headers turned{{"Set-Cookie", "sid=2; Path=/a"}, {"Set-Cookie", "sid=1; Path=/"}};
  const Headers other{{"Set-Cookie", "sid=9; Path=/"}, {"Set-Cookie", "sid=2; Path=/a"}};
  EXPECT_THAT(differences(both, turned), IsEmpty());
  EXPECT_EQ(differences(both, other).size(), 1u);
  EXPECT_TRUE(differences(both, other)[0].starts_with("value header Set-Cookie.sid.value ")) << "of /, not of /a";
  const auto gone = differences(both, {{"Set-Cookie", "sid=1; Path=/"}});
  ASSERT_EQ(gone.size(), 1u);
  EXPECT_TRUE(gone[0].starts_with("missing header Set-Cookie.sid#2 ")) << gone[0];
  EXPECT_TRUE(gone[0].ends_with("; path=/a")) << gone[0];
  EXPECT_THAT(differences({{"Set-Cookie", "a=1; Path=/; Domain=x"}, {"Set-Cookie", "a=1; Path=/; Domain=y"}},
                          {{"Set-Cookie", "a=1; Path=/; Domain=x"}}),
              ::testing::SizeIs(1));
  EXPECT_THAT(
      differences({{"Set-Cookie", "a=0; Path=/"}, {"Set-Cookie", "a=1; Path=/"}}, {{"Set-Cookie", "a=1; Path=/"}}),
      IsEmpty())
      << "the last one of a cookie is the one that counts";
}

// A login draws a session each time; what a cookie is besides its value must stay.
TEST(SetCookie, ValuesThatTheOracleDrawsAnewAreMaskedAndTheRestIsNot) {
  Contract contract = testing::contract();
  contract.compared_headers = contract_headers();
  const auto logins = [](const std::string& salt, const std::string& attributes) {
    replay::History history;
    for (replay::StepId step = 1; step <= 3; ++step)
      history.records.push_back(answered(
          step, get("/login"),
          {200, {{"Set-Cookie", "sid=" + salt + std::to_string(step) + attributes}, {"Last-Modified", "x"}}, ""}));
    return history;
  };
  const auto oracle = logins("a", "; HttpOnly"), again = logins("b", "; HttpOnly");
  const auto compared = [&](const replay::History& observed) {
    return compare_answers(contract, oracle, &again, observed, [](const replay::Record&) { return true; });
  };
  EXPECT_EQ(compared(logins("c", "; HttpOnly")).masked, 3);
  EXPECT_EQ(compared(logins("c", "")).differed, 3);
  EXPECT_EQ(compared(logins("c", "; HttpOnly; Path=/x")).differed, 3);
}

TEST(LastModified, OfThisRunIsJudgedAsAMomentAndOfAnotherOneItIsWrong) {
  Contract contract = testing::contract();
  contract.compared_headers = contract_headers();
  const auto at = [](std::int64_t began_s, const char* modified) {
    replay::History history;
    history.began_ns = began_s * 1'000'000'000;
    history.records.push_back(answered(1, get("/a"), {200, {{"Last-Modified", modified}}, ""}));
    return history;
  };
  const auto oracle = at(784111777, "Sun, 06 Nov 1994 08:49:37 GMT"),
             again = at(784111977, "Sun, 06 Nov 1994 08:52:57 GMT");
  const auto compared = [&](const char* modified) {
    const auto observed = at(784112377, modified);
    return compare_answers(contract, oracle, &again, observed, [](const replay::Record&) { return true; });
  };
  EXPECT_EQ(compared("Sun, 06 Nov 1994 08:59:37 GMT").masked, 1);
  EXPECT_EQ(compared("Sat, 05 Nov 1994 08:59:37 GMT").differed, 1);
}

}  // namespace
}  // namespace rehearse::properties
