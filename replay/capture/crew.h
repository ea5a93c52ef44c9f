// A few threads that each do whole pieces of work, and take turns at the places where the order of the pieces matters.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <vector>

namespace rehearse::replay {

class Turn;

class Crew {
 public:
  // `size` threads, at least one; the caller of `run` is one of them.
  explicit Crew(unsigned size) : size_(size) {}
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // Calls `work(piece, thread)` for the pieces 0, 1, 2, ... until a call returns false, and returns when all calls have ended; those
  // for a few pieces more may have begun meanwhile. They run side by side, no two of them with the same `thread`, which is below
  // `size`. What was written before is seen by all of them, and what they wrote by the caller. When a piece throws, those before it
  // are done to their end, those behind it are given up where they next wait for a turn, and its error is thrown, of several the
  // error of the first piece; the crew is then of no use any more.
  void run(const std::function<bool(std::uint64_t piece, unsigned thread)>& work);

  [[nodiscard]] unsigned size() const { return size_; }

 private:
  friend class Turn;
  struct GivenUp {};  // thrown where a piece waits behind one that failed
  void follow(const std::function<bool(std::uint64_t, unsigned)>& work, unsigned thread);
  void fail(std::uint64_t piece, std::exception_ptr error);

  const unsigned size_;
  std::vector<Turn*> turns_;
  std::atomic<std::uint64_t> begun_ = 0;
  std::atomic<bool> over_ = false;
  std::atomic<std::uint64_t> failed_ = UINT64_MAX;  // the first piece that threw
  std::mutex mutex_;
  std::exception_ptr error_;  // its
};

// One place. Turns have numbers, and are had in their order: each by one piece, which need not be its only one.
class alignas(128) Turn {  // two cache lines, which processors fetch together
 public:
  explicit Turn(Crew& crew) : crew_(crew) { crew.turns_.push_back(this); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  // Waits until the turns before `number` are over. To be called within `piece`, and nowhere where something must be undone
  // that no destructor undoes: a piece that is given up leaves by an exception that only the crew knows.
  void await(std::uint64_t number, std::uint64_t piece) const {
    if (!is(now_.load(std::memory_order_acquire), number)) wait(number, piece);
  }
  // The turn that was waited for is over.
  void pass() {
    now_.fetch_add(2);
    now_.notify_all();
  }

 private:
  friend class Crew;
  // The number as far as it fits, and in the lowest bit whether a piece has failed.
  static bool is(std::uint32_t now, std::uint64_t number) { return now >> 1 == (number & 0x7fffffff); }
  void wait(std::uint64_t number, std::uint64_t piece) const;

  Crew& crew_;
  std::atomic<std::uint32_t> now_ = 0;
};

}  // namespace rehearse::replay
