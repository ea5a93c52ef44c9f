// A non-blocking stream of bytes to a server: TCP, with TLS on it where the target wants that.
#pragma once

#include <sys/uio.h>

#include <memory>
#include <string>

#include "replay/play/target.h"

using SSL = struct ssl_st;

namespace rehearse::replay {

enum class Progress {
  done,
  wants_read,   // go on when the socket can be read
  wants_write,  // ... written
  closed,       // the server has ended its side in an orderly way
  failed,       // see problem()
};

class Stream {
 public:
  // `tls` is null for plain TCP. Connects to the destination's addresses in turn, until one accepts.
  Stream(const Destination& destination, SSL_CTX* tls);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Goes on with connecting. `socket` may be another one afterwards, or -1.
  [[nodiscard]] Progress connect();
  // The socket of this moment; -1 when there is none.
  [[nodiscard]] int socket() const { return socket_; }
  // How many there were: the number of a socket that is closed is given to the next one.
  [[nodiscard]] int sockets() const { return sockets_; }

  struct Moved {
    Progress progress;
    std::size_t bytes = 0;
  };
  [[nodiscard]] Moved send(const iovec* pieces, int count);
  [[nodiscard]] Moved receive(char* into, std::size_t size);
  // Bytes that were read from the socket and not handed over yet: no event will tell of them.
  [[nodiscard]] bool holds_bytes() const;

  [[nodiscard]] bool speaks_http2() const;  // as TLS agreed (RFC 7301); false without TLS
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  Progress begin();
  Progress fail(int error);
  Progress tls_progress(int result);
  void close();

  const Destination& destination_;
  SSL_CTX* context_;
  std::unique_ptr<SSL, void (*)(SSL*)> tls_;
  int socket_ = -1;
  int sockets_ = 0;
  std::size_t next_address_ = 0;
  bool connected_ = false;
  std::string problem_;
};

}  // namespace rehearse::replay
