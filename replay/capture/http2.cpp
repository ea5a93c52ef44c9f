#include "replay/capture/http2.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "replay/base64.h"
#include "replay/capture/limits.h"

namespace rehearse::replay {
namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
constexpr std::string_view client_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";  // RFC 9113, section 3.4
constexpr std::size_t header_bytes = 9;

// RFC 9113, section 6.
enum FrameType : std::uint8_t {
  data = 0,
  headers = 1,
  priority = 2,
  rst_stream = 3,
  settings = 4,
  push_promise = 5,
  ping = 6,
  goaway = 7,
  window_update = 8,
  continuation = 9
};
enum FrameFlag : std::uint8_t { end_stream = 1, ack = 1, end_headers = 4, padded = 8, with_priority = 32 };
constexpr std::uint16_t header_table_size = 1;  // of the settings
constexpr std::uint32_t no_error = 0;
constexpr std::uint32_t default_table_bytes = 4096;

std::uint32_t number(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

struct Frame {
  std::size_t length = 0;
  std::uint8_t type = 0, flags = 0;
  std::uint32_t stream = 0;
  [[nodiscard]] bool has(FrameFlag flag) const { return (flags & flag) != 0; }
};

Frame read_frame_header(std::string_view bytes) {
  return {number(bytes.substr(0, 3)), static_cast<std::uint8_t>(bytes[3]), static_cast<std::uint8_t>(bytes[4]),
          number(bytes.substr(5, 4)) & 0x7fffffff};
}

// Whether a frame is on the kind of stream, and of the length, that its type asks for.
bool is_consistent(const Frame& frame) {
  switch (frame.type) {
    case settings:
      return frame.stream == 0 && frame.length % 6 == 0 && (!frame.has(ack) || frame.length == 0);
    case ping:
      return frame.stream == 0 && frame.length == 8;
    case goaway:
      return frame.stream == 0 && frame.length >= 8;
    case window_update:
      return frame.length == 4;
    case rst_stream:
      return frame.stream != 0 && frame.length == 4;
    case priority:
      return frame.stream != 0 && frame.length == 5;
    case push_promise:
      return frame.stream != 0 && frame.length >= 4;
    case data:
    case headers:
    case continuation:
      return frame.stream != 0;
    default:
      return true;
  }
}

// The fields of header blocks (RFC 7541), in the order of their direction.
class FieldReader {
 public:
  FieldReader() { nghttp2_hd_inflate_new(&inflater_); }
  ~FieldReader() { nghttp2_hd_inflate_del(inflater_); }
  FieldReader(const FieldReader&) = delete;
  FieldReader& operator=(const FieldReader&) = delete;

  // Between two blocks.
  void allow_table(std::uint32_t bytes) {
    nghttp2_hd_inflate_change_table_size(inflater_, std::min(bytes, limits::http2_table_bytes));
  }

  enum class Result { read, malformed, too_many };
  // `allowance` falls by what the fields come to.
  Result read(std::string_view block, Headers& fields, std::int64_t& allowance) {
    const auto* at = reinterpret_cast<const std::uint8_t*>(block.data());
    std::size_t left = block.size();
    std::size_t total = 0;
    while (true) {
      nghttp2_nv field{};
      int flags = 0;
      const auto used = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, at, left, 1);
      if (used < 0) return Result::malformed;
      at += used;
      left -= static_cast<std::size_t>(used);
      if (flags & NGHTTP2_HD_INFLATE_EMIT) {
        total += field.namelen + field.valuelen + 32;
        allowance -= static_cast<std::int64_t>(field.namelen + field.valuelen + 32);
        if (fields.size() >= limits::header_fields || total > limits::http2_fields_bytes || allowance < 0)
          return Result::too_many;
        fields.push_back({std::string(reinterpret_cast<const char*>(field.name), field.namelen),
                          std::string(reinterpret_cast<const char*>(field.value), field.valuelen)});
      }
      if (flags & NGHTTP2_HD_INFLATE_FINAL) {
        nghttp2_hd_inflate_end_headers(inflater_);
        return Result::read;
      }
      if (used == 0 && (flags & NGHTTP2_HD_INFLATE_EMIT) == 0) return Result::malformed;
    }
  }

 private:
  nghttp2_hd_inflater* inflater_ = nullptr;
};

// Takes the pseudo fields (RFC 9113, section 8.3) out of `fields`; false when the block is malformed (section 8.2.1).
struct Pseudo {
  std::string method, path, authority, status;
};
bool take_pseudo(Headers& fields, Pseudo& pseudo) {
  Headers rest;
  bool right = true;
  for (Header& each : fields) {
    const bool upper = std::any_of(each.name.begin(), each.name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    right = right && !upper && !each.name.empty() &&
            each.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos;
    if (!each.name.starts_with(':')) {
      rest.push_back(std::move(each));
      continue;
    }
    std::string* place = each.name == ":method"      ? &pseudo.method
                         : each.name == ":path"      ? &pseudo.path
                         : each.name == ":authority" ? &pseudo.authority
                         : each.name == ":status"    ? &pseudo.status
                                                     : nullptr;
    const bool known = place != nullptr || each.name == ":scheme" || each.name == ":protocol";
    right = right && known && rest.empty() && (place == nullptr || place->empty());
    if (place != nullptr) *place = std::move(each.value);
  }
  fields = std::move(rest);
  return right;
}

// Cookies may come one by one (RFC 9113, section 8.2.3); elsewhere they are one field.
void join_cookies(Headers& fields) {
  Header* first = nullptr;
  for (Header& each : fields) {
    if (each.name != "cookie") continue;
    if (first)
      first->value.append("; ").append(each.value);
    else
      first = &each;
  }
  std::erase_if(fields, [&](const Header& each) { return each.name == "cookie" && &each != first; });
}

bool fill(Request& request, Headers&& fields) {
  Pseudo pseudo;
  bool right = take_pseudo(fields, pseudo) && pseudo.status.empty() && !pseudo.method.empty();
  right = right && (pseudo.method == "CONNECT" || !pseudo.path.empty());
  join_cookies(fields);
  if (!pseudo.authority.empty()) {
    erase_field(fields, "host");
    fields.insert(fields.begin(), {"host", pseudo.authority});
  }
  request.method = std::move(pseudo.method);
  request.target = pseudo.path.empty() ? std::move(pseudo.authority) : std::move(pseudo.path);
  request.headers = std::move(fields);
  return right;
}

bool fill(Response& response, Headers&& fields) {
  Pseudo pseudo;
  bool right = take_pseudo(fields, pseudo) && pseudo.method.empty() && pseudo.path.empty() && pseudo.status.size() == 3;
  for (const char digit : pseudo.status) {
    right = right && digit >= '0' && digit <= '9';
    if (right) response.status = response.status * 10 + (digit - '0');
  }
  if (!right) response.status = 0;
  response.headers = std::move(fields);
  return right;
}

std::size_t size_of(const Headers& fields) {
  std::size_t size = 0;
  for (const Header& each : fields) size += each.name.size() + each.value.size() + sizeof each;
  return size;
}

struct Stream {
  std::uint32_t id = 0;
  std::shared_ptr<Finished> finished = std::make_shared<Finished>();
  bool request_done = false, response_begun = false, response_done = false;
  std::size_t held = 0;

  [[nodiscard]] Exchange& exchange() const { return finished->exchange; }
};

class Http2 final : public ProtocolReader {
 public:
  Http2(const Origin& origin, const Side* client, const Exchange* upgraded);

  void take(const Piece& piece) override;
  void gap(Side from, std::int64_t offset, std::int64_t length, std::int64_t time_ns) override;
  void conflict(Side from, std::int64_t offset, std::int64_t length) override;
  void end(Side from, End how, std::int64_t time_ns) override;
  [[nodiscard]] std::size_t held_bytes() const override {
    return held_ + halves_[0].pending.size() + halves_[0].block.size() + halves_[1].pending.size() +
           halves_[1].block.size();
  }
  [[nodiscard]] std::int64_t oldest_ns() const override {
    std::int64_t oldest = open_.empty() ? never : open_.front().exchange().request_ns;
    for (const Half& half : halves_) {
      if (half.state == State::payload || !half.pending.empty() || half.block_of)
        oldest = std::min(oldest, half.begin_ns);
    }
    return oldest;
  }

 private:
  enum class State { preface, header, data, payload, unreadable };

  // One direction.
  struct Half {
    State state = State::header;
    bool first = true;            // its first frame has to be SETTINGS
    std::string pending;          // the part of a preface or frame that came
    Frame frame;                  // its header, in `data` and `payload`
    std::size_t remaining = 0;    // of the content of DATA, without its padding
    std::size_t padding = 0;      // behind it
    bool pad_length_due = false;  // the first byte is yet to come
    std::int64_t begin_ns = 0;    // of the frame, or of the header block
    std::int64_t last_ns = 0;
    FieldReader fields;
    std::string block;              // a header block that is cut into frames
    std::optional<Frame> block_of;  // the frame that began it
    std::uint32_t promised = 0;
    int continuations = 0;
    std::string_view lost;                  // why it is unreadable
    std::deque<std::uint32_t> table_sizes;  // that this side asked for and the other has not acknowledged
    std::uint32_t table_bytes = default_table_bytes;
    bool ended = false;
  };

  Half& half(Side side) { return halves_[index_of(side)]; }
  [[nodiscard]] bool is_client(const Half& me) const { return &me == &halves_[index_of(client_)]; }
  Half& peer_of(const Half& me) { return &me == halves_.data() ? halves_[1] : halves_[0]; }
  void count(ByteKind kind, std::size_t bytes) {
    origin_.findings->bytes[static_cast<std::size_t>(kind)] += static_cast<std::int64_t>(bytes);
  }
  std::size_t step(Half& me, std::string_view bytes, std::int64_t time_ns);
  std::size_t gather(Half& me, std::string_view bytes, std::size_t size);
  void begin_frame(Half& me);
  void begin_data(Half& me);
  std::size_t take_data(Half& me, std::string_view bytes);
  void finish_data(Half& me);
  void on_frame(Half& me, std::string_view payload);
  void on_headers(Half& me, std::string_view payload);
  void on_continuation(Half& me, std::string_view payload);
  void on_settings(Half& me, std::string_view payload);
  void on_reset(const Half& me, std::uint32_t code);
  void on_block(Half& me);
  void on_request(Half& me, const Frame& frame, Headers&& fields);
  void on_response(Half& me, const Frame& frame, Headers&& fields);
  void on_promise(Half& me, const Frame& frame, Headers&& fields);
  Stream* find(std::uint32_t id);
  Stream* begin_stream(std::uint32_t id, std::int64_t time_ns);
  static void give_up(Stream& stream, std::string_view why);
  void finish_half(Half& me, Stream& stream);
  void settle(Stream& stream);
  void emit(Stream& stream);
  void lose(Half& me, std::string_view flag);
  void break_off(std::string_view what);
  void flush();

  Origin origin_;
  Side client_;
  std::array<Half, 2> halves_;
  std::list<Stream> open_;                                        // in the order of their requests
  std::map<std::uint32_t, std::list<Stream>::iterator> streams_;  // no hash, whose collisions a peer could choose
  std::uint32_t last_request_ = 0, last_promise_ = 0;             // the highest identifiers
  std::int64_t index_;
  std::size_t held_ = 0;
  std::int64_t allowance_ = limits::http2_expansion_bytes;  // of decoded fields
  bool conflicting_ = false;
  End how_ = End::finished;
  std::deque<std::uint32_t> stopped_;              // streams that the server answered and asked to send no more
  std::vector<std::shared_ptr<Finished>> recent_;  // the last ones that were emitted
};

Http2::Http2(const Origin& origin, const Side* client, const Exchange* upgraded)
    : origin_(origin), client_(client ? *client : Side::a), index_(origin.first_index) {
  half(client_).state = State::preface;
  add_remark(*origin.findings, "connections in HTTP/2");
  if (!upgraded) return;
  Stream& stream = *begin_stream(1, upgraded->request_ns);
  last_request_ = 1;
  Exchange& exchange = stream.exchange();
  exchange.request_end_ns = upgraded->request_end_ns;
  exchange.request = upgraded->request;
  exchange.interim = upgraded->interim;
  if (upgraded->response && upgraded->response->status == 101) exchange.interim.push_back(*upgraded->response);
  exchange.flags = upgraded->flags;  // a request of which a part is missing is no better here
  stream.request_done = true;
  // The client's first settings came with the request, and the 101 acknowledged them (RFC 7540, section 3.2.1).
  const auto text = field(exchange.request.headers, "HTTP2-Settings");
  std::string base64_text(text.value_or(""));
  std::replace(base64_text.begin(), base64_text.end(), '-', '+');
  std::replace(base64_text.begin(), base64_text.end(), '_', '/');
  const std::string list = from_base64(base64_text);
  for (std::size_t at = 0; at + 6 <= list.size(); at += 6) {
    const std::string_view setting = std::string_view(list).substr(at, 6);
    if (number(setting.substr(0, 2)) == header_table_size)
      half(other(client_)).fields.allow_table(number(setting.substr(2)));
  }
  for (const std::string_view name : {"Connection", "Upgrade", "HTTP2-Settings"})
    erase_field(exchange.request.headers, name);
}

void Http2::take(const Piece& piece) {
  Half& me = half(piece.from);
  me.last_ns = std::max(me.last_ns, piece.time_ns);
  std::string_view rest = piece.bytes;
  while (!rest.empty()) rest.remove_prefix(step(me, rest, piece.time_ns));
}

// Consumes some of `bytes`; returns how many.
std::size_t Http2::step(Half& me, std::string_view bytes, std::int64_t time_ns) {
  switch (me.state) {
    case State::unreadable:
      count(ByteKind::http2_unreadable, bytes.size());
      return bytes.size();
    case State::preface: {
      const std::size_t used = gather(me, bytes, client_preface.size());
      if (!client_preface.starts_with(me.pending)) {
        lose(me, flag::malformed);
      } else if (me.pending.size() == client_preface.size()) {
        count(ByteKind::in_exchanges, me.pending.size());
        me.pending.clear();
        me.state = State::header;
      }
      return used;
    }
    case State::header: {
      if (me.pending.empty() && !me.block_of) me.begin_ns = time_ns;
      const std::size_t used = gather(me, bytes, header_bytes);
      if (me.pending.size() == header_bytes) begin_frame(me);
      return used;
    }
    case State::data:
      return take_data(me, bytes);
    case State::payload: {
      const std::size_t used = gather(me, bytes, me.frame.length);
      if (me.pending.size() == me.frame.length) {
        count(ByteKind::in_exchanges, me.pending.size());
        const std::string payload = std::exchange(me.pending, {});
        me.state = State::header;
        on_frame(me, payload);
      }
      return used;
    }
  }
  return bytes.size();
}

std::size_t Http2::gather(Half& me, std::string_view bytes, std::size_t size) {
  const std::size_t more = std::min(size - me.pending.size(), bytes.size());
  me.pending.append(bytes.substr(0, more));
  return more;
}

void Http2::begin_frame(Half& me) {
  me.frame = read_frame_header(me.pending);
  const bool in_order = me.block_of ? me.frame.type == continuation && me.frame.stream == me.block_of->stream
                                    : me.frame.type != continuation;
  const bool greets = !me.first || me.frame.type == settings;
  if (!is_consistent(me.frame) || !in_order || !greets || me.frame.length > limits::http2_frame_bytes)
    return me.frame.length > limits::http2_frame_bytes ? break_off("frames") : lose(me, flag::malformed);
  me.first = false;
  allowance_ =
      std::min(allowance_ + limits::http2_expansion * static_cast<std::int64_t>(header_bytes + me.frame.length),
               limits::http2_expansion_bytes);
  count(ByteKind::in_exchanges, me.pending.size());
  me.pending.clear();
  if (me.frame.type == data) return begin_data(me);
  me.state = me.frame.length == 0 ? State::header : State::payload;
  if (me.frame.length == 0) on_frame(me, {});
}

void Http2::begin_data(Half& me) {
  me.state = State::data;
  me.remaining = me.frame.length;
  me.padding = 0;
  me.pad_length_due = me.frame.has(padded);
  if (me.pad_length_due && me.frame.length == 0) return lose(me, flag::malformed);
  if (me.remaining == 0) finish_data(me);
}

std::size_t Http2::take_data(Half& me, std::string_view bytes) {
  if (std::exchange(me.pad_length_due, false)) {
    count(ByteKind::in_exchanges, 1);
    me.padding = static_cast<unsigned char>(bytes[0]);
    --me.remaining;
    if (me.padding > me.remaining) {
      lose(me, flag::malformed);
      return 1;
    }
    me.remaining -= me.padding;
    if (me.remaining + me.padding == 0) finish_data(me);
    return 1;
  }
  if (me.remaining == 0) {
    const std::size_t length = std::min(me.padding, bytes.size());
    count(ByteKind::in_exchanges, length);
    me.padding -= length;
    if (me.padding == 0) finish_data(me);
    return length;
  }
  const std::size_t length = std::min(me.remaining, bytes.size());
  count(ByteKind::in_exchanges, length);
  me.remaining -= length;
  if (Stream* stream = find(me.frame.stream)) {
    Exchange& exchange = stream->exchange();
    const bool request = is_client(me);
    const bool expected = request ? !stream->request_done : stream->response_begun && !stream->response_done;
    if (!expected) {
      exchange.add_flag(flag::malformed);
    } else {
      std::string& body = request ? exchange.request.body : exchange.response->body;
      const std::size_t room = limits::body_bytes - body.size();
      if (length > room) exchange.add_flag(flag::long_body);
      body.append(bytes.substr(0, std::min(room, length)));
      stream->held += std::min(room, length);
      held_ += std::min(room, length);
    }
  }
  if (me.remaining + me.padding == 0) finish_data(me);
  return length;
}

void Http2::finish_data(Half& me) {
  me.state = State::header;
  if (!me.frame.has(end_stream)) return;
  if (Stream* stream = find(me.frame.stream)) finish_half(me, *stream);
}

void Http2::on_frame(Half& me, std::string_view payload) {
  switch (me.frame.type) {
    case headers:
    case push_promise:
      return on_headers(me, payload);
    case continuation:
      return on_continuation(me, payload);
    case settings:
      return on_settings(me, payload);
    case rst_stream:
      return on_reset(me, number(payload));
    case goaway:
      add_remark(*origin_.findings, "HTTP/2 connections that were asked to end (GOAWAY)");
      return;
    default:
      return;  // nothing that an exchange is made of
  }
}

void Http2::on_headers(Half& me, std::string_view payload) {
  const Frame& frame = me.frame;
  std::size_t padding = 0;
  if (frame.has(padded)) {
    if (payload.empty()) return lose(me, flag::malformed);
    padding = static_cast<unsigned char>(payload[0]);
    payload.remove_prefix(1);
  }
  const std::size_t before = frame.type == push_promise ? 4 : frame.has(with_priority) ? 5 : 0;
  if (payload.size() < before + padding) return lose(me, flag::malformed);
  if (frame.type == push_promise) me.promised = number(payload.substr(0, 4)) & 0x7fffffff;
  me.block_of = frame;
  me.continuations = 0;
  me.block = payload.substr(before, payload.size() - before - padding);
  if (me.block.size() > limits::http2_block_bytes) return break_off("header blocks");
  if (frame.has(end_headers)) on_block(me);
}

void Http2::on_continuation(Half& me, std::string_view payload) {
  if (++me.continuations > limits::http2_continuations || me.block.size() + payload.size() > limits::http2_block_bytes)
    return break_off("header blocks");
  me.block += payload;
  if (me.frame.has(end_headers)) on_block(me);
}

// A table's size holds for the other direction's blocks from where its sender acknowledged it (RFC 9113, section 6.5.3).
void Http2::on_settings(Half& me, std::string_view payload) {
  Half& peer = peer_of(me);
  if (me.frame.has(ack)) {
    if (peer.table_sizes.empty()) return;
    me.fields.allow_table(peer.table_sizes.front());
    peer.table_sizes.pop_front();
    return;
  }
  for (; payload.size() >= 6; payload.remove_prefix(6)) {
    if (number(payload.substr(0, 2)) == header_table_size) me.table_bytes = number(payload.substr(2, 4));
  }
  me.table_sizes.push_back(me.table_bytes);
  if (me.table_sizes.size() > limits::http2_settings) break_off("settings");
}

// A server that has answered may ask the client to send no more of the request (RFC 9113, section 8.1); by then the client may
// have sent it all.
void Http2::on_reset(const Half& me, std::uint32_t code) {
  Stream* stream = find(me.frame.stream);
  if (!stream) return;
  if (!is_client(me) && code == no_error && stream->response_done) {
    stopped_.push_back(stream->id);
    if (stopped_.size() <= limits::http2_stopped) return;
    stream = find(stopped_.front());
    stopped_.pop_front();
    if (!stream) return;
  }
  give_up(*stream, flag::reset);
  stream->request_done = stream->response_done = true;
  settle(*stream);
}

void Http2::on_block(Half& me) {
  const Frame frame = *std::exchange(me.block_of, std::nullopt);
  Headers fields;
  const auto result = me.fields.read(me.block, fields, allowance_);
  me.block.clear();
  if (result == FieldReader::Result::malformed) return lose(me, flag::malformed);
  if (result == FieldReader::Result::too_many) return break_off("header fields");
  if (is_client(me))
    on_request(me, frame, std::move(fields));
  else if (frame.type == push_promise)
    on_promise(me, frame, std::move(fields));
  else
    on_response(me, frame, std::move(fields));
}

Stream* Http2::find(std::uint32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : &*found->second;
}

// Null when there are too many; the connection is then not read on.
Stream* Http2::begin_stream(std::uint32_t id, std::int64_t time_ns) {
  if (streams_.size() >= limits::http2_streams) {
    break_off("streams");
    return nullptr;
  }
  Stream& stream = open_.emplace_back();
  stream.id = id;
  streams_[id] = std::prev(open_.end());
  Exchange& exchange = stream.exchange();
  exchange.http2 = true;
  exchange.index = index_++;
  exchange.request_ns = exchange.request_end_ns = time_ns;
  if (conflicting_) exchange.add_flag(flag::conflict);
  return &stream;
}

void Http2::on_request(Half& me, const Frame& frame, Headers&& fields) {
  Stream* stream = find(frame.stream);
  if (frame.type == push_promise) return lose(me, flag::malformed);  // clients promise nothing
  const std::size_t size = size_of(fields);
  if (!stream) {
    if (frame.stream <= last_request_ || frame.stream % 2 == 0) return;  // of a stream that is over
    last_request_ = frame.stream;
    stream = begin_stream(frame.stream, me.begin_ns);
    if (!stream) return;
    if (!fill(stream->exchange().request, std::move(fields))) stream->exchange().add_flag(flag::malformed);
    if (const Half& answers = half(other(client_)); answers.state == State::unreadable) {
      give_up(*stream, answers.lost);
      stream->response_done = true;
    }
  } else if (stream->request_done || !frame.has(end_stream)) {
    stream->exchange().add_flag(flag::malformed);
  } else {
    stream->exchange().request.trailers = std::move(fields);
  }
  stream->held += size;
  held_ += size;
  if (frame.has(end_stream)) finish_half(me, *stream);
}

void Http2::on_response(Half& me, const Frame& frame, Headers&& fields) {
  Stream* stream = find(frame.stream);
  if (!stream) {
    // Over, or its request was lost with the client's direction.
    if (half(client_).state != State::unreadable || frame.stream <= last_request_ || frame.stream % 2 == 0) return;
    stream = begin_stream(frame.stream, me.begin_ns);
    if (!stream) return;
    stream->exchange().add_flag(flag::no_request);
    stream->request_done = true;
  }
  Exchange& exchange = stream->exchange();
  const std::size_t size = size_of(fields);
  stream->held += size;
  held_ += size;
  if (stream->response_begun) {
    if (stream->response_done || !frame.has(end_stream))
      exchange.add_flag(flag::malformed);
    else
      exchange.response->trailers = std::move(fields);
  } else {
    if (exchange.response_ns == 0) exchange.response_ns = me.begin_ns;
    Response response;
    const bool right = fill(response, std::move(fields));
    if (right && response.status < 200 && !frame.has(end_stream)) {
      add_remark(*origin_.findings, "interim answers");
      if (exchange.interim.size() < limits::interim)
        exchange.interim.push_back(std::move(response));
      else
        exchange.add_flag(flag::evicted);
      return;
    }
    if (!right || response.status < 200) exchange.add_flag(flag::malformed);
    stream->response_begun = true;
    exchange.response = std::move(response);
  }
  if (frame.has(end_stream)) finish_half(me, *stream);
}

// An answer that the server sends unasked; the promise holds the request that it answers (RFC 9113, section 8.4).
void Http2::on_promise(Half& me, const Frame&, Headers&& fields) {
  if (me.promised <= last_promise_ || me.promised % 2 != 0) return lose(me, flag::malformed);
  last_promise_ = me.promised;
  Stream* stream = begin_stream(me.promised, me.begin_ns);
  if (!stream) return;
  add_remark(*origin_.findings, "answers that the server pushed");
  const std::size_t size = size_of(fields);
  stream->held += size;
  held_ += size;
  stream->request_done = true;
  stream->exchange().request_end_ns = me.last_ns;
  if (!fill(stream->exchange().request, std::move(fields))) stream->exchange().add_flag(flag::malformed);
}

// The exchange gets no more of its answer.
void Http2::give_up(Stream& stream, std::string_view why) {
  if (!stream.exchange().response) stream.exchange().add_flag(flag::no_response);
  if (!why.empty()) stream.exchange().add_flag(why);
}

void Http2::finish_half(Half& me, Stream& stream) {
  if (is_client(me)) {
    if (stream.request_done) return;
    stream.request_done = true;
    stream.exchange().request_end_ns = me.last_ns;
  } else {
    if (!stream.response_begun) stream.exchange().add_flag(flag::malformed);
    stream.response_done = true;
    stream.exchange().response_end_ns = me.last_ns;
  }
  settle(stream);
}

void Http2::settle(Stream& stream) {
  if (!stream.request_done || !stream.response_done) return;
  emit(stream);
  held_ -= stream.held;
  const auto found = streams_.find(stream.id);
  open_.erase(found->second);
  streams_.erase(found);
}

void Http2::emit(Stream& stream) {
  Exchange& exchange = stream.exchange();
  const bool a_is_client = client_ == Side::a;
  exchange.client = a_is_client ? origin_.a : origin_.b;
  exchange.server = a_is_client ? origin_.b : origin_.a;
  exchange.started_ns = origin_.started_ns;
  if (!exchange.response) {
    exchange.add_flag(flag::no_response);
    exchange.response_ns = exchange.response_end_ns = 0;
  } else if (exchange.response_ns < exchange.request_ns) {
    exchange.add_flag(flag::time_backwards);
    exchange.response_ns = exchange.request_ns;
    exchange.response_end_ns = std::max(exchange.response_end_ns, exchange.response_ns);
  }
  stream.finished->connection = origin_.connection;
  origin_.findings->exchanges.push_back(stream.finished);
  recent_.push_back(stream.finished);
  if (recent_.size() > 4) recent_.erase(recent_.begin());
}

// A direction is not read on. What it had still to say about an exchange is not known.
void Http2::lose(Half& me, std::string_view why) {
  if (me.state == State::unreadable) return;
  me.state = State::unreadable;
  me.lost = why;
  count(ByteKind::http2_unreadable, std::exchange(me.pending, {}).size());
  me.block.clear();
  me.block_of.reset();
  add_remark(*origin_.findings, why == flag::gap ? "directions of HTTP/2 connections broken by a gap"
                                                 : "directions of HTTP/2 connections with malformed frames");
  for (auto each = open_.begin(); each != open_.end();) {
    Stream& stream = *each++;
    bool& done = is_client(me) ? stream.request_done : stream.response_done;
    if (done) continue;
    if (is_client(me))
      stream.exchange().add_flag(why);
    else
      give_up(stream, why);
    done = true;
    settle(stream);
  }
}

// Over a limit: nothing of the connection is read on.
void Http2::break_off(std::string_view what) {
  add_remark(*origin_.findings, "HTTP/2 connections beyond the limit of " + std::string(what));
  for (Half& each : halves_) {
    each.state = State::unreadable;
    each.lost = flag::evicted;
    count(ByteKind::http2_unreadable, std::exchange(each.pending, {}).size());
    each.block.clear();
    each.block_of.reset();
  }
  while (!open_.empty()) {
    Stream& stream = open_.front();
    give_up(stream, flag::evicted);
    stream.request_done = stream.response_done = true;
    settle(stream);
  }
}

void Http2::gap(Side from, std::int64_t, std::int64_t length, std::int64_t) {
  Half& me = half(from);
  if (me.state == State::unreadable) return;
  auto missing = static_cast<std::size_t>(length);
  if (me.state != State::data || missing > me.remaining + me.padding) return lose(me, flag::gap);
  if (Stream* stream = find(me.frame.stream)) stream->exchange().add_flag(flag::gap);
  me.pad_length_due = false;  // if it was to come, padding counts as content from here on
  const std::size_t content = std::min(missing, me.remaining);
  me.remaining -= content;
  me.padding -= missing - content;
  if (me.remaining + me.padding == 0) finish_data(me);
}

// A byte of a header block changes all that follow it, so that everything from here on is in doubt.
void Http2::conflict(Side, std::int64_t, std::int64_t) {
  conflicting_ = true;
  for (Stream& stream : open_) stream.exchange().add_flag(flag::conflict);
  for (const auto& each : recent_) {
    if (!each->released) each->exchange.add_flag(flag::conflict);
  }
}

void Http2::end(Side from, End how, std::int64_t) {
  Half& me = half(from);
  me.ended = true;
  if (how != End::finished) how_ = how;
  if (me.state != State::unreadable) count(ByteKind::unfinished, std::exchange(me.pending, {}).size());
  if (me.state == State::payload) me.state = State::header;
  me.block.clear();
  me.block_of.reset();
  if (peer_of(me).ended) flush();
}

void Http2::flush() {
  while (!open_.empty()) {
    Stream& stream = open_.front();
    give_up(stream, stream.exchange().response || how_ != End::finished ? flag_of(how_) : std::string_view());
    stream.request_done = stream.response_done = true;
    settle(stream);
  }
}

}  // namespace

LooksLikeHttp2 looks_like_http2(std::string_view bytes) {
  int frames = 0;
  while (bytes.size() >= header_bytes) {
    const Frame frame = read_frame_header(bytes);
    if (frame.type > continuation || frame.length > 16'384 || (bytes[5] & 0x80) != 0 || !is_consistent(frame))
      return LooksLikeHttp2::no;
    if (++frames == 3) return LooksLikeHttp2::yes;
    bytes.remove_prefix(std::min(header_bytes + frame.length, bytes.size()));
  }
  // Text begins with a length that no frame has.
  if (frames == 0 && !bytes.empty() && bytes[0] != 0) return LooksLikeHttp2::no;
  return LooksLikeHttp2::perhaps;
}

std::unique_ptr<ProtocolReader> http2_reader(const Origin& origin, const Side* client, const Exchange* upgraded) {
  return std::make_unique<Http2>(origin, client, upgraded);
}

}  // namespace rehearse::replay
