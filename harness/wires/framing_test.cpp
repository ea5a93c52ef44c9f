#include "harness/wires/framing.h"

#include <gmock/gmock.h>

namespace rehearse::harness {
namespace {

using namespace std::string_literals;
using Kind = Sent::Kind;
using testing::HasSubstr;

std::string number(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift & 0xff));
  return bytes;
}
std::string message(char type, const std::string& body) {
  return std::string(1, type) + number(static_cast<std::uint32_t>(body.size() + 4)) + body;
}
std::string startup() {
  const std::string body = number(196608) + "user\0me\0\0"s;
  return number(static_cast<std::uint32_t>(body.size() + 4)) + body;
}
const std::string session = number(8) + number(80877103) + startup() + message('Q', "BEGIN; SET LOCAL x = 1\0"s) +
                            message('P', "s0\0INSERT INTO t VALUES ($1)\0\0\0"s) +
                            message('B', "\0s0\0\0\0\0\1\0\0\0\2~7\0\0"s) + message('E', "\0\0\0\0\0"s) +
                            message('S', "") + message('Q', "commit\0"s) + message('X', "");

// Fed in pieces of `size` bytes.
std::vector<Sent> cut(SentFraming& framing, const std::string& bytes, std::size_t size) {
  std::vector<Sent> out;
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    std::vector<Sent> now;
    framing.take(std::string_view(bytes).substr(at, size), now);
    for (Sent& sent : now) out.push_back(std::move(sent));
  }
  return out;
}
std::string bytes_of(const std::vector<Sent>& sent) {
  std::string bytes;
  for (const Sent& one : sent) bytes += one.bytes;
  return bytes;
}
std::vector<Sent> messages(std::vector<Sent> sent) {
  std::erase_if(sent, [](const Sent& one) { return !one.message(); });
  return sent;
}

TEST(PostgresFraming, CutsTheSameStatementsHoweverTheBytesCome) {
  for (std::size_t size = 1; size <= session.size(); ++size) {
    const auto framing = postgres_framing();
    const auto sent = cut(*framing, session, size);
    ASSERT_EQ(bytes_of(sent), session) << size;
    ASSERT_EQ(sent[0].kind, Kind::encryption_request);
    ASSERT_EQ(sent[1].kind, Kind::opening);
    const auto statements = messages(sent);
    ASSERT_EQ(statements.size(), 3u) << size;
    EXPECT_EQ(statements[0].words, "BEGIN; SET LOCAL x = 1");
    EXPECT_FALSE(statements[0].write);
    EXPECT_TRUE(statements[1].write);
    EXPECT_TRUE(statements[2].commit);
    EXPECT_TRUE(framing->whole());
  }
}

TEST(PostgresFraming, BoundStatementIsMetByItsSqlAndItsValues) {
  const auto framing = postgres_framing();
  const auto bound = messages(cut(*framing, session, 4096))[1];
  EXPECT_EQ(bound.kind, Kind::bound_statement);
  EXPECT_THAT(bound.text, HasSubstr("INSERT INTO t"));
  EXPECT_THAT(bound.text, HasSubstr("~7"));
}

TEST(PostgresFraming, TellsWritesByTheirFirstWords) {
  const auto write = [](const std::string& sql) {
    const auto framing = postgres_framing();
    return messages(cut(*framing, startup() + message('Q', sql + '\0'), 4096)).at(0).write;
  };
  for (const char* sql :
       {"INSERT INTO t VALUES (1)", " update t set a = 1", "BEGIN; DELETE FROM t",
        "WITH x AS (INSERT INTO t VALUES (1) RETURNING a) SELECT a FROM x", "COPY t FROM STDIN", "TRUNCATE t"})
    EXPECT_TRUE(write(sql)) << sql;
  for (const char* sql : {"SELECT 1", "SELECT a FROM t FOR UPDATE", "BEGIN", "WITH x AS (SELECT 1) SELECT * FROM x",
                          "COPY t TO STDOUT", ""})
    EXPECT_FALSE(write(sql)) << sql;
}

