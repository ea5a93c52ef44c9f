#include "replay/capture/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <fstream>
#include <limits>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

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
    One& one = readers_.emplace_back();
    one.reader = std::make_unique<PacketReader>(std::move(source), name);
    one.path = name;
  }

  void fetch(Block& block) override {
    block.held.clear();
    if (readers_.size() == 1) readers_[0].reader->fetch(block);
  }

  Found find(Block& block, std::vector<Packet>& batch, Quota& quota) override {
    return readers_.size() == 1 ? readers_[0].reader->find(block, batch, quota) : merge(block, batch, quota);
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
  struct One {
    std::unique_ptr<PacketReader> reader;
    std::string path;
    std::shared_ptr<Block> block{};
    Found found = Found::all;
    std::vector<Packet> packets{};
    std::size_t next = 0;
    std::size_t secrets = 0;  // bytes of them that were handed over
  };

  // Several files have blocks of their own.
  Found merge(Block& block, std::vector<Packet>& batch, Quota& quota) {
    batch.clear();
    for (One& one : readers_) {
      while (one.next == one.packets.size() && one.found != Found::end) read_on(one);
      block.held.push_back(one.block);
    }
    while (true) {
      One* first = nullptr;
      for (One& one : readers_) {
        if (one.next < one.packets.size()) {
          if (!first || one.packets[one.next].time_ns < first->packets[first->next].time_ns) first = &one;
        } else if (one.found != Found::end) {
          return Found::all;  // its next packets are not known
        }
      }
      if (!first) return Found::end;
      if (quota.used_up()) return Found::some;
      batch.push_back(first->packets[first->next++]);
      quota.take(batch.back());
    }
  }

  static void read_on(One& one) {
    if (one.found == Found::all) {
      one.block = std::make_shared<Block>();
      one.reader->fetch(*one.block);
    }
    Quota own;
    one.found = one.reader->find(*one.block, one.packets, own);
    one.next = 0;
  }

  std::vector<One> readers_;
};

// Finished exchanges that wait until nothing earlier can come.
class Ordering {
 private:
  struct Place {
    std::int64_t request_ns, born, index;
    auto operator<=>(const Place&) const = default;
  };

 public:
  struct Waiting {
    Place place;
    std::int64_t done_ns;
    std::size_t size;
    unsigned thread;  // that made it
    std::shared_ptr<Finished> finished;
  };

  // `shards` is how many there are that exchanges come from, `threads` how many make them.
  Ordering(Certificate& certificate, const std::function<void(Exchange&&)>& take, std::size_t shards, unsigned threads)
      : certificate_(certificate), take_(take), fresh_(shards), used_(threads), handed_over_(threads) {}

  // Takes what `thread` finished in a shard; for each shard by one thread at a time.
  void prepare(std::vector<std::shared_ptr<Finished>>& fresh, std::size_t shard, unsigned thread) {
    for (auto& finished : fresh) {
      Exchange& exchange = finished->exchange;
      refuse_unsendable(exchange);
      const std::size_t size =
          1024 + exchange.request.body.size() + (exchange.response ? exchange.response->body.size() : 0);
      fresh_[shard].push_back({{exchange.request_ns, finished->connection->born, exchange.index},
                               std::max({exchange.request_ns, exchange.request_end_ns, exchange.response_end_ns}),
                               size,
                               thread,
                               std::move(finished)});
    }
    fresh.clear();
  }

