#include "replay/redaction/redactor.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fstream>
#include <iterator>

#include "replay/base64.h"
#include "replay/capture/import.h"
#include "replay/capture/test_packets.h"
#include "replay/http/content_coding.h"
#include "replay/redaction/mask.h"
#include "replay/traffic_file.h"

namespace rehearse::replay {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;

const RedactionKey key("a key for the tests", "a test");
constexpr const char* secret = "s3cr3t-Token-0042";

std::string mask() { return masked(key, secret); }

Exchange exchange_of(std::string target, Headers headers = {}, std::string body = {}) {
  Exchange exchange;
  exchange.request = {"POST", std::move(target), std::move(headers), std::move(body)};
  exchange.response = Response{200, {}, ""};
  return exchange;
}

// What became of one exchange under the built-in rules.
struct Done {
  Exchange exchange;
  std::vector<Masked> found;
};

Done redacted(Exchange exchange, RedactionRules rules = built_in_rules()) {
  Redactor redactor(std::move(rules), key);
  Done done{std::move(exchange), {}};
  redactor.apply(done.exchange, &done.found);
  return done;
}

std::string body_of(std::string media, std::string body, RedactionRules rules = built_in_rules()) {
  return redacted(exchange_of("/", {{"Content-Type", std::move(media)}}, std::move(body)), std::move(rules))
      .exchange.request.body;
}
std::string json_of(std::string body, RedactionRules rules = built_in_rules()) {
  return body_of("application/json", std::move(body), std::move(rules));
}
std::string header_of(const std::string& name, const std::string& value) {
  return redacted(exchange_of("/", {{name, value}})).exchange.request.headers[0].value;
}
std::string target_of(const std::string& target) { return redacted(exchange_of(target)).exchange.request.target; }

TEST(Redaction, HeadersKeepTheirScheme) {
  EXPECT_EQ(header_of("Authorization", fmt::format("Bearer {}", secret)), "Bearer " + mask());
  EXPECT_EQ(header_of("X-API-Key", secret), mask());
  EXPECT_EQ(header_of("authorization", secret), mask());
  EXPECT_EQ(header_of("Proxy-Authorization", fmt::format("Token {}", secret)), "Token " + mask());
  EXPECT_EQ(header_of("Accept-Language", "de"), "de");
}

TEST(Redaction, BasicCredentialsStayUserAndPassword) {
  const std::string value = header_of("Authorization", "Basic " + base64(fmt::format("ada:{}", secret)));
  ASSERT_THAT(value, StartsWith("Basic "));
  EXPECT_EQ(from_base64(value.substr(6)), masked(key, "ada") + ":" + mask());
}

TEST(Redaction, CredentialsWithParametersKeepTheirNames) {
  EXPECT_EQ(header_of("Authorization", fmt::format("Digest username=\"ada\", response=\"{}\", nc=00000001", secret)),
            fmt::format("Digest username=\"{}\", response=\"{}\", nc={}", masked(key, "ada"), mask(),
                        masked(key, "00000001")));
}

TEST(Redaction, CookiesKeepTheirNamesAndAttributes) {
  EXPECT_EQ(header_of("Cookie", fmt::format("a=\"{0}\"; b={0}; c=", secret)),
            fmt::format("a=\"{0}\"; b={0}; c=", mask()));
  EXPECT_EQ(header_of("Set-Cookie", fmt::format("sid={}; Path=/; Max-Age=3600; HttpOnly", secret)),
            fmt::format("sid={}; Path=/; Max-Age=3600; HttpOnly", mask()));
}

TEST(Redaction, ParametersAreMaskedByNameAndInTheirEncoding) {
  EXPECT_EQ(target_of(fmt::format("/a?page=2&Access-Token={}&x", secret)), "/a?page=2&Access-Token=" + mask() + "&x");
  EXPECT_EQ(target_of("/a?user%5Bpassword%5D=" + std::string(secret)), "/a?user%5Bpassword%5D=" + mask());
  EXPECT_EQ(target_of("/a?token=%73" + std::string(secret).substr(1)),
            fmt::format("/a?token=%{:02X}{}", mask()[0], mask().substr(1)));
  EXPECT_EQ(target_of("/a;jsessionid=" + std::string(secret) + "/b"), "/a;jsessionid=" + mask() + "/b");
  EXPECT_EQ(body_of("application/x-www-form-urlencoded", fmt::format("user=ada+l&password={}", secret)),
            "user=ada+l&password=" + mask());
  EXPECT_EQ(target_of("/tokens_used?pinned=1&tokens_used=77&q=a+b%20c"),
            "/tokens_used?pinned=1&tokens_used=77&q=a+b%20c");
}

TEST(Redaction, OneValueOfAJsonDocumentChangesAndNoOtherByte) {
  EXPECT_EQ(json_of(fmt::format("{{ \"a\" : 1.50,\t\"apiKey\":\"{}\" , \"b\":[true , null]}}\n", secret)),
            fmt::format("{{ \"a\" : 1.50,\t\"apiKey\":\"{}\" , \"b\":[true , null]}}\n", mask()));
  EXPECT_EQ(json_of(R"({"pinned":"yes","tokens_used":12,"token":null,"secret":true})"),
            R"({"pinned":"yes","tokens_used":12,"token":null,"secret":true})");
}

TEST(Redaction, AllBelowASecretNameIsSecret) {
  const std::string body = json_of(fmt::format(R"({{"session":{{"a":["{}",1234567]}},"n":7}})", secret));
  EXPECT_EQ(body, fmt::format(R"({{"session":{{"a":["{}",{}]}},"n":7}})", mask(), masked(key, "1234567")));
}

TEST(Redaction, EscapedNamesAndValuesAreTheSame) {
  EXPECT_EQ(json_of(fmt::format(R"({{"p\u0061ssword":"\u0073{}"}})", std::string(secret).substr(1))),
            fmt::format(R"({{"p\u0061ssword":"{}"}})", mask()));
}

TEST(Redaction, JsonThatWasCutIsMaskedToo) {
  EXPECT_EQ(json_of(fmt::format(R"({{"a":[1,{{"password":"{}","email":"ada@company.com","pin":1234)", secret)),
            fmt::format(R"({{"a":[1,{{"password":"{}","email":"{}","pin":{})", mask(), masked(key, "ada@company.com"),
                        masked(key, "1234")));
  EXPECT_EQ(json_of(fmt::format(R"({{"a":1,"password":"{})", secret)),
            fmt::format(R"({{"a":1,"password":"{})", mask()));
}

TEST(Redaction, JsonIsKnownByItsLooks) {
  EXPECT_EQ(body_of("application/x-www-form-urlencoded", fmt::format(R"({{"password":"{}"}})", secret)),
            fmt::format(R"({{"password":"{}"}})", mask()));
  EXPECT_EQ(target_of(fmt::format("/a?filter=%7B%22token%22%3A%22{}%22%7D", secret)),
            fmt::format("/a?filter=%7B%22token%22%3A%22{}%22%7D", mask()));
  EXPECT_EQ(json_of(fmt::format(R"({{"payload":"{{\"token\":\"{}\"}}"}})", secret)),
            fmt::format(R"({{"payload":"{{\"token\":\"{}\"}}"}})", mask()));
}

TEST(Redaction, PathsOfTheConfigurationAreMasked) {
  RedactionRules rules = built_in_rules();
  rules.paths.emplace_back("$.customer.phone");
  rules.kept_paths.emplace_back("$.customer.email");
  rules.kept.add("pin");
  EXPECT_EQ(
      json_of(R"({"customer":{"phone":"+49 30 1234567","email":"a@b.com"},"phone":"+49","pin":"1234567"})", rules),
      fmt::format(R"({{"customer":{{"phone":"{}","email":"a@b.com"}},"phone":"+49","pin":"1234567"}})",
                  masked(key, "+49 30 1234567")));
}

TEST(Redaction, NamesThatAreKeptAreKeptEverywhere) {
  RedactionRules rules = built_in_rules();
  rules.kept.add("sid");
  const Done done = redacted(
      exchange_of("/a?sid=abcdefgh1", {{"Cookie", "sid=abcdefgh1"}, {"SID", "a@b.com"}}, "sid=abcdefgh1"), rules);
  EXPECT_EQ(done.exchange.request.target, "/a?sid=abcdefgh1");
  EXPECT_THAT(done.exchange.request.headers, ElementsAre(Header{"Cookie", "sid=abcdefgh1"}, Header{"SID", "a@b.com"}));
  EXPECT_THAT(done.found, IsEmpty());
}

TEST(Redaction, MarkupAndMultipartAreMaskedByName) {
  EXPECT_EQ(body_of("text/xml",
                    fmt::format("<r><ns:Password>{0}</ns:Password><u token='{0}'/><pinned>1</pinned></r>", secret)),
            fmt::format("<r><ns:Password>{0}</ns:Password><u token='{0}'/><pinned>1</pinned></r>", mask()));
  EXPECT_EQ(body_of("text/html", fmt::format("<input name=\"csrf_token\" value=\"{}\"><input name=q value=x>", secret)),
            fmt::format("<input name=\"csrf_token\" value=\"{}\"><input name=q value=x>", mask()));
  const auto parts = [](const std::string& value) {
    return fmt::format(
        "--B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n{}\r\n--B\r\n"
        "Content-Disposition: form-data; name=\"a\"\r\n\r\nplain\r\n--B--\r\n",
        value);
  };
  EXPECT_EQ(body_of("multipart/form-data; boundary=B", parts(secret)), parts(mask()));
}

TEST(Redaction, OneSecretHasOneMaskWhereverItStands) {
  Redactor redactor(built_in_rules(), key);
  Exchange first =
      exchange_of(fmt::format("/sessions/{}", secret), {{"Authorization", fmt::format("Bearer {}", secret)}});
  first.response->headers = {{"Location", fmt::format("http://h/s/{0}?next=/s/{0}#access_token={0}", secret)}};
  first.response->body = fmt::format("go to /s/{}. {}", secret, base64(secret));
  redactor.apply(first);
  EXPECT_EQ(first.request.target, "/sessions/" + mask());
  EXPECT_EQ(first.request.headers[0].value, "Bearer " + mask());
  EXPECT_EQ(first.response->headers[0].value, fmt::format("http://h/s/{0}?next=/s/{0}#access_token={0}", mask()));
  EXPECT_EQ(first.response->body, fmt::format("go to /s/{}. {}", mask(), base64(mask())));
  Exchange second = exchange_of("/", {{"X-Other", secret}}, fmt::format(R"({{"ref":"{0}","longer":"{0}0"}})", secret));
  redactor.apply(second);
  EXPECT_EQ(second.request.headers[0].value, mask());
  EXPECT_EQ(second.request.body, fmt::format(R"({{"ref":"{}","longer":"{}0"}})", mask(), secret));
}

TEST(Redaction, APhraseIsFoundInEveryEncoding) {
  const std::string phrase = "p@ss \"w0rd\" & more/less";
  Redactor redactor(built_in_rules(), key);
  Exchange exchange = exchange_of("/find/p%40ss%20%22w0rd%22%20%26%20more%2Fless?q=p%40ss+%22w0rd%22+%26+more%2Fless",
                                  {}, R"({"password":"p@ss \"w0rd\" & more\/less"})");
  exchange.response->body = R"(["p@ss \"w0rd\" & more/less"])";
  redactor.apply(exchange);
  EXPECT_THAT(percent_decoded(exchange.request.target), Not(HasSubstr(phrase)));
  EXPECT_THAT(exchange.request.target, Not(HasSubstr("w0rd")));
  EXPECT_EQ(boost::json::parse(exchange.request.body).at("password").as_string(), masked(key, phrase));
  EXPECT_EQ(boost::json::parse(exchange.response->body).at(0).as_string(), masked(key, phrase));
}

TEST(Redaction, ShortSecretsAreMaskedInTheirPlaceOnly) {
  const Done done = redacted(exchange_of("/orders/1234", {}, R"({"pin":1234,"n":1234})"));
  EXPECT_EQ(done.exchange.request.target, "/orders/1234");
  EXPECT_THAT(done.exchange.request.body, AllOf(HasSubstr("\"n\":1234"), Not(HasSubstr("\"pin\":1234"))));
}

TEST(Redaction, BodiesBehindACodingAreDecodedMaskedAndEncodedAgain) {
  for (const std::string coding : {"gzip", "deflate", "br", "zstd", "gzip, br"}) {
    const std::string text = fmt::format(R"({{"password":"{}","filler":"{}"}})", secret, std::string(5000, 'x'));
    const std::string body = with_codings(text, codings_in(coding));
    const Done done = redacted(exchange_of("/",
                                           {{"Content-Type", "application/json"},
                                            {"Content-Encoding", coding},
                                            {"Content-Length", std::to_string(body.size())}},
                                           body));
    const auto& request = done.exchange.request;
    EXPECT_EQ(field(request.headers, "Content-Encoding"), coding);
    EXPECT_EQ(field(request.headers, "Content-Length"), std::to_string(request.body.size()));
    const auto decoded = without_codings(request.body, codings_in(coding), 1 << 20);
    ASSERT_TRUE(decoded) << coding;
    EXPECT_EQ(boost::json::parse(*decoded).at("password").as_string(), mask());
  }
}

// Proxies take the header away, and files are sent packed without one.
TEST(Redaction, BodiesThatArePackedWithoutAHeaderAreKnownByTheirFirstBytes) {
  for (const std::string coding : {"gzip", "zstd"}) {
    const std::string text = fmt::format(R"({{"password":"{}"}})", secret);
    const Done done =
        redacted(exchange_of("/", {{"Content-Type", "application/json"}}, with_codings(text, codings_in(coding))));
    const auto decoded = without_codings(done.exchange.request.body, codings_in(coding), 1 << 20);
    ASSERT_TRUE(decoded) << coding;
    EXPECT_EQ(boost::json::parse(*decoded).at("password").as_string(), mask()) << coding;
    EXPECT_FALSE(field(done.exchange.request.headers, "Content-Encoding")) << coding;
  }
}

TEST(Redaction, ABodyWithoutASecretStaysAsItIs) {
  const std::string body = with_codings("{\"a\":1}", {"gzip"}) + with_codings("  ", {"gzip"});
  EXPECT_EQ(redacted(exchange_of("/", {{"Content-Encoding", "gzip"}}, body)).exchange.request.body, body);
}

TEST(Redaction, WhatCannotBeDecodedIsReplacedAsAWhole) {
  const std::string whole = with_codings(fmt::format("{{\"password\":\"{}\"}}", secret), {"gzip"});
  const Headers headers{{"Content-Type", "application/json"}, {"Content-Encoding", "gzip"}};
  const Done done = redacted(exchange_of("/", headers, whole.substr(0, whole.size() - 9)));
  EXPECT_THAT(done.exchange.request.body, MatchesRegex("\\{\"masked\":\"masked: [0-9]+ bytes of gzip\"\\}"));
  EXPECT_EQ(field(done.exchange.request.headers, "Content-Encoding"), std::nullopt);
  EXPECT_THAT(done.found, ElementsAre(Masked{"request body", "body that could not be decoded"}));
  const std::string bomb = with_codings(std::string(65u << 20, ' '), {"gzip"});
  EXPECT_THAT(redacted(exchange_of("/", headers, bomb)).exchange.request.body, HasSubstr("bytes of gzip"));
  EXPECT_EQ(redacted(exchange_of("/", {{"Content-Type", "image/png"}, {"Content-Encoding", "odd"}}, "x"))
                .exchange.request.body,
            "x");
}

TEST(Redaction, BytesThatCouldNotBeReadAreMaskedAsAWhole) {
  Exchange exchange = exchange_of("/", {}, fmt::format("GET / HTTP/1.1\r\nX-Odd: {}\r\n", secret));
  exchange.add_flag(flag::malformed);
  EXPECT_THAT(redacted(exchange).exchange.request.body, AllOf(Not(HasSubstr("GET")), Not(HasSubstr(secret))));
}

TEST(Redaction, DigestsOfAMaskedBodyGo) {
  const Headers headers{{"Content-Type", "application/json"}, {"Content-MD5", "Q2hlY2sgSW50ZWdyaXR5IQ=="}};
  EXPECT_EQ(
      redacted(exchange_of("/", headers, fmt::format("{{\"token\":\"{}\"}}", secret))).exchange.request.headers.size(),
      1u);
  EXPECT_EQ(redacted(exchange_of("/", headers, "{}")).exchange.request.headers.size(), 2u);
}

TEST(Redaction, InterimAnswersAndTrailersAreMasked) {
  Exchange exchange = exchange_of("/", {}, "x");
  exchange.request.trailers = {{"X-Signature", secret}};
  exchange.interim.push_back({103, {{"Set-Cookie", fmt::format("a={}", secret)}}, ""});
  const Done done = redacted(exchange);
  EXPECT_EQ(done.exchange.request.trailers[0].value, mask());
  EXPECT_EQ(done.exchange.interim[0].headers[0].value, "a=" + mask());
}

TEST(Redaction, SaysWhereItMaskedAndNeverWhat) {
  Exchange exchange =
      exchange_of(fmt::format("/a?token={}", secret), {{"Cookie", "sid=abcdefgh1"}},
                  R"({"items":[{"password":"x1"},{"password":"x2"}],"to":"a@b.com","c@d.org":{"e":"f@g.com"}})");
  const Done done = redacted(exchange);
  EXPECT_THAT(done.found, ::testing::UnorderedElementsAre(Masked{"request query parameter token", "query parameter"},
                                                          Masked{"request cookie sid", "cookie"},
                                                          Masked{"request body $.items[*].password", "JSON field"},
                                                          Masked{"request body $.items[*].password", "JSON field"},
                                                          Masked{"request body $.to", "e-mail address"},
                                                          Masked{"request body (a key)", "e-mail address"},
                                                          Masked{"request body $.*.e", "e-mail address"}));
}

TEST(Redaction, TrafficSaysThatItIsMaskedAndIsNotMaskedTwice) {
  Traffic traffic;
  traffic.exchanges.push_back(exchange_of("/", {{"X-Api-Key", secret}}));
  EXPECT_EQ(redacted_with(traffic.certificate), "");
  Redactor redactor(built_in_rules(), key);
  redact(traffic, redactor);
  EXPECT_EQ(redacted_with(traffic.certificate), key.fingerprint());
  EXPECT_THAT(traffic.certificate.remarks, Contains(Pair("masked: header", 1)));
  EXPECT_THAT(traffic.certificate.notes, Contains("1 secrets are masked with the key " + key.fingerprint()));
  const testing::Folder folder;
  save(traffic, folder.path("t"));
  Traffic again = load_traffic(folder.path("t"));
  Redactor other(built_in_rules(), passing_key());
  redact(again, other);
  EXPECT_EQ(again.exchanges[0].request.headers[0].value, mask());
  EXPECT_EQ(redacted_with(again.certificate), key.fingerprint());
}

// --- properties ---

// JSON text of any shape, with secrets among it.
rc::Gen<boost::json::value> document(int levels) {
  const auto name = rc::gen::element<std::string>("a", "password", "token", "b c", "pinned", "email", "\"q\"");
  return rc::gen::exec([=]() -> boost::json::value {
    const int kind = *rc::gen::inRange(0, levels > 0 ? 6 : 4);
    if (kind == 0) return nullptr;
    if (kind == 1) return *rc::gen::arbitrary<std::int64_t>();
    if (kind == 2) return boost::json::value(*rc::gen::container<std::string>(rc::gen::inRange<char>(' ', '\x7f')));
    if (kind == 3) return *rc::gen::element<boost::json::value>("ada@company.com", secret, true, "4111 1111 1111 1111");
    if (kind == 4) {
      boost::json::array array;
      for (int i = *rc::gen::inRange(0, 4); i > 0; --i) array.push_back(*document(levels - 1));
      return array;
    }
    boost::json::object object;
    for (int i = *rc::gen::inRange(0, 4); i > 0; --i) object[*name] = *document(levels - 1);
    return object;
  });
}

bool same_structure(const boost::json::value& a, const boost::json::value& b) {
  if (a.is_object() && b.is_object()) {
    const auto &x = a.get_object(), &y = b.get_object();
    return x.size() == y.size() && std::equal(x.begin(), x.end(), y.begin(), [](const auto& p, const auto& q) {
             return p.key() == q.key() && same_structure(p.value(), q.value());
           });
  }
  if (a.is_array() && b.is_array()) {
    const auto &x = a.get_array(), &y = b.get_array();
    return x.size() == y.size() && std::equal(x.begin(), x.end(), y.begin(), same_structure);
  }
  if (a.is_string() && b.is_string()) return a.get_string().size() == b.get_string().size();
  return a.is_number() ? b.is_number() : a.kind() == b.kind();
}

RC_GTEST_PROP(Redaction, JsonKeepsItsStructure, ()) {
  const boost::json::value before = boost::json::array{*document(3)};
  const boost::json::value after = boost::json::parse(json_of(boost::json::serialize(before)));
  RC_ASSERT(same_structure(before, after));
  RC_ASSERT(boost::json::serialize(after).find("ada@company.com") == std::string::npos);
}

RC_GTEST_PROP(Redaction, AnyBytesAreRead, (const std::string& bytes)) {
  const auto media = *rc::gen::element<std::string>(
      "application/json", "text/html", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "");
  const std::string opening = *rc::gen::element<std::string>("", "{", "{\"password\":", "<a token=", "--a");
  Exchange exchange =
      exchange_of("/" + bytes, {{"Content-Type", media}, {"Cookie", bytes}, {"Authorization", bytes}}, opening + bytes);
  RC_ASSERT(redacted(exchange).exchange.request.headers.size() == 3u);
}

// --- end to end: planted in a capture, sought in the file ---

constexpr std::array planted{"pl4nted-bearer-token-01",
                             "pl4nted-basic-password-02",
                             "pl4nted-cookie-03",
                             "pl4nted-set-cookie-04",
                             "pl4nted-api-key-05",
                             "pl4nted-path-session-06",
                             "pl4nted-query-token-07",
                             "pl4nted json password & 08",
                             "pl4nted-json-secret-09",
                             "pl4nted-form-pwd + 10",
                             "pl4nted-gzip-token-11",
                             "planted.person12@company.com",
                             "planted.query13@company.com",
                             "4539578763621486",
                             "5425233430109903",
                             "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbDRudGVkMTYifQ.cGw0bnRlZC1zaWduYXR1cmU",
                             "pl4nted-csrf-17",
                             "pl4nted-url-password-18",
                             "pl4nted-markup-19",
                             "pl4nted-multipart-20"};

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == '_'
               ? std::string(1, c)
               : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return out;
}

std::string plus_encoded(std::string_view text) {
  std::string out = percent_encoded(text);
  for (auto at = out.find("%20"); at != std::string::npos; at = out.find("%20")) out.replace(at, 3, "+");
  return out;
}

std::string request(std::string_view line, std::string_view headers, std::string_view body) {
  return fmt::format("{} HTTP/1.1\r\nHost: h\r\n{}Content-Length: {}\r\n\r\n{}", line, headers, body.size(), body);
}
std::string answer(std::string_view headers, std::string_view body) {
  return fmt::format("HTTP/1.1 200 OK\r\n{}Content-Length: {}\r\n\r\n{}", headers, body.size(), body);
}

std::string capture_with_secrets() {
  const auto p = [](int number) { return std::string(planted.at(static_cast<std::size_t>(number - 1))); };
  testing::Conversation talk;
  talk.open();
  talk.client(request(
      "GET /sessions/" + p(6) + "?token=" + p(7) + "&by=" + percent_encoded(p(13)),
      fmt::format("Authorization: Bearer {}\r\nCookie: sid={}; theme=dark\r\nX-Api-Key: {}\r\n", p(1), p(3), p(5)),
      ""));
  talk.server(
      answer(fmt::format("Set-Cookie: sid={}; Path=/\r\nContent-Type: application/json\r\nLocation: /sessions/{}\r\n",
                         p(4), p(6)),
             fmt::format(R"({{"session_id":"{}","email":"{}","card":{},"note":"{}"}})", p(6), p(12), p(14), p(16))));
  talk.client(request(
      "POST /login",
      fmt::format("Authorization: Basic {}\r\nContent-Type: application/json\r\nX-CSRF-Token: {}\r\n",
                  base64("ada:" + p(2)), p(17)),
      fmt::format(R"({{"password":"{}","nested":{{"client_secret":"{}"}},"pay":"card {}","dsn":"pg://u:{}@h/d"}})",
                  p(8), p(9), p(15), p(18))));
  const std::string zipped = with_codings(
      fmt::format(R"({{"access_token":"{}","echo":"{}","raw":"{}"}})", p(11), p(8), base64(p(9))), {"gzip"});
  talk.server(answer("Content-Type: application/json\r\nContent-Encoding: gzip\r\n", zipped));
  talk.client(request("POST /form?echo=" + percent_encoded(p(8)) + "&b=" + percent_encoded(base64(p(1))),
                      "Content-Type: application/x-www-form-urlencoded\r\n",
                      "user=ada&pwd=" + plus_encoded(p(10)) + "&again=" + plus_encoded(p(8))));
  talk.server(answer("Content-Type: text/xml\r\n", "<a><password>" + p(19) + "</password><b>" + p(10) + "</b></a>"));
  talk.client(request("POST /parts", "Content-Type: multipart/form-data; boundary=XX\r\n",
                      "--XX\r\nContent-Disposition: form-data; name=\"secret\"\r\n\r\n" + p(20) + "\r\n--XX--\r\n"));
  talk.server(answer("", "for " + p(20) + "."));
  talk.close();
  return testing::capture_of(talk.wires);
}

// All that a person could grep for, with the bodies that are behind a coding decoded as well.
std::string everything_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string all{std::istreambuf_iterator<char>(file), {}};
  for (const Exchange& exchange : load_traffic(path).exchanges) {
    if (const auto body = decoded_body(exchange.response->headers, exchange.response->body)) all += *body;
    if (const auto basic = field(exchange.request.headers, "Authorization"); basic && basic->starts_with("Basic "))
      all += from_base64(basic->substr(6));
  }
  return all;
}

