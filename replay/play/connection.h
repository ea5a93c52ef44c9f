// One connection of a lane, opened when it is needed and again when the server has closed it.
#pragma once

#include <deque>
#include <list>

#include "replay/play/dialect.h"
#include "replay/play/stream.h"

namespace rehearse::replay {

struct Lane;
class Worker;

class Connection final : public Listener {
 public:
  Connection(Worker& worker, Lane& lane);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Takes the task over until the worker's `finish`.
  void submit(Task& task);
  // The socket is ready: `events` of epoll.
  void ready(std::uint32_t events);
  // Reads on what was held back, because others have their turn too.
  void read_on();
  // The time that the task had is over.
  void expired(Task& task, Task::Wait wait);
  // Everything that has no answer fails.
  void fail_all(const std::string& problem);
  void close();

  [[nodiscard]] bool is_open() const { return state_ != State::closed; }
  [[nodiscard]] bool idle() const { return backlog_.empty() && (!dialect_ || dialect_->idle()); }
  // A further request may be submitted.
  [[nodiscard]] bool accepts() const { return state_ != State::open || dialect_->open(); }
  [[nodiscard]] bool multiplexes() const { return dialect_ && dialect_->multiplexes(); }

  void answered(Task& task) override;
  void leaving(Task& task) override;
  void failed(Task& task, Outcome outcome, std::string problem) override;

 private:
  enum class State { closed, connecting, open };

  void open();
  void connect();
  void opened();
  void read();
  void flush();
  void settle();
  void listen(std::uint32_t events);
  [[nodiscard]] bool has_spoken() const;
  void drop_if_closed_by_server();
  void refuse_backlog(const std::string& problem);
  // The stream is of no use any more. What has left is lost; what has not goes over another one when this one had been of use.
  void drop(std::string problem);
  void fail(Task& task, Outcome outcome, const std::string& problem);
  void hold_back();
  void rest_if_idle();
  void unrest();

  Worker& worker_;
  Lane& lane_;
  State state_ = State::closed;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Dialect> dialect_;
  std::deque<Task*> backlog_;  // they wait until the connection is open
  int listened_socket_ = -1;
  std::uint32_t listened_ = 0;
  bool mute_ = false;  // nothing can be sent any more
  bool read_wants_write_ = false;
  bool served_ = false;  // an answer came over this stream
  std::int64_t last_used_ns_ = 0;
  std::list<Connection*> place_;  // its own, or among those of the worker that nobody needs at the moment
  std::list<Connection*>::iterator node_;
  bool held_back_ = false;
  bool resting_ = false;
};

}  // namespace rehearse::replay
