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

// The true offset is the one nearest to what was seen last (RFC 9293, section 3.4: windows are below 2^31).
std::int64_t Reassembler::offset_of(const Direction& direction, std::uint32_t sequence) {
  const auto expected = direction.base + static_cast<std::uint32_t>(direction.newest);
  return direction.newest + static_cast<std::int32_t>(sequence - expected);
}

bool Reassembler::opens_another(const Flow& flow, const Segment& segment) {
  if (!segment.syn) return false;
  const auto& known = segment.ack ? flow.syn_ack : flow.syn;
  if (known) return *known != segment.sequence;
  const Direction& direction = segment.source == flow.client ? flow.to_server : flow.to_client;
  const std::uint32_t first = segment.sequence + 1;
  if (direction.known) {
    const std::int64_t seen = direction.pieces.empty() ? 0 : std::min<std::int64_t>(0, direction.pieces.begin()->first);
    return offset_of(direction, first) > seen;
  }
  return direction.acknowledged && static_cast<std::int32_t>(*direction.acknowledged - first) < 0;
}

Reassembler::Flow& Reassembler::flow_of(const Segment& segment) {
  const auto key = std::minmax(segment.source, segment.destination);
  const auto found = open_.find({key.first, key.second});
  if (found != open_.end() && !opens_another(flows_[found->second], segment)) return flows_[found->second];
  Flow flow;
  flow.client = segment.source;
  flow.server = segment.destination;
  flow.started_ns = segment.time_ns;
  flows_.push_back(std::move(flow));
  open_[{key.first, key.second}] = flows_.size() - 1;
  return flows_.back();
}

void Reassembler::take(const Segment& segment) {
  Flow& flow = flow_of(segment);
  if (segment.syn) {
    // The handshake says who the client is; without it, who spoke first has to do.
    if ((segment.ack ? segment.destination : segment.source) != flow.client) {
      std::swap(flow.client, flow.server);
      std::swap(flow.to_server, flow.to_client);
    }
    (segment.ack ? flow.syn_ack : flow.syn) = segment.sequence;
  }
  const bool from_client = segment.source == flow.client;
  Direction& direction = from_client ? flow.to_server : flow.to_client;
  if (segment.ack) (from_client ? flow.to_client : flow.to_server).acknowledged = segment.acknowledgement;
  // Where a cut segment ended is not known, and so neither is the place of its FIN.
  const bool ends = segment.fin && !segment.cut;
  if (!segment.syn && !ends && segment.payload.empty()) return;
  const std::uint32_t first = segment.sequence + (segment.syn ? 1 : 0);
  if (!direction.known) {
    direction.known = true;
    direction.base = first;
  }
  const std::int64_t offset = offset_of(direction, first);
  if (segment.syn) {
    direction.begins = true;
    direction.begin = offset;
  }
  const std::string_view bytes(reinterpret_cast<const char*>(segment.payload.data()), segment.payload.size());
  if (!bytes.empty()) insert(direction, offset, bytes, segment.time_ns);
  const std::int64_t end = offset + static_cast<std::int64_t>(bytes.size());
  direction.newest = std::max(direction.newest, end);
  if (ends && !direction.fin) direction.fin = end;
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
    if (next->first > offset) {  // the part before the piece that is already there
      const auto fresh = static_cast<std::size_t>(next->first - offset);
      pieces.emplace_hint(next, offset, Piece{std::string(bytes.substr(0, fresh)), time_ns});
      bytes.remove_prefix(fresh);
      offset += static_cast<std::int64_t>(fresh);
    }
    const auto within = static_cast<std::size_t>(offset - next->first);
    const auto shared = std::min(bytes.size(), next->second.bytes.size() - within);
    // A keep-alive probe may carry one byte of garbage in front of the next number (RFC 9293, section 3.8.4).
    const bool probe = bytes.size() == 1 && offset + 1 == direction.newest;
    direction.conflicting |=
        !probe && std::string_view(next->second.bytes).substr(within, shared) != bytes.substr(0, shared);
    duplicate_bytes_ += static_cast<std::int64_t>(shared);
    bytes.remove_prefix(shared);
    offset += static_cast<std::int64_t>(shared);
  }
}

Stream Reassembler::stream_of(const Direction& direction) {
  Stream stream;
  stream.begins = direction.begins;
  stream.conflicting = direction.conflicting;
  std::int64_t end = direction.begins           ? direction.begin
                     : direction.pieces.empty() ? direction.fin.value_or(0)
                                                : direction.pieces.begin()->first;
  for (const auto& [offset, piece] : direction.pieces) {
    // A first byte that is missing makes an empty first run, so that "runs.size() > 1" always means a hole.
    if (stream.runs.empty()) stream.runs.push_back({end, {}, {}});
    if (offset != end) stream.runs.push_back({offset, {}, {}});
    Run& run = stream.runs.back();
    run.times.emplace_back(run.bytes.size(), piece.time_ns);
    run.bytes += piece.bytes;
    end = offset + static_cast<std::int64_t>(piece.bytes.size());
  }
  stream.ends = direction.fin && *direction.fin == end && stream.runs.size() <= 1;
  return stream;
}

std::vector<Connection> Reassembler::finish() {
  std::vector<Connection> connections;
  connections.reserve(flows_.size());
  for (const Flow& flow : flows_) {
    connections.push_back(
        {flow.client, flow.server, flow.started_ns, stream_of(flow.to_server), stream_of(flow.to_client)});
  }
  flows_.clear();
  open_.clear();
  return connections;
}

}  // namespace rehearse::replay