TEST(PostgresFraming, WhatIsNoPostgresPassesAsItComes) {
  const auto framing = postgres_framing();
  const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_EQ(bytes_of(cut(*framing, bytes, 3)), bytes);
  EXPECT_FALSE(framing->whole());
}

TEST(PostgresFraming, WhatIsTooLongToHoldPassesInPieces) {
  const auto framing = postgres_framing();
  const std::string long_copy = message('d', std::string(max_framed_bytes + 1, 'x'));
  const std::string bytes = startup() + long_copy + message('Q', "SELECT 1\0"s);
  const auto sent = cut(*framing, bytes, 1u << 16);
  EXPECT_EQ(bytes_of(sent), bytes);
  EXPECT_GT(sent.size(), 60u);
  EXPECT_EQ(messages(sent).size(), 1u);
  EXPECT_TRUE(framing->whole()) << "rows of a COPY are no statement";
}

TEST(PostgresFraming, AnswersAreCutTheSameHoweverTheyCome) {
  const std::string answers = message('R', number(0)) + message('D', std::string(300, 'd')) +
                              message('C', "INSERT 0 1\0"s) + message('Z', "T") + message('E', "SERROR\0\0"s) +
                              message('Z', "E");
  for (std::size_t size = 1; size <= answers.size(); ++size) {
    PostgresAnswers framing;
    std::string bytes, kinds;
    for (std::size_t at = 0; at < answers.size(); at += size) {
      std::vector<Answered> out;
      framing.take(std::string_view(answers).substr(at, size), out);
      for (const auto& one : out) {
        bytes += one.bytes;
        if (one.kind == Answered::Kind::complete) kinds += one.tag + (one.changed_rows() ? "!" : "");
        if (one.kind == Answered::Kind::ready) kinds += one.status;
        if (one.kind == Answered::Kind::error) kinds += "error";
      }
    }
    ASSERT_EQ(bytes, answers);
    ASSERT_EQ(kinds, "INSERT 0 1!TerrorE");
  }
}

TEST(HttpFraming, CutsTheSameRequestsHoweverTheBytesCome) {
  const std::string requests =
      "GET /a HTTP/1.1\r\nHost: h\r\n\r\nPOST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
      "PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nworld\r\n1;x=y\r\n!\r\n0\r\nT: 1\r\n\r\n"
      "DELETE /d HTTP/1.1\r\nHost: h\r\n\r\n";
  for (std::size_t size = 1; size <= requests.size(); ++size) {
    const auto framing = http_framing();
    const auto sent = cut(*framing, requests, size);
    ASSERT_EQ(bytes_of(sent), requests);
    ASSERT_EQ(sent.size(), 4u) << size;
    EXPECT_EQ(sent[0].words, "GET /a");
    EXPECT_FALSE(sent[0].write);
    EXPECT_EQ(sent[1].request->body, "hello");
    EXPECT_TRUE(sent[1].write);
    EXPECT_EQ(sent[2].request->body, "world!");
    EXPECT_EQ(sent[3].words, "DELETE /d");
    EXPECT_TRUE(framing->whole());
  }
}

TEST(HttpFraming, BodyThatIsAskedForPassesBehindItsHead) {
  const auto framing = http_framing();
  const std::string head = "POST /b HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
  const auto sent = cut(*framing, head, 4096);
  ASSERT_EQ(sent.size(), 1u) << "the client waits for the server's permission";
  EXPECT_EQ(sent[0].words, "POST /b");
  const auto rest = cut(*framing, "helloGET /a HTTP/1.1\r\nHost: h\r\n\r\n", 4096);
  EXPECT_EQ(messages(rest).size(), 1u);
  EXPECT_FALSE(framing->whole()) << "its body is not known";
}

TEST(HttpFraming, WhatCouldBeReadInTwoWaysPassesAsItComes) {
  const auto framing = http_framing();
  const std::string bytes = "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!";
  EXPECT_EQ(bytes_of(cut(*framing, bytes, 7)), bytes);
  EXPECT_FALSE(framing->whole());
}

}  // namespace
}  // namespace rehearse::harness
