// Looks like the traps, and is none: what awaits holds no braced value, what holds one does not await.
#include "replay/player.h"

namespace {

struct Pair {
  std::string name{"co_await f(Agg{1})"};
  int value = 1'000'000;
};

constexpr std::array<int, 2> sizes{1, 2};

}  // namespace

Player::Player(Io& io) : io_{io}, timer_{io} {
  // co_await send(Request{"GET"});
  co_spawn(
      io_,
      [this]() -> awaitable<void> {
        Request request{"GET", 1};
        co_await send(request);
      },
      detached);
}

awaitable<std::vector<int>> Player::play(std::map<int, int> steps) {
  auto& [first, second] = *co_await next();
  const char brace = '{';
  const auto text = R"(co_await f({1}))";
  if (auto got = co_await read(); got) {
    use(Pair{text, brace});
  } else if (co_await done()) {
    use({});
  } else {
    use({first, second});
  }
  switch (co_await kind()) {
    case 1: {
      use(Pair{});
      break;
    }
    default:
      break;
  }
  do {
    steps_[co_await index()] = 1;
  } while (co_await more());
  try {
    co_await spawn([] { return 1; }, use_awaitable);
  } catch (...) {
    use({});
  }
  co_return std::vector<int>{1, 2};
}
