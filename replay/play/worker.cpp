#include "replay/play/worker.h"

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <limits>
#include <system_error>
#include <utility>

#include "replay/error.h"
#include "replay/play/connection.h"

namespace rehearse::replay {
namespace {

constexpr std::size_t scratch_bytes = 256u << 10;
constexpr int max_events = 256;
// A stop is noticed within this time.
constexpr std::int64_t stop_poll_ns = 100'000'000;
// What is in flight when a play is stopped has so long to end.
constexpr std::int64_t stop_grace_ns = 5'000'000'000;
// Connections of a lane whose requests were captured side by side on HTTP/2, to a server that speaks HTTP/1.1: as many as browsers open.
constexpr std::size_t connections_instead_of_streams = 6;
// What it takes to ask whether anything happened.
constexpr std::int64_t look_ns = 2'000;
// How long a loop goes on with what is runnable before it looks at sockets again.
constexpr std::size_t lanes_a_turn = 64;

// The events within `timeout_ns`, exactly: milliseconds would be longer than what is to be measured.
int wait_for(int epoll, epoll_event* events, std::int64_t timeout_ns) {
  const timespec timeout{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  const int got = epoll_pwait2(epoll, events, max_events, &timeout, nullptr);
  if (got >= 0 || errno != ENOSYS) return got;
  pollfd all{epoll, POLLIN, 0};  // before Linux 5.11
  ppoll(&all, 1, &timeout, nullptr);
  return epoll_wait(epoll, events, max_events, 0);
}

// Blocks a signal for the calling thread; what was blocked before.
sigset_t set_blocked(int signal) {
  sigset_t one, before;
  sigemptyset(&one);
  sigaddset(&one, signal);
  pthread_sigmask(SIG_BLOCK, &one, &before);
  return before;
}

}  // namespace

void Shared::fail(std::exception_ptr why) {
  const std::lock_guard lock(callbacks);
  if (!problem) problem = why;
  enough = true;
}

void Shared::abort(std::exception_ptr why) {
  const std::lock_guard lock(callbacks);
  if (!problem) problem = why;
  aborted = true;
}

Worker::Worker(Shared& shared)
    : shared_(shared), epoll_(epoll_create1(EPOLL_CLOEXEC)), bell_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (epoll_ < 0 || bell_ < 0)
    throw Error("no further file may be opened: raise the limit (ulimit -n) or lower the number of workers");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  ENSURE(epoll_ctl(epoll_, EPOLL_CTL_ADD, bell_, &event) == 0);
}

Worker::~Worker() {
  join();
  close_connections();
  if (epoll_ >= 0) ::close(epoll_);
  if (bell_ >= 0) ::close(bell_);
}

void Worker::close_connections() {
  for (Lane* lane : lanes_) lane->connections.clear();
}

void Worker::add(Lane& lane) {
  lane.worker = this;
  lanes_.push_back(&lane);
}

void Worker::start() {
  thread_ = std::thread([this] {
    // A server that closes while something is sent to it is data, not a signal; OpenSSL writes without saying so.
    set_blocked(SIGPIPE);
    set_scheduling();
    play_lanes();
  });
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::run_here() {
  sigset_t pending;
  sigpending(&pending);
  const bool was_pending = sigismember(&pending, SIGPIPE) == 1;
  const sigset_t before = set_blocked(SIGPIPE);
  play_lanes();
  // One that is ours is taken away before it is let through again.
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  const timespec at_once{};
  if (!was_pending) sigtimedwait(&pipe, nullptr, &at_once);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Worker::set_scheduling() {
  // The kernel may otherwise let a sleeper lie for 50 microseconds longer.
  prctl(PR_SET_TIMERSLACK, 1ul, 0, 0, 0);
  if (!shared_.has_times() || !shared_.options.real_time) return;
  sched_param parameters{};
  parameters.sched_priority = sched_get_priority_min(SCHED_FIFO);
  // What a worker starts (cues, and their processes) does not inherit it.
  const int error = sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters) == 0 ? 0 : errno;
  scheduling_ = error == 0 ? fmt::format("real-time (SCHED_FIFO {})", parameters.sched_priority)
                           : fmt::format("normal; real-time was refused: {}", std::generic_category().message(error));
}

void Worker::play_lanes() try {
  lanes_left_ = lanes_.size();
  scratch_.resize(scratch_bytes);
  now();
  for (Lane* lane : lanes_) make_runnable(*lane);
  while (lanes_left_ > 0 && !shared_.aborted) {
    take_messages();
    read_held_back();
    release_due();
    run_lanes();
    use_room();
    look_after_time();
    if (lanes_left_ > 0 && !shared_.aborted) wait_for_events();
  }
  close_connections();
} catch (...) {
  shared_.abort(std::current_exception());
  close_connections();
}

// -- messages ----------------------------------------------------------------------------------------------------------

void Worker::post(Message message) {
  {
    const std::lock_guard lock(inbox_mutex_);
    inbox_.push_back(message);
    if (inbox_.size() > 1) return;  // it was told already
  }
  const std::uint64_t one = 1;
  static_cast<void>(!::write(bell_, &one, sizeof one));
}

void Worker::wake(Lane& lane) { post({&lane, false}); }
void Worker::wake() { post({nullptr, false}); }
void Worker::cue_over(Lane& lane) { post({&lane, true}); }

void Worker::take_messages() {
  std::vector<Message> messages;
  {
    const std::lock_guard lock(inbox_mutex_);
    messages.swap(inbox_);
  }
  for (const Message& message : messages) {
    if (message.lane == nullptr) continue;
    if (message.cue_over) {
      Lane& lane = *message.lane;
      --lane.in_flight;
      end_step(lane.steps[lane.next - 1]);
    }
    make_runnable(*message.lane);
  }
}

// -- lanes -------------------------------------------------------------------------------------------------------------

void Worker::make_runnable(Lane& lane) {
  if (lane.runnable || lane.over) return;
  lane.runnable = true;
  runnable_.push_back(&lane);
}

void Worker::read_held_back() {
  // Each one takes itself off the list, and may put itself there again.
  for (std::size_t left = held_back_.size(); left > 0 && !held_back_.empty(); --left) {
    Connection* const connection = held_back_.front();
    held_back_.erase(held_back_.begin());
    connection->read_on();
  }
}

void Worker::release_due() {
  while (!timed_.empty() && timed_.top().at_ns <= now_ns_) {
    Lane& lane = *timed_.top().lane;
    timed_.pop();
    lane.timed = false;
    make_runnable(lane);
  }
}

void Worker::run_lanes() {
  for (std::size_t i = 0; i < lanes_a_turn && !runnable_.empty(); ++i) {
    Lane& lane = *runnable_.front();
    runnable_.pop_front();
    lane.runnable = false;
    advance(lane);
    end_lane_if_over(lane);
  }
}

// False when that time has come.
bool Worker::wait_until(Lane& lane, std::int64_t at_ns) {
  if (now_ns_ >= at_ns || now() >= at_ns) return false;
  if (!lane.timed) {
    lane.timed = true;
    timed_.push({at_ns, &lane});
  }
  return true;
}

// Begins as many of the lane's steps as may go now.
void Worker::advance(Lane& lane) {
  while (lane.next < lane.steps.size() && !shared_.aborted) {
    const std::uint32_t position = lane.steps[lane.next];
    const Step& step = shared_.schedule.step(position);
    if (lane.in_flight > 0 && !step.overlaps) return;
    if (!shared_.schedule.ready(position)) return;
    if (shared_.stopped()) {
      skip(lane, position);
      continue;
    }
    if (!shared_.may_begin(lane)) return;
    if (lane.due_ns == Lane::unknown) find_due(lane, step, position);
    if (wait_until(lane, lane.at_ns)) return;
    if (shared_.options.rate > 0 && step.request && !lane.has_turn) {
      take_turn(lane);
      if (wait_until(lane, lane.at_ns)) return;
    }
    if (!start_step(lane, position)) return;
  }
}

// A step could leave when its time had come, its causes were over, and so were the requests before it on its lane: not when somebody
// found the time to look.
void Worker::find_due(Lane& lane, const Step& step, std::uint32_t position) {
  const PlayOptions& options = shared_.options;
  std::int64_t due = 0;
  if (!shared_.has_times()) {
    due = now_ns_;
  } else {
    due = shared_.schedule.ready_ns(position);
    if (!step.overlaps) due = std::max(due, lane.over_ns);
    if (options.speed > 0) {
      const auto planned = static_cast<double>(step.due_ns - shared_.first_due_ns) / options.speed;
      due = std::max(due, static_cast<std::int64_t>(planned));
    }
  }
  lane.due_ns = lane.at_ns = due;
}

// The times at which requests are due are as far apart as the rate says, and so are those at which they are let go when many are late.
void Worker::take_turn(Lane& lane) {
  const auto interval = static_cast<std::int64_t>(1e9 / shared_.options.rate);
  const auto turn_of = [&](std::atomic<std::int64_t>& next, std::int64_t earliest) {
    std::int64_t expected = next.load(), mine = 0;
    do {
      mine = std::max(expected, earliest);
    } while (!next.compare_exchange_weak(expected, mine + interval));
    return mine;
  };
  if (!lane.rated) lane.due_ns = turn_of(shared_.next_due_ns, lane.due_ns);
  lane.rated = true;
  lane.at_ns = turn_of(shared_.next_turn_ns, std::max(lane.due_ns, now_ns_));
  lane.has_turn = true;
}

// False when there is no room for another connection yet.
bool Worker::start_step(Lane& lane, std::uint32_t position) {
  const Step& step = shared_.schedule.step(position);
  Connection* connection = nullptr;
  if (step.request) {
    connection = connection_for(lane);
    if (connection == nullptr) {
      if (!lane.parked) parked_.push_back(&lane);
      lane.parked = true;
      lane.has_turn = false;  // when there is room, others have left meanwhile
      return false;
    }
    lane.parked = false;
  }
  const std::int64_t due = std::exchange(lane.due_ns, Lane::unknown);
  lane.has_turn = lane.rated = false;
  ++lane.next;
  ++lane.in_flight;
  if (!step.request) {
    shared_.run_cue(lane);
    return true;
  }
  auto task = std::make_unique<Task>();
  task->position = position;
  Record& record = task->record;
  record.step = step.id;
  record.lane = step.lane;
  record.read = step.read;
  record.due_ns = record.sent_ns = due;
  std::int64_t unbound = 0;
  record.request = shared_.schedule.bound(position, unbound);
  if (unbound > 0) shared_.unbound += unbound;
  if (shared_.options.adapt) {
    task->adapted = std::make_unique<Request>(record.request);
    shared_.options.adapt(step, *task->adapted);
  }
  ++shared_.sent;
  task->ready_ns = now();
  task->late_ns = task->ready_ns - due;
  connection->submit(*task.release());
  return true;
}

Connection* Worker::connection_for(Lane& lane) {
  Connection* best = nullptr;
  for (const auto& connection : lane.connections) {
    if (!connection->accepts()) continue;
    const auto worth = [](const Connection& each) { return 2 * each.is_open() + each.idle(); };
    if (best == nullptr || worth(*connection) > worth(*best)) best = connection.get();
  }
  const bool side_by_side = lane.multiplexed && shared_.options.http != HttpVersion::http2 && best != nullptr &&
                            !best->idle() && !best->multiplexes() &&
                            lane.connections.size() < connections_instead_of_streams;
  if (best != nullptr && best->is_open() && !side_by_side) return best;
  if (open_connections_ >= shared_.connections_each && !make_room())
    return best != nullptr && best->is_open() ? best : nullptr;
  if (best == nullptr || side_by_side) {
    std::erase_if(lane.connections, [](const auto& each) { return !each->is_open(); });
    lane.connections.push_back(std::make_unique<Connection>(*this, lane));
    best = lane.connections.back().get();
  }
  return best;
}

// Closes the connection that nobody has needed for longest.
bool Worker::make_room() {
  if (resting_.empty()) return false;
  resting_.front()->close();
  return true;
}

void Worker::skip(Lane& lane, std::uint32_t position) {
  lane.due_ns = Lane::unknown;
  lane.has_turn = lane.rated = false;
  ++lane.next;
  end_step(position);
}

void Worker::end_step(std::uint32_t position) {
  shared_.schedule.end(position, now_ns_, [&](std::uint32_t woken) {
    Lane& lane = *shared_.lane_of[woken];
    if (lane.worker == this)
      make_runnable(lane);
    else
      lane.worker->wake(lane);
  });
  if (!shared_.options.on_progress) return;
  const std::lock_guard lock(shared_.callbacks);
  shared_.options.on_progress(++shared_.done);
}

void Worker::end_lane_if_over(Lane& lane) {
  if (lane.over || lane.in_flight > 0 || lane.next < lane.steps.size()) return;
  lane.over = true;
  lane.connections.clear();
  lane.steps.shrink_to_fit();
  --lanes_left_;
  if (!shared_.numbered.empty() && shared_.numbered[lane.number] == &lane) let_next_begin();  // else it is a cue
  unpark_one();
}

void Worker::let_next_begin() {
  const std::size_t behind = shared_.lanes_over++;
  if (shared_.lanes_at_once >= shared_.numbered.size() - behind) return;
  Lane& next = *shared_.numbered[behind + shared_.lanes_at_once];
  if (next.worker == this)
    make_runnable(next);
  else
    next.worker->wake(next);
}

// There may be room for one more connection.
void Worker::unpark_one() {
  while (!parked_.empty()) {
    Lane& lane = *parked_.front();
    parked_.pop_front();
    if (!lane.parked) continue;  // it went on meanwhile, over another connection or a cause that was over
    lane.parked = false;
    return make_runnable(lane);
  }
}

// Whoever was let go may not have needed the room: nobody waits while there is some.
void Worker::use_room() {
  if (open_connections_ < shared_.connections_each || !resting_.empty()) unpark_one();
}

// -- requests ----------------------------------------------------------------------------------------------------------

void Worker::finish(Task* task) {
  const std::unique_ptr<Task> owner(task);
  for (int wait = 0; wait < Task::waits; ++wait) unwatch(*task, static_cast<Task::Wait>(wait));
  Record& record = task->record;
  record.done_ns = now_ns_;
  shared_.schedule.learn(task->position, record);
  const PlayOptions& options = shared_.options;
  if (options.enough || options.on_record) {
    const std::lock_guard lock(shared_.callbacks);
    if (options.enough && options.enough(record)) shared_.enough = true;
    if (options.on_record) options.on_record(std::move(record));
  }
  if (!options.on_record) shared_.records[task->position] = std::move(record);
  shared_.carried[task->position] = 1;
  Lane& lane = *shared_.lane_of[task->position];
  lane.over_ns = now_ns_;
  --lane.in_flight;
  end_step(static_cast<std::uint32_t>(task->position));
  make_runnable(lane);
  unpark_one();
}

void Worker::watch(Task& task, Task::Wait wait, std::chrono::milliseconds length) {
  unwatch(task, wait);
  Task::Link& link = task.links[wait];
  Watch& all = watches_[wait];
  link.until_ns = now_ns_ + std::chrono::nanoseconds(length).count();
  link.linked = true;
  link.earlier = all.last;
  link.later = nullptr;
  (all.last != nullptr ? all.last->links[wait].later : all.first) = &task;
  all.last = &task;
}

void Worker::unwatch(Task& task, Task::Wait wait) {
  Task::Link& link = task.links[wait];
  if (!link.linked) return;
  Watch& all = watches_[wait];
  (link.earlier != nullptr ? link.earlier->links[wait].later : all.first) = link.later;
  (link.later != nullptr ? link.later->links[wait].earlier : all.last) = link.earlier;
  link.linked = false;
}

void Worker::look_after_time() {
  const std::int64_t now = now_ns_;
  for (int wait = 0; wait < Task::waits; ++wait) {
    const auto kind = static_cast<Task::Wait>(wait);
    while (Task* const task = watches_[kind].first) {
      if (task->links[kind].until_ns > now) break;
      unwatch(*task, kind);
      task->connection->expired(*task, kind);
    }
  }
  if (stopped_at_ns_ < 0 && shared_.stopped()) {
    stopped_at_ns_ = now;
    for (Lane* lane : lanes_)
      make_runnable(*lane);  // what waits for its time or for a connection has no more to wait for
  }
  if (stopped_at_ns_ >= 0 && now - stopped_at_ns_ > stop_grace_ns) {
    for (Lane* lane : lanes_) {
      for (const auto& connection : lane->connections)
        connection->fail_all(
            fmt::format("no answer within {} s after the play was stopped", stop_grace_ns / 1'000'000'000));
    }
  }
}

void Worker::wait_for_events() {
  std::int64_t until = std::numeric_limits<std::int64_t>::max();
  if (!timed_.empty()) until = timed_.top().at_ns;
  for (int wait = 0; wait < Task::waits; ++wait) {
    const auto kind = static_cast<Task::Wait>(wait);
    if (watches_[kind].first != nullptr) until = std::min(until, watches_[kind].first->links[kind].until_ns);
  }
  std::int64_t timeout = 0;
  if (runnable_.empty() && held_back_.empty()) {
    until = std::min(until, now() + stop_poll_ns);
    timeout = std::max<std::int64_t>(until - now_ns_, 0);
  }
  epoll_event events[max_events];
  const std::int64_t before = now_ns_;
  const int got = wait_for(epoll_, events, timeout);
  ENSURE(got >= 0 || errno == EINTR);
  // What comes without a wait may have come at any time since the last look.
  const bool waited = now() - before > 2 * look_ns && timeout > 0;
  if (waited) slept_ns_ += now_ns_ - std::max<std::int64_t>(before, 0);
  news_since_ns_ = waited ? now_ns_ : looked_at_ns_;
  looked_at_ns_ = now_ns_;
  for (int i = 0; i < got; ++i) {
    if (events[i].data.ptr != nullptr) {
      static_cast<Connection*>(events[i].data.ptr)->ready(events[i].events);
      continue;
    }
    std::uint64_t count = 0;
    static_cast<void>(!::read(bell_, &count, sizeof count));
  }
}

}  // namespace rehearse::replay
