// One side of a comparison: a few connections that read under one snapshot at a time.
//
// The first connection leads: it takes the snapshot, which the others import, and it reads like them. A snapshot keeps the server
// from cleaning up, so none is held longer than a bound: what is not begun by then is read under the next one, and what
// was written between the two is read again (`written_since`).
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "harness/databases/bulk_session.h"
#include "harness/databases/reading.h"
#include "properties/correspondence.h"

namespace rehearse::harness {

using Now = std::function<std::chrono::steady_clock::time_point()>;

struct Side {
  std::string dsn;
  std::string label;                                                    // "legacy database"
  bool legacy_schema;                                                   // which SELECT of an entity speaks its words
  const std::map<std::string, std::string>* ignored_columns = nullptr;  // "table.column" → reason
  // Identifiers that the server made in this database → those that stand for them on the other side; applied to keys and to
  // columns that are named as identifiers.
  const properties::Correspondence* pairs = nullptr;
};

class SideReader {
 public:
  using OnRow = std::function<void(std::size_t connection, const BinaryRow&)>;

  // REQUIRES: connections >= 1.
  SideReader(const Side& side, std::size_t connections, std::chrono::milliseconds snapshot_limit, Now now);

  // Whether a read counts its snapshots from itself, or goes on behind the one before it.
  enum class Begins { anew, behind };

  // Calls `on_row` for each row, from as many threads as there are connections. Ends early with ReadingStopped when `stop` or
  // `halt` turns true. Throws Error, and never returns, unless every row was read.
  void read(const Reading& reading, const OnRow& on_row, const std::atomic<bool>* stop, const std::atomic<bool>& halt,
            Begins begins = Begins::anew);

  // CPU time of the servers' processes behind the connections; nothing where they do not run on this machine.
  [[nodiscard]] std::optional<double> server_seconds() const;
  // In the transaction of the snapshot.
  [[nodiscard]] BulkSession& leader() { return sessions_.front(); }
  [[nodiscard]] std::size_t connections() const { return sessions_.size(); }
  [[nodiscard]] const Side& side() const { return side_; }
  // Snapshots that the last `read` used, and the oldest transaction that was at work when the first of them was taken.
  [[nodiscard]] int snapshots() const { return snapshots_; }
  [[nodiscard]] const std::string& first_xmin() const { return first_xmin_; }
  // Takes a new snapshot when the one that is held is past its best.
  void renew_when_old();
  // Takes a new snapshot now.
  void renew();
  // Holds none, and no lock on a table, until the next `renew`.
  void let_go();
  // Begins anew behind a failure: a statement that failed ended its transaction, and a connection may be gone.
  void restart();

 private:
  struct Part {
    std::int64_t begin = 0, end = -1;
  };
  void take_snapshot();
  void release();
  [[nodiscard]] bool old() const;
  [[nodiscard]] static std::vector<Part> parts_of(const Reading& reading);

  Side side_;
  std::chrono::milliseconds limit_;
  Now now_;
  std::vector<BulkSession> sessions_;
  std::chrono::steady_clock::time_point taken_;
  std::string first_xmin_;
  int snapshots_ = 0;
  bool holds_ = false;    // a snapshot
  bool counted_ = false;  // the one that is held, among these
};

}  // namespace rehearse::harness
