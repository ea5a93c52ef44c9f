// Lets any operation on a socket fail: the player's, not that of the tests' own servers. Linked into a test, it stands before libc's
// socket, connect, send, sendmsg, recv, and read and write on sockets (which OpenSSL uses).
#pragma once

#include <functional>

namespace rehearse::replay {

// While it lives, the N-th operation from now on fails, counted over all threads but those that were spared.
class SocketFault {
 public:
  explicit SocketFault(int number);
  ~SocketFault();
  SocketFault(const SocketFault&) = delete;
  SocketFault& operator=(const SocketFault&) = delete;

  // True when there were so many operations.
  [[nodiscard]] bool came() const;
};

// Runs once, when the next connection of a thread that is not spared was asked for; what it waits for comes before anything else is done
// with that.
void behind_the_next_connect(std::function<void()> what);

// From now on the operations of this thread neither count nor fail.
void spare_this_thread();

}  // namespace rehearse::replay
