// The player against a server that many use: TLS, client certificates, HTTP/2 in the clear and over TLS, by nginx, which hands the
// requests to a server of ours.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "replay/error.h"
#include "replay/test_server.h"

extern char** environ;

namespace rehearse::replay {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A port that nobody listened on a moment ago.
int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ENSURE(bind(socket, reinterpret_cast<sockaddr*>(&address), size) == 0);
  getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  close(socket);
  return ntohs(address.sin_port);
}

void run(const std::string& command) { ENSURE(std::system((command + " >/dev/null 2>&1").c_str()) == 0); }

// The certificates and the folder are made once for all tests.
class Nginx : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = fs::temp_directory_path() / fmt::format("rehearse-nginx-{}", getpid());
    fs::create_directories(folder_);
    const std::string ec = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    const auto in = [](const char* name) { return (folder_ / name).string(); };
    for (const char* authority : {"ca", "other"})
      run(fmt::format("openssl req -x509 {} -keyout {} -out {} -subj /CN={}", ec,
                      in(fmt::format("{}.key", authority).c_str()), in(fmt::format("{}.pem", authority).c_str()),
                      authority));
    run(
        fmt::format("openssl req -x509 {} -CA {} -CAkey {} -keyout {} -out {} -subj /CN=server "
                    "-addext subjectAltName=DNS:localhost",
                    ec, in("ca.pem"), in("ca.key"), in("server.key"), in("server.pem")));
    run(fmt::format("openssl req -x509 {} -CA {} -CAkey {} -keyout {} -out {} -subj /CN=tester", ec, in("ca.pem"),
                    in("ca.key"), in("client.key"), in("client.pem")));
  }
  static void TearDownTestSuite() { fs::remove_all(folder_); }

  void SetUp() override {
    server_ = std::make_unique<Server>([this](Peer& peer, const Request& request) { handle(peer, request); });
    for (int i = 0; i < 5; ++i) {
      if (starts()) return;
    }
    FAIL() << "nginx does not start; see ci/bootstrap, which installs it";
  }

  // False when somebody else took a port meanwhile.
  bool starts() {
    tls_port_ = free_port();
    clear_port_ = free_port();
    std::ofstream(folder_ / "nginx.conf")
        << fmt::format(R"(
daemon off; worker_processes 1; pid {0}/pid; error_log {0}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {0}/body; proxy_temp_path {0}/proxy; fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u;
  scgi_temp_path {0}/s; client_max_body_size 64m;
  upstream ours {{ server {1}; keepalive 32; }}
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Protocol $server_protocol;
  proxy_set_header X-Sni $ssl_server_name; proxy_set_header X-Client $ssl_client_s_dn;
  proxy_set_header X-Host $http_host; proxy_set_header X-Connection $connection;
  server {{ listen 127.0.0.1:{2} ssl http2; keepalive_requests 20; ssl_certificate {0}/server.pem; ssl_certificate_key {0}/server.key;
    ssl_client_certificate {0}/ca.pem; ssl_verify_client optional; location / {{ proxy_pass http://ours; }} }}
  server {{ listen 127.0.0.1:{3} http2; http2_max_concurrent_streams 3; keepalive_requests 20; location / {{ proxy_pass http://ours; }} }}
}})",
                       folder_.string(), server_->url().substr(7), tls_port_, clear_port_);
    const std::string configuration = folder_ / "nginx.conf", prefix = folder_.string();
    const char* arguments[] = {"nginx", "-p", prefix.c_str(), "-c", configuration.c_str(), "-e", "stderr", nullptr};
    if (posix_spawnp(&nginx_, "nginx", nullptr, nullptr, const_cast<char**>(arguments), environ) != 0) return false;
    for (int i = 0; i < 500 && waitpid(nginx_, nullptr, WNOHANG) == 0; ++i) {
      PlayOptions options = at(clear());
      options.http = HttpVersion::http2;
      if (play(plan_of({step(1, "/up")}), options).records[0].outcome == Outcome::answered) return true;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return false;
  }
  void TearDown() override {
    kill(nginx_, SIGTERM);
    waitpid(nginx_, nullptr, 0);
    server_.reset();
  }

  static void handle(Peer& peer, const Request& request) {
    std::string said;
    for (const char* name : {"X-Protocol", "X-Sni", "X-Client", "X-Host"})
      said += fmt::format("{}={};", name, field(request.headers, name).value_or(""));
    if (request.target == "/large") said = std::string(5u << 20, 'x');
    if (request.method == "POST") said = request.body;
    peer.send(ok(said, fmt::format("X-Connection: {}\r\n", field(request.headers, "X-Connection").value_or(""))));
  }

  [[nodiscard]] std::string tls(const char* host = "localhost") const {
    return fmt::format("https://{}:{}", host, tls_port_);
  }
  [[nodiscard]] std::string clear() const { return fmt::format("http://127.0.0.1:{}", clear_port_); }
  [[nodiscard]] static std::string file(const char* name) { return (folder_ / name).string(); }
  [[nodiscard]] PlayOptions trusting(HttpVersion version = HttpVersion::automatic) const {
    PlayOptions options = at(tls());
    options.tls.ca_file = file("ca.pem");
    options.http = version;
    return options;
  }

  inline static fs::path folder_;
  std::unique_ptr<Server> server_;
  pid_t nginx_ = 0;
  int tls_port_ = 0, clear_port_ = 0;
};

TEST_F(Nginx, TlsNamesTheHostAndChoosesHttp2) {
  const Record record = play(plan_of({step(1, "/a")}), trusting()).records[0];
  ASSERT_EQ(record.outcome, Outcome::answered) << record.problem;
  EXPECT_THAT(record.response.body, HasSubstr("X-Protocol=HTTP/2.0;X-Sni=localhost;X-Client=;"));
  EXPECT_THAT(record.response.body, HasSubstr(fmt::format("X-Host=localhost:{};", tls_port_)));
  const Record first = play(plan_of({step(1, "/a")}), trusting(HttpVersion::http1)).records[0];
  EXPECT_THAT(first.response.body, HasSubstr("X-Protocol=HTTP/1.1;"));
}

TEST_F(Nginx, OnlyAServerWithTheRightCertificateIsBelieved) {
  PlayOptions other = trusting();
  other.tls.ca_file = file("other.pem");
  PlayOptions address = trusting();  // the certificate is for a name
  address.target = tls("127.0.0.1");
  for (const PlayOptions& options : {other, address}) {
    const Record record = play(plan_of({step(1, "/a")}), options).records[0];
    EXPECT_EQ(record.outcome, Outcome::refused);
    EXPECT_THAT(record.problem, HasSubstr("connecting: the server's certificate is not accepted"));
  }
  for (const Request& request : server_->requests()) EXPECT_NE(request.target, "/a");
}

TEST_F(Nginx, AClientShowsItsCertificate) {
  PlayOptions options = trusting();
  options.tls.certificate_file = file("client.pem");
  options.tls.key_file = file("client.key");
  EXPECT_THAT(play(plan_of({step(1, "/a")}), options).records[0].response.body, HasSubstr("X-Client=CN=tester;"));
  options.tls.key_file = file("server.key");
  EXPECT_THROW(static_cast<void>(play(plan_of({step(1, "/a")}), options)), Error);
  options.tls.certificate_file = file("missing.pem");
  EXPECT_THROW(static_cast<void>(play(plan_of({step(1, "/a")}), options)), Error);
}

TEST_F(Nginx, WhatIsNoTlsIsRefused) {
  PlayOptions options = trusting();
  options.target = fmt::format("https://localhost:{}", clear_port_);
  EXPECT_EQ(play(plan_of({step(1, "/a")}), options).records[0].outcome, Outcome::refused);
}

TEST_F(Nginx, StreamsThatOverlappedShareAConnectionAndRunSideBySide) {
  Plan plan;
  for (StepId id = 1; id <= 15; ++id) {
    plan.steps.push_back(step(id, "/a"));
    plan.steps.back().overlaps = true;
  }
  const History history = play(plan, trusting(HttpVersion::http2));
  ASSERT_EQ(history.records.size(), 15u);
  for (const Record& record : history.records) {
    ASSERT_EQ(record.outcome, Outcome::answered) << record.problem;
    EXPECT_EQ(field(record.response.headers, "x-connection"),
              field(history.records[0].response.headers, "x-connection"));
  }
  EXPECT_LT(history.records[14].sent_ns, history.records[0].done_ns) << "it did not wait";
}

// nginx allows three streams here and goes away behind 20 requests, with others still to come.
TEST_F(Nginx, WhatAServerDoesNotAllowYetWaitsAndGoesOverTheNextConnection) {
  Plan plan;
  for (StepId id = 1; id <= 100; ++id) {
    plan.steps.push_back(step(id, "/a"));
    plan.steps.back().overlaps = true;
  }
  PlayOptions options = at(clear());
  options.http = HttpVersion::http2;
  const History history = play(plan, options);
  ASSERT_EQ(history.records.size(), 100u);
  for (const Record& record : history.records) EXPECT_EQ(record.outcome, Outcome::answered) << record.problem;
}

TEST_F(Nginx, HttpTwoIsNotReplacedByAnotherVersionInSilence) {
  PlayOptions options = at(server_->url());  // HTTP/1.1 alone
  options.http = HttpVersion::http2;
  options.deadline = milliseconds(500);
  EXPECT_NE(play(plan_of({step(1, "/a")}), options).records[0].outcome, Outcome::answered);
}

// nginx ends a connection behind 20 requests: GOAWAY, or Connection: close.
TEST_F(Nginx, AConnectionThatIsEndedIsFollowedByAnother) {
  for (const HttpVersion version : {HttpVersion::http1, HttpVersion::http2}) {
    Plan plan;
    for (StepId id = 1; id <= 100; ++id) {
      plan.steps.push_back(step(id, "/a"));
      plan.steps.back().overlaps = version == HttpVersion::http2 && id % 3 != 0;
    }
    const History history = play(plan, trusting(version));
    ASSERT_EQ(history.records.size(), 100u);
    for (const Record& record : history.records) EXPECT_EQ(record.outcome, Outcome::answered) << record.problem;
  }
}

// The same as without TLS and HTTP/2: see Faults in play_test.cpp.
TEST_F(Nginx, AFaultInAnyOperationOnASocketLeavesAWholeHistory) {
  Plan plan = plan_of({step(1, "/a"), step(2, "/b"), step(3, "/c"), step(4, "/d", {1}, 2), step(5, "/echo", {}, 2)});
  plan.steps[1].overlaps = plan.steps[2].overlaps = true;
  plan.steps[4].request = Request{"POST", "/echo", {}, std::string(100'000, 'x')};
  PlayOptions clear_two = at(clear());
  clear_two.http = HttpVersion::http2;
  for (const PlayOptions& options : {clear_two, trusting(HttpVersion::http1), trusting(HttpVersion::http2)}) {
    for (const unsigned workers : {1u, 2u}) EXPECT_GT(with_every_fault(*server_, plan, options, workers), 10);
  }
}

TEST_F(Nginx, LargeBodiesGoBothWays) {
  std::string body(5u << 20, 'x');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i * i % 23);
  for (const HttpVersion version : {HttpVersion::http1, HttpVersion::http2}) {
    Plan plan = plan_of({step(1, "/large"), step(2, "/echo")});
    plan.steps[1].request = Request{"POST", "/echo", {{"Content-Type", "text/plain"}}, body};
    const History history = play(plan, trusting(version));
    ASSERT_EQ(history.records[0].outcome, Outcome::answered) << history.records[0].problem;
    EXPECT_EQ(history.records[0].response.body.size(), 5u << 20);
    ASSERT_EQ(history.records[1].outcome, Outcome::answered) << history.records[1].problem;
    EXPECT_TRUE(history.records[1].response.body == body);
  }
}

}  // namespace
}  // namespace rehearse::replay
