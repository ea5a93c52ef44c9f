#include "replay/capture/tls.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "replay/capture/http2.h"
#include "replay/capture/key_log.h"
#include "replay/capture/limits.h"
#include "replay/capture/record_protection.h"

namespace rehearse::replay {
namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t header_bytes = 5;

enum ContentType : std::uint8_t {
  change_cipher_spec = 20,
  alert = 21,
  handshake = 22,
  application_data = 23,
  heartbeat = 24
};
enum MessageType : std::uint8_t {
  client_hello = 1,
  server_hello = 2,
  encrypted_extensions = 8,
  finished = 20,
  key_update = 24
};
enum ExtensionType : std::uint16_t { alpn = 16, early_data = 42, supported_versions = 43 };

constexpr std::uint16_t tls_1_2 = 0x0303, tls_1_3 = 0x0304;

// The random of a ServerHello that asks for another ClientHello (RFC 8446, section 4.1.3): SHA-256 of "HelloRetryRequest".
constexpr std::string_view retry_random =
    "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2"
    "\xc8"
    "\xa8\x33\x9c";

// Reads numbers and vectors; what is not there is empty, and `failed` says so.
struct Fields {
  std::string_view rest;
  bool failed = false;

  std::string_view take(std::size_t length) {
    failed = failed || length > rest.size();
    if (failed) return {};
    const std::string_view taken = rest.substr(0, length);
    rest.remove_prefix(length);
    return taken;
  }
  std::size_t number(std::size_t length) {
    std::size_t value = 0;
    for (const char byte : take(length)) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }
  std::string_view vector(std::size_t length_bytes) { return take(number(length_bytes)); }
};

// What a hello, or the extensions that follow it under encryption, say that matters here.
struct Hello {
  std::string_view random;
  std::uint16_t version = 0;
  std::uint16_t suite = 0;
  std::string_view protocol;  // that the server chose
  bool early_data = false;
};

bool read_extensions(std::string_view block, Hello& hello) {
  Fields fields{block};
  while (!fields.rest.empty() && !fields.failed) {
    const auto type = fields.number(2);
    Fields content{fields.vector(2)};
    if (type == early_data) hello.early_data = true;
    if (type == supported_versions && content.rest.size() == 2)
      hello.version = static_cast<std::uint16_t>(content.number(2));
    if (type == alpn) {
      Fields names{content.vector(2)};
      hello.protocol = names.vector(1);
    }
  }
  return !fields.failed;
}

std::optional<Hello> read_hello(std::string_view body, bool of_client) {
  Fields fields{body};
  Hello hello;
  hello.version = static_cast<std::uint16_t>(fields.number(2));
  hello.random = fields.take(32);
  fields.vector(1);  // the session
  if (of_client) {
    fields.vector(2);  // suites
    fields.vector(1);  // compression
  } else {
    hello.suite = static_cast<std::uint16_t>(fields.number(2));
    fields.take(1);
  }
  if (!fields.rest.empty() && !read_extensions(fields.vector(2), hello)) return std::nullopt;
  if (fields.failed) return std::nullopt;
  return hello;
}

enum class Reason { no_keys, cipher, version, joined, gap, tag, malformed };

std::string_view advice(Reason reason) {
  switch (reason) {
    case Reason::no_keys:
      return "Connections in TLS were not read because their keys are not known: set SSLKEYLOGFILE for the client or "
             "the server "
             "while capturing and give the file with --keys, or capture behind the TLS terminator.";
    case Reason::cipher:
      return "Connections in TLS were not read because of their cipher: let the server allow only AES-GCM and "
             "ChaCha20-Poly1305 "
             "while capturing, or capture behind the TLS terminator.";
    case Reason::version:
      return "Connections in TLS 1.1 or older were not read: let the server allow only TLS 1.2 and 1.3 while "
             "capturing, or "
             "capture behind the TLS terminator.";
    case Reason::joined:
      return "Connections in TLS were not read because the capture began after their handshake: begin it before the "
             "clients "
             "connect, or make them connect again.";
    case Reason::gap:
      return "Connections in TLS were read only up to bytes that are missing: capture with a larger buffer (tcpdump "
             "-B) and "
             "without a snap length.";
    case Reason::tag:
      return "Connections in TLS were not read because the keys that are given for them do not fit: give the key log "
             "that was "
             "written while this capture was made.";
    case Reason::malformed:
      return "Connections that began in TLS were not read on where their records are malformed: look at the packets of "
             "the "
             "remaining bytes, which are counted as encrypted.";
  }
  return {};
}

// The length of a record's content; nothing when `header` is none.
std::optional<std::size_t> content_length(std::string_view header) {
  const auto byte = [&](std::size_t at) { return static_cast<std::size_t>(static_cast<unsigned char>(header[at])); };
  const std::size_t length = byte(3) << 8 | byte(4);
  if (byte(0) < change_cipher_spec || byte(0) > heartbeat || byte(1) != 3 || length > limits::record_bytes)
    return std::nullopt;
  return length;
}

class Tls final : public ProtocolReader {
 public:
  explicit Tls(const Origin& origin) : origin_(origin) {}

