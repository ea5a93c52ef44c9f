#include "harness/wires/wire.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "harness/databases/throw_away_postgres.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using testing::ThrowsMessage;
using namespace std::chrono_literals;

std::string word_behind(const std::string& text, const std::string& name) {
  const auto begin = text.find(name) + name.size();
  return text.substr(begin, text.find(' ', begin) - begin);
}

// A client of PostgreSQL, in the words of the tests: what it is told is one line.
class Client {
 public:
  explicit Client(const std::string& dsn) : connection_(PQconnectdb(dsn.c_str())) {}
  ~Client() { PQfinish(connection_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  [[nodiscard]] bool connected() const { return PQstatus(connection_) == CONNECTION_OK; }
  [[nodiscard]] std::string problem() const { return PQerrorMessage(connection_); }
  [[nodiscard]] char transaction() const { return "IATEU"[PQtransactionStatus(connection_)]; }

  std::string run(const std::string& sql) { return told(PQexec(connection_, sql.c_str())); }
  // The same with Parse and Bind.
  std::string run(const std::string& sql, const std::string& value) {
    const char* values[] = {value.c_str()};
    return told(PQexecParams(connection_, sql.c_str(), 1, nullptr, values, nullptr, nullptr, 0));
  }
  std::string prepare(const std::string& sql) { return told(PQprepare(connection_, "it", sql.c_str(), 0, nullptr)); }
  std::string run_prepared(const std::string& value) {
    const char* values[] = {value.c_str()};
    return told(PQexecPrepared(connection_, "it", 1, values, nullptr, nullptr, 0));
  }

 private:
  std::string told(PGresult* result) {
    std::string answer;
    const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (state != nullptr)
      answer = std::string("error ") + state;
    else if (PQresultStatus(result) == PGRES_FATAL_ERROR)
      answer = "no answer";
    else if (PQntuples(result) > 0)
      answer = PQgetvalue(result, 0, 0);
    else
      answer = PQcmdStatus(result);
    PQclear(result);
    return answer;
  }
  PGconn* connection_;
};

class WireToPostgres : public TwoDatabases {
 protected:
  void SetUp() override {
    TwoDatabases::SetUp();
    sql("n", "CREATE TABLE t (a text PRIMARY KEY)");
    const std::string dsn = dsn_of("n");
    wire_ = std::make_unique<Wire>(
        WireSettings{"new-database", "127.0.0.1:0", word_behind(dsn, "host=") + ":" + word_behind(dsn, "port=")});
    const auto& listen = wire_->settings().listen;
    dsn_ = "host=127.0.0.1 port=" + listen.substr(listen.find(':') + 1) + " user=rehearse dbname=n connect_timeout=10";
  }

  void rule(const std::string& words) { wire_->apply(wire_rule_in(words, WireProtocol::postgres)); }
  // What the database holds, asked without the wire.
  static std::string rows() {
    return sql("n", "SELECT coalesce(string_agg(a, ' ' ORDER BY a), '') FROM t").rows[0][0].value_or("");
  }
  static bool at_rest(const std::future<std::string>& answer) {
    return answer.wait_for(50ms) == std::future_status::timeout;
  }

  std::unique_ptr<Wire> wire_;
  std::string dsn_;
};

TEST_F(WireToPostgres, WithoutRulesChangesNothingAndSaysWhatPassed) {
  Client client(dsn_);
  ASSERT_TRUE(client.connected()) << client.problem();
  EXPECT_EQ(client.run("INSERT INTO t VALUES ('1')"), "INSERT 0 1");
  EXPECT_EQ(client.run("INSERT INTO t VALUES ($1)", "2"), "INSERT 0 1");
  EXPECT_EQ(client.run("INSERT INTO t VALUES ('1')"), "error 23505");
  EXPECT_EQ(client.run("SELECT repeat('x', 3000000)").size(), 3'000'000u);
  const auto evidence = wire_->take_evidence();
  EXPECT_TRUE(evidence.whole);
  ASSERT_EQ(evidence.messages.size(), 4u);
  EXPECT_EQ(evidence.messages[1].words, "INSERT INTO t VALUES ($1)");
  EXPECT_EQ(evidence.messages[1].connection, 1);
  EXPECT_THAT(wire_->take_evidence().messages, IsEmpty());
  EXPECT_THAT(wire_->mend(), IsEmpty());
}

TEST_F(WireToPostgres, HeldStatementLetsOthersPassUntilItIsReleased) {
  Client held(dsn_), other(dsn_);
  held.prepare("INSERT INTO t VALUES ($1)");
  rule("hold write \"~1~\"");
  auto answer = std::async(std::launch::async, [&] { return held.run_prepared("a ~1~"); });
  rule("await");
  EXPECT_EQ(other.run("INSERT INTO t VALUES ('b ~2~')"), "INSERT 0 1");
  EXPECT_EQ(rows(), "b ~2~") << "the first write came later";
  EXPECT_TRUE(at_rest(answer));
  rule("release");
  EXPECT_EQ(answer.get(), "INSERT 0 1");
  EXPECT_EQ(rows(), "a ~1~ b ~2~");
  EXPECT_EQ(held.run("INSERT INTO t VALUES ('c ~1~')"), "INSERT 0 1") << "it was for one statement";
  EXPECT_THAT(wire_->mend(), IsEmpty());
}

TEST_F(WireToPostgres, HeldStatementGoesOnWhenItsTimeIsOver) {
  Client client(dsn_);
  rule("hold write at most 30ms");
  EXPECT_EQ(client.run("INSERT INTO t VALUES ('1')"), "INSERT 0 1");
  EXPECT_THAT(wire_->mend(), IsEmpty()) << "as it said";
}

TEST_F(WireToPostgres, MendReleasesWhatIsHeld) {
  Client client(dsn_);
  rule("hold");
  auto answer = std::async(std::launch::async, [&] { return client.run("INSERT INTO t VALUES ('1')"); });
  rule("await");
  EXPECT_THAT(wire_->mend(), IsEmpty());
  EXPECT_EQ(answer.get(), "INSERT 0 1");
}

TEST_F(WireToPostgres, CountsTheStatementsThatItMeets) {
  Client client(dsn_);
  rule("answer error 40001 write statement 2");
  EXPECT_EQ(client.run("INSERT INTO t VALUES ('1')"), "INSERT 0 1");
  EXPECT_EQ(client.run("SELECT 'read'"), "read");
  EXPECT_EQ(client.run("INSERT INTO t VALUES ('2')"), "error 40001");
  EXPECT_EQ(client.run("INSERT INTO t VALUES ('3')"), "INSERT 0 1");
  EXPECT_EQ(rows(), "1 3");
}

TEST_F(WireToPostgres, CutAfterCommitLeavesTheRowsAndTellsNobody) {
  Client client(dsn_);
  rule("cut after commit");
  EXPECT_EQ(client.run("BEGIN"), "BEGIN");
  EXPECT_EQ(client.run("INSERT INTO t VALUES ($1)", "1"), "INSERT 0 1");
  EXPECT_EQ(client.run("COMMIT"), "no answer");
  EXPECT_FALSE(client.connected());
  EXPECT_EQ(rows(), "1");
  Client again(dsn_);
  EXPECT_EQ(again.run("INSERT INTO t VALUES ('2')"), "INSERT 0 1") << "it was for one commit";
  EXPECT_THAT(wire_->mend(), IsEmpty());
}

TEST_F(WireToPostgres, CutAfterCommitMeetsStatementsThatCommitThemselves) {
  for (const bool bound : {false, true}) {
    Client client(dsn_);
    rule("cut after commit");
    EXPECT_EQ(client.run("SELECT 'read'"), "read");
    EXPECT_EQ(bound ? client.run("INSERT INTO t VALUES ($1)", "2") : client.run("INSERT INTO t VALUES ('1')"),
              "no answer");
    EXPECT_THAT(wire_->mend(), IsEmpty());
  }
  EXPECT_EQ(rows(), "1 2");
}

TEST_F(WireToPostgres, CutAfterCommitWaitsForAWriteThatIsCommitted) {
  Client client(dsn_);
  rule("cut after commit");
  EXPECT_EQ(client.run("BEGIN"), "BEGIN");
  EXPECT_EQ(client.run("INSERT INTO t VALUES ('1')"), "INSERT 0 1");
  EXPECT_EQ(client.run("ROLLBACK"), "ROLLBACK");
  EXPECT_EQ(client.run("DELETE FROM t"), "DELETE 0") << "it changed nothing";
  EXPECT_EQ(client.run("INSERT INTO missing VALUES (1)"), "error 42P01");
  EXPECT_EQ(client.run("INSERT INTO t VALUES ('2')"), "no answer");
  EXPECT_EQ(rows(), "2");
  EXPECT_THAT(wire_->mend(), IsEmpty());
}

TEST_F(WireToPostgres, StatementThatFailsLeavesItsConnectionUsable) {
  Client client(dsn_);
  client.prepare("INSERT INTO t VALUES ($1)");
  for (const char* how : {"a query", "bound", "prepared"}) {
    rule("answer error 53100 write");
    EXPECT_EQ(how == std::string("a query") ? client.run("INSERT INTO t VALUES ('1')")
              : how == std::string("bound") ? client.run("INSERT INTO t VALUES ($1)", "1")
                                            : client.run_prepared("1"),
              "error 53100")
        << how;
    EXPECT_EQ(client.transaction(), 'I');
    EXPECT_EQ(client.run("SELECT 'usable'"), "usable") << how;
    EXPECT_THAT(wire_->mend(), IsEmpty());
  }
  EXPECT_EQ(rows(), "");
  EXPECT_EQ(client.run_prepared("1"), "INSERT 0 1");
}

TEST_F(WireToPostgres, StatementThatFailsFailsItsTransaction) {
  Client client(dsn_);
  rule("answer error 40001 \"'2'\"");
  client.run("BEGIN");
  EXPECT_EQ(client.run("INSERT INTO t VALUES ('1')"), "INSERT 0 1");
  EXPECT_EQ(client.run("INSERT INTO t VALUES ('2')"), "error 40001");
  EXPECT_EQ(client.transaction(), 'E');
  EXPECT_EQ(client.run("INSERT INTO t VALUES ('3')"), "error 25P02");
  EXPECT_EQ(client.run("COMMIT"), "ROLLBACK");
  EXPECT_EQ(rows(), "");
}

TEST_F(WireToPostgres, CommitThatFailsEndsItsTransaction) {
  Client client(dsn_);
  rule("answer error 40001 \"COMMIT\"");
  client.run("BEGIN");
  client.run("INSERT INTO t VALUES ('1')");
  EXPECT_EQ(client.run("COMMIT"), "error 40001");
  EXPECT_EQ(client.transaction(), 'I');
  EXPECT_EQ(rows(), "");
  EXPECT_EQ(client.run("INSERT INTO t VALUES ('2')"), "INSERT 0 1");
}

TEST_F(WireToPostgres, ResetEndsTheConnectionBeforeTheStatementArrives) {
  Client client(dsn_), other(dsn_);
  rule("reset write");
  EXPECT_EQ(client.run("INSERT INTO t VALUES ('1')"), "no answer");
  EXPECT_EQ(other.run("INSERT INTO t VALUES ('2')"), "INSERT 0 1");
  EXPECT_EQ(rows(), "2");
}

TEST_F(WireToPostgres, DelayedStatementArrivesLater) {
  Client client(dsn_), other(dsn_);
  rule("delay 300ms \"late\"");
  auto answer = std::async(std::launch::async, [&] { return client.run("INSERT INTO t VALUES ('late')"); });
  rule("await");
  EXPECT_EQ(other.run("INSERT INTO t SELECT 'after ' || count(*) FROM t"), "INSERT 0 1");
  EXPECT_EQ(answer.get(), "INSERT 0 1");
  EXPECT_EQ(rows(), "after 0 late");
}

TEST_F(WireToPostgres, BlackHoleSwallowsBothDirectionsUntilItIsMended) {
  Client client(dsn_);
  rule("black-hole every");
  auto answer = std::async(std::launch::async, [&] { return client.run("INSERT INTO t VALUES ('1')"); });
  rule("await");
  rule("release");
  EXPECT_TRUE(at_rest(answer)) << "a release is for what is held";
  EXPECT_THAT(wire_->mend(), IsEmpty());
  EXPECT_EQ(answer.get(), "INSERT 0 1");
}

TEST_F(WireToPostgres, RulesOfConnectionsMeetThemAsTheyBegin) {
  Client open(dsn_);
  rule("answer error 53300 connection 1");
  const Client refused(dsn_);
  EXPECT_FALSE(refused.connected());
  EXPECT_THAT(refused.problem(), HasSubstr("made to fail on purpose"));
  rule("reset connection 2");
  const Client first(dsn_), second(dsn_);
  EXPECT_TRUE(first.connected());
  EXPECT_FALSE(second.connected());
  EXPECT_EQ(open.run("SELECT 'open'"), "open");
  EXPECT_THAT(wire_->mend(), IsEmpty());
}

TEST_F(WireToPostgres, RuleThatMetNothingIsNamedAndOver) {
  Client client(dsn_);
  rule("hold \"~9~\"");
  rule("cut after commit");
  EXPECT_EQ(client.run("SELECT 'read'"), "read");
  EXPECT_THAT(wire_->mend(), ElementsAre("never fired: wire new-database: hold \"~9~\"",
                                         "never fired: wire new-database: cut after commit"));
  EXPECT_THAT(wire_->mend(), IsEmpty());
  EXPECT_EQ(client.run("INSERT INTO t VALUES ('~9~')"), "INSERT 0 1");
}

TEST_F(WireToPostgres, ClientsSeeTheServerEndASessionAsTheyDoWithoutIt) {
  Client client(dsn_), without(dsn_of("n"));
  sql("postgres", "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'n'");
  EXPECT_EQ(client.run("SELECT 1"), without.run("SELECT 1"));
  EXPECT_EQ(client.problem(), without.problem());
  EXPECT_FALSE(client.connected());
}

TEST_F(WireToPostgres, EndsWithItsOwner) {
  Client client(dsn_);
  rule("hold");
  auto answer = std::async(std::launch::async, [&] { return client.run("INSERT INTO t VALUES ('1')"); });
  rule("await");
  wire_.reset();
  EXPECT_EQ(answer.get(), "no answer");
  EXPECT_EQ(rows(), "");
  EXPECT_FALSE(Client(dsn_).connected());
}

TEST_F(WireToPostgres, AddressesThatCannotBeAreRefused) {
  const auto open = [](const std::string& listen, const std::string& to) {
    return Wire(WireSettings{"new-database", listen, to});
  };
  EXPECT_THAT([&] { open("nowhere", "127.0.0.1:1"); },
              ThrowsMessage<Error>(HasSubstr("fuzz.wires.new-database.listen: \"nowhere\" is no address")));
  EXPECT_THAT([&] { open(wire_->settings().listen, "127.0.0.1:1"); },
              ThrowsMessage<Error>(HasSubstr("cannot listen on")));
  EXPECT_THAT([&] { open("127.0.0.1:0", "here"); }, ThrowsMessage<Error>(HasSubstr("neither HOST:PORT nor the path")));
}

// -- HTTP ----------------------------------------------------------------------------------------------------------------

int connected_to(const std::string& address) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
  inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to);
  return fd;
}