  // Puts in order what was prepared. Nearly all of it is later than nearly all that waits.
  void add() {
    const auto middle = static_cast<std::ptrdiff_t>(waiting_.size());
    for (auto& fresh : fresh_) {
      for (Waiting& each : fresh) {
        bytes_ += each.size;
        waiting_.push_back(std::move(each));
      }
      fresh.clear();
    }
    const auto begin = waiting_.begin() + first_, added = waiting_.begin() + middle;
    std::sort(added, waiting_.end(), earlier);
    if (added == waiting_.end()) return;
    std::inplace_merge(std::upper_bound(begin, added, *added, earlier), added, waiting_.end(), earlier);
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
  [[nodiscard]] std::vector<Waiting> release(std::int64_t oldest_ns, std::int64_t clock_ns) {
    std::vector<Waiting> released;
    for (; first_ < std::ssize(waiting_); ++first_) {
      Waiting& first = waiting_[static_cast<std::size_t>(first_)];
      const bool settled = clock_ns == never || first.done_ns <= clock_ns - limits::settle_ns;
      if ((first.place.request_ns >= oldest_ns || !settled) && bytes_ <= limits::ordering_bytes) break;
      bytes_ -= first.size;
      first.finished->released = true;
      released.push_back(std::move(first));
    }
    if (first_ * 2 >= std::ssize(waiting_)) {
      waiting_.erase(waiting_.begin(), waiting_.begin() + first_);
      first_ = 0;
    }
    return released;
  }

  // Hands over what was released, in the order in which it was; connections may be looked at meanwhile.
  void hand_over(std::vector<Waiting> released) {
    for (Waiting& each : released) {
      Exchange& exchange = each.finished->exchange;
      hand_over_others(exchange.request_ns);
      std::int64_t& number = each.finished->connection->number;
      if (number == 0) number = ++certificate_.connections;
      exchange.connection = number;
      hand_over(std::move(exchange));
      used_[each.thread].push_back(std::move(each.finished));
    }
    const std::lock_guard lock(mutex_);
    for (std::size_t thread = 0; thread < used_.size(); ++thread) {
      auto& to = handed_over_[thread];
      to.insert(to.end(), std::make_move_iterator(used_[thread].begin()), std::make_move_iterator(used_[thread].end()));
      used_[thread].clear();
    }
  }

  // What was handed over is given back by the thread that made it: for one to free what another one allocated takes several times
  // as long.
  void give_back(unsigned thread) {
    std::vector<std::shared_ptr<Finished>> mine;
    {
      const std::lock_guard lock(mutex_);
      mine.swap(handed_over_[thread]);
    }
    // Its connection remembers it for a while, and shall not keep its bodies.
    for (const auto& finished : mine) finished->exchange = Exchange{};
  }

 private:
  // No client can send that again.
  static void refuse_unsendable(Exchange& exchange) {
    if (exchange.complete() && !unsendable(exchange.request).empty()) exchange.add_flag(flag::malformed);
  }
  static bool earlier(const Waiting& a, const Waiting& b) { return a.place < b.place; }

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
  std::vector<std::vector<Waiting>> fresh_;  // by shard
  std::vector<Waiting> waiting_;             // in their order, from `first_` on
  std::ptrdiff_t first_ = 0;
  std::mutex mutex_;                                                        // of `handed_over_`
  std::vector<std::vector<std::shared_ptr<Finished>>> used_, handed_over_;  // by thread
  std::vector<Exchange> others_;
  std::size_t next_other_ = 0;
  std::map<std::int64_t, std::int64_t> other_connections_;  // by the number that their file gave
  std::size_t bytes_ = 0;
  std::int64_t id_ = 0;
};

// The segments of a batch, and which of them belong to each shard.
struct Segments {
  struct Numbered {
    Segment segment;
    std::uint64_t hash;
    std::int64_t packet;  // its number in the capture
  };
  std::vector<Numbered> all;
  std::vector<std::vector<std::uint32_t>> shards;

