#include "replay/capture/reassembly.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <limits>

namespace rehearse::replay {
namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

constexpr std::array<std::string_view, byte_kinds> byte_names{"in exchanges",
                                                              "duplicate",
                                                              "outside the window",
                                                              "before the start of the capture",
                                                              "not http",
                                                              "joined in the middle of a message",
                                                              "unreadable after a gap or malformed bytes",
                                                              "malformed",
                                                              "ambiguous framing",
                                                              "empty lines between messages",
                                                              "upgraded to another protocol",
                                                              "encrypted",
                                                              "in tls records that were decrypted",
                                                              "unfinished messages",
                                                              "http/2 joined in the middle or behind a gap",
                                                              "evicted"};

}  // namespace

std::string_view name_of(ByteKind kind) { return byte_names[static_cast<std::size_t>(kind)]; }

void TcpCounts::add(const TcpCounts& more) {
  gap_bytes += more.gap_bytes;
  gaps += more.gaps;
  conflicts += more.conflicts;
  uncompared_bytes += more.uncompared_bytes;
  stray_segments += more.stray_segments;
}

// The offset nearest to what is expected next (RFC 9293, section 3.4: numbers are modulo 2^32).
std::int64_t TcpConnection::offset_of(const Half& half, std::uint32_t sequence) {
  const auto expected = half.base + static_cast<std::uint32_t>(half.next);
  return half.next + static_cast<std::int32_t>(sequence - expected);
}

// Makes `base` the sequence number of offset 0; what is held keeps its place.
void TcpConnection::rebase(Side side, std::uint32_t base) {
  Half& me = half(side);
  const std::int64_t shift = me.known ? offset_of(me, base) : 0;
  me.base = base;
  me.known = true;
  if (shift == 0) return;
  if (me.acknowledged) *me.acknowledged -= shift;
  if (me.fin) *me.fin -= shift;
  std::map<std::int64_t, Held> moved;
  for (auto& [offset, held] : me.held) moved.emplace(offset - shift, std::move(held));
  me.held = std::move(moved);
  for (auto& [offset, held] : half(other(side)).held) {
    if (held.acknowledged != unknown_offset) held.acknowledged -= shift;
  }
}

void TcpConnection::adopt_syn(Side from, std::uint32_t sequence) {
  rebase(from, sequence + 1);
  half(from).syn = true;
  opener_ = from;
}

std::optional<std::pair<Side, std::uint32_t>> TcpConnection::announced(const Segment& segment, Side from) const {
  const auto knows = [](const Half& half, std::uint32_t first) {
    return std::find(half.syns.begin(), half.syns.begin() + half.syn_count, first) !=
           half.syns.begin() + half.syn_count;
  };
  const Half& me = halves_[index_of(from)];
  const Half& peer = halves_[index_of(other(from))];
  if (segment.syn && segment.ack && knows(peer, segment.acknowledgement))
    return std::pair(other(from), segment.acknowledgement - 1);
  if (!segment.syn && knows(me, segment.sequence)) return std::pair(from, segment.sequence - 1);
  return std::nullopt;
}

TcpConnection::Place TcpConnection::place_of(const Segment& segment, Side from) {
  Half& me = half(from);
  const Half& peer = half(other(from));
  const auto untouched = [](const Half& half) { return half.next == half.start && half.held.empty() && !half.ended; };
  if (announced(segment, from) && !(untouched(me) && untouched(peer))) return Place::another;
  if (!me.known) return Place::mine;
  const bool over = closed() || reset_;
  if (segment.syn) return over && offset_of(me, segment.sequence + 1) != me.start ? Place::another : Place::mine;
  if (segment.payload.empty() && segment.missing == 0) return Place::mine;
  if (me.tentative && !me.started && me.held.empty())
    return Place::mine;  // the acknowledgement was a guess, this is a byte
  const std::int64_t offset = offset_of(me, segment.sequence);
  const std::int64_t expected = me.started || me.held.empty() ? me.next : me.held.begin()->first;
  if (offset <= expected + limits::window_bytes && offset >= expected - limits::window_bytes) {
    me.strays = 0;
    return Place::mine;
  }
  if (++me.strays >= limits::strays) return Place::another;
  ++counts_.stray_segments;
  bytes_[static_cast<std::size_t>(ByteKind::outside)] += static_cast<std::int64_t>(segment.payload.size());
  return Place::stray;
}

