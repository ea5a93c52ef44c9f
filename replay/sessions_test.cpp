#include "replay/sessions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rehearse::replay {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class Sessions : public ::testing::Test {
 protected:
  std::vector<std::uint64_t> of(std::int64_t connection, std::int64_t begin_ns, std::int64_t end_ns,
                                const Headers& headers) {
    Exchange exchange;
    exchange.connection = connection;
    exchange.request_ns = begin_ns;
    exchange.response_end_ns = end_ns;
    exchange.request = {"GET", "/", headers, ""};
    return finder.sessions_of(exchange, values_in(exchange.request));
  }
  SessionFinder finder{{"X-Session"}};
};

TEST_F(Sessions, AreNamedByCookiesCredentialsAndConfiguredHeaders) {
  EXPECT_THAT(of(1, 0, 1, {{"Cookie", "sid=a1b2c3d4"}}), SizeIs(1));
  EXPECT_THAT(of(1, 0, 1, {{"Authorization", "Bearer t"}}), SizeIs(1));
  EXPECT_THAT(of(1, 0, 1, {{"x-session", "s"}}), SizeIs(1));
  EXPECT_THAT(of(1, 0, 1, {{"Cookie", "theme=dark-mode-v2; consent=accepted-2024; sid=short"}, {"X-Other", "s"}}),
              IsEmpty());
  EXPECT_EQ(of(1, 2, 3, {{"Cookie", "sid=a1b2c3d4"}}), of(2, 4, 5, {{"Cookie", "lang=en; sid=a1b2c3d4"}}));
}

TEST_F(Sessions, ACredentialOnManyConnectionsAtOnceIsAServices) {
  const Headers service{{"Authorization", "Bearer of-a-service"}}, user{{"Authorization", "Bearer of-a-user"}};
  for (std::int64_t connection = 1; connection <= static_cast<std::int64_t>(max_session_connections); ++connection) {
    EXPECT_THAT(of(connection, connection, 1000, service), SizeIs(1)) << connection;
    EXPECT_THAT(of(connection, connection * 100, connection * 100 + 1, user), SizeIs(1));
  }
  EXPECT_THAT(of(1, 999, 1001, service), SizeIs(1)) << "one connection counts once";
  EXPECT_THAT(of(99, 999, 1001, service), IsEmpty());
  EXPECT_THAT(of(1, 5000, 5001, service), IsEmpty()) << "it stays one";
  for (std::int64_t connection = 100; connection < 200; ++connection)
    EXPECT_THAT(of(connection, connection * 100, connection * 100 + 1, user), SizeIs(1)) << "one after the other";
}

TEST_F(Sessions, BeginWithALogin) {
  const Headers json{{"Content-Type", "application/json"}};
  const auto cookie = session_begun_by({200, {{"Set-Cookie", "sid=a1b2c3d4; Path=/"}}, ""}, {});
  ASSERT_TRUE(cookie);
  EXPECT_EQ(of(1, 0, 1, {{"Cookie", "sid=a1b2c3d4"}}), std::vector{*cookie});
  const auto token = session_begun_by({200, json, R"({"access_token":"made-01234567"})"}, {});
  ASSERT_TRUE(token);
  EXPECT_EQ(of(1, 2, 3, {{"Authorization", "Bearer made-01234567"}}), std::vector{*token});
  EXPECT_FALSE(session_begun_by({401, {{"Set-Cookie", "sid=a1b2c3d4"}}, ""}, {}));
  EXPECT_FALSE(session_begun_by({200, {{"Set-Cookie", "theme=dark-mode-v2"}}, ""}, {}));
  EXPECT_FALSE(session_begun_by({200, json, R"({"next_cursor":"made-01234567"})"}, {}));
}

}  // namespace
}  // namespace rehearse::replay
