#include "replay/capture/har.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "replay/capture/import.h"
#include "replay/capture/test_files.h"
#include "replay/capture/test_packets.h"
#include "replay/error.h"

namespace rehearse::replay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string document_of(const std::string& entries) {
  return R"({"log": {"version": "1.2", "creator": {}, "entries": [)" + entries + "]}}";
}

struct Entry {
  std::string time = "2023-11-14T22:13:20Z";  // 1,700,000,000 s
  std::string method = "GET";
  std::string url = "https://shop.example/a?b=c";
  std::string request = R"("headers": [], "bodySize": 0)";
  std::string status = "200";
  std::string response = R"("headers": [])";
  std::string content = R"("size": 2, "text": "ok")";
  std::string rest = R"("time": 0)";
};
std::string text_of(const Entry& e) {
  return fmt::format(R"({{"startedDateTime": "{}", "request": {{"method": "{}", "url": "{}", {}}},)", e.time, e.method,
                     e.url, e.request) +
         fmt::format(R"("response": {{"status": {}, "content": {{{}}}, {}}}, {}}})", e.status, e.content, e.response,
                     e.rest);
}
Exchange read(const Entry& entry) {
  const Traffic traffic = read_har(document_of(text_of(entry)), "a.har");
  EXPECT_EQ(traffic.exchanges.size(), 1u) << text_of(entry);
  return traffic.exchanges.empty() ? Exchange{} : traffic.exchanges[0];
}

