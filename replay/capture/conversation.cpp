#include "replay/capture/conversation.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "replay/capture/http2.h"
#include "replay/capture/limits.h"
#include "replay/capture/tls.h"

namespace rehearse::replay {
namespace {

// Counts what nobody reads.
class Unread final : public ProtocolReader {
 public:
  Unread(const Origin& origin, ByteKind kind) : findings_(*origin.findings), kind_(static_cast<std::size_t>(kind)) {}
  void take(const Piece& piece) override { findings_.bytes[kind_] += static_cast<std::int64_t>(piece.bytes.size()); }
  void gap(Side, std::int64_t, std::int64_t, std::int64_t) override {}
  void conflict(Side, std::int64_t, std::int64_t) override {}
  void end(Side, End, std::int64_t) override {}
  [[nodiscard]] std::size_t held_bytes() const override { return 0; }
  [[nodiscard]] std::int64_t oldest_ns() const override { return std::numeric_limits<std::int64_t>::max(); }

 private:
  Findings& findings_;
  std::size_t kind_;
};

// A TLS record header (RFC 8446, section 5.1).
bool begins_tls(std::string_view bytes, bool from_start) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  if (bytes.size() < 3 || byte(1) != 3 || byte(2) > 4) return false;
  return from_start ? byte(0) == 22 : byte(0) >= 20 && byte(0) <= 23;
}

constexpr std::string_view http2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";  // RFC 9113, section 3.4
constexpr std::string_view http2_joined_advice =
    "Connections in HTTP/2 were not read because the capture began after them: begin it before the clients connect, or "
    "make them "
    "connect again.";

class Conversation final : public ProtocolReader {
 public:
  Conversation(const Origin& origin, const Side* client) : origin_(origin) {
    if (client) client_ = *client;
  }

  void take(const Piece& piece) override {
    if (reader_) return reader_->take(piece);
    first_.push_back({piece, std::string(piece.bytes)});
    beginning(piece.from) += piece.bytes;
    if (is_enough(beginning(piece.from))) choose();
  }
  void gap(Side from, std::int64_t offset, std::int64_t length, std::int64_t time_ns) override {
    choose();
    reader_->gap(from, offset, length, time_ns);
  }
  void conflict(Side from, std::int64_t offset, std::int64_t length) override {
    choose();
    reader_->conflict(from, offset, length);
  }
  void end(Side from, End how, std::int64_t time_ns) override {
    choose();
    reader_->end(from, how, time_ns);
  }
  [[nodiscard]] std::size_t held_bytes() const override {
    return reader_ ? reader_->held_bytes() : beginnings_[0].size() + beginnings_[1].size();
  }
  [[nodiscard]] std::int64_t oldest_ns() const override {
    if (reader_) return reader_->oldest_ns();
    return first_.empty() ? std::numeric_limits<std::int64_t>::max() : first_.front().piece.time_ns;
  }

 private:
  // Whether the protocols can be told apart by these bytes of one side.
  [[nodiscard]] bool is_enough(std::string_view bytes) const {
    if (bytes.size() < 3) return false;
    if (bytes.starts_with("PRI")) return bytes.size() >= http2_preface.size();
    if (begins_tls(bytes, origin_.from_start) || bytes.size() >= limits::http2_sniffed_bytes) return true;
    const LooksLikeHttp2 looks = looks_like_http2(bytes);
    // A server may send its settings before the client's preface comes.
    return looks == LooksLikeHttp2::no || (looks == LooksLikeHttp2::yes && !origin_.from_start);
  }

  struct First {
    Piece piece;
    std::string bytes;
  };

  std::string& beginning(Side side) { return beginnings_[index_of(side)]; }

  void choose() {
    if (reader_) return;
    reader_ = reader_for();
    for (First& first : std::exchange(first_, {})) {
      first.piece.bytes = first.bytes;
      reader_->take(first.piece);
    }
    beginnings_ = {};
  }

  std::unique_ptr<ProtocolReader> reader_for() {
    const Side* client = client_ ? &*client_ : nullptr;
    if (origin_.nesting > limits::nesting) return unread(origin_, ByteKind::evicted, "tunnels in too many tunnels");
    for (const Side side : {Side::a, Side::b}) {
      const bool tls = begins_tls(beginning(side), origin_.from_start);
      const bool joined_http2 = !origin_.from_start && looks_like_http2(beginning(side)) == LooksLikeHttp2::yes;
      if (origin_.goes_on && (tls || joined_http2)) return unread(origin_, ByteKind::evicted, "");
      if (tls) return tls_reader(origin_);
      if (beginning(side).starts_with(http2_preface)) return http2_reader(origin_, &side);
      if (joined_http2) {
        add_note(*origin_.findings, http2_joined_advice);
        return unread(origin_, ByteKind::http2_unreadable,
                      "connections in HTTP/2 that the capture joined in the middle");
      }
    }
    return http1_reader(origin_, client,
                        [origin = origin_](std::string_view protocol, Side from, const Exchange& last) {
                          Origin inner = origin;
                          inner.from_start = true;
                          inner.goes_on = false;
                          ++inner.nesting;
                          inner.first_index = last.index + (protocol == "h2c" ? 0 : 1);  // h2c: the same exchange
                          if (protocol == "connect") return conversation(inner, &from);
                          if (protocol == "h2c") return http2_reader(inner, &from, &last);
                          return unread(inner, ByteKind::upgraded, "");
                        });
  }

  Origin origin_;
  std::optional<Side> client_;
  std::vector<First> first_;
  std::array<std::string, 2> beginnings_;
  std::unique_ptr<ProtocolReader> reader_;
};

}  // namespace

std::string_view flag_of(End how) {
  switch (how) {
    case End::finished:
      return flag::truncated;
    case End::reset:
      return flag::reset;
    case End::evicted:
      return flag::evicted;
    case End::unfinished:
    case End::another:
      break;
  }
  return flag::unfinished;
}

void add_remark(Findings& findings, std::string_view name, std::int64_t times) {
  const auto found = findings.remarks.find(name);
  if (found == findings.remarks.end())
    findings.remarks.emplace(name, times);
  else
    found->second += times;
}

void add_note(Findings& findings, std::string_view sentence) {
  auto& notes = findings.notes;
  if (std::find(notes.begin(), notes.end(), sentence) == notes.end()) notes.emplace_back(sentence);
}

std::unique_ptr<ProtocolReader> unread(const Origin& origin, ByteKind kind, std::string_view remark) {
  if (!remark.empty()) add_remark(*origin.findings, remark);
  return std::make_unique<Unread>(origin, kind);
}

std::unique_ptr<ProtocolReader> conversation(const Origin& origin, const Side* client) {
  return std::make_unique<Conversation>(origin, client);
}

}  // namespace rehearse::replay
