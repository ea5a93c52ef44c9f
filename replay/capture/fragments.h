// Puts fragments of IP datagrams together, within fixed limits of number, size and capture time.
//
// IPv4: where fragments overlap the first received wins and a difference is noted. IPv6: a fragment that overlaps another
// condemns the datagram (RFC 5722), but for an exact copy, which is ignored (RFC 8200, 4.5). Both: copies of the fragments of
// a datagram that is whole already begin no new one.
//
// Time is that of the packets: the clock is the largest time seen, so that a file gives the same result at any speed and
// packets that step back in time expire nothing.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace rehearse::replay {

inline constexpr std::size_t max_datagrams = 4096;        // not yet whole; beyond that the oldest is given up
inline constexpr std::size_t max_closed_datagrams = 256;  // whole or condemned, remembered for what comes late
inline constexpr std::uint32_t max_datagram_bytes = 65'535;
inline constexpr std::size_t max_held_bytes = 32u
                                              << 20;  // of all that are not whole; beyond that the oldest is given up
inline constexpr std::size_t max_fragments = 1024;    // of one datagram, copies not counted
inline constexpr std::int64_t fragment_lifetime_ns = 30'000'000'000;

struct DatagramKey {
  std::array<unsigned char, 16> source{}, destination{};
  std::uint32_t id = 0;
  std::uint32_t network = 0;  // as in Segment
  std::uint8_t protocol = 0;  // IPv4 only: of IPv6 fragments the first alone says what follows
  bool six = false;
  friend auto operator<=>(const DatagramKey&, const DatagramKey&) = default;
};

struct Fragment {
  std::int64_t time_ns = 0;
  std::uint32_t offset = 0;
  bool more = false;          // others follow this one
  std::uint8_t protocol = 0;  // of what the datagram holds
  std::span<const unsigned char> bytes;
};

// Counts of packets but where datagrams are named.
struct FragmentCounts {
  std::int64_t kept = 0;         // answered with `kept`
  std::int64_t lost = 0;         // of these: their datagram never became whole
  std::int64_t reassembled = 0;  // datagrams
  std::int64_t conflicts = 0;    // datagrams whose fragments contradicted each other
};

class Fragments {
 public:
  enum class Outcome : std::uint8_t {
    kept,   // wait for more, or a copy of what is known
    lost,   // dropped: it contradicts what came before, or there are too many
    whole,  // this was the last one
    bad,    // no fragment that a host sends: empty, beyond 64 KiB, or one of the middle that is no multiple of 8 long
  };
  struct Answer {
    Outcome outcome = Outcome::kept;
    std::uint8_t protocol = 0;  // the rest is set when `whole`
    bool conflicting = false;
    std::span<const unsigned char> bytes{};  // valid until `release`
  };

  Answer take(const DatagramKey& key, const Fragment& fragment);

  // Frees the datagrams that were handed out. `decode` calls it when it begins.
  void release() {
    if (!handed_out_.empty()) handed_out_.clear();
  }

  // Gives up what is not whole. Call once, after the last packet, before reading the counts.
  void finish();

  [[nodiscard]] const FragmentCounts& counts() const { return counts_; }
  // Of the datagrams that are not whole, with the places that their missing fragments will take.
  [[nodiscard]] std::size_t held_bytes() const { return held_bytes_; }

 private:
  struct Range {
    std::uint32_t begin = 0, end = 0;
    friend auto operator<=>(const Range&, const Range&) = default;
  };
  struct Seen {
    Range range;
    bool more = false;
    std::size_t hash = 0;
    friend auto operator<=>(const Seen&, const Seen&) = default;
  };
  enum class State : std::uint8_t { open, whole, condemned };
  struct Datagram {
    DatagramKey key;
    std::int64_t started_ns = 0;
    State state = State::open;
    bool conflicting = false;
    std::uint8_t protocol = 0;
    std::int64_t packets = 0;            // kept of this datagram
    std::optional<std::uint32_t> end{};  // known from the last fragment
    std::vector<unsigned char> bytes{};
    std::vector<Range> covered{};  // sorted, neither overlapping nor touching
    std::vector<Seen> seen{};      // sorted
  };
  using Datagrams = std::list<Datagram>;  // the oldest first

  Answer add(Datagrams::iterator datagram, const Fragment& fragment);
  Answer condemn(Datagrams::iterator datagram);
  Answer keep(Datagram& datagram);
  Answer hand_out(Datagrams::iterator datagram);
  Datagrams::iterator begin(const DatagramKey& key);
  void forget(Datagrams& of, Datagrams::iterator datagram);
  void close(Datagrams::iterator datagram, State state);
  void give_up(Datagrams::iterator datagram);
  void expire();
  void note_conflict(Datagram& datagram);
  static Seen seen_of(const Fragment& fragment);
  static bool has_seen(const Datagram& datagram, const Seen& seen);
  static bool contradicts_end(const Datagram& datagram, const Seen& seen);
  static bool overlaps(const Datagram& datagram, Range range);
  void insert(Datagram& datagram, Range range, std::span<const unsigned char> bytes);
  void make_room(Datagrams::iterator but);

  std::int64_t clock_ns_ = 0;
  std::size_t held_bytes_ = 0;
  Datagrams open_, closed_;
  std::map<DatagramKey, Datagrams::iterator> by_key_;
  std::vector<std::vector<unsigned char>> handed_out_;
  FragmentCounts counts_;
};

}  // namespace rehearse::replay
