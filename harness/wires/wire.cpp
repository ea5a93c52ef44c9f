#include "harness/wires/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "harness/wires/framing.h"
#include "replay/error.h"

namespace rehearse::harness {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Socket = asio::generic::stream_protocol::socket;
using Endpoint = asio::generic::stream_protocol::endpoint;
using ErrorCode = boost::system::error_code;
using Action = WireRule::Action;

// Of one play; what a plan sends is far below.
constexpr std::size_t max_messages = 20'000;
constexpr std::size_t max_message_bytes = 32u << 20;
constexpr std::size_t max_connections = 1'000;
// Behind a write's answer only the server's word that it is ready is waited for.
constexpr std::size_t max_withheld_bytes = 1u << 20;

struct ArmedRule {
  WireRule rule;
  std::string words;
  int messages = 0, connections = 0;  // met so far, of those that it counts
  bool taken = false;                 // a message or a connection is it; others are left alone
  bool fired = false;
  bool overdue = false;  // a hold that nobody released
};
using Armed = std::shared_ptr<ArmedRule>;

// Where a wire leads. Throws Error.
Endpoint endpoint_of(asio::io_context& io, const WireSettings& wire) {
  if (wire.to.starts_with('/')) return asio::local::stream_protocol::endpoint(wire.to);
  const auto colon = wire.to.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == wire.to.size())
    throw Error(
        fmt::format("fuzz.wires.{}.to: {:?} is neither HOST:PORT nor the path of a Unix socket", wire.name, wire.to));
  ErrorCode error;
  const auto found = tcp::resolver(io).resolve(wire.to.substr(0, colon), wire.to.substr(colon + 1), error);
  if (error)
    throw Error(fmt::format("fuzz.wires.{}.to: nobody is known as {}: {}", wire.name, wire.to, error.message()));
  return found.begin()->endpoint();
}

std::int64_t wall_clock_ns() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

class Connection;

}  // namespace

// All of it is touched by its thread alone, but for what stands under the mutex.
struct Wire::State {
  explicit State(const WireSettings& wire) : settings(wire), to(endpoint_of(io, wire)) {}

  WireSettings settings;
  asio::io_context io{1};
  Endpoint to;
  tcp::acceptor acceptor{io};
  std::thread thread;
  std::set<std::shared_ptr<Connection>> connections;
  std::vector<Armed> armed;
  WireEvidence evidence;
  std::size_t evidence_bytes = 0;
  int opened = 0;

  std::mutex mutex;
  std::condition_variable met;
  int waiting = 0;  // armed rules that have met nothing

  void listen();
  void accept();
  void arm(const WireRule& rule);
  void release();
  std::vector<std::string> mend();
  void keep(int connection, const Sent& sent);
  [[nodiscard]] Armed rule_for(const Sent& sent);
  [[nodiscard]] Armed rule_for_connection();
  void fired(const Armed& rule);

  // Runs it on the wire's thread and returns when it is done.
  template <class Work>
  auto ask(Work work) {
    std::packaged_task<decltype(work())()> task(std::move(work));
    auto done = task.get_future();
    asio::post(io, [&task] { task(); });
    return done.get();
  }
};

