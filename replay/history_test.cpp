#include "replay/history.h"

#include <gtest/gtest.h>

namespace rehearse::replay {
namespace {

Record record(const Request& request) {
  Record made;
  made.request = request;
  return made;
}

TEST(RecordOf, FindsStepsByTheirId) {
  History history;
  for (StepId step : {2, 5, 9}) {
    history.records.emplace_back();
    history.records.back().step = step;
  }
  EXPECT_EQ(record_of(history, 5), &history.records[1]);
  for (StepId step : {0, 1, 3, 10}) EXPECT_EQ(record_of(history, step), nullptr);
}

TEST(CurlLine, CanBePasted) {
  EXPECT_EQ(curl_line(record({"GET", "/a?b=c", {}, ""}), "http://h:1"), "curl -i 'http://h:1/a?b=c'");
  EXPECT_EQ(curl_line(record({"HEAD", "/a", {}, ""}), "http://h:1"), "curl -i --head 'http://h:1/a'");
  EXPECT_EQ(curl_line(record({"POST", "/a", {{"Content-Type", "text/plain"}, {"Content-Length", "4"}}, "it's"}),
                      "http://h:1"),
            "curl -i -X POST -H 'Content-Type: text/plain' --data-binary 'it'\\''s' 'http://h:1/a'");
}

TEST(CurlLine, LeavesCredentialsAndUnprintableBodiesOut) {
  const std::string line = curl_line(
      record(
          {"PUT",
           "/a",
           {{"authorization", "Bearer secret"}, {"COOKIE", "secret"}, {"x-api-key", "secret"}, {"Connection", "close"}},
           "\xff"}),
      "http://h");
  EXPECT_EQ(line, "curl -i -X PUT --data-binary @body 'http://h/a'");
  EXPECT_EQ(curl_line(record({"PUT", "/a", {}, std::string(3000, 'x')}), "http://h"),
            "curl -i -X PUT --data-binary @body 'http://h/a'");
}

}  // namespace
}  // namespace rehearse::replay
