#include "harness/flag/flag.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "harness/flag/ofrep_server.h"
#include "replay/error.h"
#include "replay/player.h"

namespace rehearse::harness {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using boost::json::value;
using properties::Stage;
using testing::HasSubstr;
using testing::ThrowsMessage;

const std::map<Stage, std::string> values{{Stage::off, "off"},
                                          {Stage::read_only, "ro"},
                                          {Stage::shadow, "shadow"},
                                          {Stage::live, "live"},
                                          {Stage::completed, "done"}};

std::string contents(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A loopback port that was free a moment ago.
std::string free_address() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
}

TEST(FlagdDocument, OfNothingHasTheFiveVariants) {
  const value document = boost::json::parse(flagd_document("", "stage", "ro", values));
  EXPECT_EQ(document.at_pointer("/flags/stage/state"), "ENABLED");
  EXPECT_EQ(document.at_pointer("/flags/stage/defaultVariant"), "ro");
  EXPECT_EQ(document.at_pointer("/flags/stage/variants").as_object().size(), 5u);
  EXPECT_EQ(document.at_pointer("/flags/stage/variants/done"), "done");
}

TEST(FlagdDocument, KeepsWhatElseStandsInTheFile) {
  const value document = boost::json::parse(flagd_document(
      R"({"$schema": "s", "flags": {"other": {"state": "DISABLED"}, "stage": {"targeting": {"if": [1]}, "variants": {"live": "live", "extra": 1}}}})",
      "stage", "live", values));
  EXPECT_EQ(document.at("$schema"), "s");
  EXPECT_EQ(document.at_pointer("/flags/other/state"), "DISABLED");
  EXPECT_EQ(document.at_pointer("/flags/stage/targeting/if/0"), 1);
  EXPECT_EQ(document.at_pointer("/flags/stage/variants/extra"), 1);
  EXPECT_EQ(document.at_pointer("/flags/stage/defaultVariant"), "live");
}

TEST(FlagdDocument, OfSomethingBrokenIsWholeAgain) {
  for (const char* broken : {"{", "[]", "null", R"({"flags": []})", R"({"flags": {"stage": 7}})",
                             R"({"flags": {"stage": {"variants": 7}}})"}) {
    const value document = boost::json::parse(flagd_document(broken, "stage", "off", values));
    EXPECT_EQ(document.at_pointer("/flags/stage/defaultVariant"), "off") << broken;
  }
}

TEST(FlagdDocument, ServesAValueThatIsNoStage) {
  const value document = boost::json::parse(flagd_document("", "stage", "no such stage", values));
  EXPECT_EQ(document.at_pointer("/flags/stage/defaultVariant"), "no such stage");
  EXPECT_EQ(document.at_pointer("/flags/stage/variants").at("no such stage"), "no such stage");
}

class FlagFile : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(directory_); }
  void TearDown() override { fs::remove_all(directory_); }
  FlagSettings settings(FlagSettings::Kind kind) const {
    FlagSettings made;
    made.kind = kind;
    made.path = directory_ / "flags.json";
    made.values = values;
    return made;
  }
  const fs::path directory_ = fs::temp_directory_path() / ("flag_test_" + std::to_string(getpid()));
};

TEST_F(FlagFile, IsReplacedAndNeverHalfWritten) {
  const auto flag = make_flag(settings(FlagSettings::Kind::flagd_file), 1s);
  flag->set("off");
  const auto first = fs::directory_entry(directory_ / "flags.json");
  std::ifstream reader(directory_ / "flags.json");  // has the old file open
  flag->set("live");
  EXPECT_THAT(std::string(std::istreambuf_iterator<char>(reader), {}), HasSubstr(R"("defaultVariant":"off")"));
  EXPECT_THAT(contents(directory_ / "flags.json"), HasSubstr(R"("defaultVariant":"live")"));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 1) << "nothing is left beside it";
}

TEST_F(FlagFile, ThatCannotBeWrittenIsAnError) {
  FlagSettings nowhere = settings(FlagSettings::Kind::flagd_file);
  nowhere.path = directory_ / "none" / "flags.json";
  const auto flag = make_flag(nowhere, 1s);
  EXPECT_THAT([&] { flag->set("off"); }, ThrowsMessage<Error>(HasSubstr("cannot write the flag file")));
}

TEST_F(FlagFile, CommandGetsTheValueWhereItsPlaceIs) {
  FlagSettings command = settings(FlagSettings::Kind::command);
  command.set = "printf %s 'value: {}' > " + (directory_ / "set").string();
  make_flag(command, 1s)->set("ro");
  EXPECT_EQ(contents(directory_ / "set"), "value: ro");
  command.set = "printf %s > " + (directory_ / "set").string();
  make_flag(command, 1s)->set("no such stage");
  EXPECT_EQ(contents(directory_ / "set"), "no such stage") << "without a place it is the last argument";
  command.set = "echo refused; exit 4";
  EXPECT_THAT([&] { make_flag(command, 1s)->set("ro"); },
              ThrowsMessage<Error>(HasSubstr("setting the flag failed with status 4: refused")));
}

TEST(Ofrep, AnswersWithTheValueThatWasSetLast) {
  const std::string address = free_address();
  OfrepServer server(address, "stage");
  const auto evaluate = [&](const std::string& key) {
    return replay::send({"POST", "/ofrep/v1/evaluate/flags/" + key, {{"Content-Type", "application/json"}}, "{}"},
                        "http://" + address, 2s);
  };
  EXPECT_EQ(evaluate("stage").response.status, 404) << "there is no flag before its first value";
  server.serve("off");
  server.serve("read-only");
  const auto record = evaluate("stage");
  ASSERT_EQ(record.outcome, replay::Outcome::answered);
  EXPECT_EQ(record.response.status, 200);
  EXPECT_EQ(replay::field(record.response.headers, "Content-Type"), "application/json");
  const value body = boost::json::parse(record.response.body);
  EXPECT_EQ(body.at("key"), "stage");
  EXPECT_EQ(body.at("value"), "read-only");
  const auto other = evaluate("another");
  EXPECT_EQ(other.response.status, 404);
  EXPECT_EQ(boost::json::parse(other.response.body).at("errorCode"), "FLAG_NOT_FOUND");
}

TEST(Ofrep, IsGoneWithItsServer) {
  const std::string address = free_address();
  { OfrepServer server(address, "stage"); }
  EXPECT_EQ(replay::send({"POST", "/", {}, ""}, "http://" + address, 1s).outcome, replay::Outcome::refused);
  OfrepServer again(address, "stage");
}

TEST(Ofrep, AddressThatIsTakenOrNoneIsAnError) {
  const std::string address = free_address();
  OfrepServer server(address, "stage");
  EXPECT_THAT([&] { OfrepServer second(address, "stage"); },
              ThrowsMessage<Error>(testing::AllOf(HasSubstr("cannot listen on " + address), HasSubstr("in use"))));
  for (const char* wrong : {"", "8016", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "localhost:x"}) {
    EXPECT_THAT([&] { OfrepServer none(wrong, "stage"); },
                ThrowsMessage<Error>(HasSubstr("is no address of the form 127.0.0.1:8016")))
        << wrong;
  }
}

}  // namespace
}  // namespace rehearse::harness
