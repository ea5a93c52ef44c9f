// One thread that carries requests: an event loop, the lanes that it plays and their connections.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <list>
#include <memory>
#include <mutex>
#include <queue>
#include <string>
#include <thread>
#include <vector>

#include "replay/play/dialect.h"
#include "replay/play/lateness.h"
#include "replay/play/schedule.h"
#include "replay/play/target.h"

namespace rehearse::replay {

class Connection;
class Worker;

// Steps that share a connection and keep their order; or a cue alone.
struct Lane {
  std::vector<std::uint32_t> steps;  // positions in the plan
  const Destination* destination = nullptr;
  Worker* worker = nullptr;
  std::size_t number = 0;    // among those with requests, in the order of their first steps
  bool multiplexed = false;  // its requests overlapped on a connection of HTTP/2

  std::size_t next = 0;  // of `steps`
  std::size_t in_flight = 0;
  static constexpr std::int64_t unknown = std::numeric_limits<std::int64_t>::min();
  std::int64_t due_ns = unknown;  // of the next step: when it could leave
  std::int64_t at_ns = 0;         // ... and when it will, which the rate may put off
  std::int64_t over_ns = 0;       // when the last of its requests was over
  bool has_turn = false;          // the rate has given the next step its time
  bool rated = false;             // it is due at a time that the rate has given
  bool parked = false;            // it waits until a connection may be opened
  bool runnable = false;          // it is to be looked at
  bool timed = false;             // ... at a time
  bool over = false;
  std::vector<std::unique_ptr<Connection>> connections;
};

// What the workers of a play share.
struct Shared {
  using Clock = std::chrono::steady_clock;

  Shared(const Plan& plan, const PlayOptions& given) : options(given), schedule(plan, given) {}

  const PlayOptions& options;
  Schedule schedule;
  std::shared_ptr<SSL_CTX> tls;  // null when no target wants it
  Clock::time_point start;
  std::int64_t first_due_ns = 0;     // of the plan: what its times are counted from
  std::vector<Lane*> lane_of;        // by position
  std::size_t connections_each = 0;  // that one worker may hold at once
  std::vector<Lane*> numbered;       // lanes by number
  // Without times, lanes begin in the order of their numbers, so many at once.
  std::size_t lanes_at_once = std::numeric_limits<std::size_t>::max();
  std::atomic<std::size_t> lanes_over = 0;

  std::vector<Record> records;        // by position, unless they are handed over
  std::vector<std::uint8_t> carried;  // by position: it has a record

  std::atomic<std::int64_t> sent = 0, unbound = 0, next_due_ns = 0, next_turn_ns = 0;
  std::atomic<bool> enough = false;    // whoever looks at the records has seen enough
  std::atomic<bool> aborted = false;   // everything ends at once
  std::mutex callbacks;                // held while one of the options' functions runs
  std::size_t done = 0;                // steps; under `callbacks`
  std::exception_ptr problem;          // under `callbacks`
  std::function<void(Lane&)> run_cue;  // begins it; whoever runs it calls Worker::cue_over

  [[nodiscard]] std::int64_t now() const { return std::chrono::nanoseconds(Clock::now() - start).count(); }
  [[nodiscard]] bool stopped() const { return enough || aborted || (options.stop != nullptr && options.stop->load()); }
  [[nodiscard]] bool may_begin(const Lane& lane) const {
    return lane.number < lanes_at_once || lane.number - lanes_at_once < lanes_over;
  }
  [[nodiscard]] bool has_times() const { return options.speed > 0 || options.rate > 0; }
  // The play ends as if it were stopped: what is in flight is waited for, and recorded. Then `why` is thrown.
  void fail(std::exception_ptr why);
  // It ends at once.
  void abort(std::exception_ptr why);
};

class Worker {
 public:
  explicit Worker(Shared& shared);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void add(Lane& lane);
  // Plays its lanes to their end, on a thread of its own until `join`, or on the caller's.
  void start();
  void join();
  void run_here();

  // From any thread.
  void wake(Lane& lane);
  void wake();
  void cue_over(Lane& lane);

  // What was obtained for its thread; after `join`.
  [[nodiscard]] const std::string& scheduling() const { return scheduling_; }
  [[nodiscard]] const Lateness& lateness() const { return lateness_; }
  // How long answers may have waited to be read.
  [[nodiscard]] const Lateness& lag() const { return lag_; }
  // The share of its time in which it had something to do.
  [[nodiscard]] double busy() const {
    return now_ns_ <= 0 ? 0 : 1 - static_cast<double>(slept_ns_) / static_cast<double>(now_ns_);
  }
  [[nodiscard]] std::int64_t ended_ns() const { return now_ns_; }

 private:
  friend class Connection;
  struct Watch {  // tasks in the order in which their time ends
    Task* first = nullptr;
    Task* last = nullptr;
  };
  struct Timed {
    std::int64_t at_ns;
    Lane* lane;
    friend bool operator>(const Timed& a, const Timed& b) { return a.at_ns > b.at_ns; }
  };
  struct Message {
    Lane* lane;
    bool cue_over;
  };

  void play_lanes();
  void close_connections();
  void set_scheduling();
  void take_messages();
  void release_due();
  void read_held_back();
  void run_lanes();
  void look_after_time();
  void wait_for_events();

  void make_runnable(Lane& lane);
  void take_turn(Lane& lane);
  void find_due(Lane& lane, const Step& step, std::uint32_t position);
  void advance(Lane& lane);
  bool wait_until(Lane& lane, std::int64_t at_ns);
  bool start_step(Lane& lane, std::uint32_t position);
  Connection* connection_for(Lane& lane);
  bool make_room();
  void skip(Lane& lane, std::uint32_t position);
  void end_step(std::uint32_t position);
  void end_lane_if_over(Lane& lane);
  void let_next_begin();
  void unpark_one();
  void use_room();
  void post(Message message);

  // Of connections.
  void finish(Task* task);
  void watch(Task& task, Task::Wait wait, std::chrono::milliseconds length);
  void unwatch(Task& task, Task::Wait wait);
  void expired(Task& task, Task::Wait wait);

  // From the start of the play.
  std::int64_t now() { return now_ns_ = shared_.now(); }

  Shared& shared_;
  std::int64_t now_ns_ = 0;  // when it was last asked for
  int epoll_ = -1;
  int bell_ = -1;  // an eventfd: there are messages
  std::thread thread_;
  std::mutex inbox_mutex_;
  std::vector<Message> inbox_;

  std::vector<Lane*> lanes_;
  std::size_t lanes_left_ = 0;
  std::deque<Lane*> runnable_;
  std::priority_queue<Timed, std::vector<Timed>, std::greater<>> timed_;
  std::deque<Lane*> parked_;        // they wait until a connection may be opened
  std::list<Connection*> resting_;  // open and not needed at the moment, the one that rests for longest first
  std::array<Watch, Task::waits> watches_;
  std::size_t open_connections_ = 0;
  std::vector<Connection*> held_back_;  // they have more to read
  std::vector<char> scratch_;
  std::string scheduling_ = "normal";
  Lateness lateness_, lag_;
  std::int64_t slept_ns_ = 0;
  std::int64_t looked_at_ns_ = 0;   // when the loop last heard of anything
  std::int64_t news_since_ns_ = 0;  // what the loop hears of now may have happened since
  std::int64_t stopped_at_ns_ = -1;
};

}  // namespace rehearse::replay
