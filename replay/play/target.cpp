#include "replay/play/target.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <cstring>
#include <system_error>

#include "replay/error.h"

namespace rehearse::replay {
namespace {

std::vector<Address> addresses_of(const std::string& host, const std::string& port, const std::string& target) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (error != 0)
    throw Error(fmt::format("the host of {} is not known ({}); check the URL", target, gai_strerror(error)));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    Address& address = addresses.emplace_back();
    address.size = each->ai_addrlen;
    std::memcpy(&address.bytes, each->ai_addr, each->ai_addrlen);
  }
  return addresses;
}

std::string tls_reason() {
  const unsigned long code = ERR_get_error();
  if (ERR_SYSTEM_ERROR(code)) {
    ERR_clear_error();
    return std::generic_category().message(ERR_GET_REASON(code));
  }
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "no reason given" : reason;
}

struct Parsed {
  Destination destination;  // without addresses
  std::string port;
};

Parsed parsed(const std::string& target) {
  const auto url = boost::urls::parse_uri(target);
  const std::string scheme = url ? lower(std::string_view(url->scheme())) : "";
  // What stands before an @ may be a password.
  if ((scheme != "http" && scheme != "https") || url->host().empty())
    throw Error(target.find('@') == std::string::npos
                    ? fmt::format("the target {:?} is no http URL: give http://host:port or https://host:port", target)
                    : "the target is no http URL: give http://host:port or https://host:port");
  if (url->has_userinfo())
    throw Error("a target holds a user or a password; give http://host:port, for credentials stand in the requests");
  if ((!url->encoded_path().empty() && url->encoded_path() != "/") || url->has_query() || url->has_fragment())
    throw Error(
        fmt::format("the target {:?} holds a path; give http://host:port, for paths stand in the requests", target));
  Destination destination;
  destination.tls = scheme == "https";
  const std::string port =
      url->has_port() && !url->port().empty() ? std::string(url->port()) : (destination.tls ? "443" : "80");
  // A resolver would take 65,616 for 80, and requests would go where nobody sent them.
  if (port.size() > 5 || std::stoi(port) == 0 || std::stoi(port) > 65'535)
    throw Error(fmt::format("the target {:?} has a port outside 1 to 65535; give http://host:port", target));
  destination.authority = std::string(url->encoded_host_and_port());
  destination.host = url->host_address();
  return {std::move(destination), port};
}

}  // namespace

void expect_target(const std::string& target) { static_cast<void>(parsed(target)); }

Destination destination_of(const std::string& target) {
  auto [destination, port] = parsed(target);
  destination.addresses = addresses_of(destination.host, port, target);
  return destination;
}

std::shared_ptr<SSL_CTX> tls_context(const TlsOptions& tls, HttpVersion version) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  ENSURE(context != nullptr);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context.get(), 1);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (tls.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
  } else if (SSL_CTX_load_verify_locations(context.get(), tls.ca_file.c_str(), nullptr) != 1) {
    throw Error(
        fmt::format("the authority's certificate {} cannot be used ({}); give a PEM file", tls.ca_file, tls_reason()));
  }
  if (!tls.certificate_file.empty()) {
    const std::string& key = tls.key_file.empty() ? tls.certificate_file : tls.key_file;
    if (SSL_CTX_use_certificate_chain_file(context.get(), tls.certificate_file.c_str()) != 1)
      throw Error(fmt::format("the client's certificate {} cannot be used ({}); give a PEM file", tls.certificate_file,
                              tls_reason()));
    if (SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context.get()) != 1)
      throw Error(
          fmt::format("the client's key {} cannot be used ({}); give the PEM file of the key that belongs to {}", key,
                      tls_reason(), tls.certificate_file));
  } else if (!tls.key_file.empty()) {
    throw Error("a client's key is of no use without its certificate; give both");
  }
  static constexpr unsigned char both[] = "\x02h2\x08http/1.1", only_1[] = "\x08http/1.1", only_2[] = "\x02h2";
  const unsigned char* const offered = version == HttpVersion::http1   ? only_1
                                       : version == HttpVersion::http2 ? only_2
                                                                       : both;
  SSL_CTX_set_alpn_protos(context.get(), offered,
                          static_cast<unsigned>(std::strlen(reinterpret_cast<const char*>(offered))));
  return context;
}

}  // namespace rehearse::replay
