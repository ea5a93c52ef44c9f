#include "replay/capture/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <memory>
#include <set>
#include <utility>

#include "replay/capture/connections.h"
#include "replay/capture/crew.h"
#include "replay/capture/decode.h"
#include "replay/capture/filter.h"
#include "replay/capture/fragments.h"
#include "replay/capture/goreplay.h"
#include "replay/capture/har.h"
#include "replay/capture/key_log.h"
#include "replay/capture/packet_reader.h"
#include "replay/error.h"

namespace rehearse::replay {
namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

// Several captures as one, ordered by the time of their packets as far as each of them is. Of equal times the file that was named
// first comes first.
class Merged final : public PacketSource {
 public:
  void add(std::unique_ptr<ByteSource> source, const std::string& name) {
    readers_.push_back({std::make_unique<PacketReader>(std::move(source), name), name, {}, 0, 0});
  }

  bool read(std::vector<Packet>& batch, Quota& quota) override {
    if (readers_.size() == 1)
      readers_[0].reader->read(batch, quota);
    else
      merge(batch, quota);
    return !batch.empty();
  }

  [[nodiscard]] std::string take_secrets() override {
    std::string fresh;
    for (One& one : readers_) {
      fresh += std::string_view(one.reader->secrets()).substr(one.secrets);
      one.secrets = one.reader->secrets().size();
    }
    return fresh;
  }

  void finish(Certificate& certificate) const override {
    for (const One& one : readers_) {
      for (const std::string& note : one.reader->notes())
        certificate.notes.push_back(fmt::format("{}: {}", one.path, note));
      if (one.reader->dropped() > 0)
        certificate.packets["dropped by the capturing host"] += static_cast<std::int64_t>(one.reader->dropped());
      if (one.reader->unread() > 0)
        certificate.remarks["bytes of capture files that could not be read"] +=
            static_cast<std::int64_t>(one.reader->unread());
      if (one.reader->skipped() > 0) {
        certificate.packets["read"] += static_cast<std::int64_t>(one.reader->skipped());
        certificate.packets["of an unknown interface"] += static_cast<std::int64_t>(one.reader->skipped());
      }
      certificate.remarks["bytes of capture files"] += static_cast<std::int64_t>(one.reader->bytes_read());
    }
  }

 private:
  void merge(std::vector<Packet>& batch, Quota& quota) {
    batch.clear();
    for (One& one : readers_) {
      if (one.next == one.packets.size()) {
        Quota own;
        one.reader->read(one.packets, own);
        one.next = 0;
      }
    }
    while (!quota.used_up()) {
      One* first = nullptr;
      for (One& one : readers_) {
        if (one.next == one.packets.size()) {
          if (one.next > 0) return;  // its next packets are not known; an empty one has none
          continue;
        }
        if (!first || one.packets[one.next].time_ns < first->packets[first->next].time_ns) first = &one;
      }
      if (!first) return;
      batch.push_back(first->packets[first->next++]);
      quota.take(batch.back());
    }
  }

  struct One {
    std::unique_ptr<PacketReader> reader;
    std::string path;
    std::vector<Packet> packets;
    std::size_t next;
    std::size_t secrets;  // bytes of them that were handed over
  };
  std::vector<One> readers_;
};

// Finished exchanges that wait until nothing earlier can come.
class Ordering {
 public:
  // `shards` is how many there are that exchanges come from.
  Ordering(Certificate& certificate, const std::function<void(Exchange&&)>& take, std::size_t shards)
      : certificate_(certificate), take_(take), fresh_(shards), handed_over_(shards), used_(shards) {}

  // Takes what was finished in a shard; for each shard by one thread at a time.
  void prepare(std::vector<std::shared_ptr<Finished>>& fresh, std::size_t shard) {
    for (auto& finished : fresh) {
      Exchange& exchange = finished->exchange;
      refuse_unsendable(exchange);
      const std::size_t size =
          1024 + exchange.request.body.size() + (exchange.response ? exchange.response->body.size() : 0);
      fresh_[shard].push_back({{exchange.request_ns, finished->connection->born, exchange.index},
                               std::max({exchange.request_ns, exchange.request_end_ns, exchange.response_end_ns}),
                               size,
                               shard,
                               std::move(finished)});
    }
    fresh.clear();
  }

