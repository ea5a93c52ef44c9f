// HTTP/1.x out of two streams. Each direction is a cutter that knows where in a message it stands; a body of known length is
// counted, not parsed, so that a hole in it costs one exchange and not the connection.
//
// Answers go to requests in their order (RFC 9112, section 9.3.2), and each pair is held against what the two ends had
// acknowledged: an answer cannot belong to a request whose head the server had not received when it began to answer, nor to one
// that the client sent after it had received the beginning of that answer.
//
// Behind a gap that may have swallowed a message, or when the capture joined in the middle, order proves nothing: a request that
// nobody saw may be waiting for its answer, and every pair would be shifted by one. Such pairs are provisional. They are confirmed
// when the connection is closed with every request answered and no answer left over (then nothing was hidden, because each
// hidden request would have left one), or when the two sides strictly alternated `limits::alternations` times, or rested for
// `limits::rest_ns`; the last two are no proof against a client that never lets its pipeline run dry. An answer left over, two
// requests on their way at once, another gap, or the end of the capture condemn them: they are flagged as suspect.
#include <algorithm>
#include <limits>
#include <list>
#include <optional>
#include <utility>
#include <vector>

#include "replay/capture/conversation.h"
#include "replay/capture/limits.h"
#include "replay/http/parser.h"

namespace rehearse::replay {
namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

// A whole start line at the beginning of `bytes`: what a message is recognised by where none was expected.
bool begins_request(std::string_view bytes) {
  const auto line = bytes.substr(0, bytes.substr(0, limits::head_bytes).find("\r\n"));
  return line.size() < bytes.size() && looks_like_request(bytes) &&
         line.substr(line.rfind(' ') + 1).starts_with("HTTP/1.");
}
// A first line that ends in a line feed alone: some recipients end it there and others do not.
bool begins_with_bare_line(std::string_view bytes) {
  const auto line_feed = bytes.find('\n');
  return line_feed != std::string_view::npos && (line_feed == 0 || bytes[line_feed - 1] != '\r');
}
bool begins_response(std::string_view bytes) {
  const auto digit = [&](std::size_t at) { return bytes[at] >= '0' && bytes[at] <= '9'; };
  return bytes.size() > 12 && bytes.starts_with("HTTP/1.") && bytes[8] == ' ' && digit(9) && digit(10) && digit(11);
}

// What a string takes beside itself.
std::size_t taken_by(const std::string& text) { return text.capacity() > 15 ? text.capacity() : 0; }

// Offsets in one stream.
struct Range {
  std::int64_t begin = unknown_offset;
  std::int64_t end = never;  // open until the message is finished
  [[nodiscard]] bool overlaps(std::int64_t from, std::int64_t length) const {
    return begin != unknown_offset && from < end && from + length > begin;
  }
};

// An exchange that is not finished.
struct Open {
  std::shared_ptr<Finished> finished = std::make_shared<Finished>();
  Range request, response;
  std::int64_t head_end = 0;  // offset behind the request's head
  std::int64_t client_had =
      unknown_offset;   // what the client had received of the other stream when it sent the request
  bool orphan = false;  // an answer without a request
  bool request_done = false, response_begun = false, response_done = false;
  bool alternates = false;  // sent when everything before it was answered
  bool proved = true;       // that the answer is its own
  bool tainted = false;     // ... which nothing can prove any more
  std::size_t held = 0;     // bytes of heads and bodies

  [[nodiscard]] Exchange& exchange() const { return finished->exchange; }
  [[nodiscard]] bool outstanding() const { return !orphan && !response_begun; }
};

class Http1 final : public ProtocolReader {
 public:
  Http1(const Origin& origin, const Side* client, Upgraded upgraded)
      : origin_(origin), upgraded_(std::move(upgraded)), index_(origin.first_index), suspect_(!origin.from_start) {
    if (client) client_ = *client;
    if (!origin.from_start) requests_.state = answers_.state = State::lost;
  }

  void take(const Piece& piece) override;
  void gap(Side from, std::int64_t offset, std::int64_t length, std::int64_t time_ns) override;
  void conflict(Side from, std::int64_t offset, std::int64_t length) override;
  void end(Side from, End how, std::int64_t time_ns) override;
  [[nodiscard]] std::size_t held_bytes() const override {
    return held_ + taken_by(requests_.pending) + taken_by(answers_.pending) + (inner_ ? inner_->held_bytes() : 0);
  }
  [[nodiscard]] std::int64_t oldest_ns() const override;

 private:
  enum class State { lost, boundary, head, body, chunk_line, chunk_data, chunk_end, trailers, until_close, raw };