TcpConnection::Fit TcpConnection::take(const Segment& segment, Side from) {
  const Place place = place_of(segment, from);
  if (place == Place::another) return Fit::another;
  if (packets_++ == 0) first_ns_ = segment.time_ns;
  clock_ns_ = std::max(clock_ns_, segment.time_ns);
  Half& me = half(from);
  me.seen = true;
  if (segment.syn) take_syn(segment, from);
  if (!me.known) rebase(from, segment.sequence + (segment.syn ? 1 : 0));
  if (segment.ack) take_acknowledgement(segment, from);
  if (segment.rst) {
    reset_ = true;             // its payload, if any, is a text for people (RFC 9293, section 3.5.3)
    if (place == Place::mine)  // a stray was counted
      bytes_[static_cast<std::size_t>(ByteKind::outside)] += static_cast<std::int64_t>(segment.payload.size());
  } else if ((!segment.payload.empty() || segment.missing > 0 || segment.fin) && place == Place::mine) {
    take_data(segment, from);
  }
  advance(Force::nothing);
  return Fit::mine;
}

void TcpConnection::take_syn(const Segment& segment, Side from) {
  Half& me = half(from);
  const std::uint32_t first = segment.sequence + 1;
  const auto accept = [&] {
    rebase(from, first);
    me.tentative = false;
    me.syn = true;
    if (!opener_) opener_ = segment.ack ? other(from) : from;
  };
  if (!me.known || (me.tentative && me.held.empty() && !me.started)) {
    accept();
    return;
  }
  const std::int64_t offset = offset_of(me, first);
  if (!me.syn && !me.started && offset >= -limits::early_bytes &&
      (me.held.empty() ? offset <= 0 : offset <= me.held.begin()->first)) {  // captured late
    accept();
    return;
  }
  if (offset == me.start || (me.started && !me.syn && offset < me.next && offset >= -limits::early_bytes)) return;
  if (std::find(me.syns.begin(), me.syns.begin() + me.syn_count, first) == me.syns.begin() + me.syn_count &&
      me.syn_count < me.syns.size())
    me.syns[me.syn_count++] = first;
}

void TcpConnection::take_acknowledgement(const Segment& segment, Side from) {
  Half& peer = half(other(from));
  const std::uint32_t number = segment.acknowledgement;
  if (!peer.known) {
    rebase(other(from), number);
    peer.tentative = true;
    peer.acknowledged = 0;
    return;
  }
  const auto chosen = std::find(peer.syns.begin(), peer.syns.begin() + peer.syn_count, number);
  if (chosen != peer.syns.begin() + peer.syn_count && peer.next == peer.start && peer.held.empty() && !peer.ended) {
    rebase(other(from), number);
    peer.acknowledged = 0;
    peer.syn_count = 0;
    return;
  }
  const std::int64_t offset = offset_of(peer, number);
  const std::int64_t highest = peer.held.empty() ? peer.next : std::max(peer.next, peer.held.rbegin()->first);
  if (offset > highest + limits::window_bytes) return;
  // A FIN has a number of its own. One that the peer acknowledged bytes behind was not real.
  if (peer.fin && offset > *peer.fin + 1 && !peer.ended) peer.fin.reset();
  const std::int64_t bytes = peer.fin ? std::min(offset, *peer.fin) : offset;
  peer.acknowledged = std::max(peer.acknowledged.value_or(bytes), bytes);
}

