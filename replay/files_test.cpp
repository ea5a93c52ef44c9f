// The traffic file and the history file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "replay/capture/test_packets.h"
#include "replay/error.h"
#include "replay/history_file.h"
#include "replay/traffic_file.h"

namespace rehearse::replay {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string binary("\0\xff\n: '\"", 8);

Traffic traffic_of_everything() {
  Exchange whole;
  whole.id = 1;
  whole.connection = 2;
  whole.index = 3;
  whole.client = "[::1]:40000";
  whole.server = "10.0.0.2:80";
  whole.request_ns = 1'700'000'000'000'000'001;
  whole.request_end_ns = 1'700'000'000'000'000'002;
  whole.response_ns = 1'700'000'000'000'000'003;
  whole.response_end_ns = 1'700'000'000'000'000'004;
  whole.request = {"POST", "/a?b=%2F", {{"X", "1"}, {"X", ""}}, binary};
  whole.response = Response{201, {{"Location", "/a/1"}}, binary};
  whole.masked = {"query:b", "header:X"};
  whole.http2 = true;
  Exchange broken;
  broken.id = 2;
  broken.request = {"GET", "/b", {}, ""};
  broken.flags = {"gap", "conflicting retransmission"};
  Traffic traffic;
  traffic.exchanges = {whole, broken};
  traffic.certificate.packets = {{"read", 5}, {"tcp", 5}};
  traffic.certificate.bytes = {{"captured", 100}};
  traffic.certificate.exchanges = {{"complete", 1}, {"gap", 1}};
  traffic.certificate.connections = 2;
  traffic.certificate.notes = {"record 6 is truncated", "record 6 is truncated"};
  return traffic;
}

History history_of_everything() {
  History history;
  history.name = "live → completed";
  history.target = "http://127.0.0.1:8080";
  history.began_ns = 1'700'000'000'000'000'001;
  history.sent = 5;
  history.unbound = 7;
  history.interrupted = true;
  Record answered;
  answered.step = 3;
  answered.lane = 2;
  answered.due_ns = 10;
  answered.sent_ns = 11;
  answered.done_ns = 12;
  answered.outcome = Outcome::answered;
  answered.read = true;
  answered.request = {"GET", "/a", {{"X", "1"}}, binary, {{"T", "3"}}};
  answered.response = {200, {{"Y", "2"}}, binary, {{"U", "4"}}};
  Record lost;
  lost.step = 4;
  lost.outcome = Outcome::lost;
  lost.problem = "reading the answer: end of stream";
  Record refused;
  refused.step = 9;
  refused.outcome = Outcome::refused;
  history.records = {answered, lost, refused};
  history.sender = {"normal", 2, 10, 20, 30, "half of the requests left more than 1.0 ms late"};
  history.bindings = {{3, "json:/id", "41", "97"}, {3, "header:ETag", "\"a\"", "\"b\""}};
  return history;
}

class Files : public ::testing::Test {
 protected:
  static std::string problem_of(const std::function<void()>& act) {
    try {
      act();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  std::string path() { return folder.path("file"); }
  void load_as_traffic() { static_cast<void>(load_traffic(path())); }
  void load_as_history() { static_cast<void>(load_histories(path())); }
  testing::Folder folder;
};

TEST_F(Files, TrafficComesBackAsItWasSaved) {
  const Traffic saved = traffic_of_everything();
  save(saved, path());
  const Traffic loaded = load_traffic(path());
  ASSERT_EQ(loaded.exchanges.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const Exchange &a = saved.exchanges[i], &b = loaded.exchanges[i];
    EXPECT_EQ(std::tie(a.id, a.connection, a.index, a.client, a.server),
              std::tie(b.id, b.connection, b.index, b.client, b.server));
    EXPECT_EQ(std::tie(a.request_ns, a.request_end_ns, a.response_ns, a.response_end_ns),
              std::tie(b.request_ns, b.request_end_ns, b.response_ns, b.response_end_ns));
    EXPECT_EQ(std::tie(a.request, a.response, a.flags, a.masked, a.http2),
              std::tie(b.request, b.response, b.flags, b.masked, b.http2));
  }
  EXPECT_EQ(loaded.certificate.packets, saved.certificate.packets);
  EXPECT_EQ(loaded.certificate.bytes, saved.certificate.bytes);
  EXPECT_EQ(loaded.certificate.exchanges, saved.certificate.exchanges);
  EXPECT_EQ(loaded.certificate.connections, saved.certificate.connections);
  EXPECT_EQ(loaded.certificate.notes, saved.certificate.notes);
}

TEST_F(Files, ATrafficFileThatDoesNotSayWhatIsMaskedIsRead) {
  save(traffic_of_everything(), path());
  Database(path(), Database::Mode::update, traffic_file_version, "traffic")
      .run("ALTER TABLE exchange DROP COLUMN masked");
  const Traffic loaded = load_traffic(path());
  ASSERT_EQ(loaded.exchanges.size(), 2u);
  EXPECT_TRUE(loaded.exchanges[0].masked.empty());
  EXPECT_EQ(loaded.exchanges[1].flags, traffic_of_everything().exchanges[1].flags);
}

TEST_F(Files, ATrafficFileThatDoesNotSayTheProtocolIsReadByTheSpellingOfItsFields) {
  Traffic traffic = traffic_of_everything();
  traffic.exchanges[0].request.headers = {{"host", "shop"}, {"accept", "*/*"}};
  traffic.exchanges[1].request.headers = {{"Host", "shop"}, {"accept", "*/*"}};
  for (Exchange& each : traffic.exchanges) each.http2 = !each.http2;
  save(traffic, path());
  Database(path(), Database::Mode::update, traffic_file_version, "traffic")
      .run("ALTER TABLE exchange DROP COLUMN protocol");
  const Traffic loaded = load_traffic(path());
  EXPECT_TRUE(loaded.exchanges[0].http2);
  EXPECT_FALSE(loaded.exchanges[1].http2);
}

TEST_F(Files, WhoeverWritesThatAnExchangeIsNotCompleteLeavesItOut) {
  save(traffic_of_everything(), path());
  EXPECT_TRUE(load_traffic(path()).exchanges[0].complete());
  Database(path(), Database::Mode::update, traffic_file_version, "traffic").run("UPDATE exchange SET complete = 0");
  const Traffic loaded = load_traffic(path());
  EXPECT_EQ(loaded.exchanges[0].flags, std::vector<std::string>{"excluded"});
  EXPECT_EQ(loaded.exchanges[1].flags, traffic_of_everything().exchanges[1].flags);
}

TEST_F(Files, AnExchangeWithATimeOrAStatusThatIsNoneIsNotComplete) {
  for (const char* change : {"status = 0", "status = -1", "status = 'zz'", "request_ns = 9223372036854775807",
                             "request_ns = -9223372036854775807 - 1", "response_end_ns = 0"}) {
    save(traffic_of_everything(), path());
    Database(path(), Database::Mode::update, traffic_file_version, "traffic")
        .run(std::string("UPDATE exchange SET ") + change);
    EXPECT_FALSE(load_traffic(path()).exchanges[0].complete()) << change;
  }
}

TEST_F(Files, SavingAgainReplacesTheFile) {
  save(traffic_of_everything(), path());
  save(Traffic{}, path());
  EXPECT_TRUE(load_traffic(path()).exchanges.empty());
}

TEST_F(Files, HistoriesComeBackAsTheyWereAddedInTheirOrder) {
  const History saved = history_of_everything();
  {
    HistoryWriter writer(path());
    writer.add(saved);
    History empty;
    empty.name = "an empty one";
    writer.add(empty);
    writer.add_document("evidence", "{\"a\": 1}");
    writer.add_document("evidence", "{\"a\": 2}");
    writer.add_document("config", "x");
  }
  const HistoryFile loaded = load_histories(path());
  ASSERT_EQ(loaded.histories.size(), 2u);
  EXPECT_EQ(loaded.histories[1].name, "an empty one");
  const History& history = loaded.histories[0];
  EXPECT_EQ(std::tie(history.name, history.target, history.began_ns, history.sent, history.unbound, history.interrupted,
                     history.bindings, history.sender),
            std::tie(saved.name, saved.target, saved.began_ns, saved.sent, saved.unbound, saved.interrupted,
                     saved.bindings, saved.sender));
  ASSERT_EQ(history.records.size(), saved.records.size());
  for (std::size_t i = 0; i < saved.records.size(); ++i) {
    const Record &a = saved.records[i], &b = history.records[i];
    EXPECT_EQ(std::tie(a.step, a.lane, a.due_ns, a.sent_ns, a.done_ns),
              std::tie(b.step, b.lane, b.due_ns, b.sent_ns, b.done_ns));
    EXPECT_EQ(std::tie(a.outcome, a.problem, a.read, a.request, a.response),
              std::tie(b.outcome, b.problem, b.read, b.request, b.response));
  }
  std::map<std::string, std::string> documents(loaded.documents.begin(), loaded.documents.end());
  EXPECT_EQ(documents, (std::map<std::string, std::string>{{"evidence", "{\"a\": 2}"}, {"config", "x"}}))
      << "the last one of a name counts";
}

TEST_F(Files, AHistoryIsOnDiskBeforeTheWriterIsGone) {
  HistoryWriter writer(path());
  writer.add(history_of_everything());
  EXPECT_EQ(load_histories(path()).histories.size(), 1u);
}

TEST_F(Files, RecordsAreWrittenAsTheyComeAndTheHistoryIsWholeAtItsEnd) {
  const History saved = history_of_everything();
  HistoryWriter writer(path());
  HistoryRecorder recorder(writer, saved);
  const auto many = static_cast<StepId>(2'500);
  for (StepId step = 1; step <= many; ++step) {
    Record record = saved.records[0];
    record.step = many + 1 - step;  // in the order in which answers came, which is not that of the plan
    recorder.add(std::move(record));
  }
  recorder.finish(saved);
  const History loaded = load_histories(path()).histories.at(0);
  ASSERT_EQ(loaded.records.size(), static_cast<std::size_t>(many));
  EXPECT_EQ(loaded.records.front().step, 1);
  EXPECT_EQ(loaded.records.back().response, saved.records[0].response);
  EXPECT_EQ(loaded.sent, saved.sent);
}

TEST_F(Files, AHistoryThatWasNotEndedIsAnInterruptedOne) {
  History history = history_of_everything();
  history.interrupted = false;
  {
    HistoryWriter writer(path());
    HistoryRecorder recorder(writer, history);
    recorder.add(Record(history.records[0]));
  }
  const History loaded = load_histories(path()).histories.at(0);
  EXPECT_TRUE(loaded.interrupted);
  EXPECT_EQ(loaded.records.size(), 1u);
}

TEST_F(Files, WhatKeepsRecordsFromBeingWrittenIsSaid) {
  History history;
  history.name = "play";
  HistoryWriter writer(path());
  HistoryRecorder recorder(writer, history);
  recorder.add(Record{});
  recorder.add(Record{});  // the same step again, which a history cannot hold
  EXPECT_THROW(recorder.finish(history), Error);
}

TEST_F(Files, AHistoryIsOneFileOnceItIsWritten) {
  HistoryWriter(path()).add(history_of_everything());
  EXPECT_FALSE(std::filesystem::exists(path() + "-wal"));
  static_cast<void>(load_histories(path()));
  EXPECT_FALSE(std::filesystem::exists(path() + "-wal") || std::filesystem::exists(path() + "-shm"))
      << "reading it leaves nothing beside it";
}

TEST_F(Files, SayWhatIsWrongWithAFile) {
  EXPECT_THAT(problem_of([&] { load_as_traffic(); }), HasSubstr("cannot open the traffic file"));
  folder.write("file", std::string(4096, 'x'));
  EXPECT_THAT(problem_of([&] { load_as_traffic(); }), HasSubstr("is no traffic file"));
  EXPECT_THAT(problem_of([&] { load_as_history(); }), HasSubstr("is no history file"));
  EXPECT_THAT(problem_of([&] { save(Traffic{}, folder.path("no/such/folder")); }),
              HasSubstr("cannot open the traffic file"));
}

TEST_F(Files, TellTrafficFromHistory) {
  save(traffic_of_everything(), path());
  EXPECT_TRUE(is_sqlite(path()));
  EXPECT_THAT(problem_of([&] { load_as_history(); }), HasSubstr("is no history file"));
  std::filesystem::remove(path());
  HistoryWriter(path()).add(history_of_everything());
  EXPECT_THAT(problem_of([&] { load_as_traffic(); }), HasSubstr("is no traffic file"));
  EXPECT_FALSE(is_sqlite(folder.write("other", "GET")));
  EXPECT_FALSE(is_sqlite(folder.path("missing")));
}

TEST_F(Files, WritesOverItsOwnKindAndOverNothingElse) {
  save(traffic_of_everything(), path());
  save(traffic_of_everything(), path());
  EXPECT_THAT(problem_of([&] { HistoryWriter writer(path()); }), HasSubstr("is no history file"));
  const std::string notes = folder.write("notes", "dear diary");
  EXPECT_THAT(problem_of([&] { save(traffic_of_everything(), notes); }), HasSubstr("is no traffic file"));
  EXPECT_THAT(problem_of([&] { save(traffic_of_everything(), "/dev/null"); }), HasSubstr("/dev/null"));
}

TEST_F(Files, AnotherVersionIsRefusedWithBothVersions) {
  save(traffic_of_everything(), path());
  Database(path(), Database::Mode::update, traffic_file_version, "traffic").run("PRAGMA user_version = 99");
  EXPECT_THAT(problem_of([&] { load_as_traffic(); }), AllOf(HasSubstr("version 2"), HasSubstr("99")));
}

}  // namespace
}  // namespace rehearse::replay
