// HTTP/2 as a client speaks it (RFC 9113), by libnghttp2.
#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <deque>
#include <map>
#include <utility>

#include "replay/error.h"
#include "replay/play/dialect.h"
#include "replay/player.h"

namespace rehearse::replay {
namespace {

constexpr std::size_t max_block_bytes = 256u << 10;
// How much is taken from the library before it goes out.
constexpr std::size_t output_bytes = 64u << 10;
constexpr std::int32_t stream_window = 1 << 20, connection_window = 16 << 20;

class Http2 final : public Dialect {
 public:
  Http2(Listener& listener, std::string authority, bool tls)
      : listener_(listener),
        authority_(std::move(authority)),
        scheme_(tls ? "https" : "http"),
        session_(nullptr, &nghttp2_session_del) {
    nghttp2_session_callbacks* raw = nullptr;
    ENSURE(nghttp2_session_callbacks_new(&raw) == 0);
    const std::unique_ptr<nghttp2_session_callbacks, decltype(&nghttp2_session_callbacks_del)> callbacks(
        raw, &nghttp2_session_callbacks_del);
    nghttp2_session_callbacks_set_before_frame_send_callback(
        raw, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
          static_cast<Http2*>(self)->leaves(*frame);
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_not_send_callback(
        raw, [](nghttp2_session*, const nghttp2_frame* frame, int error, void* self) {
          static_cast<Http2*>(self)->not_sent(*frame, error);
          return 0;
        });
    nghttp2_session_callbacks_set_on_begin_headers_callback(
        raw, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
          if (Stream* stream = static_cast<Http2*>(self)->stream_of(frame->hd.stream_id)) stream->block = {};
          return 0;
        });
    nghttp2_session_callbacks_set_on_header_callback(
        raw, [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* self) {
          return static_cast<Http2*>(self)->header(frame->hd.stream_id,
                                                   {reinterpret_cast<const char*>(name), name_size},
                                                   {reinterpret_cast<const char*>(value), value_size});
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        raw,
        [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size, void* self) {
          static_cast<Http2*>(self)->data(id, {reinterpret_cast<const char*>(data), size});
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(raw,
                                                         [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
                                                           static_cast<Http2*>(self)->frame(*frame);
                                                           return 0;
                                                         });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        raw, [](nghttp2_session*, std::int32_t id, std::uint32_t error, void* self) {
          static_cast<Http2*>(self)->closed(id, error);
          return 0;
        });
    nghttp2_session_callbacks_set_error_callback2(raw, [](nghttp2_session*, int, const char* message, std::size_t size,
                                                          void* self) {
      static_cast<Http2*>(self)->problem_ = fmt::format("it is no sound HTTP/2: {}", std::string_view(message, size));
      return 0;
    });
    nghttp2_session* session = nullptr;
    ENSURE(nghttp2_session_client_new(&session, raw, this) == 0);
    session_.reset(session);
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                               {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window}};
    ENSURE(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings)) == 0);
    ENSURE(nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, connection_window) == 0);
  }