  // One direction.
  struct Cutter {
    State state = State::boundary;
    std::string pending;          // the part of a head or line that came
    std::uint64_t remaining = 0;  // of the body or chunk
    std::int64_t position = 0;    // offset of the next byte
    Range message;                // the one that is being cut; `end` without meaning
    std::int64_t begin_ns = 0;
    std::int64_t begin_acknowledged = unknown_offset;
    std::int64_t last_ns = 0;
    std::int64_t unclaimed = 0;  // bytes before anything was recognised as HTTP
    bool cut = false;            // the snap length cut the last segment
    bool ended = false;
    bool resynchronised = false;  // bytes were passed over since the last message
    Open* open = nullptr;         // the exchange of the message
  };

  void count(ByteKind kind, std::size_t bytes) {
    origin_.findings->bytes[static_cast<std::size_t>(kind)] += static_cast<std::int64_t>(bytes);
  }
  void remark(std::string_view name) {
    auto& remarks = origin_.findings->remarks;
    const auto found = remarks.find(name);
    if (found == remarks.end())
      remarks.emplace(name, 1);
    else
      ++found->second;
  }

  void hold(Open& open, std::size_t bytes) {
    open.held += bytes;
    held_ += bytes;
  }
  Cutter& cutter(bool request) { return request ? requests_ : answers_; }
  bool settle_roles(const Piece& piece);
  std::size_t step(Cutter& cutter, bool request, std::string_view bytes, const Piece& piece, bool segment_start);
  std::size_t skip_lost(Cutter& cutter, bool request, std::string_view bytes, bool segment_start);
  std::size_t take_head(Cutter& cutter, bool request, std::string_view bytes, const Piece& piece);
  std::size_t take_line(Cutter& cutter, std::string_view bytes, std::string_view& line);
  std::size_t take_chunk_line(Cutter& cutter, bool request, std::string_view bytes);
  std::size_t take_trailer(Cutter& cutter, bool request, std::string_view bytes);
  void take_body(const Cutter& cutter, bool request, std::string_view bytes);
  void on_request_head(std::string_view head, const Piece& piece);
  void on_response_head(std::string_view head);
  void begin_body(Cutter& cutter, bool request, const Framing& framing);
  void finish_message(Cutter& cutter, bool request);
  void refuse_head(Cutter& cutter, bool request, std::string_view bytes, ParseStatus why);
  void unreadable(Cutter& cutter, bool request, std::string_view why);
  void recognise();
  Open& open_orphan();
  Open* owner_of_answer();
  void judge_alternation(const Open& open);
  void confirm();
  void condemn(std::int64_t answers_end = never);
  void pass_on(std::string_view protocol, const Exchange& last);
  void give_up(Open& open, std::string_view why);
  void drop(Open& open);
  void emit(const Open& open);
  void settle(const Open& open);
  void flush(End how);
  std::string& body_of(const Cutter& cutter, bool request) {
    return request ? cutter.open->exchange().request.body : cutter.open->exchange().response->body;
  }

  Origin origin_;
  Upgraded upgraded_;
  std::optional<Side> client_;
  Cutter requests_, answers_;
  std::list<Open> open_;
  std::size_t outstanding_ = 0;
  std::int64_t index_;
  std::size_t held_ = 0;
  bool recognised_ = false;  // a head was read
  bool suspect_;             // order proves no pair
  bool pipelines_ = false;   // requests were on their way together
  std::size_t alternations_ = 0;
  bool answers_lost_ = false;  // some of the outstanding requests may have been answered where bytes are missing
  bool opaque_ = false;        // another protocol took over
  std::unique_ptr<ProtocolReader> inner_;
  bool closed_ = true;  // by a FIN of each side
  End how_ = End::finished;