std::vector<std::string> forms_of(const std::string& text) {
  std::string padded = base64(text);
  while (padded.ends_with('=')) padded.pop_back();
  return {text, percent_encoded(text), plus_encoded(text), padded, boost::json::serialize(boost::json::value(text))};
}

TEST(PlantedSecrets, AreInNoFileThatIsWritten) {
  const testing::Folder folder;
  const std::string capture = folder.write("c.pcap", capture_with_secrets());
  const auto imported = [&](bool masked) {
    Redactor redactor(built_in_rules(), key);
    Traffic traffic = import_captures({capture});
    if (masked) redact(traffic, redactor);
    save(traffic, folder.path(masked ? "masked" : "open"));
    return everything_in(folder.path(masked ? "masked" : "open"));
  };
  const std::string open = imported(false), masked_file = imported(true);
  for (const char* planted_secret : planted) {
    // What is not in the open file would not be missed in the other.
    const auto forms = forms_of(planted_secret);
    EXPECT_TRUE(std::any_of(forms.begin(), forms.end(), [&](const auto& form) { return open.find(form) != open.npos; }))
        << planted_secret;
    for (const std::string& form : forms) EXPECT_EQ(masked_file.find(form), std::string::npos) << form;
  }
}

TEST(PlantedSecrets, LeaveExchangesThatStillCorrelate) {
  const testing::Folder folder;
  Traffic traffic = import_captures({folder.write("c.pcap", capture_with_secrets())});
  Redactor redactor(built_in_rules(), key);
  redact(traffic, redactor);
  ASSERT_EQ(traffic.exchanges.size(), 4u);
  const Exchange& first = traffic.exchanges[0];
  const std::string session = masked(key, planted[5]);
  EXPECT_THAT(first.request.target, StartsWith("/sessions/" + session + "?"));
  EXPECT_EQ(field(first.response->headers, "Location"), "/sessions/" + session);
  EXPECT_EQ(boost::json::parse(first.response->body).at("session_id").as_string(), session);
}

}  // namespace
}  // namespace rehearse::replay