std::string refusal_of(const std::string& document) {
  try {
    static_cast<void>(read_har(document, "a.har"));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::optional<std::int64_t> time_of(const std::string& text) {
  Entry entry;
  entry.time = text;
  const Traffic traffic = read_har(document_of(text_of(entry)), "a.har");
  if (traffic.exchanges.empty()) {
    EXPECT_EQ(traffic.certificate.remarks.at("HAR entries without a time or a request"), 1);
    return std::nullopt;
  }
  return traffic.exchanges[0].request_ns;
}

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t birthday = 1'700'000'000 * second;

TEST(Har, ReadsEveryFieldOfAnEntry) {
  const Exchange e = read({
      .method = "POST",
      .url = "https://shop.example:8443/a/b?c=d#fragment",
      .request = R"("headers": [{"name": "Accept", "value": "x"}, {"name": "X", "value": ""}], "bodySize": 4,
                    "postData": {"mimeType": "text/plain", "text": "body"})",
      .status = "201",
      .response = R"("headers": [{"name": "Location", "value": "/b"}])",
      .rest = R"("time": 30, "timings": {"receive": 10}, "serverIPAddress": "10.0.0.2", "connection": "7")",
  });
  EXPECT_EQ(e.request.method, "POST");
  EXPECT_EQ(e.request.target, "/a/b?c=d");
  EXPECT_EQ(e.request.body, "body");
  EXPECT_EQ(e.request.headers, (Headers{{"Host", "shop.example:8443"}, {"Accept", "x"}, {"X", ""}}));
  ASSERT_TRUE(e.response.has_value());
  EXPECT_EQ(e.response->status, 201);
  EXPECT_EQ(e.response->headers, (Headers{{"Location", "/b"}}));
  EXPECT_EQ(e.response->body, "ok");
  EXPECT_EQ(e.server, "10.0.0.2");
  EXPECT_EQ(e.request_ns, birthday);
  EXPECT_EQ(e.response_ns, birthday + 20'000'000);
  EXPECT_EQ(e.response_end_ns, birthday + 30'000'000);
  EXPECT_TRUE(e.complete());
}

TEST(Har, TimesMayHaveFractionsAndZones) {
  EXPECT_EQ(time_of("2023-11-14T22:13:20Z"), birthday);
  EXPECT_EQ(time_of("2023-11-14T23:13:20+01:00"), birthday);
  EXPECT_EQ(time_of("2023-11-14T18:43:20-03:30"), birthday);
  EXPECT_EQ(time_of("2023-11-14T18:43:20-0330"), birthday);
  EXPECT_EQ(time_of("2023-11-14T22:13:20.5Z"), birthday + second / 2);
  EXPECT_EQ(time_of("2023-11-14T22:13:20.123456789123Z"), birthday + 123'456'789);
}

TEST(Har, AnEntryWithoutATimeIsCounted) {
  for (const char* text : {"", "yesterday", "2023-13-14T22:13:20Z", "2023-02-30T22:13:20Z", "2023-11-14T22:13", "1"})
    EXPECT_EQ(time_of(text), std::nullopt) << text;
}

TEST(Har, ATimeThatNanosecondsCannotCountIsNone) {
  for (const char* text : {"9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2023-11-14T99:13:20Z",
                           "2023-11-14T22:-1:20Z", "2023-11-14T22:13:20+99:00"})
    EXPECT_EQ(time_of(text), std::nullopt) << text;
}

TEST(Har, NumbersThatMakeNoSenseDoNoHarm) {
  EXPECT_TRUE(read({.rest = R"("time": 1e300, "timings": {"receive": -1e300})"}).complete());
  for (const char* status : {"1e300", "-1e300", "0", "99", "1000", "\"200\"", "null"}) {
    const Exchange e = read({.status = status});
    EXPECT_THAT(e.flags, ElementsAre(flag::no_response)) << status;
    EXPECT_FALSE(e.response.has_value()) << status;
  }
}

TEST(Har, BodiesMayBeBase64) {
  EXPECT_EQ(read({.content = R"("size": 3, "text": "AP8A", "encoding": "base64")"}).response->body,
            std::string("\0\xff\0", 3));
}

TEST(Har, ABodyThatWasNotKeptIsFlagged) {
  EXPECT_THAT(read({.content = R"("size": 3)"}).flags, ElementsAre(flag::gap));
  for (const char* damaged : {"?", "AA?A", "AAAAA", "AA==AAAA"}) {
    const std::string content = fmt::format(R"("text": "{}", "encoding": "base64")", damaged);
    EXPECT_THAT(read({.content = content}).flags, ElementsAre(flag::gap)) << damaged;
  }
  EXPECT_THAT(read({.content = R"("size": 0)"}).flags, IsEmpty());
  EXPECT_THAT(read({.method = "POST", .request = R"("headers": [], "bodySize": 9)"}).flags, ElementsAre(flag::gap));
}

TEST(Har, AnAnswerThatHasNoBodyMissesNone) {
  EXPECT_THAT(read({.method = "HEAD", .content = R"("size": 3)"}).flags, IsEmpty());
  EXPECT_THAT(read({.status = "304", .content = R"("size": 3)"}).flags, IsEmpty());
  EXPECT_THAT(read({.status = "204", .content = R"("size": 3)"}).flags, IsEmpty());
}

TEST(Har, FieldsOfHttp2AreThoseOfTheMessage) {
  const Exchange e = read({
      .request = R"("headers": [{"name": ":method", "value": "GET"}, {"name": ":authority", "value": "shop"},
                                {"name": "a", "value": "b"}])",
      .response = R"("headers": [{"name": ":status", "value": "200"}, {"name": "c", "value": "d"}])",
  });
  EXPECT_EQ(e.request.headers, (Headers{{"Host", "shop.example"}, {"a", "b"}}));
  EXPECT_EQ(e.response->headers, (Headers{{"c", "d"}}));
}

TEST(Har, CodingsThatWereTakenOffAreNotClaimed) {
  const Exchange e = read({.response = R"("headers": [{"name": "content-encoding", "value": "gzip"},
                                {"name": "Transfer-Encoding", "value": "chunked"}, {"name": "c", "value": "d"}])"});
  EXPECT_EQ(e.response->headers, (Headers{{"c", "d"}}));
}

TEST(Har, ATargetAlwaysBeginsWithASlash) {
  EXPECT_EQ(read({.url = "http://shop"}).request.target, "/");
  EXPECT_EQ(read({.url = "http://shop?a"}).request.target, "/?a");
  EXPECT_EQ(read({.url = "http://shop#a"}).request.target, "/");
  EXPECT_EQ(read({.url = ""}).request.target, "/");
}