  struct Conflict {
    bool request;
    std::int64_t offset, length;
  };
  std::vector<Conflict> conflicts_;
  std::vector<Open> recent_;       // the last ones that were emitted
  std::vector<Open> provisional_;  // finished, and not yet known to be pairs
};

// Who is the client, when no SYN told; and again when what is said first shows that the roles are the other way round.
bool Http1::settle_roles(const Piece& piece) {
  if (recognised_) return true;
  if (client_ && *client_ == piece.from && begins_response(piece.bytes)) {
    client_ = other(piece.from);
    std::swap(requests_, answers_);
    remark("roles other than the handshake said");
  } else if (client_ && *client_ != piece.from && begins_request(piece.bytes)) {
    client_ = piece.from;
    std::swap(requests_, answers_);
    remark("roles other than the handshake said");
  } else if (!client_ && begins_response(piece.bytes)) {
    client_ = other(piece.from);
    if (piece.from == Side::a) std::swap(requests_, answers_);  // until now the one was kept for side a
  } else if (!client_ && begins_request(piece.bytes)) {
    client_ = piece.from;
    if (piece.from == Side::b) std::swap(requests_, answers_);
  }
  return client_.has_value();
}

void Http1::take(const Piece& piece) {
  if (opaque_) {
    if (inner_)
      inner_->take(piece);
    else
      count(ByteKind::upgraded, piece.bytes.size());
    return;
  }
  if (!settle_roles(piece)) {
    Cutter& unknown = piece.from == Side::a ? requests_ : answers_;
    unknown.unclaimed += static_cast<std::int64_t>(piece.bytes.size());
    unknown.position = piece.offset + static_cast<std::int64_t>(piece.bytes.size());
    return;
  }
  const bool request = piece.from == *client_;
  Cutter& me = cutter(request);
  me.position = piece.offset;
  me.last_ns = std::max(me.last_ns, piece.time_ns);
  me.cut = piece.cut;
  std::string_view rest = piece.bytes;
  while (!rest.empty()) {
    if (opaque_) {  // the head in this very piece ended HTTP
      Piece remainder = piece;
      remainder.offset = me.position;
      remainder.bytes = rest;
      remainder.segment_start = true;
      take(remainder);
      return;
    }
    const bool at_start = piece.segment_start && rest.size() == piece.bytes.size();
    const std::size_t used = step(me, request, rest, piece, at_start);
    me.position += static_cast<std::int64_t>(used);
    rest.remove_prefix(used);
  }
}

// Consumes some of `bytes`, or none where only the state changes; returns how many.
std::size_t Http1::step(Cutter& me, bool request, std::string_view bytes, const Piece& piece, bool segment_start) {
  switch (me.state) {
    case State::lost:
      return skip_lost(me, request, bytes, segment_start);
    case State::raw:
      if (segment_start && (request ? begins_request(bytes) : begins_response(bytes))) {
        finish_message(me, request);
        me.resynchronised = true;
        return step(me, request, bytes, piece, segment_start);
      }
      take_body(me, request, bytes.substr(0, limits::head_bytes));
      if (bytes.size() > limits::head_bytes) count(ByteKind::in_exchanges, bytes.size() - limits::head_bytes);
      return bytes.size();
    case State::boundary:
      if (const auto empty = std::min(bytes.find_first_not_of("\r\n"), bytes.size()); empty > 0) {
        count(ByteKind::empty_lines, empty);
        return empty;
      }
      me.state = State::head;
      me.message.begin = me.position;
      me.begin_ns = piece.time_ns;
      me.begin_acknowledged = piece.acknowledged;
      return take_head(me, request, bytes, piece);
    case State::head:
      return take_head(me, request, bytes, piece);
    case State::body:
    case State::chunk_data: {
      // An answer whose request is unknown may be one to HEAD: then the next answer follows at once.
      if (!request && me.open->orphan && me.state == State::body && segment_start && begins_response(bytes) &&
          me.open->exchange().response->body.empty()) {
        finish_message(me, request);
        return step(me, request, bytes, piece, segment_start);
      }
      const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(me.remaining, bytes.size()));
      take_body(me, request, bytes.substr(0, length));
      me.remaining -= length;
      if (me.remaining == 0) {
        if (me.state == State::chunk_data) {
          me.state = State::chunk_end;
        } else {
          me.position += static_cast<std::int64_t>(length);
          finish_message(me, request);
          me.position -= static_cast<std::int64_t>(length);
        }
      }
      return length;
    }
    case State::until_close:
      take_body(me, request, bytes);
      return bytes.size();
    case State::chunk_line:
    case State::chunk_end:
      return take_chunk_line(me, request, bytes);
    case State::trailers:
      return take_trailer(me, request, bytes);
  }
  return bytes.size();
}

std::size_t Http1::skip_lost(Cutter& me, bool request, std::string_view bytes, bool segment_start) {
  if (segment_start && (request ? begins_request(bytes) : begins_response(bytes))) {
    me.state = State::boundary;
    if (!request && recognised_) condemn(me.position);  // what was passed over may have held answers
    // Nothing is consumed: `step` is entered again with the same bytes.
    me.message.begin = me.position;
    return 0;
  }
  if (recognised_)
    count(ByteKind::unreadable, bytes.size());
  else
    me.unclaimed += static_cast<std::int64_t>(bytes.size());
  return bytes.size();
}

