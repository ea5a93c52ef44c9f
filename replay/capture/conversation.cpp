#include "replay/capture/conversation.h"

#include <limits>
#include <optional>
#include <utility>

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

class Conversation final : public ProtocolReader {
 public:
  Conversation(const Origin& origin, const Side* client) : origin_(origin) {
    if (client) client_ = *client;
  }

  void take(const Piece& piece) override {
    if (reader_) return reader_->take(piece);
    first_.push_back({piece, std::string(piece.bytes)});
    beginning(piece.from) += piece.bytes;
    if (beginning(piece.from).size() >= enough) choose();
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
  [[nodiscard]] std::size_t held_bytes() const override { return reader_ ? reader_->held_bytes() : 0; }
  [[nodiscard]] std::int64_t oldest_ns() const override {
    if (reader_) return reader_->oldest_ns();
    return first_.empty() ? std::numeric_limits<std::int64_t>::max() : first_.front().piece.time_ns;
  }

 private:
  // Bytes of one side by which the protocols can be told apart.
  static constexpr std::size_t enough = 3;

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
    for (const Side side : {Side::a, Side::b}) {
      if (begins_tls(beginning(side), origin_.from_start))
        return unread(origin_, ByteKind::encrypted, "connections in TLS without keys");
      if (beginning(side).starts_with("PRI"))
        return unread(origin_, ByteKind::http2_unreadable, "connections in HTTP/2");
    }
    return http1_reader(origin_, client, [origin = origin_](std::string_view protocol, Side from) {
      Origin inner = origin;
      inner.from_start = true;
      if (protocol == "connect") return conversation(inner, &from);
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

std::unique_ptr<ProtocolReader> unread(const Origin& origin, ByteKind kind, std::string_view remark) {
  if (!remark.empty()) ++origin.findings->remarks[std::string(remark)];
  return std::make_unique<Unread>(origin, kind);
}

std::unique_ptr<ProtocolReader> conversation(const Origin& origin, const Side* client) {
  return std::make_unique<Conversation>(origin, client);
}

}  // namespace rehearse::replay
