#include "replay/capture/crew.h"

#include <thread>
#include <utility>

namespace rehearse::replay {
namespace {

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

void Crew::run(const std::function<bool(std::uint64_t, unsigned)>& work) {
  begun_ = 0;
  over_ = false;
  {
    std::vector<std::jthread> others;
    for (unsigned thread = 1; thread < size_; ++thread)
      others.emplace_back([this, &work, thread] { follow(work, thread); });
    follow(work, 0);
  }
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void Crew::follow(const std::function<bool(std::uint64_t, unsigned)>& work, unsigned thread) {
  while (!over_.load(std::memory_order_relaxed)) {
    const std::uint64_t piece = begun_.fetch_add(1, std::memory_order_relaxed);
    try {
      if (!work(piece, thread)) over_.store(true, std::memory_order_relaxed);
    } catch (const GivenUp&) {
    } catch (...) {
      fail(piece, std::current_exception());
    }
  }
}

void Crew::fail(std::uint64_t piece, std::exception_ptr error) {
  {
    const std::lock_guard lock(mutex_);
    if (piece < failed_.load(std::memory_order_relaxed)) {
      failed_.store(piece, std::memory_order_relaxed);
      error_ = std::move(error);
    }
  }
  over_.store(true, std::memory_order_relaxed);
  for (Turn* turn : turns_) {
    turn->now_.fetch_or(1);
    turn->now_.notify_all();
  }
}

// Mostly the wait takes less time than it takes to wake a thread, so it is not put to sleep at once; but soon, because on a busy
// machine the one that it waits for may not be running.
void Turn::wait(std::uint64_t number, std::uint64_t piece) const {
  constexpr int looks = 1000;
  for (int looked = 0;; ++looked) {
    const std::uint32_t now = now_.load(std::memory_order_acquire);
    if (is(now, number)) return;
    if (now & 1 && crew_.failed_.load(std::memory_order_relaxed) < piece) throw Crew::GivenUp{};
    if (looked < looks)
      pause();
    else if (now & 1)  // another piece may fail, which changes nothing that could be waited for
      std::this_thread::yield();
    else
      now_.wait(now, std::memory_order_acquire);
  }
}

}  // namespace rehearse::replay