  void take(const Piece& piece) override;
  void gap(Side from, std::int64_t offset, std::int64_t length, std::int64_t time_ns) override;
  // The tag proves which version is the true one: where another was captured first, nothing is opened.
  void conflict(Side, std::int64_t, std::int64_t) override {}
  void end(Side from, End how, std::int64_t time_ns) override;
  [[nodiscard]] std::size_t held_bytes() const override {
    std::size_t held = inner_ ? inner_->held_bytes() : 0;
    for (const Half& half : halves_) held += half.record.size() + half.messages.size();
    return held;
  }
  [[nodiscard]] std::int64_t oldest_ns() const override { return inner_ ? inner_->oldest_ns() : never; }

 private:
  // Whose secrets protect the records of a direction.
  enum class Keys { none, of_handshake, of_traffic };

  // One direction.
  struct Half {
    std::string record;    // the part of one that came
    std::string messages;  // of the handshake, the part of one that came
    Keys keys = Keys::none;
    std::optional<RecordProtection> protection;  // made when the first record needs it
    bool greeted = false;                        // its hello was read
    bool closed = false;                         // the inner stream has ended
    bool ended = false;
    std::int64_t position = 0;  // in the plaintext
  };

  Half& half(Side side) { return halves_[index_of(side)]; }
  void count(ByteKind kind, std::size_t bytes) {
    origin_.findings->bytes[static_cast<std::size_t>(kind)] += static_cast<std::int64_t>(bytes);
  }
  bool next_record(Half& me, std::string_view& rest, std::string_view& record, std::int64_t time_ns);
  void take_record(std::string_view record, const Piece& piece);
  void take_plain(std::string_view record, const Piece& piece);
  void take_protected(std::string_view record, const Piece& piece);
  void take_content(std::uint8_t type, std::string_view content, const Piece& piece);
  void take_messages(std::string_view content, const Piece& piece);
  bool on_message(std::uint8_t type, std::string_view body, const Piece& piece);
  bool on_client_hello(Side from, std::string_view body);
  bool on_server_hello(Side from, std::string_view body);
  bool protect(Side side, std::int64_t time_ns);
  void skip_early_data(std::string_view record, const Piece& piece);
  void hand_over(std::string_view bytes, const Piece& piece);
  void make_inner(std::int64_t time_ns);
  void close(Side side, End how, std::int64_t time_ns);
  void fail(Reason reason, std::int64_t time_ns);
  [[nodiscard]] std::string name_of(Reason reason) const;
  void merge();

