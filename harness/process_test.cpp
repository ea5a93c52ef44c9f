#include "harness/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

// Whether the process goes on; one that is dead and not yet reaped by init does not.
bool runs(int pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(status, text);
  const auto state = text.rfind(") ");
  return state != std::string::npos && text[state + 2] != 'Z';
}

TEST(Command, TellsHowItEnded) {
  EXPECT_EQ(run("exit 0", 10s).status, 0);
  EXPECT_EQ(run("exit 7", 10s).status, 7);
  EXPECT_EQ(run("kill -TERM $$", 10s).status, 128 + SIGTERM);
  EXPECT_EQ(run("/no/such/program", 10s).status, 127);
}

TEST(Command, GivesBothOutputsToTheLastByte) {
  EXPECT_EQ(run("echo out; echo err >&2; printf end", 10s).output, "out\nerr\nend");
  for (int i = 0; i < 50; ++i)
    ASSERT_EQ(run("printf last", 10s).output, "last") << "what is written just before the end is not lost";
}

TEST(Command, ReadsNothingFromTheTerminal) { EXPECT_EQ(run("cat", 10s).status, 0); }

TEST(Command, ThatIsLateIsEndedWithItsChildren) {
  const auto pid_file = std::filesystem::temp_directory_path() / ("process_test_" + std::to_string(getpid()));
  const CommandResult result = run("sleep 60 & echo $! > " + pid_file.string() + "; sleep 60", 300ms);
  EXPECT_EQ(result.status, -1);
  EXPECT_LT(result.seconds, 10);
  int child = 0;
  std::ifstream(pid_file) >> child;
  std::filesystem::remove(pid_file);
  ASSERT_GT(child, 0);
  const auto until = std::chrono::steady_clock::now() + 5s;
  while (runs(child) && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(5ms);
  EXPECT_FALSE(runs(child));
}

TEST(Command, EndsWhenItIsStopped) {
  std::atomic<bool> stop = false;
  std::thread stopping([&stop] { stop = true; });
  EXPECT_EQ(run("sleep 60", 1h, &stop).status, 128 + SIGKILL);
  stopping.join();
}

TEST(Command, ThatPrintsWithoutEndIsLateToo) {
  const CommandResult result = run("yes", 300ms);
  EXPECT_EQ(result.status, -1);
  EXPECT_LE(result.output.size(), max_output_bytes);
}

TEST(Command, KeepsTheEndOfALongOutput) {
  const CommandResult result = run("seq 1 20000", 20s);
  EXPECT_EQ(result.output.size(), max_output_bytes);
  EXPECT_THAT(result.output, EndsWith("\n19999\n20000\n"));
}

TEST(Command, IsNotWaitedForOnceOnlyItsBackgroundChildGoesOn) {
  const CommandResult result = run("sleep 5 & echo started", 20s);
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.output, "started\n");
  EXPECT_LT(result.seconds, 4);
  EXPECT_LT(run("timeout 3 yes & sleep 0.1", 20s).seconds, 2) << "nor when the child never stops to print";
}

TEST(Command, ThatClosesItsOutputIsWaitedFor) { EXPECT_EQ(run("exec >&- 2>&-; sleep 0.3; exit 5", 10s).status, 5); }

TEST(Command, IsToldOfAPipeThatNobodyReads) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  EXPECT_THAT(run("yes | head -n 1", 10s).output, "y\n") << "an ignored SIGPIPE would make yes complain";
  std::signal(SIGPIPE, before);
}

TEST(Command, ThatFailsSaysWhatAndItsLastLine) {
  EXPECT_NO_THROW(run_or_throw("true", 10s, "the copy"));
  EXPECT_THAT([] { run_or_throw("echo one; echo two; exit 3", 10s, "the copy"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("the copy failed with status 3: two"), Not(HasSubstr("one\n")))));
  EXPECT_THAT([] { run_or_throw("exit 3", 10s, "the copy"); }, ThrowsMessage<Error>(HasSubstr("it printed nothing")));
  EXPECT_THAT([] { run_or_throw("sleep 9", 50ms, "the copy"); },
              ThrowsMessage<Error>(HasSubstr("the copy did not end within")));
}

TEST(Command, DoesNotPrintPasswords) {
  const auto fails = [](const std::string& command) { return [command] { run_or_throw(command, 10s, "the copy"); }; };
  EXPECT_THAT(fails("exit 3 # PGPASSWORD=hunter2 copy --password hunter2"),
              ThrowsMessage<Error>(Not(HasSubstr("hunter2"))));
  EXPECT_THAT(fails("echo 'no host=a password=hunter2 dbname=b'; exit 3"),
              ThrowsMessage<Error>(AllOf(Not(HasSubstr("hunter2")), HasSubstr("dbname=b"))));
  EXPECT_THAT(fails("echo 'cannot reach postgresql://me:hunter2@db/x password=hunter2'; exit 3"),
              ThrowsMessage<Error>(Not(HasSubstr("hunter2"))));
  EXPECT_THAT(fails("echo 'no GET http://127.0.0.1:80/a'; exit 3"),
              ThrowsMessage<Error>(HasSubstr("http://127.0.0.1:80/a")));
}

}  // namespace
}  // namespace rehearse::harness
