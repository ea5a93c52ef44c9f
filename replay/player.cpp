#include "replay/player.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <map>
#include <memory>
#include <thread>
#include <unordered_map>

#include "replay/error.h"
#include "replay/values.h"

namespace rehearse::replay {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Socket = beast::tcp_stream;
using Clock = std::chrono::steady_clock;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

// A stop is noticed within this time by a step that waits for its own time.
constexpr std::chrono::milliseconds stop_poll{100};

struct Endpoint {
  std::string host;                                // for the Host field, with the port unless it is 80
  std::vector<asio::ip::tcp::endpoint> addresses;  // in the resolver's order; never empty
};

Endpoint endpoint_of(const std::string& target, asio::io_context& io) {
  const auto url = boost::urls::parse_uri(target);
  if (!url || url->scheme() != "http" || url->host().empty()) {
    throw Error(fmt::format("the target {:?} is no URL of the form http://host:port", target));
  }
  if (url->has_userinfo()) {
    throw Error("a target holds a user or a password; give http://host:port, for credentials stand in the requests");
  }
  if (!url->encoded_path().empty() && url->encoded_path() != "/") {
    throw Error(
        fmt::format("the target {:?} holds a path; give http://host:port, for paths stand in the requests", target));
  }
  const std::string port = url->has_port() && !url->port().empty() ? std::string(url->port()) : "80";
  // The resolver would take 65,616 for 80, and requests would go where nobody sent them.
  if (port.size() > 5 || std::stoi(port) == 0 || std::stoi(port) > 65'535) {
    throw Error(fmt::format("the target {:?} has a port outside 1 to 65535", target));
  }
  asio::ip::tcp::resolver resolver(io);
  boost::system::error_code error;
  const auto found = resolver.resolve(url->host_address(), port, error);
  if (error || found.empty()) {
    throw Error(fmt::format("the host of {} is not known ({}); check the URL", target, error.message()));
  }
  return {std::string(url->encoded_host_and_port()), {found.begin(), found.end()}};
}

// The request's bytes. Fields of the connection are ours to say; everything else goes out as it was captured.
std::string wire_of(const Request& request, const std::string& host) {
  const auto coding = field(request.headers, "Transfer-Encoding");
  const bool chunked = coding && lower(*coding).find("chunked") != std::string::npos;
  std::string wire = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, request.target, host);
  for (const Header& header : request.headers) {
    const bool ours = hop_by_hop(header.name) || equal_without_case(header.name, "Host") ||
                      equal_without_case(header.name, "Content-Length") || equal_without_case(header.name, "Expect");
    if (!ours) wire += fmt::format("{}: {}\r\n", header.name, header.value);
  }
  if (chunked) {
    wire += "Transfer-Encoding: chunked\r\n\r\n";
    if (!request.body.empty()) wire += fmt::format("{:x}\r\n{}\r\n", request.body.size(), request.body);
    return wire + "0\r\n\r\n";
  }
  const bool has_length = !request.body.empty() || field(request.headers, "Content-Length") || !safe(request.method);
  if (has_length) wire += fmt::format("Content-Length: {}\r\n", request.body.size());
  return wire + "\r\n" + request.body;
}

Response response_of(http::response<http::string_body>&& message) {
  Response response;
  response.status = static_cast<int>(message.result_int());
  for (const auto& field : message) {
    response.headers.push_back({std::string(field.name_string()), std::string(field.value())});
  }
  response.body = std::move(message.body());
  return response;
}

// One connection of a lane, opened when it is needed.
class Connection {
 public:
  Connection(asio::io_context& io, const Endpoint& endpoint, std::chrono::milliseconds deadline)
      : io_(io), endpoint_(endpoint), deadline_(deadline) {}

  // Sends record.request and fills the rest of the record but the due time.
  asio::awaitable<void> exchange(Record& record, Clock::time_point start) {
    const std::string wire = wire_of(record.request, endpoint_.host);
    drop_if_closed_by_peer();
    record.sent_ns = since(start);
    if (!socket_) {
      const auto error = co_await connect();
      if (error) {
        fail(record, start, Outcome::refused, "connecting", error);
        co_return;
      }
      record.sent_ns = since(start);
    }
    socket_->expires_after(deadline_);
    auto [write_error, written] = co_await asio::async_write(*socket_, asio::buffer(wire), as_result);
    if (write_error && written == 0) {
      fail(record, start, Outcome::refused, "sending", write_error);
      co_return;
    }
    // A server may answer and close before it has read a body it does not want: the answer still counts.
    co_await read_answer(record, start);
  }