TEST(Har, EntriesOfOneConnectionAreNumberedInIt) {
  std::string entries;
  for (const char* name : {"x", "y", "x"})
    entries += (entries.empty() ? "" : ",") + text_of({.rest = fmt::format(R"("connection": "{}")", name)});
  for (int i = 0; i < 2; ++i) entries += "," + text_of({});
  std::vector<std::pair<std::int64_t, std::int64_t>> places;
  const Traffic traffic = read_har(document_of(entries), "a.har");
  for (const Exchange& e : traffic.exchanges) places.emplace_back(e.connection, e.index);
  using P = std::pair<std::int64_t, std::int64_t>;
  EXPECT_THAT(places, ElementsAre(P{1, 0}, P{2, 0}, P{1, 1}, P{3, 0}, P{4, 0}));
  EXPECT_EQ(traffic.certificate.connections, 4);
}

TEST(Har, EntriesOfAnyShapeAreCounted) {
  const Traffic traffic = read_har(document_of(R"(null, 1, [], {}, "x", {"startedDateTime": 5}, )" + text_of({})), "a");
  EXPECT_EQ(traffic.exchanges.size(), 1u);
  EXPECT_EQ(traffic.certificate.remarks.at("HAR entries without a time or a request"), 2);
  EXPECT_EQ(traffic.certificate.remarks.at("HAR entries that are no objects, or too long"), 4);
}

TEST(Har, ADocumentThatEndsTooEarlyKeepsWhatCameBefore) {
  const std::string whole = document_of(text_of({}) + "," + text_of({}));
  const Traffic traffic = read_har(whole.substr(0, whole.rfind("startedDateTime")), "a.har");
  EXPECT_EQ(traffic.exchanges.size(), 1u);
  EXPECT_THAT(traffic.certificate.notes, ElementsAre(HasSubstr("ends too early")));
}

TEST(Har, AnEntryCannotHoldAnotherRequest) {
  EXPECT_EQ(unsendable({"GET", "/x\r\n\r\nDELETE /orders/1 HTTP/1.1\r\nX: ", {}, ""}),
            "a line end in its method, target or headers");
  EXPECT_EQ(unsendable({"GE T", "/", {}, ""}), "a method that is none");
  EXPECT_NE(unsendable({"GET", "/a b", {}, ""}), "");
  EXPECT_NE(unsendable({"GET", "", {}, ""}), "");
  EXPECT_NE(unsendable({"GET", "/", {{"a b", "1"}}, ""}), "");
  EXPECT_NE(unsendable({"GET", "/", {{"A", "1\r\nB: 2"}}, ""}), "");
  EXPECT_EQ(unsendable({"GET", "/", {{"Host", "a"}, {"host", "b"}}, ""}), "more than one Host");
  EXPECT_EQ(unsendable({"GET", "/", {{"Host", "a"}, {"X-Host", "b"}}, ""}), "");
  EXPECT_EQ(unsendable({"GET", "/a%20b?c=\xff", {{"A", "1"}}, ""}), "");
}

TEST(Har, SaysWhatIsNone) {
  EXPECT_THAT(refusal_of("{}"), HasSubstr("JSON, but no HTTP archive"));
  EXPECT_THAT(refusal_of(R"({"log": {"entries": {}}})"), HasSubstr("it has no log.entries"));
  EXPECT_THAT(refusal_of(std::string(100'000, '[')), HasSubstr("it has no log.entries"));
}

TEST(Har, IsKnownByItsContentAndOrderedByTime) {
  const testing::Folder folder;
  const std::string document =
      "\xef\xbb\xbf\n" + document_of(text_of({.time = "2023-11-14T22:13:21Z", .method = "PUT"}) + "," + text_of({}));
  for (const std::string& bytes : {document, testing::gzipped(document), testing::zstd_packed(document)}) {
    const Traffic traffic = import_captures({folder.write("capture", bytes)});
    ASSERT_EQ(traffic.exchanges.size(), 2u);
    EXPECT_EQ(traffic.exchanges[0].request.method, "GET");
    EXPECT_EQ(traffic.exchanges[1].request.method, "PUT");
    EXPECT_EQ(traffic.exchanges[1].id, 2);
    EXPECT_TRUE(traffic.certificate.conserves());
  }
}

TEST(Har, OneThatIsCutInItsPackingSaysSo) {
  const testing::Folder folder;
  const std::string packed = testing::gzipped(document_of(text_of({})));
  try {
    static_cast<void>(import_captures({folder.write("a.har.gz", packed.substr(0, packed.size() - 12))}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the gzip data ends too early"));
  }
}

}  // namespace
}  // namespace rehearse::replay
