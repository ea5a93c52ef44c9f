#include "replay/capture/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <fstream>
#include <limits>
#include <memory>
#include <semaphore>
#include <set>
#include <thread>
#include <utility>

#include "replay/capture/connections.h"
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

  bool read(std::vector<Packet>& batch) override {
    if (readers_.size() == 1)
      readers_[0].reader->read(batch);
    else
      merge(batch);
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
  void merge(std::vector<Packet>& batch) {
    batch.clear();
    for (One& one : readers_) {
      if (one.next == one.packets.size()) {
        one.reader->read(one.packets);
        one.next = 0;
      }
    }
    while (batch.size() < limits::batch_packets) {
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

// Reads on in a thread of its own while what it read before is looked at.
class ReadingAhead final : public PacketSource {
 public:
  explicit ReadingAhead(PacketSource& source) : source_(source), thread_([this] { work(); }) {}
  ~ReadingAhead() override {
    over_ = true;
    wanted_.release();
    thread_.join();
  }
  ReadingAhead(const ReadingAhead&) = delete;
  ReadingAhead& operator=(const ReadingAhead&) = delete;

  bool read(std::vector<Packet>& batch) override {
    if (std::exchange(first_, false)) wanted_.release();
    if (!more_) return false;
    ready_.acquire();
    if (error_) std::rethrow_exception(error_);
    std::swap(batch, batch_);
    secrets_ = std::exchange(next_secrets_, {});
    more_ = next_more_;
    if (more_) wanted_.release();
    return more_;
  }
  [[nodiscard]] std::string take_secrets() override { return std::exchange(secrets_, {}); }
  void finish(Certificate& certificate) const override { source_.finish(certificate); }

 private:
  void work() {
    while (true) {
      wanted_.acquire();
      if (over_) return;
      try {
        next_more_ = source_.read(batch_);
        next_secrets_ = source_.take_secrets();
      } catch (...) {
        error_ = std::current_exception();
      }
      ready_.release();
      if (error_) return;
    }
  }

  PacketSource& source_;
  std::counting_semaphore<4> wanted_{0}, ready_{0};
  std::vector<Packet> batch_;
  std::string secrets_, next_secrets_;
  bool next_more_ = true, more_ = true, first_ = true;
  std::atomic<bool> over_ = false;
  std::exception_ptr error_;
  std::thread thread_;  // the last member: it uses the others
};

// Runs the same function on several threads, one of them the caller's, again and again.
class Crew {
 public:
  explicit Crew(unsigned size) : barrier_(size), size_(size) {
    for (unsigned i = 1; i < size; ++i) {
      threads_.emplace_back([this, i] {
        while (true) {
          barrier_.arrive_and_wait();
          if (over_) return;
          attempt(i);
          barrier_.arrive_and_wait();
        }
      });
    }
  }
  ~Crew() {
    over_ = true;
    if (!threads_.empty()) barrier_.arrive_and_wait();
    for (std::thread& thread : threads_) thread.join();
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  void run(const std::function<void(unsigned)>& work) {
    work_ = &work;
    if (!threads_.empty()) barrier_.arrive_and_wait();
    attempt(0);
    if (!threads_.empty()) barrier_.arrive_and_wait();
    for (std::exception_ptr& error : errors_) {
      if (error) std::rethrow_exception(std::exchange(error, nullptr));
    }
  }
  [[nodiscard]] unsigned size() const { return size_; }

 private:
  void attempt(unsigned i) {
    try {
      (*work_)(i);
    } catch (...) {
      errors_[i] = std::current_exception();
    }
  }
  std::barrier<> barrier_;
  unsigned size_;
  bool over_ = false;
  const std::function<void(unsigned)>* work_ = nullptr;
  std::vector<std::exception_ptr> errors_ = std::vector<std::exception_ptr>(size_);
  std::vector<std::thread> threads_;
};

// Finished exchanges that wait until nothing earlier can come.
class Ordering {
 public:
  Ordering(Certificate& certificate, const std::function<void(Exchange&&)>& take)
      : certificate_(certificate), take_(take) {}

  void add(std::vector<std::shared_ptr<Finished>>& fresh) {
    for (auto& finished : fresh) {
      bytes_ += size_of(finished->exchange);
      const Exchange& exchange = finished->exchange;
      const Place place{exchange.request_ns, finished->connection->born, exchange.index};
      waiting_.push_back({place, std::move(finished)});
      std::push_heap(waiting_.begin(), waiting_.end(), later);
    }
    fresh.clear();
  }

  // Exchanges that were no packets, ordered by the time of their requests.
  void add_others(std::vector<Exchange> others) { others_ = std::move(others); }
  // Hands over the rest of those.
  void finish() { hand_over_others(never); }

  // Hands over what began before `oldest_ns` and has been finished for as long as a retransmission may follow it.
  void release(std::int64_t oldest_ns, std::int64_t clock_ns) {
    while (!waiting_.empty()) {
      const Exchange& first = waiting_.front().finished->exchange;
      const std::int64_t done = std::max(first.request_end_ns, first.response_end_ns);
      const bool settled = clock_ns == never ||
                           (done <= clock_ns - limits::settle_ns && first.request_ns <= clock_ns - limits::settle_ns);
      if ((first.request_ns >= oldest_ns || !settled) && bytes_ <= limits::ordering_bytes) return;
      std::pop_heap(waiting_.begin(), waiting_.end(), later);
      hand_over(*waiting_.back().finished);
      waiting_.pop_back();
    }
  }

 private:
  static std::size_t size_of(const Exchange& exchange) {
    return 1024 + exchange.request.body.size() + (exchange.response ? exchange.response->body.size() : 0);
  }
  struct Place {
    std::int64_t request_ns, born, index;
    auto operator<=>(const Place&) const = default;
  };
  struct Waiting {
    Place place;
    std::shared_ptr<Finished> finished;
  };
  static bool later(const Waiting& a, const Waiting& b) { return a.place > b.place; }

  void hand_over(Finished& finished) {
    Exchange& exchange = finished.exchange;
    bytes_ -= size_of(exchange);
    finished.released = true;
    hand_over_others(exchange.request_ns);
    if (finished.connection->number == 0) finished.connection->number = ++certificate_.connections;
    exchange.connection = finished.connection->number;
    hand_over(std::move(exchange));
  }

  void hand_over_others(std::int64_t until_ns) {
    for (; next_other_ < others_.size() && others_[next_other_].request_ns <= until_ns; ++next_other_) {
      Exchange& exchange = others_[next_other_];
      std::int64_t& number = other_connections_[exchange.connection];
      if (number == 0) number = ++certificate_.connections;
      exchange.connection = number;
      hand_over(std::move(exchange));
    }
  }

  void hand_over(
      Exchange exchange) {  // by value: its connection remembers it for a while, and shall not keep its bodies
    exchange.id = ++id_;
    if (exchange.complete() && !unsendable(exchange.request).empty()) exchange.add_flag(flag::malformed);
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
  std::vector<Waiting> waiting_;  // a heap, the earliest in front
  std::vector<Exchange> others_;
  std::size_t next_other_ = 0;
  std::map<std::int64_t, std::int64_t> other_connections_;  // by the number that their file gave
  std::size_t bytes_ = 0;
  std::int64_t id_ = 0;
};

// One segment of a batch with what is needed to divide the work.
struct Ready {
  Segment segment;
  std::uint64_t hash;
  PacketKind kind;
};

class Import {
 public:
  Import(const ImportOptions& options, const std::function<void(Exchange&&)>& take)
      : options_(options),
        filter_(options.filter),
        crew_(std::max(1u, options.threads)),
        ordering_(certificate_, take) {
    for (unsigned i = 0; i < crew_.size(); ++i) tables_.push_back(std::make_unique<Connections>(&keys_));
    if (!options.key_log.empty()) open_key_log();
  }

  Certificate run(const std::vector<std::string>& paths) {
    Merged files;
    std::vector<Exchange> others;
    for (const std::string& path : paths) open(path, files, others);
    std::stable_sort(others.begin(), others.end(),
                     [](const Exchange& a, const Exchange& b) { return a.request_ns < b.request_ns; });
    ordering_.add_others(std::move(others));
    if (crew_.size() == 1) return run(files);
    ReadingAhead ahead(files);
    return run(ahead);
  }

  Certificate run(PacketSource& source) {
    while (source.read(packets_)) {
      keys_.append(source.take_secrets());
      take_batch();
    }
    fragments_.finish();
    crew_.run([&](unsigned i) { tables_[i]->finish(); });
    settle(never, never);
    ordering_.finish();
    summarise();
    source.finish(certificate_);
    return std::move(certificate_);
  }

 private:
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

  void take_batch() {
    read_key_log();
    ready_.resize(packets_.size());
    crew_.run([&](unsigned i) { decode_part(i); });
    bool fragments = false;
    for (const Ready& ready : ready_) {
      fragments |= ready.kind == PacketKind::fragment;
      clock_ns_ = std::max(clock_ns_, ready.segment.time_ns);
    }
    if (fragments) decode_fragments();
    for (const Ready& ready : ready_) count(ready);
    crew_.run([&](unsigned i) {
      for (std::size_t at = 0; at < ready_.size(); ++at) {
        const Ready& ready = ready_[at];
        if (ready.kind == PacketKind::tcp && ready.hash % crew_.size() == i)
          tables_[i]->take(ready.segment, ready.hash, packet_number_ + static_cast<std::int64_t>(at));
      }
      tables_[i]->expire(clock_ns_);
    });
    packet_number_ += static_cast<std::int64_t>(packets_.size());
    keep_limits();
    std::int64_t oldest = never;
    for (const auto& table : tables_) oldest = std::min(oldest, table->oldest_ns());
    settle(oldest, clock_ns_);
  }

  void decode_part(unsigned i) {
    const std::size_t share = (packets_.size() + crew_.size() - 1) / crew_.size();
    const std::size_t end = std::min(packets_.size(), (i + 1) * share);
    const auto checksums = options_.verify_checksums ? Checksums::verified : Checksums::ignored;
    for (std::size_t at = i * share; at < end; ++at) {
      Ready& ready = ready_[at];
      ready.kind = filter_.accepts(packets_[at]) ? decode(packets_[at], ready.segment, nullptr, checksums) : not_wanted;
      if (ready.kind == PacketKind::tcp) ready.hash = shard_hash(ready.segment);
      ready.segment.time_ns = packets_[at].time_ns;
    }
  }

  // In the order of the capture; a datagram's bytes are kept for as long as the batch.
  void decode_fragments() {
    datagrams_.clear();
    for (std::size_t at = 0; at < packets_.size(); ++at) {
      Ready& ready = ready_[at];
      if (ready.kind != PacketKind::fragment) continue;
      ready.kind = decode(packets_[at], ready.segment, &fragments_);
      ready.segment.time_ns = packets_[at].time_ns;
      if (ready.kind != PacketKind::tcp) continue;
      datagrams_.emplace_back(ready.segment.payload.begin(), ready.segment.payload.end());
      ready.segment.payload = datagrams_.back();
      ready.hash = shard_hash(ready.segment);
    }
  }

  void count(const Ready& ready) {
    if (ready.kind == not_wanted) {
      ++filtered_;
      return;
    }
    ++kinds_[static_cast<std::size_t>(ready.kind)];
    if (ready.kind != PacketKind::tcp) return;
    captured_ += static_cast<std::int64_t>(ready.segment.payload.size());
    cut_ += ready.segment.missing > 0;
    bad_checksums_ += ready.segment.bad_checksum;
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

  void settle(std::int64_t oldest_ns, std::int64_t clock_ns) {
    for (const auto& table : tables_) ordering_.add(table->findings.exchanges);
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
    const auto put = [](auto& counts, std::string_view name, std::int64_t count) {
      if (count > 0) counts[std::string(name)] += count;
    };
    certificate_.packets["read"] += packet_number_;
    put(certificate_.packets, "left out by the filter", filtered_);
    // What was kept is counted as lost when nothing came of it.
    kinds_[static_cast<std::size_t>(PacketKind::fragment)] -= fragments_.counts().lost;
    kinds_[static_cast<std::size_t>(PacketKind::fragment_lost)] += fragments_.counts().lost;
    for (std::size_t kind = 0; kind < packet_kinds; ++kind)
      put(certificate_.packets, name_of(static_cast<PacketKind>(kind)), kinds_[kind]);
    put(certificate_.remarks, "packets cut by the snap length", cut_);
    put(certificate_.remarks, "packets with a wrong TCP checksum", bad_checksums_);
    put(certificate_.remarks, "datagrams put together from fragments", fragments_.counts().reassembled);
    put(certificate_.remarks, "datagrams whose fragments contradict each other", fragments_.counts().conflicts);
    put(certificate_.remarks, "conflicting retransmissions", tcp.conflicts);
    put(certificate_.remarks, "retransmitted bytes that could not be compared", tcp.uncompared_bytes);
    put(certificate_.remarks, "segments outside the window", tcp.stray_segments);
    put(certificate_.remarks, "gaps", tcp.gaps);
    put(certificate_.remarks, "connections ended by a limit", evicted);
    put(certificate_.remarks, "lines of a key log that are none", keys_.bad_lines());
    put(certificate_.remarks, "secrets of a key log beyond the limit", keys_.left_out());
    certificate_.bytes["captured"] = captured_;
    certificate_.bytes["missing (gaps)"] = tcp.gap_bytes;
    for (std::size_t kind = 0; kind < byte_kinds; ++kind)
      put(certificate_.bytes, name_of(static_cast<ByteKind>(kind)), bytes[kind]);
  }

  // A packet that the filter left out.
  static constexpr auto not_wanted = static_cast<PacketKind>(packet_kinds);

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
  std::vector<Packet> packets_;
  std::vector<Ready> ready_;
  std::vector<std::vector<unsigned char>> datagrams_;
  std::int64_t clock_ns_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t packet_number_ = 0;
  std::int64_t other_connections_ = 0;
  std::array<std::int64_t, packet_kinds> kinds_{};
  std::int64_t filtered_ = 0, captured_ = 0, cut_ = 0, bad_checksums_ = 0;
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
