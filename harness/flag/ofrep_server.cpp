#include "harness/flag/ofrep_server.h"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <mutex>
#include <optional>
#include <thread>

#include "replay/error.h"

namespace rehearse::harness {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;
using asio::ip::tcp;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

struct OfrepServer::State {
  std::string key;
  std::mutex mutex;
  std::optional<std::string> value;
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  std::thread thread;

  http::response<http::string_body> answer(const http::request<http::string_body>& request) {
    const std::string path = "/ofrep/v1/evaluate/flags/" + key;
    std::optional<std::string> now;
    {
      const std::lock_guard lock(mutex);
      now = value;
    }
    http::response<http::string_body> response;
    response.version(request.version());
    response.set(http::field::content_type, "application/json");
    if (request.target() != path || !now) {
      response.result(http::status::not_found);
      response.body() = json::serialize(json::object{{"key", key}, {"errorCode", "FLAG_NOT_FOUND"}});
    } else {
      response.body() =
          json::serialize(json::object{{"key", key}, {"value", *now}, {"reason", "STATIC"}, {"variant", *now}});
    }
    response.keep_alive(request.keep_alive());
    response.prepare_payload();
    return response;
  }

  asio::awaitable<void> serve(tcp::socket socket) {
    boost::beast::tcp_stream stream(std::move(socket));
    boost::beast::flat_buffer buffer;
    while (true) {
      http::request<http::string_body> request;
      auto [read_error, read_bytes] = co_await http::async_read(stream, buffer, request, as_result);
      if (read_error) co_return;
      http::response<http::string_body> response = answer(request);
      auto [write_error, written] = co_await http::async_write(stream, response, as_result);
      if (write_error || !response.keep_alive()) co_return;
    }
  }

  asio::awaitable<void> accept() {
    while (true) {
      auto [error, socket] = co_await acceptor.async_accept(as_result);
      if (error) co_return;
      asio::co_spawn(io, serve(std::move(socket)), asio::detached);
    }
  }
};

OfrepServer::OfrepServer(const std::string& listen, std::string key) : state_(std::make_unique<State>()) {
  state_->key = std::move(key);
  const auto colon = listen.rfind(':');
  boost::system::error_code error;
  const auto address = asio::ip::make_address(listen.substr(0, colon), error);
  const int port = colon == std::string::npos ? 0 : std::atoi(listen.c_str() + colon + 1);
  if (error || port <= 0 || port > 65535)
    throw Error(fmt::format("flag.ofrep: {:?} is no address of the form 127.0.0.1:8016", listen));
  const tcp::endpoint endpoint(address, static_cast<unsigned short>(port));
  state_->acceptor.open(endpoint.protocol());
  state_->acceptor.set_option(tcp::acceptor::reuse_address(true));
  state_->acceptor.bind(endpoint, error);
  if (error) throw Error(fmt::format("flag.ofrep: cannot listen on {}: {}", listen, error.message()));
  state_->acceptor.listen();
  asio::co_spawn(state_->io, state_->accept(), asio::detached);
  state_->thread = std::thread([state = state_.get()] { state->io.run(); });
}

OfrepServer::~OfrepServer() {
  state_->io.stop();
  state_->thread.join();
}

void OfrepServer::serve(const std::string& value) {
  const std::lock_guard lock(state_->mutex);
  state_->value = value;
}

}  // namespace rehearse::harness
