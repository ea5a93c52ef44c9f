#include "replay/test_faults.h"

#include <dlfcn.h>
#include <netdb.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string_view>
#include <utility>

namespace {

std::atomic<int> operations_left = -1;  // below 0: none fails
std::atomic<bool> fault_came = false;
thread_local bool spared = false;
std::function<void()> behind_connect;

bool fails_now() {
  if (spared || operations_left.load() < 0 || operations_left-- != 0) return false;
  fault_came = true;
  return true;
}

bool is_socket(int descriptor) {
  struct stat status {};
  return fstat(descriptor, &status) == 0 && S_ISSOCK(status.st_mode);
}

template <class Function>
Function* real(Function* /*own*/, const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {
int socket(int domain, int type, int protocol) {
  if (fails_now()) return errno = ENOBUFS, -1;
  static const auto next = real(&socket, "socket");
  return next(domain, type, protocol);
}
// A name with two addresses.
int getaddrinfo(const char* host, const char* port, const addrinfo* hints, addrinfo** found) {
  static const auto next = real(&getaddrinfo, "getaddrinfo");
  if (host == nullptr || std::string_view(host) != "two-addresses.example") return next(host, port, hints, found);
  const int error = next("127.0.0.9", port, hints, found);
  return error != 0 ? error : next("127.0.0.1", port, hints, &(*found)->ai_next);
}
int connect(int descriptor, const sockaddr* address, socklen_t size) {
  if (fails_now()) return errno = ENETUNREACH, -1;
  static const auto next = real(&connect, "connect");
  const int result = next(descriptor, address, size);
  if (!spared && behind_connect) {
    const int error = errno;
    std::exchange(behind_connect, nullptr)();
    errno = error;
  }
  return result;
}
ssize_t send(int descriptor, const void* bytes, size_t size, int flags) {
  if (fails_now()) return errno = EPIPE, -1;
  static const auto next = real(&send, "send");
  return next(descriptor, bytes, size, flags);
}
ssize_t sendmsg(int descriptor, const msghdr* message, int flags) {
  if (fails_now()) return errno = EPIPE, -1;
  static const auto next = real(&sendmsg, "sendmsg");
  return next(descriptor, message, flags);
}
ssize_t recv(int descriptor, void* bytes, size_t size, int flags) {
  if (fails_now()) return errno = ECONNRESET, -1;
  static const auto next = real(&recv, "recv");
  return next(descriptor, bytes, size, flags);
}
ssize_t read(int descriptor, void* bytes, size_t size) {
  if (operations_left.load() >= 0 && is_socket(descriptor) && fails_now()) return errno = ECONNRESET, -1;
  static const auto next = real(&read, "read");
  return next(descriptor, bytes, size);
}
ssize_t write(int descriptor, const void* bytes, size_t size) {
  if (operations_left.load() >= 0 && is_socket(descriptor) && fails_now()) return errno = EPIPE, -1;
  static const auto next = real(&write, "write");
  return next(descriptor, bytes, size);
}
}

namespace rehearse::replay {

SocketFault::SocketFault(int number) {
  fault_came = false;
  operations_left = number;
}
SocketFault::~SocketFault() { operations_left = -1; }
bool SocketFault::came() const { return fault_came; }

void behind_the_next_connect(std::function<void()> what) { behind_connect = std::move(what); }

void spare_this_thread() { spared = true; }

}  // namespace rehearse::replay