std::size_t Http1::take_head(Cutter& me, bool request, std::string_view bytes, const Piece& piece) {
  const auto on_head = [&](std::string_view head, std::size_t used) {
    me.position += static_cast<std::int64_t>(used);
    if (request)
      on_request_head(head, piece);
    else
      on_response_head(head);
    me.position -= static_cast<std::int64_t>(used);
  };
  if (me.pending.empty()) {
    const bool plausible = request ? may_begin_request(bytes) : looks_like_response(bytes);
    if (!plausible || begins_with_bare_line(bytes)) {
      refuse_head(me, request, bytes, ParseStatus::malformed);
      return bytes.size();
    }
    if (const auto length = head_length(bytes); length && *length <= limits::head_bytes) {
      on_head(bytes.substr(0, *length), *length);
      return *length;
    }
  }
  const std::size_t before = me.pending.size();
  me.pending.append(bytes.substr(0, limits::head_bytes + 4 - std::min(before, limits::head_bytes)));
  const std::size_t from = before > 3 ? before - 3 : 0;
  const bool bare = begins_with_bare_line(me.pending);
  if (const auto length = head_length(std::string_view(me.pending).substr(from));
      !bare && length && from + *length <= limits::head_bytes) {
    const std::size_t used = from + *length - before;
    const std::string head = std::exchange(me.pending, {}).substr(0, from + *length);
    on_head(head, used);
    return used;
  }
  const bool plausible = !bare && (request ? may_begin_request(me.pending) : looks_like_response(me.pending));
  if (!plausible || me.pending.size() > limits::head_bytes) {
    const std::string head = std::exchange(me.pending, {});
    refuse_head(me, request, head, plausible ? ParseStatus::beyond_limit : ParseStatus::malformed);
    const std::size_t used = head.size() - before;
    return used + skip_lost(me, request, bytes.substr(used), false);
  }
  return bytes.size();
}

void Http1::recognise() {
  if (recognised_) return;
  recognised_ = true;
  for (Cutter* side : {&requests_, &answers_}) {
    count(origin_.goes_on      ? ByteKind::evicted
          : origin_.from_start ? ByteKind::malformed
                               : ByteKind::joined_middle,
          static_cast<std::size_t>(std::exchange(side->unclaimed, 0)));
  }
}

void Http1::on_request_head(std::string_view head, const Piece&) {
  auto parsed = parse_request_head(head);
  Cutter& me = requests_;
  if (parsed.status == ParseStatus::malformed || parsed.status == ParseStatus::beyond_limit)
    return refuse_head(me, true, head, parsed.status);
  recognise();
  if (outstanding_ >= limits::outstanding) {
    const auto oldest = std::find_if(open_.begin(), open_.end(), [](const Open& o) { return o.outstanding(); });
    if (oldest != open_.end()) give_up(*oldest, flag::evicted);
    condemn();
  }
  const bool nothing_before = outstanding_ == 0;
  Open& open = open_.emplace_back();
  ++outstanding_;
  Exchange& exchange = open.exchange();
  exchange.index = index_++;
  exchange.request_ns = me.begin_ns;
  exchange.request = std::move(parsed.message);
  open.request.begin = me.message.begin;
  open.head_end = me.position;
  open.client_had = me.begin_acknowledged;
  me.open = &open;
  hold(open, head.size());
  if (std::exchange(me.resynchronised, false)) exchange.add_flag(flag::resynchronised);
  const bool answered = answers_.state == State::boundary || answers_.state == State::lost;
  if (suspect_ && nothing_before && answered && open.client_had == answers_.position) {
    open.alternates = true;
    const bool rested = answers_.last_ns > 0 && me.begin_ns - answers_.last_ns >= limits::rest_ns;
    if (!pipelines_ && (rested || alternations_ >= limits::alternations)) confirm();
  }
  count(ByteKind::in_exchanges, head.size());
  if (parsed.status == ParseStatus::ambiguous) {
    exchange.add_flag(flag::ambiguous);
    condemn();
    open.alternates = false;
    me.state = State::raw;
    return;
  }
  begin_body(me, true, parsed.framing);
}

// The request that the answer which begins now belongs to.
Open* Http1::owner_of_answer() {
  const std::int64_t server_had = answers_.begin_acknowledged;
  const std::int64_t begin = answers_.message.begin;
  const auto possible = [&](const Open& open) {
    return open.outstanding() && (server_had == unknown_offset || server_had >= open.head_end) &&
           (open.client_had == unknown_offset || open.client_had <= begin);
  };
  if (!suspect_) {
    const auto first = std::find_if(open_.begin(), open_.end(), [](const Open& open) { return open.outstanding(); });
    return first != open_.end() && possible(*first) ? &*first : nullptr;
  }
  Open* oldest = nullptr;
  Open* exact = nullptr;
  bool several = false;
  for (Open& open : open_) {
    if (!possible(open)) continue;
    if (!oldest) oldest = &open;
    if (open.client_had != begin) continue;
    several = several || exact;
    exact = &open;
  }
  if (!answers_lost_ || !exact || several) return oldest;
  // The ones before were answered where bytes are missing: all but certain, so nothing before this rests on it.
  answers_lost_ = false;
  condemn(begin);
  for (auto open = open_.begin(); &*open != exact;) {
    Open& before = *open++;
    if (before.outstanding() && before.request_done) give_up(before, flag::gap);
  }
  exact->alternates = exact->request_done;
  return exact;
}

