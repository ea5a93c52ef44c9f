#include "replay/player.h"

awaitable<void> braced_argument(Socket& socket) { co_await send(socket, Request{"GET", 1}); }

awaitable<void> braced_element(std::vector<Pair>& all) {
  all.push_back({"name", co_await next()});
  Pair first{"name", co_await next()};
}

awaitable<void> lambda_called_at_once(std::string s) {
  co_await [s]() -> awaitable<void> { co_return; }();
  co_await spawn(
      io, [&](int n) mutable { return n; }, use_awaitable);
}

awaitable<int> in_a_condition(Socket& socket) {
  if (co_await read(socket, Limit{64}) == 0) {
    co_return 0;
  }
  for (auto chunk = co_await first(); chunk; chunk = co_await next({})) use(chunk);
  while (true) {
    const auto [error, size] =
        co_await socket.async_read(buffer, as_tuple(use_awaitable), Options{.eager = true, .limits = {1, 2}});
    co_return size;
  }
}

awaitable<void> inside_a_body() {
  auto handler = [self = this]() -> awaitable<void> {
    co_await reply(Answer{200});
    co_return;
  };
  co_await handler();
}
