// A few threads that share rounds of tasks, thousands of rounds a second.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace rehearse::replay {

class Crew {
 public:
  // `size` threads, at least one; the caller of `run` is one of them.
  explicit Crew(unsigned size);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // Calls `work` once for each task of [0, tasks) and returns when all are done; what was written before is seen by all of them,
  // and what they wrote by the caller. Each thread has a share of the tasks, the caller the first one, and does them in order; when
  // it is done it takes over what others have not begun, from the end of their shares. So tasks stay with a thread from round to
  // round, with what they keep in its caches and allocated from its memory, as far as that keeps all threads busy. When tasks
  // throw, the error of the first one is thrown, after all have ended.
  void run(std::size_t tasks, const std::function<void(std::size_t)>& work);

  [[nodiscard]] unsigned size() const { return static_cast<unsigned>(threads_.size()) + 1; }

 private:
  void follow(unsigned thread);
  void take_part(unsigned thread);
  void attempt(std::size_t task);

  const std::function<void(std::size_t)>* work_ = nullptr;
  std::size_t tasks_ = 0;
  std::vector<std::exception_ptr> errors_;
  std::unique_ptr<std::atomic<bool>[]> claimed_;
  std::size_t places_ = 0;  // of `claimed_`
  std::atomic<std::uint32_t> round_ = 0;
  std::atomic<std::uint32_t> busy_ = 0;  // other threads that have not ended the round
  bool over_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace rehearse::replay