Open& Http1::open_orphan() {
  Open& open = open_.emplace_back();
  open.orphan = open.request_done = true;
  Exchange& exchange = open.exchange();
  exchange.index = index_++;
  exchange.request_ns = exchange.request_end_ns = answers_.begin_ns;
  exchange.add_flag(flag::no_request);
  condemn();
  return open;
}

void Http1::on_response_head(std::string_view head) {
  Cutter& me = answers_;
  Open* owner = owner_of_answer();
  auto parsed = parse_response_head(head, owner ? std::string_view(owner->exchange().request.method) : "");
  if (parsed.status == ParseStatus::malformed || parsed.status == ParseStatus::beyond_limit)
    return refuse_head(me, false, head, parsed.status);
  recognise();
  count(ByteKind::in_exchanges, head.size());
  Open& open = owner ? *owner : open_orphan();
  hold(open, head.size());
  Exchange& exchange = open.exchange();
  if (open.response.begin == unknown_offset) {
    open.response.begin = me.message.begin;
    exchange.response_ns = me.begin_ns;
  }
  if (parsed.message.status < 200 && parsed.message.status != 101) {
    remark("interim answers");
    if (exchange.interim.size() < limits::interim)
      exchange.interim.push_back(std::move(parsed.message));
    else
      exchange.add_flag(flag::evicted);
    if (open.orphan) {  // the final answer may find its request
      open.response_begun = true;
      me.open = &open;
      finish_message(me, false);
    }
    me.state = State::boundary;
    return;
  }
  if (!open.orphan) --outstanding_;
  open.response_begun = true;
  open.proved = !suspect_;
  if (std::exchange(me.resynchronised, false)) exchange.add_flag(flag::resynchronised);
  exchange.response = std::move(parsed.message);
  me.open = &open;
  if (parsed.status == ParseStatus::ambiguous) {
    exchange.add_flag(flag::ambiguous);
    condemn();
    me.state = State::raw;
    return;
  }
  const int status = exchange.response->status;
  const std::string method = exchange.request.method;
  const auto protocol = field(exchange.response->headers, "Upgrade");
  const std::string name = method == "CONNECT" ? "connect" : lower(protocol.value_or(""));
  const bool ends_http = status == 101 || (method == "CONNECT" && status / 100 == 2);
  Exchange last = ends_http ? exchange : Exchange{};
  if (status == 101 && name == "h2c" && upgraded_ && !open.orphan) {  // the answer comes in the other protocol
    if (open.tainted || suspect_) last.add_flag(flag::suspect);
    if (!open.request_done) last.add_flag(flag::truncated);
    drop(open);
  } else {
    begin_body(me, false, parsed.framing);
  }
  if (ends_http) pass_on(name, last);
}

void Http1::pass_on(std::string_view protocol, const Exchange& last) {
  opaque_ = true;
  for (Cutter* side : {&requests_, &answers_}) {
    if (side->open) finish_message(*side, side == &requests_);
    count(ByteKind::upgraded, std::exchange(side->pending, {}).size());
    side->state = State::lost;
  }
  const bool known = protocol == "websocket" || protocol == "h2c" || protocol == "connect";
  remark(known ? "connections that went on as " + std::string(protocol) : "connections that went on as something else");
  if (upgraded_) inner_ = upgraded_(protocol, *client_, last);
}

void Http1::begin_body(Cutter& me, bool request, const Framing& framing) {
  switch (framing.kind) {
    case Framing::Kind::none:
      finish_message(me, request);
      return;
    case Framing::Kind::length:
      me.remaining = framing.length;
      me.state = State::body;
      body_of(me, request).reserve(static_cast<std::size_t>(std::min<std::uint64_t>(framing.length, 1u << 20)));
      return;
    case Framing::Kind::chunked:
      me.state = State::chunk_line;
      return;
    case Framing::Kind::until_close:
      me.state = State::until_close;
      return;
  }
}

void Http1::take_body(const Cutter& me, bool request, std::string_view bytes) {
  count(ByteKind::in_exchanges, bytes.size());
  std::string& body = body_of(me, request);
  const std::size_t room = limits::body_bytes - std::min(body.size(), limits::body_bytes);
  if (bytes.size() > room) {
    me.open->exchange().add_flag(flag::long_body);
    bytes = bytes.substr(0, room);
  }
  body.append(bytes);
  hold(*me.open, bytes.size());
}

// Takes bytes up to a line's end; `line` is set, without it, when that came. The line stays in `pending` until the caller clears.
std::size_t Http1::take_line(Cutter& me, std::string_view bytes, std::string_view& line) {
  const auto line_feed = bytes.find('\n');
  const std::size_t used = std::min(line_feed == std::string_view::npos ? bytes.size() : line_feed + 1, bytes.size());
  me.pending.append(bytes.substr(0, std::min(used, limits::head_bytes)));
  if (line_feed != std::string_view::npos) line = me.pending;
  return used;
}