  // Puts in order what was prepared.
  void add() {
    for (auto& fresh : fresh_) {
      for (Waiting& each : fresh) {
        bytes_ += each.size;
        waiting_.push_back(std::move(each));
        std::push_heap(waiting_.begin(), waiting_.end(), later);
      }
      fresh.clear();
    }
  }

  // Exchanges that were no packets, ordered by the time of their requests.
  void add_others(std::vector<Exchange> others) {
    others_ = std::move(others);
    for (Exchange& exchange : others_) refuse_unsendable(exchange);
  }
  // Hands over the rest of those.
  void finish() { hand_over_others(never); }

  // What began before `oldest_ns` and has been finished for as long as a retransmission may follow it is to be handed over. No
  // more can be learnt of it.
  void release(std::int64_t oldest_ns, std::int64_t clock_ns) {
    while (!waiting_.empty()) {
      const Waiting& first = waiting_.front();
      const bool settled = clock_ns == never || first.done_ns <= clock_ns - limits::settle_ns;
      if ((first.place.request_ns >= oldest_ns || !settled) && bytes_ <= limits::ordering_bytes) return;
      std::pop_heap(waiting_.begin(), waiting_.end(), later);
      bytes_ -= waiting_.back().size;
      waiting_.back().finished->released = true;
      released_.push_back(std::move(waiting_.back()));
      waiting_.pop_back();
    }
  }

  // Hands over what was released; connections may be looked at meanwhile.
  void hand_over() {
    for (Waiting& each : released_) {
      Exchange& exchange = each.finished->exchange;
      hand_over_others(exchange.request_ns);
      std::int64_t& number = each.finished->connection->number;
      if (number == 0) number = ++certificate_.connections;
      exchange.connection = number;
      hand_over(std::move(exchange));
      handed_over_[each.shard].push_back(std::move(each.finished));
    }
    released_.clear();
  }

  // What was handed over is given back by who made it: for one thread to free what another one allocated takes several times as
  // long. Call `turn` between two rounds and `give_back` in the next one, for each shard.
  void turn() { std::swap(handed_over_, used_); }
  void give_back(std::size_t shard) {
    // Its connection remembers it for a while, and shall not keep its bodies.
    for (const auto& finished : used_[shard]) finished->exchange = Exchange{};
    used_[shard].clear();
  }

 private:
  // No client can send that again.
  static void refuse_unsendable(Exchange& exchange) {
    if (exchange.complete() && !unsendable(exchange.request).empty()) exchange.add_flag(flag::malformed);
  }
  struct Place {
    std::int64_t request_ns, born, index;
    auto operator<=>(const Place&) const = default;
  };
  struct Waiting {
    Place place;
    std::int64_t done_ns;
    std::size_t size;
    std::size_t shard;
    std::shared_ptr<Finished> finished;
  };
  static bool later(const Waiting& a, const Waiting& b) { return a.place > b.place; }

  void hand_over_others(std::int64_t until_ns) {
    for (; next_other_ < others_.size() && others_[next_other_].request_ns <= until_ns; ++next_other_) {
      Exchange& exchange = others_[next_other_];
      std::int64_t& number = other_connections_[exchange.connection];
      if (number == 0) number = ++certificate_.connections;
      exchange.connection = number;
      hand_over(std::move(exchange));
    }
  }

  void hand_over(Exchange&& exchange) {
    exchange.id = ++id_;
    count(exchange);
    take_(std::move(exchange));
  }

  void count(const Exchange& exchange) {
    certificate_.exchanges[exchange.complete() ? "complete" : exchange.flags.front()] += 1;
    if (exchange.complete()) return;
    const auto problem = certificate_.incomplete.find(exchange.connection);
    if (problem == certificate_.incomplete.end() && certificate_.incomplete.size() >= limits::listed_connections) {
      ++certificate_.incomplete_unlisted;
      return;
    }
    Certificate::Incomplete& entry = certificate_.incomplete[exchange.connection];
    entry.client = exchange.client;
    entry.server = exchange.server;
    for (const std::string& flag : exchange.flags) ++entry.flags[flag];
  }

