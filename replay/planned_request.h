// What a step sends, kept in memory or, for plans that are too long for that, in a file on disk.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "replay/http/message.h"

namespace rehearse::replay {

// Requests on disk, in a file without a name: it is gone when nobody reads it any more, however the program ends. It lies in
// $TMPDIR, else in /var/tmp, and not in /tmp, which is often memory.
//
// One thread adds; then any number of threads read.
class RequestSpool {
 public:
  struct Place {
    std::uint64_t at = 0;
    std::uint32_t bytes = 0;
  };

  // Throws Error when no file can be made.
  RequestSpool();
  ~RequestSpool();
  RequestSpool(const RequestSpool&) = delete;
  RequestSpool& operator=(const RequestSpool&) = delete;

  // Throws Error when the disk takes no more. REQUIRES: the request is sendable (`unsendable`), for nobody looks at that again.
  [[nodiscard]] Place add(const Request& request);
  // Call when all are added, before the first one is read. Throws Error as `add` does.
  void flush();

  // Asks the kernel for what lies behind it, too: requests are read about in the order in which they were added, and whoever sends
  // them has no time to wait for a disk. Throws Error when the disk does not give them back.
  [[nodiscard]] Request read(Place place) const;

 private:
  int file_ = -1;
  std::string folder_;
  std::string waiting_;  // to be written
  std::uint64_t written_ = 0;
  mutable std::atomic<std::uint64_t> asked_for_ = 0;  // the kernel reads up to there
};

// A request, or none. Copies share it.
class PlannedRequest {
 public:
  PlannedRequest() = default;
  PlannedRequest(Request request);  // NOLINT(google-explicit-constructor): a step's request is a request
  PlannedRequest(std::shared_ptr<const RequestSpool> spool, RequestSpool::Place place);

  [[nodiscard]] bool has_value() const { return holder_ != nullptr; }
  explicit operator bool() const { return has_value(); }
  [[nodiscard]] bool in_memory() const { return has_value() && bytes_ == 0; }

  // The request; one that lies on disk is read and belongs to the caller alone. Throws Error when it cannot be read.
  // REQUIRES: has_value().
  [[nodiscard]] std::shared_ptr<const Request> get() const;
  [[nodiscard]] Request operator*() const;

  friend bool operator==(const PlannedRequest& a, const PlannedRequest& b);

 private:
  std::shared_ptr<const void> holder_;  // a Request, or a RequestSpool when `bytes_` is not 0
  std::uint64_t at_ = 0;
  std::uint32_t bytes_ = 0;
};

}  // namespace rehearse::replay