// Up to what ends with `end`, or all that there is.
std::string read_until(int fd, const std::string& end) {
  std::string text;
  char bytes[4096];
  while (end.empty() || !text.ends_with(end)) {
    const auto count = read(fd, bytes, sizeof bytes);
    if (count <= 0) break;
    text.append(bytes, static_cast<std::size_t>(count));
  }
  return text;
}

// Answers each request of one connection after the other with its body, and counts them.
class Echo {
 public:
  Echo() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    listen(listener_, 16);
    socklen_t size = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Echo() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  Echo(const Echo&) = delete;
  Echo& operator=(const Echo&) = delete;
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] int served() const { return served_; }

 private:
  void serve() {
    std::vector<std::thread> clients;
    for (int fd = accept(listener_, nullptr, nullptr); fd >= 0; fd = accept(listener_, nullptr, nullptr))
      clients.emplace_back([this, fd] {
        // Every request of these tests ends with a full stop.
        for (std::string text = read_until(fd, "."); text.ends_with('.'); text = read_until(fd, ".")) {
          const std::string body = text.substr(text.find("\r\n\r\n") + 4);
          ++served_;
          const std::string answer =
              "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
          static_cast<void>(send(fd, answer.data(), answer.size(), MSG_NOSIGNAL));
        }
        close(fd);
      });
    for (auto& client : clients) client.join();
  }
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> served_ = 0;
  std::thread thread_;
};

