#include "replay/capture/connections.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstring>
#include <limits>
#include <random>

#include "replay/capture/limits.h"

namespace rehearse::replay {
namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

// Not the same in two runs, so that no capture can be made whose connections all collide. Nothing that is printed depends on it.
const std::uint64_t hash_seed = [] {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}();

}  // namespace

struct Connections::Key {
  Endpoint low, high;
  std::uint32_t network = 0;
  std::uint64_t hash = 0;  // of the above
  friend bool operator==(const Key& a, const Key& b) {
    return a.hash == b.hash && a.network == b.network && std::memcmp(&a.low, &b.low, sizeof a.low) == 0 &&
           std::memcmp(&a.high, &b.high, sizeof a.high) == 0;
  }
};

namespace {

// Which of the two ends comes first in a key: any order will do that is the same for both directions.
bool source_is_low(const Segment& segment) {
  if (segment.source.port != segment.destination.port) return segment.source.port < segment.destination.port;
  return std::memcmp(segment.source.address.data(), segment.destination.address.data(), 16) < 0;
}

struct Ends {
  unsigned char bytes[40];
};

Ends ends_of(const Segment& segment) {
  Ends ends;
  const bool ordered = source_is_low(segment);
  const Endpoint& low = ordered ? segment.source : segment.destination;
  const Endpoint& high = ordered ? segment.destination : segment.source;
  std::memcpy(ends.bytes, low.address.data(), 16);
  std::memcpy(ends.bytes + 16, &low.port, 2);
  std::memcpy(ends.bytes + 18, high.address.data(), 16);
  std::memcpy(ends.bytes + 34, &high.port, 2);
  std::memcpy(ends.bytes + 36, &segment.network, 4);
  return ends;
}

}  // namespace

std::uint64_t shard_hash(const Segment& segment) {
  const Ends ends = ends_of(segment);
  return XXH3_64bits_withSeed(ends.bytes, sizeof ends.bytes, hash_seed);
}

// A connection with its reader. The reader is made when there is something to read, because a SYN that was captured late still
// tells who the client is.
struct Connections::Flow final : StreamReader {
  Flow(const Key& its_key, const Segment& segment, std::int64_t packet, Connections& table)
      : key(its_key),
        identity(std::make_shared<Identity>(Identity{packet, 0})),
        started_ns(segment.time_ns),
        a_is_low(source_is_low(segment)),
        owner(table),
        tcp(*this, table.findings.bytes, table.tcp) {}

  void take(const Piece& piece) override { conversation().take(piece); }
  void gap(Side from, std::int64_t offset, std::int64_t length, std::int64_t time_ns) override {
    conversation().gap(from, offset, length, time_ns);
  }
  void conflict(Side from, std::int64_t offset, std::int64_t length) override {
    conversation().conflict(from, offset, length);
  }
  void end(Side from, End how, std::int64_t time_ns) override {
    if (reader)
      reader->end(from, how, time_ns);
    else
      ends[index_of(from)] = how;
  }

  ProtocolReader& conversation();

  Key key;
  std::shared_ptr<Identity> identity;
  std::int64_t started_ns;
  bool a_is_low;
  bool closed = false;
  bool evicted = false;  // and waits for what follows
  bool goes_on = false;  // one that was evicted
  Connections& owner;
  TcpConnection tcp;
  std::unique_ptr<ProtocolReader> reader;
  std::array<std::optional<End>, 2> ends;  // a side ended before anything was read
  std::int64_t last_ns = 0;
  std::int64_t last_packet = 0;
  std::size_t held = 0;
  std::size_t active = SIZE_MAX;  // its place among those that hold something
  std::list<std::unique_ptr<Flow>>::iterator place;
};

struct Connections::KeyHash {
  using is_avalanching = void;
  std::size_t operator()(const Key& key) const { return key.hash; }
};

struct Connections::Table {
  const KeyLog* keys = nullptr;
  boost::unordered_flat_map<Key, Flow*, KeyHash> flows;
  std::list<std::unique_ptr<Flow>> open;    // the one that was silent longest first
  std::list<std::unique_ptr<Flow>> closed;  // the same
  std::vector<Flow*> active;
  std::size_t held = 0;
};

ProtocolReader& Connections::Flow::conversation() {
  if (reader) return *reader;
  Origin origin;
  const Endpoint& a = a_is_low ? key.low : key.high;
  const Endpoint& b = a_is_low ? key.high : key.low;
  origin.a = text_of(a);
  origin.b = text_of(b);
  origin.connection = identity;
  origin.started_ns = started_ns;
  origin.from_start = tcp.opener().has_value();
  origin.goes_on = goes_on && !origin.from_start;
  origin.keys = owner.table_->keys;
  origin.findings = &owner.findings;
  const auto opener = tcp.opener();
  reader = replay::conversation(origin, opener ? &*opener : nullptr);
  for (const Side side : {Side::a, Side::b}) {
    if (ends[index_of(side)]) reader->end(side, *ends[index_of(side)], last_ns);
  }
  return *reader;
}

Connections::Connections(const KeyLog* keys) : table_(std::make_unique<Table>()) { table_->keys = keys; }
Connections::~Connections() = default;

