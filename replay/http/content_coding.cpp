#include "replay/http/content_coding.h"

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "replay/error.h"
#include "replay/http/message.h"
#include "replay/redaction/limits.h"

namespace rehearse::replay {
namespace {

constexpr int gzip_window = 31, zlib_window = 15, raw_window = -15;

unsigned char* bytes(const char* data) { return reinterpret_cast<unsigned char*>(const_cast<char*>(data)); }

// Members of gzip may follow each other (RFC 1952, section 2.2).
std::optional<std::string> inflated(std::string_view body, int window, std::size_t limit) {
  z_stream stream{};
  if (inflateInit2(&stream, window) != Z_OK) return std::nullopt;
  const std::unique_ptr<z_stream, int (*)(z_stream*)> owner(&stream, inflateEnd);
  stream.next_in = bytes(body.data());
  stream.avail_in = static_cast<uInt>(body.size());
  std::string out;
  std::array<char, 65536> chunk;
  while (true) {
    stream.next_out = bytes(chunk.data());
    stream.avail_out = chunk.size();
    const int status = inflate(&stream, Z_NO_FLUSH);
    out.append(chunk.data(), chunk.size() - stream.avail_out);
    if (out.size() > limit) return std::nullopt;
    if (status == Z_STREAM_END && stream.avail_in == 0) return out;
    if (status == Z_STREAM_END && window == gzip_window && inflateReset(&stream) == Z_OK) continue;
    if (status != Z_OK) return std::nullopt;
  }
}

std::string deflated(std::string_view body, int window) {
  z_stream stream{};
  ENSURE(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, body.size()), '\0');
  stream.next_in = bytes(body.data());
  stream.avail_in = static_cast<uInt>(body.size());
  stream.next_out = bytes(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  ENSURE(status == Z_STREAM_END);
  return out;
}

std::optional<std::string> from_brotli(std::string_view body, std::size_t limit) {
  const std::unique_ptr<BrotliDecoderState, void (*)(BrotliDecoderState*)> state(
      BrotliDecoderCreateInstance(nullptr, nullptr, nullptr), BrotliDecoderDestroyInstance);
  std::string out;
  std::array<unsigned char, 65536> chunk;
  const unsigned char* next = bytes(body.data());
  std::size_t left = body.size();
  while (true) {
    unsigned char* to = chunk.data();
    std::size_t room = chunk.size();
    const auto status = BrotliDecoderDecompressStream(state.get(), &left, &next, &room, &to, nullptr);
    out.append(reinterpret_cast<const char*>(chunk.data()), chunk.size() - room);
    if (out.size() > limit) return std::nullopt;
    if (status == BROTLI_DECODER_RESULT_SUCCESS) return left == 0 ? std::optional(out) : std::nullopt;
    if (status != BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT) return std::nullopt;
  }
}

std::string to_brotli(std::string_view body) {
  constexpr int quality = 5;  // what servers use for answers that they make
  std::string out(std::max<std::size_t>(BrotliEncoderMaxCompressedSize(body.size()), 64), '\0');
  std::size_t size = out.size();
  ENSURE(BrotliEncoderCompress(quality, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_TEXT, body.size(), bytes(body.data()), &size,
                               bytes(out.data())) == BROTLI_TRUE);
  out.resize(size);
  return out;
}

std::optional<std::string> from_zstd(std::string_view body, std::size_t limit) {
  const std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> state(ZSTD_createDStream(), ZSTD_freeDStream);
  ZSTD_inBuffer in{body.data(), body.size(), 0};
  std::string out;
  std::array<char, 65536> chunk;
  while (true) {
    ZSTD_outBuffer to{chunk.data(), chunk.size(), 0};
    const std::size_t left = ZSTD_decompressStream(state.get(), &to, &in);
    if (ZSTD_isError(left) != 0) return std::nullopt;
    out.append(chunk.data(), to.pos);
    if (out.size() > limit) return std::nullopt;
    if (in.pos == in.size && to.pos < to.size) return left == 0 ? std::optional(out) : std::nullopt;
  }
}

std::string to_zstd(std::string_view body) {
  std::string out(ZSTD_compressBound(body.size()), '\0');
  const std::size_t size = ZSTD_compress(out.data(), out.size(), body.data(), body.size(), 3);
  ENSURE(ZSTD_isError(size) == 0);
  out.resize(size);
  return out;
}

std::optional<std::string> without(std::string_view body, const std::string& coding, std::size_t limit) {
  if (coding == "gzip" || coding == "x-gzip") return inflated(body, gzip_window, limit);
  if (coding == "br") return from_brotli(body, limit);
  if (coding == "zstd") return from_zstd(body, limit);
  if (coding != "deflate") return std::nullopt;
  // RFC 9110 says zlib; some servers leave its envelope away.
  if (auto zlib = inflated(body, zlib_window, limit)) return zlib;
  return inflated(body, raw_window, limit);
}

}  // namespace

std::vector<std::string> codings_in(std::string_view field) {
  std::vector<std::string> codings;
  while (!field.empty()) {
    const auto comma = std::min(field.find(','), field.size());
    const std::string coding = lower(trim(field.substr(0, comma)));
    if (!coding.empty() && coding != "identity") codings.push_back(coding);
    field.remove_prefix(std::min(comma + 1, field.size()));
  }
  return codings;
}

std::optional<std::string> without_codings(std::string_view body, const std::vector<std::string>& codings,
                                           std::size_t limit_bytes) {
  if (codings.size() > limits::codings) return std::nullopt;
  std::string text(body);
  for (auto coding = codings.rbegin(); coding != codings.rend(); ++coding) {
    auto decoded = without(text, *coding, limit_bytes);
    if (!decoded) return std::nullopt;
    text = std::move(*decoded);
  }
  return text;
}

std::string with_codings(std::string_view body, const std::vector<std::string>& codings) {
  std::string text(body);
  for (const std::string& coding : codings) {
    text = coding == "br"        ? to_brotli(text)
           : coding == "zstd"    ? to_zstd(text)
           : coding == "deflate" ? deflated(text, zlib_window)
                                 : deflated(text, gzip_window);
  }
  return text;
}

}  // namespace rehearse::replay