class WireToAService : public testing::Test {
 protected:
  void rule(const std::string& words) { wire_->apply(wire_rule_in(words, WireProtocol::http)); }
  // The answer to a request on a connection of its own.
  std::string send(const std::string& method, const std::string& body) {
    const int fd = connected_to(wire_->settings().listen);
    const std::string request = method + " /" + body +
                                " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                                body;
    static_cast<void>(::send(fd, request.data(), request.size(), MSG_NOSIGNAL));
    const auto answer = read_until(fd, ".");
    close(fd);
    return answer;
  }
  Echo service_;
  std::unique_ptr<Wire> wire_ = std::make_unique<Wire>(WireSettings{"legacy", "127.0.0.1:0", service_.address()});
};

TEST_F(WireToAService, WithoutRulesChangesNothingAndKeepsTheRequests) {
  EXPECT_THAT(send("POST", "one."), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("one.")));
  const auto evidence = wire_->take_evidence();
  ASSERT_EQ(evidence.messages.size(), 1u);
  EXPECT_EQ(evidence.messages[0].words, "POST /one.");
  EXPECT_EQ(evidence.messages[0].request->body, "one.");
}

TEST_F(WireToAService, AnsweredRequestDoesNotArrive) {
  rule("answer status 503 write");
  EXPECT_THAT(send("GET", "one."), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(send("POST", "two."), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(send("POST", "three."), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(service_.served(), 2);
  EXPECT_THAT(wire_->mend(), IsEmpty());
}

TEST_F(WireToAService, CutAfterAnswerLosesTheAnswerAndNotTheEffect) {
  rule("cut after answer \"two.\"");
  EXPECT_THAT(send("POST", "one."), HasSubstr("one."));
  EXPECT_EQ(send("POST", "two."), "");
  EXPECT_EQ(service_.served(), 2);
  EXPECT_THAT(wire_->mend(), IsEmpty());
}

TEST_F(WireToAService, ResetRequestDoesNotArrive) {
  rule("reset message 2");
  EXPECT_THAT(send("POST", "one."), HasSubstr("one."));
  EXPECT_EQ(send("POST", "two."), "");
  EXPECT_EQ(service_.served(), 1);
}

TEST_F(WireToAService, HeldRequestLetsOthersPass) {
  rule("hold \"one.\"");
  auto answer = std::async(std::launch::async, [&] { return send("POST", "one."); });
  rule("await");
  EXPECT_THAT(send("POST", "two."), HasSubstr("two."));
  EXPECT_EQ(service_.served(), 1);
  rule("release");
  EXPECT_THAT(answer.get(), HasSubstr("one."));
}

TEST_F(WireToAService, NobodyBehindItEndsTheConnection) {
  Wire nowhere({"legacy", "127.0.0.1:0", "127.0.0.1:1"});
  const int fd = connected_to(nowhere.settings().listen);
  EXPECT_EQ(read_until(fd, ""), "");
  close(fd);
}

}  // namespace
}  // namespace rehearse::harness
