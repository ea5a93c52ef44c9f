#include <fmt/format.h>

#include "harness/wires/framing.h"
#include "replay/http/parser.h"

namespace rehearse::harness {
namespace {

using replay::Framing;
using replay::ParseStatus;

// A chunked body that begins `bytes`: what it holds and where it ends, its trailers included.
struct Chunks {
  enum class State : std::uint8_t { whole, unfinished, malformed } state = State::unfinished;
  std::string body;
  std::size_t length = 0;
};

Chunks chunks_in(std::string_view bytes) {
  Chunks chunks;
  std::size_t at = 0;
  while (true) {
    const auto line = bytes.find("\r\n", at);
    if (line == std::string_view::npos) return chunks;
    const auto size = replay::parse_chunk_size(bytes.substr(at, line - at));
    if (!size || *size > max_framed_bytes) return chunks.state = Chunks::State::malformed, chunks;
    at = line + 2;
    if (*size == 0) break;
    if (bytes.size() < at + *size + 2) return chunks;
    chunks.body += bytes.substr(at, static_cast<std::size_t>(*size));
    at += static_cast<std::size_t>(*size) + 2;
  }
  // Trailers, up to an empty line.
  while (true) {
    const auto line = bytes.find("\r\n", at);
    if (line == std::string_view::npos) return chunks;
    const bool empty = line == at;
    at = line + 2;
    if (!empty) continue;
    chunks.state = Chunks::State::whole;
    chunks.length = at;
    return chunks;
  }
}

class HttpSent : public SentFraming {
 public:
  void take(std::string_view bytes, std::vector<Sent>& out) override {
    begun_ += bytes;
    while (!begun_.empty() && take_one(out)) {
    }
  }

 private:
  bool take_one(std::vector<Sent>& out) {
    if (uncut_) return pass(begun_.size(), out);
    if (passing_ > 0) {
      const auto now = std::min<std::uint64_t>(passing_, begun_.size());
      passing_ -= now;
      return pass(static_cast<std::size_t>(now), out);
    }
    const auto head_size = replay::head_length(begun_);
    if (!head_size) return begun_.size() > max_framed_bytes && not_understood();
    auto head = replay::parse_request_head(std::string_view(begun_).substr(0, *head_size));
    if (head.status != ParseStatus::complete) return not_understood();
    const bool other_protocol =
        head.message.method == "CONNECT" || replay::field(head.message.headers, "Upgrade").has_value();
    const bool asks = replay::field(head.message.headers, "Expect").has_value();
    std::size_t size = *head_size;
    if (head.framing.kind == Framing::Kind::length) {
      if (asks || head.framing.length > max_framed_bytes) {
        // The body comes later, or is too long to wait for.
        passing_ = head.framing.length;
        whole_ = false;
      } else {
        size += static_cast<std::size_t>(head.framing.length);
        if (begun_.size() < size) return false;
        head.message.body = begun_.substr(*head_size, size - *head_size);
      }
    } else if (head.framing.kind == Framing::Kind::chunked) {
      auto chunks = chunks_in(std::string_view(begun_).substr(*head_size));
      if (chunks.state == Chunks::State::unfinished && !asks && begun_.size() <= max_framed_bytes) return false;
      if (chunks.state != Chunks::State::whole) return not_understood();
      size += chunks.length;
      head.message.body = std::move(chunks.body);
    }
    Sent sent;
    sent.kind = Sent::Kind::request;
    sent.bytes = begun_.substr(0, size);
    sent.text = sent.bytes;
    sent.write = !replay::safe(head.message.method);
    sent.words = fmt::format("{} {}", head.message.method, head.message.target);
    sent.request = std::move(head.message);
    begun_.erase(0, size);
    out.push_back(std::move(sent));
    uncut_ = uncut_ || other_protocol;
    return true;
  }

  bool pass(std::size_t count, std::vector<Sent>& out) {
    if (out.empty() || out.back().kind != Sent::Kind::other) out.emplace_back();
    out.back().bytes.append(begun_, 0, count);
    begun_.erase(0, count);
    return true;
  }
  bool not_understood() {
    uncut_ = true;
    whole_ = false;
    return true;
  }

  std::string begun_;
  std::uint64_t passing_ = 0;
  bool uncut_ = false;
};

}  // namespace

std::unique_ptr<SentFraming> http_framing() { return std::make_unique<HttpSent>(); }

std::string http_answer(std::string_view status) {
  constexpr std::string_view body = "made to fail on purpose by a rehearsal\n";
  return fmt::format(
      "HTTP/1.1 {} Rehearsed\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", status,
      body.size(), body);
}

}  // namespace rehearse::harness