  Certificate& certificate_;
  const std::function<void(Exchange&&)>& take_;
  std::vector<Waiting> waiting_;                                            // a heap, the earliest in front
  std::vector<Waiting> released_;                                           // in their order
  std::vector<std::vector<Waiting>> fresh_;                                 // by shard
  std::vector<std::vector<std::shared_ptr<Finished>>> handed_over_, used_;  // the same
  std::vector<Exchange> others_;
  std::size_t next_other_ = 0;
  std::map<std::int64_t, std::int64_t> other_connections_;  // by the number that their file gave
  std::size_t bytes_ = 0;
  std::int64_t id_ = 0;
};

// Segments that were found in a part of a batch, and which of them belong to each shard.
struct Part {
  struct Numbered {
    Segment segment;
    std::uint64_t hash;
    std::int64_t packet;  // its number in the capture
  };
  std::vector<Numbered> segments;
  std::vector<std::vector<std::uint32_t>> shards;
  std::vector<std::uint32_t> fragments;  // places in the batch
};

// Packets that were read together. A batch is read in one round, taken apart in the next and looked at in the one after.
struct Batch {
  std::vector<Packet> packets;
  std::int64_t first = 0;     // the number of the first one in the capture
  std::string secrets;        // of TLS, that came with the packets
  std::int64_t clock_ns = 0;  // the latest time of any packet so far
  bool settles = false;       // limits are looked after behind this batch
  bool last = false;          // the end of the capture; there are no packets
  std::vector<Part> parts;
  Part whole_again;  // what was put together from fragments
  std::vector<std::vector<unsigned char>> datagrams;
};

// What was seen while packets were taken apart. One for each part, so that several threads can count.
struct Tally {
  std::array<std::int64_t, packet_kinds> kinds{};
  std::int64_t filtered = 0, captured = 0, cut = 0, bad_checksums = 0;
};

class Import {
 public:
  Import(const ImportOptions& options, const std::function<void(Exchange&&)>& take)
      : options_(options),
        filter_(options.filter),
        crew_(std::max(1u, options.threads)),
        ordering_(certificate_, take, shares_of(options)) {
    const std::size_t shares = shares_of(options);
    for (std::size_t i = 0; i < shares; ++i) tables_.push_back(std::make_unique<Connections>(&keys_));
    tallies_.resize(shares);
    for (Batch& batch : batches_) {
      batch.parts.resize(shares);
      for (Part& part : batch.parts) part.shards.resize(shares);
      batch.whole_again.shards.resize(shares);
    }
    if (!options.key_log.empty()) open_key_log();
  }

  Certificate run(const std::vector<std::string>& paths) {
    Merged files;
    std::vector<Exchange> others;
    for (const std::string& path : paths) open(path, files, others);
    std::stable_sort(others.begin(), others.end(),
                     [](const Exchange& a, const Exchange& b) { return a.request_ns < b.request_ns; });
    ordering_.add_others(std::move(others));
    return run(files);
  }

  // Rounds: a batch is read while the one before it is taken apart, the connections of the one before that are looked at, and what
  // was released is handed over.
  Certificate run(PacketSource& source) {
    const std::size_t shares = tables_.size();
    for (std::size_t round = 0;; ++round) {
      Batch& fresh = batches_[round % 3];
      Batch& read = batches_[(round + 2) % 3];
      Batch& apart = batches_[(round + 1) % 3];
      if (apart.last) break;
      keys_.append(apart.secrets);
      read_key_log();
      // What takes longest and cannot be divided comes first: for one thread reading, for another one handing over. A single one
      // reads last, because what it looks at is still in its caches.
      crew_.run(2 * shares + 2, [&](std::size_t task) {
        if (crew_.size() == 1) task = (task + 1) % (2 * shares + 2);
        if (task == 0 && !read.last)
          load(source, fresh);
        else if (task == 0)
          return;
        else if (task <= shares)
          take_apart(read, task - 1);
        else if (task == shares + 1)
          ordering_.hand_over();
        else
          look_at(apart, task - shares - 2);
      });
      put_together(read);
      ordering_.turn();
      if (apart.settles) settle(apart.clock_ns);
    }
    fragments_.finish();
    crew_.run(shares, [&](std::size_t shard) { tables_[shard]->finish(); });
    release(never, never);
    ordering_.hand_over();
    ordering_.finish();
    summarise();
    source.finish(certificate_);
    return std::move(certificate_);
  }

 private:
  // In how many parts work is divided: more than threads, so that those which are done early find something to do.
  static std::size_t shares_of(const ImportOptions& options) { return options.threads <= 1 ? 1 : 4 * options.threads; }

  void open_key_log() {
    key_log_.open(options_.key_log, std::ios::binary);
    read_key_log();
    keys_.finish();
  }