namespace {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Wire::State& wire, tcp::socket client, int number)
      : wire_(wire),
        number_(number),
        client_(std::move(client)),
        server_(wire.io),
        timer_(wire.io),
        postgres_(wire.settings.protocol() == WireProtocol::postgres),
        framing_(postgres_ ? postgres_framing() : http_framing()) {}

  void start() {
    ErrorCode ignored;
    client_.set_option(tcp::no_delay(true), ignored);
    if (const Armed rule = wire_.rule_for_connection()) {
      if (rule->rule.action == Action::answer)
        answer_opening_ = rule;
      else if (!obey(rule, nullptr))
        return;
    }
    server_.async_connect(wire_.to, [self = shared_from_this()](const ErrorCode& error) {
      if (error) return self->reset();
      ErrorCode no_tcp;
      self->server_.set_option(tcp::no_delay(true), no_tcp);
      self->connected_ = true;
      self->pump();
      self->read_server();
    });
  }

  void release(bool with_black_holes) {
    if (closed_ || !blocked_ || (hole_ && !with_black_holes)) return;
    blocked_ = false;
    timer_.cancel();
    pump();
    if (!std::exchange(hole_, false)) return;
    write_client(std::exchange(withheld_, {}));
  }
  // Rules are over: what has not happened does not.
  void forget_rules() { cut_ = nullptr, answer_opening_ = nullptr, hang_up_ = nullptr; }

  void close() {
    if (closed_) return;
    closed_ = true;
    give_back();
    ErrorCode ignored;
    timer_.cancel();
    client_.close(ignored);
    server_.close(ignored);
    wire_.connections.erase(shared_from_this());
  }

 private:
  // -- from the client ---------------------------------------------------------------------------------------------------

  void read_client() {
    if (closed_ || reading_ || client_ended_) return;
    reading_ = true;
    client_.async_read_some(asio::buffer(from_client_),
                            [self = shared_from_this()](const ErrorCode& error, std::size_t count) {
                              self->reading_ = false;
                              if (self->closed_) return;
                              if (error) return self->client_gone(error);
                              std::vector<Sent> sent;
                              self->framing_->take({self->from_client_.data(), count}, sent);
                              for (Sent& one : sent) self->queue_.push_back(std::move(one));
                              self->pump();
                            });
  }

  void client_gone(const ErrorCode& error) {
    client_ended_ = true;
    if (error != asio::error::eof) return close();
    // It may still wait for an answer.
    ErrorCode ignored;
    server_.shutdown(Socket::shutdown_send, ignored);
  }

  // Sends on what may go, up to the first message that a rule keeps.
  void pump() {
    if (closed_ || writing_ || blocked_ || !connected_) return;
    to_server_.clear();
    while (!queue_.empty() && !blocked_) {
      Sent& next = queue_.front();
      if (next.kind == Sent::Kind::encryption_request) {
        queue_.pop_front();
        write_client("N");
        continue;
      }
      if (next.kind == Sent::Kind::opening && answer_opening_) return refuse(std::exchange(answer_opening_, nullptr));
      if (next.message() && !judged_) {
        judged_ = true;
        wire_.keep(number_, next);
        const Armed rule = answer_opening_ ? std::exchange(answer_opening_, nullptr) : wire_.rule_for(next);
        if (rule && !obey(rule, &next)) return;
        if (blocked_) break;
      }
      judged_ = false;
      to_server_ += next.bytes;
      queue_.pop_front();
      if (hang_up_) break;
    }
    if (!framing_->whole()) wire_.evidence.whole = false;
    if (to_server_.empty()) {
      if (!blocked_) read_client();
      return;
    }
    writing_ = true;
    asio::async_write(server_, asio::buffer(to_server_),
                      [self = shared_from_this()](const ErrorCode& error, std::size_t) {
                        self->writing_ = false;
                        if (self->closed_) return;
                        if (error) return self->close();
                        if (self->hang_up_) return self->hang_up();
                        self->pump();
                      });
  }

  // The client goes away without its answer, unless that comes first.
  void hang_up() {
    timer_.expires_after(hang_up_->rule.time);
    timer_.async_wait([self = shared_from_this()](const ErrorCode& error) {
      if (error || self->closed_ || !self->hang_up_) return;
      self->wire_.fired(std::exchange(self->hang_up_, nullptr));
      ErrorCode ignored;
      self->server_.set_option(asio::socket_base::linger(true, 0), ignored);
      self->reset();
    });
  }

  // Does what the rule says to a message, or to the connection when there is none; false when the connection is over.
  bool obey(const Armed& rule, Sent* message) {
    switch (rule->rule.action) {
      case Action::reset:
        wire_.fired(rule);
        reset();
        return false;
      case Action::hold:
      case Action::delay:
        block(rule);
        wire_.fired(rule);
        return true;
      case Action::black_hole:
        blocked_ = hole_ = true;
        wire_.fired(rule);
        return true;
      case Action::hang_up:
        hang_up_ = rule;
        return true;
      case Action::cut:
        cut_ = rule;
        wrote_ = false;
        return true;
      case Action::answer:
        if (!postgres_) return refuse(rule), false;
        wire_.fired(rule);
        errors_.push_back({rule->rule.answer, message->commit && message->kind == Sent::Kind::statement});
        message->bytes = refused_in_place_of(*message);
        return true;
      case Action::release:
      case Action::await:
        break;
    }
    return true;
  }

  void block(const Armed& rule) {
    blocked_ = true;
    const bool hold = rule->rule.action == Action::hold;
    timer_.expires_after(rule->rule.time.count() > 0 ? rule->rule.time : max_hold);
    timer_.async_wait([self = shared_from_this(), rule, hold](const ErrorCode& error) {
      if (error || self->closed_ || !self->blocked_ || self->hole_) return;
      rule->overdue = hold && rule->rule.time.count() == 0;
      self->release(false);
    });
  }

  // Answers in the server's place, and closes.
  void refuse(const Armed& rule) {
    wire_.fired(rule);
    last_words_ = postgres_ ? error_response(rule->rule.answer, true) : http_answer(rule->rule.answer);
    blocked_ = true;
    asio::async_write(client_, asio::buffer(last_words_), [self = shared_from_this()](const ErrorCode&, std::size_t) {
      ErrorCode ignored;
      self->client_.shutdown(tcp::socket::shutdown_send, ignored);
      self->close();
    });
  }

  void reset() {
    if (closed_) return;
    ErrorCode ignored;
    client_.set_option(asio::socket_base::linger(true, 0), ignored);
    close();
  }

  // -- from the server ---------------------------------------------------------------------------------------------------

  void read_server() {
    if (closed_ || !connected_ || server_reading_ || hole_) return;
    server_reading_ = true;
    server_.async_read_some(asio::buffer(from_server_),
                            [self = shared_from_this()](const ErrorCode& error, std::size_t count) {
                              self->server_reading_ = false;
                              if (self->closed_) return;
                              if (error) return self->server_gone(error);
                              self->answer({self->from_server_.data(), count});
                            });
  }

  void server_gone(const ErrorCode& error) {
    if (error != asio::error::eof) return reset();
    if (hole_) return;  // the end of the stream is lost like everything else; mend() comes to it
    ErrorCode ignored;
    client_.shutdown(tcp::socket::shutdown_send, ignored);
    close();
  }

  void answer(std::string_view bytes) {
    if (std::exchange(hang_up_, nullptr)) {
      timer_.cancel();
      pump();
    }
    if (!postgres_ && cut_ && queue_.empty() && !bytes.starts_with("HTTP/1.1 1")) {
      wire_.fired(std::exchange(cut_, nullptr));
      return reset();
    }
    std::string out;
    if (postgres_) {
      std::vector<Answered> pieces;
      answers_.take(bytes, pieces);
      for (Answered& piece : pieces)
        if (!filter(piece, out)) return reset();
    } else {
      out = bytes;
    }
    if (hole_) {
      // Nobody reads on until it is mended, so it is one buffer at most.
      withheld_ += out;
      return;
    }
    write_client(std::move(out));
  }

  // Adds to `out` what the client may hear; false when it is to hear nothing any more.
  bool filter(Answered& piece, std::string& out) {
    const bool refused =
        piece.kind == Answered::Kind::error && piece.bytes.find(refused_statement) != std::string::npos;
    const bool rolled_back = piece.kind == Answered::Kind::complete && piece.tag == "ROLLBACK";
    if (!errors_.empty() && (refused || (rolled_back && errors_.front().commit))) {
      piece.bytes = error_response(errors_.front().sqlstate, false);
      errors_.pop_front();
    }
    if (!cut_) {
      out += std::exchange(kept_back_, {});
      out += piece.bytes;
      return true;
    }
    if (piece.kind == Answered::Kind::complete) {
      if (piece.changed_rows()) wrote_ = true;
      if (piece.tag == "ROLLBACK") wrote_ = false;
      withholding_ = wrote_;
    } else if (piece.kind == Answered::Kind::error) {
      wrote_ = false;
    } else if (piece.kind == Answered::Kind::ready) {
      if (piece.status == 'I' && wrote_) {
        wire_.fired(std::exchange(cut_, nullptr));
        return false;
      }
      if (piece.status == 'I') give_back();
      withholding_ = false;
    }
    kept_back_ += piece.bytes;
    if (withholding_ && kept_back_.size() < max_withheld_bytes) return true;
    out += std::exchange(kept_back_, {});
    return true;
  }

  // The rule waits for another message: what it had taken came to nothing.
  void give_back() {
    if (cut_) cut_->taken = false;
    cut_ = nullptr;
  }

  // One write at a time; the server is read again when the client has taken it.
  void write_client(std::string bytes) {
    to_client_next_ += bytes;
    if (closed_ || client_writing_) return;
    if (to_client_next_.empty()) return read_server();
    client_writing_ = true;
    to_client_ = std::exchange(to_client_next_, {});
    asio::async_write(client_, asio::buffer(to_client_),
                      [self = shared_from_this()](const ErrorCode& error, std::size_t) {
                        self->client_writing_ = false;
                        if (self->closed_) return;
                        if (error) return self->close();
                        if (!self->to_client_next_.empty()) return self->write_client({});
                        self->read_server();
                      });
  }

  // What the client is told in the place of the server's refusal of our statement, or of the rollback in the place of its commit.
  struct ErrorToGive {
    std::string sqlstate;
    bool commit = false;
  };

  Wire::State& wire_;
  int number_;
  tcp::socket client_;
  Socket server_;
  asio::steady_timer timer_;
  bool postgres_;
  std::unique_ptr<SentFraming> framing_;
  PostgresAnswers answers_;
  std::array<char, 32768> from_client_{}, from_server_{};
  std::deque<Sent> queue_;
  std::string to_server_, to_client_, to_client_next_, last_words_, withheld_, kept_back_;
  Armed answer_opening_, cut_, hang_up_;
  std::deque<ErrorToGive> errors_;
  bool connected_ = false, closed_ = false, reading_ = false, server_reading_ = false, writing_ = false,
       client_writing_ = false, client_ended_ = false;
  bool judged_ = false;  // the first message of the queue has met the rules
  bool blocked_ = false, hole_ = false;
  bool wrote_ = false, withholding_ = false;
};

}  // namespace