std::size_t Http1::take_chunk_line(Cutter& me, bool request, std::string_view bytes) {
  std::string_view line;
  const std::size_t used = take_line(me, bytes, line);
  count(ByteKind::in_exchanges, used);
  if (line.data() == nullptr) {
    if (me.pending.size() > limits::chunk_line_bytes)
      unreadable(me, request, parse_chunk_size(me.pending) ? flag::evicted : flag::malformed);
    return used;
  }
  const bool ended = line.ends_with("\r\n");
  if (ended) line.remove_suffix(2);
  if (me.state == State::chunk_end) {  // the line end behind a chunk
    const bool right = ended && line.empty();
    std::string().swap(me.pending);
    me.state = State::chunk_line;
    if (!right) unreadable(me, request, flag::malformed);
    return used;
  }
  const auto size = ended ? parse_chunk_size(line) : std::nullopt;
  const bool too_long = line.size() > limits::chunk_line_bytes;
  std::string().swap(me.pending);
  if (!size || too_long) {
    unreadable(me, request, size ? flag::evicted : flag::malformed);
  } else if (*size == 0) {
    me.state = State::trailers;
  } else {
    me.remaining = *size;
    me.state = State::chunk_data;
  }
  return used;
}

std::size_t Http1::take_trailer(Cutter& me, bool request, std::string_view bytes) {
  const std::size_t before = me.pending.size();
  const auto last_line = me.pending.rfind('\n');
  const bool at_line_start = before == 0 || last_line + 1 == before;
  std::string_view line;
  const std::size_t used = take_line(me, bytes, line);
  count(ByteKind::in_exchanges, used);
  if (me.pending.size() > limits::head_bytes) {
    std::string().swap(me.pending);
    unreadable(me, request, flag::evicted);
    return used;
  }
  if (line.data() == nullptr) return used;
  const std::size_t start = at_line_start ? before : last_line == std::string::npos ? 0 : last_line + 1;
  if (std::string_view(me.pending).substr(start) != "\r\n") return used;
  const std::string fields = std::exchange(me.pending, {}).substr(0, start);
  auto trailers = parse_fields(fields);
  if (trailers.status != ParseStatus::complete)
    me.open->exchange().add_flag(trailers.status == ParseStatus::beyond_limit ? flag::evicted : flag::malformed);
  (request ? me.open->exchange().request.trailers : me.open->exchange().response->trailers) =
      std::move(trailers.headers);
  me.position += static_cast<std::int64_t>(used);
  finish_message(me, request);
  me.position -= static_cast<std::int64_t>(used);
  return used;
}

// REQUIRES: `position` is behind the message.
void Http1::finish_message(Cutter& me, bool request) {
  me.state = State::boundary;
  Open* open = std::exchange(me.open, nullptr);
  if (!open) return;
  Exchange& exchange = open->exchange();
  if (request) {
    open->request_done = true;
    open->request.end = me.position;
    exchange.request_end_ns = me.last_ns;
  } else {
    open->response_done = true;
    open->response.end = me.position;
    exchange.response_end_ns = me.last_ns;
    judge_alternation(*open);
  }
  settle(*open);
}

// Whether the two sides took turns.
void Http1::judge_alternation(const Open& open) {
  for (const Open& later : open_) {
    if (&later != &open && later.outstanding() && later.client_had != unknown_offset &&
        later.client_had < open.response.end)
      pipelines_ = true;
  }
  const bool alternated = open.alternates && open.client_had == open.response.begin && !pipelines_;
  alternations_ = alternated ? alternations_ + 1 : 0;
}

// No request was hidden.
void Http1::confirm() {
  suspect_ = false;
  answers_lost_ = false;
  for (Open& open : std::exchange(provisional_, {})) {
    open.proved = true;
    emit(open);
  }
  for (Open& open : open_) open.proved = !open.tainted;
}

// A message may be hidden: no pair since the last proof is certain. Of what waits for an answer, the requests that were sent
// before the client had received `answers_end` of the other stream may have got theirs where nobody saw it; they would take the
// answer of another one, and what is hidden in both streams could cancel out in the count that confirms the others.
void Http1::condemn(std::int64_t answers_end) {
  suspect_ = true;
  alternations_ = 0;
  for (Open& open : open_) open.tainted |= open.outstanding() && open.client_had < answers_end;
  for (Open& open : std::exchange(provisional_, {})) {
    open.exchange().add_flag(flag::suspect);
    emit(open);
  }
}

void Http1::settle(const Open& open) {
  if (!open.request_done || !open.response_done) return;
  const bool pair = !open.orphan && open.response.begin != unknown_offset;
  if (pair && open.tainted) open.exchange().add_flag(flag::suspect);
  if (open.proved || !pair || open.tainted)
    emit(open);
  else
    provisional_.push_back(open);
  open_.erase(std::find_if(open_.begin(), open_.end(), [&](const Open& each) { return &each == &open; }));
  // Pairs that did not take turns can no longer be confirmed one by one.
  if (provisional_.size() > 2 * limits::alternations) condemn();
}