  // What was written since the last time: a program that is captured live writes its secrets meanwhile.
  void read_key_log() {
    if (options_.key_log.empty()) return;
    std::string part(1u << 16, '\0');
    while (key_log_.read(part.data(), static_cast<std::streamsize>(part.size())) || key_log_.gcount() > 0) {
      keys_.append(std::string_view(part).substr(0, static_cast<std::size_t>(key_log_.gcount())));
      key_log_bytes_ += static_cast<std::size_t>(key_log_.gcount());
      if (key_log_bytes_ > limits::key_log_bytes)
        throw Error(fmt::format("the key log {} is longer than {} bytes; give one of this capture", options_.key_log,
                                limits::key_log_bytes));
    }
    if (!key_log_.eof()) throw Error(fmt::format("cannot read the key log {}; check the path", options_.key_log));
    key_log_.clear();
  }

  // Packets are read as the work goes on; the other formats, which are small, at once.
  void open(const std::string& path, Merged& files, std::vector<Exchange>& others) {
    const std::string name = path == "-" ? "standard input" : path;
    auto source = open_bytes(path);
    const std::string_view beginning = source->beginning();
    const bool goreplay = looks_like_goreplay(beginning);
    const auto first = beginning.find_first_not_of(" \t\r\n\xef\xbb\xbf");
    if (!goreplay && (first == std::string_view::npos || beginning[first] != '{')) {
      files.add(std::move(source), name);
      return;
    }
    if (!options_.filter.empty())
      certificate_.notes.push_back(fmt::format("{} holds no packets: the filter was not applied to it", name));
    Traffic traffic = goreplay ? read_goreplay(*source, name) : read_har(contents_of(*source, name), name);
    for (Exchange& exchange : traffic.exchanges) {
      exchange.connection += other_connections_;
      others.push_back(std::move(exchange));
    }
    other_connections_ += traffic.certificate.connections;
    for (const auto& [remark, count] : traffic.certificate.remarks) certificate_.remarks[remark] += count;
    for (std::string& note : traffic.certificate.notes) certificate_.notes.push_back(std::move(note));
  }

  static std::string contents_of(ByteSource& source, const std::string& name) {
    std::string contents;
    std::vector<unsigned char> chunk(256u << 10);
    while (const std::size_t got = source.read(chunk)) {
      contents.append(reinterpret_cast<const char*>(chunk.data()), got);
      if (contents.size() > limits::document_bytes)
        throw Error(fmt::format("{} is longer than {} bytes; divide it", name, limits::document_bytes));
    }
    // Half a document cannot be read.
    if (source.problem()) throw Error(fmt::format("{}: {}; fetch it anew", name, *source.problem()));
    return contents;
  }

  void load(PacketSource& source, Batch& batch) {
    batch.last = !source.read(batch.packets, quota_);
    batch.secrets = source.take_secrets();
    batch.first = packets_;
    packets_ += static_cast<std::int64_t>(batch.packets.size());
    for (const Packet& packet : batch.packets) clock_ns_ = std::max(clock_ns_, packet.time_ns);
    batch.clock_ns = clock_ns_;
    // A source that had nothing for a while is one of a live capture.
    batch.settles = quota_.used_up() || batch.packets.empty();
    if (quota_.used_up()) quota_ = {};
  }

  void take_apart(Batch& batch, std::size_t share) {
    Part& part = batch.parts[share];
    part.segments.clear();
    part.fragments.clear();
    for (auto& shard : part.shards) shard.clear();
    Tally& tally = tallies_[share];
    const auto checksums = options_.verify_checksums ? Checksums::verified : Checksums::ignored;
    const std::size_t size = batch.packets.size(), shares = batch.parts.size();
    for (std::size_t at = size * share / shares; at < size * (share + 1) / shares; ++at) {
      const Packet& packet = batch.packets[at];
      if (!filter_.accepts(packet)) {
        ++tally.filtered;
        continue;
      }
      Part::Numbered& one = part.segments.emplace_back();
      const PacketKind kind = decode(packet, one.segment, nullptr, checksums);
      if (kind == PacketKind::tcp) {
        one.packet = batch.first + static_cast<std::int64_t>(at);
        add(part, packet, tally);
        continue;
      }
      part.segments.pop_back();
      if (kind == PacketKind::fragment)
        part.fragments.push_back(static_cast<std::uint32_t>(at));
      else
        ++tally.kinds[static_cast<std::size_t>(kind)];
    }
  }

