// The connections of a capture: finds the one that a segment belongs to, tells a reused port from a retransmission, and ends
// those that are over. The key is the whole of both endpoints and the virtual network, never a hash of them.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "replay/capture/conversation.h"
#include "replay/capture/reassembly.h"

namespace rehearse::replay {

// Which of `shards` tables a segment belongs to: the same for both directions of a connection.
[[nodiscard]] std::uint64_t shard_hash(const Segment& segment);

class Connections {
 public:
  explicit Connections(const KeyLog* keys);
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  // Takes segments in the order of the capture; `packet` is the segment's number in it.
  void take(const Segment& segment, std::uint64_t hash, std::int64_t packet);

  // Ends what is idle at `clock_ns` of capture time. What follows is for between two batches.
  void expire(std::int64_t clock_ns);
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t held_bytes() const;
  // The capture time of the oldest request that is not finished; INT64_MAX when there is none.
  [[nodiscard]] std::int64_t oldest_ns() const;
  // The packet that the connection which was silent longest had last; INT64_MAX without connections.
  [[nodiscard]] std::int64_t longest_silent() const;
  void evict_longest_silent();
  // The connections that hold something, and ending one of them.
  struct Holder {
    std::size_t bytes = 0;
    std::int64_t born = 0;
    void* flow = nullptr;
  };
  [[nodiscard]] std::vector<Holder> holders() const;
  void evict(const Holder& holder);

  void finish();

  Findings findings;
  TcpCounts tcp;
  std::int64_t evicted = 0;

 private:
  struct Key;
  struct KeyHash;
  struct Flow;
  struct Table;
  void refresh(Flow& flow);
  void end(Flow& flow, End how);
  std::unique_ptr<Table> table_;
};

}  // namespace rehearse::replay
