// Where requests go: a URL's host, resolved, and what TLS needs to know of it.
#pragma once

#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

#include "replay/player.h"

using SSL_CTX = struct ssl_ctx_st;

namespace rehearse::replay {

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

struct Destination {
  std::string authority;  // for the Host field: with the port unless it is the scheme's
  std::string host;       // a name, or an address without brackets
  bool tls = false;
  std::vector<Address> addresses;  // in the resolver's order; never empty
};

// Throws Error when the target is no http or https URL without path and user, or its host is not known.
[[nodiscard]] Destination destination_of(const std::string& target);

// What TLS connections are made with. Throws Error when a file of `tls` cannot be used.
[[nodiscard]] std::shared_ptr<SSL_CTX> tls_context(const TlsOptions& tls, HttpVersion version);

}  // namespace rehearse::replay