  // The last one of the part's segments is one of `packet`.
  static void add(Part& part, const Packet& packet, Tally& tally) {
    Part::Numbered& one = part.segments.back();
    one.segment.time_ns = packet.time_ns;
    one.hash = shard_hash(one.segment);
    part.shards[one.hash % part.shards.size()].push_back(static_cast<std::uint32_t>(part.segments.size() - 1));
    ++tally.kinds[static_cast<std::size_t>(PacketKind::tcp)];
    tally.captured += static_cast<std::int64_t>(one.segment.payload.size());
    tally.cut += one.segment.missing > 0;
    tally.bad_checksums += one.segment.bad_checksum;
  }

  // Fragments, in the order of the capture. What was put together lies where the last one of its fragments did.
  void put_together(Batch& batch) {
    Part& part = batch.whole_again;
    part.segments.clear();
    for (auto& shard : part.shards) shard.clear();
    batch.datagrams.clear();
    for (const Part& other : batch.parts) {
      for (const std::uint32_t at : other.fragments) {
        Part::Numbered& one = part.segments.emplace_back();
        const PacketKind kind = decode(batch.packets[at], one.segment, &fragments_);
        if (kind != PacketKind::tcp) {
          part.segments.pop_back();
          ++tallies_[0].kinds[static_cast<std::size_t>(kind)];
          continue;
        }
        one.segment.payload = batch.datagrams.emplace_back(one.segment.payload.begin(), one.segment.payload.end());
        one.packet = batch.first + at;
        add(part, batch.packets[at], tallies_[0]);
      }
    }
  }

  void look_at(Batch& batch, std::size_t shard) {
    ordering_.give_back(shard);
    Connections& table = *tables_[shard];
    const auto take = [&](const Part::Numbered& one) { table.take(one.segment, one.hash, one.packet); };
    const Part& again = batch.whole_again;
    auto next_again = again.shards[shard].begin();
    for (const Part& part : batch.parts) {
      for (const std::uint32_t at : part.shards[shard]) {
        const Part::Numbered& one = part.segments[at];
        for (; next_again != again.shards[shard].end() && again.segments[*next_again].packet < one.packet; ++next_again)
          take(again.segments[*next_again]);
        take(one);
      }
    }
    for (; next_again != again.shards[shard].end(); ++next_again) take(again.segments[*next_again]);
    if (batch.settles) table.expire(batch.clock_ns);
    ordering_.prepare(table.findings.exchanges, shard);
  }

  void settle(std::int64_t clock_ns) {
    keep_limits();
    std::int64_t oldest = never;
    for (const auto& table : tables_) oldest = std::min(oldest, table->oldest_ns());
    release(oldest, clock_ns);
  }

  // Limits on all connections together, in an order that does not depend on how they are divided.
  void keep_limits() {
    const auto total = [&](auto what) {
      std::size_t sum = 0;
      for (const auto& table : tables_) sum += what(*table);
      return sum;
    };
    while (total([](const Connections& table) { return table.size(); }) > limits::connections) {
      (*std::min_element(tables_.begin(), tables_.end(), [](const auto& a, const auto& b) {
        return a->longest_silent() < b->longest_silent();
      }))->evict_longest_silent();
    }
    if (total([](const Connections& table) { return table.held_bytes(); }) <= limits::total_bytes) return;
    // Those that hold most, until there is room for a while: looking for them costs a look at each.
    std::vector<std::pair<Connections::Holder, Connections*>> holders;
    for (const auto& table : tables_) {
      for (const Connections::Holder& holder : table->holders()) holders.emplace_back(holder, table.get());
    }
    std::sort(holders.begin(), holders.end(), [](const auto& x, const auto& y) {
      return std::tuple(x.first.bytes, -x.first.born) > std::tuple(y.first.bytes, -y.first.born);
    });
    for (const auto& [holder, table] : holders) {
      if (total([](const Connections& each) { return each.held_bytes(); }) <= limits::total_bytes / 4 * 3) break;
      table->evict(holder);
    }
  }

  void release(std::int64_t oldest_ns, std::int64_t clock_ns) {
    for (std::size_t shard = 0; shard < tables_.size(); ++shard)  // of connections that were ended meanwhile
      ordering_.prepare(tables_[shard]->findings.exchanges, shard);
    ordering_.add();
    ordering_.release(oldest_ns, clock_ns);
  }