  void submit(Task& task) override {
    const Request& request = task.to_send();
    std::vector<std::string> names;  // small: RFC 9113, section 8.2.1
    names.reserve(request.headers.size());
    std::vector<nghttp2_nv> fields;
    fields.reserve(request.headers.size() + 5);
    const auto add = [&](std::string_view name, std::string_view value) {
      fields.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                        reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
                        NGHTTP2_NV_FLAG_NONE});
    };
    add(":method", request.method);
    add(":scheme", scheme_);
    add(":authority", authority_);
    add(":path", request.target);
    bool has_length = false;
    for (const Header& header : request.headers) {
      if (hop_by_hop(header.name) || equal_without_case(header.name, "Host") ||
          equal_without_case(header.name, "Expect"))
        continue;
      if (equal_without_case(header.name, "Content-Length")) {
        has_length = true;
        continue;
      }
      names.push_back(lower(header.name));
      add(names.back(), header.value);
    }
    const std::string length = std::to_string(request.body.size());
    const auto coding = field(request.headers, "Transfer-Encoding");
    const bool chunked = coding && lower(*coding).find("chunked") != std::string::npos;
    if (!chunked && (!request.body.empty() || has_length || !safe(request.method))) add("content-length", length);

    auto stream = std::make_unique<Stream>();
    stream->task = &task;
    nghttp2_data_provider body{};
    body.source.ptr = stream.get();
    body.read_callback = [](nghttp2_session* session, std::int32_t id, std::uint8_t* into, std::size_t size,
                            std::uint32_t* flags, nghttp2_data_source* source, void*) -> ssize_t {
      return static_cast<Stream*>(source->ptr)->read(session, id, into, size, flags);
    };
    const bool has_body = !request.body.empty() || !request.trailers.empty();
    const std::int32_t id = nghttp2_submit_request(session_.get(), nullptr, fields.data(), fields.size(),
                                                   has_body ? &body : nullptr, nullptr);
    if (id < 0) {  // no stream is left, or a field that HTTP/2 does not allow
      open_ = false;
      unsubmitted_.push_back(&task);
      return;
    }
    streams_.emplace(id, std::move(stream));
    ++waiting_;
  }

  int pieces(iovec* into, int most) override {
    if (most < 1) return 0;
    // Not before the rest has left: what is taken now is said to leave now.
    while (taken_ || output_.empty()) {
      if (output_.size() >= output_bytes) break;
      taken_ = true;
      const std::uint8_t* bytes = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_.get(), &bytes);
      if (size < 0) broken_ = true;
      if (size <= 0) break;
      output_.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    }
    taken_ = false;
    if (output_.empty()) return 0;
    into[0] = {output_.data(), output_.size()};
    return 1;
  }

  void sent(std::size_t bytes) override {
    output_.erase(0, bytes);
    sent_ += bytes;
    while (!leaving_.empty() && leaving_.front().second < sent_) {
      if (Stream* stream = stream_of(leaving_.front().first)) stream->task->left = true;
      leaving_.pop_front();
    }
  }

  void received(std::string_view bytes) override {
    const ssize_t used =
        nghttp2_session_mem_recv(session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    if (used >= 0) return;
    broken_ = true;
    open_ = false;
    problem_ = fmt::format("it is no HTTP/2: {}", nghttp2_strerror(static_cast<int>(used)));
  }
  [[nodiscard]] std::string problem() const override { return problem_; }

  void ended() override { open_ = false; }

  [[nodiscard]] bool open() const override { return open_ && !broken_; }
  [[nodiscard]] bool over() const override {
    return broken_ || (!open_ && waiting_ == 0) ||
           (nghttp2_session_want_read(session_.get()) == 0 && nghttp2_session_want_write(session_.get()) == 0);
  }
  [[nodiscard]] bool idle() const override { return waiting_ == 0 && unsubmitted_.empty(); }
  [[nodiscard]] bool multiplexes() const override { return true; }

  void cancel(Task& task) override {
    for (auto stream = streams_.begin(); stream != streams_.end(); ++stream) {
      if (stream->second->task != &task) continue;
      nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream->first, NGHTTP2_CANCEL);
      retire(*stream->second);
      return;
    }
    std::erase(unsubmitted_, &task);
  }

  std::vector<Task*> give_back() override {
    open_ = false;
    std::vector<Task*> tasks;
    for (const auto& [id, stream] : streams_) {
      if (stream->task != nullptr) tasks.push_back(std::exchange(stream->task, nullptr));
    }
    tasks.insert(tasks.end(), unsubmitted_.begin(), unsubmitted_.end());
    unsubmitted_.clear();
    waiting_ = 0;
    return tasks;
  }

 private:
  struct Stream {
    Task* task = nullptr;        // null when nobody waits for the answer any more
    std::size_t read_bytes = 0;  // of the request's body
    Headers block;               // of fields that are being read
    std::size_t block_bytes = 0;
    bool final = false;  // the head of the answer was read
    Response answer;

    ssize_t read(nghttp2_session* session, std::int32_t id, std::uint8_t* into, std::size_t size,
                 std::uint32_t* flags) {
      if (task == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
      const Request& request = task->to_send();
      const std::size_t part = std::min(size, request.body.size() - read_bytes);
      std::memcpy(into, request.body.data() + read_bytes, part);
      read_bytes += part;
      if (read_bytes < request.body.size()) return static_cast<ssize_t>(part);
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!request.trailers.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        std::vector<std::string> names;
        names.reserve(request.trailers.size());
        std::vector<nghttp2_nv> fields;
        for (const Header& header : request.trailers) {
          names.push_back(lower(header.name));
          fields.push_back({reinterpret_cast<std::uint8_t*>(names.back().data()),
                            reinterpret_cast<std::uint8_t*>(const_cast<char*>(header.value.data())),
                            names.back().size(), header.value.size(), NGHTTP2_NV_FLAG_NONE});
        }
        nghttp2_submit_trailer(session, id, fields.data(), fields.size());
      }
      return static_cast<ssize_t>(part);
    }
  };
  // The stream, while somebody waits for its answer.
  Stream* stream_of(std::int32_t id) {
    const auto found = streams_.find(id);
    return found == streams_.end() || found->second->task == nullptr ? nullptr : found->second.get();
  }

  // The stream stays until the library says that it is closed: it may still ask for the body.
  void retire(Stream& stream) {
    stream.task = nullptr;
    stream.answer = {};
    --waiting_;
  }

  void leaves(const nghttp2_frame& frame) {
    if (frame.hd.type != NGHTTP2_HEADERS || frame.headers.cat != NGHTTP2_HCAT_REQUEST) return;
    Stream* const stream = stream_of(frame.hd.stream_id);
    if (stream == nullptr) return;
    leaving_.emplace_back(frame.hd.stream_id, sent_ + output_.size());
    listener_.leaving(*stream->task);
  }

  void not_sent(const nghttp2_frame& frame, int error) {
    if (frame.hd.type != NGHTTP2_HEADERS || frame.headers.cat != NGHTTP2_HCAT_REQUEST) return;
    // A server that goes away takes no new ones: it goes over another connection.
    if (Stream* const stream = stream_of(frame.hd.stream_id); stream != nullptr && !open_) {
      unsubmitted_.push_back(stream->task);
      retire(*stream);
    }
    fail(frame.hd.stream_id, Outcome::refused, fmt::format("sending: {}", nghttp2_strerror(error)));
    streams_.erase(frame.hd.stream_id);
  }

  int header(std::int32_t id, std::string_view name, std::string_view value) {
    Stream* const stream = stream_of(id);
    if (stream == nullptr) return 0;
    stream->block_bytes += name.size() + value.size() + 32;
    if (stream->block_bytes > max_block_bytes) {
      cancel_with(id, "reading the answer: its fields are longer than 256 KiB");
      return 0;
    }
    stream->block.push_back({std::string(name), std::string(value)});
    return 0;
  }

  void data(std::int32_t id, std::string_view bytes) {
    Stream* const stream = stream_of(id);
    if (stream == nullptr) return;
    stream->task->begun = true;
    if (stream->answer.body.size() + bytes.size() > max_response_bytes)
      return cancel_with(id, fmt::format("reading the answer: it is longer than {} MiB", max_response_bytes >> 20));
    stream->answer.body.append(bytes);
  }

  void frame(const nghttp2_frame& frame) {
    if (frame.hd.type == NGHTTP2_GOAWAY) open_ = false;
    Stream* const stream = stream_of(frame.hd.stream_id);
    if (stream == nullptr || (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA)) return;
    if (frame.hd.type == NGHTTP2_HEADERS) {
      stream->task->begun = true;
      take_block(*stream);
    }
    if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return;
    if (!stream->final) return cancel_with(frame.hd.stream_id, "reading the answer: it ends before its head");
    Task& task = *stream->task;
    task.record.response = std::move(stream->answer);
    // What of the body has not left is not wanted any more (RFC 9113, section 8.1).
    if (stream->read_bytes < task.to_send().body.size())
      nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, frame.hd.stream_id, NGHTTP2_NO_ERROR);
    retire(*stream);
    listener_.answered(task);
  }

  // The fields of an interim answer, of the answer, or its trailers.
  static void take_block(Stream& stream) {
    int status = 0;
    std::erase_if(stream.block, [&](const Header& header) {
      if (header.name == ":status")
        std::from_chars(header.value.data(), header.value.data() + header.value.size(), status);
      return header.name.starts_with(':');
    });
    if (stream.final) {
      stream.answer.trailers = std::move(stream.block);
    } else if (status >= 200) {
      stream.final = true;
      stream.answer.status = status;
      stream.answer.headers = std::move(stream.block);
    }
    stream.block = {};
  }

  void closed(std::int32_t id, std::uint32_t error) {
    // A limit of streams may be known too late. What was not looked at may be sent again (RFC 9113, section 8.7), once.
    if (Stream* const stream = stream_of(id); stream != nullptr && error == NGHTTP2_REFUSED_STREAM && open_ &&
                                              !stream->task->refused && !stream->task->begun) {
      Task& task = *stream->task;
      task.refused = true;
      task.left = task.begun = false;
      retire(*stream);
      submit(task);
    }
    // What a server that goes away did not look at goes over another connection, as if it had not left (RFC 9113, section 6.8).
    if (Stream* const stream = stream_of(id);
        stream != nullptr && error == NGHTTP2_REFUSED_STREAM && !open_ && !stream->task->begun) {
      stream->task->left = false;
      unsubmitted_.push_back(stream->task);
      retire(*stream);
    }
    // Such a request was not looked at (RFC 9113, section 8.7).
    Stream* const ended = stream_of(id);
    const bool untouched = error == NGHTTP2_REFUSED_STREAM && ended != nullptr && !ended->task->begun;
    const Outcome outcome = untouched ? Outcome::refused : Outcome::lost;
    fail(id, outcome, fmt::format("the server ended the stream: {}", nghttp2_http2_strerror(error)));
    streams_.erase(id);
  }

  void cancel_with(std::int32_t id, const std::string& problem) {
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    fail(id, Outcome::lost, problem);
  }

  void fail(std::int32_t id, Outcome outcome, const std::string& problem) {
    Stream* const stream = stream_of(id);
    if (stream == nullptr) return;
    Task& task = *stream->task;
    retire(*stream);
    listener_.failed(task, outcome, problem);
  }

  Listener& listener_;
  const std::string authority_;
  const std::string scheme_;
  std::map<std::int32_t, std::unique_ptr<Stream>> streams_;
  std::size_t waiting_ = 0;  // of these, those whose answer somebody waits for
  std::vector<Task*> unsubmitted_;
  std::unique_ptr<nghttp2_session, decltype(&nghttp2_session_del)> session_;
  std::string output_;
  std::uint64_t sent_ = 0;                                      // bytes
  std::deque<std::pair<std::int32_t, std::uint64_t>> leaving_;  // streams whose head stands behind so many bytes
  bool taken_ = false;                                          // within `pieces`
  bool open_ = true;
  bool broken_ = false;
  std::string problem_;
};

}  // namespace

std::unique_ptr<Dialect> make_http2(Listener& listener, const std::string& authority, bool tls) {
  return std::make_unique<Http2>(listener, authority, tls);
}

}  // namespace rehearse::replay
