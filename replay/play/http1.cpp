// HTTP/1.1 as a client speaks it (RFC 9112).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>

#include "replay/http/parser.h"
#include "replay/play/dialect.h"
#include "replay/player.h"

namespace rehearse::replay {
namespace {

constexpr std::size_t max_head_bytes = 256u << 10;
// Bodies up to this are copied behind their head: one piece to send.
constexpr std::size_t small_body_bytes = 16u << 10;
constexpr std::size_t max_chunk_line_bytes = 4096;

bool holds_token(const Headers& headers, std::string_view name, std::string_view token) {
  for (const Header& header : headers) {
    if (!equal_without_case(header.name, name)) continue;
    std::string_view rest = header.value;
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      if (equal_without_case(trim(rest.substr(0, comma)), token)) return true;
      rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    }
  }
  return false;
}

void append_fields(std::string& wire, const Headers& headers) {
  for (const Header& header : headers) {
    wire += header.name;
    wire += ": ";
    wire += header.value;
    wire += "\r\n";
  }
}

std::string names_of(const Headers& headers) {
  std::string names;
  for (const Header& header : headers) names += (names.empty() ? "" : ", ") + header.name;
  return names;
}

// A request as bytes. Fields of the connection are ours to say; everything else goes out as it was captured.
struct Wire {
  std::string head;  // with a small body
  std::string_view body;
  std::string tail;
  bool waits = false;  // for permission, behind the head

  Wire(const Request& request, const std::string& authority) {
    const auto coding = field(request.headers, "Transfer-Encoding");
    const bool chunked = coding && lower(*coding).find("chunked") != std::string::npos;
    bool length_captured = false, expects = false;
    head.reserve(256 + (request.body.size() <= small_body_bytes ? request.body.size() : 0));
    head += request.method;
    head += ' ';
    head += request.target;
    head += " HTTP/1.1\r\nHost: ";
    head += authority;
    head += "\r\n";
    for (const Header& header : request.headers) {
      const bool length = equal_without_case(header.name, "Content-Length");
      const bool expect = equal_without_case(header.name, "Expect");
      length_captured |= length;
      expects |= expect && equal_without_case(trim(header.value), "100-continue");
      if (length || expect || hop_by_hop(header.name) || equal_without_case(header.name, "Host")) continue;
      head += header.name;
      head += ": ";
      head += header.value;
      head += "\r\n";
    }
    waits = expects && !request.body.empty();
    if (waits) head += "Expect: 100-continue\r\n";
    if (chunked) {
      if (!request.trailers.empty()) head += "Trailer: " + names_of(request.trailers) + "\r\n";
      head += "Transfer-Encoding: chunked\r\n\r\n";
      if (!request.body.empty()) tail = "\r\n";
      tail += "0\r\n";
      append_fields(tail, request.trailers);
      tail += "\r\n";
    } else {
      if (!request.body.empty() || length_captured || !safe(request.method))
        head += fmt::format("Content-Length: {}\r\n", request.body.size());
      head += "\r\n";
    }
    const std::string size_line = chunked && !request.body.empty() ? fmt::format("{:x}\r\n", request.body.size()) : "";
    if (waits || request.body.size() > small_body_bytes) {
      body = request.body;
      held_ = size_line;
      return;
    }
    head += size_line;
    head += request.body;
    head += tail;
    tail.clear();
  }

  // In their order: the head; the size of the chunk; the body; what follows it.
  [[nodiscard]] std::array<std::string_view, 4> pieces() const { return {head, held_, body, tail}; }
  [[nodiscard]] std::size_t size() const { return head.size() + held_.size() + body.size() + tail.size(); }

 private:
  std::string held_;
};

std::string_view name_of(ParseStatus status) {
  switch (status) {
    case ParseStatus::ambiguous:
      return "its framing is ambiguous";
    case ParseStatus::beyond_limit:
      return "its head is beyond the limits";
    default:
      return "it is no HTTP/1.1";
  }
}

class Http1 final : public Dialect {
 public:
  Http1(Listener& listener, std::string authority) : listener_(listener), authority_(std::move(authority)) {}

  void submit(Task& task) override { tasks_.push_back({&task, Wire(task.to_send(), authority_)}); }