  void summarise() {
    TcpCounts tcp;
    ByteCounts bytes{};
    std::int64_t evicted = 0;
    std::set<std::string> notes;  // the same for any number of threads
    for (const auto& table : tables_) {
      tcp.add(table->tcp);
      evicted += table->evicted;
      for (std::size_t kind = 0; kind < byte_kinds; ++kind) bytes[kind] += table->findings.bytes[kind];
      for (const auto& [name, count] : table->findings.remarks) certificate_.remarks[name] += count;
      notes.insert(table->findings.notes.begin(), table->findings.notes.end());
    }
    certificate_.notes.insert(certificate_.notes.end(), notes.begin(), notes.end());
    Tally sum;
    for (const Tally& tally : tallies_) {
      for (std::size_t kind = 0; kind < packet_kinds; ++kind) sum.kinds[kind] += tally.kinds[kind];
      sum.filtered += tally.filtered;
      sum.captured += tally.captured;
      sum.cut += tally.cut;
      sum.bad_checksums += tally.bad_checksums;
    }
    const auto put = [](auto& counts, std::string_view name, std::int64_t count) {
      if (count > 0) counts[std::string(name)] += count;
    };
    certificate_.packets["read"] += packets_;
    put(certificate_.packets, "left out by the filter", sum.filtered);
    // What was kept is counted as lost when nothing came of it.
    sum.kinds[static_cast<std::size_t>(PacketKind::fragment)] -= fragments_.counts().lost;
    sum.kinds[static_cast<std::size_t>(PacketKind::fragment_lost)] += fragments_.counts().lost;
    for (std::size_t kind = 0; kind < packet_kinds; ++kind)
      put(certificate_.packets, name_of(static_cast<PacketKind>(kind)), sum.kinds[kind]);
    put(certificate_.remarks, "packets cut by the snap length", sum.cut);
    put(certificate_.remarks, "packets with a wrong TCP checksum", sum.bad_checksums);
    put(certificate_.remarks, "datagrams put together from fragments", fragments_.counts().reassembled);
    put(certificate_.remarks, "datagrams whose fragments contradict each other", fragments_.counts().conflicts);
    put(certificate_.remarks, "conflicting retransmissions", tcp.conflicts);
    put(certificate_.remarks, "retransmitted bytes that could not be compared", tcp.uncompared_bytes);
    put(certificate_.remarks, "segments outside the window", tcp.stray_segments);
    put(certificate_.remarks, "gaps", tcp.gaps);
    put(certificate_.remarks, "connections ended by a limit", evicted);
    put(certificate_.remarks, "lines of a key log that are none", keys_.bad_lines());
    put(certificate_.remarks, "secrets of a key log beyond the limit", keys_.left_out());
    certificate_.bytes["captured"] = sum.captured;
    certificate_.bytes["missing (gaps)"] = tcp.gap_bytes;
    for (std::size_t kind = 0; kind < byte_kinds; ++kind)
      put(certificate_.bytes, name_of(static_cast<ByteKind>(kind)), bytes[kind]);
  }

  ImportOptions options_;
  Filter filter_;
  Crew crew_;
  Certificate certificate_;
  Ordering ordering_;
  KeyLog keys_;
  std::ifstream key_log_;
  std::size_t key_log_bytes_ = 0;
  Fragments fragments_;
  std::vector<std::unique_ptr<Connections>> tables_;
  std::array<Batch, 3> batches_;  // they take turns
  Quota quota_;                   // until limits are looked after again
  std::int64_t clock_ns_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t packets_ = 0;
  std::int64_t other_connections_ = 0;
  std::vector<Tally> tallies_;
};

}  // namespace

Certificate import_captures(const std::vector<std::string>& paths, const ImportOptions& options,
                            const std::function<void(Exchange&&)>& take) {
  return Import(options, take).run(paths);
}

Certificate import_packets(std::unique_ptr<PacketSource> source, const ImportOptions& options,
                           const std::function<void(Exchange&&)>& take) {
  return Import(options, take).run(*source);
}

Traffic import_captures(const std::vector<std::string>& paths, const ImportOptions& options) {
  Traffic traffic;
  traffic.certificate =
      import_captures(paths, options, [&](Exchange&& exchange) { traffic.exchanges.push_back(std::move(exchange)); });
  return traffic;
}

}  // namespace rehearse::replay