void TcpConnection::take_data(const Segment& segment, Side from) {
  Half& me = half(from);
  Half& peer = half(other(from));
  if (me.tentative && !me.started && me.held.empty()) {
    const std::int64_t distance = offset_of(me, segment.sequence);
    if (distance > limits::window_bytes || distance < -limits::window_bytes) {
      me.acknowledged.reset();
      me.base = segment.sequence;
    }
    me.tentative = false;
  }
  if (const auto chosen = std::find(me.syns.begin(), me.syns.begin() + me.syn_count, segment.sequence);
      chosen != me.syns.begin() + me.syn_count && me.next == me.start && me.held.empty() && !me.ended) {
    rebase(from, segment.sequence);
    me.syn_count = 0;
  }
  Piece piece;
  piece.from = from;
  piece.offset = offset_of(me, segment.sequence + (segment.syn ? 1 : 0));
  piece.bytes = {reinterpret_cast<const char*>(segment.payload.data()), segment.payload.size()};
  piece.time_ns = segment.time_ns;
  piece.acknowledged = segment.ack && peer.known ? offset_of(peer, segment.acknowledgement) : unknown_offset;
  piece.segment_start = true;
  piece.cut = segment.missing > 0;

  const auto drop_front = [&](std::size_t bytes, ByteKind kind) {
    bytes_[static_cast<std::size_t>(kind)] += static_cast<std::int64_t>(bytes);
    piece.bytes.remove_prefix(bytes);
    piece.offset += static_cast<std::int64_t>(bytes);
    piece.segment_start = piece.segment_start && bytes == 0;
  };
  const std::int64_t end = piece.offset + static_cast<std::int64_t>(piece.bytes.size() + segment.missing);
  if (segment.fin && !me.fin && end >= me.next) me.fin = end;
  if (me.fin && piece.offset + static_cast<std::int64_t>(piece.bytes.size()) > *me.fin) {
    const auto keep = static_cast<std::size_t>(std::max<std::int64_t>(0, *me.fin - piece.offset));
    bytes_[static_cast<std::size_t>(ByteKind::outside)] += static_cast<std::int64_t>(piece.bytes.size() - keep);
    piece.bytes = piece.bytes.substr(0, keep);
  }
  const std::int64_t floor = me.started ? me.start : me.syn ? 0 : -limits::early_bytes;
  if (piece.offset < floor) {
    drop_front(std::min(piece.bytes.size(), static_cast<std::size_t>(floor - piece.offset)), ByteKind::before_start);
  }
  if (me.started && piece.offset < me.next && !piece.bytes.empty()) {
    const auto known = std::min(piece.bytes.size(), static_cast<std::size_t>(me.next - piece.offset));
    compare(me, from, piece.offset, piece.bytes.substr(0, known));
    drop_front(known, ByteKind::duplicate);
  }
  if (piece.bytes.empty()) return;
  reset_ = false;                         // both ends went on
  if (me.syn) start(me, Force::nothing);  // otherwise this piece may be the one that the stream begins with
  if (me.started && piece.offset == me.next && me.held.empty() && has(peer, piece.acknowledged))
    hand_over(me, piece);
  else
    hold(me, from, piece.offset, piece.bytes, piece);
}

