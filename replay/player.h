// Plays a plan against a service: opens the lanes' connections, releases each step when its causes are over and its time has
// come, rebinds the values that the server makes, and records what happened.
//
// A step is sent once. What the network does wrong is an outcome in the history, not an exception: `refused` when no byte of
// the request had left, else `lost`. Redirects are not followed, and nothing is sent again.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "replay/history.h"
#include "replay/plan.h"

namespace rehearse::replay {

// An answer larger than this is recorded as lost: a verifier must not be killed by what it verifies.
inline constexpr std::size_t max_response_bytes = 64u << 20;

struct PlayOptions {
  std::string name;                            // the history's
  std::string target;                          // "http://host:port"
  std::vector<std::string> other_instances;    // of the same service: the lanes are dealt out among all
  double speed = 0;                            // 1 = as captured, 2 = twice as fast; 0 = as fast as the causes allow
  double rate = 0;                             // requests a second at most, whatever was delayed before; 0: no limit
  std::chrono::milliseconds deadline{10'000};  // for connecting, and again for each request to be answered whole
  // Runs a cue, on a thread of its own: steps that are not behind the cue go on meanwhile. What it throws ends the play.
  std::function<void(const Step&)> on_cue;
  std::function<void(std::size_t done)> on_progress;  // after each step
  std::function<bool(const Record&)> enough;          // after each request: true ends the play as `stop` does
  const Plan* whole = nullptr;  // the plan that the played one was cut from: values that its later steps use are learnt
  std::vector<Binding> earlier;             // what earlier plays of the same plan have bound
  const std::atomic<bool>* stop = nullptr;  // when it becomes true: nothing more is sent, what is in flight ends
};

// What `play` would throw before anything is sent: the target is no http URL, a step cannot be sent, nobody runs a cue.
void expect_playable(const Plan& plan, const PlayOptions& options);

// Throws Error when the target is no http URL, or a cue stands in the plan and `on_cue` is not set.
[[nodiscard]] History play(const Plan& plan, const PlayOptions& options);

// One request outside of any plan, for probes: sent on a connection of its own.
[[nodiscard]] Record send(const Request& request, const std::string& target, std::chrono::milliseconds deadline);

}  // namespace rehearse::replay
