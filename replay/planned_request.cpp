#include "replay/planned_request.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>

#include "replay/error.h"

namespace rehearse::replay {
namespace {

constexpr std::size_t write_bytes = 1u << 20;
// Twice what a fast disk reads in the time that a request may be late.
constexpr std::uint64_t ahead_bytes = 8u << 20;

// A text is its length, as four bytes of this machine's order, and its bytes.
void put(std::string& out, std::string_view text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  ENSURE(size == text.size());
  out.append(reinterpret_cast<const char*>(&size), sizeof size);
  out.append(text);
}

void put(std::string& out, const Headers& headers) {
  const auto count = static_cast<std::uint32_t>(headers.size());
  out.append(reinterpret_cast<const char*>(&count), sizeof count);
  for (const Header& header : headers) {
    put(out, header.name);
    put(out, header.value);
  }
}

// Takes apart what `put` wrote.
class Taker {
 public:
  explicit Taker(std::string_view text) : left_(text) {}

  std::string text() { return std::string(bytes(number())); }
  Headers headers() {
    Headers headers(number());
    for (Header& header : headers) {
      header.name = text();
      header.value = text();
    }
    return headers;
  }
  [[nodiscard]] bool done() const { return left_.empty(); }

 private:
  std::string_view bytes(std::size_t count) {
    ENSURE(count <= left_.size());
    const std::string_view taken = left_.substr(0, count);
    left_.remove_prefix(count);
    return taken;
  }
  std::uint32_t number() {
    std::uint32_t number = 0;
    std::memcpy(&number, bytes(sizeof number).data(), sizeof number);
    return number;
  }

  std::string_view left_;
};

int nameless_file(const std::string& folder) {
  const int file = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
  if (file >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return file;
  std::string name = folder + "/rehearse-XXXXXX";  // a file system that knows no files without a name
  const int named = mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) unlink(name.c_str());
  return named;
}

std::string in_words(int error) { return std::generic_category().message(error); }

}  // namespace

RequestSpool::RequestSpool() {
  const char* folder = std::getenv("TMPDIR");  // NOLINT(concurrency-mt-unsafe): nobody sets variables here
  folder_ = folder != nullptr && *folder != '\0' ? folder : "/var/tmp";
  file_ = nameless_file(folder_);
  if (file_ < 0)
    throw Error(
        fmt::format("the plan is too long to be kept in memory, and no file can be made in {}: {}; set TMPDIR to "
                    "a folder that can be written",
                    folder_, in_words(errno)));
}

RequestSpool::~RequestSpool() { close(file_); }

RequestSpool::Place RequestSpool::add(const Request& request) {
  ENSURE(unsendable(request).empty());
  const Place place{written_ + waiting_.size(), 0};
  const std::size_t before = waiting_.size();
  put(waiting_, request.method);
  put(waiting_, request.target);
  put(waiting_, request.headers);
  put(waiting_, request.body);
  put(waiting_, request.trailers);
  const std::size_t bytes = waiting_.size() - before;
  ENSURE(bytes <= std::numeric_limits<std::uint32_t>::max());
  if (waiting_.size() >= write_bytes) flush();
  return {place.at, static_cast<std::uint32_t>(bytes)};
}

void RequestSpool::flush() {
  for (std::string_view left = waiting_; !left.empty();) {
    const ssize_t done = pwrite(file_, left.data(), left.size(), static_cast<off_t>(written_));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0)
      throw Error(
          fmt::format("the requests of the plan cannot be kept in {}: {}; set TMPDIR to a folder with more room, or "
                      "select fewer exchanges",
                      folder_, in_words(errno)));
    written_ += static_cast<std::uint64_t>(done);
    left.remove_prefix(static_cast<std::size_t>(done));
  }
  waiting_.clear();
}

Request RequestSpool::read(Place place) const {
  ENSURE(place.at + place.bytes <= written_);
  std::uint64_t asked = asked_for_.load(std::memory_order_relaxed);
  if (place.at + ahead_bytes / 2 > asked &&
      asked_for_.compare_exchange_strong(asked, place.at + ahead_bytes, std::memory_order_relaxed))
    static_cast<void>(posix_fadvise(file_, static_cast<off_t>(place.at), ahead_bytes, POSIX_FADV_WILLNEED));

  thread_local std::string bytes;
  bytes.resize(place.bytes);
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t got = pread(file_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(place.at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0)
      throw Error(fmt::format("the requests of the plan cannot be read again from {}: {}", folder_,
                              got < 0 ? in_words(errno) : "the file has become shorter"));
    done += static_cast<std::size_t>(got);
  }
  Taker taker(bytes);
  Request request;
  request.method = taker.text();
  request.target = taker.text();
  request.headers = taker.headers();
  request.body = taker.text();
  request.trailers = taker.headers();
  ENSURE(taker.done());
  if (bytes.capacity() > write_bytes)
    std::string().swap(bytes);  // one large body is no reason to keep as much for ever
  return request;
}

PlannedRequest::PlannedRequest(Request request) : holder_(std::make_shared<const Request>(std::move(request))) {}

PlannedRequest::PlannedRequest(std::shared_ptr<const RequestSpool> spool, RequestSpool::Place place)
    : holder_(std::move(spool)), at_(place.at), bytes_(place.bytes) {
  ENSURE(bytes_ != 0);
}

std::shared_ptr<const Request> PlannedRequest::get() const {
  ENSURE(has_value());
  if (in_memory()) return std::static_pointer_cast<const Request>(holder_);
  return std::make_shared<const Request>(**this);
}

Request PlannedRequest::operator*() const {
  ENSURE(has_value());
  if (in_memory()) return *static_cast<const Request*>(holder_.get());
  return static_cast<const RequestSpool*>(holder_.get())->read({at_, bytes_});
}

bool operator==(const PlannedRequest& a, const PlannedRequest& b) {
  if (a.has_value() != b.has_value()) return false;
  return !a.has_value() || *a.get() == *b.get();
}

}  // namespace rehearse::replay