void Wire::State::listen() {
  const auto colon = settings.listen.rfind(':');
  ErrorCode error;
  const auto address = asio::ip::make_address(settings.listen.substr(0, colon), error);
  int port = -1;
  if (colon != std::string::npos)
    std::from_chars(settings.listen.data() + colon + 1, settings.listen.data() + settings.listen.size(), port);
  if (error || port < 0 || port > 65535)
    throw Error(fmt::format("fuzz.wires.{}.listen: {:?} is no address of the form 127.0.0.1:6432", settings.name,
                            settings.listen));
  const tcp::endpoint endpoint(address, static_cast<unsigned short>(port));
  acceptor.open(endpoint.protocol());
  acceptor.set_option(tcp::acceptor::reuse_address(true));
  acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error)
    throw Error(
        fmt::format("fuzz.wires.{}.listen: cannot listen on {}: {}", settings.name, settings.listen, error.message()));
  settings.listen = fmt::format("{}:{}", settings.listen.substr(0, colon), acceptor.local_endpoint().port());
}

void Wire::State::accept() {
  acceptor.async_accept([this](const ErrorCode& error, tcp::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (!error && connections.size() < max_connections) {
      const auto connection = std::make_shared<Connection>(*this, std::move(socket), ++opened);
      connections.insert(connection);
      connection->start();
    }
    accept();
  });
}

