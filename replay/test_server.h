// A server for tests of the player, and the plans that are played against it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "replay/error.h"
#include "replay/http/parser.h"
#include "replay/player.h"
#include "replay/test_faults.h"

namespace rehearse::replay {

// What a server does to one connection. The thread that serves it closes it; any other may only interrupt it.
class Peer {
 public:
  explicit Peer(int socket) : socket_(socket) {}
  void send(std::string_view bytes) const {
    static_cast<void>(::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
  }
  void close() {
    const std::lock_guard lock(mutex_);
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  void reset() {
    const linger at_once{1, 0};
    setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }
  void interrupt() {
    const std::lock_guard lock(mutex_);
    if (socket_ >= 0) shutdown(socket_, SHUT_RDWR);
  }
  [[nodiscard]] int socket() const { return socket_; }

 private:
  std::mutex mutex_;
  int socket_;
};

using Handler = std::function<void(Peer&, const Request&)>;

// A server on a free loopback port: one thread a connection, the handler says what is sent. A handler that sends nothing leaves
// the client waiting until the server ends.
class Server {
 public:
  explicit Server(Handler handler) : handler_(std::move(handler)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ENSURE(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && listen(listener_, 64) == 0);
    socklen_t size = sizeof address;
    ENSURE(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }

  ~Server() { stop(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void stop() {
    if (listener_ < 0) return;
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (const auto& peer : peers_) peer->interrupt();
    for (std::thread& thread : threads_) thread.join();
    close(listener_);
    listener_ = -1;
  }

  [[nodiscard]] std::string url(const std::string& host = "127.0.0.1") const {
    return fmt::format("http://{}:{}", host, port_);
  }
  [[nodiscard]] std::size_t connections() const { return threads_.size(); }  // after stop()

  // What is done when a client has connected; set it before anybody does.
  std::function<void(Peer&)> on_connection;

  // What is done when the head of a request came and its body did not yet; set it before anybody connects.
  std::function<void(Peer&, const Request&)> on_head;

  // What happened, in order: "got /a", and whatever handlers note.
  void note(const std::string& event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
    changed_.notify_all();
  }
  void wait_for(const std::string& event) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return std::find(events_.begin(), events_.end(), event) != events_.end(); });
  }
  [[nodiscard]] std::vector<std::string> events() {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  [[nodiscard]] std::vector<Request> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void accept_all() {
    spare_this_thread();
    while (true) {
      const int socket = accept(listener_, nullptr, nullptr);
      if (socket < 0) return;
      const int on = 1;
      setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      peers_.push_back(std::make_unique<Peer>(socket));
      threads_.emplace_back([this, &peer = *peers_.back()] { serve(peer); });
    }
  }

  // The request that begins `bytes`, when it is whole; it is taken away.
  static std::optional<Request> take_request(std::string& bytes) {
    const auto head = head_length(bytes);
    if (!head) return std::nullopt;
    auto parsed = parse_request_head(std::string_view(bytes).substr(0, *head));
    std::size_t at = *head;
    if (parsed.framing.kind == Framing::Kind::chunked) {
      while (true) {
        const auto line = bytes.find("\r\n", at);
        if (line == std::string::npos) return std::nullopt;
        const std::size_t size = *parse_chunk_size(std::string_view(bytes).substr(at, line - at));
        at = line + 2;
        if (bytes.size() < at + size + 2) return std::nullopt;
        parsed.message.body += bytes.substr(at, size);
        at += size + 2;
        if (size == 0) break;
      }
    } else {
      if (bytes.size() - at < parsed.framing.length) return std::nullopt;
      parsed.message.body = bytes.substr(at, parsed.framing.length);
      at += parsed.framing.length;
    }
    bytes.erase(0, at);
    return parsed.message;
  }

  void serve(Peer& peer) {
    spare_this_thread();
    std::string bytes;
    char chunk[4096];
    bool head_seen = false;
    if (on_connection) on_connection(peer);
    while (peer.socket() >= 0) {
      auto parsed = take_request(bytes);
      if (parsed) {
        head_seen = false;
        {
          const std::lock_guard lock(mutex_);
          requests_.push_back(*parsed);
        }
        note("got " + parsed->target);
        handler_(peer, *parsed);
        continue;
      }
      if (const auto head = head_length(bytes); on_head && head && !head_seen) {
        head_seen = true;
        on_head(peer, parse_request_head(std::string_view(bytes).substr(0, *head)).message);
        continue;
      }
      const auto got = recv(peer.socket(), chunk, sizeof chunk, 0);
      if (got <= 0) break;
      bytes.append(chunk, static_cast<std::size_t>(got));
    }
    peer.close();
  }

  Handler handler_;
  int listener_;
  int port_ = 0;
  std::thread acceptor_;              // not among the others: it makes their list grow while it is waited for
  std::vector<std::thread> threads_;  // of the connections
  std::vector<std::unique_ptr<Peer>> peers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> events_;
  std::vector<Request> requests_;
};

// Plays the plan again and again, and lets the N-th operation on a socket fail for every N. Each step has one record, none is said to
// have been refused that the server has seen, nor to have been answered when it has not. Returns how many operations there were.
inline int with_every_fault(Server& server, Plan plan, PlayOptions options, unsigned workers) {
  options.workers = workers;
  options.deadline = std::chrono::milliseconds(2'000);
  const auto steps = plan.steps.size();
  static int plays = 0;
  int number = 0;
  for (bool came = true; came; ++number) {
    for (Step& step : plan.steps) {  // what comes late of an earlier play is not taken for this one's
      Request request = *step.request;
      request.target = fmt::format("{}?play={}", path_of(request.target), plays);
      step.request = std::move(request);
    }
    ++plays;
    History history;
    {
      const SocketFault fault(number);
      history = play(plan, options);
      came = fault.came();
    }
    const auto requests = server.requests();
    EXPECT_EQ(history.records.size(), steps) << number;
    EXPECT_EQ(history.sent, static_cast<std::int64_t>(steps)) << number;
    std::size_t answered = 0;
    for (const Record& record : history.records) {
      const bool seen = std::any_of(requests.begin(), requests.end(),
                                    [&](const Request& request) { return request.target == record.request.target; });
      EXPECT_FALSE(record.outcome == Outcome::refused && seen) << number << " " << record.request.target;
      EXPECT_FALSE(record.outcome == Outcome::answered && !seen) << number << " " << record.request.target;
      EXPECT_EQ(record.outcome == Outcome::answered, record.problem.empty()) << number;
      answered += record.outcome == Outcome::answered;
    }
    EXPECT_TRUE(came || answered == steps) << number;
  }
  return number;
}

inline std::string ok(const std::string& body = "", const std::string& headers = "") {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{}\r\n{}", body.size(), headers, body);
}

inline const std::string json_type = "Content-Type: application/json\r\n";

inline Step step(StepId id, const std::string& target, const std::vector<StepId>& after = {}, std::int64_t lane = 1) {
  Step made;
  made.id = id;
  made.lane = lane;
  for (const StepId cause : after) made.after.push_back({cause});
  made.request = Request{"GET", target, {}, ""};
  made.read = true;
  return made;
}

inline Step cue(StepId id, const std::string& name, const std::vector<StepId>& after = {}) {
  Step made;
  made.id = id;
  made.cue = name;
  for (const StepId cause : after) made.after.push_back({cause});
  return made;
}

inline Plan plan_of(std::vector<Step> steps) {
  Plan plan;
  plan.steps = std::move(steps);
  return plan;
}

inline PlayOptions at(const std::string& url) {
  PlayOptions options;
  options.name = "play";
  options.target = url;
  return options;
}

}  // namespace rehearse::replay