// The exchange will get nothing more.
void Http1::give_up(Open& open, std::string_view why) {
  if (open.outstanding()) {
    --outstanding_;
    open.exchange().add_flag(flag::no_response);
  }
  if (!why.empty()) open.exchange().add_flag(why);
  for (Cutter* side : {&requests_, &answers_}) {
    if (side->open == &open) {
      side->open = nullptr;
      side->state = State::lost;
    }
  }
  open.request_done = open.response_begun = open.response_done = true;
  settle(open);
}

// Another reader goes on with the exchange.
void Http1::drop(Open& open) {
  for (Cutter* side : {&requests_, &answers_}) {
    if (side->open == &open) side->open = nullptr;
  }
  held_ -= open.held;
  open_.erase(std::find_if(open_.begin(), open_.end(), [&](const Open& each) { return &each == &open; }));
}

void Http1::emit(const Open& open) {
  Exchange& exchange = open.exchange();
  const bool a_is_client = !client_ || *client_ == Side::a;
  exchange.client = a_is_client ? origin_.a : origin_.b;
  exchange.server = a_is_client ? origin_.b : origin_.a;
  exchange.started_ns = origin_.started_ns;
  if (!exchange.response) {  // an interim answer is none
    exchange.response_ns = exchange.response_end_ns = 0;
  } else if (exchange.response_ns < exchange.request_ns) {
    exchange.add_flag(flag::time_backwards);
    exchange.response_ns = exchange.request_ns;
    exchange.response_end_ns = std::max(exchange.response_end_ns, exchange.response_ns);
  }
  for (const Conflict& conflict : conflicts_) {
    if ((conflict.request ? open.request : open.response).overlaps(conflict.offset, conflict.length))
      exchange.add_flag(flag::conflict);
  }
  held_ -= open.held;
  open.finished->connection = origin_.connection;
  origin_.findings->exchanges.push_back(open.finished);
  // They are released in their order. Only the first one is looked at: another thread may have written it.
  if (!recent_.empty() && recent_.front().finished->released)
    std::erase_if(recent_, [](const Open& each) { return each.finished->released; });
  recent_.push_back(open);
  if (recent_.size() > 4) recent_.erase(recent_.begin());
}

// A head that is malformed or beyond a limit: its bytes are kept as they came.
void Http1::refuse_head(Cutter& me, bool request, std::string_view bytes, ParseStatus why) {
  const bool too_much = why == ParseStatus::beyond_limit;
  if (too_much && (request ? begins_request(bytes) : begins_response(bytes))) recognise();
  if (!recognised_) {  // perhaps another protocol
    me.unclaimed += static_cast<std::int64_t>(bytes.size());
    me.state = State::lost;
    me.open = nullptr;
    return;
  }
  Open* owner = request ? nullptr : owner_of_answer();
  if (request) {
    owner = &open_.emplace_back();
    ++outstanding_;
    owner->exchange().index = index_++;
    owner->exchange().request_ns = me.begin_ns;
    owner->request.begin = me.message.begin;
    owner->head_end = me.position;
    owner->client_had = me.begin_acknowledged;
    owner->exchange().request.body = bytes.substr(0, limits::head_bytes);
  } else {
    if (!owner) owner = &open_orphan();
    if (!owner->orphan) --outstanding_;
    owner->response_begun = true;
    owner->response.begin = me.message.begin;
    owner->exchange().response_ns = me.begin_ns;
    owner->exchange().response = Response{0, {}, std::string(bytes.substr(0, limits::head_bytes))};
  }
  owner->exchange().add_flag(too_much ? flag::evicted : flag::malformed);
  me.open = owner;
  count(too_much ? ByteKind::evicted : ByteKind::malformed, bytes.size());
  condemn();
  finish_message(me, request);
  me.state = State::lost;
  me.resynchronised = true;
}

// The message that is being cut cannot be read on; what follows is found again at its next beginning.
void Http1::unreadable(Cutter& me, bool request, std::string_view why) {
  answers_lost_ |= !request;
  count(ByteKind::unreadable, me.state == State::head ? me.pending.size() : 0);
  std::string().swap(me.pending);
  // Requests that were sent before a hole among the requests are answered before what the hole hides.
  condemn(request ? (suspect_ ? never : unknown_offset) : me.position);
  if (me.open) {
    me.open->exchange().add_flag(why);
    finish_message(me, request);
  }
  me.state = State::lost;
  me.resynchronised = recognised_;
}

