#include "replay/capture/byte_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "replay/error.h"

namespace rehearse::replay {
namespace {

constexpr std::size_t chunk_bytes = 256u << 10;

class File final : public ByteSource {
 public:
  explicit File(const std::string& path)
      : path_(path), descriptor_(path == "-" ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) fail("open");
    struct stat status {};
    if (fstat(descriptor_, &status) == 0 && S_ISDIR(status.st_mode)) {
      close(descriptor_);
      throw Error(fmt::format("{} is a directory; give a capture file, for instance {}/*.pcap", path, path));
    }
    posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  ~File() override {
    if (descriptor_ != STDIN_FILENO) close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  std::size_t read(std::span<unsigned char> into) override {
    while (true) {
      const ssize_t got = ::read(descriptor_, into.data(), into.size());
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) fail("read");
    }
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw Error(fmt::format("cannot {} the capture {}: {}; check the path", what, path_, std::strerror(errno)));
  }
  std::string path_;
  int descriptor_;
};

// What was read to look at the first bytes, then the rest.
class Peeked final : public ByteSource {
 public:
  explicit Peeked(std::unique_ptr<ByteSource> rest) : rest_(std::move(rest)), first_(16) {
    std::size_t size = 0;
    while (size < first_.size()) {
      const std::size_t got = rest_->read(std::span(first_).subspan(size));
      if (got == 0) break;
      size += got;
    }
    first_.resize(size);
  }
  [[nodiscard]] bool starts_with(std::initializer_list<unsigned char> magic) const {
    return first_.size() >= magic.size() && std::equal(magic.begin(), magic.end(), first_.begin());
  }
  [[nodiscard]] std::optional<std::string> problem() const override { return rest_->problem(); }
  [[nodiscard]] std::string_view beginning() const override {
    return {reinterpret_cast<const char*>(first_.data()), first_.size()};
  }
  std::size_t read(std::span<unsigned char> into) override {
    if (taken_ == first_.size()) return rest_->read(into);
    const std::size_t size = std::min(into.size(), first_.size() - taken_);
    std::copy_n(first_.begin() + static_cast<std::ptrdiff_t>(taken_), size, into.begin());
    taken_ += size;
    return size;
  }

 private:
  std::unique_ptr<ByteSource> rest_;
  std::vector<unsigned char> first_;
  std::size_t taken_ = 0;
};

// Several members behind one another are one file (RFC 1952, section 2.2).
class Gzip final : public ByteSource {
 public:
  explicit Gzip(std::unique_ptr<ByteSource> packed) : packed_(std::move(packed)), buffer_(chunk_bytes) {
    inflateInit2(&stream_, 15 + 16);
  }
  ~Gzip() override { inflateEnd(&stream_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  std::size_t read(std::span<unsigned char> into) override {
    stream_.next_out = into.data();
    stream_.avail_out = static_cast<unsigned>(std::min<std::size_t>(into.size(), 1u << 30));
    const unsigned wanted = stream_.avail_out;
    while (stream_.avail_out == wanted && !over_) {
      if (stream_.avail_in == 0) {
        stream_.next_in = buffer_.data();
        stream_.avail_in = static_cast<unsigned>(packed_->read(buffer_));
        if (stream_.avail_in == 0) {
          over_ = true;
          if (within_) problem_ = "the gzip data ends too early; what came before it was kept";
          break;
        }
      }
      within_ = true;
      const int result = inflate(&stream_, Z_NO_FLUSH);
      if (result == Z_STREAM_END) {
        within_ = false;
        inflateReset2(&stream_, 15 + 16);
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        over_ = true;
        problem_ = "the gzip data is damaged; what came before it was kept";
      }
    }
    return wanted - stream_.avail_out;
  }
  [[nodiscard]] std::optional<std::string> problem() const override { return problem_; }

 private:
  std::unique_ptr<ByteSource> packed_;
  std::vector<unsigned char> buffer_;
  z_stream stream_{};
  bool within_ = false;
  bool over_ = false;
  std::optional<std::string> problem_;
};

class Zstd final : public ByteSource {
 public:
  explicit Zstd(std::unique_ptr<ByteSource> packed)
      : packed_(std::move(packed)), buffer_(chunk_bytes), stream_(ZSTD_createDStream(), ZSTD_freeDStream) {
    ZSTD_initDStream(stream_.get());
  }

  std::size_t read(std::span<unsigned char> into) override {
    ZSTD_outBuffer out{into.data(), into.size(), 0};
    while (out.pos == 0 && !over_) {
      if (in_.pos == in_.size) {
        in_ = {buffer_.data(), packed_->read(buffer_), 0};
        if (in_.size == 0) {
          over_ = true;
          if (within_) problem_ = "the zstd data ends too early; what came before it was kept";
          break;
        }
      }
      const std::size_t result = ZSTD_decompressStream(stream_.get(), &out, &in_);
      within_ = result != 0;
      if (ZSTD_isError(result)) {
        over_ = true;
        problem_ = "the zstd data is damaged; what came before it was kept";
      }
    }
    return out.pos;
  }
  [[nodiscard]] std::optional<std::string> problem() const override { return problem_; }

 private:
  std::unique_ptr<ByteSource> packed_;
  std::vector<unsigned char> buffer_;
  std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  bool within_ = false;
  bool over_ = false;
  std::optional<std::string> problem_;
};

}  // namespace

std::unique_ptr<ByteSource> open_bytes(const std::string& path) {
  auto bytes = std::make_unique<Peeked>(std::make_unique<File>(path));
  if (bytes->starts_with({0x1f, 0x8b})) return std::make_unique<Peeked>(std::make_unique<Gzip>(std::move(bytes)));
  if (bytes->starts_with({0x28, 0xb5, 0x2f, 0xfd}))
    return std::make_unique<Peeked>(std::make_unique<Zstd>(std::move(bytes)));
  return bytes;
}

}  // namespace rehearse::replay