  int pieces(iovec* into, int most) override {
    int count = 0;
    std::size_t skip = offset_;
    bool large = false;
    for (std::size_t i = sending_; i < tasks_.size() && count < most; ++i) {
      const auto parts = tasks_[i].wire.pieces();
      for (std::size_t part = 0; part < parts.size() && count < most; ++part) {
        if (part > 0 && tasks_[i].wire.waits) return count;
        if (skip >= parts[part].size()) {
          skip -= parts[part].size();
          continue;
        }
        if (part == 0 && skip == 0 && !tasks_[i].leaving) {
          tasks_[i].leaving = true;
          listener_.leaving(*tasks_[i].task);
        }
        const std::string_view rest = parts[part].substr(skip);
        skip = 0;
        into[count++] = {const_cast<char*>(rest.data()), rest.size()};
        large |= rest.size() > small_body_bytes;
      }
      if (large) return count;  // what is behind it does not leave yet
    }
    return count;
  }

  void sent(std::size_t bytes) override {
    while (bytes > 0 && sending_ < tasks_.size()) {
      Sent& current = tasks_[sending_];
      current.task->left = true;
      const std::size_t rest = current.wire.size() - offset_;
      const std::size_t part = std::min(bytes, rest);
      offset_ += part;
      bytes -= part;
      if (part < rest) return;
      ++sending_;
      offset_ = 0;
    }
  }

  void received(std::string_view bytes) override {
    if (kept_.empty()) {
      const std::size_t used = take(bytes);
      kept_.assign(bytes.substr(used));
    } else {
      kept_.append(bytes);
      kept_.erase(0, take(kept_));
    }
  }

  void ended() override {
    open_ = false;
    if (state_ == State::until_close && !tasks_.empty()) finish();
  }

  [[nodiscard]] bool open() const override { return open_ && !(reading_ && !keep_); }
  [[nodiscard]] bool over() const override { return !open_; }
  [[nodiscard]] bool idle() const override { return tasks_.empty(); }
  [[nodiscard]] bool awaits_permission(const Task& task) const override {
    return std::any_of(tasks_.begin(), tasks_.end(),
                       [&](const Sent& each) { return each.task == &task && each.wire.waits; });
  }
  void go_on_without_permission(Task& task) override {
    for (Sent& each : tasks_) {
      if (each.task == &task) each.wire.waits = false;
    }
  }

  [[nodiscard]] bool is_next(const Task& task) const override {
    return !tasks_.empty() && tasks_.front().task == &task;
  }

  // Answers come in the order of the requests: without this one's nothing behind it can be told apart.
  void cancel(Task& task) override {
    const auto found = std::find_if(tasks_.begin(), tasks_.end(), [&](const Sent& each) { return each.task == &task; });
    if (found == tasks_.end()) return;
    if (found->leaving) open_ = false;
    if (static_cast<std::size_t>(found - tasks_.begin()) < sending_) --sending_;
    tasks_.erase(found);
  }

  std::vector<Task*> give_back() override {
    open_ = false;
    std::vector<Task*> tasks;
    for (const Sent& each : tasks_) tasks.push_back(each.task);
    tasks_.clear();
    return tasks;
  }

 private:
  struct Sent {
    Task* task;
    Wire wire;
    bool leaving = false;
  };
  enum class State { head, length, chunk_line, chunk_data, chunk_end, trailers, until_close };

  // Reads what stands at the beginning of `bytes` and returns how much of it is done with.
  std::size_t take(std::string_view bytes) {
    std::size_t at = 0;
    while (at < bytes.size() && open_or_reading()) {
      if (tasks_.empty()) {  // nobody asked for that
        open_ = false;
        return bytes.size();
      }
      const std::string_view rest = bytes.substr(at);
      std::size_t used = 0;
      tasks_.front().task->begun = true;
      switch (state_) {
        case State::head:
          used = take_head(rest);
          break;
        case State::length:
        case State::chunk_data:
          used = take_body(rest);
          break;
        case State::chunk_line:
          used = take_chunk_line(rest);
          break;
        case State::chunk_end:
          used = take_chunk_end(rest);
          break;
        case State::trailers:
          used = take_trailers(rest);
          break;
        case State::until_close:
          used = rest.size();
          append(rest);
          break;
      }
      if (used == 0) return at;  // more is needed
      at += used;
    }
    return open_or_reading() ? at : bytes.size();
  }

  [[nodiscard]] bool open_or_reading() const { return open_ || (reading_ && !tasks_.empty()); }

