#include "replay/capture/reassembly.h"

#include <algorithm>

namespace rehearse::replay {

std::int64_t Run::first_time(std::size_t begin) const {
  const auto after = std::upper_bound(times.begin(), times.end(), begin,
                                      [](std::size_t at, const auto& piece) { return at < piece.first; });
  return after == times.begin() ? 0 : std::prev(after)->second;
}

std::int64_t Run::last_time(std::size_t begin, std::size_t end) const {
  // Segments may have come out of order: the message was whole when the last of its pieces came.
  std::int64_t last = first_time(begin);
  for (auto piece = std::upper_bound(times.begin(), times.end(), begin,
                                     [](std::size_t at, const auto& p) { return at < p.first; });
       piece != times.end() && piece->first < end; ++piece) {
    last = std::max(last, piece->second);
  }
  return last;
}

Reassembler::Flow& Reassembler::flow_of(const Segment& segment) {
  const auto key = std::minmax(segment.source, segment.destination);
  const auto found = open_.find({key.first, key.second});
  const bool opening = segment.syn && !segment.ack;
  if (found != open_.end()) {
    Flow& flow = flows_[found->second];
    const bool port_reused = opening && flow.syn_seen && flow.syn != segment.sequence;
    const bool late_join = opening && !flow.syn_seen;   // the capture began in an earlier connection of the same ports
    if (!port_reused && !late_join) return flow;
  }
  Flow flow;
  // A SYN-ACK comes from the server; so does nothing else that a capture without the SYN could tell us.
  const bool from_client = !(segment.syn && segment.ack);
  flow.client = from_client ? segment.source : segment.destination;
  flow.server = from_client ? segment.destination : segment.source;
  flow.started_ns = segment.time_ns;
  flow.syn_seen = opening;
  flow.syn = segment.sequence;
  flows_.push_back(std::move(flow));
  open_[{key.first, key.second}] = flows_.size() - 1;
  return flows_.back();
}

void Reassembler::take(const Segment& segment) {
  Flow& flow = flow_of(segment);
  Direction& direction = segment.source == flow.client ? flow.to_server : flow.to_client;
  if (segment.syn) {
    if (!direction.known) direction.base = segment.sequence + 1;
    direction.known = direction.begins = true;
  } else if (!direction.known && !segment.payload.empty()) {
    direction.known = true;
    direction.base = segment.sequence;
  }
  if (!direction.known) return;
  const std::uint32_t first = segment.sequence + (segment.syn ? 1 : 0);
  // Widening: the true offset is the one nearest to what was seen last (RFC 9293, section 3.4: windows are below 2^31).
  const auto expected = direction.base + static_cast<std::uint32_t>(direction.newest);
  const std::int64_t offset = direction.newest + static_cast<std::int32_t>(first - expected);
  const std::string_view bytes(reinterpret_cast<const char*>(segment.payload.data()), segment.payload.size());
  if (!bytes.empty()) insert(direction, offset, bytes, segment.time_ns);
  const std::int64_t end = offset + static_cast<std::int64_t>(bytes.size());
  direction.newest = std::max(direction.newest, end);
  if (segment.fin && direction.fin < 0) direction.fin = end;
}

void Reassembler::insert(Direction& direction, std::int64_t offset, std::string_view bytes, std::int64_t time_ns) {
  auto& pieces = direction.pieces;
  auto next = pieces.upper_bound(offset);
  if (next != pieces.begin()) --next;
  while (!bytes.empty()) {
    while (next != pieces.end() && next->first + static_cast<std::int64_t>(next->second.bytes.size()) <= offset) ++next;
    if (next == pieces.end() || next->first >= offset + static_cast<std::int64_t>(bytes.size())) {
      pieces.emplace_hint(next, offset, Piece{std::string(bytes), time_ns});
      return;
    }
    if (next->first > offset) {   // the part before the piece that is already there
      const auto fresh = static_cast<std::size_t>(next->first - offset);
      pieces.emplace_hint(next, offset, Piece{std::string(bytes.substr(0, fresh)), time_ns});
      bytes.remove_prefix(fresh);
      offset += static_cast<std::int64_t>(fresh);
    }
    const auto within = static_cast<std::size_t>(offset - next->first);
    const auto shared = std::min(bytes.size(), next->second.bytes.size() - within);
    direction.conflicting |= std::string_view(next->second.bytes).substr(within, shared) != bytes.substr(0, shared);
    duplicate_bytes_ += static_cast<std::int64_t>(shared);
    bytes.remove_prefix(shared);
    offset += static_cast<std::int64_t>(shared);
  }
}

Stream Reassembler::stream_of(const Direction& direction) {
  Stream stream;
  stream.begins = direction.begins;
  stream.conflicting = direction.conflicting;
  std::int64_t end = direction.begins ? 0 : (direction.pieces.empty() ? 0 : direction.pieces.begin()->first);
  for (const auto& [offset, piece] : direction.pieces) {
    // A first byte that is missing makes an empty first run, so that "runs.size() > 1" always means a hole.
    if (stream.runs.empty()) stream.runs.push_back({end, {}, {}});
    if (offset != end) stream.runs.push_back({offset, {}, {}});
    Run& run = stream.runs.back();
    run.times.emplace_back(run.bytes.size(), piece.time_ns);
    run.bytes += piece.bytes;
    end = offset + static_cast<std::int64_t>(piece.bytes.size());
  }
  stream.ends = direction.fin >= 0 && direction.fin == end && stream.runs.size() <= 1;
  return stream;
}

std::vector<Connection> Reassembler::finish() {
  std::vector<Connection> connections;
  connections.reserve(flows_.size());
  for (const Flow& flow : flows_) {
    connections.push_back({flow.client, flow.server, flow.started_ns, stream_of(flow.to_server), stream_of(flow.to_client)});
  }
  flows_.clear();
  open_.clear();
  return connections;
}

}  // namespace rehearse::replay
