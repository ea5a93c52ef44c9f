// Which steps of a plan may go: their causes are over and the values that they use are known. For several threads at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "replay/player.h"

namespace rehearse::replay {

class Schedule {
 public:
  // The plan and what is learnt for must outlive it.
  Schedule(const Plan& plan, const PlayOptions& options);

  [[nodiscard]] std::size_t size() const { return plan_.steps.size(); }
  [[nodiscard]] const Step& step(std::size_t position) const { return plan_.steps[position]; }

  // True when all causes of the step are over. What they wrote before they ended is seen then.
  [[nodiscard]] bool ready(std::size_t position) const {
    return causes_left_[position].load(std::memory_order_acquire) == 0;
  }

  // When the last of its causes was over, as `end` was told; 0 without any. REQUIRES: ready(position).
  [[nodiscard]] std::int64_t ready_ns(std::size_t position) const {
    return ready_ns_[position].load(std::memory_order_relaxed);
  }

  // The step is over, at `at_ns`; `wake` is called with each one that waited for it last. Once a step.
  template <class Wake>
  void end(std::size_t position, std::int64_t at_ns, const Wake& wake) {
    for (std::size_t i = first_dependent_[position]; i < first_dependent_[position + 1]; ++i) {
      std::atomic<std::int64_t>& ready = ready_ns_[dependents_[i]];
      std::int64_t latest = ready.load(std::memory_order_relaxed);
      while (latest < at_ns && !ready.compare_exchange_weak(latest, at_ns, std::memory_order_relaxed)) {
      }
      if (causes_left_[dependents_[i]].fetch_sub(1, std::memory_order_acq_rel) == 1) wake(dependents_[i]);
    }
  }

  // The step's request with the values of this play; adds to `unbound` those that are not known. REQUIRES: ready(position).
  [[nodiscard]] Request bound(std::size_t position, std::int64_t& unbound) const;
  // Keeps what later steps want of an answer. Call before `end` of the same step.
  void learn(std::size_t position, const Record& record);

  // What was learnt, in the order of the plan. When nobody learns any more.
  [[nodiscard]] std::vector<Binding> bindings() const;

 private:
  // What later steps want of a step's answer, and what they got.
  struct Wanted {
    struct One {
      Place source;
      std::string old;
      std::optional<std::string> made;
    };
    std::vector<One> values;
  };
  [[nodiscard]] const std::string* made(const Use& use) const;

  const Plan& plan_;
  std::vector<Binding> earlier_;
  std::map<std::pair<StepId, Place>, std::string> made_earlier_;
  std::unordered_map<StepId, Wanted> wanted_;
  int round_;
  std::unique_ptr<std::atomic<std::uint32_t>[]> causes_left_;
  std::unique_ptr<std::atomic<std::int64_t>[]> ready_ns_;
  std::vector<std::size_t> first_dependent_;  // of step i: dependents_[first_dependent_[i] .. first_dependent_[i + 1])
  std::vector<std::uint32_t> dependents_;
};

}  // namespace rehearse::replay