  std::size_t take_head(std::string_view bytes) {
    const auto length = head_length(bytes);
    if (!length || *length > max_head_bytes) {
      if (bytes.size() > max_head_bytes) return fail("its head is longer than 256 KiB");
      if (bytes.size() >= 5 && bytes.substr(0, 5) != "HTTP/") return fail("it is no HTTP/1.1");
      return 0;
    }
    ResponseHead head = parse_response_head(bytes.substr(0, *length), tasks_.front().task->record.request.method);
    if (head.status != ParseStatus::complete) return fail(name_of(head.status));
    const int status = head.message.status;
    if (status < 200 && status != 101) {
      if (status == 100) tasks_.front().wire.waits = false;
      return *length;
    }
    const bool old = bytes.substr(0, 8) == "HTTP/1.0";
    keep_ = status != 101 && (old ? holds_token(head.message.headers, "Connection", "keep-alive")
                                  : !holds_token(head.message.headers, "Connection", "close"));
    answer_ = std::move(head.message);
    reading_ = true;
    switch (head.framing.kind) {
      case Framing::Kind::none:
        finish();
        break;
      case Framing::Kind::length:
        if (head.framing.length > max_response_bytes) return fail_as_too_long();
        left_ = head.framing.length;
        answer_.body.reserve(std::min<std::size_t>(left_, 1u << 20));
        state_ = State::length;
        if (left_ == 0) finish();
        break;
      case Framing::Kind::chunked:
        state_ = State::chunk_line;
        break;
      case Framing::Kind::until_close:
        keep_ = false;
        state_ = State::until_close;
        break;
    }
    return *length;
  }

  std::size_t take_body(std::string_view bytes) {
    const std::size_t part = std::min<std::size_t>(bytes.size(), left_);
    answer_.body.append(bytes.substr(0, part));
    left_ -= part;
    if (left_ == 0 && state_ == State::length)
      finish();
    else if (left_ == 0)
      state_ = State::chunk_end;
    return part;
  }

  std::size_t take_chunk_line(std::string_view bytes) {
    const auto end = bytes.find("\r\n");
    if (end == std::string_view::npos) {
      if (bytes.size() > max_chunk_line_bytes) return fail("the size of a chunk is no number");
      return 0;
    }
    const auto size = parse_chunk_size(bytes.substr(0, end));
    if (!size) return fail("the size of a chunk is no number");
    if (*size > max_response_bytes || answer_.body.size() + *size > max_response_bytes) return fail_as_too_long();
    left_ = *size;
    state_ = left_ == 0 ? State::trailers : State::chunk_data;
    return end + 2;
  }

  std::size_t take_chunk_end(std::string_view bytes) {
    if (bytes.size() < 2) return 0;
    if (bytes.substr(0, 2) != "\r\n") return fail("a chunk is longer than it says");
    state_ = State::chunk_line;
    return 2;
  }

  std::size_t take_trailers(std::string_view bytes) {
    if (bytes.starts_with("\r\n")) {
      finish();
      return 2;
    }
    const auto end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) {
      if (bytes.size() > max_head_bytes) return fail("its trailers are longer than 256 KiB");
      return 0;
    }
    Fields fields = parse_fields(bytes.substr(0, end + 2));
    if (fields.status != ParseStatus::complete) return fail("its trailers are malformed");
    answer_.trailers = std::move(fields.headers);
    finish();
    return end + 4;
  }

  void append(std::string_view bytes) {
    if (answer_.body.size() + bytes.size() > max_response_bytes) {
      fail_as_too_long();
      return;
    }
    answer_.body.append(bytes);
  }

  void finish() {
    Task& task = *tasks_.front().task;
    // What of the request has not left cannot follow any more: the server would take it for the next one.
    if (sending_ == 0) {
      keep_ = false;
      offset_ = 0;
    } else {
      --sending_;
    }
    tasks_.pop_front();
    if (!keep_) open_ = false;
    reading_ = false;
    state_ = State::head;
    task.record.response = std::move(answer_);
    answer_ = {};
    listener_.answered(task);
  }

  std::size_t fail_as_too_long() { return fail(fmt::format("it is longer than {} MiB", max_response_bytes >> 20)); }

  // The rest of what comes cannot be told apart any more.
  std::size_t fail(std::string_view why) {
    Task& task = *tasks_.front().task;
    cancel(task);
    reading_ = false;
    listener_.failed(task, Outcome::lost, fmt::format("reading the answer: {}", why));
    return 1;
  }

  Listener& listener_;
  const std::string authority_;
  std::deque<Sent> tasks_;   // submitted, without an answer
  std::size_t sending_ = 0;  // the one of them that is being sent
  std::size_t offset_ = 0;   // bytes of it that are with the network
  bool open_ = true;

  std::string kept_;  // bytes that are the beginning of something
  State state_ = State::head;
  bool reading_ = false;  // a head was read, its body is under way
  bool keep_ = true;      // the connection goes on behind this answer
  Response answer_;
  std::uint64_t left_ = 0;  // bytes of the body or chunk
};

}  // namespace

std::unique_ptr<Dialect> make_http1(Listener& listener, const std::string& authority) {
  return std::make_unique<Http1>(listener, authority);
}

}  // namespace rehearse::replay
