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

enum class HttpVersion {
  automatic,  // over TLS what the server chooses of HTTP/2 and HTTP/1.1 (RFC 7301), else HTTP/1.1
  http1,
  http2,  // in the clear by prior knowledge (RFC 9113, section 3.3)
};

// For https targets; PEM files.
struct TlsOptions {
  std::string ca_file;           // whom to believe; the system's authorities when it is empty
  std::string certificate_file;  // the client's own, with its chain
  std::string key_file;          // that of its key; the certificate's file when it is empty
};

struct PlayOptions {
  std::string name;                          // the history's
  std::string target;                        // "http://host:port" or "https://host:port"
  std::vector<std::string> other_instances;  // of the same service: the lanes are dealt out among all
  TlsOptions tls;
  HttpVersion http = HttpVersion::automatic;
  std::string host;  // for the Host field; the target's when it is empty
  // 1 = as captured, 2 = twice as fast; 0 = as fast as the causes allow, over as many lanes at once as the capture had at its busiest
  // second (64 at least): clients that came one after the other do not come all at once.
  double speed = 0;
  double rate = 0;  // requests a second at most, whatever was delayed before; 0: no limit
  std::chrono::milliseconds connect_deadline{10'000};  // for a connection, TLS included
  std::chrono::milliseconds begin_deadline{
      0};  // for the first byte of an answer, from when the request began to leave; 0: none
  std::chrono::milliseconds deadline{10'000};  // for the whole answer, the same
  // How long a body waits for the server's permission (100-continue; RFC 9110, section 10.1.1); curl waits as long.
  std::chrono::milliseconds permission_wait{1'000};
  unsigned workers = 1;             // threads; a connection stays with one of them
  std::size_t max_connections = 0;  // open at once; 0: as many as the process may have. Steps wait for a free one.
  int round = 1;                    // of the same plan; in later ones keys become others (`renew`, replay/pace.h)
  bool real_time = true;            // with a speed or a rate the workers try to run before other threads (SCHED_FIFO)

  // Changes what is sent of a request, behind the binding: credentials of the target, fields of its own. Called by the workers, at the
  // same time. The record holds the request as it was before: such credentials reach no file.
  std::function<void(const Step&, Request&)> adapt;
  // Runs a cue, on a thread of its own: steps that are not behind the cue go on meanwhile. What it throws ends the play as `stop` does,
  // and is thrown by it then. It is always waited for, also when the play is stopped.
  std::function<void(const Step&)> on_cue;
  // These are called by the workers, one at a time. What they throw ends the play.
  std::function<void(std::size_t done)> on_progress;  // after each step
  std::function<bool(const Record&)> enough;          // after each request: true ends the play as `stop` does
  std::function<void(Record&&)> on_record;            // takes each record when it is whole; the history then holds none

  const Plan* whole = nullptr;  // the plan that the played one was cut from: values that its later steps use are learnt
  std::vector<Binding> earlier;  // what earlier plays of the same plan have bound
  const std::atomic<bool>* stop =
      nullptr;  // when it becomes true: nothing more is sent, what is in flight has 5 s to end
};

// Throws Error when the target is no http or https URL, or one with a path or a user. Asks nobody for its address.
void expect_target(const std::string& target);

// What `play` would throw before anything is sent: the target is no http or https URL, a file of `tls` cannot be used, a step
// cannot be sent, nobody runs a cue.
void expect_playable(const Plan& plan, const PlayOptions& options);

// Throws as `expect_playable` does.
[[nodiscard]] History play(const Plan& plan, const PlayOptions& options);

// One request outside of any plan, for probes: sent on a connection of its own.
[[nodiscard]] Record send(const Request& request, PlayOptions options);
[[nodiscard]] Record send(const Request& request, const std::string& target, std::chrono::milliseconds deadline);

}  // namespace rehearse::replay
