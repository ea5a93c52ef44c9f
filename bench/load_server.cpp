// load_server PORT_FILE [--delay-us N] [--stall-ms N --stall-at-ms T] [--body BYTES] [--arrivals FILE]
//
// A server for measuring clients: one thread, HTTP/1.1 with keep-alive, an answer of BYTES after a delay that is known. When told
// to end (SIGTERM) it writes the times at which requests came, as nanoseconds of CLOCK_MONOTONIC, eight bytes each.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

volatile std::sig_atomic_t over = 0;

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

struct Due {
  std::int64_t at_ns;
  int socket;
  friend bool operator>(const Due& a, const Due& b) { return a.at_ns > b.at_ns; }
};

}  // namespace

int main(int count, char** arguments) {
  std::int64_t delay_ns = 0, stall_ns = 0, stall_at_ns = -1;
  std::size_t body = 300;
  std::string arrivals_file, port_file;
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    const auto number = [&] { return std::atoll(arguments[++i]); };
    if (word == "--delay-us")
      delay_ns = number() * 1000;
    else if (word == "--stall-ms")
      stall_ns = number() * 1'000'000;
    else if (word == "--stall-at-ms")
      stall_at_ns = number() * 1'000'000;
    else if (word == "--body")
      body = static_cast<std::size_t>(number());
    else if (word == "--arrivals")
      arrivals_file = arguments[++i];
    else
      port_file = word;
  }
  struct sigaction action {};
  action.sa_handler = [](int) { over = 1; };
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_TIMERSLACK, 1ul, 0, 0, 0);

  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 4096) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return 1;
  std::FILE* const port = std::fopen(port_file.c_str(), "w");
  if (port == nullptr) return 1;
  std::fprintf(port, "%d\n", ntohs(address.sin_port));
  std::fclose(port);

  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body) +
                             "\r\n\r\n" + std::string(body, 'x');
  const int epoll = epoll_create1(0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener;
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  std::unordered_map<int, std::string> partial;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due;
  std::vector<std::int64_t> arrivals;
  arrivals.reserve(1u << 20);
  std::int64_t first_ns = -1;
  bool stalled = false;
  static char bytes[1 << 16];
  while (over == 0) {
    timespec wait{0, 100'000'000};
    if (!due.empty()) {
      const std::int64_t left = due.top().at_ns - now_ns();
      wait = {0, left < 0 ? 0 : left > 100'000'000 ? 100'000'000 : left};
    }
    epoll_event events[256];
    const int got = epoll_pwait2(epoll, events, 256, &wait, nullptr);
    for (int i = 0; i < got; ++i) {
      const int socket = events[i].data.fd;
      if (socket == listener) {
        while (true) {
          const int peer = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
          if (peer < 0) break;
          setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          event.events = EPOLLIN;
          event.data.fd = peer;
          epoll_ctl(epoll, EPOLL_CTL_ADD, peer, &event);
        }
        continue;
      }
      const ssize_t read = recv(socket, bytes, sizeof bytes, 0);
      if (read <= 0) {
        partial.erase(socket);
        close(socket);
        continue;
      }
      const std::int64_t now = now_ns();
      if (first_ns < 0) first_ns = now;
      std::string& text = partial[socket];
      text.append(bytes, static_cast<std::size_t>(read));
      for (std::size_t end; (end = text.find("\r\n\r\n")) != std::string::npos; text.erase(0, end + 4)) {
        arrivals.push_back(now);
        if (delay_ns > 0)
          due.push({now + delay_ns, socket});
        else
          static_cast<void>(!send(socket, answer.data(), answer.size(), MSG_NOSIGNAL));
      }
      if (stall_at_ns >= 0 && !stalled && now - first_ns > stall_at_ns) {
        stalled = true;
        const timespec stall{stall_ns / 1'000'000'000, stall_ns % 1'000'000'000};
        nanosleep(&stall, nullptr);
      }
    }
    for (const std::int64_t now = now_ns(); !due.empty() && due.top().at_ns <= now; due.pop())
      static_cast<void>(!send(due.top().socket, answer.data(), answer.size(), MSG_NOSIGNAL));
  }
  if (!arrivals_file.empty()) {
    std::FILE* const file = std::fopen(arrivals_file.c_str(), "wb");
    if (file == nullptr || std::fwrite(arrivals.data(), 8, arrivals.size(), file) != arrivals.size()) return 1;
    std::fclose(file);
  }
}