void Connections::take(const Segment& segment, std::uint64_t hash, std::int64_t packet) {
  Table& table = *table_;
  const bool ordered = source_is_low(segment);
  const Key key{ordered ? segment.source : segment.destination, ordered ? segment.destination : segment.source,
                segment.network, hash};
  Flow* flow = nullptr;
  if (const auto found = table.flows.find(key); found != table.flows.end()) flow = found->second;
  const auto make = [&] {
    table.open.push_back(std::make_unique<Flow>(key, segment, packet, *this));
    flow = table.open.back().get();
    flow->place = std::prev(table.open.end());
    table.flows.insert_or_assign(key, flow);
  };
  if (flow && flow->evicted) {
    end(*flow, End::evicted);
    make();
    flow->goes_on = true;
  }
  if (!flow) make();
  auto from = ordered == flow->a_is_low ? Side::a : Side::b;
  if (segment.source == segment.destination) from = Side::a;
  if (flow->tcp.take(segment, from) == TcpConnection::Fit::another) {
    const auto announced = flow->tcp.announced(segment, from);
    const bool was_low = flow->a_is_low;
    end(*flow, End::another);
    make();
    if (announced) {
      const bool by_a = (announced->first == Side::a) == (was_low == flow->a_is_low);
      flow->tcp.adopt_syn(by_a ? Side::a : Side::b, announced->second);
    }
    from = Side::a;
    static_cast<void>(flow->tcp.take(segment, from));
  }
  flow->last_ns = std::max(flow->last_ns, segment.time_ns);
  flow->last_packet = packet;
  auto& list = flow->closed ? table.closed : table.open;
  list.splice(list.end(), list, flow->place);
  const bool mere_acknowledgement = segment.payload.empty() && !segment.syn && !segment.fin && !segment.rst;
  if (!mere_acknowledgement || flow->active != SIZE_MAX) refresh(*flow);
}

// Keeps the sums over connections up to date.
void Connections::refresh(Flow& flow) {
  Table& table = *table_;
  const std::size_t held = flow.tcp.held_bytes() + (flow.reader ? flow.reader->held_bytes() : 0);
  table.held += held - flow.held;
  flow.held = held;
  const bool active = held > 0 || (flow.reader && flow.reader->oldest_ns() != never);
  if (active && flow.active == SIZE_MAX) {
    flow.active = table.active.size();
    table.active.push_back(&flow);
  } else if (!active && flow.active != SIZE_MAX) {
    table.active.back()->active = flow.active;
    table.active[flow.active] = table.active.back();
    table.active.pop_back();
    flow.active = SIZE_MAX;
  }
  if (!flow.closed && flow.tcp.closed()) {
    flow.closed = true;
    flow.reader.reset();
    table.closed.splice(table.closed.end(), table.open, flow.place);
    refresh(flow);
  }
}

void Connections::end(Flow& flow, End how) {
  Table& table = *table_;
  if (!flow.closed) flow.tcp.finish(how);
  flow.reader.reset();
  refresh(flow);
  table.flows.erase(flow.key);
  (flow.closed ? table.closed : table.open).erase(flow.place);
}

void Connections::expire(std::int64_t clock_ns) {
  Table& table = *table_;
  while (!table.closed.empty() && clock_ns - table.closed.front()->last_ns > limits::closed_ns)
    end(*table.closed.front(), End::finished);
  while (!table.open.empty() && clock_ns - table.open.front()->last_ns > limits::idle_ns)
    end(*table.open.front(), End::unfinished);
}

std::size_t Connections::size() const { return table_->open.size() + table_->closed.size(); }
std::size_t Connections::held_bytes() const { return table_->held; }

std::int64_t Connections::oldest_ns() const {
  std::int64_t oldest = never;
  for (const Flow* flow : table_->active) {
    oldest = std::min(oldest, flow->tcp.oldest_held_ns());
    if (flow->reader) oldest = std::min(oldest, flow->reader->oldest_ns());
  }
  return oldest;
}

std::int64_t Connections::longest_silent() const {
  const std::int64_t closed = table_->closed.empty() ? never : table_->closed.front()->last_packet;
  const std::int64_t open = table_->open.empty() ? never : table_->open.front()->last_packet;
  return std::min(open, closed);
}

void Connections::evict_longest_silent() {
  Table& table = *table_;
  const bool closed = table.open.empty() ||
                      (!table.closed.empty() && table.closed.front()->last_packet < table.open.front()->last_packet);
  if (!closed) ++evicted;
  end(closed ? *table.closed.front() : *table.open.front(), End::evicted);
}

std::vector<Connections::Holder> Connections::holders() const {
  std::vector<Holder> all;
  for (Flow* flow : table_->active) {
    if (flow->held > 0) all.push_back({flow->held, flow->identity->born, flow});
  }
  return all;
}

// It stays, as one that is closed does, so that what follows is known for its rest.
void Connections::evict(const Holder& holder) {
  ++evicted;
  Flow& flow = *static_cast<Flow*>(holder.flow);
  flow.evicted = true;
  flow.tcp.finish(End::evicted);
  refresh(flow);
  // Among those in the order of their last packets, which must not depend on who was ended first.
  auto& closed = table_->closed;
  auto place = flow.place;
  while (place != closed.begin() && (*std::prev(place))->last_packet > flow.last_packet) --place;
  closed.splice(place, closed, flow.place);
}

void Connections::finish() {
  while (!table_->open.empty()) end(*table_->open.front(), End::unfinished);
  while (!table_->closed.empty()) end(*table_->closed.front(), End::finished);
}

}  // namespace rehearse::replay