Armed Wire::State::rule_for(const Sent& sent) {
  for (const Armed& one : armed) {
    const WireRule& rule = one->rule;
    if (rule.connection > 0 || (one->taken && !rule.every)) continue;
    const bool commits_a_write =
        rule.action == Action::cut && rule.token.empty() && settings.protocol() == WireProtocol::postgres;
    if ((rule.write || commits_a_write) && !sent.write) continue;
    if (!rule.token.empty() && sent.text.find(rule.token) == std::string::npos) continue;
    if (++one->messages != rule.message && rule.message > 0) continue;
    one->taken = true;
    return one;
  }
  return nullptr;
}

Armed Wire::State::rule_for_connection() {
  for (const Armed& one : armed) {
    if (one->rule.connection == 0 || one->taken) continue;
    if (++one->connections != one->rule.connection) continue;
    one->taken = true;
    return one;
  }
  return nullptr;
}

void Wire::State::fired(const Armed& rule) {
  if (std::exchange(rule->fired, true)) return;
  const std::lock_guard lock(mutex);
  --waiting;
  met.notify_all();
}

void Wire::State::arm(const WireRule& rule) {
  auto one = std::make_shared<ArmedRule>();
  one->rule = rule;
  one->words = words_of(rule, settings.protocol());
  armed.push_back(std::move(one));
  const std::lock_guard lock(mutex);
  ++waiting;
}