  Origin origin_;
  std::optional<Side> client_;
  std::array<Half, 2> halves_;
  std::string whole_;  // a record that came in parts
  std::string client_random_, server_random_;
  std::uint16_t version_ = 0, suite_ = 0;
  std::string protocol_;
  bool early_offered_ = false, early_refused_ = false;
  std::int64_t early_bytes_ = 0;  // plaintext in front of all that the inner reader gets
  std::size_t pending_ = 0;       // bytes of the handshake, until it is known whether anything can be opened
  bool opened_ = false;
  bool dead_ = false;
  Findings found_;  // by the inner reader
  std::unique_ptr<ProtocolReader> inner_;
};

void Tls::take(const Piece& piece) {
  std::string_view rest = piece.bytes;
  std::string_view record;
  while (!dead_ && next_record(half(piece.from), rest, record, piece.time_ns)) take_record(record, piece);
  if (dead_) count(ByteKind::encrypted, rest.size());
}

// Takes a whole record from what is held and from `rest`; false when it is not there yet, or is none.
bool Tls::next_record(Half& me, std::string_view& rest, std::string_view& record, std::int64_t time_ns) {
  const auto hold = [&](std::size_t size) {
    const std::size_t more = std::min(size - me.record.size(), rest.size());
    me.record.append(rest.substr(0, more));
    rest.remove_prefix(more);
    return me.record.size() == size;
  };
  const bool in_place = me.record.empty() && rest.size() >= header_bytes;
  if (!in_place && me.record.size() < header_bytes && !hold(header_bytes)) return false;
  const auto length = content_length(in_place ? rest : me.record);
  if (!length) {
    fail(Reason::malformed, time_ns);
    return false;
  }
  const std::size_t size = header_bytes + *length;
  if (in_place && rest.size() >= size) {
    record = rest.substr(0, size);
    rest.remove_prefix(size);
    return true;
  }
  if (!hold(size)) return false;
  std::swap(whole_, me.record);
  me.record.clear();
  record = whole_;
  return true;
}

void Tls::take_record(std::string_view record, const Piece& piece) {
  Half& me = half(piece.from);
  const auto type = static_cast<std::uint8_t>(record[0]);
  // In TLS 1.3 some records are still plain: a ChangeCipherSpec that means nothing, an alert of who has no keys yet.
  const bool plain = me.keys == Keys::none || (version_ == tls_1_3 && (type == change_cipher_spec || type == alert));
  if (!plain) return take_protected(record, piece);
  if (type != application_data) return take_plain(record, piece);
  if (early_offered_ && client_ == piece.from) return skip_early_data(record, piece);
  count(ByteKind::encrypted, record.size());
  fail(me.greeted ? Reason::malformed : Reason::joined, piece.time_ns);
}

void Tls::take_plain(std::string_view record, const Piece& piece) {
  Half& me = half(piece.from);
  const auto type = static_cast<std::uint8_t>(record[0]);
  const std::string_view content = record.substr(header_bytes);
  if (opened_)
    count(ByteKind::tls, record.size());
  else
    pending_ += record.size();
  if (type == change_cipher_spec) {
    if (version_ == tls_1_3 || version_ == 0) return;
    me.keys = Keys::of_traffic;
    me.protection.reset();
  } else if (type == handshake && me.keys == Keys::none) {
    const bool hello = !content.empty() && (content[0] == client_hello || content[0] == server_hello);
    const bool answers_nothing = !content.empty() && content[0] == server_hello && !client_;
    if (!me.greeted && me.messages.empty() && !content.empty() && (!hello || answers_nothing))
      return fail(origin_.from_start ? Reason::malformed : Reason::joined, piece.time_ns);
    take_messages(content, piece);
  }
}

void Tls::take_protected(std::string_view record, const Piece& piece) {
  Half& me = half(piece.from);
  if (!me.protection && !protect(piece.from, piece.time_ns)) return count(ByteKind::encrypted, record.size());
  const auto plaintext = me.protection->open(record.substr(0, header_bytes), record.substr(header_bytes));
  if (!plaintext) {
    if (early_offered_ && client_ == piece.from && me.keys == Keys::of_handshake) return skip_early_data(record, piece);
    count(ByteKind::encrypted, record.size());
    return fail(Reason::tag, piece.time_ns);
  }
  count(ByteKind::tls, record.size() + std::exchange(pending_, 0));
  if (!std::exchange(opened_, true))
    add_remark(*origin_.findings,
               version_ == tls_1_3 ? "connections in TLS 1.3, decrypted" : "connections in TLS 1.2, decrypted");
  if (client_ == piece.from && version_ == tls_1_3) early_offered_ = false;  // it comes before everything else
  take_content(plaintext->type, plaintext->bytes, piece);
}

void Tls::take_content(std::uint8_t type, std::string_view content, const Piece& piece) {
  Half& me = half(piece.from);
  switch (type) {
    case handshake:
      return take_messages(content, piece);
    case application_data:
      return hand_over(content, piece);
    case alert:
      if (content.size() == 2 && content[1] == 0) close(piece.from, End::finished, piece.time_ns);
      return;
    case change_cipher_spec:  // of a renegotiation
      if (version_ == tls_1_3) return fail(Reason::malformed, piece.time_ns);
      me.protection.reset();
      return;
    case heartbeat:
      return;
    default:
      return fail(Reason::malformed, piece.time_ns);
  }
}

void Tls::take_messages(std::string_view content, const Piece& piece) {
  Half& me = half(piece.from);
  me.messages += content;
  std::size_t at = 0;
  while (me.messages.size() - at >= 4) {
    Fields fields{std::string_view(me.messages).substr(at)};
    const auto type = static_cast<std::uint8_t>(fields.number(1));
    const std::size_t length = fields.number(3);
    if (length > limits::handshake_bytes) return fail(Reason::malformed, piece.time_ns);
    if (length > fields.rest.size()) break;
    at += 4 + length;
    // A message behind which the keys change ends its record (RFC 8446, section 5.1).
    const bool last = version_ == tls_1_3 && (type == finished || type == key_update);
    if ((last && at != me.messages.size()) || !on_message(type, fields.take(length), piece))
      return fail(Reason::malformed, piece.time_ns);
  }
  me.messages.erase(0, at);
}

bool Tls::on_message(std::uint8_t type, std::string_view body, const Piece& piece) {
  Half& me = half(piece.from);
  if (type == client_hello) return on_client_hello(piece.from, body);
  if (type == server_hello) return on_server_hello(piece.from, body);
  if (version_ != tls_1_3) return true;
  if (type == encrypted_extensions && client_ != piece.from && me.keys == Keys::of_handshake) {
    Hello hello;
    Fields fields{body};
    if (!read_extensions(fields.vector(2), hello) || fields.failed) return false;
    protocol_ = hello.protocol;
    early_refused_ = !hello.early_data;
  } else if (type == finished && me.keys == Keys::of_handshake) {
    me.keys = Keys::of_traffic;
    me.protection.reset();
  } else if (type == key_update) {
    if (me.keys != Keys::of_traffic || !me.protection) return false;
    me.protection->update();
  }
  return true;
}

bool Tls::on_client_hello(Side from, std::string_view body) {
  const auto hello = read_hello(body, true);
  if (!hello || (client_ && client_ != from) || version_ == tls_1_3) return false;
  client_ = from;
  client_random_ = hello->random;
  early_offered_ = hello->early_data;
  half(from).greeted = true;
  return true;
}

bool Tls::on_server_hello(Side from, std::string_view body) {
  const auto hello = read_hello(body, false);
  if (!hello || client_ != other(from) || version_ == tls_1_3) return false;
  half(from).greeted = true;
  if (hello->random == retry_random) return true;
  server_random_ = hello->random;
  version_ = hello->version;
  suite_ = hello->suite;
  if (version_ == tls_1_3) {
    for (Half& each : halves_) each.keys = Keys::of_handshake;
  } else {
    protocol_ = hello->protocol;
  }
  return true;
}

// Makes the keys of a direction; false when they cannot be made, and the connection is then not read on.
bool Tls::protect(Side side, std::int64_t time_ns) {
  Half& me = half(side);
  const bool of_client = client_ == side;
  const auto suite = cipher_suite(suite_);
  const auto give_up = [&](Reason reason) {
    fail(reason, time_ns);
    return false;
  };
  if (version_ != tls_1_2 && version_ != tls_1_3) return give_up(Reason::version);
  if (!suite || suite->tls13 != (version_ == tls_1_3)) return give_up(Reason::cipher);
  SecretLabel label = SecretLabel::master;
  if (version_ == tls_1_3 && me.keys == Keys::of_handshake)
    label = of_client ? SecretLabel::client_handshake : SecretLabel::server_handshake;
  else if (version_ == tls_1_3)
    label = of_client ? SecretLabel::client_traffic : SecretLabel::server_traffic;
  const std::string_view secret = origin_.keys ? origin_.keys->find(label, client_random_) : std::string_view();
  if (secret.empty()) return give_up(Reason::no_keys);
  if (version_ == tls_1_3 && secret.size() != (suite->sha384 ? 48 : 32)) return give_up(Reason::tag);
  if (version_ == tls_1_3)
    me.protection.emplace(*suite, secret);
  else
    me.protection.emplace(*suite, secret, client_random_, server_random_, of_client);
  return true;
}

// What the client sent before the handshake ended is under a key of its own (RFC 8446, section 2.3), which is not read.
void Tls::skip_early_data(std::string_view record, const Piece& piece) {
  count(ByteKind::encrypted, record.size());
  if (early_refused_) return;
  constexpr std::size_t overhead = header_bytes + 17;  // the type and the tag
  const auto length = static_cast<std::int64_t>(record.size() - std::min(record.size() - 1, overhead));
  if (early_bytes_ == 0) add_remark(*origin_.findings, "connections in TLS with early data, which is not read");
  early_bytes_ += length;
  if (!inner_) return;
  inner_->gap(piece.from, std::exchange(half(piece.from).position, half(piece.from).position + length), length,
              piece.time_ns);
  merge();
}

void Tls::hand_over(std::string_view bytes, const Piece& piece) {
  Half& me = half(piece.from);
  if (bytes.empty() || me.closed) return;
  if (!inner_) make_inner(piece.time_ns);
  Piece inside;
  inside.from = piece.from;
  inside.offset = me.position;
  inside.bytes = bytes;
  inside.time_ns = piece.time_ns;
  inside.acknowledged = unknown_offset;
  inside.segment_start = true;
  me.position += static_cast<std::int64_t>(bytes.size());
  inner_->take(inside);
  merge();
}

void Tls::make_inner(std::int64_t time_ns) {
  Origin inside = origin_;
  inside.from_start = true;
  inside.findings = &found_;
  ++inside.nesting;
  inner_ = protocol_ == "h2" ? http2_reader(inside, &*client_) : conversation(inside, &*client_);
  if (early_bytes_ > 0 && !early_refused_) {
    inner_->gap(*client_, 0, early_bytes_, time_ns);
    half(*client_).position = early_bytes_;
  }
  for (const Side side : {Side::a, Side::b}) {
    if (half(side).closed) inner_->end(side, End::finished, time_ns);
  }
}

void Tls::close(Side side, End how, std::int64_t time_ns) {
  if (std::exchange(half(side).closed, true) || !inner_) return;
  inner_->end(side, how, time_ns);
  merge();
}

void Tls::gap(Side from, std::int64_t, std::int64_t, std::int64_t time_ns) {
  if (dead_ || half(from).closed) return;
  fail(half(from).greeted || origin_.from_start ? Reason::gap : Reason::joined, time_ns);
}

void Tls::end(Side from, End how, std::int64_t time_ns) {
  Half& me = half(from);
  me.ended = true;
  if (dead_) return;
  me.messages.clear();
  const std::size_t rest = std::exchange(me.record, {}).size();
  count(ByteKind::encrypted, rest);
  close(from, rest > 0 && how == End::finished ? End::unfinished : how, time_ns);
  if (!half(other(from)).ended || opened_) return;
  count(ByteKind::encrypted, std::exchange(pending_, 0));
  add_remark(*origin_.findings, "connections in TLS that ended within the handshake");
}

void Tls::fail(Reason reason, std::int64_t time_ns) {
  if (std::exchange(dead_, true)) return;
  count(ByteKind::encrypted, std::exchange(pending_, 0));
  for (Half& each : halves_) {
    count(ByteKind::encrypted, std::exchange(each.record, {}).size());
    each.messages.clear();
  }
  add_remark(*origin_.findings, name_of(reason));
  add_note(*origin_.findings, advice(reason));
  for (const Side side : {Side::a, Side::b}) close(side, End::unfinished, time_ns);
}

std::string Tls::name_of(Reason reason) const {
  switch (reason) {
    case Reason::no_keys:
      return "connections in TLS without keys";
    case Reason::cipher:
      return fmt::format("connections in TLS with a cipher that is not read: {}", name_of_unread_suite(suite_));
    case Reason::version:
      return "connections in TLS 1.1 or older, which is not read";
    case Reason::joined:
      return "connections in TLS that the capture joined in the middle";
    case Reason::gap:
      return "connections in TLS broken by a gap";
    case Reason::tag:
      return "connections in TLS whose keys do not fit";
    case Reason::malformed:
      break;
  }
  return "connections in TLS with malformed records";
}

// What the inner reader found belongs to the connection, but for its bytes: those were counted when they were ciphertext.
void Tls::merge() {
  Findings& outer = *origin_.findings;
  for (auto& finished : found_.exchanges) outer.exchanges.push_back(std::move(finished));
  found_.exchanges.clear();
  for (const auto& [name, times] : found_.remarks) add_remark(outer, name, times);
  found_.remarks.clear();
  for (const std::string& note : found_.notes) add_note(outer, note);
  found_.notes.clear();
  for (std::size_t kind = 0; kind < byte_kinds; ++kind) {
    if (const auto bytes = std::exchange(found_.bytes[kind], 0); bytes > 0)
      add_remark(outer, fmt::format("decrypted bytes: {}", replay::name_of(static_cast<ByteKind>(kind))), bytes);
  }
}

}  // namespace

std::unique_ptr<ProtocolReader> tls_reader(const Origin& origin) { return std::make_unique<Tls>(origin); }

}  // namespace rehearse::replay
