// How requests become bytes and bytes become answers on one connection: HTTP/1.1 or HTTP/2. Knows nothing of sockets and clocks.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "replay/history.h"

namespace rehearse::replay {

class Connection;

// A request on its way.
struct Task {
  std::size_t position = 0;          // of its step in the plan
  Record record;                     // its request, and what came of it
  std::unique_ptr<Request> adapted;  // what is sent in its place
  std::int64_t late_ns = 0;          // when it was given to its connection, from when it was due
  std::int64_t ready_ns = 0;         // when it was, or when that was open
  bool left = false;                 // bytes of it were given to the network
  bool refused = false;              // once, by a server that says that it did not look at it
  bool begun = false;                // bytes of its answer came

  [[nodiscard]] const Request& to_send() const { return adapted ? *adapted : record.request; }

  // Of whoever carries it: what is waited for, each with its end, linked in the order of these ends.
  enum Wait : std::uint8_t { to_connect, to_leave, to_begin, to_end, for_permission };
  static constexpr int waits = 5;
  struct Link {
    std::int64_t until_ns = 0;
    Task* earlier = nullptr;
    Task* later = nullptr;
    bool linked = false;
  };
  Connection* connection = nullptr;
  std::array<Link, waits> links;
};

// Hears what becomes of tasks.
class Listener {
 public:
  virtual ~Listener() = default;
  // task.record.response is whole.
  virtual void answered(Task& task) = 0;
  // The first bytes of the task were just handed over to be sent.
  virtual void leaving(Task& task) = 0;
  virtual void failed(Task& task, Outcome outcome, std::string problem) = 0;
};

class Dialect {
 public:
  virtual ~Dialect() = default;

  // A request to be sent after those before it.
  virtual void submit(Task& task) = 0;

  // What is to be sent next, in at most `most` pieces, which stay where they are until `sent`; 0: nothing for now.
  virtual int pieces(iovec* into, int most) = 0;
  // So many bytes of these are with the network.
  virtual void sent(std::size_t bytes) = 0;

  virtual void received(std::string_view bytes) = 0;
  // The server has ended its side: it sends no more.
  virtual void ended() = 0;

  // False when no further request may be submitted.
  [[nodiscard]] virtual bool open() const = 0;
  // True when nothing more can come of this connection; what has no answer yet gets none.
  [[nodiscard]] virtual bool over() const = 0;
  // Why it is over, when the server is to blame; else empty.
  [[nodiscard]] virtual std::string problem() const { return {}; }
  // True when no answer is waited for.
  [[nodiscard]] virtual bool idle() const = 0;

  // Answers may come in another order than the requests went.
  [[nodiscard]] virtual bool multiplexes() const { return false; }

  // A request may wait for permission to send its body (RFC 9110, section 10.1.1), but not for ever.
  [[nodiscard]] virtual bool awaits_permission(const Task&) const { return false; }
  virtual void go_on_without_permission(Task&) {}

  // What comes next may be the task's answer, and not one of an earlier task.
  [[nodiscard]] virtual bool is_next(const Task&) const { return true; }
  // Nobody waits for the answer to this task any more.
  virtual void cancel(Task& task) = 0;
  // Those without an answer, in their order; the connection is over.
  [[nodiscard]] virtual std::vector<Task*> give_back() = 0;
};

[[nodiscard]] std::unique_ptr<Dialect> make_http1(Listener& listener, const std::string& authority);
[[nodiscard]] std::unique_ptr<Dialect> make_http2(Listener& listener, const std::string& authority, bool tls);

}  // namespace rehearse::replay