void Wire::State::release() {
  for (const auto& connection : std::set(connections)) connection->release(false);
}

std::vector<std::string> Wire::State::mend() {
  std::vector<std::string> problems;
  for (const Armed& one : std::exchange(armed, {})) {
    if (!one->fired) problems.push_back(fmt::format("never fired: wire {}: {}", settings.name, one->words));
    if (one->overdue)
      problems.push_back(
          fmt::format("not released within {} ms: wire {}: {}", max_hold.count(), settings.name, one->words));
  }
  for (const auto& connection : std::set(connections)) {
    connection->forget_rules();
    connection->release(true);
  }
  const std::lock_guard lock(mutex);
  waiting = 0;
  met.notify_all();
  return problems;
}

void Wire::State::keep(int connection, const Sent& sent) {
  const std::size_t bytes = sent.words.size() + (sent.request ? sent.bytes.size() : 0);
  if (evidence.messages.size() >= max_messages || evidence_bytes + bytes > max_message_bytes) {
    evidence.whole = false;
    return;
  }
  evidence_bytes += bytes;
  evidence.messages.push_back({connection, wall_clock_ns(), sent.words, sent.request});
}

Wire::Wire(const WireSettings& settings) : state_(std::make_unique<State>(settings)) {
  state_->listen();
  state_->accept();
  state_->thread = std::thread([state = state_.get()] { state->io.run(); });
}

Wire::~Wire() {
  state_->io.stop();
  state_->thread.join();
}

void Wire::apply(const WireRule& rule) {
  if (rule.action == Action::release) return state_->ask([&] { state_->release(); });
  if (rule.armed()) return state_->ask([&] { state_->arm(rule); });
  std::unique_lock lock(state_->mutex);
  state_->met.wait_for(lock, max_await, [&] { return state_->waiting == 0; });
}

std::vector<std::string> Wire::mend() {
  return state_->ask([&] { return state_->mend(); });
}

WireEvidence Wire::take_evidence() {
  return state_->ask([&] {
    state_->evidence_bytes = 0;
    return std::exchange(state_->evidence, {});
  });
}

const WireSettings& Wire::settings() const { return state_->settings; }

}  // namespace rehearse::harness
