#include "harness/latency/null_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <thread>
#include <vector>

#include "replay/error.h"

namespace rehearse::harness {
namespace {

constexpr std::string_view answer = "HTTP/1.1 204 No Content\r\n\r\n";
constexpr std::string_view end_of_request = "\r\n\r\n";  // requests have no body here
constexpr std::size_t max_request_bytes = 64u << 10;

}  // namespace

struct NullServer::State {
  struct Client {
    int socket;
    std::string received = {};
  };

  ~State() {
    if (thread.joinable()) {
      const std::uint64_t one = 1;
      static_cast<void>(!::write(bell, &one, sizeof one));
      thread.join();
    }
    for (const Client& client : clients) ::close(client.socket);
    if (listener >= 0) ::close(listener);
    if (bell >= 0) ::close(bell);
  }

  void serve() {
    prctl(PR_SET_TIMERSLACK, 1ul, 0, 0, 0);
    while (true) {
      std::vector<pollfd> watched{{bell, POLLIN, 0}, {listener, POLLIN, 0}};
      for (const Client& client : clients) watched.push_back({client.socket, POLLIN, 0});
      if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return;
      if (watched[0].revents != 0) return;
      // Those that are over go, from behind, so that the places of the others stay.
      for (std::size_t i = clients.size(); i-- > 0;) {
        if (watched[i + 2].revents == 0 || answered(clients[i])) continue;
        ::close(clients[i].socket);
        clients.erase(clients.begin() + static_cast<std::ptrdiff_t>(i));
      }
      if (watched[1].revents != 0) take_client();
    }
  }

  void take_client() {
    const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket < 0) return;
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    clients.push_back({socket});
  }

  // False when the client is gone.
  static bool answered(Client& client) {
    char bytes[4096];
    const ssize_t got = ::recv(client.socket, bytes, sizeof bytes, 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    client.received.append(bytes, static_cast<std::size_t>(got));
    for (auto end = client.received.find(end_of_request); end != std::string::npos;
         end = client.received.find(end_of_request)) {
      client.received.erase(0, end + end_of_request.size());
      if (::send(client.socket, answer.data(), answer.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(answer.size()))
        return false;
    }
    return client.received.size() < max_request_bytes;
  }

  int listener = -1, bell = -1;
  std::vector<Client> clients;
  std::thread thread;
};

NullServer::NullServer() : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.bell = eventfd(0, EFD_CLOEXEC);
  state.listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const at = reinterpret_cast<sockaddr*>(&address);
  if (state.bell < 0 || state.listener < 0 || ::bind(state.listener, at, size) != 0 ||
      ::listen(state.listener, 64) != 0 || ::getsockname(state.listener, at, &size) != 0)
    throw Error("the null probe found no port to listen on at 127.0.0.1; see how many sockets are open");
  url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  state.thread = std::thread([&state] { state.serve(); });
}

NullServer::~NullServer() = default;

}  // namespace rehearse::harness