 private:
  // A name may have several addresses ("localhost": ::1 and 127.0.0.1), and a service listen on one of them.
  asio::awaitable<boost::system::error_code> connect() {
    boost::system::error_code last;
    for (const auto& address : endpoint_.addresses) {
      socket_ = std::make_unique<Socket>(io_);
      socket_->expires_after(deadline_);
      auto [error] = co_await socket_->async_connect(address, as_result);
      last = error;
      if (error) continue;
      boost::system::error_code ignored;
      socket_->socket().set_option(asio::ip::tcp::no_delay(true), ignored);
      break;
    }
    co_return last;
  }

  asio::awaitable<void> read_answer(Record& record, Clock::time_point start) {
    const auto until = Clock::now() + deadline_;
    while (true) {
      http::response_parser<http::string_body> parser;
      parser.body_limit(max_response_bytes);
      parser.header_limit(256 * 1024);
      if (record.request.method == "HEAD") parser.skip(true);
      auto [error, bytes] = co_await http::async_read(*socket_, buffer_, parser, as_result);
      if (error) {
        fail(record, start, Outcome::lost, bytes == 0 ? "waiting for the answer" : "reading the answer", error);
        co_return;
      }
      const bool interim = parser.get().result_int() < 200 && parser.get().result_int() != 101;
      // Answers that come one behind the other may outrun the socket's own timer.
      if (interim && Clock::now() < until) continue;
      if (interim) {
        fail(record, start, Outcome::lost, "reading interim answers", beast::error::timeout);
        co_return;
      }
      const bool close = parser.get().need_eof() || !parser.get().keep_alive();
      record.response = response_of(parser.release());
      record.outcome = Outcome::answered;
      record.done_ns = since(start);
      if (close) reset();
      co_return;
    }
  }

  void fail(Record& record, Clock::time_point start, Outcome outcome, const char* phase,
            const boost::system::error_code& error) {
    record.outcome = outcome;
    const bool timeout = error == beast::error::timeout;
    record.problem = timeout ? fmt::format("no answer within {} ms while {}", deadline_.count(), phase)
                             : fmt::format("{}: {}", phase, error.message());
    record.done_ns = since(start);
    reset();
  }

  // A server closes a connection that was idle for too long; a client that looks before it writes does not lose a request to it.
  void drop_if_closed_by_peer() {
    if (!socket_) return;
    char byte;
    boost::system::error_code error;
    socket_->socket().non_blocking(true, error);
    socket_->socket().receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, error);
    if (error != asio::error::would_block) reset();
  }

  void reset() {
    socket_.reset();
    buffer_.clear();
  }

  static std::int64_t since(Clock::time_point start) { return std::chrono::nanoseconds(Clock::now() - start).count(); }

  asio::io_context& io_;
  const Endpoint& endpoint_;
  std::chrono::milliseconds deadline_;
  std::unique_ptr<Socket> socket_;
  beast::flat_buffer buffer_;
};

class Player {
 public:
  Player(const Plan& plan, const PlayOptions& options)
      : plan_(plan), options_(options), endpoints_{endpoint_of(options.target, io_)} {
    for (const std::string& other : options.other_instances) endpoints_.push_back(endpoint_of(other, io_));
  }

  History run() {
    history_.name = options_.name;
    history_.target = options_.target;
    history_.began_ns = std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
    index_plan();
    index_bindings();
    start_ = Clock::now();
    for (auto& [lane, steps] : lanes_)
      asio::co_spawn(io_, play_lane(steps), [this](std::exception_ptr problem) { keep(problem); });
    io_.run();
    if (problem_) std::rethrow_exception(problem_);
    finish();
    return std::move(history_);
  }

 private:
  struct Waiting {
    std::size_t causes = 0;                    // not over yet
    std::vector<std::size_t> dependents;       // positions of the steps that wait for this one
    std::unique_ptr<asio::steady_timer> gate;  // never expires; cancelled when the last cause is over
  };

