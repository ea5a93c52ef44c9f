#include "replay/redaction/key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "replay/capture/test_packets.h"
#include "replay/error.h"

namespace rehearse::replay {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

// No variable of whoever runs the tests; each is put back.
class Keys : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"REHEARSE_REDACTION_KEY", "XDG_CONFIG_HOME", "HOME"}) {
      if (const char* value = std::getenv(name)) before_.emplace_back(name, value);
      unsetenv(name);
    }
  }
  void TearDown() override {
    for (const char* name : {"REHEARSE_REDACTION_KEY", "XDG_CONFIG_HOME", "HOME"}) unsetenv(name);
    for (const auto& [name, value] : before_) setenv(name.c_str(), value.c_str(), 1);
  }
  ::testing::AssertionResult made_nothing() const {
    return made_.empty() ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << made_;
  }

  testing::Folder folder_;
  std::string made_;
  std::vector<std::pair<std::string, std::string>> before_;
};

TEST_F(Keys, OfAFileGoBeforeTheEnvironment) {
  const std::string path = folder_.write("key", "sixteen bytes or more\n");
  setenv("REHEARSE_REDACTION_KEY", "the key of the environment", 1);
  EXPECT_EQ(redaction_key(path, made_).fingerprint(), RedactionKey("sixteen bytes or more", "").fingerprint());
  EXPECT_EQ(redaction_key("", made_).fingerprint(), RedactionKey("the key of the environment", "").fingerprint());
  EXPECT_TRUE(made_nothing());
}

TEST_F(Keys, AreMadeOnceForTheirOwnerAlone) {
  setenv("HOME", folder_.path("home").c_str(), 1);
  const std::string first = redaction_key("", made_).fingerprint();
  EXPECT_EQ(made_, folder_.path("home") + "/.config/rehearse/redaction.key");
  struct stat status {};
  ASSERT_EQ(stat(made_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  made_.clear();
  EXPECT_EQ(redaction_key("", made_).fingerprint(), first);
  EXPECT_TRUE(made_nothing());
  setenv("XDG_CONFIG_HOME", folder_.path("other").c_str(), 1);
  EXPECT_NE(redaction_key("", made_).fingerprint(), first);
}

TEST_F(Keys, ThatAreShortOrMissingAreRefusedInOneSentence) {
  const auto refusal = [&](const std::string& path) {
    try {
      static_cast<void>(redaction_key(path, made_));
    } catch (const Error& problem) {
      return std::string(problem.what());
    }
    return std::string("it was accepted");
  };
  EXPECT_THAT(refusal(folder_.write("short", "fifteen bytes..")), HasSubstr("has 15 bytes; give it at least 16"));
  EXPECT_THAT(refusal(folder_.path("none")), HasSubstr("cannot be read"));
  EXPECT_THAT(refusal(""), HasSubstr("HOME is not set"));
  setenv("HOME", "/proc/none", 1);
  EXPECT_THAT(refusal(""), HasSubstr("cannot be made"));
  setenv("REHEARSE_REDACTION_KEY", "short and secret", 1);
  EXPECT_EQ(refusal(""), "it was accepted");
  setenv("REHEARSE_REDACTION_KEY", "zq7-secret", 1);
  EXPECT_THAT(refusal(""),
              ::testing::AllOf(HasSubstr("REHEARSE_REDACTION_KEY has 10 bytes"), ::testing::Not(HasSubstr("zq7"))));
}

TEST(RedactionKeys, SayWhichTheyAreAndNotWhatTheyAre) {
  EXPECT_THAT(passing_key().fingerprint(), MatchesRegex("[0-9a-f]{8}"));
  EXPECT_NE(passing_key().fingerprint(), passing_key().fingerprint());
}

TEST(RedactionKeys, JoinLabelAndValueWithoutAmbiguity) {
  const RedactionKey key("sixteen bytes or more", "a test");
  EXPECT_NE(key.mac("ab", "c"), key.mac("a", "bc"));
}

}  // namespace
}  // namespace rehearse::replay