// Keeps the bytes that are not held yet; where others are, those came first.
void TcpConnection::hold(Half& me, Side from, std::int64_t offset, std::string_view bytes, const Piece& like) {
  if (me.held.empty()) me.held_since_ns = like.time_ns;
  me.held_since_ns = std::min(me.held_since_ns, like.time_ns);
  bool first = like.segment_start;
  const auto put = [&](std::string_view fresh, bool last) {
    me.held.emplace(offset, Held{std::string(fresh), like.time_ns, like.acknowledged, first, last && like.cut});
    me.held_bytes += fresh.size();
  };
  auto next = me.held.upper_bound(offset);
  if (next != me.held.begin()) --next;
  while (!bytes.empty()) {
    const auto end_of_bytes = offset + static_cast<std::int64_t>(bytes.size());
    const std::int64_t begin = next == me.held.end() ? end_of_bytes : next->first;
    if (begin > offset) {  // free until `begin`
      const auto length = std::min(bytes.size(), static_cast<std::size_t>(begin - offset));
      put(bytes.substr(0, length), length == bytes.size());
      bytes.remove_prefix(length);
      offset += static_cast<std::int64_t>(length);
      first = false;
      continue;
    }
    const std::string& held = next->second.bytes;
    const std::int64_t end = begin + static_cast<std::int64_t>(held.size());
    if (end > offset) {
      const auto length = std::min(bytes.size(), static_cast<std::size_t>(end - offset));
      if (held.compare(static_cast<std::size_t>(offset - begin), length, bytes.substr(0, length)) != 0) {
        ++counts_.conflicts;
        reader_.conflict(from, offset, static_cast<std::int64_t>(length));
      }
      bytes_[static_cast<std::size_t>(ByteKind::duplicate)] += static_cast<std::int64_t>(length);
      bytes.remove_prefix(length);
      offset += static_cast<std::int64_t>(length);
      first = false;
    }
    ++next;
  }
}

// What came before a FIN that lies in front of it.
void TcpConnection::drop_held(Half& me) {
  bytes_[static_cast<std::size_t>(ByteKind::outside)] += static_cast<std::int64_t>(me.held_bytes);
  me.held.clear();
  me.held_bytes = 0;
}

void TcpConnection::compare(const Half& me, Side from, std::int64_t offset, std::string_view bytes) {
  auto uncompared = static_cast<std::int64_t>(bytes.size());
  const std::int64_t end = offset + uncompared;
  bool conflict = false;
  const std::size_t kept = me.delivered ? std::min<std::size_t>(me.digests, limits::compared_segments) : 0;
  for (std::size_t i = 0; i < kept; ++i) {
    const Digest& digest = (*me.delivered)[i];
    if (digest.offset < offset || digest.offset + digest.length > end) continue;
    uncompared -= digest.length;
    conflict |= XXH3_64bits(bytes.data() + (digest.offset - offset), digest.length) != digest.hash;
  }
  if (uncompared > 0) counts_.uncompared_bytes += uncompared;
  if (!conflict) return;
  ++counts_.conflicts;
  reader_.conflict(from, offset, static_cast<std::int64_t>(bytes.size()));
}

void TcpConnection::hand_over(Half& me, const Piece& piece) {
  if (!me.delivered) me.delivered = std::make_unique<std::array<Digest, limits::compared_segments>>();
  // `digests` counts to twice the number and back, so that it says both the place and how many there are.
  auto& place = (*me.delivered)[me.digests % limits::compared_segments];
  place = {piece.offset, XXH3_64bits(piece.bytes.data(), piece.bytes.size()),
           static_cast<std::uint32_t>(piece.bytes.size())};
  if (++me.digests == 2 * limits::compared_segments) me.digests = limits::compared_segments;
  me.next = piece.offset + static_cast<std::int64_t>(piece.bytes.size());
  me.blocked_packet = -1;
  reader_.take(piece);
}

// A stream whose SYN was not captured begins with the smallest offset that came within the reorder window.
void TcpConnection::start(Half& me, Force force) {
  if (me.started || !me.known) return;
  const bool waited = packets_ >= limits::reorder_packets || clock_ns_ - first_ns_ >= limits::reorder_ns ||
                      me.held_bytes > limits::held_bytes || me.held.size() > limits::held_segments;
  if (!me.syn && !waited && force == Force::nothing) return;
  if (!me.syn && me.held.empty()) return;
  me.start = me.syn || me.held.empty() ? 0 : std::min<std::int64_t>(0, me.held.begin()->first);
  me.next = me.start;
  me.started = true;
}

bool TcpConnection::window_passed(Half& me, std::int64_t times) const {
  if (me.blocked_packet < 0) {
    me.blocked_packet = packets_;
    me.blocked_ns = clock_ns_;
  }
  return packets_ - me.blocked_packet >= times * limits::reorder_packets ||
         clock_ns_ - me.blocked_ns >= times * limits::reorder_ns;
}

