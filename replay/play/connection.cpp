#include "replay/play/connection.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "replay/error.h"
#include "replay/play/worker.h"

namespace rehearse::replay {
namespace {

// How often a connection is read before others have their turn.
constexpr int reads_a_turn = 4;
constexpr int max_pieces = 16;

const std::string closed_by_server = "the server closed the connection";

}  // namespace

Connection::Connection(Worker& worker, Lane& lane)
    : worker_(worker), lane_(lane), place_{this}, node_(place_.begin()) {}

Connection::~Connection() {
  // Tasks are left only when the play ends by an exception.
  for (const Task* task : backlog_) delete task;
  if (dialect_) {
    for (const Task* task : dialect_->give_back()) delete task;
  }
  close();
}

void Connection::rest_if_idle() {
  if (resting_ || state_ != State::open || !idle()) return;
  resting_ = true;
  worker_.resting_.splice(worker_.resting_.end(), place_, place_.begin());
}

void Connection::unrest() {
  if (!resting_) return;
  resting_ = false;
  place_.splice(place_.begin(), worker_.resting_, node_);
}

void Connection::submit(Task& task) {
  unrest();
  task.connection = this;
  if (state_ == State::open) drop_if_closed_by_server();
  if (state_ != State::open) {
    backlog_.push_back(&task);
    worker_.watch(task, Task::to_connect, worker_.shared_.options.connect_deadline);
    if (state_ == State::closed) open();
    return;
  }
  worker_.watch(task, Task::to_leave, worker_.shared_.options.deadline);
  dialect_->submit(task);
  flush();
  settle();
}

void Connection::open() {
  state_ = State::connecting;
  ++worker_.open_connections_;
  mute_ = served_ = read_wants_write_ = false;
  stream_ = std::make_unique<Stream>(*lane_.destination, lane_.destination->tls ? worker_.shared_.tls.get() : nullptr);
  connect();
}

void Connection::close() {
  if (state_ == State::closed) return;
  unrest();
  if (held_back_) std::erase(worker_.held_back_, this);
  held_back_ = false;
  state_ = State::closed;
  --worker_.open_connections_;
  // A child of another thread may hold the socket until it is another program: the loop would still hear of it.
  if (listened_socket_ >= 0) epoll_ctl(worker_.epoll_, EPOLL_CTL_DEL, listened_socket_, nullptr);
  listened_socket_ = -1;
  dialect_.reset();
  stream_.reset();
  worker_.unpark_one();
}

void Connection::listen(std::uint32_t events) {
  const int socket = stream_->socket();
  if (socket == listened_socket_ && events == listened_) return;
  epoll_event event{};
  event.events = events;
  event.data.ptr = this;
  const bool known = socket == listened_socket_;
  if (epoll_ctl(worker_.epoll_, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event) != 0)
    throw Error(fmt::format("the system does not watch a further connection: {}; allow fewer at once (--connections)",
                            std::generic_category().message(errno)));
  listened_socket_ = socket;
  listened_ = events;
}

void Connection::connect() {
  const int before = stream_->sockets();
  const Progress progress = stream_->connect();
  if (stream_->sockets() != before || stream_->socket() < 0)
    listened_socket_ = -1;  // the old one is closed, and perhaps its number used again
  switch (progress) {
    case Progress::wants_write:
      return listen(EPOLLOUT);
    case Progress::wants_read:
      return listen(EPOLLIN);
    case Progress::done:
      return opened();
    default:
      break;
  }
  refuse_backlog("connecting: " + (progress == Progress::closed ? closed_by_server : stream_->problem()));
}

void Connection::refuse_backlog(const std::string& problem) {
  const std::deque<Task*> waiting = std::exchange(backlog_, {});
  close();
  for (Task* task : waiting) fail(*task, Outcome::refused, problem);
}

void Connection::opened() {
  state_ = State::open;
  listen(EPOLLIN);
  const HttpVersion version = worker_.shared_.options.http;
  if (version == HttpVersion::http2 && lane_.destination->tls && !stream_->speaks_http2())
    return refuse_backlog("connecting: the server does not choose HTTP/2; leave the version to it");
  const bool second = lane_.destination->tls ? stream_->speaks_http2() : version == HttpVersion::http2;
  const std::string& authority =
      worker_.shared_.options.host.empty() ? lane_.destination->authority : worker_.shared_.options.host;
  // Whatever came already is no answer; behind the handshake of TLS it may be tickets, in HTTP/2 the server's settings.
  if (!second && !lane_.destination->tls && has_spoken())
    return refuse_backlog("connecting: the server spoke before it was asked");
  dialect_ = second ? make_http2(*this, authority, lane_.destination->tls) : make_http1(*this, authority);
  for (Task* task : std::exchange(backlog_, {})) {
    worker_.unwatch(*task, Task::to_connect);
    task->ready_ns = worker_.now_ns_;
    task->refused = false;
    worker_.watch(*task, Task::to_leave, worker_.shared_.options.deadline);
    dialect_->submit(*task);
  }
  flush();
  settle();
}

void Connection::ready(std::uint32_t events) {
  if (state_ == State::connecting) return connect();
  if (state_ != State::open) return;
  if (std::exchange(read_wants_write_, false) || (events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) read();
  if (state_ == State::open) flush();
  settle();
}

void Connection::read() {
  for (int i = 0; state_ == State::open; ++i) {
    if (i == reads_a_turn) return hold_back();
    const Stream::Moved moved = stream_->receive(worker_.scratch_.data(), worker_.scratch_.size());
    switch (moved.progress) {
      case Progress::done:
        last_used_ns_ = worker_.now();
        worker_.lag_.add(last_used_ns_ - worker_.news_since_ns_);
        dialect_->received({worker_.scratch_.data(), moved.bytes});
        if (dialect_->over()) return;
        if (moved.bytes < worker_.scratch_.size() && !stream_->holds_bytes()) return;
        break;
      case Progress::wants_read:
        return;
      case Progress::wants_write:  // TLS has something of its own to say first
        read_wants_write_ = true;
        return;
      case Progress::closed:
        dialect_->ended();
        return drop(closed_by_server);
      case Progress::failed:
        return drop(stream_->problem());
    }
  }
}

// The loop has times and other connections to look after, whatever this server sends.
void Connection::hold_back() {
  if (held_back_) return;
  held_back_ = true;
  worker_.held_back_.push_back(this);
}

void Connection::read_on() {
  held_back_ = false;
  ready(EPOLLIN);
}

void Connection::flush() {
  iovec pieces[max_pieces];
  while (!mute_ && !dialect_->over()) {
    const int count = dialect_->pieces(pieces, max_pieces);
    if (count == 0) return listen(EPOLLIN | (read_wants_write_ ? EPOLLOUT : 0u));
    const Stream::Moved moved = stream_->send(pieces, count);
    switch (moved.progress) {
      case Progress::done:
        dialect_->sent(moved.bytes);
        break;
      case Progress::wants_write:
        return listen(EPOLLIN | EPOLLOUT);
      case Progress::wants_read:
        return listen(EPOLLIN);
      default:
        // A server may answer and close before it has read a body that it does not want: the answer still counts.
        mute_ = true;
        listen(EPOLLIN);
        read();
        if (state_ == State::open && !dialect_->over())
          drop(moved.progress == Progress::closed ? closed_by_server : stream_->problem());
        return;
    }
  }
}

// After bytes went either way.
void Connection::settle() {
  if (state_ == State::open && dialect_->over())
    drop(dialect_->problem().empty() ? closed_by_server : dialect_->problem());
}

bool Connection::has_spoken() const {
  char byte = 0;
  return ::recv(stream_->socket(), &byte, 1, MSG_PEEK) > 0;
}

void Connection::drop_if_closed_by_server() {
  if (!dialect_->idle()) return;
  char byte = 0;
  const ssize_t got = ::recv(stream_->socket(), &byte, 1, MSG_PEEK);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
    close();
  else if (got > 0)
    ready(EPOLLIN);  // what it says, and perhaps that it goes
}

void Connection::drop(std::string problem) {
  const std::vector<Task*> tasks = dialect_->give_back();
  const bool of_use = served_;
  close();
  bool again = false;
  for (Task* task : tasks) {
    for (int wait = 0; wait < Task::waits; ++wait) worker_.unwatch(*task, static_cast<Task::Wait>(wait));
    if (task->left) {
      fail(*task, Outcome::lost,
           fmt::format("{}: {}", task->begun ? "reading the answer" : "waiting for the answer", problem));
    } else if (!of_use || worker_.shared_.stopped()) {
      fail(*task, Outcome::refused, fmt::format("sending: {}", problem));
    } else {
      backlog_.push_back(task);
      worker_.watch(*task, Task::to_connect, worker_.shared_.options.connect_deadline);
      again = true;
    }
  }
  if (again) open();
}

void Connection::fail_all(const std::string& problem) {
  const std::deque<Task*> waiting = std::exchange(backlog_, {});
  const std::vector<Task*> under_way = dialect_ ? dialect_->give_back() : std::vector<Task*>{};
  close();
  for (Task* task : under_way) fail(*task, task->left ? Outcome::lost : Outcome::refused, problem);
  for (Task* task : waiting) fail(*task, Outcome::refused, problem);
}

void Connection::expired(Task& task, Task::Wait wait) {
  const PlayOptions& options = worker_.shared_.options;
  if (wait == Task::for_permission) {
    dialect_->go_on_without_permission(task);
    flush();
    return settle();
  }
  if (wait == Task::to_connect) {
    const std::string problem = fmt::format("connecting: no connection within {} ms", options.connect_deadline.count());
    return fail_all(problem);
  }
  if (wait == Task::to_begin && task.begun) return;
  // Of answers that come one behind the other only the next one can begin.
  if (wait == Task::to_begin && !dialect_->is_next(task)) return worker_.watch(task, wait, options.begin_deadline);
  const auto limit = wait == Task::to_begin ? options.begin_deadline : options.deadline;
  dialect_->cancel(task);
  fail(task, task.left ? Outcome::lost : Outcome::refused,
       fmt::format("no answer within {} ms while {}", limit.count(),
                   !task.left   ? "sending"
                   : task.begun ? "reading the answer"
                                : "waiting for the answer"));
  if (state_ == State::open && !dialect_->over()) flush();
  if (state_ == State::open && dialect_->over()) drop("an earlier answer on the connection did not come");
  rest_if_idle();
}

void Connection::answered(Task& task) {
  served_ = true;
  task.record.outcome = Outcome::answered;
  worker_.finish(&task);
  rest_if_idle();
}

void Connection::leaving(Task& task) {
  const std::int64_t now = worker_.now();
  last_used_ns_ = now;
  worker_.unwatch(task, Task::to_leave);
  task.record.sent_ns = now;
  // How long a server takes to accept a connection is not the sender's lateness.
  worker_.lateness_.add(task.late_ns + now - task.ready_ns);
  const PlayOptions& options = worker_.shared_.options;
  worker_.watch(task, Task::to_end, options.deadline);
  if (options.begin_deadline.count() > 0) worker_.watch(task, Task::to_begin, options.begin_deadline);
  if (dialect_->awaits_permission(task))  // a server that says nothing must have time to answer the body, too
    worker_.watch(task, Task::for_permission, std::min(options.permission_wait, options.deadline / 2));
}

void Connection::failed(Task& task, Outcome outcome, std::string problem) {
  fail(task, outcome, problem);
  rest_if_idle();
}

void Connection::fail(Task& task, Outcome outcome, const std::string& problem) {
  task.record.outcome = outcome;
  task.record.problem = problem;
  worker_.finish(&task);
}

}  // namespace rehearse::replay
