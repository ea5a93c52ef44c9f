#include "replay/planned_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <thread>
#include <vector>

#include "replay/error.h"

namespace rehearse::replay {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Request any_request() {
  const auto text = [] { return *rc::gen::container<std::string>(rc::gen::inRange('a', 'z')); };
  Request request{"G" + text(), "/" + text(), {}, *rc::gen::arbitrary<std::string>()};
  for (int left = *rc::gen::inRange(0, 4); left > 0; --left) request.headers.push_back({"X-" + text(), text()});
  for (int left = *rc::gen::inRange(0, 3); left > 0; --left) request.trailers.push_back({"Y-" + text(), text()});
  if (*rc::gen::inRange(0, 20) == 0) request.body.assign(3u << 20, 'b');  // more than is written at once
  return request;
}

RC_GTEST_PROP(RequestSpool, GivesBackWhatItTookInAnyOrderToAnyNumberOfThreads, ()) {
  std::vector<Request> requests;
  for (int left = *rc::gen::inRange(0, 40); left > 0; --left) requests.push_back(any_request());
  auto spool = std::make_shared<RequestSpool>();
  std::vector<PlannedRequest> planned;
  for (const Request& request : requests) planned.emplace_back(spool, spool->add(request));
  spool->flush();
  spool.reset();  // whoever can read it keeps it

  std::vector<int> right(3, 0);
  std::vector<std::thread> readers;
  for (std::size_t reader = 0; reader < right.size(); ++reader) {
    readers.emplace_back([&, reader] {
      for (std::size_t i = 0; i < planned.size(); ++i) {
        const std::size_t at = reader == 0 ? i : planned.size() - 1 - i;
        right[reader] += *planned[at] == requests[at] && *planned[at].get() == requests[at];
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  for (const int count : right) RC_ASSERT(count == static_cast<int>(requests.size()));
}

TEST(PlannedRequest, IsEqualWhereverItLies) {
  const Request request{"GET", "/a", {{"X", "1"}}, ""};
  auto spool = std::make_shared<RequestSpool>();
  const PlannedRequest on_disk(spool, spool->add(request)), in_memory(request);
  spool->flush();
  EXPECT_EQ(on_disk, in_memory);
  EXPECT_TRUE(in_memory.in_memory());
  EXPECT_FALSE(on_disk.in_memory());
  EXPECT_NE(in_memory, PlannedRequest(Request{"GET", "/b", {{"X", "1"}}, ""}));
  EXPECT_NE(on_disk, PlannedRequest());
  EXPECT_FALSE(PlannedRequest().has_value());
}

// With a TMPDIR of its own, and nothing of that afterwards.
class SpoolFile : public ::testing::Test {
 protected:
  SpoolFile() {
    std::string folder = ::testing::TempDir() + "spoolXXXXXX";
    folder_ = mkdtemp(folder.data());
    setenv("TMPDIR", folder_.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): no other thread yet
  }
  ~SpoolFile() override {
    unsetenv("TMPDIR");  // NOLINT(concurrency-mt-unsafe)
    std::filesystem::remove_all(folder_);
  }
  // The open file in the folder, by a name that the kernel gives it.
  [[nodiscard]] std::string file() const {
    for (const auto& open : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      if (std::filesystem::read_symlink(open.path(), gone).string().starts_with(folder_)) return open.path();
    }
    return {};
  }
  std::string folder_;
};

TEST_F(SpoolFile, HasNoName) {
  auto spool = std::make_shared<RequestSpool>();
  const PlannedRequest request(spool, spool->add({"GET", "/a", {}, ""}));
  spool->flush();
  EXPECT_NE(file(), "");
  EXPECT_TRUE(std::filesystem::is_empty(folder_)) << "a program that is killed leaves nothing";
}

TEST_F(SpoolFile, ThatBecameShorterIsAnErrorAndNoOtherRequest) {
  auto spool = std::make_shared<RequestSpool>();
  const PlannedRequest request(spool, spool->add({"POST", "/a", {}, std::string(100, 'b')}));
  spool->flush();
  ASSERT_EQ(truncate(file().c_str(), 50), 0);
  EXPECT_THAT([&] { static_cast<void>(*request); }, ThrowsMessage<Error>(HasSubstr("has become shorter")));
}

TEST_F(SpoolFile, ThatCannotBeMadeIsNamedWithItsFolder) {
  setenv("TMPDIR", "/nowhere", 1);  // NOLINT(concurrency-mt-unsafe)
  EXPECT_THAT([] { RequestSpool spool; },
              ThrowsMessage<Error>(HasSubstr("/nowhere: No such file or directory; set TMPDIR")));
}

TEST_F(SpoolFile, ThatTakesNoMoreIsAnError) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 1u << 16;
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  RequestSpool spool;
  std::string problem;
  try {
    static_cast<void>(spool.add({"POST", "/a", {}, std::string(1u << 21, 'b')}));
  } catch (const Error& error) {
    problem = error.what();
  }
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  static_cast<void>(signal(SIGXFSZ, handler));
  EXPECT_THAT(problem, HasSubstr("set TMPDIR to a folder with more room"));
}

}  // namespace
}  // namespace rehearse::replay