  void clear() {
    all.clear();
    for (auto& shard : shards) shard.clear();
  }
};

// Packets of one block, up to where limits are looked after.
struct Batch {
  explicit Batch(std::size_t shards) {
    apart.shards.resize(shards);
    whole_again.shards.resize(shards);
  }
  std::uint64_t number = 0;  // in the capture
  std::vector<Packet> packets;
  std::int64_t first = 0;     // the number of the first one in the capture
  std::string secrets;        // of TLS, that came with the packets
  std::int64_t clock_ns = 0;  // the latest time of any packet so far
  bool settles = false;       // limits are looked after behind this batch
  Segments apart;
  std::vector<std::uint32_t> fragments;  // places among the packets
  Segments whole_again;                  // what was put together from fragments
  std::vector<std::vector<unsigned char>> datagrams;
};

// What was seen while packets were taken apart.
struct Tally {
  std::array<std::int64_t, packet_kinds> kinds{};
  std::int64_t filtered = 0, captured = 0, cut = 0, bad_checksums = 0;
};

// What a thread works at, and keeps the memory of for the next time.
struct alignas(128) Lot {  // apart from those of other threads
  std::uint64_t piece = 0;
  unsigned thread = 0;
  Block block;
  std::vector<Batch> batches;
  std::size_t used = 0;  // of them
  Tally tally;           // of all so far
};

// A thread reads a block of packets, takes them apart and looks at their connections: so what was read stays in its processor's
// caches, and what it allocates it frees itself. The blocks are begun in turns, and follow each other through the shards of the
// connections, each behind the one before.
class Import {
 public:
  Import(const ImportOptions& options, const std::function<void(Exchange&&)>& take)
      : options_(options),
        filter_(options.filter),
        crew_(std::max(1u, options.threads)),
        lots_(crew_.size()),
        ordering_(certificate_, take, shards_of(options), crew_.size()) {
    for (std::size_t i = 0; i < shards_of(options); ++i) {
      tables_.push_back(std::make_unique<Connections>(&keys_));
      looking_.emplace_back(crew_);
    }
    for (unsigned thread = 0; thread < crew_.size(); ++thread) lots_[thread].thread = thread;
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

  Certificate run(PacketSource& source) {
    crew_.run([&](std::uint64_t piece, unsigned thread) {
      Lot& lot = lots_[thread];
      lot.piece = piece;
      fetching_.await(piece, piece);
      const bool more = !over_;
      if (more) source.fetch(lot.block);
      if (lot.block.last) over_ = true;
      fetching_.pass();
      if (!more) return false;
      finding_.await(piece, piece);
      find(source, lot);
      finding_.pass();
      for (std::size_t i = 0; i < lot.used; ++i) take_apart(lot.batches[i], lot.tally);
      ordering_.give_back(thread);
      for (std::size_t i = 0; i < lot.used; ++i) look_at(lot.batches[i], lot);
      return true;
    });
    fragments_.finish();
    crew_.run([&](std::uint64_t shard, unsigned) {
      if (shard < tables_.size()) tables_[shard]->finish();
      return shard < tables_.size();
    });
    ordering_.hand_over(release(never, never, 0));
    ordering_.finish();
    summarise();
    source.finish(certificate_);
    return std::move(certificate_);
  }

 private:
  // More than threads, so that they can follow each other closely.
  static std::size_t shards_of(const ImportOptions& options) { return options.threads <= 1 ? 1 : 4 * options.threads; }

  void open_key_log() {
    key_log_.open(options_.key_log, std::ios::binary);
    read_key_log([&](std::string_view text) { keys_.append(text); });
    keys_.finish();
  }

  // What was written since the last time: a program that is captured live writes its secrets meanwhile.
  template <typename Take>
  void read_key_log(Take take) {
    if (options_.key_log.empty()) return;
    std::string part(1u << 16, '\0');
    while (key_log_.read(part.data(), static_cast<std::streamsize>(part.size())) || key_log_.gcount() > 0) {
      take(std::string_view(part).substr(0, static_cast<std::size_t>(key_log_.gcount())));
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

  // The packets of the lot's block, and what came with them.
  void find(PacketSource& source, Lot& lot) {
    lot.used = 0;
    for (auto found = PacketSource::Found::some; found == PacketSource::Found::some;) {
      if (lot.used == lot.batches.size()) lot.batches.emplace_back(tables_.size());
      Batch& batch = lot.batches[lot.used];
      found = source.find(lot.block, batch.packets, quota_);
      if (found == PacketSource::Found::end) over_ = true;
      batch.secrets = source.take_secrets();
      read_key_log([&](std::string_view text) { batch.secrets += text; });
      batch.settles = quota_.used_up() || found == PacketSource::Found::nothing;
      if (quota_.used_up()) quota_ = {};
      if (batch.packets.empty() && batch.secrets.empty() && !batch.settles) continue;
      ++lot.used;
      batch.number = batches_++;
      batch.first = packets_;
      packets_ += static_cast<std::int64_t>(batch.packets.size());
      for (const Packet& packet : batch.packets) clock_ns_ = std::max(clock_ns_, packet.time_ns);
      batch.clock_ns = clock_ns_;
    }
  }

  void take_apart(Batch& batch, Tally& tally) const {
    batch.apart.clear();
    batch.fragments.clear();
    const auto checksums = options_.verify_checksums ? Checksums::verified : Checksums::ignored;
    for (std::size_t at = 0; at < batch.packets.size(); ++at) {
      const Packet& packet = batch.packets[at];
      if (!filter_.accepts(packet)) {
        ++tally.filtered;
        continue;
      }
      Segments::Numbered& one = batch.apart.all.emplace_back();
      const PacketKind kind = decode(packet, one.segment, nullptr, checksums);
      if (kind == PacketKind::tcp) {
        one.packet = batch.first + static_cast<std::int64_t>(at);
        add(batch.apart, packet, tally);
        continue;
      }
      batch.apart.all.pop_back();
      if (kind == PacketKind::fragment)
        batch.fragments.push_back(static_cast<std::uint32_t>(at));
      else
        ++tally.kinds[static_cast<std::size_t>(kind)];
    }
  }

  // The last one of the segments is one of `packet`.
  static void add(Segments& segments, const Packet& packet, Tally& tally) {
    Segments::Numbered& one = segments.all.back();
    one.segment.time_ns = packet.time_ns;
    one.hash = shard_hash(one.segment);
    segments.shards[one.hash % segments.shards.size()].push_back(static_cast<std::uint32_t>(segments.all.size() - 1));
    ++tally.kinds[static_cast<std::size_t>(PacketKind::tcp)];
    tally.captured += static_cast<std::int64_t>(one.segment.payload.size());
    tally.cut += one.segment.missing > 0;
    tally.bad_checksums += one.segment.bad_checksum;
  }

  // Fragments, in the order of the capture. What was put together lies where the last one of its fragments did.
  void put_together(Batch& batch, Tally& tally) {
    Segments& whole = batch.whole_again;
    whole.clear();
    batch.datagrams.clear();
    for (const std::uint32_t at : batch.fragments) {
      Segments::Numbered& one = whole.all.emplace_back();
      const PacketKind kind = decode(batch.packets[at], one.segment, &fragments_);
      if (kind != PacketKind::tcp) {
        whole.all.pop_back();
        ++tally.kinds[static_cast<std::size_t>(kind)];
        continue;
      }
      one.segment.payload = batch.datagrams.emplace_back(one.segment.payload.begin(), one.segment.payload.end());
      one.packet = batch.first + at;
      add(whole, batch.packets[at], tally);
    }
  }

  // Behind the batch before in each shard; behind all of it where that one settles, and where the secrets that all shards look
  // into change.
  void look_at(Batch& batch, Lot& lot) {
    if (!batch.secrets.empty()) {
      looking_.back().await(batch.number, lot.piece);
      keys_.append(batch.secrets);
    }
    looking_.front().await(batch.number, lot.piece);
    put_together(batch, lot.tally);
    for (std::size_t shard = 0; shard < tables_.size(); ++shard) {
      looking_[shard].await(batch.number, lot.piece);
      look_at(batch, shard, lot.thread);
      if (!batch.settles) looking_[shard].pass();
    }
    if (!batch.settles) return;
    auto released = settle(batch.clock_ns, lot.thread);
    const std::uint64_t number = settled_++;
    for (Turn& turn : looking_) turn.pass();
    handing_over_.await(number, lot.piece);
    ordering_.hand_over(std::move(released));
    handing_over_.pass();
  }

  void look_at(const Batch& batch, std::size_t shard, unsigned thread) {
    Connections& table = *tables_[shard];
    const auto take = [&](const Segments::Numbered& one) { table.take(one.segment, one.hash, one.packet); };
    const Segments& again = batch.whole_again;
    auto next_again = again.shards[shard].begin();
    for (const std::uint32_t at : batch.apart.shards[shard]) {
      const Segments::Numbered& one = batch.apart.all[at];
      for (; next_again != again.shards[shard].end() && again.all[*next_again].packet < one.packet; ++next_again)
        take(again.all[*next_again]);
      take(one);
    }
    for (; next_again != again.shards[shard].end(); ++next_again) take(again.all[*next_again]);
    if (batch.settles) table.expire(batch.clock_ns);
    ordering_.prepare(table.findings.exchanges, shard, thread);
  }

  [[nodiscard]] std::vector<Ordering::Waiting> settle(std::int64_t clock_ns, unsigned thread) {
    keep_limits();
    std::int64_t oldest = never;
    for (const auto& table : tables_) oldest = std::min(oldest, table->oldest_ns());
    return release(oldest, clock_ns, thread);
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

  [[nodiscard]] std::vector<Ordering::Waiting> release(std::int64_t oldest_ns, std::int64_t clock_ns, unsigned thread) {
    for (std::size_t shard = 0; shard < tables_.size(); ++shard)  // of connections that were ended meanwhile
      ordering_.prepare(tables_[shard]->findings.exchanges, shard, thread);
    ordering_.add();
    return ordering_.release(oldest_ns, clock_ns);
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
    for (const Lot& lot : lots_) {
      const Tally& tally = lot.tally;
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
  std::vector<Lot> lots_;  // by thread
  Certificate certificate_;
  Ordering ordering_;
  KeyLog keys_;
  Fragments fragments_;
  std::vector<std::unique_ptr<Connections>> tables_;

  Turn fetching_{crew_};
  Turn finding_{crew_};
  std::atomic<bool> over_ = false;  // nothing is to be fetched any more
  std::ifstream key_log_;
  std::size_t key_log_bytes_ = 0;
  Quota quota_;  // until limits are looked after again
  std::int64_t clock_ns_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t packets_ = 0;
  std::uint64_t batches_ = 0;
  std::deque<Turn> looking_;  // by shard
  std::uint64_t settled_ = 0;
  Turn handing_over_{crew_};
  std::int64_t other_connections_ = 0;
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
