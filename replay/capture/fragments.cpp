#include "replay/capture/fragments.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string_view>
#include <utility>

namespace rehearse::replay {
namespace {

std::size_t hash_of(std::span<const unsigned char> bytes) {
  return std::hash<std::string_view>{}({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

// What no host sends. An end that lies beyond 64 KiB would overflow the buffer of a careless host, the "ping of death".
bool is_bad(const Fragment& fragment) {
  const std::size_t size = fragment.bytes.size();
  return size == 0 || fragment.offset + size > max_datagram_bytes || (fragment.more && size % 8 != 0);
}

}  // namespace

Fragments::Answer Fragments::take(const DatagramKey& key, const Fragment& fragment) {
  if (is_bad(fragment)) return {.outcome = Outcome::bad};
  clock_ns_ = std::max(clock_ns_, fragment.time_ns);
  expire();
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return add(begin(key), fragment);
  const auto datagram = found->second;
  switch (datagram->state) {
    case State::open:
      return add(datagram, fragment);
    case State::condemned:
      return {.outcome = Outcome::lost};
    case State::whole:
      if (has_seen(*datagram, seen_of(fragment))) return keep(*datagram);
      forget(closed_, datagram);  // the host has come around to the same identification
      return add(begin(key), fragment);
  }
  return {.outcome = Outcome::lost};
}

void Fragments::finish() {
  while (!open_.empty()) give_up(open_.begin());
  while (!closed_.empty()) forget(closed_, closed_.begin());
}

void Fragments::expire() {
  const auto is_old = [&](const Datagrams& list) {
    return !list.empty() && clock_ns_ - list.front().started_ns > fragment_lifetime_ns;
  };
  while (is_old(open_)) give_up(open_.begin());
  while (is_old(closed_)) forget(closed_, closed_.begin());
}

Fragments::Datagrams::iterator Fragments::begin(const DatagramKey& key) {
  if (open_.size() == max_datagrams) give_up(open_.begin());
  open_.push_back({.key = key, .started_ns = clock_ns_});
  return by_key_[key] = std::prev(open_.end());
}

void Fragments::give_up(Datagrams::iterator datagram) {
  counts_.lost += datagram->packets;
  forget(open_, datagram);
}

// Gives up the oldest datagrams but one until the limit holds; that one is smaller than the limit.
void Fragments::make_room(Datagrams::iterator but) {
  for (auto oldest = open_.begin(); held_bytes_ > max_held_bytes && oldest != open_.end();) {
    const auto next = std::next(oldest);
    if (oldest != but) give_up(oldest);
    oldest = next;
  }
}

void Fragments::forget(Datagrams& of, Datagrams::iterator datagram) {
  held_bytes_ -= datagram->bytes.size();
  by_key_.erase(datagram->key);
  of.erase(datagram);
}

// Remembers what became of the datagram, without its bytes.
void Fragments::close(Datagrams::iterator datagram, State state) {
  datagram->state = state;
  datagram->started_ns = clock_ns_;
  held_bytes_ -= datagram->bytes.size();
  datagram->bytes = {};
  datagram->covered = {};
  if (state == State::condemned) datagram->seen = {};
  if (closed_.size() == max_closed_datagrams) forget(closed_, closed_.begin());
  closed_.splice(closed_.end(), open_, datagram);
}

Fragments::Answer Fragments::condemn(Datagrams::iterator datagram) {
  counts_.lost += datagram->packets;
  close(datagram, State::condemned);
  return {.outcome = Outcome::lost};
}

Fragments::Answer Fragments::keep(Datagram& datagram) {
  ++counts_.kept;
  ++datagram.packets;
  return {.outcome = Outcome::kept};
}

Fragments::Answer Fragments::hand_out(Datagrams::iterator datagram) {
  ++counts_.reassembled;
  held_bytes_ -= datagram->bytes.size();
  handed_out_.push_back(std::exchange(datagram->bytes, {}));
  close(datagram, State::whole);
  return {Outcome::whole, datagram->protocol, datagram->conflicting, handed_out_.back()};
}

void Fragments::note_conflict(Datagram& datagram) {
  if (!datagram.conflicting) ++counts_.conflicts;
  datagram.conflicting = true;
}

Fragments::Seen Fragments::seen_of(const Fragment& fragment) {
  const auto end = fragment.offset + static_cast<std::uint32_t>(fragment.bytes.size());
  return {{fragment.offset, end}, fragment.more, hash_of(fragment.bytes)};
}

bool Fragments::has_seen(const Datagram& datagram, const Seen& seen) {
  return std::binary_search(datagram.seen.begin(), datagram.seen.end(), seen);
}

// Two fragments may not both be the last, and nothing may lie behind the last.
bool Fragments::contradicts_end(const Datagram& datagram, const Seen& seen) {
  const std::uint32_t end = seen.range.end;
  if (datagram.end) return seen.more ? end > *datagram.end : end != *datagram.end;
  return !seen.more && !datagram.covered.empty() && datagram.covered.back().end > end;
}

bool Fragments::overlaps(const Datagram& datagram, Range range) {
  const auto next = std::partition_point(datagram.covered.begin(), datagram.covered.end(),
                                         [&](Range covered) { return covered.end <= range.begin; });
  return next != datagram.covered.end() && next->begin < range.end;
}

Fragments::Answer Fragments::add(Datagrams::iterator datagram, const Fragment& fragment) {
  const Seen seen = seen_of(fragment);
  if (has_seen(*datagram, seen)) return keep(*datagram);
  if (datagram->seen.size() == max_fragments) return condemn(datagram);
  const bool contradicts = contradicts_end(*datagram, seen);
  if (contradicts || (datagram->key.six && overlaps(*datagram, seen.range))) {
    note_conflict(*datagram);
    if (datagram->key.six) return condemn(datagram);
    return {.outcome = Outcome::lost};
  }
  datagram->seen.insert(std::upper_bound(datagram->seen.begin(), datagram->seen.end(), seen), seen);
  if (fragment.offset == 0) datagram->protocol = fragment.protocol;
  if (!fragment.more) datagram->end = seen.range.end;
  insert(*datagram, seen.range, fragment.bytes);
  make_room(datagram);
  const Range& first = datagram->covered.front();
  if (datagram->end && first.begin == 0 && first.end == *datagram->end) return hand_out(datagram);
  return keep(*datagram);
}

// Copies what is not there yet. Every range that is walked over is merged, so that a fragment costs two searches in sorted
// ranges, and its bytes, however many overlap.
void Fragments::insert(Datagram& datagram, Range range, std::span<const unsigned char> bytes) {
  auto& covered = datagram.covered;
  if (datagram.bytes.size() < range.end) {
    held_bytes_ += range.end - datagram.bytes.size();
    datagram.bytes.resize(range.end);
  }
  const auto first = std::partition_point(covered.begin(), covered.end(), [&](Range r) { return r.end < range.begin; });
  auto last = first;
  Range merged = range;
  std::uint32_t at = range.begin;  // up to here the fragment's bytes are in place
  const auto fill_up_to = [&](std::uint32_t end) {
    if (at >= end) return;
    std::memcpy(&datagram.bytes[at], &bytes[at - range.begin], end - at);
    at = end;
  };
  for (; last != covered.end() && last->begin <= range.end; ++last) {
    fill_up_to(last->begin);
    const std::uint32_t end = std::min(last->end, range.end);
    if (at < end && std::memcmp(&datagram.bytes[at], &bytes[at - range.begin], end - at) != 0) {
      note_conflict(datagram);
    }
    at = std::max(at, end);
    merged = {std::min(merged.begin, last->begin), std::max(merged.end, last->end)};
  }
  fill_up_to(range.end);
  covered.insert(covered.erase(first, last), merged);
}

}  // namespace rehearse::replay