// Whether the bytes of `half` were handed over, or given up, up to `offset`.
bool TcpConnection::has(const Half& half, std::int64_t offset) {
  return offset == unknown_offset || half.ended || (half.started ? offset <= half.next : !half.known);
}

// Whether the bytes at `next`, up to what is held or acknowledged, will not come any more.
bool TcpConnection::is_lost(Half& me, const Half& peer, Force force) {
  const std::int64_t acknowledged = me.acknowledged.value_or(0);
  if (me.held.empty()) {
    // One number more may be that of a FIN which was not captured.
    return acknowledged > me.next + 1 && (window_passed(me, 1) || force != Force::nothing);
  }
  if (force != Force::nothing || me.held_bytes > limits::held_bytes || me.held.size() > limits::held_segments)
    return true;
  if (!peer.seen) return window_passed(me, 4);  // only one direction was captured: nobody to acknowledge
  return acknowledged >= me.held.begin()->first && window_passed(me, 1);
}

bool TcpConnection::advance(Side from, Force force) {
  Half& me = half(from);
  Half& peer = half(other(from));
  const bool was_started = me.started;
  start(me, force);
  if (!me.started || me.ended) return false;
  bool moved = !was_started;  // which the other side may have waited for
  while (true) {
    if (!me.held.empty() && me.held.begin()->first == me.next) {
      const bool early = !has(peer, me.held.begin()->second.acknowledged);  // it answers bytes that are still to come
      const bool full = me.held_bytes > limits::held_bytes || me.held.size() > limits::held_segments;
      if (early && !full && force != Force::everything && !window_passed(me, 2)) break;
      const auto node = me.held.extract(me.held.begin());
      me.held_bytes -= node.mapped().bytes.size();
      const Held& piece = node.mapped();
      hand_over(me, {from, node.key(), piece.bytes, piece.time_ns, piece.acknowledged, piece.segment_start, piece.cut});
    } else if (me.fin && me.next >= *me.fin) {
      me.ended = true;
      drop_held(me);
      reader_.end(from, End::finished, clock_ns_);
      return true;
    } else if ((!me.held.empty() || me.acknowledged.value_or(0) > me.next) && is_lost(me, peer, force)) {
      std::int64_t end = me.held.empty() ? me.acknowledged.value_or(me.next) : me.held.begin()->first;
      if (me.held.empty() && me.fin) end = std::min(end, *me.fin);
      if (end <= me.next) break;
      const std::int64_t begin = me.next;
      me.next = end;
      me.blocked_packet = -1;
      ++counts_.gaps;
      counts_.gap_bytes += end - begin;
      reader_.gap(from, begin, end - begin, clock_ns_);
    } else {
      break;
    }
    moved = true;
  }
  return moved;
}

void TcpConnection::advance(Force force) {
  while (true) {
    const bool a = advance(Side::a, force);
    const bool b = advance(Side::b, force);
    if (!a && !b) return;
  }
}

void TcpConnection::finish(End how) {
  advance(Force::nothing);
  advance(Force::holes);
  advance(Force::everything);
  for (const Side side : {Side::a, Side::b}) {
    Half& me = half(side);
    if (me.ended) continue;
    if (me.fin && *me.fin > me.next && me.started) {  // the last bytes were not captured
      counts_.gap_bytes += *me.fin - me.next;
      ++counts_.gaps;
      reader_.gap(side, me.next, *me.fin - me.next, clock_ns_);
      me.next = *me.fin;
    }
    me.ended = true;
    reader_.end(side,
                me.fin && me.next == *me.fin && me.started ? End::finished
                : reset_                                   ? End::reset
                                                           : how,
                clock_ns_);
  }
}

std::int64_t TcpConnection::oldest_held_ns() const {
  std::int64_t oldest = never;
  for (const Half& half : halves_) {
    if (!half.held.empty()) oldest = std::min(oldest, half.held_since_ns);
  }
  return oldest;
}

}  // namespace rehearse::replay