  void index_bindings() {
    for (const Step& step : (options_.whole ? options_.whole : &plan_)->steps) {
      for (const Use& use : step.uses) wanted_[use.from][use.source] = use.value;
    }
    history_.bindings = options_.earlier;
    for (const Binding& binding : options_.earlier) made_[{binding.step, binding.source}] = binding.value;
  }

  void index_plan() {
    std::unordered_map<StepId, std::size_t> position;
    waiting_.resize(plan_.steps.size());
    history_.records.resize(plan_.steps.size());
    ended_.assign(plan_.steps.size(), false);
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
      const Step& step = plan_.steps[i];
      position[step.id] = i;
      const auto wait_for = [&](StepId cause) {
        const auto found = position.find(cause);
        if (found == position.end()) return;
        waiting_[found->second].dependents.push_back(i);
        waiting_[i].causes += 1;
      };
      for (const Cause& cause : step.after) wait_for(cause.step);
      for (const Use& use : step.uses)
        wait_for(use.from);  // by hand it is easily forgotten, and without it there is no value
      // A cue is a lane of its own: it waits for its causes only.
      lanes_[step.request ? step.lane : -static_cast<std::int64_t>(i) - 1].push_back(i);
    }
  }

  void keep(std::exception_ptr problem) {
    if (problem && !problem_) {
      problem_ = problem;
      io_.stop();
    }
  }

  asio::awaitable<void> play_lane(std::vector<std::size_t> steps) {
    const std::int64_t lane = plan_.steps[steps.front()].lane;
    const Endpoint& endpoint = endpoints_[static_cast<std::size_t>(lane) % endpoints_.size()];
    Connection connection(io_, endpoint, options_.deadline);
    for (std::size_t i : steps) {
      co_await wait_for_causes(i);
      const Step& step = plan_.steps[i];
      Record& record = history_.records[i];
      record.step = step.id;
      record.lane = step.lane;
      record.read = step.read;
      if (stopped()) {
        end(i, false);
        continue;
      }
      record.due_ns = std::chrono::nanoseconds(Clock::now() - start_).count();
      if (!step.request) {
        co_await run_cue(step);
        end(i, false);
        continue;
      }
      if (options_.speed > 0) co_await wait_until_due(step, record);
      if (stopped()) {
        end(i, false);
        continue;
      }
      if (options_.rate > 0) co_await wait_for_turn();
      if (stopped()) {
        end(i, false);
        continue;
      }
      record.request = bound(step);
      ++history_.sent;
      co_await connection.exchange(record, start_);
      learn(step, record);
      enough_ = enough_ || (options_.enough && options_.enough(record));
      end(i, true);
    }
  }

  // On a thread of its own: what a cue does takes its time, and requests that do not wait for it go on meanwhile.
  asio::awaitable<void> run_cue(const Step& step) {
    asio::steady_timer over(io_, Clock::time_point::max());
    std::exception_ptr problem;
    cues_.emplace_back([this, &step, &over, &problem] {
      try {
        options_.on_cue(step);
      } catch (...) {
        problem = std::current_exception();
      }
      asio::post(io_, [&over] { over.cancel(); });
    });
    auto [cancelled] = co_await over.async_wait(as_result);
    static_cast<void>(cancelled);
    if (problem) std::rethrow_exception(problem);
  }

  asio::awaitable<void> wait_for_causes(std::size_t i) {
    while (waiting_[i].causes > 0) {
      auto& gate = waiting_[i].gate;
      gate = std::make_unique<asio::steady_timer>(io_, Clock::time_point::max());
      auto [cancelled] = co_await gate->async_wait(as_result);
      static_cast<void>(cancelled);
    }
  }

  asio::awaitable<void> wait_until_due(const Step& step, Record& record) {
    const Clock::time_point due =
        start_ + std::chrono::nanoseconds(static_cast<std::int64_t>(
                     static_cast<double>(step.due_ns - plan_.steps.front().due_ns) / options_.speed));
    record.due_ns = std::max(record.due_ns, std::chrono::nanoseconds(due - start_).count());
    while (!stopped() && Clock::now() < due) {
      asio::steady_timer timer(io_, std::min(due, Clock::now() + stop_poll));
      auto [error] = co_await timer.async_wait(as_result);
      static_cast<void>(error);
    }
  }

  // No two requests leave closer to one another than the rate allows, also when many are late.
  asio::awaitable<void> wait_for_turn() {
    const auto interval = std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 / options_.rate));
    const Clock::time_point turn = std::max(Clock::now(), next_turn_);
    next_turn_ = turn + interval;
    while (!stopped() && Clock::now() < turn) {
      asio::steady_timer timer(io_, std::min(turn, Clock::now() + stop_poll));
      auto [error] = co_await timer.async_wait(as_result);
      static_cast<void>(error);
    }
  }

  // What a server answers must not become another request than the captured one: not a second one behind a line end, not the
  // whole collection where the id is empty.
  static bool usable(const Use& use, const std::string& value) {
    const bool in_path = use.at.starts_with("path:");
    return !value.empty() && !(in_path && (value == "." || value == ".."));
  }

  Request bound(const Step& step) {
    Request request = *step.request;
    for (const Use& use : step.uses) {
      const auto found = made_.find({use.from, use.source});
      bool done = false;
      if (found != made_.end() && usable(use, found->second)) {
        Request changed = request;
        put(changed, use.at, use.value, found->second);
        done = unsendable(changed).empty() && changed.headers.size() == request.headers.size();
        if (done) request = std::move(changed);
      }
      if (!done) ++history_.unbound;
    }
    return request;
  }

  void learn(const Step& step, const Record& record) {
    const auto wanted = wanted_.find(step.id);
    if (wanted == wanted_.end() || record.outcome != Outcome::answered) return;
    for (const auto& [source, old] : wanted->second) {
      if (const auto value = value_at(record.response, source)) {
        made_[{step.id, source}] = *value;
        history_.bindings.push_back({step.id, source, old, *value});
      }
    }
  }

  void end(std::size_t i, bool sent) {
    ended_[i] = sent;
    for (std::size_t dependent : waiting_[i].dependents) {
      if (--waiting_[dependent].causes == 0 && waiting_[dependent].gate) waiting_[dependent].gate->cancel();
    }
    if (options_.on_progress) options_.on_progress(++done_);
  }

  [[nodiscard]] bool stopped() const { return enough_ || (options_.stop != nullptr && options_.stop->load()); }

  // Cues and steps that were never sent leave no record.
  void finish() {
    std::vector<Record> kept;
    for (std::size_t i = 0; i < history_.records.size(); ++i) {
      if (ended_[i]) kept.push_back(std::move(history_.records[i]));
      if (!ended_[i] && plan_.steps[i].request) history_.interrupted = true;
    }
    history_.records = std::move(kept);
  }

  const Plan& plan_;
  const PlayOptions& options_;
  asio::io_context io_{1};
  std::vector<Endpoint> endpoints_;
  Clock::time_point start_;
  History history_;
  std::vector<Waiting> waiting_;
  std::vector<bool> ended_;
  std::map<std::int64_t, std::vector<std::size_t>> lanes_;
  std::map<StepId, std::map<Place, std::string>> wanted_;  // producer → source → captured value
  std::map<std::pair<StepId, Place>, std::string> made_;
  Clock::time_point next_turn_{};
  std::size_t done_ = 0;
  bool enough_ = false;
  std::exception_ptr problem_;
  std::vector<std::jthread>
      cues_;  // joined first: a cue that still runs when the play ends by a throw looks at what is above
};

}  // namespace

void expect_playable(const Plan& plan, const PlayOptions& options) {
  asio::io_context io;
  static_cast<void>(endpoint_of(options.target, io));
  for (const Step& step : plan.steps) {
    if (!step.request && !options.on_cue)
      throw Error(fmt::format("step {} of the plan is the cue {:?}, and nobody here runs cues", step.id, step.cue));
    if (!step.request) continue;
    if (const auto reason = unsendable(*step.request); !reason.empty())
      throw Error(fmt::format("step {} holds {}: it is not sent", step.id, reason));
  }
}

History play(const Plan& plan, const PlayOptions& options) {
  expect_playable(plan, options);
  return Player(plan, options).run();
}

Record send(const Request& request, const std::string& target, std::chrono::milliseconds deadline) {
  Step step;
  step.id = step.lane = 1;
  step.request = request;
  step.read = safe(request.method);
  Plan plan;
  plan.steps.push_back(std::move(step));
  PlayOptions options;
  options.name = "probe";
  options.target = target;
  options.deadline = deadline;
  return play(plan, options).records.at(0);
}

}  // namespace rehearse::replay
