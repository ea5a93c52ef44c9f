#include "replay/play/stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace rehearse::replay {
namespace {

std::string text_of(int error) { return std::generic_category().message(error); }

bool is_address(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 || inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

}  // namespace

Stream::Stream(const Destination& destination, SSL_CTX* tls)
    : destination_(destination), context_(tls), tls_(nullptr, &SSL_free) {}

Stream::~Stream() { close(); }

void Stream::close() {
  if (tls_ && connected_ && problem_.empty()) SSL_shutdown(tls_.get());
  ERR_clear_error();
  tls_.reset();
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

Progress Stream::fail(int error) {
  problem_ = text_of(error);
  return Progress::failed;
}

// Begins with the next address. A name may have several ("localhost": ::1 and 127.0.0.1), and a service listen on one of them.
Progress Stream::begin() {
  while (next_address_ < destination_.addresses.size()) {
    const Address& address = destination_.addresses[next_address_++];
    close();
    socket_ = ::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket_ < 0) {
      fail(errno);
      continue;
    }
    ++sockets_;
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // BBR, where it is the machine's choice, would pace: requests are to leave when they are due.
    setsockopt(socket_, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address.bytes), address.size) == 0 ||
        errno == EINPROGRESS || errno == EINTR)
      return Progress::wants_write;
    fail(errno);
  }
  close();
  return Progress::failed;
}

Progress Stream::connect() {
  if (socket_ < 0) return begin();
  if (!connected_) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) {
      fail(error);
      return begin();
    }
    sockaddr_storage peer{};
    socklen_t peer_size = sizeof peer;
    if (getpeername(socket_, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) return Progress::wants_write;
    problem_.clear();
    connected_ = true;
  }
  if (context_ == nullptr) return Progress::done;
  if (!tls_) {
    tls_.reset(SSL_new(context_));
    SSL_set_fd(tls_.get(), socket_);
    if (is_address(destination_.host)) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_.get()), destination_.host.c_str());
    } else {
      SSL_set_tlsext_host_name(tls_.get(), destination_.host.c_str());
      SSL_set1_host(tls_.get(), destination_.host.c_str());
    }
  }
  ERR_clear_error();
  const int result = SSL_connect(tls_.get());
  return result == 1 ? Progress::done : tls_progress(result);
}

Progress Stream::tls_progress(int result) {
  const int system_error = errno;
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Progress::wants_read;
    case SSL_ERROR_WANT_WRITE:
      return Progress::wants_write;
    case SSL_ERROR_ZERO_RETURN:
      return Progress::closed;
    case SSL_ERROR_SYSCALL:
      if (system_error == 0) return Progress::closed;
      return fail(system_error);
    default:
      break;
  }
  if (const long verified = SSL_get_verify_result(tls_.get()); verified != X509_V_OK) {
    problem_ = std::string("the server's certificate is not accepted: ") + X509_verify_cert_error_string(verified);
  } else {
    const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
    problem_ = std::string("TLS: ") + (reason == nullptr ? "no reason given" : reason);
  }
  ERR_clear_error();
  return Progress::failed;
}

Stream::Moved Stream::send(const iovec* pieces, int count) {
  if (!tls_) {
    if (count == 1) {
      const ssize_t sent = ::send(socket_, pieces->iov_base, pieces->iov_len, MSG_NOSIGNAL);
      if (sent >= 0) return {Progress::done, static_cast<std::size_t>(sent)};
      if (errno == EAGAIN || errno == EINTR) return {Progress::wants_write};
      return {fail(errno)};
    }
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(pieces);
    message.msg_iovlen = static_cast<std::size_t>(count);
    const ssize_t sent = ::sendmsg(socket_, &message, MSG_NOSIGNAL);
    if (sent >= 0) return {Progress::done, static_cast<std::size_t>(sent)};
    if (errno == EAGAIN || errno == EINTR) return {Progress::wants_write};
    return {fail(errno)};
  }
  std::size_t sent = 0;
  for (int i = 0; i < count; ++i) {
    if (pieces[i].iov_len == 0) continue;
    ERR_clear_error();
    errno = 0;
    std::size_t bytes = 0;
    const int result = SSL_write_ex(tls_.get(), pieces[i].iov_base, pieces[i].iov_len, &bytes);
    if (result != 1) return sent > 0 ? Moved{Progress::done, sent} : Moved{tls_progress(result)};
    sent += bytes;
    if (bytes < pieces[i].iov_len) break;
  }
  return {Progress::done, sent};
}

Stream::Moved Stream::receive(char* into, std::size_t size) {
  if (!tls_) {
    const ssize_t got = ::recv(socket_, into, size, 0);
    if (got > 0) return {Progress::done, static_cast<std::size_t>(got)};
    if (got == 0) return {Progress::closed};
    if (errno == EAGAIN || errno == EINTR) return {Progress::wants_read};
    return {fail(errno)};
  }
  ERR_clear_error();
  errno = 0;
  std::size_t bytes = 0;
  const int result = SSL_read_ex(tls_.get(), into, size, &bytes);
  return result == 1 ? Moved{Progress::done, bytes} : Moved{tls_progress(result)};
}

bool Stream::holds_bytes() const { return tls_ && SSL_has_pending(tls_.get()) == 1; }

bool Stream::speaks_http2() const {
  if (!tls_) return false;
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(tls_.get(), &name, &size);
  return std::string_view(reinterpret_cast<const char*>(name), size) == "h2";
}

}  // namespace rehearse::replay