void Http1::gap(Side from, std::int64_t offset, std::int64_t length, std::int64_t time_ns) {
  if (inner_) return inner_->gap(from, offset, length, time_ns);
  if (opaque_) return;
  if (!client_) {
    suspect_ = true;
    return;
  }
  const bool request = from == *client_;
  Cutter& me = cutter(request);
  me.position = offset + length;
  const auto bytes = static_cast<std::uint64_t>(length);
  if (me.open) {
    me.open->exchange().add_flag(flag::gap);
    if (me.cut) me.open->exchange().add_flag(flag::cut);
  }
  if ((me.state == State::body || me.state == State::chunk_data) && bytes <= me.remaining) {
    me.remaining -= bytes;
    if (me.remaining > 0) return;
    if (me.state == State::chunk_data)
      me.state = State::chunk_end;
    else
      finish_message(me, request);
    return;
  }
  if (me.state == State::until_close || me.state == State::raw) return;
  if (!request) {  // any of the outstanding requests may have been answered here
    for (Open& open : open_) {
      if (open.outstanding() && open.request_done) open.exchange().add_flag(flag::gap);
    }
  }
  unreadable(me, request, flag::gap);
}

void Http1::conflict(Side from, std::int64_t offset, std::int64_t length) {
  if (inner_) return inner_->conflict(from, offset, length);
  if (opaque_ || !client_) return;
  const bool request = from == *client_;
  bool found = false;
  bool written = offset + length <= cutter(request).message.begin;
  const auto mark = [&](Open& open) {
    if (!(request ? open.request : open.response).overlaps(offset, length)) return;
    written |= open.finished->released;
    if (open.finished->released) return;
    open.exchange().add_flag(flag::conflict);
    found = true;
  };
  for (Open& open : recent_) mark(open);
  for (Open& open : provisional_) mark(open);
  if (conflicts_.size() < limits::outstanding)
    conflicts_.push_back({request, offset, length});
  else  // one flag for all that follows
    conflicts_.back() = {request, std::min(offset, conflicts_.back().offset), never / 2};
  if (!found && written) remark("conflicting retransmissions of an exchange that was written before");
}

void Http1::end(Side from, End how, std::int64_t time_ns) {
  if (inner_) inner_->end(from, how, time_ns);
  if (how != End::finished) {
    closed_ = false;
    how_ = how;
  }
  if (!client_) {  // nothing was ever recognised; which cutter is whose does not matter
    Cutter& unknown = from == Side::a ? requests_ : answers_;
    unknown.ended = true;
  } else {
    const bool request = from == *client_;
    Cutter& me = cutter(request);
    me.ended = true;
    if (!opaque_ && me.state == State::head) {
      if (request ? begins_request(me.pending) : begins_response(me.pending)) recognise();
      if (recognised_)
        count(ByteKind::unfinished, me.pending.size());
      else
        me.unclaimed += static_cast<std::int64_t>(me.pending.size());
      std::string().swap(me.pending);
      me.state = State::lost;
      if (recognised_ && !request) {
        for (Open& open : open_) {
          if (open.outstanding()) open.exchange().add_flag(flag_of(how));
        }
      }
    } else if (!opaque_ && me.open) {
      if (me.state != State::raw && !(me.state == State::until_close && how == End::finished))
        me.open->exchange().add_flag(flag_of(how));
      std::string().swap(me.pending);
      finish_message(me, request);
      me.state = State::lost;
    }
  }
  if (requests_.ended && answers_.ended) flush(how_);
}

void Http1::flush(End how) {
  const bool drained = open_.empty();
  while (!open_.empty()) {
    Open& open = open_.front();
    give_up(open, open.outstanding() && how != End::finished ? flag_of(how) : std::string_view());
  }
  // Each hidden request would have left an answer over, which condemns; each lost answer would have left a request.
  if (closed_ && drained)
    confirm();
  else
    condemn();
  if (recognised_) return;
  for (Cutter* side : {&requests_, &answers_})
    count(origin_.goes_on ? ByteKind::evicted : ByteKind::not_http,
          static_cast<std::size_t>(std::exchange(side->unclaimed, 0)));
}

std::int64_t Http1::oldest_ns() const {
  std::int64_t oldest = inner_ ? inner_->oldest_ns() : never;
  if (!open_.empty()) oldest = std::min(oldest, open_.front().exchange().request_ns);
  if (!provisional_.empty()) oldest = std::min(oldest, provisional_.front().exchange().request_ns);
  for (const Cutter* side : {&requests_, &answers_}) {
    if (side->state == State::head) oldest = std::min(oldest, side->begin_ns);
  }
  return oldest;
}

}  // namespace

std::unique_ptr<ProtocolReader> http1_reader(const Origin& origin, const Side* client, Upgraded upgraded) {
  return std::make_unique<Http1>(origin, client, std::move(upgraded));
}

}  // namespace rehearse::replay
