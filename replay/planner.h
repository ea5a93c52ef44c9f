// Traffic to plan: which captured exchanges are sent, in which causal order, with which values rebound.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "replay/causes.h"
#include "replay/exchange.h"
#include "replay/masks.h"
#include "replay/plan.h"

namespace rehearse::replay {

// True when a request is believed to change nothing.
using IsRead = std::function<bool(std::string_view method, std::string_view path)>;

struct PlannerOptions {
  IsRead is_read;  // by the method (RFC 9110, section 9.2.1) when it is empty
  CauseOptions causes;
  // Values that a server made are followed (`replay/bindings.h`).
  bool bindings = true;
  // A write waits for everything before it, and everything after it waits for it; reads between the same two writes stay
  // concurrent. So a plan has one expected final state, which is what lets a judge say that a store lost something. What this
  // leaves out: writes that overlapped in the capture are played one after the other.
  bool one_write_at_a_time = false;
  MaskOptions masks;
  // Requests beyond so many bytes are kept on disk (`RequestSpool`): the memory of a plan must not be that of its bodies.
  std::size_t bytes_in_memory = 64u << 20;
  // More are refused: the order and what is followed take some 700 bytes a step, which must not be what the machine runs out of.
  std::size_t max_steps = 10'000'000;
};

// Makes a plan of exchanges while they come, so that neither their answers nor, in long ones, their requests stay in memory: what
// stays is the order and what is followed, some 700 bytes a step. Throws Error when requests cannot be kept, or there are too many.
//
// Every exchange is a step or is counted in `left_out` by its reason: exchanges shown = steps + sum(left_out).
//
// A step waits for another one only where the capture proves the order: the other one's answer had ended before it began. (With
// one_write_at_a_time the order is the one in which requests began, whatever overlapped.) A cause that follows from the others is
// left out, as far as a search of bounded length finds that; what is left is named by its strongest reason.
//
// What was refused with 401 or 403 is refused again (`Step::keep_credentials`). Behind a 401 a credential stays as captured: the one
// that a play got in its place may not have expired yet. Behind a 403 it is followed where a later request with the same one was
// accepted: then the server knew who asked, and refused what was asked for.
class Planner {
 public:
  explicit Planner(PlannerOptions options);
  ~Planner();
  Planner(Planner&&) noexcept;
  Planner& operator=(Planner&&) noexcept;

  // REQUIRES: `request_ns` is not before that of the exchange that was added last.
  void add(const Exchange& exchange);
  void add(Exchange&& exchange);
  // The plan of what was added. Nothing can be added any more.
  [[nodiscard]] Plan finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The same of traffic in memory.
[[nodiscard]] Plan plan_of(const Traffic& traffic, const PlannerOptions& options = {});

}  // namespace rehearse::replay
