#include "replay/capture/crew.h"

#include <algorithm>
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

// Waits until `value` is not `old`. A round takes less time than it takes to wake a thread, so it is not put to sleep at once; but
// soon, because on a busy machine the one that it waits for may not be running.
void await_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  constexpr int looks = 5000;
  for (int i = 0; i < looks; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

Crew::Crew(unsigned size) {
  for (unsigned i = 1; i < size; ++i) threads_.emplace_back([this, i] { follow(i); });
}

Crew::~Crew() {
  over_ = true;
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Crew::run(std::size_t tasks, const std::function<void(std::size_t)>& work) {
  if (tasks > places_) {
    claimed_ = std::make_unique<std::atomic<bool>[]>(tasks);
    places_ = tasks;
  }
  for (std::size_t task = 0; task < tasks; ++task) claimed_[task].store(false, std::memory_order_relaxed);
  errors_.assign(tasks, nullptr);
  work_ = &work;
  tasks_ = tasks;
  busy_.store(static_cast<std::uint32_t>(threads_.size()), std::memory_order_relaxed);
  if (!threads_.empty()) {
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
  }
  take_part(0);
  for (std::uint32_t left = busy_.load(std::memory_order_acquire); left > 0;
       left = busy_.load(std::memory_order_acquire))
    await_change(busy_, left);
  for (std::exception_ptr& error : errors_) {
    if (error) std::rethrow_exception(std::exchange(error, nullptr));
  }
}

void Crew::follow(unsigned thread) {
  for (std::uint32_t seen = 0;;) {
    await_change(round_, seen);
    ++seen;  // the next round begins only when this thread has ended this one
    if (over_) return;
    take_part(thread);
    if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_one();
  }
}

void Crew::take_part(unsigned thread) {
  const auto try_task = [&](std::size_t task) {
    if (!claimed_[task].exchange(true, std::memory_order_relaxed)) attempt(task);
  };
  const auto begin_of = [&](unsigned of) { return tasks_ * of / size(); };
  for (std::size_t task = begin_of(thread); task < begin_of(thread + 1); ++task) try_task(task);
  for (unsigned i = 1; i < size(); ++i) {
    const unsigned of = (thread + i) % size();
    for (std::size_t task = begin_of(of + 1); task > begin_of(of); --task) try_task(task - 1);
  }
}

void Crew::attempt(std::size_t task) {
  try {
    (*work_)(task);
  } catch (...) {
    errors_[task] = std::current_exception();
  }
}

}  // namespace rehearse::replay
